// Shows that the recordings hold the rules of each exact kernel: puts one rule otherwise, replays, and asks whether a recording notices.
//   npm run mutate                        the rules, on the recordings in fixtures/buddy and, where it is there, ../shared/captures
//   npm run mutate -- --kernel 6.12.117   of one kernel
//   npm run mutate -- --fixtures          on what the clone has alone
//   npm run mutate -- --statements 40     also so many single statements of each kernel's parts, chosen by --seed
//   npm run mutate -- --matrix            which recordings notice each rule
// Needs npm run build. Exits 1 when less than 95 % of a kernel's rules are noticed.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { exactKernels } from "../../dist/model/kernels/parts_for.js";
import { replayBuddyOn } from "../../dist/verify/buddy.js";
import { recordingsOf } from "./recordings.mjs";
import { mutantsOf } from "./rules.mjs";
import { statements } from "./statements.mjs";

const { values } = parseArgs({
  options: {
    kernel: { type: "string" },
    fixtures: { type: "boolean", default: false },
    matrix: { type: "boolean", default: false },
    statements: { type: "string" },
    seed: { type: "string", default: "1" },
    files: { type: "string", default: "40" },
  },
});
/** Rules that no recording can decide, and the test that holds each by its source. */
const held = JSON.parse(readFileSync(join(import.meta.dirname, "held_by_tests.json"), "utf8"));

let failed = false;
for (const kernel of exactKernels) {
  const version = kernel.release.version.join(".");
  if (values.kernel !== undefined && values.kernel !== version) continue;
  const recordings = recordingsOf(version, { fixturesOnly: values.fixtures, most: Number(values.files) });
  if (recordings.length === 0) {
    console.log(`${kernel.name}: no recording here`);
    continue;
  }
  for (const input of recordings) {
    const clean = replayBuddyOn(input, (own) => own);
    if (clean.firstDifference !== undefined) throw new Error(`${input.path} differs with no rule changed`);
  }
  const mutants = mutantsOf(kernel);
  const survivors = [];
  let byTest = 0;
  for (const mutant of mutants) {
    const first = values.matrix ? undefined : recordings.find((input) => notices(input, mutant));
    const noticed = values.matrix
      ? recordings.filter((input) => notices(input, mutant))
      : first === undefined
        ? []
        : [first];
    if (values.matrix)
      console.log(
        `  ${mutant.name}: ${noticed.map((r) => r.path.split("/").slice(-2).join("/")).join(" ") || "NOBODY"}`,
      );
    if (noticed.length > 0) continue;
    if (held[mutant.name] !== undefined) byTest++;
    else survivors.push(mutant.name);
  }
  const share = (mutants.length - survivors.length) / mutants.length;
  console.log(
    `${kernel.name}: ${mutants.length - survivors.length} of ${mutants.length} rules noticed (${(100 * share).toFixed(0)} %), ${byTest} of them by a test alone, on ${recordings.length} recordings`,
  );
  for (const name of survivors) console.log(`  survives: ${name}`);
  if (share < 0.95) failed = true;
  if (values.statements !== undefined)
    await statements(version, recordings, Number(values.statements), Number(values.seed));
}
process.exitCode = failed ? 1 : 0;

/** Whether a recording shows that the rule was put otherwise. */
function notices(input, mutant) {
  try {
    return replayBuddyOn(input, mutant.change).firstDifference !== undefined;
  } catch {
    // A refusal of the changed parts is a difference, too.
    return true;
  }
}
