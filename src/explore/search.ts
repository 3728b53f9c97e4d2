// Every interleaving: breadth first over hashed states, so that the first schedule found for a finding is a shortest one.
// States lie in insertion order in one array, which is also the queue; an open-addressing table finds them again.
//
//   states  | s0 | s1 | s2 | s3 | …      from, by   the state it was reached from and the task that moved
//   table   hash → index + 1
import { ModelBug } from "../base/assert.ts";
import { BadInput } from "../base/bad_input.ts";
import { effectText } from "../model/sync/effect.ts";
import type { Finding } from "./finding.ts";
import { judgeLocks } from "./lock_rules.ts";
import type { Field, Program } from "./program.ts";
import { blocked, fieldOf, nodeOf, op, outOfRange, setField, step } from "./program.ts";
import { atRest, waitCycle } from "./rest.ts";

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

interface Store {
  states: Int32Array;
  from: Int32Array;
  by: Uint8Array;
  table: Int32Array;
  count: number;
}

/** Explores the program's story from its initial state. */
export function search(p: Program, options: SearchOptions = {}): SearchResult {
  const words = p.words;
  const most = options.states ?? 4_000_000;
  const bound = options.preemptions;
  const { lastTask, preemptions } = p;
  if (bound !== undefined && (lastTask === undefined || preemptions === undefined))
    throw new ModelBug("the program was not compiled for a bound on preemptions");
  const wantEdges = options.livelock !== false;
  const store: Store = {
    states: new Int32Array(words << 12),
    from: new Int32Array(1 << 12),
    by: new Uint8Array(1 << 12),
    table: new Int32Array(1 << 14),
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
  insert(store, s, words, 0, 0);
  let { states, table } = store;
  let mask = table.length - 1;
  let transitions = 0;
  let cut = false;
  let boundCut = false;
  const tasks = p.tasks;
  const keep = (finding: string, text: string, state: number, task?: number): void => {
    if (!found.has(finding)) found.set(finding, { finding, text, path: pathTo(store, state, task) });
  };
  let i = 0;
  for (; i < store.count; i++) {
    if ((i & 0xffff) === 0xffff) options.progress?.(store.count);
    edgeFrom?.push(edgeCount);
    p.at = i;
    const at = i * words;
    let moved = 0;
    let last = 15;
    let used = 0;
    let lastCan = false;
    if (bound !== undefined) {
      load(states, at, words, s);
      last = fieldOf(s, lastTask as Field);
      used = fieldOf(s, preemptions as Field);
      lastCan = last !== 15 && step(p, s, last) !== blocked;
    }
    let only = -1;
    if (options.reduce === true) only = alone(p, states, at, words, s);
    for (let t = only >= 0 ? only : 0; t < tasks; t++) {
      load(states, at, words, s);
      const note = step(p, s, t);
      if (note === blocked) {
        if (!found.has("deadlock") && p.op[nodeOf(p, s, t)] === op.lock) {
          const cycle = waitCycle(p, s, t);
          if (cycle !== undefined) keep("deadlock", cycle, i);
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
        if (stop) continue;
      }
      // Find or insert, written out here: this is where the time goes.
      let h = hash(s, words) & mask;
      let index = -1;
      for (;;) {
        const slot = table[h] as number;
        if (slot === 0) break;
        const o = (slot - 1) * words;
        if (
          states[o] === s[0] &&
          states[o + 1] === s[1] &&
          states[o + 2] === s[2] &&
          states[o + 3] === s[3] &&
          (words === 4 || sameTail(states, o, s))
        ) {
          index = slot - 1;
          break;
        }
        h = (h + 1) & mask;
      }
      if (index < 0) {
        if (store.count >= most) {
          cut = true;
          continue;
        }
        index = store.count;
        append(store, s, words, i, t, h);
        ({ states, table } = store);
        mask = table.length - 1;
      }
      if (wantEdges) {
        if (edgeCount === edges.length) edges = grown(edges);
        edges[edgeCount++] = index;
      }
      if (only >= 0) break;
    }
    if (moved === 0) {
      load(states, at, words, s);
      const rest = atRest(p, s);
      if (rest.finding !== undefined) keep(rest.finding, rest.text, i);
      ends.push(i);
    }
    if (cut && store.count >= most) break;
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
    livelockChecked = !found.has("assertion") && !found.has("deadlock");
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

function load(states: Int32Array, at: number, words: number, s: Int32Array): void {
  s[0] = states[at] as number;
  s[1] = states[at + 1] as number;
  s[2] = states[at + 2] as number;
  s[3] = states[at + 3] as number;
  if (words === 8) for (let w = 4; w < 8; w++) s[w] = states[at + w] as number;
}

function sameTail(states: Int32Array, o: number, s: Int32Array): boolean {
  return states[o + 4] === s[4] && states[o + 5] === s[5] && states[o + 6] === s[6] && states[o + 7] === s[7];
}

function hash(s: Int32Array, words: number): number {
  let h = Math.imul(s[0] as number, 0x9e3779b1) ^ Math.imul((s[1] as number) + 0x7f4a7c15, 0x85ebca6b);
  h = (h << 13) | (h >>> 19);
  h ^= Math.imul(s[2] as number, 0xc2b2ae35) ^ Math.imul((s[3] as number) + 0x165667b1, 0x27d4eb2f);
  if (words === 8)
    for (let w = 4; w < 8; w++) {
      h = (h << 11) | (h >>> 21);
      h ^= Math.imul((s[w] as number) + w, 0x9e3779b1);
    }
  h = Math.imul(h ^ (h >>> 15), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

function insert(store: Store, s: Int32Array, words: number, from: number, by: number): void {
  append(store, s, words, from, by, hash(s, words) & (store.table.length - 1));
}

function append(store: Store, s: Int32Array, words: number, from: number, by: number, slot: number): void {
  const index = store.count++;
  if (index === store.from.length) {
    store.states = grown(store.states);
    store.from = grown(store.from);
    const by2 = new Uint8Array(store.by.length * 2);
    by2.set(store.by);
    store.by = by2;
  }
  const o = index * words;
  for (let w = 0; w < words; w++) store.states[o + w] = s[w] as number;
  store.from[index] = from;
  store.by[index] = by;
  store.table[slot] = index + 1;
  if (store.count * 2 > store.table.length) rehash(store, s, words);
}

function rehash(store: Store, s: Int32Array, words: number): void {
  const table = new Int32Array(store.table.length * 2);
  const mask = table.length - 1;
  for (let i = 0; i < store.count; i++) {
    load(store.states, i * words, words, s);
    let h = hash(s, words) & mask;
    while (table[h] !== 0) h = (h + 1) & mask;
    table[h] = i + 1;
  }
  store.table = table;
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
function alone(p: Program, states: Int32Array, at: number, words: number, s: Int32Array): number {
  load(states, at, words, s);
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
