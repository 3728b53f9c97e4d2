// Monotone under loss, for what is not a log: of a /proc file or of counters of which lines or columns are missing less is said, never something
// worse and never that something is not there. LOSS_CUTS=5000 makes a long run of it.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { prng } from "../../base/prng.ts";
import { explain } from "../explain.ts";
import type { StateFinding } from "../finding.ts";
import { loseSome } from "../monotone.testkit.ts";

const fixtures = join(import.meta.dirname, "../../../fixtures");
const text = (path: string): string => readFileSync(join(fixtures, path), "utf8");
const cuts = Number(process.env.LOSS_CUTS ?? 60);
const seed = Number(process.env.LOSS_SEED ?? 20261201);

/** Files that are one machine's at one moment; one of them is cut. */
const machines: readonly (readonly [cut: string, beside: readonly string[]])[] = [
  ["proc/zoneinfo-6.1", ["proc/buddyinfo-6.1", "proc/pagetypeinfo-6.1"]],
  ["proc/buddyinfo-6.1", ["proc/zoneinfo-6.1"]],
  ["proc/buddyinfo-6.1", []],
  ["proc/buddyinfo-2.6.24", []],
  ["proc/pagetypeinfo-6.1", ["proc/zoneinfo-6.1"]],
  ["proc/pagetypeinfo-6.1", []],
  ["proc/pagetypeinfo-5.10", []],
  ["proc/vmstat-6.1", []],
  ["proc/meminfo-6.1", ["proc/slabinfo-6.1"]],
  ["proc/slabinfo-6.1", []],
  ["proc/sockstat-6.1", ["proc/sysctl-6.1"]],
  ["page_pool/ethtool_small_ring.txt", []],
  ["page_pool/ethtool_shared.txt", []],
  ["page_pool/ethtool_healthy.txt", []],
  ["page_pool/ethtool_slow.txt", []],
];

/** Words that say that something is not there, or that all is. */
const absence =
  /\bNo (?:task|atomic request|page was taken)|there is no free block|every page is back|always ahead|\bare 0:|served by cache or ring|at most this much/;

/** A counter with its number, or a heading. */
const isWhole = (line: string): boolean => /^\s*[\w.]+:? +\d+$|^[A-Z][\w ]+:$/.test(line.trimEnd());

const ranks: readonly StateFinding["severity"][] = ["harmless", "watch", "act"];

const findings = async (files: Readonly<Record<string, string>>): Promise<readonly StateFinding[]> =>
  ((await explain(files)).states ?? []).flatMap((s) => s.findings);

test.each(machines)(
  `%s with %j: what is cut says less (${cuts} cuts, seed ${seed})`,
  { timeout: 1_200_000 },
  async (path, beside) => {
    const others = Object.fromEntries(beside.map((p) => [p, text(p)]));
    const lines = text(path).trimEnd().split("\n");
    // Where nothing is left of the file the others are judged alone.
    const whole = [
      ...(await findings({ ...others, [path]: `${lines.join("\n")}\n` })),
      ...(beside.length === 0 ? [] : await findings(others)),
    ];
    const p = prng(seed);
    const bad: string[] = [];
    for (let round = 0; round < cuts; round++) {
      const { how, text: cut } = loseSome(lines, p);
      // A column that takes nothing but the last digits of some numbers leaves lines that look whole: no reader can tell.
      if (how.startsWith("at column") && cut.trimEnd().split("\n").every(isWhole)) continue;
      for (const f of await findings({ ...others, [path]: cut })) {
        const same = whole.filter((w) => w.id === f.id);
        const rank = ranks.indexOf(f.severity);
        if (rank > 0 && !same.some((w) => ranks.indexOf(w.severity) >= rank))
          bad.push(`${how}: ${f.id} is ${f.severity}: ${f.claim.slice(0, 160)}`);
        const said = absence.exec(f.claim)?.[0];
        if (said !== undefined && !same.some((w) => w.claim.includes(said)))
          bad.push(`${how}: "${said}" is new: ${f.claim.slice(0, 160)}`);
      }
    }
    expect(bad).toEqual([]);
  },
);
