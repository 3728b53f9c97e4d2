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
    generation = widenI(generation, 0);
    free = new Int32Array(capacity);
    freeCount = 0;
    for (let slot = capacity - 1; slot >= before; slot--) free[freeCount++] = slot;
  };
  const earlier = (x: number, y: number): boolean =>
    at[x]! < at[y]! || (at[x] === at[y] && sequence[x]! < sequence[y]!);
  const put = (slot: number, where: number): void => {
    heap[where] = slot;
    place[slot] = where;
  };
  const up = (slot: number, from: number): void => {
    let i = from;
    while (i > 0) {
      const parent = (i - 1) >> 2;
      if (!earlier(slot, heap[parent]!)) break;
      put(heap[parent]!, i);
      i = parent;
    }
    put(slot, i);
  };
  const down = (slot: number, from: number): void => {
    let i = from;
    for (;;) {
      const child = (i << 2) + 1;
      if (child >= size) break;
      let best = child;
      const end = Math.min(child + 4, size);
      for (let c = child + 1; c < end; c++) if (earlier(heap[c]!, heap[best]!)) best = c;
      if (!earlier(heap[best]!, slot)) break;
      put(heap[best]!, i);
      i = best;
    }
    put(slot, i);
  };
  const remove = (where: number): void => {
    const slot = heap[where]!;
    place[slot] = -1;
    generation[slot]!++;
    free[freeCount++] = slot;
    const last = heap[--size]!;
    if (where === size) return;
    if (where > 0 && earlier(last, heap[(where - 1) >> 2]!)) up(last, where);
    else down(last, where);
  };

  return {
    now: () => time[0]!,
    handler: (run) => handlers.push(run) - 1,
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
        remove(0);
        ran++;
        handler(a, b);
        if (stopped) return "stopped";
      }
      return "idle";
    },
    stop() {
      stopped = true;
    },
    pending: () => size,
    events: () => ran,
  };
}
