// A schedule as a short string, one character a step, and what happens when it is played: step by step, with the state after each.
import { BadInput } from "../base/bad_input.ts";
import { effectText } from "../model/sync/effect.ts";
import type { Field, Note, Program } from "./program.ts";
import { at, blocked, fieldOf, nodeOf, op, outOfRange, step, stride, taskStride } from "./program.ts";
import { atRest, waitCycle } from "./rest.ts";
import { tooBig } from "./search.ts";

const digits = "0123456789abcde";

/** The tasks that move, as one character each: 0 is the first task of the story. */
export const scheduleText = (path: readonly number[]): string => path.map((t) => digits[t]).join("");

/** Reads a schedule; the characters must name tasks of the story. */
export function readSchedule(text: string, p: Program): number[] {
  return [...text].map((c, i) => {
    const task = digits.indexOf(c);
    if (task < 0 || task >= p.tasks)
      throw new BadInput(
        `Schedule ${text}: step ${i + 1} is "${c}", but the tasks of this story are 0 to ${digits[p.tasks - 1]}.`,
        undefined,
        `Tasks: ${p.story.tasks.map((t, n) => `${digits[n]} ${t.name}`).join(", ")}.`,
      );
    return task;
  });
}

/** One step as it was played. */
export interface PlayedStep {
  readonly task: number;
  /** False: the task had to wait, nothing happened. */
  readonly moved: boolean;
  /** The announced effects of the step, in order. */
  readonly does: string;
  readonly at: string;
  readonly remarks: readonly { readonly finding: string; readonly text: string }[];
  /** What the step changed, `name: before → after`. */
  readonly changes: readonly string[];
  /** The shared state after it, name → text. */
  readonly state: readonly (readonly [name: string, value: string])[];
}

export interface Replay {
  readonly tasks: readonly string[];
  readonly steps: readonly PlayedStep[];
  /** Everything found on the way or at the end, in order, once each. */
  readonly findings: readonly { readonly finding: string; readonly text: string }[];
  /** How it stands at the end. */
  readonly end: string;
  /** True when nobody can move any more. */
  readonly atRest: boolean;
}

/** Plays a schedule from the start. A step of a task that has to wait is shown as waiting and changes nothing. */
export function replay(p: Program, schedule: readonly number[]): Replay {
  const s = Int32Array.from(p.initial);
  const steps: PlayedStep[] = [];
  const found = new Map<string, string>();
  let over = false;
  for (const task of schedule) {
    if (over) break;
    const before = Int32Array.from(s);
    const node = nodeOf(p, s, task);
    const trace = effectsOf(p, s, task);
    const note = step(p, s, task);
    if (note === outOfRange) throw tooBig(p, task);
    const { remarks, ends } = note > 0 ? (p.notes[note] as Note) : { remarks: [], ends: false };
    for (const r of remarks) if (!found.has(r.finding)) found.set(r.finding, r.text);
    if (note === blocked) s.set(before);
    steps.push({
      task,
      moved: note !== blocked,
      does: note === blocked ? `waits: ${waiting(p, node)}` : trace.does,
      at: trace.at,
      remarks,
      changes: changesOf(p, before, s),
      state: stateOf(p, s),
    });
    over = ends;
  }
  const rest = restOf(p, s, over, found);
  return {
    tasks: p.story.tasks.map((t) => t.name),
    steps,
    findings: [...found].map(([finding, text]) => ({ finding, text })),
    ...rest,
  };
}

function restOf(
  p: Program,
  s: Int32Array,
  over: boolean,
  found: Map<string, string>,
): { end: string; atRest: boolean } {
  if (over) return { end: "the schedule ends at a failure", atRest: false };
  const probe = new Int32Array(s.length);
  const able: string[] = [];
  for (let t = 0; t < p.tasks; t++) {
    probe.set(s);
    if (step(p, probe, t) !== blocked) able.push(p.story.tasks[t]?.name ?? "");
    else if (p.op[nodeOf(p, s, t)] === op.lock) {
      const cycle = waitCycle(p, s, t);
      if (cycle !== undefined && !found.has("deadlock")) found.set("deadlock", cycle);
    }
  }
  if (found.has("deadlock")) return { end: `deadlock: ${found.get("deadlock")}`, atRest: able.length === 0 };
  if (able.length > 0) return { end: `it could go on with ${able.join(", ")}`, atRest: false };
  const rest = atRest(p, s);
  if (rest.finding !== undefined && !found.has(rest.finding)) found.set(rest.finding, rest.text);
  return { end: rest.text, atRest: true };
}

