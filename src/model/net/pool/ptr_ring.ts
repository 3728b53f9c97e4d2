// ptr_ring: the bounded queue between those who give pages back and the one who takes them (include/linux/ptr_ring.h, 6.1.192).
// Rings are rows: all queues lie in one Int32Array, their indices in another; a ring is its number. 0 is the empty slot, so a
// value must not be 0.
//
//        consumer_tail   consumer_head        producer
//              v               v                 v
//   queue  . . c c c c c c c c V V V V V V V V V . . . .      V to be taken, c taken but not yet zeroed, . free
//
// The consumer zeroes what it took only after `batch` entries or at the end of the queue, so the producer can find the
// ring "full" while taken entries still stand there. Not modelled: resizing, locks (the pool's callers hold them).
import { assert } from "../../../base/assert.ts";

/** Entries that a consumer zeroes at once on x86_64: two cache lines of pointers, 1 where the ring is smaller than two batches. */
export function ringBatch(size: number, cacheLineBytes = 64, pointerBytes = 8): number {
  const batch = Math.floor((cacheLineBytes * 2) / pointerBytes);
  return batch > Math.floor(size / 2) || batch === 0 ? 1 : batch;
}

export interface PtrRings {
  /** ptr_ring_init(): gives ring `r` a queue of `size` zeroed slots; false is -ENOMEM. */
  init(r: number, size: number, batch: number): boolean;
  /** ptr_ring_cleanup(): gives the queue back. */
  cleanup(r: number): void;
  /** __ptr_ring_produce(): false is -ENOSPC. */
  produce(r: number, value: number): boolean;
  /** __ptr_ring_consume(): the oldest value, or 0. */
  consume(r: number): number;
  /**
   * consume() again and again, up to `max` values, into `into` from index `at`; gives how many. Ends also behind a value that
   * `accept` does not want: that one is consumed too, not written, and is refused().
   */
  consumeWhile(r: number, into: Int32Array, at: number, max: number, accept: (value: number) => boolean): number;
  /** The value that ended the last consumeWhile(), or 0. */
  refused(): number;
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

const BASE = 0;
const SIZE = 1;
const BATCH = 2;
const PRODUCER = 3;
const HEAD = 4;
const TAIL = 5;
/** Fields of a ring's row: 8; a shift, because a product would be checked for overflow. */
const ROW_SHIFT = 3;

/** Rings 0 .. ringsMax-1 with `slotsMax` slots among them; none has a queue before init(). */
export function createPtrRings(ringsMax: number, slotsMax = 1 << 16): PtrRings {
  const queue = new Int32Array(slotsMax);
  const rows = new Int32Array(ringsMax << ROW_SHIFT);
  let used = 0;
  let alive = 0;
  let refused = 0;
  /** size → bases of queues given back. */
  const spare = new Map<number, number[]>();

  const claim = (slots: number): number => {
    if (alive === 0) {
      spare.clear();
      used = 0;
    }
    const again = spare.get(slots)?.pop();
    if (again !== undefined) return again;
    if (used + slots > slotsMax) return -1;
    used += slots;
    return used - slots;
  };

  /** The slots that consume() would give, behind one another from consumer_head. */
  const walk = (r: number, taken: boolean): number[] => {
    const row = r << ROW_SHIFT;
    const size = rows[row + SIZE] as number;
    const head = rows[row + HEAD] as number;
    // Behind the head stand taken entries that are not zeroed yet.
    const stop = taken ? size : size - (head - (rows[row + TAIL] as number));
    const found: number[] = [];
    for (let i = 0; i < stop; i++) {
      const value = queue[(rows[row + BASE] as number) + ((head + i) % size)] as number;
      if (value !== 0) found.push(value);
      else if (!taken) break;
    }
    return found;
  };

  return {
    init(r, slots, entriesPerBatch) {
      assert(r >= 0 && r < ringsMax, () => `ring ${r} of ${ringsMax}`);
      const at = claim(slots);
      if (at < 0) return false;
      alive++;
      queue.fill(0, at, at + slots);
      rows.set([at, slots, entriesPerBatch, 0, 0, 0], r << ROW_SHIFT);
      return true;
    },
    cleanup(r) {
      const row = r << ROW_SHIFT;
      const slots = rows[row + SIZE] as number;
      const list = spare.get(slots) ?? [];
      spare.set(slots, list);
      list.push(rows[row + BASE] as number);
      rows[row + SIZE] = 0;
      alive--;
    },
    produce(r, value) {
      const row = r << ROW_SHIFT;
      const size = rows[row + SIZE] as number;
      const producer = rows[row + PRODUCER] as number;
      const slot = ((rows[row + BASE] as number) + producer) | 0;
      if (size === 0 || queue[slot] !== 0) return false;
      queue[slot] = value;
      const next = (producer + 1) | 0;
      rows[row + PRODUCER] = next >= size ? 0 : next;
      return true;
    },
    consume(r) {
      const row = r << ROW_SHIFT;
      const size = rows[row + SIZE] as number;
      if (size === 0) return 0;
      const at = rows[row + BASE] as number;
      const head = rows[row + HEAD] as number;
      const value = queue[at + head] as number;
      if (value === 0) return 0;
      const next = head + 1;
      const tail = rows[row + TAIL] as number;
      if (next - tail < (rows[row + BATCH] as number) && next < size) {
        rows[row + HEAD] = next;
        return value;
      }
      // Newest first: the producer's cache line is touched last.
      for (let i = at + head; i >= at + tail; i--) queue[i] = 0;
      rows[row + TAIL] = next >= size ? 0 : next;
      rows[row + HEAD] = next >= size ? 0 : next;
      return value;
    },
    consumeWhile(r, into, first, max, accept) {
      const row = r << ROW_SHIFT;
      const size = rows[row + SIZE] as number;
      const batch = rows[row + BATCH] as number;
      const at = rows[row + BASE] as number;
      let head = rows[row + HEAD] as number;
      let tail = rows[row + TAIL] as number;
      const room = size === 0 ? 0 : max;
      let n = 0;
      let unwanted = 0;
      while (n < room) {
        const value = queue[(at + head) | 0] as number;
        if (value === 0) break;
        head = (head + 1) | 0;
        if (((head - tail) | 0) >= batch || head >= size) {
          for (let i = at + head - 1; i >= at + tail; i--) queue[i] = 0;
          if (head >= size) head = 0;
          tail = head;
        }
        if (!accept(value)) {
          unwanted = value;
          break;
        }
        into[first + n++] = value;
      }
      refused = unwanted;
      rows[row + HEAD] = head;
      rows[row + TAIL] = tail;
      return n;
    },
    refused: () => refused,
    empty: (r) =>
      rows[(r << ROW_SHIFT) + SIZE] === 0 ||
      queue[(rows[(r << ROW_SHIFT) + BASE] as number) + (rows[(r << ROW_SHIFT) + HEAD] as number)] === 0,
    full: (r) => queue[(rows[(r << ROW_SHIFT) + BASE] as number) + (rows[(r << ROW_SHIFT) + PRODUCER] as number)] !== 0,
    count: (r) => walk(r, false).length,
    contents: (r) => walk(r, false),
    occupied: (r) => walk(r, true),
    size: (r) => rows[(r << ROW_SHIFT) + SIZE] as number,
    batch: (r) => rows[(r << ROW_SHIFT) + BATCH] as number,
    producer: (r) => rows[(r << ROW_SHIFT) + PRODUCER] as number,
    consumerHead: (r) => rows[(r << ROW_SHIFT) + HEAD] as number,
    consumerTail: (r) => rows[(r << ROW_SHIFT) + TAIL] as number,
  };
}
