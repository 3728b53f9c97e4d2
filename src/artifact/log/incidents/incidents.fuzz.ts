// Damaged logs: whatever a mailer, a terminal or chance did to a report, reading it never crashes, owns no line twice, and costs in
// proportion to its length.

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { Prng } from "../../../base/prng.ts";
import { prng } from "../../../base/prng.ts";
import { sized } from "../../../base/size.testkit.ts";
import type { Incident } from "../../../kernel/readings/incident.ts";
import type { LogLine } from "../../../kernel/readings/log_line.ts";
import { repairText } from "../lines.ts";
import { inferRelease } from "./infer_release.ts";
import { plainLines } from "./plain_lines.ts";
import { readIncidents } from "./read_incidents.ts";

const fixtures = join(import.meta.dirname, "../../../../fixtures/logs");
const texts = readdirSync(fixtures).map((f) => readFileSync(join(fixtures, f), "utf8"));

type Mutation = (rows: string[], p: Prng) => string[];
const at = (rows: readonly string[], p: Prng): number => p.below(Math.max(1, rows.length));

const mutations: readonly Mutation[] = [
  (rows, p) => rows.filter(() => !p.chance(0.05)),
  (rows, p) => rows.toSpliced(at(rows, p), 0, rows[at(rows, p)] ?? ""),
  (rows, p) => {
    const i = at(rows, p);
    return rows.toSpliced(i, 2, rows[i + 1] ?? "", rows[i] ?? "");
  },
  (rows) => rows.map((r) => r.slice(0, 80)),
  (rows, p) => rows.slice(p.below(rows.length), rows.length),
  (rows, p) => rows.slice(0, p.below(rows.length)),
  (rows, p) => rows.map((r) => (p.chance(0.1) ? r.slice(0, p.below(r.length + 1)) : r)),
  (rows, p) => rows.map((r) => (p.chance(0.1) ? r.replace(/\d/, () => String.fromCharCode(33 + p.below(90))) : r)),
  (rows, p) => rows.map((r) => (p.chance(0.05) ? `${r} ${rows[at(rows, p)] ?? ""}` : r)),
  (rows, p) => rows.map((r) => (p.chance(0.2) ? `> ${r}` : r)),
  (rows, p) => rows.map((r) => (p.chance(0.05) ? r.replace(/x/g, "\u00d7") : r)),
  (rows, p) => rows.map((r) => (p.chance(0.02) ? `\u0000\u001b[2J\ufffd<script>${r}` : r)),
  (rows, p) => rows.flatMap((r) => (p.chance(0.05) ? [r.slice(0, 30), r.slice(30)] : [r])),
  (rows, p) => rows.map((r) => (p.chance(0.02) ? r.repeat(1 + p.below(40)) : r)),
  (rows, p) => rows.map((r) => (p.chance(0.02) ? r.replace(/\d+/, "9".repeat(1 + p.below(400))) : r)),
];

function check(lines: readonly LogLine[], incidents: readonly Incident[]): void {
  const owner = new Map<LogLine, Incident>();
  for (const incident of incidents) {
    expect(incident.firstLine).toBeLessThanOrEqual(incident.lastLine);
    for (const line of incident.carried.flatMap((c) => c.lines)) {
      expect(owner.get(line) ?? incident).toBe(incident);
      owner.set(line, incident);
    }
  }
  expect(owner.size).toBeLessThanOrEqual(lines.length);
}

const seeds = sized(40, 120);

test(`mutated logs (seeds 1 to ${seeds}): no crash, no line owned twice, every number a number`, () => {
  for (let seed = 1; seed <= seeds; seed++) {
    const p = prng(seed);
    let rows = p.pick(texts).split("\n");
    for (let n = 1 + p.below(4); n > 0; n--) rows = p.pick(mutations)(rows, p);
    const text = rows.join("\n");
    for (const lines of [plainLines(text), repairText(text)]) {
      let incidents: readonly Incident[] = [];
      expect(() => {
        incidents = readIncidents(lines).incidents;
        inferRelease(incidents);
      }, `seed ${seed}`).not.toThrow();
      check(lines, incidents);
      expect(JSON.stringify(incidents.map((i) => i.reading)), `seed ${seed}`).not.toMatch(/:null/);
    }
  }
});

/** How often a reader looks at a line. */
function looks(rows: readonly string[]): number {
  let count = 0;
  const lines = new Proxy(plainLines(rows.join("\n")), {
    get(target, key, receiver) {
      if (typeof key === "string" && /^\d+$/.test(key)) count++;
      return Reflect.get(target, key, receiver) as unknown;
    },
  });
  readIncidents(lines);
  return count;
}

test("twice the log is twice the work, for every shape of hostile log", () => {
  const failure = texts.map((t) => t.split("\n").map((r) => r.replace(/^\[[^\]]*\] /, "")));
  const shapes: readonly (readonly string[])[] = [
    ["x: page allocation failure: order:1, mode:0x20"],
    ["Mem-Info:"],
    ["DMA free:1kB min:2kB"],
    ["x: page allocation failure: order:1, mode:0x20", "Mem-Info:", "noise"],
    ["BUG: Bad page state in process a  pfn:00001", "noise", "noise"],
    ["kernel BUG at a.c:1!", " fn+0x1/0x2"],
    ["SLUB: Unable to allocate memory on node -1 (gfp=0x20)"],
    [
      "a invoked oom-killer: gfp_mask=0x20, order=0, oom_score_adj=0",
      "[ pid ]   uid  tgid total_vm      rss nr_ptes swapents oom_score_adj name",
    ],
    ["------------[ cut here ]------------"],
    ["skbuff: skb_over_panic: text:1 len:1 put:1 head:1 data:1 tail:1 end:1 dev:x"],
    [" fn+0x1/0x2"],
    ...failure,
  ];
  for (const shape of shapes) {
    const repeated = (times: number): string[] => Array.from({ length: times }, () => shape).flat();
    const times = Math.ceil(2000 / shape.length);
    const once = looks(repeated(times));
    expect(looks(repeated(2 * times)), shape[0]).toBeLessThan(2.2 * once + 200);
    // And not many times the length: each line is looked at by a few readers at most.
    expect(once, shape[0]).toBeLessThan(80 * repeated(times).length);
  }
});

test("one long line of anything is read like any other", () => {
  const heads = [
    "CPU: 0 PID: 1 Comm: ",
    "page:",
    "flags: 0x1(",
    "oom-kill:a=b",
    "Killed process 1 (",
    "Node 0 DMA free:1kB ",
    "BUG ",
    "[<",
    " fn+0x1/0x2 [",
    "x: page allocation failure: order:1, mode:0x1(",
    "Call Trace:",
    "RIP: 0010:",
    "1 pages a",
  ];
  const fillers = [" ", "a", "(", "0", ",", "kB ", "[<0>] ", "a:1 ", "<IRQ> ", ", nodemask=("];
  for (const head of heads) {
    for (const filler of fillers) {
      const long = `${head}${filler.repeat(Math.ceil(60_000 / filler.length))}!`;
      const lines = plainLines(
        [
          "x: page allocation failure: order:1, mode:0x20",
          "Mem-Info:",
          long,
          "BUG: Bad page state in process a  pfn:00001",
          long,
          "kernel BUG at a.c:1!",
          long,
        ].join("\n"),
      );
      expect(readIncidents(lines).incidents.length).toBeGreaterThanOrEqual(3);
    }
  }
});
