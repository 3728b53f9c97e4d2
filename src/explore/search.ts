// Every interleaving: breadth first over hashed states, so that the first schedule found for a finding is a shortest one.
// States lie in insertion order in one array, which is also the queue; an open-addressing table holds a second copy of each, so
// that finding one again touches one cache line.
//
//   states  | s0 | s1 | s2 | s3 | …      from, by   the state it was reached from and the task that moved
//   table   | s2 |    | s0 | s3 |  …     place = hash; an empty place has a last word of 0, a state never has (program.ts, present)
import { ModelBug } from "../base/assert.ts";
import { BadInput } from "../base/bad_input.ts";
import { effectText } from "../model/sync/effect.ts";
import type { Finding } from "./finding.ts";
import { judgeLocks } from "./lock_rules.ts";
import type { Field, Program } from "./program.ts";
import {
  blocked,
  fieldOf,
  nodeOf,
  op,
  outOfRange,
  setField,
  step,
  stepAt,
  stride,
  taskStride,
  waitsAt,
} from "./program.ts";
import { atRest, hangs, waitCycle } from "./rest.ts";

export interface SearchOptions {
  /** Stop after so many states; 4,000,000 when left out. */
  readonly states?: number;
  /** Only schedules with at most so many switches away from a task that could go on; the program must be compiled for it. */
  readonly preemptions?: number;
  /** Partial-order reduction: run a step that nobody else can see alone. The plain search is its oracle. */
  readonly reduce?: boolean;
  /** Look for states from which no end can be reached; costs 4 bytes a transition. On unless set to false. */
  readonly livelock?: boolean;
  /** Told now and then how many states there are. */
  readonly progress?: (states: number) => void;
}

export interface SearchResult {
  readonly states: number;
  readonly transitions: number;
  /** Steps of the longest shortest path. */
  readonly depth: number;
  /** Different schedules from start to rest, when the states form no loop; undefined when they do or when it was cut. */
  readonly schedules: bigint | undefined;
  /** True when nothing was left out. */
  readonly complete: boolean;
  /** Why not, in words. */
  readonly limits: readonly string[];
  readonly livelockChecked: boolean;
  readonly findings: readonly Finding[];
}

/** 32-bit words of a state: a constant, so that every offset is a shift. */
const words = 4;

/** Successors looked up together. */
const batch = 128;

/** Keeps the loads that only warm the caches from being optimized away. */
export let sink = 0;

interface Store {
  states: Int32Array;
  from: Int32Array;
  by: Uint8Array;
  /** `slots` places of a state's words. */
  table: Int32Array;
  slots: number;
  /** By place: the state's number; empty when nobody asks for edges. */
  indexOf: Int32Array;
  count: number;
}

/** Explores the program's story from its initial state. */
export function search(p: Program, options: SearchOptions = {}): SearchResult {
  const most = options.states ?? 4_000_000;
  const bound = options.preemptions;
  if (bound !== undefined && p.preemptions === undefined)
    throw new ModelBug("the program was not compiled for a bound on preemptions");
  const wantEdges = options.livelock !== false;
  const store: Store = {
    states: new Int32Array(words << 14),
    from: new Int32Array(1 << 14),
    by: new Uint8Array(1 << 14),
    table: new Int32Array(words << 16),
    slots: 1 << 16,
    indexOf: new Int32Array(wantEdges ? 1 << 16 : 0),
    count: 0,
  };
  const edges = wantEdges ? new Growing(1 << 14) : undefined;
  const edgeFrom = wantEdges ? new Growing(1 << 12) : undefined;
  const ends: number[] = [];
  p.lockSeen.fill(0);
  p.lockSights.length = 0;
  const s = new Int32Array(words);
  s.set(p.initial);
  append(store, s, 0, 0, hash(s) & (store.slots - 1));
  const watch = new Watch(p, store);
  const { found } = watch;
  const out = new Frontier(batch + p.tasks);
  const plain = bound === undefined && options.reduce !== true;
  let transitions = 0;
  let cut = false;
  let i = 0;
  while (i < store.count && !cut) {
    const upTo = store.count;
    const { states } = store;
    out.count = 0;
    for (; i < upTo && out.count < batch; i++) {
      if ((i & 0xffff) === 0xffff) options.progress?.(store.count);
      edgeFrom?.push((edges?.count ?? 0) + out.count);
      p.at = i;
      const moved = plain ? expand(p, states, i, s, out, watch) : expandWith(p, states, i, s, out, watch, options);
      transitions += moved;
      if (moved > 0) continue;
      load(states, i * words, s);
      const rest = atRest(p, s);
      if (rest.finding !== undefined) watch.keep(rest.finding, rest.text, i);
      ends.push(i);
    }
    sink = warm(store.table, store.slots - 1, out);
    cut = settle(store, out, s, most, edges);
  }
  const { failed, boundCut } = watch;
  const keep = watch.keep.bind(watch);
  const limits: string[] = [];
  if (cut) limits.push(`stopped at ${store.count} states; ${i} of them were followed`);
  if (boundCut) limits.push(`only schedules with at most ${bound} preemptions`);
  for (const f of judgeLocks(p, (state, task) => pathTo(store, state, task)))
    if (!found.has(f.finding)) found.set(f.finding, f);
  const complete = limits.length === 0;
  let livelockChecked = false;
  let schedules: bigint | undefined;
  if (edges !== undefined && edgeFrom !== undefined && complete) {
    edgeFrom.push(edges.count);
    // Where a schedule fails or tasks hang on each other there is no end to reach, and that was said already.
    livelockChecked = !failed && !found.has("deadlock");
    const trapped = neverEnds(store.count, edgeFrom.values, edges.values, livelockChecked ? ends : undefined);
    if (trapped >= 0) keep("livelock", "from here no schedule comes to an end", trapped);
    if (options.reduce !== true) schedules = countSchedules(store.count, edgeFrom.values, edges.values);
  }
  return {
    states: store.count,
    transitions,
    depth: pathTo(store, store.count - 1).length,
    schedules,
    complete,
    limits,
    livelockChecked,
    findings: [...found.values()],
  };
}

