// Simulated time: a queue of events, each a registered handler with two numbers. Equal times run in the order they were asked for, so a run
// is a function of its scenario and seed. A stable 4-ary heap on typed arrays: no object per event.
//
//   heap of slots, ordered by (nanos, sequence)      slot columns: nanos, sequence, handler, a, b, place in the heap
import { assert } from "../../base/assert.ts";
import type { Journal } from "../journal.ts";

/** Runs at its time; the numbers are whatever was given when it was asked for. */
export type Handler = (a: number, b: number) => void;

/** What ended a run. */
export type RunEnd = "idle" | "time" | "events" | "stopped";

export interface Clock {
  /** Simulated nanoseconds since boot. */
  now(): number;
  /** Registers a handler once; its number is what `after` takes. */
  handler(run: Handler): number;
  /** Runs handler(a, b) `nanos` from now; returns a timer for `cancel`. */
  after(nanos: number, handler: number, a?: number, b?: number): number;
  /** Registers a line: events of one handler that are asked for in the order of their times, as frames on a wire are. Only its first waits in the heap. */
  line(run: Handler): number;
  /** As `after`, at the end of a line; nothing takes it back. The same event at the same place among all others. */
  inLine(line: number, nanos: number, a?: number): void;
  /** Takes a timer back; false when it has run or was cancelled. */
  cancel(timer: number): boolean;
  /** Runs events up to and including `untilNanos`, at most `eventsMax` of them. */
  run(untilNanos: number, eventsMax: number): RunEnd;
  /** Ends run() after the present event. */
  stop(): void;
  pending(): number;
  /** Events run since boot. */
  events(): number;
}

interface Line {
  readonly handler: number;
  /** Its first is in the heap. */
  waits: boolean;
  /** When its last one is due. */
  last: number;
  /** Those behind the first, a ring of 2^n from `head`. */
  at: Float64Array;
  sequence: Float64Array;
  first: Float64Array;
  head: number;
  count: number;
}

const createLine = (handler: number): Line => ({
  handler,
  waits: false,
  last: 0,
  at: new Float64Array(64),
  sequence: new Float64Array(64),
  first: new Float64Array(64),
  head: 0,
  count: 0,
});

function lengthen(line: Line): void {
  assert(line.count < 1 << 24, () => `${line.count} events wait in a line: a scenario that only adds events`);
  const longer = (old: Float64Array): Float64Array => {
    const wide = new Float64Array(old.length * 2);
    wide.set(old.subarray(line.head));
    wide.set(old.subarray(0, line.head), old.length - line.head);
    return wide;
  };
  line.at = longer(line.at);
  line.sequence = longer(line.sequence);
  line.first = longer(line.first);
  line.head = 0;
}

