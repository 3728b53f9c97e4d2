// sk_buff alloc, replace and clone beside a C twin with the same rules, rows and heap: same checksum, interleaved, medians of 7 rounds.
// CPU time on both sides, so that a busy machine matters less.
// Also shown: how many garbage collections fell into the measured loops.
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const here = import.meta.dirname;
const build = mkdtempSync(join(tmpdir(), "skblab-skb-"));
const twin = join(build, "twin");
execFileSync("cc", ["-O2", "-o", twin, join(here, "twin.c")]);

const rounds = Number(process.argv[2] ?? 7);
const cases = [
  ["alloc", 3_000_000, "alloc + put + free, one at a time"],
  ["4096", 3_000_000, "replace at random, 4096 live"],
  ["32768", 2_000_000, "replace at random, 32768 live"],
  ["clone", 3_000_000, "clone + free"],
];
const median = (values) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];

try {
  process.stdout.write(
    `${"work".padEnd(36)} ${"C ns".padStart(8)} ${"JS ns".padStart(8)} ${"JS/C".padStart(6)}  GCs  checksum\n`,
  );
  for (const [what, ops, title] of cases) {
    const c = [];
    const js = [];
    const ratios = [];
    let collections = 0;
    let checksum = "";
    for (let round = 0; round < rounds; round++) {
      const [cNanos, cSum] = execFileSync(twin, [what, String(ops)])
        .toString()
        .trim()
        .split(" ");
      const out = execFileSync(process.execPath, [
        "--expose-gc",
        join(here, "worker.mjs"),
        what,
        String(ops),
      ]).toString();
      const [, jsNanos, jsSum, inLoop] = /result (\S+) (\S+) (\d+)/.exec(out);
      collections += Number(inLoop);
      if (jsSum !== cSum) throw new Error(`${title}: checksums differ, C ${cSum}, JS ${jsSum}`);
      checksum = cSum;
      c.push(Number(cNanos));
      js.push(Number(jsNanos));
      ratios.push(Number(jsNanos) / Number(cNanos));
    }
    process.stdout.write(
      `${title.padEnd(36)} ${median(c).toFixed(1).padStart(8)} ${median(js).toFixed(1).padStart(8)} ${median(ratios).toFixed(2).padStart(6)}  ${String(collections).padStart(3)}  ${checksum}\n`,
    );
  }
} finally {
  rmSync(build, { recursive: true });
}