/** What is found on the way; asked only where something happens. */
class Watch {
  readonly p: Program;
  readonly store: Store;
  readonly found = new Map<string, Finding>();
  hung = false;
  failed = false;
  boundCut = false;

  constructor(p: Program, store: Store) {
    this.p = p;
    this.store = store;
  }

  keep(finding: string, text: string, state: number, task?: number): void {
    if (!this.found.has(finding)) this.found.set(finding, { finding, text, path: pathTo(this.store, state, task) });
  }

  /** A task had to wait in state `i`, which is `s`. */
  waits(s: Int32Array, i: number, task: number): void {
    if (!hangs(this.p, s, task)) return;
    const cycle = waitCycle(this.p, s, task);
    if (cycle === undefined) return;
    this.hung = true;
    this.keep("deadlock", cycle, i);
  }

  /** A step left a note; true when the schedule ends with it. */
  noted(note: number, i: number, task: number): boolean {
    if (note === outOfRange) throw tooBig(this.p, task);
    const { remarks, ends } = this.p.notes[note] as Program["notes"][number];
    for (const r of remarks) this.keep(r.finding, r.text, i, task);
    if (ends) this.failed = true;
    return ends;
  }
}

/** Successors of several states, looked up together. */
class Frontier {
  readonly words: Int32Array;
  readonly from: Int32Array;
  readonly by: Uint8Array;
  readonly hash: Int32Array;
  count = 0;

  constructor(room: number) {
    this.words = new Int32Array(room * words);
    this.from = new Int32Array(room);
    this.by = new Uint8Array(room);
    this.hash = new Int32Array(room);
  }
}

function push(out: Frontier, s: Int32Array, from: number, by: number): void {
  const k = out.count++;
  const o = k * words;
  const w = out.words;
  w[o] = s[0] as number;
  w[o + 1] = s[1] as number;
  w[o + 2] = s[2] as number;
  w[o + 3] = s[3] as number;
  out.from[k] = from;
  out.by[k] = by;
  out.hash[k] = hash(s);
}

/** All successors of state `i`; gives how many steps were made. */
function expand(p: Program, states: Int32Array, i: number, s: Int32Array, out: Frontier, watch: Watch): number {
  const from = i * words;
  const { tasks, code, taskCode } = p;
  let moved = 0;
  load(states, from, s);
  for (let t = 0; t < tasks; t++) {
    const q = t * taskStride;
    const place = ((s[taskCode[q] as number] as number) >>> (taskCode[q + 1] as number)) & (taskCode[q + 2] as number);
    const r = ((taskCode[q + 3] as number) + place) * stride;
    const note = waitsAt(code, s, r) ? blocked : stepAt(p, s, t, r);
    if (note === blocked) {
      if (!watch.hung && code[r] === op.lock) watch.waits(s, i, t);
      continue;
    }
    moved++;
    if (note === 0 || !watch.noted(note, i, t)) push(out, s, i, t);
    load(states, from, s);
  }
  return moved;
}

