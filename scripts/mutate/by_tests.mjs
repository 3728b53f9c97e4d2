// Shows that tests hold what rules and facts say: changes one comparison, bound, condition, number, name or pattern of a file, runs the tests that
// import it, and asks whether one fails.
//   npm run mutate:tests                                       60 changes of src/diagnosis and 60 of src/kernel/facts
//   npm run mutate:tests -- src/diagnosis/rules/ --most 200    of one room
//   npm run mutate:tests -- --file src/diagnosis/advice.ts     every change of one file
//   npm run mutate:tests -- --seed 7 --list                    which changes would be made
// A copy of the compiled source is changed, one line a time; its tests run in one process on as much of vitest as they use (small_vitest.mjs). A test
// counts when it imports the file, however far, and stands in a room of `rooms`. What no test of the first rooms notices is tried on those of the
// second: facts are there for the model, whose tests are slower. Tests of the page, of commands and of proofs would only notice more, and slower.
// Exits 1 when less than 85 % of a room's changes are noticed.
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative, resolve } from "node:path";
import { parseArgs } from "node:util";
import { layOut } from "./lay_out.mjs";
import { changesOf, thin } from "./source_edits.mjs";

const root = resolve(import.meta.dirname, "../..");
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    most: { type: "string", default: "60" },
    seed: { type: "string", default: "1" },
    file: { type: "string" },
    list: { type: "boolean", default: false },
  },
});
const asked =
  values.file !== undefined
    ? [values.file]
    : positionals.length > 0
      ? positionals
      : ["src/diagnosis/", "src/kernel/facts/"];
/**
 * In the first round tests that run in seconds and look at what rules and facts say, in the second those of what is built on facts. What takes more
 * than this share of a round's time would be waited for at every survivor, and is left out.
 */
const rounds = [
  {
    rooms: ["src/diagnosis/", "src/kernel/", "src/artifact/", "src/report/diagnosis", "src/fleet/", "src/live/"],
    share: 1 / 2,
  },
  { rooms: ["src/model/", "src/observe/", "src/lab/", "src/library/", "src/verify/"], share: 1 / 4 },
];

const work = mkdtempSync(join(tmpdir(), "skblab-mutate-"));
process.on("exit", () => rmSync(work, { recursive: true, force: true }));
layOut(work);

const files = readdirSync(join(work, "src"), { recursive: true }).map((f) => `src/${f.replaceAll("\\", "/")}`);
const compiled = files.filter((f) => f.endsWith(".js"));
const texts = new Map(compiled.map((f) => [f, readFileSync(join(work, f), "utf8")]));
/** Who imports a file. */
const importers = new Map();
for (const f of compiled)
  for (const m of texts.get(f).matchAll(/from "(\.[^"]+)"|import\("(\.[^"]+)"\)/g)) {
    const to = relative(work, resolve(work, dirname(f), m[1] ?? m[2]));
    importers.set(to, [...(importers.get(to) ?? []), f]);
  }

const run = (args, timeout) =>
  spawnSync(process.execPath, ["run_files.mjs", ...args], { cwd: work, encoding: "utf8", timeout });

/** Tests that pass here with nothing changed, with their milliseconds; asked for once each. */
const passing = new Map();
/** How many changes a test was the first to notice: it is asked earlier the next time. */
const noticed = new Map();

function passes(tests, share) {
  const fresh = tests.filter((t) => !passing.has(t));
  if (fresh.length > 0) {
    const { stdout } = run(["--each", ...fresh], 3_600_000);
    const told = new Map(
      stdout
        .split("\n")
        .filter((line) => line.startsWith('{"path"'))
        .map((line) => JSON.parse(line))
        .map((t) => [t.path, t]),
    );
    const all = [...told.values()].reduce((sum, { millis }) => sum + millis, 0);
    for (const t of fresh) {
      const { failed, millis } = told.get(t) ?? { failed: "no answer" };
      const why =
        failed?.slice(0, 160) ??
        (fresh.length > 20 && millis > all * share ? `it takes ${millis} of ${all} ms` : undefined);
      if (why !== undefined) console.error(`not used: ${t}: ${why}`);
      passing.set(t, why === undefined ? millis : undefined);
    }
  }
  return tests.filter((t) => passing.get(t) !== undefined);
}

/** Tests of some rooms that reach a file: its own first, then by how many imports lie between, how long they take and what they have noticed. */
function testsOf(file, { rooms, share }) {
  const far = new Map([[file, 0]]);
  const queue = [file];
  for (const f of queue)
    for (const by of importers.get(f) ?? [])
      if (!far.has(by)) {
        far.set(by, far.get(f) + 1);
        queue.push(by);
      }
  const tests = queue.filter((f) => f.endsWith(".test.js") && rooms.some((r) => f.startsWith(r)));
  const cost = (f) =>
    f === file.replace(/\.js$/, ".test.js") ? 0 : (far.get(f) * 500 + passing.get(f)) / (1 + (noticed.get(f) ?? 0));
  return passes(tests, share).sort((a, b) => cost(a) - cost(b));
}

/** The first words of the test that notices a change; undefined when none does. */
function noticedBy(change) {
  const path = join(work, change.file);
  for (const round of rounds) {
    const tests = testsOf(change.file, round);
    if (tests.length === 0) continue;
    writeFileSync(path, change.text);
    const { status, stdout } = run(tests, 180_000);
    writeFileSync(path, texts.get(change.file));
    if (status === 0) continue;
    const by = /^\S+\.test\.js/.exec(stdout ?? "")?.[0];
    if (by !== undefined) noticed.set(by, (noticed.get(by) ?? 0) + 1);
    return stdout?.trim().slice(0, 100) || "it does not load, or does not end";
  }
  return undefined;
}

/** Where the changed line stands in the source that people read. */
function sourceLine({ file, line, whole }) {
  const source = readFileSync(join(root, file.replace(/\.js$/, ".ts")), "utf8").split("\n");
  const at = source.findIndex((text, i) => i + 1 >= line && text.trim() === whole.trim());
  return `${file.replace(/\.js$/, ".ts")}${at < 0 ? "" : `:${at + 1}`}`;
}

let low = false;
for (const room of asked) {
  const inRoom = (f) => (room.endsWith(".ts") ? f === room.replace(/\.ts$/, ".js") : f.startsWith(room));
  const all = compiled
    .filter((f) => inRoom(f) && !/\.(?:test|testkit|fuzz)\.js$/.test(f))
    .flatMap((file) => changesOf(file, texts.get(file)));
  const chosen = values.file === undefined ? thin(all, Number(values.most), Number(values.seed)) : all;
  const survivors = [];
  for (const change of chosen) {
    if (values.list) {
      console.log(`${sourceLine(change)} ${change.was} → ${change.now}`);
      continue;
    }
    const by = noticedBy(change);
    console.error(
      `${by === undefined ? "SURVIVES" : "noticed "} ${sourceLine(change)} ${change.was} → ${change.now}${by === undefined ? "" : ` | ${by}`}`,
    );
    if (by === undefined) survivors.push(change);
  }
  if (values.list) continue;
  const share = (chosen.length - survivors.length) / Math.max(chosen.length, 1);
  console.log(
    `${room}: ${chosen.length - survivors.length} of ${chosen.length} changes noticed (${(100 * share).toFixed(0)} %), of ${all.length}, seed ${values.seed}`,
  );
  for (const change of survivors) console.log(`  survives: ${sourceLine(change)} ${change.was} → ${change.now}`);
  if (share < 0.85) low = true;
}
process.exitCode = low ? 1 : 0;