function waiting(p: Program, node: number): string {
  const e = p.effects[node];
  return e === undefined ? "it has come to its end" : effectText(e);
}

/** The announcements that one step performs: the node's, and those joined to it. */
function effectsOf(p: Program, s: Int32Array, task: number): { does: string; at: string } {
  const probe = Int32Array.from(s);
  const texts: string[] = [];
  let place = "";
  let node = nodeOf(p, s, task);
  for (;;) {
    const e = p.effects[node];
    if (e === undefined) break;
    if (place === "") place = e.at;
    const x = ((probe[p.word[node] as number] as number) >>> (p.shift[node] as number)) & (p.mask[node] as number);
    const next = peek(p, probe, task, node);
    texts.push(`${effectText(e)}${gave(p, node, x, next.gives)}`);
    if (!e.joined || next.node < 0) break;
    node = next.node;
  }
  return { does: texts.join("; "), at: place };
}

// Performs the one node alone, to know which edge it takes.
function peek(p: Program, s: Int32Array, task: number, node: number): { node: number; gives: number } {
  const lone = {
    ...p,
    code: Int32Array.from(p.code),
    taskCode: Int32Array.from(p.taskCode),
    lockSeen: new Uint8Array(p.lockSeen.length),
    lockSights: [],
  };
  lone.code[node * stride + at.joined] = 0;
  lone.taskCode[task * taskStride + 5] = lone.taskCode[task * taskStride + 4] as number;
  const pc = p.pc[task] as Field;
  const base = p.base[task] as number;
  s[pc.word] = ((s[pc.word] as number) & ~(pc.mask << pc.shift)) | ((node - base) << pc.shift);
  const before = Int32Array.from(s);
  if (step(lone, s, task) < 0) return { node: -1, gives: 0 };
  const next = nodeOf(p, s, task);
  const e = p.effects[node];
  if (e === undefined) return { node: next, gives: 0 };
  const x = ((before[p.word[node] as number] as number) >>> (p.shift[node] as number)) & (p.mask[node] as number);
  const after = ((s[p.word[node] as number] as number) >>> (p.shift[node] as number)) & (p.mask[node] as number);
  switch (e.does) {
    case "trylock":
      return { node: next, gives: x === 0 ? 1 : 0 };
    case "addAndRead":
      return { node: next, gives: after };
    case "addAndTest":
      return { node: next, gives: after === 0 ? 1 : 0 };
    case "pop":
      return { node: next, gives: x & (2 ** (p.compare[node] as number) - 1) };
    case "test": {
      const c = p.compare[node];
      const v = p.arg[node] as number;
      return { node: next, gives: (c === 0 ? x === v : c === 1 ? x !== v : c === 2 ? x < v : x >= v) ? 1 : 0 };
    }
    default:
      return { node: next, gives: x };
  }
}

function gave(p: Program, node: number, _x: number, gives: number): string {
  const e = p.effects[node];
  if (e === undefined) return "";
  switch (e.does) {
    case "trylock":
      return gives === 1 ? " ✓" : " ✗";
    case "test":
    case "addAndTest":
      return gives === 1 ? ": yes" : ": no";
    case "read":
    case "addAndRead":
    case "testAndSet":
    case "testAndClear":
    case "pop":
      return ` → ${gives}`;
    default:
      return "";
  }
}

function valueText(p: Program, name: string, f: Field, s: Int32Array): string {
  const x = fieldOf(s, f);
  const thing = p.story.shared.find((t) => t.name === name);
  if (thing?.kind === "lock") return x === 0 ? "-" : (digits[x - 1] ?? "?");
  if (thing?.kind === "fifo") {
    const bits = 32 - Math.clz32(thing.max);
    const items: number[] = [];
    for (let rest = x; rest !== 0; rest >>>= bits) items.push(rest & (2 ** bits - 1));
    return `[${items.join(" ")}]`;
  }
  return String(x);
}

const shown = (name: string): boolean => !name.startsWith("pc ") && name !== "last task" && name !== "preemptions";

function stateOf(p: Program, s: Int32Array): (readonly [string, string])[] {
  return [...p.fields].filter(([name]) => shown(name)).map(([name, f]) => [name, valueText(p, name, f, s)] as const);
}

function changesOf(p: Program, before: Int32Array, after: Int32Array): string[] {
  return [...p.fields]
    .filter(([name, f]) => shown(name) && fieldOf(before, f) !== fieldOf(after, f))
    .map(([name, f]) => `${name}: ${valueText(p, name, f, before)} → ${valueText(p, name, f, after)}`);
}
