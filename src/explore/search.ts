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
import { blocked, fieldOf, nodeOf, outOfRange, setField, step } from "./program.ts";
import { atRest, mayHang, waitCycle } from "./rest.ts";

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
  const { lastTask, preemptions } = p;
  if (bound !== undefined && (lastTask === undefined || preemptions === undefined))
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
  let edges = new Int32Array(wantEdges ? 1 << 14 : 0);
  let edgeCount = 0;
  const edgeFrom = wantEdges ? new Growing(1 << 12) : undefined;
  const found = new Map<string, Finding>();
  const ends: number[] = [];
  p.lockSeen.fill(0);
  p.lockSights.length = 0;
  const s = new Int32Array(words);
  s.set(p.initial);
  append(store, s, 0, 0, hash(s) & (store.slots - 1));
  let { states, table } = store;
  let mask = store.slots - 1;
  let transitions = 0;
  let cut = false;
  let boundCut = false;
  let hung = false;
  let failed = false;
  const tasks = p.tasks;
  const keep = (finding: string, text: string, state: number, task?: number): void => {
    if (!found.has(finding)) found.set(finding, { finding, text, path: pathTo(store, state, task) });
  };
  // Successors of several states are collected and then looked up together: the loads of the first two passes do not depend on
  // each other, so the processor waits for memory once, not once a state.
  const out = new Int32Array((batch + tasks) * words);
  const outFrom = new Int32Array(batch + tasks);
  const outBy = new Uint8Array(batch + tasks);
  const outHash = new Int32Array(batch + tasks);
  let pending = 0;
  let i = 0;
  while (i < store.count) {
    if (cut && store.count >= most) break;
    const upTo = store.count;
    pending = 0;
    for (; i < upTo && pending < batch; i++) {
      if ((i & 0xffff) === 0xffff) options.progress?.(store.count);
      edgeFrom?.push(edgeCount + pending);
      p.at = i;
      const from = i * words;
      let moved = 0;
      let last = 15;
      let used = 0;
      let lastCan = false;
      if (bound !== undefined) {
        load(states, from, s);
        last = fieldOf(s, lastTask as Field);
        used = fieldOf(s, preemptions as Field);
        lastCan = last !== 15 && step(p, s, last) !== blocked;
      }
      const only = options.reduce === true ? alone(p, states, from, s) : -1;
      for (let t = only >= 0 ? only : 0; t < tasks; t++) {
        load(states, from, s);
        const note = step(p, s, t);
        if (note === blocked) {
          if (!hung && mayHang(p, s, t)) {
            const cycle = waitCycle(p, s, t);
            if (cycle !== undefined) {
              hung = true;
              keep("deadlock", cycle, i);
            }
          }
          continue;
        }
        if (note === outOfRange) throw tooBig(p, t);
        moved++;
        if (bound !== undefined) {
          const switched = lastCan && t !== last;
          if (switched && used >= bound) {
            boundCut = true;
            continue;
          }
          setField(s, lastTask as Field, t);
          if (switched) setField(s, preemptions as Field, used + 1);
        }
        transitions++;
        if (note > 0) {
          const { remarks, ends: stop } = p.notes[note] as Program["notes"][number];
          for (const r of remarks) keep(r.finding, r.text, i, t);
          if (stop) {
            failed = true;
            continue;
          }
        }
        const o = pending * words;
        out[o] = s[0] as number;
        out[o + 1] = s[1] as number;
        out[o + 2] = s[2] as number;
        out[o + 3] = s[3] as number;
        outFrom[pending] = i;
        outBy[pending] = t;
        outHash[pending++] = hash(s);
        if (only >= 0) break;
      }
      if (moved === 0) {
        load(states, from, s);
        const rest = atRest(p, s);
        if (rest.finding !== undefined) keep(rest.finding, rest.text, i);
        ends.push(i);
      }
    }
    let touched = 0;
    for (let k = 0; k < pending; k++) touched |= table[((outHash[k] as number) & mask) * words] as number;
    sink = touched;
    for (let k = 0; k < pending; k++) {
      const o = k * words;
      const a = out[o] as number;
      const b = out[o + 1] as number;
      const c = out[o + 2] as number;
      const d = out[o + 3] as number;
      let h = (outHash[k] as number) & mask;
      let known = false;
      for (;;) {
        const x = h * words;
        if (table[x] === a && table[x + 1] === b && table[x + 2] === c && table[x + 3] === d) {
          known = true;
          break;
        }
        if (table[x + 3] === 0) break;
        h = (h + 1) & mask;
      }
      let index = -1;
      if (known) {
        if (wantEdges) index = store.indexOf[h] as number;
      } else {
        if (store.count >= most) {
          cut = true;
          continue;
        }
        index = store.count;
        load(out, o, s);
        append(store, s, outFrom[k] as number, outBy[k] as number, h);
        ({ states, table } = store);
        mask = store.slots - 1;
      }
      if (wantEdges) {
        if (edgeCount === edges.length) edges = grown(edges);
        edges[edgeCount++] = index;
      }
    }
  }
  const limits: string[] = [];
  if (cut) limits.push(`stopped at ${store.count} states; ${i} of them were followed`);
  if (boundCut) limits.push(`only schedules with at most ${bound} preemptions`);
  for (const f of judgeLocks(p, (state, task) => pathTo(store, state, task)))
    if (!found.has(f.finding)) found.set(f.finding, f);
  const complete = limits.length === 0;
  let livelockChecked = false;
  let schedules: bigint | undefined;
  if (wantEdges && edgeFrom !== undefined && complete) {
    edgeFrom.push(edgeCount);
    // Where a schedule fails or tasks hang on each other there is no end to reach, and that was said already.
    livelockChecked = !failed && !found.has("deadlock");
    const trapped = neverEnds(store.count, edgeFrom.values, edges, livelockChecked ? ends : undefined);
    if (trapped >= 0) keep("livelock", "from here no schedule comes to an end", trapped);
    if (options.reduce !== true) schedules = countSchedules(store.count, edgeFrom.values, edges);
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

function load(states: Int32Array, at: number, s: Int32Array): void {
  s[0] = states[at] as number;
  s[1] = states[at + 1] as number;
  s[2] = states[at + 2] as number;
  s[3] = states[at + 3] as number;
}

function hash(s: Int32Array): number {
  let h = Math.imul(s[0] as number, 0x9e3779b1) ^ Math.imul((s[1] as number) + 0x7f4a7c15, 0x85ebca6b);
  h = (h << 13) | (h >>> 19);
  h ^= Math.imul(s[2] as number, 0xc2b2ae35) ^ Math.imul((s[3] as number) + 0x165667b1, 0x27d4eb2f);
  h = Math.imul(h ^ (h >>> 15), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

function append(store: Store, s: Int32Array, from: number, by: number, slot: number): void {
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
  for (let w = 0; w < words; w++) {
    const x = s[w] as number;
    states[o + w] = x;
    table[place + w] = x;
  }
  store.from[index] = from;
  store.by[index] = by;
  if (store.indexOf.length > 0) store.indexOf[slot] = index;
  if (store.count * 8 > store.slots * 5) rehash(store);
}

function rehash(store: Store): void {
  const slots = store.slots * 4;
  const mask = slots - 1;
  const table = new Int32Array(slots * words);
  const indexOf = new Int32Array(store.indexOf.length * 4);
  const { states, count } = store;
  const s = new Int32Array(words);
  for (let i = 0; i < count; i++) {
    load(states, i * words, s);
    let h = hash(s) & mask;
    while (table[h * words + 3] !== 0) h = (h + 1) & mask;
    for (let w = 0; w < words; w++) table[h * words + w] = s[w] as number;
    if (indexOf.length > 0) indexOf[h] = i;
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
