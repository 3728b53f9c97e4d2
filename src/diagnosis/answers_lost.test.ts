// What an answer loses when one line or one number of a text is lost: every line and every number of a few reports and files, one after the other.
// Kept as what differs from the answer to the whole text, "-" what it says no more and "+" what it says instead.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { answerLines } from "./answers.testkit.ts";
import { type Files, keptAnswers, shortLines, type Texts } from "./answers_kept.testkit.ts";
import { diagnoseTexts } from "./field.testkit.ts";
import type { Diagnosis } from "./finding.ts";
import { killed } from "./rules/killed.testkit.ts";
import { allocFailure, copiedBy, refilling, slubLines } from "./rules/report.testkit.ts";
import { buddyinfo, pagetypeinfo, zoneinfo } from "./state/zone_files.testkit.ts";

const read = (path: string): string => readFileSync(join(import.meta.dirname, "../../fixtures", path), "utf8");

/** A number with its name, as the kernel prints it: `free:12kB`, `order:1`, `min 3`, `12 pages RAM`. */
const number =
  /(?<![\w.])(?:[a-z_]+(?:\([a-z]+\))?:(?:0x)?\d[\da-f]*(?:kB|KB)?|[a-z_]+ +\d+$|\d+ (?=[a-z]+ )|[\w ]+=\d+kB)/g;

/** The texts with one line or one number less, of the file whose parts are lost. */
function without(files: Files, cut: string): Texts {
  const lines = (files[cut] ?? "").split("\n").filter((l) => l !== "");
  const out: Record<string, Files> = {};
  const put = (name: string, text: readonly string[]): void => {
    out[Object.hasOwn(out, name) ? `${name}, again` : name] = { ...files, [cut]: `${text.join("\n")}\n` };
  };
  lines.forEach((line, i) => {
    put(`line ${i + 1}`, lines.toSpliced(i, 1));
    const numbers = [...line.matchAll(number)];
    if (numbers.length > 1)
      numbers.forEach((m, k) => {
        put(
          `line ${i + 1}, number ${k + 1}: ${m[0].trim()}`,
          lines.with(i, line.slice(0, m.index) + line.slice(m.index + m[0].length)),
        );
      });
  });
  return out;
}

const log = "kern.log";
const highMemory = killed({
  mask: "0xcc0(GFP_KERNEL)",
  zones: [
    { blocks: [20], managed: 40_000, reserve: [0, 900] },
    { name: "HighMem", blocks: [200_000], managed: 900_000 },
  ],
  constraint: "CONSTRAINT_NONE",
  tasks: { server: 500 },
  more: { totals: { slab_unreclaimable: 9000 } },
});
const cached = allocFailure({
  order: 1,
  mask: "0x40a20(GFP_ATOMIC|__GFP_COMP)",
  frames: copiedBy("pskb_expand_head", "skb_checksum_help"),
});
const proc = {
  "proc/zoneinfo": zoneinfo(38),
  "proc/buddyinfo": buddyinfo([38]),
  "proc/pagetypeinfo": pagetypeinfo([
    ["Unmovable", 30],
    ["Movable", 8],
  ]),
};
const rooms: readonly (readonly [room: string, files: Files, cut: string])[] = [
  ["lost of a killer", highMemory, log],
  ["lost of a refill", { [log]: allocFailure({ frames: refilling }) }, log],
  ["lost of a copy", { [log]: cached }, log],
  [
    "lost of a slab",
    {
      [log]: `${slubLines("skbuff_head_cache", 300_000).join("\n")}\n`,
      "proc/meminfo": "MemTotal:  8000000 kB\nMemFree:  1000 kB\n",
    },
    log,
  ],
  ["lost of an overrun", { [log]: read("field/b_over_jumbo_ok.txt") }, log],
  ["lost of bad pages", { [log]: read("logs/bad_pages_6.1.txt").split("\n").slice(0, 60).join("\n") }, log],
  ...Object.keys(proc).map((cut) => [`lost of ${cut.slice(5)}`, proc, cut] as const),
  ["lost of counters", { "page_pool.txt": read("page_pool/ethtool_small_ring.txt") }, "page_pool.txt"],
];

/** Lines below a lost one move up: of the quoted lines only their number is kept. */
const withoutPlaces = (line: string): string =>
  line.replace(/ @((?: \d+)*)/, (_, at: string) => ` @${at.split(" ").length - 1}`);

/** What of an answer is not in the whole text's, and the other way round. */
const differing =
  (whole: Diagnosis, linesOf: (d: Diagnosis) => readonly string[]) =>
  (d: Diagnosis): readonly string[] => {
    const [before, after] = [whole, d].map((of) => linesOf(of).map(withoutPlaces));
    if (before === undefined || after === undefined) return [];
    return [
      ...before.filter((l) => !after.includes(l)).map((l) => `- ${l.trim()}`),
      ...after.filter((l) => !before.includes(l)).map((l) => `+ ${l.trim()}`),
    ];
  };

for (const [room, files, cut] of rooms)
  keptAnswers(
    { [room]: without(files, cut) },
    differing(await diagnoseTexts(files), cut === log ? shortLines : answerLines),
  );
