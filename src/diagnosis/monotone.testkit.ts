// What a text can lose: cuts at either end, runs of lines dropped, all lines cut at a column. And what an answer may do then: become unknown
// or vanish, never turn round, never appear.
import { gather } from "../artifact/gather.ts";
import { sourceOf } from "../base/byte_source.ts";
import type { Prng } from "../base/prng.ts";
import { createCollector } from "./collect.ts";
import type { JudgedReport } from "./diagnose.ts";
import { judgeAll } from "./diagnose.ts";

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

const linesOfReport = (r: JudgedReport): readonly number[] =>
  r.c.incident.carried.flatMap((part) => part.lines.map((l) => l.line));

/** Findings about the text itself: the less there is of it, the more they say. */
const aboutTheText = /^(missing|judgement)\.|^state\./;

/** What a report of the cut text says that the whole text does not carry; empty when it says less. */
export function newClaims(cut: Cut, whole: readonly JudgedReport[], found: JudgedReport): readonly string[] {
  const own = new Set(linesOfReport(found).map((n) => cut.from[n - 1]));
  const same = whole.filter((w) => linesOfReport(w).some((n) => own.has(n)));
  const what = `${cut.how}: ${found.c.incident.kind} of line ${cut.from[found.c.incident.firstLine - 1]}`;
  if (same.length === 0) return [`${what} is no report of the whole text`];
  const bad: string[] = [];
  for (const f of found.findings) {
    if (f.answer === "unknown" || aboutTheText.test(f.id)) continue;
    const answers = same.flatMap((w) => w.findings.filter((x) => x.id === f.id).map((x) => x.answer));
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
  keeps("mask", (r) => r.c.gfp?.mask);
  keeps("stated release", (r) => (r.c.said.certainty === "stated" ? r.c.said.release : undefined));
  // What proved a corruption may be lost; none may appear.
  if (found.conclusion.severity === "corruption" && !same.some((w) => w.conclusion.severity === "corruption"))
    bad.push(`${what}: severity is corruption`);
  return bad;
}
