// What a pool shows: state and counters, read from the columns of page_pool.ts. Nothing here changes anything.
import type { DmaDirection, PoolParams, PoolStats } from "./page_pool_params.ts";
import {
  CACHE_FULL,
  CACHE_SHIFT,
  CACHED,
  CACHED_PAGES,
  COUNTS_USERS,
  EMPTY,
  FAST,
  FLAGS,
  FRAG_OFFSET,
  FRAG_PAGE,
  FRAG_USERS,
  HOLD,
  LIVE,
  NID,
  ORDER,
  REFILL,
  RELEASED,
  RELEASED_REFCNT,
  RING,
  RING_FULL,
  ROW_SHIFT,
  SLOW,
  SLOW_HIGH_ORDER,
  WAIVE,
} from "./page_pool_rows.ts";

import type { PtrRings } from "./ptr_ring.ts";
import type { PageUsers } from "./users/users.ts";

/** The columns of all pools (P and counts: rows of 32; cache: rows of 128, pfn + 1) and of all pages (by pfn). */
export interface PoolColumns {
  readonly P: Int32Array;
  readonly counts: Float64Array;
  readonly cache: Int32Array;
  readonly maxLen: Float64Array;
  readonly offset: Float64Array;
  readonly direction: readonly DmaDirection[];
  readonly pp: Int32Array;
  readonly users: PageUsers;
  readonly rings: PtrRings;
  /** BIAS_MAX */
  readonly maxUsers: bigint;
}

export interface PoolView {
  isLive: (pool: number) => boolean;
  /** page->pp of the head page when the signature is there, else -1. */
  poolOf: (pfn: number) => number;
  /** Pool users that a page can have counted: 0 where this kernel does not count them. */
  fragmentUsers: (pfn: number) => number;
  /** pp_frag_count or pp_ref_count, exactly. */
  fragCount: (pfn: number) => bigint;
  fragPage: (pool: number) => number;
  fragOffset: (pool: number) => number;
  fragUsers: (pool: number) => number;
  cacheCount: (pool: number) => number;
  /** Oldest first; the last one is handed out next. */
  cacheContents(pool: number): number[];
  /** pfns in the order of consumption. */
  ringContents: (pool: number) => number[];
  holdCount: (pool: number) => number;
  releaseCount: (pool: number) => number;
  params: (pool: number) => PoolParams;
  stats: (pool: number) => PoolStats;
}

export function viewPools(columns: PoolColumns): PoolView {
  const { P, counts, cache, maxLen, offset, direction, pp, rings, maxUsers } = columns;
  const { bias, delta } = columns.users;
  const unsigned = (pool: number, field: number): number => (P[(pool << ROW_SHIFT) + field] as number) >>> 0;
  const counted = (pool: number, field: number): number => counts[(pool << ROW_SHIFT) + field] as number;
  return {
    isLive: (pool: number): boolean => P[(pool << ROW_SHIFT) + LIVE] === 1,
    poolOf: (pfn: number): number => (pp[pfn] as number) - 1,
    fragmentUsers: (pfn: number): number => {
      const owner = pp[pfn] as number;
      if (owner === 0) return 0;
      if (P[((owner - 1) << ROW_SHIFT) + COUNTS_USERS] === 0) return 0;
      return bias[pfn] === 0
        ? (delta[pfn] as number)
        : (delta[pfn] as number) + (P[((owner - 1) << ROW_SHIFT) + FRAG_USERS] as number);
    },
    fragCount: (pfn: number): bigint => BigInt(bias[pfn] as number) * maxUsers + BigInt(delta[pfn] as number),
    fragPage: (pool: number): number => P[(pool << ROW_SHIFT) + FRAG_PAGE] as number,
    fragOffset: (pool: number): number => P[(pool << ROW_SHIFT) + FRAG_OFFSET] as number,
    fragUsers: (pool: number): number => P[(pool << ROW_SHIFT) + FRAG_USERS] as number,
    cacheCount: (pool: number): number => P[(pool << ROW_SHIFT) + CACHED_PAGES] as number,
    cacheContents(pool: number): number[] {
      const at = pool << CACHE_SHIFT;
      return Array.from(
        cache.subarray(at, at + (P[(pool << ROW_SHIFT) + CACHED_PAGES] as number)),
        (value) => value - 1,
      );
    },
    ringContents: (pool: number): number[] => rings.contents(pool).map((value) => value - 1),
    holdCount: (pool: number): number => unsigned(pool, HOLD),
    releaseCount: (pool: number): number => unsigned(pool, RELEASED),
    params: (pool: number): PoolParams => ({
      flags: P[(pool << ROW_SHIFT) + FLAGS] as number,
      order: P[(pool << ROW_SHIFT) + ORDER] as number,
      poolSize: rings.size(pool),
      nid: P[(pool << ROW_SHIFT) + NID] as number,
      dmaDir: direction[pool] as DmaDirection,
      maxLen: maxLen[pool] as number,
      offset: offset[pool] as number,
    }),
    stats: (pool: number): PoolStats => ({
      fast: counted(pool, FAST),
      slow: counted(pool, SLOW),
      slowHighOrder: counted(pool, SLOW_HIGH_ORDER),
      empty: counted(pool, EMPTY),
      refill: counted(pool, REFILL),
      waive: counted(pool, WAIVE),
      cached: counted(pool, CACHED),
      cacheFull: counted(pool, CACHE_FULL),
      ring: counted(pool, RING),
      ringFull: counted(pool, RING_FULL),
      releasedRefcnt: counted(pool, RELEASED_REFCNT),
    }),
  };
}
