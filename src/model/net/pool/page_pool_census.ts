// The checker: where every page of every pool is, who holds it, and what cannot be right. It reads state, it changes none.
// A page of a pool is home (cache, ring), the pool's current fragment page, in flight with a named holder, or released.
import type { PageAllocator } from "../../mm/pages.ts";
import { fragField, fragInts, headField, skbBit, skbField, skbInts } from "../skb/skb_columns.ts";
import type { Skbs } from "../skb/skbs.ts";
import type { PagePools } from "./page_pool.ts";
import { PP_FLAG_DMA_MAP } from "./page_pool.ts";

const { HEAD, BITS, STATE } = skbField;
const { NR_FRAGS, PFN } = headField;

/** Somebody outside the pools who has pages: a driver's ring, a pipe, a user mapping. */
export interface Holder {
  readonly name: string;
  readonly pfns: readonly number[];
  /** He will give them back to their pools as the pools' own references. */
  readonly asPools?: boolean;
}

export type CensusFault =
  /** Twice at home, or at home and in somebody's hands. */
  | "two places"
  /** Home in a pool that does not own it. */
  | "stranger"
  /** Home without its DMA mapping. */
  | "home unmapped"
  /** Home with more than the pool's reference. */
  | "home referenced"
  /** Owned by a pool, not home, held by nobody. */
  | "leaked"
  /** Given to the page allocator while it was a pool's: its mapping and its count stay behind. */
  | "freed while the pool's"
  /** More will be given back as the pool's references than the pool gave: page references (get_page) are among them. */
  | "two kinds"
  /** hold - release is not the number of pages. */
  | "miscounted";

export interface CensusEntry {
  readonly fault: CensusFault;
  readonly pool: number;
  readonly pfn: number;
  readonly text: string;
}

export interface PoolCensus {
  readonly pool: number;
  readonly cache: number;
  readonly ring: number;
  readonly inFlight: number;
  /** Pages by the name of their holder. */
  readonly heldBy: ReadonlyMap<string, number>;
}

export interface Census {
  readonly pools: readonly PoolCensus[];
  readonly faults: readonly CensusEntry[];
}

/** Every sk_buff that is alive, in the order of their rows. */
export function liveSkbs(skbs: Skbs): number[] {
  const { S, skbsLive } = skbs.columns;
  const live: number[] = [];
  for (let skb = skbInts, left = skbsLive(); left > 0; skb += skbInts) {
    const state = (S[skb + STATE] as number) & 3;
    if (state !== 0) left--;
    if (state === 1) live.push(skb);
  }
  return live;
}

/** The pfn of an skb's head, where the head is a page fragment. */
export function headPage(skbs: Skbs, skb: number): number {
  const { S, H } = skbs.columns;
  return skbs.pages.compoundHead(H[(S[skb + HEAD] as number) + PFN] as number);
}

/** Names every page that live skbs hold: once for each data, however many clones share it. */
export function skbHolders(skbs: Skbs): Holder[] {
  const { S, H, F, fragBase } = skbs.columns;
  const seen = new Set<number>();
  const holders: Holder[] = [];
  for (const skb of liveSkbs(skbs)) {
    const head = S[skb + HEAD] as number;
    if (seen.has(head)) continue;
    seen.add(head);
    const bits = S[skb + BITS] as number;
    const pfns: number[] = [];
    const base = fragBase(head);
    for (let f = base; f < base + (H[head + NR_FRAGS] as number) * fragInts; f += fragInts)
      if (F[f + fragField.DESTRUCTOR] === 0) pfns.push(skbs.pages.compoundHead(F[f] as number));
    if ((bits & skbBit.headFrag) !== 0) pfns.push(headPage(skbs, skb));
    if (pfns.length > 0) holders.push({ name: `skb ${skb}`, pfns, asPools: (bits & skbBit.ppRecycle) !== 0 });
  }
  return holders;
}

/** Pages of the page allocator with a memory of what is allocated; simulated corruption is listed, never thrown. */
export interface WatchedPages extends PageAllocator {
  allocated(pfn: number): boolean;
  readonly outstanding: () => number;
  /** Allocations that were made to fail. */
  readonly failures: () => number;
  /** Pages that became free while a pool still called them its own; asks at the moment of freeing. */
  readonly freedWhileOwned: { readonly pool: number; readonly pfn: number }[];
  /** References taken or dropped on a page that is free: a bad page state or worse on a real machine. */
  readonly usedAfterFree: { readonly pfn: number; readonly step: "get_page" | "put_page" }[];
  ownedBy: (pfn: number) => number;
}