/** The same with a bound on preemptions or with reduction. Steps that the bound forbids are not counted, but they are no end. */
function expandWith(
  p: Program,
  states: Int32Array,
  i: number,
  s: Int32Array,
  out: Frontier,
  watch: Watch,
  options: SearchOptions,
): number {
  const from = i * words;
  const bound = options.preemptions;
  const { lastTask, preemptions } = p;
  load(states, from, s);
  const last = bound === undefined ? 15 : fieldOf(s, lastTask as Field);
  const used = bound === undefined ? 0 : fieldOf(s, preemptions as Field);
  const lastCan = last !== 15 && step(p, s, last) !== blocked;
  const only = options.reduce === true ? alone(p, states, from, s) : -1;
  let moved = 0;
  for (let t = only >= 0 ? only : 0; t < (only >= 0 ? only + 1 : p.tasks); t++) {
    load(states, from, s);
    const note = step(p, s, t);
    if (note === blocked) {
      if (!watch.hung) watch.waits(s, i, t);
      continue;
    }
    if (bound !== undefined) {
      const switched = lastCan && t !== last;
      if (switched && used >= bound) {
        watch.boundCut = true;
        continue;
      }
      setField(s, lastTask as Field, t);
      if (switched) setField(s, preemptions as Field, used + 1);
    }
    moved++;
    if (note !== 0 && watch.noted(note, i, t)) continue;
    push(out, s, i, t);
  }
  return moved;
}

/** Loads every place that settle() will look at. The loads do not wait for each other, so memory is waited for once. */
function warm(table: Int32Array, mask: number, out: Frontier): number {
  let touched = 0;
  const { hash: hashes, count } = out;
  for (let k = 0; k < count; k++) touched |= table[((hashes[k] as number) & mask) * words] as number;
  return touched;
}

/** Finds or inserts every successor, in order; true when there was no more room. */
function settle(store: Store, out: Frontier, s: Int32Array, most: number, edges: Growing | undefined): boolean {
  let { table } = store;
  let mask = store.slots - 1;
  const { words: w, hash: hashes, count } = out;
  for (let k = 0; k < count; k++) {
    const o = k * words;
    const a = w[o] as number;
    const b = w[o + 1] as number;
    const c = w[o + 2] as number;
    const d = w[o + 3] as number;
    let h = (hashes[k] as number) & mask;
    let known = false;
    for (;;) {
      const x = h * words;
      const last = table[x + 3] as number;
      if (last === d && table[x] === a && table[x + 1] === b && table[x + 2] === c) {
        known = true;
        break;
      }
      if (last === 0) break;
      h = (h + 1) & mask;
    }
    if (known) {
      edges?.push(store.indexOf[h] as number);
      continue;
    }
    if (store.count >= most) return true;
    edges?.push(store.count);
    load(w, o, s);
    if (append(store, s, out.from[k] as number, out.by[k] as number, h)) {
      table = store.table;
      mask = store.slots - 1;
    }
  }
  return false;
}

function load(states: Int32Array, at: number, s: Int32Array): void {
  s[0] = states[at] as number;
  s[1] = states[at + 1] as number;
  s[2] = states[at + 2] as number;
  s[3] = states[at + 3] as number;
}

function put(s: Int32Array, to: Int32Array, at: number): void {
  to[at] = s[0] as number;
  to[at + 1] = s[1] as number;
  to[at + 2] = s[2] as number;
  to[at + 3] = s[3] as number;
}