export function createClock(journal: Journal): Clock {
  const handlers: Handler[] = [];
  let capacity = 1024;
  let heap = new Int32Array(capacity);
  let at = new Float64Array(capacity);
  let sequence = new Float64Array(capacity);
  let handlerOf = new Int32Array(capacity);
  let first = new Float64Array(capacity);
  let second = new Float64Array(capacity);
  let place = new Int32Array(capacity).fill(-1);
  let lineOf = new Int32Array(capacity).fill(-1);
  const lines: Line[] = [];
  /** Events in lines behind the first of each. */
  let behind = 0;
  let generation = new Int32Array(capacity);
  let free = Int32Array.from({ length: capacity }, (_, i) => capacity - 1 - i);
  let freeCount = capacity;
  let size = 0;
  let next = 0;
  /** The present moment; in an array, so that a change makes no garbage. */
  const time = new Float64Array(1);
  let ran = 0;
  let stopped = false;

  const widenF = (old: Float64Array): Float64Array<ArrayBuffer> => {
    const wide = new Float64Array(capacity);
    wide.set(old);
    return wide;
  };
  const widenI = (old: Int32Array, fill: number): Int32Array<ArrayBuffer> => {
    const wide = new Int32Array(capacity).fill(fill);
    wide.set(old);
    return wide;
  };
  const grow = (): void => {
    const before = capacity;
    capacity *= 2;
    assert(capacity <= 1 << 24, () => `${before} timers pending: a scenario that only adds events`);
    heap = widenI(heap, 0);
    at = widenF(at);
    sequence = widenF(sequence);
    handlerOf = widenI(handlerOf, 0);
    first = widenF(first);
    second = widenF(second);
    place = widenI(place, -1);
    lineOf = widenI(lineOf, -1);
    generation = widenI(generation, 0);
    free = new Int32Array(capacity);
    freeCount = 0;
    for (let slot = capacity - 1; slot >= before; slot--) free[freeCount++] = slot;
  };
  // The arrays are read once in each of these: one that is replaced when it grows costs three loads at every use.
  const up = (slot: number, from: number): void => {
    const h = heap;
    const t = at;
    const q = sequence;
    const p = place;
    const nanos = t[slot]!;
    const order = q[slot]!;
    let i = from;
    while (i > 0) {
      const parent = (i - 1) >> 2;
      const other = h[parent]!;
      const than = t[other]!;
      if (nanos > than || (nanos === than && order > q[other]!)) break;
      h[i] = other;
      p[other] = i;
      i = parent;
    }
    h[i] = slot;
    p[slot] = i;
  };
  const down = (slot: number, from: number): void => {
    const h = heap;
    const t = at;
    const q = sequence;
    const p = place;
    const nanos = t[slot]!;
    const order = q[slot]!;
    let i = from;
    for (;;) {
      let best = (i << 2) + 1;
      if (best >= size) break;
      let bestSlot = h[best]!;
      let bestNanos = t[bestSlot]!;
      const end = best + 4 < size ? best + 4 : size;
      for (let c = best + 1; c < end; c++) {
        const other = h[c]!;
        const than = t[other]!;
        if (than < bestNanos || (than === bestNanos && q[other]! < q[bestSlot]!)) {
          best = c;
          bestSlot = other;
          bestNanos = than;
        }
      }
      if (bestNanos > nanos || (bestNanos === nanos && q[bestSlot]! > order)) break;
      h[i] = bestSlot;
      p[bestSlot] = i;
      i = best;
    }
    h[i] = slot;
    p[slot] = i;
  };
  /** Takes the first one out. */
  const removeFirst = (slot: number): void => {
    place[slot] = -1;
    generation[slot]!++;
    free[freeCount++] = slot;
    if (--size > 0) down(heap[size]!, 0);
  };
  /** The first has run: the next of its line takes its place, or it leaves. */
  const removeOrFollow = (slot: number, index: number): void => {
    const line = lines[index] as Line;
    if (line.count === 0) {
      line.waits = false;
      lineOf[slot] = -1;
      removeFirst(slot);
      return;
    }
    const from = line.head;
    at[slot] = line.at[from]!;
    sequence[slot] = line.sequence[from]!;
    first[slot] = line.first[from]!;
    line.head = (from + 1) & (line.at.length - 1);
    line.count--;
    behind--;
    down(slot, 0);
  };
  const enter = (nanos: number, handler: number, a: number, b: number): number => {
    if (freeCount === 0) grow();
    const slot = free[--freeCount]!;
    at[slot] = nanos;
    sequence[slot] = next++;
    handlerOf[slot] = handler;
    first[slot] = a;
    second[slot] = b;
    up(slot, size++);
    return slot;
  };
  const remove = (where: number): void => {
    const slot = heap[where]!;
    place[slot] = -1;
    generation[slot]!++;
    free[freeCount++] = slot;
    const last = heap[--size]!;
    if (where === size) return;
    // Up where it belongs above, else it stays, and goes down from there.
    up(last, where);
    if (place[last] === where) down(last, where);
  };

  return {
    now: () => time[0]!,
    handler: (run) => handlers.push(run) - 1,
    line: (run) => lines.push(createLine(handlers.push(run) - 1)) - 1,
    inLine(index, delay, a = 0) {
      const line = lines[index] as Line;
      const nanos = time[0]! + (delay > 0 ? delay : 0);
      const early = line.waits && nanos < line.last;
      if (!line.waits || early) {
        const slot = enter(nanos, line.handler, a, 0);
        // Rounded before the one in front of it: it waits by itself.
        if (early) return;
        line.waits = true;
        line.last = nanos;
        lineOf[slot] = index;
        return;
      }
      if (line.count === line.at.length) lengthen(line);
      const to = (line.head + line.count) & (line.at.length - 1);
      line.at[to] = nanos;
      line.sequence[to] = next++;
      line.first[to] = a;
      line.last = nanos;
      line.count++;
      behind++;
    },
    // As enter() does, written out: this is the hottest.
    after(delay, handler, a = 0, b = 0) {
      if (freeCount === 0) grow();
      const slot = free[--freeCount]!;
      at[slot] = time[0]! + (delay > 0 ? delay : 0);
      sequence[slot] = next++;
      handlerOf[slot] = handler;
      first[slot] = a;
      second[slot] = b;
      up(slot, size++);
      return slot + generation[slot]! * 0x1000000;
    },
    cancel(timer) {
      const slot = timer % 0x1000000;
      if (timer < 0 || place[slot]! < 0 || generation[slot] !== Math.floor(timer / 0x1000000)) return false;
      remove(place[slot]!);
      return true;
    },
    run(untilNanos, eventsMax) {
      const last = ran + eventsMax;
      stopped = false;
      while (size > 0) {
        const slot = heap[0]!;
        if (at[slot]! > untilNanos) {
          time[0] = untilNanos;
          journal.nanos = untilNanos;
          return "time";
        }
        if (ran >= last) return "events";
        if (at[slot]! > time[0]!) time[0] = at[slot]!;
        journal.nanos = time[0]!;
        const handler = handlers[handlerOf[slot]!]!;
        const a = first[slot]!;
        const b = second[slot]!;
        const line = lineOf[slot]!;
        if (line < 0) removeFirst(slot);
        else removeOrFollow(slot, line);
        ran++;
        handler(a, b);
        if (stopped) return "stopped";
      }
      return "idle";
    },
    stop() {
      stopped = true;
    },
    pending: () => size + behind,
    events: () => ran,
  };
}
