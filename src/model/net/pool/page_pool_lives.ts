// The life of a page pool: made, ended by its last user, and waited for while pages of it are out (net/core/page_pool.c, 6.1.192).
// What happens to pages in between is page_pool.ts.
import { eventKind } from "../../../kernel/events.ts";
import type { Journal } from "../../journal.ts";
import type { PageAllocator } from "../../mm/pages.ts";
import type { PoolNapi } from "./direct/direct.ts";
import type { DmaDirection, PoolParams, PoolParts } from "./page_pool_params.ts";
import { ENOMEM, PP_FLAG_DMA_MAP, PP_FLAG_DMA_SYNC_DEV, PP_FLAG_PAGE_FRAG, paramsError } from "./page_pool_params.ts";
import {
  COUNTS_USERS,
  DESTROYS,
  FLAGS,
  FRAG_PAGE,
  FRAG_USERS,
  HOLD,
  LIVE,
  NID,
  ORDER,
  RELEASED,
  ROW_SHIFT,
  SPECIAL,
  USERS,
} from "./page_pool_rows.ts";
import type { PoolColumns } from "./page_pool_view.ts";
import { ringBatch } from "./ptr_ring.ts";

const DEFER_NANOS = 1_000_000_000;
const DEFER_WARN_NANOS = 60_000_000_000;

/** The columns that a life begins and ends in, and what page_pool.ts does with pages on the way. */
export interface PoolLifeParts extends Omit<PoolColumns, "cache" | "maxUsers" | "direction"> {
  readonly direction: DmaDirection[];
  readonly consumerCpu: Int32Array;
  readonly napis: (PoolNapi | undefined)[];
  readonly poolsMax: number;
  readonly pfnMax: number;
  readonly parts: PoolParts;
  /** struct page has no room for a wide DMA address beside a count of fragments. */
  readonly fragmentsHaveNoPlace: boolean;
  readonly journal: Journal;
  readonly pages: PageAllocator;
  warn(text: string, a?: number, b?: number): void;
  inflight(pool: number): number;
  flushCache(pool: number): void;
  dmaUnmap(pool: number, pfn: number): void;
  returnPage(pool: number, pfn: number): void;
}

export interface PoolLife {
  /** page_pool_create(): a pool, or -EINVAL or -ENOMEM with the kernel's warning. */
  create: (params: PoolParams) => number;
  /** page_pool_destroy(): frees at once, or waits for the pages that are out: runDelayed() goes on. */
  destroy: (pool: number) => void;
  /** page_pool_release_retry(), for every pool whose second is over; the jiffy slack of the timer wheel is not modelled. */
  runDelayed: (nanos: number) => void;
  /** The simulated moment of the next delayed release, or -1. */
  nextDelayed: () => number;
}