function hash(s: Int32Array): number {
  let h = Math.imul(s[0] as number, 0x9e3779b1) ^ Math.imul((s[1] as number) ^ 0x7f4a7c15, 0x85ebca6b);
  h = (h << 13) | (h >>> 19);
  h ^= Math.imul(s[2] as number, 0xc2b2ae35) ^ Math.imul((s[3] as number) ^ 0x165667b1, 0x27d4eb2f);
  h = Math.imul(h ^ (h >>> 15), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}

/** Adds a state; true when the table was replaced by a larger one. */
function append(store: Store, s: Int32Array, from: number, by: number, slot: number): boolean {
  const index = store.count++;
  if (index === store.from.length) {
    store.states = grown(store.states);
    store.from = grown(store.from);
    const by2 = new Uint8Array(store.by.length * 2);
    by2.set(store.by);
    store.by = by2;
  }
  const o = index * words;
  const place = slot * words;
  const { states, table } = store;
  put(s, states, o);
  put(s, table, place);
  store.from[index] = from;
  store.by[index] = by;
  if (store.indexOf.length > 0) store.indexOf[slot] = index;
  if (store.count * 8 <= store.slots * 5) return false;
  rehash(store);
  return true;
}

function rehash(store: Store): void {
  const slots = store.slots * 4;
  const mask = slots - 1;
  const table = new Int32Array(slots * words);
  const indexOf = new Int32Array(store.indexOf.length * 4);
  const { states, count } = store;
  const s = new Int32Array(words);
  const hashes = new Int32Array(batch);
  for (let first = 0; first < count; first += batch) {
    const n = Math.min(batch, count - first);
    // As in warm(): first touch all places, then fill them.
    let touched = 0;
    for (let k = 0; k < n; k++) {
      load(states, (first + k) * words, s);
      const h = hash(s) & mask;
      hashes[k] = h;
      touched |= table[h * words] as number;
    }
    sink = touched;
    for (let k = 0; k < n; k++) {
      let h = hashes[k] as number;
      while (table[h * words + 3] !== 0) h = (h + 1) & mask;
      load(states, (first + k) * words, s);
      put(s, table, h * words);
      if (indexOf.length > 0) indexOf[h] = first + k;
    }
  }
  store.table = table;
  store.slots = slots;
  store.indexOf = indexOf;
}

function grown(a: Int32Array): Int32Array<ArrayBuffer> {
  const b = new Int32Array(a.length * 2);
  b.set(a);
  return b;
}

class Growing {
  values: Int32Array;
  count = 0;
  constructor(size: number) {
    this.values = new Int32Array(size);
  }
  push(x: number): void {
    if (this.count === this.values.length) this.values = grown(this.values);
    this.values[this.count++] = x;
  }
}

/** The tasks that moved on the way to a state, and then `task`. */
function pathTo(store: Store, state: number, task?: number): number[] {
  const path: number[] = task === undefined ? [] : [task];
  for (let i = state; i !== 0; i = store.from[i] as number) path.push(store.by[i] as number);
  return path.reverse();
}

/** A task whose next step is local: it alone is enough (an ample set of one). */
function alone(p: Program, states: Int32Array, at: number, s: Int32Array): number {
  load(states, at, s);
  for (let t = 0; t < p.tasks; t++) if (p.local[nodeOf(p, s, t)] === 1) return t;
  return -1;
}

/** The first state from which no end is reachable, or -1. `ends` undefined: schedules that failed count as ends, so no verdict. */
function neverEnds(count: number, from: Int32Array, edges: Int32Array, ends: readonly number[] | undefined): number {
  if (ends === undefined) return -1;
  const ok = new Uint8Array(count);
  for (const e of ends) ok[e] = 1;
  for (let changed = true; changed; ) {
    changed = false;
    for (let i = count - 1; i >= 0; i--) {
      if (ok[i] === 1) continue;
      const end = from[i + 1] as number;
      for (let e = from[i] as number; e < end; e++)
        if (ok[edges[e] as number] === 1) {
          ok[i] = 1;
          changed = true;
          break;
        }
    }
  }
  return ok.indexOf(0);
}

/** How many paths lead from the start to an end; undefined when there is a loop. */
function countSchedules(count: number, from: Int32Array, edges: Int32Array): bigint | undefined {
  if (count > 300_000) return undefined;
  const into = new Int32Array(count);
  const total = from[count] as number;
  for (let e = 0; e < total; e++) into[edges[e] as number] = (into[edges[e] as number] as number) + 1;
  const ways = new Array<bigint>(count).fill(0n);
  ways[0] = 1n;
  const ready = [0];
  let done = 0;
  let sum = 0n;
  for (let i = ready.pop(); i !== undefined; i = ready.pop()) {
    done++;
    const w = ways[i] as bigint;
    const first = from[i] as number;
    const end = from[i + 1] as number;
    if (first === end) sum += w;
    for (let e = first; e < end; e++) {
      const to = edges[e] as number;
      ways[to] = (ways[to] as bigint) + w;
      into[to] = (into[to] as number) - 1;
      if (into[to] === 0) ready.push(to);
    }
    ways[i] = 0n;
  }
  return done === count ? sum : undefined;
}

/** The sentence for a number that left its range. */
export function tooBig(p: Program, task: number): BadInput {
  const e = p.effects[p.badNode];
  const where = e === undefined ? "" : `${effectText(e)}${e.at === "" ? "" : ` at ${e.at}`}`;
  return new BadInput(
    `Story ${p.story.name}, task ${p.story.tasks[task]?.name}: the state does not fit at the step "${where}": ` +
      (e !== undefined && "on" in e && e.on.kind === "fifo"
        ? `${e.on.name} would hold ${p.badValue} items, it has room for ${e.on.capacity}.`
        : `the value would be ${p.badValue}, allowed is 0 .. ${p.most[p.badNode]}.`),
    undefined,
    "Give it a larger range, or find out why it counts that far.",
  );
}