/** Wraps a page allocator; set `ownedBy` to the pools' poolOf() afterwards. `failAt` makes the nth allocation fail (from 1). */
export function watchPages(inner: PageAllocator, failAt = 0): WatchedPages {
  /** Page → first page of its block. */
  const headOf = new Map<number, number>();
  let blocks = 0;
  let calls = 0;
  const note = (pfn: number, order: number): number => {
    if (pfn < 0) return pfn;
    for (let i = 0; i < 1 << order; i++) headOf.set(pfn + i, pfn);
    blocks++;
    return pfn;
  };
  const drop = (anyPfn: number, give: (head: number) => void): void => {
    const pfn = headOf.get(anyPfn);
    if (pfn === undefined) {
      watched.usedAfterFree.push({ pfn: anyPfn, step: "put_page" });
      return;
    }
    if (inner.pageCount(pfn) === 1) {
      for (let i = 0; i < 1 << inner.compoundOrder(pfn); i++) headOf.delete(pfn + i);
      blocks--;
      const pool = watched.ownedBy(pfn);
      if (pool >= 0) watched.freedWhileOwned.push({ pool, pfn });
    }
    give(pfn);
  };
  const watched: WatchedPages = {
    ...inner,
    allocated: (pfn) => headOf.has(pfn),
    outstanding: () => blocks,
    failures: () => (failAt > 0 && calls >= failAt ? 1 : 0),
    freedWhileOwned: [],
    usedAfterFree: [],
    ownedBy: () => -1,
    allocPages: (gfp, order) => (++calls === failAt ? -1 : note(inner.allocPages(gfp, order), order)),
    allocPagesBulk(gfp, want, into) {
      if (++calls === failAt) return 0;
      const got = inner.allocPagesBulk(gfp, want, into);
      for (let i = 0; i < got; i++) note(into[i] as number, 0);
      return got;
    },
    compoundHead: (pfn) => headOf.get(pfn) ?? pfn,
    compoundOrder: (pfn) => (headOf.has(pfn) ? inner.compoundOrder(pfn) : 0),
    pageCount: (pfn) => (headOf.has(pfn) ? inner.pageCount(pfn) : 0),
    nodeOf: (pfn) => (headOf.has(pfn) ? inner.nodeOf(pfn) : 0),
    isPfmemalloc: (pfn) => headOf.has(pfn) && inner.isPfmemalloc(pfn),
    getPage(pfn) {
      if (headOf.has(pfn)) inner.getPage(pfn);
      else watched.usedAfterFree.push({ pfn, step: "get_page" });
    },
    freePages: (pfn, order) => drop(pfn, (head) => inner.freePages(head, order)),
    putPage: (pfn) => drop(pfn, (head) => inner.putPage(head)),
    addPageRefs(pfn, n) {
      for (let i = 0; i < Math.abs(n); i++) {
        if (n > 0) watched.getPage(pfn);
        else watched.putPage(pfn);
      }
    },
  };
  return watched;
}

/** Takes the census; `pages` must be the watched ones that the pools use. */
export function takeCensus(pools: PagePools, pages: WatchedPages, holders: readonly Holder[]): Census {
  const faults: CensusEntry[] = [];
  const fault = (kind: CensusFault, pool: number, pfn: number, text: string): void => {
    faults.push({ fault: kind, pool, pfn, text });
  };
  const held = new Map<number, string[]>();
  const asPools = new Map<number, number>();
  for (const holder of holders)
    for (const pfn of holder.pfns) {
      held.set(pfn, [...(held.get(pfn) ?? []), holder.name]);
      if (holder.asPools === true) asPools.set(pfn, (asPools.get(pfn) ?? 0) + 1);
    }
  const home = new Map<number, string>();
  const result: PoolCensus[] = [];
  for (const { pool, pfn } of pages.freedWhileOwned)
    fault(
      "freed while the pool's",
      pool,
      pfn,
      "went to the page allocator mapped and counted as in flight: the pool never ends",
    );

  for (let pool = 0; pool < pools.poolsMax; pool++) {
    if (!pools.isLive(pool)) continue;
    const cache = pools.cacheContents(pool);
    const ring = pools.ringContents(pool);
    for (const [place, pfns] of [
      ["cache", cache],
      ["ring", ring],
    ] as const)
      for (const pfn of pfns) checkHome(pool, pfn, `pool ${pool}'s ${place}`);
    let owned = 0;
    const heldBy = new Map<string, number>();
    for (let pfn = 0; pfn < pools.pfnMax; pfn++) {
      if (pools.poolOf(pfn) !== pool) continue;
      owned++;
      if (home.has(pfn)) continue;
      const names = pools.fragPage(pool) === pfn ? ["the pool's fragment page"] : held.get(pfn);
      if (names === undefined) {
        if (!pages.freedWhileOwned.some((f) => f.pfn === pfn))
          fault("leaked", pool, pfn, "is the pool's and nobody has it");
      } else for (const name of new Set(names)) heldBy.set(name, (heldBy.get(name) ?? 0) + 1);
      // A page whose users this kernel does not count has one.
      const given = Math.max(1, pools.fragmentUsers(pfn));
      const back = asPools.get(pfn) ?? 0;
      if (back > given)
        fault("two kinds", pool, pfn, `will be given back to its pool ${back} times, and was given ${given} times`);
    }
    if (owned !== pools.inflight(pool))
      fault(
        "miscounted",
        pool,
        -1,
        `hold - release is ${pools.inflight(pool)}, pages with the pool's signature ${owned}`,
      );
    result.push({ pool, cache: cache.length, ring: ring.length, inFlight: owned - cache.length - ring.length, heldBy });
  }
  return { pools: result, faults };

  function checkHome(pool: number, pfn: number, place: string): void {
    const before = home.get(pfn);
    if (before !== undefined) fault("two places", pool, pfn, `in ${before} and in ${place}`);
    home.set(pfn, place);
    const names = held.get(pfn);
    const owner = pools.poolOf(pfn);
    if (owner !== pool)
      fault("stranger", pool, pfn, `in ${place}, but ${owner < 0 ? "no pool's page" : `a page of pool ${owner}`}`);
    if (names !== undefined) fault("two places", pool, pfn, `in ${place} and held by ${names.join(", ")}`);
    else if (!pages.allocated(pfn)) fault("two places", pool, pfn, `in ${place} and free in the page allocator`);
    else if (owner === pool && pages.pageCount(pfn) !== 1)
      fault("home referenced", pool, pfn, `in ${place} with ${pages.pageCount(pfn)} references`);
    if (owner === pool && (pools.params(pool).flags & PP_FLAG_DMA_MAP) !== 0 && pools.dmaAddress(pfn) === 0)
      fault("home unmapped", pool, pfn, `in ${place} without a DMA mapping`);
  }
}
