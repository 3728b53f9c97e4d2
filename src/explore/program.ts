// A story as tables, and the one function that makes a step. A state is 4 words of 32 bits: each task's place, each lock's
// owner, each shared number, in bit fields. Everything a step needs is in typed arrays, so that a step costs no allocation.
import { assertNever, ModelBug } from "../base/assert.ts";
import type { Comparison, Effect, Remark } from "../model/sync/effect.ts";
import type { Story } from "./story.ts";

/** What a node does when its task is run. */
export const op = {
  done: 0,
  lock: 1,
  trylock: 2,
  unlock: 3,
  read: 4,
  write: 5,
  add: 6,
  addAndTest: 7,
  test: 8,
  testAndSet: 9,
  testAndClear: 10,
  wait: 11,
  enter: 12,
  push: 13,
  pushFront: 14,
  pop: 15,
  require: 16,
  step: 17,
  addAndRead: 18,
} as const;

export const compareCode: Readonly<Record<Comparison, number>> = { "==": 0, "!=": 1, "<": 2, ">=": 3 };

/** Set in the last word of every state, so that a place in a hash table is empty exactly when that word is 0. */
export const present = 1 << 31;

/** A bit field of the state. */
export interface Field {
  readonly word: number;
  readonly shift: number;
  /** Value mask, not shifted. */
  readonly mask: number;
}

/** Remarks of one edge; `ends` when the schedule stops there. */
export interface Note {
  readonly remarks: readonly Remark[];
  readonly ends: boolean;
}

/** A lock taken, or interrupts turned on, in a way not seen before (lock_rules.ts judges). */
export interface LockSight {
  readonly node: number;
  readonly task: number;
  /** Bit per lock that the task held before. */
  readonly held: number;
  readonly irqsOff: boolean;
  /** The state it was seen in. */
  readonly state: number;
}

export interface Program {
  readonly story: Story;
  /** Bits in use. */
  readonly bits: number;
  readonly initial: Int32Array;
  readonly tasks: number;
  /** Field of the task's place; the value is node - base. */
  readonly pc: readonly Field[];
  readonly pcWord: Int32Array;
  readonly pcShift: Int32Array;
  readonly pcMask: Int32Array;
  readonly base: Int32Array;
  /** By task: tasks on the same CPU that keep it still while they are active, `stoppers[stopFrom[t]] … stopFrom[t+1]`. */
  readonly stopFrom: Int32Array;
  readonly stoppers: Int32Array;
  /** By task, for `enter`: tasks on the same CPU and level. */
  readonly rivalFrom: Int32Array;
  readonly rivals: Int32Array;
  readonly irqWord: Int32Array;
  readonly irqShift: Int32Array;
  readonly bhWord: Int32Array;
  readonly bhShift: Int32Array;
  readonly hardirq: Uint8Array;
  readonly process: Uint8Array;
  // by node
  readonly op: Uint8Array;
  readonly word: Int32Array;
  readonly shift: Int32Array;
  readonly mask: Int32Array;
  readonly arg: Int32Array;
  readonly compare: Int32Array;
  /** Largest value, or bits per item and capacity of a fifo. */
  readonly most: Int32Array;
  readonly edge: Int32Array;
  readonly joined: Uint8Array;
  readonly watch: Uint8Array;
  readonly active: Uint8Array;
  readonly idle: Uint8Array;
  readonly fault: Int32Array;
  /** What the node announces; undefined for the end of a task. */
  readonly effects: readonly (Effect | undefined)[];
  readonly taskOf: Uint8Array;
  // the same, packed for step()
  readonly code: Int32Array;
  readonly edges: Int32Array;
  readonly taskCode: Int32Array;
  // by edge
  readonly edgeTo: Int32Array;
  readonly edgeNote: Int32Array;
  readonly notes: Note[];
  /** Name → field, for everything shared and the flags of the CPUs. */
  readonly fields: ReadonlyMap<string, Field>;
  readonly locks: readonly Field[];
  readonly lockWord: Int32Array;
  readonly lockShift: Int32Array;
  /** True when some task can come back to a place it was at. */
  readonly cyclic: boolean;
  /** Nodes whose step no other task can see or disturb (for partial-order reduction). */
  readonly local: Uint8Array;
  readonly lastTask: Field | undefined;
  readonly preemptions: Field | undefined;
  // written while running
  readonly lockSeen: Uint8Array;
  readonly lockSights: LockSight[];
  /** The state being left, for lock sights. */
  at: number;
  /** After `step` gave {@link outOfRange}: the node and the value that did not fit. */
  badNode: number;
  badValue: number;
}

