// Single statements of the parts that a kernel picks, changed in the built JavaScript: a comparison turned, a sum a difference, a store left out.
// A copy of the build is changed, one statement a time, and the recordings are replayed on it in a process of their own.
import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const dist = join(import.meta.dirname, "../../dist");
const mm = "model/mm";
const common = ["free_area", "fallback/fallback", "zone_watermark", "rights"];
const partsOf = {
  "5.10.223": ["pcp/order_zero", "fallback/steal", "account/by_batch", "highatomic/at_least_one"],
  "6.1.192": ["pcp/free_factor", "fallback/steal", "account/by_batch", "highatomic/at_least_one"],
  "6.12.117": ["pcp/tuned", "fallback/claim", "account/by_block", "highatomic/one_percent"],
  "7.2.12": ["pcp/tuned", "fallback/claim", "account/by_block", "highatomic/one_percent"],
};
const edits = [
  [/ < /g, " <= "],
  [/ <= /g, " < "],
  [/ > /g, " >= "],
  [/ >= /g, " > "],
  [/ === /g, " !== "],
  [/ !== /g, " === "],
  [/ && /g, " || "],
  [/ \|\| /g, " && "],
  [/ \+ /g, " - "],
  [/ - /g, " + "],
  [/ << /g, " >> "],
  [/ >> 1\b/g, " >> 2"],
  [/Math\.max/g, "Math.min"],
  [/Math\.min/g, "Math.max"],
];
/** Lines that hold no rule: declarations of columns, messages, assertions, what no recording runs. */
const noRule =
  /^\s*(\/\/|\/?\*|import |export |const [A-Z_]+ = (record|word|zoneField|pcpField|Math\.log2)|.*(badPage|journal\.heard|throw |assert))/;

/** Every change of one kernel's parts: [file, line, new text]. */
function* changes(version) {
  for (const name of [...partsOf[version], ...common]) {
    const file = `${mm}/${name}.js`;
    const lines = readFileSync(join(dist, file), "utf8").split("\n");
    for (const [at, line] of lines.entries()) {
      if (noRule.test(line)) continue;
      for (const [from, to] of edits)
        for (const match of line.matchAll(from))
          yield {
            file,
            at,
            text: line.slice(0, match.index) + to + line.slice(match.index + match[0].length),
            was: line.trim(),
          };
      if (/^\s+[\w.[\]| +<*()-]+(\]|\)) = .*;$|^\s+\w+\(.*\);$/.test(line))
        yield { file, at, text: "", was: line.trim() };
    }
  }
}

/** Changes `most` statements of a kernel's parts and says which no recording notices. */
export async function statements(version, recordings, most, seed) {
  const work = mkdtempSync(join(tmpdir(), "skblab-mutate-"));
  for (const room of ["base", "kernel", "model", "artifact", "verify"])
    cpSync(join(dist, room), join(work, room), { recursive: true });
  writeFileSync(join(work, "package.json"), '{"type":"module"}');
  writeFileSync(join(work, "recordings.json"), JSON.stringify(recordings));
  writeFileSync(
    join(work, "replay.js"),
    'import { readFileSync } from "node:fs"; import { buddyReplayer } from "./verify/buddy.js";\n' +
      'for (const r of JSON.parse(readFileSync(new URL("recordings.json", import.meta.url)))) { let d = true; try { d = buddyReplayer.replay(r).firstDifference !== undefined; } catch {} if (d) process.exit(3); }\n',
  );
  const all = [...changes(version)];
  let state = seed >>> 0 || 1;
  const chosen = [];
  while (chosen.length < Math.min(most, all.length)) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    const [one] = all.splice(state % all.length, 1);
    chosen.push(one);
  }
  const survivors = [];
  for (const change of chosen) {
    const path = join(work, change.file);
    const text = readFileSync(path, "utf8");
    writeFileSync(path, text.split("\n").with(change.at, change.text).join("\n"));
    const { status } = spawnSync(process.execPath, [join(work, "replay.js")], { timeout: 120_000 });
    writeFileSync(path, text);
    if (status === 0) survivors.push(change);
  }
  rmSync(work, { recursive: true });
  console.log(
    `  statements: ${chosen.length - survivors.length} of ${chosen.length} noticed (of ${chosen.length + all.length}, seed ${seed})`,
  );
  for (const { file, at, was, text } of survivors)
    console.log(`    survives: ${file}:${at + 1} ${was} → ${text.trim() || "left out"}`);
}
