// Where nobody can move: is it a fine end, a deadlock, or a wake-up that never came? And who waits for whom, in words.
import { effectText } from "../model/sync/effect.ts";
import type { Field, Program } from "./program.ts";
import { compareCode, fieldOf, nodeOf, op, standsStill } from "./program.ts";

export interface Rest {
  /** undefined: everything came to a fine end. */
  readonly finding: string | undefined;
  readonly text: string;
}

const nameOf = (p: Program, task: number): string => p.story.tasks[task]?.name ?? `task ${task}`;

function stopper(p: Program, s: Int32Array, task: number): number {
  for (let i = p.stopFrom[task] as number; i < (p.stopFrom[task + 1] as number); i++)
    if (p.active[nodeOf(p, s, p.stoppers[i] as number)] === 1) return p.stoppers[i] as number;
  return -1;
}

/** What keeps a task, and the task that could help, or -1. */
function waitsFor(p: Program, s: Int32Array, task: number): { readonly text: string; readonly on: number } | undefined {
  const node = nodeOf(p, s, task);
  if (p.op[node] === op.done) return undefined;
  if (standsStill(p, s, task)) {
    const on = stopper(p, s, task);
    return { text: `${nameOf(p, task)} is interrupted by ${nameOf(p, on)}`, on };
  }
  const e = p.effects[node];
  if (e === undefined) return undefined;
  if (e.does === "lock") {
    const owner = ((s[p.word[node] as number] as number) >>> (p.shift[node] as number)) & 15;
    if (owner === 0) return undefined;
    const held = owner - 1 === task ? "that it holds itself" : `that ${nameOf(p, owner - 1)} holds`;
    return { text: `${nameOf(p, task)} waits for ${e.on.name}, ${held}`, on: owner - 1 };
  }
  if (e.does === "wait" && p.idle[node] === 0)
    return {
      text: `${nameOf(p, task)} waits until ${effectText(e).slice("wait ".length)}, and nobody is left to do it`,
      on: -1,
    };
  return undefined;
}

/** Whether a task that waits for a lock waits, over others, for itself or for a cycle: {@link waitCycle} without the words. */
export function hangs(p: Program, s: Int32Array, task: number): boolean {
  let t = task;
  for (let n = 0; n <= p.tasks; n++) {
    const node = nodeOf(p, s, t);
    let on = stopper(p, s, t);
    if (on < 0) {
      if (p.op[node] !== op.lock) return false;
      on = (((s[p.word[node] as number] as number) >>> (p.shift[node] as number)) & 15) - 1;
      if (on < 0) return false;
    }
    if (on === task) return true;
    t = on;
  }
  return true;
}

/** The cycle of tasks that wait for each other, starting at a task that waits for a lock; undefined when there is none. */
export function waitCycle(p: Program, s: Int32Array, task: number): string | undefined {
  const texts: string[] = [];
  const seen: number[] = [];
  for (let t = task; ; ) {
    const back = seen.indexOf(t);
    if (back >= 0) return texts.slice(back).join("; ");
    const w = waitsFor(p, s, t);
    if (w === undefined || w.on < 0) return undefined;
    seen.push(t);
    texts.push(w.text);
    t = w.on;
  }
}

/** What it means that nobody can move in this state. */
export function atRest(p: Program, s: Int32Array): Rest {
  const waits = p.story.tasks.map((_, t) => waitsFor(p, s, t));
  for (let t = 0; t < waits.length; t++) {
    const cycle = waits[t] === undefined ? undefined : waitCycle(p, s, t);
    if (cycle !== undefined) return { finding: "deadlock", text: cycle };
  }
  const stuck = waits.filter((w) => w !== undefined);
  const onLock = stuck.find((w) => w.on >= 0);
  if (onLock !== undefined)
    return {
      finding: "deadlock",
      text: `${onLock.text}, and it never lets go: ${stuck.map((w) => w.text).join("; ")}`,
    };
  if (stuck.length > 0) return { finding: "lostWakeup", text: stuck.map((w) => w.text).join("; ") };
  for (const rule of p.story.ends) {
    const holds = rule.when.every(({ on, compare, value }) => {
      const x = fieldOf(s, p.fields.get(on.name) as Field);
      const c = compareCode[compare];
      return c === 0 ? x === value : c === 1 ? x !== value : c === 2 ? x < value : x >= value;
    });
    if (holds) return { finding: rule.finding, text: rule.text };
  }
  return { finding: undefined, text: "everything came to its end" };
}