/** What {@link step} gives instead of a note. */
export const blocked = -1;
export const outOfRange = -2;

export const nodeOf = (p: Program, s: Int32Array, task: number): number =>
  (p.base[task] as number) +
  (((s[p.pcWord[task] as number] as number) >>> (p.pcShift[task] as number)) & (p.pcMask[task] as number));

export const fieldOf = (s: Int32Array, f: Field): number => ((s[f.word] as number) >>> f.shift) & f.mask;

export function setField(s: Int32Array, f: Field, value: number): void {
  s[f.word] = ((s[f.word] as number) & ~(f.mask << f.shift)) | (value << f.shift);
}

function holds(compare: number, x: number, value: number): boolean {
  return compare === 0 ? x === value : compare === 1 ? x !== value : compare === 2 ? x < value : x >= value;
}

/** True while a task that runs over this one on the same CPU is inside its handler. */
export function standsStill(p: Program, s: Int32Array, task: number): boolean {
  const end = p.stopFrom[task + 1] as number;
  for (let i = p.stopFrom[task] as number; i < end; i++)
    if (p.active[nodeOf(p, s, p.stoppers[i] as number)] === 1) return true;
  return false;
}

function mayEnter(p: Program, s: Int32Array, task: number): boolean {
  const irqWord = p.irqWord[task] as number;
  if (irqWord >= 0 && (((s[irqWord] as number) >>> (p.irqShift[task] as number)) & 1) === 1) return false;
  const bhWord = p.bhWord[task] as number;
  if (p.hardirq[task] === 0 && bhWord >= 0 && (((s[bhWord] as number) >>> (p.bhShift[task] as number)) & 3) !== 0)
    return false;
  const end = p.rivalFrom[task + 1] as number;
  for (let i = p.rivalFrom[task] as number; i < end; i++)
    if (p.active[nodeOf(p, s, p.rivals[i] as number)] === 1) return false;
  return true;
}

/** Bit per lock that the task holds. */
export function heldBy(p: Program, s: Int32Array, task: number): number {
  let held = 0;
  for (let l = 0; l < p.lockWord.length; l++)
    if ((((s[p.lockWord[l] as number] as number) >>> (p.lockShift[l] as number)) & 15) === task + 1) held |= 1 << l;
  return held;
}

function sight(p: Program, s: Int32Array, task: number, node: number): void {
  const irqWord = p.irqWord[task] as number;
  const irqsOff = irqWord >= 0 && (((s[irqWord] as number) >>> (p.irqShift[task] as number)) & 1) === 1;
  const held = heldBy(p, s, task);
  const key = (((node << p.lockWord.length) | held) << 1) | (irqsOff ? 1 : 0);
  if (p.lockSeen[key] === 1) return;
  p.lockSeen[key] = 1;
  p.lockSights.push({ node, task, held, irqsOff, state: p.at });
}

/** One note that says what both say. */
export function bothNotes(p: Program, a: number, b: number): number {
  if (a === 0) return b;
  if (b === 0) return a;
  const one = p.notes[a] as Note;
  const two = p.notes[b] as Note;
  return p.notes.push({ remarks: [...one.remarks, ...two.remarks], ends: one.ends || two.ends }) - 1;
}

/** Numbers in a node's record in `code`; edges are pairs (record of the next node, note) in `edges`. */
export const stride = 16; // step() shifts by 4
export const at = {
  op: 0,
  word: 1,
  shift: 2,
  mask: 3,
  arg: 4,
  compare: 5,
  most: 6,
  edge: 7,
  fault: 8,
  joined: 9,
  watch: 10,
} as const;
/** Numbers in a task's record in `taskCode`. */
export const taskStride = 8;

