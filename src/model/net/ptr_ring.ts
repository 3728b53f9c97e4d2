// ptr_ring: the bounded queue between those who give pages back and the one who takes them (include/linux/ptr_ring.h, 6.1.192).
// Rings are rows: all queues lie in one Int32Array, a ring is its number. 0 is the empty slot, so a value must not be 0.
//
//        consumer_tail   consumer_head        producer
//              v               v                 v
//   queue  . . c c c c c c c c V V V V V V V V V . . . .      V to be taken, c taken but not yet zeroed, . free
//
// The consumer zeroes what it took only after `batch` entries or at the end of the queue, so the producer can find the
// ring "full" while taken entries still stand there. Not modelled: resizing, locks (the pool's callers hold them).
import { assert } from "../../base/assert.ts";

/** Entries that a consumer zeroes at once on x86_64: two cache lines of pointers, 1 where the ring is smaller than two batches. */
export function ringBatch(size: number, cacheLineBytes = 64, pointerBytes = 8): number {
  const batch = Math.floor((cacheLineBytes * 2) / pointerBytes);
  return batch > Math.floor(size / 2) || batch === 0 ? 1 : batch;
}

export interface PtrRings {
  /** ptr_ring_init(): gives ring `r` a queue of `size` zeroed slots. */
  init(r: number, size: number, batch: number): void;
  /** ptr_ring_cleanup(): gives the queue back. */
  cleanup(r: number): void;
  /** __ptr_ring_produce(): false is -ENOSPC. */
  produce(r: number, value: number): boolean;
  /** __ptr_ring_consume(): the oldest value, or 0. */
  consume(r: number): number;
  /** __ptr_ring_empty() */
  empty(r: number): boolean;
  /** __ptr_ring_full(): the producer's slot is not zero. */
  full(r: number): boolean;
  /** Entries that consume() would give, without a peek at the indices that kernel code does not do either: a walk. */
  count(r: number): number;
  /** The entries in the order of consumption. */
  contents(r: number): number[];
  /** All values that stand in the queue, from consumer_head around: also those taken and not yet zeroed. */
  occupied(r: number): number[];
  size(r: number): number;
  batch(r: number): number;
  producer(r: number): number;
  consumerHead(r: number): number;
  consumerTail(r: number): number;
}

/** Rings 0 .. ringsMax-1; none has a queue before init(). */
export function createPtrRings(ringsMax: number): PtrRings {
  let queue = new Int32Array(1024);
  let used = 0;
  /** size → bases of queues given back. */
  const spare = new Map<number, number[]>();
  const base = new Int32Array(ringsMax);
  const size = new Int32Array(ringsMax);
  const batch = new Int32Array(ringsMax);
  const producer = new Int32Array(ringsMax);
  const head = new Int32Array(ringsMax);
  const tail = new Int32Array(ringsMax);

  const claim = (slots: number): number => {
    const again = spare.get(slots)?.pop();
    if (again !== undefined) return again;
    const at = used;
    used += slots;
    if (used > queue.length) {
      const wider = new Int32Array(Math.max(used, queue.length * 2));
      wider.set(queue);
      queue = wider;
    }
    return at;
  };

  /** Zeroes the taken entries tail .. last, newest first, as the kernel does. */
  const invalidate = (from: number, last: number): void => {
    for (let i = last; i >= from; i--) queue[i] = 0;
  };

  const count = (r: number): number => {
    const n = size[r] as number;
    const at = base[r] as number;
    const first = head[r] as number;
    // Behind the head stand taken entries that are not zeroed yet: they end the walk.
    const taken = first - (tail[r] as number);
    let seen = 0;
    for (let i = first; seen < n - taken; i = i + 1 === n ? 0 : i + 1) {
      if (queue[at + i] === 0) break;
      seen++;
    }
    return seen;
  };

  return {
    init(r, slots, entriesPerBatch) {
      assert(r >= 0 && r < ringsMax, () => `ring ${r} of ${ringsMax}`);
      const at = claim(slots);
      queue.fill(0, at, at + slots);
      base[r] = at;
      size[r] = slots;
      batch[r] = entriesPerBatch;
      producer[r] = 0;
      head[r] = 0;
      tail[r] = 0;
    },
    cleanup(r) {
      const slots = size[r] as number;
      const list = spare.get(slots) ?? [];
      spare.set(slots, list);
      list.push(base[r] as number);
      size[r] = 0;
    },
    produce(r, value) {
      const n = size[r] as number;
      const p = producer[r] as number;
      const slot = (base[r] as number) + p;
      if (n === 0 || queue[slot] !== 0) return false;
      queue[slot] = value;
      producer[r] = p + 1 >= n ? 0 : p + 1;
      return true;
    },
    consume(r) {
      const n = size[r] as number;
      if (n === 0) return 0;
      const at = base[r] as number;
      const h = head[r] as number;
      const value = queue[at + h] as number;
      if (value === 0) return 0;
      const next = h + 1;
      const t = tail[r] as number;
      if (next - t >= (batch[r] as number) || next >= n) {
        invalidate(at + t, at + h);
        tail[r] = next;
      }
      if (next >= n) {
        head[r] = 0;
        tail[r] = 0;
      } else {
        head[r] = next;
      }
      return value;
    },
    empty: (r) => size[r] === 0 || queue[(base[r] as number) + (head[r] as number)] === 0,
    full: (r) => queue[(base[r] as number) + (producer[r] as number)] !== 0,
    count,
    contents(r) {
      const n = size[r] as number;
      const at = base[r] as number;
      const first = head[r] as number;
      return Array.from({ length: count(r) }, (_, i) => queue[at + ((first + i) % n)] as number);
    },
    occupied(r) {
      const n = size[r] as number;
      const at = base[r] as number;
      const found: number[] = [];
      for (let i = 0; i < n; i++) {
        const value = queue[at + (((head[r] as number) + i) % n)] as number;
        if (value !== 0) found.push(value);
      }
      return found;
    },
    size: (r) => size[r] as number,
    batch: (r) => batch[r] as number,
    producer: (r) => producer[r] as number,
    consumerHead: (r) => head[r] as number,
    consumerTail: (r) => tail[r] as number,
  };
}
