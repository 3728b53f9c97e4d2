// Random schedules with a seed, for stories too large to search: finds, never proves.
import { prng } from "../base/prng.ts";
import type { Finding } from "./finding.ts";
import type { Note, Program } from "./program.ts";
import { blocked, nodeOf, op, outOfRange, step } from "./program.ts";
import { atRest, waitCycle } from "./rest.ts";
import { tooBig } from "./search.ts";

export interface RandomResult {
  readonly seed: number;
  readonly runs: number;
  readonly steps: number;
  /** Runs that were cut because they did not come to rest. */
  readonly unfinished: number;
  /** The shortest schedule met for each finding. */
  readonly findings: readonly Finding[];
}

/** Plays `runs` schedules, each choice even among the tasks that can move. */
export function randomRuns(
  p: Program,
  options: { readonly seed: number; readonly runs: number; readonly steps?: number },
): RandomResult {
  const most = options.steps ?? 2000;
  const chance = prng(options.seed);
  const found = new Map<string, Finding>();
  const s = new Int32Array(p.initial.length);
  const next = new Int32Array(p.initial.length);
  let steps = 0;
  let unfinished = 0;
  for (let run = 0; run < options.runs; run++) {
    s.set(p.initial);
    const path: number[] = [];
    const keep = (finding: string, text: string): void => {
      const known = found.get(finding);
      if (known === undefined || known.path.length > path.length)
        found.set(finding, { finding, text, path: [...path] });
    };
    const left: number[] = [];
    for (;;) {
      if (path.length === most) {
        unfinished++;
        break;
      }
      left.length = 0;
      for (let t = 0; t < p.tasks; t++) left.push(t);
      let note = blocked;
      while (left.length > 0 && note === blocked) {
        const task = left.splice(chance.below(left.length), 1)[0] as number;
        next.set(s);
        note = step(p, next, task);
        if (note === outOfRange) throw tooBig(p, task);
        if (note !== blocked) path.push(task);
      }
      if (note === blocked) {
        const rest = atRest(p, s);
        if (rest.finding !== undefined) keep(rest.finding, rest.text);
        break;
      }
      steps++;
      s.set(next);
      const { remarks, ends } = p.notes[note] as Note;
      for (const r of remarks) keep(r.finding, r.text);
      if (ends) break;
      if (!found.has("deadlock"))
        for (let t = 0; t < p.tasks; t++)
          if (p.op[nodeOf(p, s, t)] === op.lock) {
            const cycle = waitCycle(p, s, t);
            if (cycle !== undefined) keep("deadlock", cycle);
          }
    }
  }
  return { seed: options.seed, runs: options.runs, steps, unfinished, findings: [...found.values()] };
}