/** Packs what {@link step} needs into records that lie together: one cache line a node. */
export function pack(p: Omit<Program, "code" | "edges" | "taskCode">): {
  code: Int32Array;
  edges: Int32Array;
  taskCode: Int32Array;
} {
  const nodes = p.op.length;
  const code = new Int32Array(nodes * stride);
  for (let n = 0; n < nodes; n++) {
    const numbers = [p.op, p.word, p.shift, p.mask, p.arg, p.compare, p.most, p.edge, p.fault, p.joined, p.watch];
    numbers.forEach((column, i) => {
      code[n * stride + i] = column[n] as number;
    });
    code[n * stride + at.edge] = 2 * (p.edge[n] as number);
  }
  const edges = new Int32Array(p.edgeTo.length * 2);
  p.edgeTo.forEach((to, e) => {
    edges[2 * e] = to * stride;
    edges[2 * e + 1] = p.edgeNote[e] as number;
  });
  const taskCode = new Int32Array(p.tasks * taskStride);
  for (let t = 0; t < p.tasks; t++) {
    const numbers = [p.pcWord[t], p.pcShift[t], p.pcMask[t], p.base[t], p.stopFrom[t], p.stopFrom[t + 1]];
    numbers.forEach((x, i) => {
      taskCode[t * taskStride + i] = x as number;
    });
  }
  return { code, edges, taskCode };
}

/**
 * Runs `task` for one step on the state `s`, in place. Gives {@link blocked} (s is as it was), {@link outOfRange}, or the index of
 * the step's note, 0 for none.
 */
export function step(p: Program, s: Int32Array, task: number): number {
  return stepAt(p, s, task, nodeOf(p, s, task) * stride);
}

/** Quick look, for the search: true when the task is at its end, at a lock that is held, or at a wait that does not hold. */
export function waitsAt(code: Int32Array, s: Int32Array, r: number): boolean {
  const what = code[r];
  if (what !== op.lock && what !== op.wait) return what === op.done;
  const x = ((s[code[r + 1] as number] as number) >>> (code[r + 2] as number)) & (code[r + 3] as number);
  return what === op.lock ? x !== 0 : !holds(code[r + at.compare] as number, x, code[r + at.arg] as number);
}