export function poolLives(options: PoolLifeParts): PoolLife {
  const { P, counts, maxLen, offset, direction, consumerCpu, napis, pp, poolsMax, pfnMax, parts } = options;
  const { journal, pages, rings, users, warn, inflight, flushCache, dmaUnmap, returnPage } = options;
  /** Moments in simulated nanoseconds: the next try, the first, the next warning; -1: nothing waits. */
  const deferDue = new Float64Array(poolsMax).fill(-1);
  const deferStart = new Float64Array(poolsMax);
  const deferWarn = new Float64Array(poolsMax);
  const unsigned = (pool: number, field: number): number => (P[(pool << ROW_SHIFT) + field] as number) >>> 0;

  /** page_pool_release(): empties cache and ring, frees the pool when nothing is out; gives what is in flight. */
  const release = (pool: number): number => {
    if (P[(pool << ROW_SHIFT) + DESTROYS] === 0) {
      flushCache(pool);
      if (parts.unmapsAtDestroy && ((P[(pool << ROW_SHIFT) + FLAGS] as number) & PP_FLAG_DMA_MAP) !== 0)
        for (let pfn = 0; pfn < pfnMax; pfn++) if (pp[pfn] === pool + 1) dmaUnmap(pool, pfn);
    }
    P[(pool << ROW_SHIFT) + DESTROYS] = (P[(pool << ROW_SHIFT) + DESTROYS] as number) + 1;
    for (let value = rings.consume(pool); value !== 0; value = rings.consume(pool)) {
      const count = pages.pageCount(value - 1);
      if (count !== 1) warn(`page_pool_empty_ring() page_pool refcnt ${count} violation`, value - 1, count);
      returnPage(pool, value - 1);
    }
    const left = inflight(pool);
    if (journal.heard)
      journal.emit(eventKind.page_pool_release, pool, left, unsigned(pool, HOLD), unsigned(pool, RELEASED));
    if (left < 0) warn(`Negative(${left}) inflight packet-pages`, pool, left);
    if (left === 0) free(pool);
    return left;
  };

  const free = (pool: number): void => {
    rings.cleanup(pool);
    P[(pool << ROW_SHIFT) + LIVE] = 0;
    deferDue[pool] = -1;
  };

  const deadPool = (): number => {
    for (let pool = 0; pool < poolsMax; pool++) if (P[(pool << ROW_SHIFT) + LIVE] === 0) return pool;
    return -1;
  };

  const refuse = (error: number): number => {
    warn(`page_pool_create() gave up with errno -${error}`, -error);
    return -error;
  };

  const create = (params: PoolParams): number => {
    const pool = deadPool();
    const error = paramsError(params, options.fragmentsHaveNoPlace, parts) ?? (pool < 0 ? ENOMEM : undefined);
    if (error !== undefined) return refuse(error);
    const size = params.poolSize === 0 ? 1024 : Math.min(params.poolSize, parts.ringLimit.slots);
    if (!rings.init(pool, size, ringBatch(size, 64, parts.wordBits / 8))) return refuse(ENOMEM);
    P.fill(0, pool << ROW_SHIFT, (pool + 1) << ROW_SHIFT);
    counts.fill(0, pool << ROW_SHIFT, (pool + 1) << ROW_SHIFT);
    P[(pool << ROW_SHIFT) + LIVE] = 1;
    P[(pool << ROW_SHIFT) + FLAGS] = params.flags;
    P[(pool << ROW_SHIFT) + ORDER] = params.order;
    P[(pool << ROW_SHIFT) + NID] = params.nid;
    consumerCpu[pool] = params.cpu ?? -1;
    napis[pool] = params.napi;
    maxLen[pool] = params.maxLen;
    offset[pool] = params.offset;
    direction[pool] = params.dmaDir;
    P[(pool << ROW_SHIFT) + COUNTS_USERS] = parts.users.everyPage || (params.flags & PP_FLAG_PAGE_FRAG) !== 0 ? 1 : 0;
    P[(pool << ROW_SHIFT) + SPECIAL] =
      (parts.users.everyPage ? 0 : (P[(pool << ROW_SHIFT) + COUNTS_USERS] as number)) |
      (params.flags & (PP_FLAG_DMA_MAP | PP_FLAG_DMA_SYNC_DEV));
    P[(pool << ROW_SHIFT) + USERS] = 1;
    P[(pool << ROW_SHIFT) + FRAG_PAGE] = -1;
    return pool;
  };

  const destroy = (pool: number): void => {
    P[(pool << ROW_SHIFT) + USERS] = (P[(pool << ROW_SHIFT) + USERS] as number) - 1;
    if (P[(pool << ROW_SHIFT) + USERS] !== 0) return;
    // page_pool_disable_direct_recycling()
    consumerCpu[pool] = -1;
    napis[pool] = undefined;
    const pfn = P[(pool << ROW_SHIFT) + FRAG_PAGE] as number;
    P[(pool << ROW_SHIFT) + FRAG_PAGE] = -1;
    if (pfn >= 0 && users.dropBias(pfn, P[(pool << ROW_SHIFT) + FRAG_USERS] as number) === 0) returnPage(pool, pfn);
    if (release(pool) === 0) return;
    deferStart[pool] = journal.nanos;
    deferWarn[pool] = journal.nanos + DEFER_WARN_NANOS;
    deferDue[pool] = journal.nanos + DEFER_NANOS;
  };

  const runDelayed = (nanos: number): void => {
    for (let pool = 0; pool < poolsMax; pool++) {
      while (P[(pool << ROW_SHIFT) + LIVE] === 1 && deferDue[pool] !== -1 && nanos >= (deferDue[pool] as number)) {
        const now = deferDue[pool] as number;
        const left = release(pool);
        if (left <= 0) {
          deferDue[pool] = -1;
          break;
        }
        if (now >= (deferWarn[pool] as number)) {
          const seconds = Math.floor((now - (deferStart[pool] as number)) / 1e9);
          // The model numbers pools from 0, the kernel its ids from 1.
          const named = parts.stallNamesPool ? `: id ${pool + 1},` : "";
          warn(
            `page_pool_release_retry() stalled pool shutdown${named} ${left} inflight ${seconds} sec`,
            left,
            seconds,
          );
          deferWarn[pool] = now + DEFER_WARN_NANOS;
        }
        deferDue[pool] = now + DEFER_NANOS;
      }
    }
  };

  const nextDelayed = (): number => {
    let first = -1;
    for (const due of deferDue) if (due >= 0 && (first < 0 || due < first)) first = due;
    return first;
  };

  return { create, destroy, runDelayed, nextDelayed };
}
