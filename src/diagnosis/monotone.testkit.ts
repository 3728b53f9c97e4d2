// What a text can lose: cuts at either end, runs of lines dropped, all lines cut at a column. And what an answer may do then: become unknown
// or vanish, never turn round, never appear.
import { gather } from "../artifact/gather.ts";
import { sourceOf } from "../base/byte_source.ts";
import type { Prng } from "../base/prng.ts";
import { prng } from "../base/prng.ts";
import { type IncidentKind, linesOf } from "../kernel/readings/incident.ts";
import { createCollector } from "./collect.ts";
import type { JudgedReport } from "./diagnose.ts";
import { judgeAll } from "./diagnose.ts";
import type { Severity } from "./finding.ts";

/** A text with a part missing; `from[i]` is the number of its line i + 1 in the whole text. */
export interface Cut {
  readonly how: string;
  readonly text: string;
  readonly from: readonly number[];
}

const cutOf = (how: string, lines: readonly string[], keep: (index: number) => boolean): Cut => {
  const from = lines.flatMap((_, i) => (keep(i) ? [i + 1] : []));
  return { how, text: from.map((n) => `${lines[n - 1]}\n`).join(""), from };
};

/** One way to lose a part of the lines. */
export function loseSome(lines: readonly string[], p: Prng): Cut {
  const at = 1 + p.below(Math.max(1, lines.length - 1));
  switch (p.below(4)) {
    case 0:
      return cutOf(`from line ${at + 1}`, lines, (i) => i >= at);
    case 1:
      return cutOf(`up to line ${at}`, lines, (i) => i < at);
    case 2: {
      const run = 1 + p.below(Math.min(40, lines.length));
      return cutOf(`without lines ${at + 1} to ${at + run}`, lines, (i) => i < at || i >= at + run);
    }
    default: {
      const column = 20 + p.below(Math.max(1, Math.max(...lines.map((l) => l.length)) - 20));
      const short = lines.map((l) => l.slice(0, column));
      return { ...cutOf(`at column ${column}`, short, () => true) };
    }
  }
}

/** Every report of a text, each with its answers. */
export async function judgeText(text: string): Promise<readonly JudgedReport[]> {
  const collector = createCollector();
  const items = [{ source: sourceOf("x.log", text), named: true }];
  return judgeAll(collector.finish(await gather(items, { onWindow: collector.onWindow })));
}

/** A stretch of a long log is enough to be cut. */
const stretch = 260;
/** So many cuts are made of one stretch. */
const cutsOfStretch = 20;

/** Cuts a log `cuts` times in seeded ways and lists what is said of the pieces that is not said of the whole. */
export async function faultsUnderLoss(text: string, cuts: number, seed: number): Promise<readonly string[]> {
  const p = prng(seed);
  const all = text.split(/\r?\n/);
  const bad: string[] = [];
  let first = 0;
  let lines: readonly string[] = [];
  let whole: readonly JudgedReport[] = [];
  for (let round = 0; round < cuts; round++) {
    if (round % cutsOfStretch === 0) {
      first = p.below(Math.max(1, all.length - stretch));
      lines = all.slice(first, first + stretch);
      whole = await judgeText(lines.map((l) => `${l}\n`).join(""));
    }
    const cut = loseSome(lines, p);
    for (const report of await judgeText(cut.text))
      bad.push(...newClaims(cut, whole, report).map((b) => `line ${first + 1}: ${b}`));
  }
  return bad;
}

const linesOfReport = (r: JudgedReport): readonly number[] =>
  r.c.incident.carried.flatMap((part) => part.lines.map((l) => l.line));

const headOf = (r: JudgedReport): string | undefined => linesOf(r.c.incident, "headline")[0]?.raw;

/** Findings about the text itself: the less there is of it, the more they say. */
const aboutTheText = /^(missing|judgement)\./;

/** What is left of a report of one kind may be one of another, of which other questions are asked; none of those was answered before. */
const leftOf: readonly { readonly of?: IncidentKind; readonly kind: IncidentKind; readonly asked: RegExp }[] = [
  // A packet's panic is an oops whose first lines name the packet.
  { of: "skb_panic", kind: "oops", asked: /^(oops|taint)\./ },
  // A state of memory that lost its report is asked zone by zone: its lines say what they said before.
  { kind: "mem_info", asked: /^state\.zone\./ },
];

/** What a report of the cut text says that the whole text does not carry; empty when it says less. */
export function newClaims(cut: Cut, whole: readonly JudgedReport[], found: JudgedReport): readonly string[] {
  const own = new Set(linesOfReport(found).map((n) => cut.from[n - 1]));
  const overlap = whole.filter((w) => linesOfReport(w).some((n) => own.has(n)));
  // Of two copies of one report the whole text keeps the fuller one: its first line is the same, to the stamp.
  const head = headOf(found);
  const same = overlap.length > 0 || head === undefined ? overlap : whole.filter((w) => headOf(w) === head);
  const what = `${cut.how}: ${found.c.incident.kind} of line ${cut.from[found.c.incident.firstLine - 1]}`;
  if (same.length === 0) return [`${what} is no report of the whole text`];
  const bad: string[] = [];
  const left = leftOf.find(
    (l) =>
      l.kind === found.c.incident.kind &&
      same.every((w) => (l.of === undefined ? w.c.incident.kind !== l.kind : w.c.incident.kind === l.of)),
  );
  for (const f of found.findings) {
    if (f.answer === "unknown" || aboutTheText.test(f.id)) continue;
    const answers = same.flatMap((w) => w.findings.filter((x) => x.id === f.id).map((x) => x.answer));
    if (answers.length === 0 && left?.asked.test(f.id) === true) continue;
    if (!answers.includes(f.answer))
      bad.push(`${what}: ${f.id} was ${answers.join(" or ") || "not asked"}, is ${f.answer}: ${f.claim.slice(0, 150)}`);
  }
  const keeps = (name: string, of: (r: JudgedReport) => string | number | undefined): void => {
    const now = of(found);
    const before = same.map(of);
    if (now !== undefined && !before.includes(now)) bad.push(`${what}: ${name} was ${before.join(" or ")}, is ${now}`);
  };
  keeps("direction", (r) => r.c.stack.direction);
  keeps("driver", (r) => r.c.stack.driver?.driver.name);
  keeps("order", (r) => r.c.order);
  // Two lines of one refusal may print two masks; the whole text's report has both.
  const masks = same.flatMap((w) => [w.c.gfp?.mask, w.c.slab?.gfp?.mask]);
  const mask = found.c.gfp?.mask;
  if (mask !== undefined && !masks.includes(mask)) bad.push(`${what}: mask was ${masks.join(" or ")}, is ${mask}`);
  keeps("stated release", (r) => (r.c.said.certainty === "stated" ? r.c.said.release : undefined));
  const { severity } = found.conclusion;
  const severities = same.map((w) => w.conclusion.severity);
  // Corruption or none may become "not said"; what was not said never becomes either.
  const corrupted = (s: Severity): boolean | undefined => (s === "unknown" ? undefined : s === "corruption");
  if (severity !== "unknown" && !severities.some((s) => corrupted(s) === corrupted(severity)))
    bad.push(`${what}: severity was ${severities.join(" or ")}, is ${severity}`);
  return bad;
}