/** {@link step} for a task whose record in `code` is known. A task that has to wait leaves `s` as it was. */
export function stepAt(p: Program, s: Int32Array, task: number, start: number): number {
  const { code, edges, taskCode } = p;
  const q = task * taskStride;
  const pcWord = taskCode[q] as number;
  const pcShift = taskCode[q + 1] as number;
  const pcMask = taskCode[q + 2] as number;
  const base = taskCode[q + 3] as number;
  let r = start;
  const stops = taskCode[q + 5] as number;
  for (let i = taskCode[q + 4] as number; i < stops; i++)
    if (p.active[nodeOf(p, s, p.stoppers[i] as number)] === 1) return blocked;
  let note = 0;
  for (;;) {
    const word = code[r + 1] as number;
    const shift = code[r + 2] as number;
    const mask = code[r + 3] as number;
    const all = s[word] as number;
    const x = (all >>> shift) & mask;
    let gives = 0;
    switch (code[r]) {
      case op.lock:
        if (x !== 0) return blocked;
        sight(p, s, task, r / stride);
        s[word] = all | ((task + 1) << shift);
        break;
      case op.trylock:
        if (x !== 0) break;
        sight(p, s, task, r / stride);
        s[word] = all | ((task + 1) << shift);
        gives = 1;
        break;
      case op.unlock:
        if (x !== task + 1) note = bothNotes(p, note, code[r + at.fault] as number);
        s[word] = all & ~(mask << shift);
        break;
      case op.read:
        gives = x;
        break;
      case op.write:
        if (code[r + at.watch] === 1) sight(p, s, task, r / stride);
        s[word] = (all & ~(mask << shift)) | ((code[r + at.arg] as number) << shift);
        break;
      case op.add:
      case op.addAndRead:
      case op.addAndTest: {
        const sum = x + (code[r + at.arg] as number);
        if (sum < 0 || sum > (code[r + at.most] as number)) {
          p.badNode = r / stride;
          p.badValue = sum;
          return outOfRange;
        }
        s[word] = (all & ~(mask << shift)) | (sum << shift);
        gives = code[r] === op.addAndRead ? sum : code[r] === op.addAndTest && sum === 0 ? 1 : 0;
        break;
      }
      case op.test:
        gives = holds(code[r + at.compare] as number, x, code[r + at.arg] as number) ? 1 : 0;
        break;
      case op.testAndSet:
        gives = x;
        s[word] = (all & ~(mask << shift)) | (1 << shift);
        break;
      case op.testAndClear:
        gives = x;
        s[word] = all & ~(mask << shift);
        break;
      case op.wait:
        if (!holds(code[r + at.compare] as number, x, code[r + at.arg] as number)) return blocked;
        break;
      case op.enter:
        if (!holds(code[r + at.compare] as number, x, code[r + at.arg] as number) || !mayEnter(p, s, task))
          return blocked;
        break;
      case op.push: {
        const bits = code[r + at.compare] as number;
        const room = code[r + at.most] as number;
        let place = 0;
        while (place < room && x >>> (place * bits) !== 0) place++;
        if (place === room) {
          p.badNode = r / stride;
          p.badValue = place + 1;
          return outOfRange;
        }
        s[word] = all | ((code[r + at.arg] as number) << (shift + place * bits));
        break;
      }
      case op.pushFront: {
        const bits = code[r + at.compare] as number;
        const room = code[r + at.most] as number;
        if (x >>> ((room - 1) * bits) !== 0) {
          p.badNode = r / stride;
          p.badValue = room + 1;
          return outOfRange;
        }
        s[word] = (all & ~(mask << shift)) | (((x << bits) | (code[r + at.arg] as number)) << shift);
        break;
      }
      case op.pop: {
        const bits = code[r + at.compare] as number;
        gives = x & ((1 << bits) - 1);
        s[word] = (all & ~(mask << shift)) | ((x >>> bits) << shift);
        break;
      }
      case op.require:
        if (!allowed(p, s, task, code[r + at.arg] as number)) note = bothNotes(p, note, code[r + at.fault] as number);
        break;
      case op.step:
        break;
      case op.done:
        // Nothing more to do; or the end of a joined step.
        if (r / stride === base + (((s[pcWord] as number) >>> pcShift) & pcMask)) return blocked;
        s[pcWord] = ((s[pcWord] as number) & ~(pcMask << pcShift)) | ((r / stride - base) << pcShift);
        return note;
      default:
        throw new ModelBug(`node ${r / stride} has operation ${code[r]}`);
    }
    const e = (code[r + at.edge] as number) + 2 * gives;
    const more = edges[e + 1] as number;
    if (more !== 0) note = bothNotes(p, note, more);
    const next = edges[e] as number;
    if (code[r + at.joined] === 0) {
      s[pcWord] = ((s[pcWord] as number) & ~(pcMask << pcShift)) | (((next >> 4) - base) << pcShift);
      return note;
    }
    r = next;
  }
}

// what: 0 interrupts on and not in a hardirq; 1 may sleep
function allowed(p: Program, s: Int32Array, task: number, what: number): boolean {
  if (p.hardirq[task] === 1) return false;
  const irqWord = p.irqWord[task] as number;
  if (irqWord >= 0 && (((s[irqWord] as number) >>> (p.irqShift[task] as number)) & 1) === 1) return false;
  if (what === 0) return true;
  const bhWord = p.bhWord[task] as number;
  if (bhWord >= 0 && (((s[bhWord] as number) >>> (p.bhShift[task] as number)) & 3) !== 0) return false;
  return p.process[task] === 1 && heldBy(p, s, task) === 0;
}

/** The operation that performs an effect. */
export function opOf(e: Effect): number {
  switch (e.does) {
    case "irqOff":
    case "irqOn":
    case "irqRestore":
      return op.write;
    case "irqSave":
      return op.testAndSet;
    case "bhOff":
    case "bhOn":
      return op.add;
    case "lock":
    case "trylock":
    case "unlock":
    case "read":
    case "write":
    case "add":
    case "addAndRead":
    case "addAndTest":
    case "test":
    case "testAndSet":
    case "testAndClear":
    case "wait":
    case "enter":
    case "push":
    case "pushFront":
    case "pop":
    case "require":
    case "step":
      return op[e.does];
    default:
      return assertNever(e, "effect");
  }
}
