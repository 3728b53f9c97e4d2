// page_pool: recycled, kept-mapped receive pages between a driver and the page allocator (net/core/page_pool.c, 6.1.192).
// All pools are rows of one set of columns, all pages rows indexed by pfn; a pool is a small number.
//
//   alloc_pages ──slow: 64 at once──▶ [ cache, LIFO, 128 ] ──alloc──▶ driver ──▶ device ──▶ driver ──▶ skb, XDP …
//                                          ▲        ▲ direct put, softirq only                      │
//                                  refill ≤ 64      └───────────────────────────────────────────────┤
//                                      [ ptr_ring, FIFO ]  ◀── put from anywhere ────────────────────┤
//   alloc_pages ◀── put_page ── released: unmapped, signature gone, release count up ◀── refcount ≠ 1, pfmemalloc, ring full
//
// Not modelled: the locks (every call is one step of the caller's schedule), page init callbacks, XDP's disconnect hook.
import { assert, ModelBug } from "../../../base/assert.ts";
import { eventKind } from "../../../kernel/events.ts";
import type { PoolNapi } from "./direct/direct.ts";
import { createDmaAddresses } from "./page_pool_address.ts";
import { type PoolLife, poolLives } from "./page_pool_lives.ts";
import type { DmaDirection, PageCutting, PagePoolOptions, PoolParts } from "./page_pool_params.ts";
import {
  FULL_SYNC,
  gfp61,
  identityDma,
  NUMA_NO_NODE,
  PP_ALLOC_CACHE_REFILL,
  PP_ALLOC_CACHE_SIZE,
  PP_FLAG_DMA_MAP,
  PP_FLAG_DMA_SYNC_DEV,
  PP_FLAG_PAGE_FRAG,
  poolParts61,
} from "./page_pool_params.ts";
import * as rows from "./page_pool_rows.ts";
import { type PoolView, viewPools } from "./page_pool_view.ts";
import { createPtrRings, type PtrRings } from "./ptr_ring.ts";

export * from "./page_pool_params.ts";

const {
  LIVE,
  FLAGS,
  ORDER,
  NID,
  USERS,
  DESTROYS,
  CACHED_PAGES,
  HOLD,
  RELEASED,
  FRAG_PAGE,
  FRAG_OFFSET,
  FRAG_USERS,
  FAST,
  SLOW,
  SLOW_HIGH_ORDER,
  EMPTY,
  REFILL,
  WAIVE,
  CACHED,
  CACHE_FULL,
  RING,
  RING_FULL,
  RELEASED_REFCNT,
  COUNTS_USERS,
  SPECIAL,
  ROW_SHIFT,
  CACHE_SHIFT,
} = rows;

export interface PagePools extends PoolView, PoolLife, PageCutting {
  /** page_pool_alloc_pages(): a pfn, or -1. */
  allocPages: (pool: number, gfp: number) => number;
  /** page_pool_alloc_frag(): a pfn or -1; the place in the page is lastFragOffset(). */
  allocFrag: (pool: number, sizeBytes: number, gfp: number) => number;
  /** Offset in bytes of the fragment that allocFrag() gave last. */
  lastFragOffset: () => number;
  allocSized: (pool: number, sizeBytes: number, gfp: number) => number;
  /** Bytes that allocSized() gave last. */
  lastFragBytes: () => number;
  /** page_pool_put_page(): one user less; the last one sends the page home. `syncSize` bytes may have been written. */
  putPage: (pool: number, pfn: number, syncSize: number, allowDirect: boolean) => void;
  /** page_pool_put_page_bulk(): overwrites the first entries of `pfns`, as the kernel does; ring_full counts once a call. */
  putPageBulk: (pool: number, pfns: Int32Array, count: number) => void;
  /** page_pool_put_full_page() */
  putFullPage: (pool: number, pfn: number, allowDirect: boolean) => void;
  /** page_pool_recycle_direct() */
  recycleDirect: (pool: number, pfn: number) => void;
  /** page_pool_release_page(): the page leaves the pool for good; whoever holds it returns it to the page allocator. */
  releasePage: (pool: number, pfn: number) => void;
  /** page_pool_return_skb_page(): true when the page was a pool's and one reference of the skb went there. */
  returnSkbPage(anyPfn: number): boolean;
  /** page_pool_update_nid(): the cache is flushed, the ring is checked page by page at the next refill. */
  updateNid(pool: number, node: number): void;
  /** page_pool_use_xdp_mem(): one more user that will call destroy(). */
  useXdpMem(pool: number): void;
  /** page_pool_inflight(): pages held and not released; 32-bit serial arithmetic, so both counters may wrap. */
  inflight: (pool: number) => number;
  dmaAddress: (pfn: number) => number;
  /** Starts both counters elsewhere, so that a run can cross their 32-bit wrap. */
  setCounters(pool: number, start: number): void;
  readonly rings: PtrRings;
  readonly poolsMax: number;
  readonly pfnMax: number;
  /** page_pool_ref_page() of a page that is a pool's: one more user, counted; false for pages of others. */
  shareSkbPage(anyPfn: number): boolean;
}

/** Makes the pools of one machine. Ownership: a page handed out belongs to the caller until one of the put or release functions. */
export function createPagePools(options: PagePoolOptions): PagePools {
  const { pages, journal, context, pfnMax, pieces } = options;
  const refusedIn = journal.textId("__page_pool_alloc_pages_slow");
  const poolsMax = options.poolsMax ?? 64;
  const pageSize = options.pageSize ?? 4096;
  const parts: PoolParts = { ...poolParts61, ...options };
  const { wordBits, fragAlign, slowPathPages } = parts;
  assert(
    pfnMax > 0 && poolsMax > 0 && slowPathPages > 0 && slowPathPages <= PP_ALLOC_CACHE_REFILL && fragAlign > 0,
    () => `${poolsMax} pools of ${pfnMax} pages, ${slowPathPages} at once, fragments aligned to ${fragAlign}`,
  );
  const gfpBits = options.gfp ?? gfp61;
  const everyPageCounts = parts.users.everyPage;
  const countsEachFragment = parts.fragmentStats === "each fragment";
  const dma = options.dma ?? identityDma(pageSize);
  const rings = createPtrRings(poolsMax, options.ringSlots ?? Math.min(1 << 16, poolsMax << 14));

  // Cache and ring hold pfn + 1, so that 0 is nothing. On hot paths `| 0` says that nothing there leaves 32 bits.
  // One row a pool: hot fields side by side in one array.
  const P = new Int32Array(poolsMax << ROW_SHIFT);
  const cache = new Int32Array(poolsMax * PP_ALLOC_CACHE_SIZE);
  const maxLen = new Float64Array(poolsMax);
  const offset = new Float64Array(poolsMax);
  const direction = new Array<DmaDirection>(poolsMax).fill("from_device");
  const consumerCpu = new Int32Array(poolsMax).fill(-1);
  const napis = new Array<PoolNapi | undefined>(poolsMax).fill(undefined);

  /** The u64 counters: doubles are exact up to 2^53, and need no carry. */
  const counts = new Float64Array(poolsMax << ROW_SHIFT);
  const countUp = (at: number): void => {
    counts[at] = (counts[at] as number) + 1;
  };
  const unsigned = (pool: number, field: number): number => (P[(pool << ROW_SHIFT) + field] as number) >>> 0;

  // One row a page. `pp` is page->pp plus one; 0: no signature, not a pool's page.
  const pp = new Int32Array(pfnMax);
  const { get: dmaAddress, set: setDmaAddress, wideOnNarrow, home: dmaHome } = createDmaAddresses(options);

  const bulk = new Int32Array(PP_ALLOC_CACHE_REFILL);
  let lastFragOffset = 0;
  let lastFragBytes = 0;

  const { page_pool_state_hold: kindHold, page_pool_state_release: kindRelease } = eventKind;

  const warn = (text: string, a = 0, b = 0): void => {
    if (journal.heard) journal.emit(eventKind.warning, journal.textId(text), a, b);
  };

  const users = parts.users.create(pfnMax, warn);
  const mayGoDirect = parts.direct.create(context, { cpu: consumerCpu, napi: napis });
  const { bias: usersBias, delta: usersDelta } = users;

  /** page_pool_dma_sync_for_device() */
  const syncForDevice = (pool: number, pfn: number, size: number): void => {
    dma.syncForDevice(dmaAddress(pfn), offset[pool] as number, Math.min(size, maxLen[pool] as number));
  };

  /** page_pool_dma_map() */
  const dmaMap = (pool: number, pfn: number): boolean => {
    const address = dma.map(pfn, P[(pool << ROW_SHIFT) + ORDER] as number, direction[pool] as DmaDirection);
    if (address < 0) return false;
    setDmaAddress(pfn, address);
    if (dmaHome === "page number" && dmaAddress(pfn) !== address) {
      // Since 6.7 an address that does not fit is noticed: the page is not used.
      dma.unmap(address, P[(pool << ROW_SHIFT) + ORDER] as number);
      return false;
    }
    if (((P[(pool << ROW_SHIFT) + FLAGS] as number) & PP_FLAG_DMA_SYNC_DEV) !== 0)
      syncForDevice(pool, pfn, maxLen[pool] as number);
    return true;
  };

  /** The page is the pool's from here: signature, owner, hold count. */
  const adopt = (pool: number, pfn: number): void => {
    if (pfn >= pfnMax) throw new ModelBug(`pfn ${pfn} beyond the ${pfnMax} pages of this machine`);
    pp[pfn] = pool + 1;
    if (everyPageCounts) users.setOne(pfn);
    P[(pool << ROW_SHIFT) + HOLD] = ((P[(pool << ROW_SHIFT) + HOLD] as number) + 1) | 0;
    if (journal.heard) journal.emit(kindHold, pool, pfn, unsigned(pool, HOLD));
  };

  /** adopt() of the whole bulk where nothing is mapped and nobody listens: straight into the empty cache. */
  const adoptQuietly = (pool: number, got: number): number => {
    const at = pool << CACHE_SHIFT;
    const owner = (pool + 1) | 0;
    for (let i = 0; i < got; i++) {
      const pfn = bulk[i] as number;
      if (pfn >= pfnMax) throw new ModelBug(`pfn ${pfn} beyond the ${pfnMax} pages of this machine`);
      pp[pfn] = owner;
      if (everyPageCounts) {
        usersBias[pfn] = 0;
        usersDelta[pfn] = 1;
      }
      cache[(at + i) | 0] = (pfn + 1) | 0;
    }
    P[(pool << ROW_SHIFT) + HOLD] = ((P[(pool << ROW_SHIFT) + HOLD] as number) + got) | 0;
    return got;
  };

  /** The page is nobody's pool's from here. */
  const disown = (pool: number, pfn: number): void => {
    const row = pool << ROW_SHIFT;
    pp[pfn] = 0;
    P[row + RELEASED] = ((P[row + RELEASED] as number) + 1) | 0;
    if (journal.heard) journal.emit(kindRelease, pool, pfn, unsigned(pool, RELEASED));
  };

  /** __page_pool_unmap_netmem_dma(): once a page; since 6.16 those that are still out when the pool ends are unmapped then. */
  const dmaUnmap = (pool: number, pfn: number): void => {
    if (parts.unmapsAtDestroy && P[(pool << ROW_SHIFT) + DESTROYS] !== 0) return;
    dma.unmap(dmaAddress(pfn), P[(pool << ROW_SHIFT) + ORDER] as number);
    setDmaAddress(pfn, 0);
  };

  const releasePage = (pool: number, pfn: number): void => {
    if (((P[(pool << ROW_SHIFT) + FLAGS] as number) & PP_FLAG_DMA_MAP) !== 0) dmaUnmap(pool, pfn);
    disown(pool, pfn);
  };

  /** page_pool_return_page() */
  const returnPage = (pool: number, pfn: number): void => {
    releasePage(pool, pfn);
    pages.putPage(pfn);
  };

  let wantedNode = 0;
  const ofWantedNode = (value: number): boolean => pages.nodeOf((value - 1) | 0) === wantedNode;

  /** page_pool_refill_alloc_cache(): up to 64 from the ring while they are of the right node. */
  const refillAllocCache = (pool: number): number => {
    if (rings.empty(pool)) {
      countUp((pool << ROW_SHIFT) + EMPTY);
      return -1;
    }
    wantedNode =
      P[(pool << ROW_SHIFT) + NID] === NUMA_NO_NODE ? context.node : (P[(pool << ROW_SHIFT) + NID] as number);
    const at = pool << CACHE_SHIFT;
    // Only an empty cache is refilled.
    const n = rings.consumeWhile(pool, cache, at, PP_ALLOC_CACHE_REFILL, ofWantedNode);
    const refused = rings.refused();
    if (refused !== 0) {
      returnPage(pool, refused - 1);
      countUp((pool << ROW_SHIFT) + WAIVE);
    }
    if (n === 0) return -1;
    P[(pool << ROW_SHIFT) + CACHED_PAGES] = n - 1;
    countUp((pool << ROW_SHIFT) + REFILL);
    return (cache[at + n - 1] as number) - 1;
  };

  /** __page_pool_alloc_page_order() */
  const allocPageOrder = (pool: number, gfp: number): number => {
    const pfn = pages.allocPages(gfp | gfpBits.comp, P[(pool << ROW_SHIFT) + ORDER] as number);
    if (pfn < 0) {
      journal.refused(refusedIn);
      return -1;
    }
    if (((P[(pool << ROW_SHIFT) + FLAGS] as number) & PP_FLAG_DMA_MAP) !== 0 && !dmaMap(pool, pfn)) {
      pages.putPage(pfn);
      return -1;
    }
    countUp((pool << ROW_SHIFT) + SLOW_HIGH_ORDER);
    adopt(pool, pfn);
    return pfn;
  };

  /** __page_pool_alloc_pages_slow() before 5.13: one page, which does not pass through the cache. */
  const allocOnePage = (pool: number, gfp: number): number => {
    const row = pool << ROW_SHIFT;
    const order = P[row + ORDER] as number;
    const pfn = pages.allocPages(order > 0 ? gfp | gfpBits.comp : gfp, order);
    if (pfn < 0) {
      journal.refused(refusedIn);
      return -1;
    }
    if (((P[row + FLAGS] as number) & PP_FLAG_DMA_MAP) !== 0 && !dmaMap(pool, pfn)) {
      pages.putPage(pfn);
      return -1;
    }
    countUp(row + (order > 0 ? SLOW_HIGH_ORDER : SLOW));
    adopt(pool, pfn);
    return pfn;
  };

  /** __page_pool_alloc_pages_slow(): 64 pages at once; the last one is handed out, the others wait in the cache. */
  const allocInBulk = (pool: number, gfp: number): number => {
    const mask = (gfp & gfpBits.atomic) === gfpBits.atomic ? gfp | gfpBits.nowarn : gfp;
    if ((P[(pool << ROW_SHIFT) + ORDER] as number) > 0) return allocPageOrder(pool, mask);
    const got = pages.allocPagesBulk(mask, slowPathPages, bulk);
    const mapped = (P[(pool << ROW_SHIFT) + FLAGS] as number) & PP_FLAG_DMA_MAP;
    const at = pool << CACHE_SHIFT;
    let n = P[(pool << ROW_SHIFT) + CACHED_PAGES] as number;
    if (mapped === 0 && !journal.heard) n = adoptQuietly(pool, got);
    else
      for (let i = 0; i < got; i++) {
        const pfn = bulk[i] as number;
        if (mapped !== 0 && !dmaMap(pool, pfn)) {
          pages.putPage(pfn);
          continue;
        }
        adopt(pool, pfn);
        cache[(at + n) | 0] = (pfn + 1) | 0;
        n = (n + 1) | 0;
      }
    if (n === 0) {
      journal.refused(refusedIn);
      return -1;
    }
    P[(pool << ROW_SHIFT) + CACHED_PAGES] = n - 1;
    countUp((pool << ROW_SHIFT) + SLOW);
    return (cache[at + n - 1] as number) - 1;
  };

  const allocPagesSlow = slowPathPages === 1 ? allocOnePage : allocInBulk;

  const allocPagesUncached = (pool: number, gfp: number): number => {
    const pfn = refillAllocCache(pool);
    return pfn >= 0 ? pfn : allocPagesSlow(pool, gfp);
  };

  const allocPages = (pool: number, gfp: number): number => {
    const row = pool << ROW_SHIFT;
    const n = ((P[row + CACHED_PAGES] as number) - 1) | 0;
    if (n < 0) return allocPagesUncached(pool, gfp) | 0;
    P[row + CACHED_PAGES] = n;
    countUp(row + FAST);
    return ((cache[(pool << CACHE_SHIFT) + n] as number) - 1) | 0;
  };

  /** The page is dealt with when it went into the cache; otherwise it may go to the ring. */
  const recycleInCache = (pool: number, pfn: number): boolean => {
    const row = pool << ROW_SHIFT;
    const n = P[row + CACHED_PAGES] as number;
    if (n === PP_ALLOC_CACHE_SIZE) {
      countUp(row + CACHE_FULL);
      return false;
    }
    cache[(pool << CACHE_SHIFT) + n] = (pfn + 1) | 0;
    P[row + CACHED_PAGES] = (n + 1) | 0;
    countUp(row + CACHED);
    return true;
  };

  const recycleInRing = (pool: number, pfn: number): void => {
    if (rings.produce(pool, (pfn + 1) | 0)) {
      countUp((pool << ROW_SHIFT) + RING);
      return;
    }
    countUp((pool << ROW_SHIFT) + RING_FULL);
    returnPage(pool, pfn);
  };

  /** Somebody else holds the page, or it is of the emergency reserve: it leaves the pool. */
  const giveUp = (pool: number, pfn: number): void => {
    countUp((pool << ROW_SHIFT) + RELEASED_REFCNT);
    returnPage(pool, pfn);
  };

  /** The first half of __page_pool_put_page(): true when the page stays the pool's, false when it was released. */
  const keeps = (pool: number, pfn: number, syncSize: number): boolean => {
    if (pages.pageCount(pfn) === 1 && !pages.isPfmemalloc(pfn)) {
      if (((P[(pool << ROW_SHIFT) + FLAGS] as number) & PP_FLAG_DMA_SYNC_DEV) !== 0) syncForDevice(pool, pfn, syncSize);
      return true;
    }
    giveUp(pool, pfn);
    return false;
  };

  const putPage = (pool: number, pfn: number, syncSize: number, allowDirect: boolean): void => {
    const row = pool << ROW_SHIFT;
    pieces?.back(pfn);
    if (P[row + SPECIAL] !== 0) {
      putSpecialPage(pool, pfn, syncSize, allowDirect);
      return;
    }
    // Most pages have one user, and are home with him.
    if (everyPageCounts && (usersDelta[pfn] !== 1 || usersBias[pfn] !== 0) && users.drop(pfn) !== 0) return;
    if (pages.pageCount(pfn) !== 1 || pages.isPfmemalloc(pfn)) {
      // As giveUp(), with nothing to unmap.
      countUp(row + RELEASED_REFCNT);
      disown(pool, pfn);
      pages.putPage(pfn);
      return;
    }
    if (mayGoDirect(pool, allowDirect) && recycleInCache(pool, pfn)) return;
    recycleInRing(pool, pfn);
  };

  /** The same for pools that cut fragments by a flag, map their pages or sync them. */
  const putSpecialPage = (pool: number, pfn: number, syncSize: number, allowDirect: boolean): void => {
    if (P[(pool << ROW_SHIFT) + COUNTS_USERS] !== 0 && users.drop(pfn) !== 0) return;
    if (!keeps(pool, pfn, syncSize)) return;
    if (mayGoDirect(pool, allowDirect) && recycleInCache(pool, pfn)) return;
    recycleInRing(pool, pfn);
  };

  const putPageBulk = (pool: number, pfns: Int32Array, count: number): void => {
    assert(count <= pfns.length, () => `${count} pages of a list of ${pfns.length}`);
    let n = 0;
    const direct = mayGoDirect(pool, false);
    for (let i = 0; i < count; i++) {
      const pfn = pages.compoundHead(pfns[i] as number);
      if (P[(pool << ROW_SHIFT) + COUNTS_USERS] !== 0 && users.drop(pfn) !== 0) continue;
      if (!keeps(pool, pfn, FULL_SYNC)) continue;
      if (!(direct && recycleInCache(pool, pfn))) pfns[n++] = pfn;
    }
    let i = 0;
    while (i < n && rings.produce(pool, (pfns[i] as number) + 1)) i++;
    if (i < n) countUp((pool << ROW_SHIFT) + RING_FULL);
    counts[(pool << ROW_SHIFT) + RING] = (counts[(pool << ROW_SHIFT) + RING] as number) + i;
    for (; i < n; i++) returnPage(pool, pfns[i] as number);
  };

  /** page_pool_drain_frag(): the fragment page may start over when no user but the pool is left. */
  const drainFrag = (pool: number, pfn: number): boolean => {
    if (users.dropBias(pfn, P[(pool << ROW_SHIFT) + FRAG_USERS] as number) !== 0) return false;
    if (pages.pageCount(pfn) === 1 && !pages.isPfmemalloc(pfn)) {
      if (((P[(pool << ROW_SHIFT) + FLAGS] as number) & PP_FLAG_DMA_SYNC_DEV) !== 0)
        syncForDevice(pool, pfn, FULL_SYNC);
      return true;
    }
    returnPage(pool, pfn);
    return false;
  };

  const cutsFragments = (pool: number): boolean =>
    parts.fragments === "any pool" ||
    (parts.fragments === "flagged pools" && ((P[(pool << ROW_SHIFT) + FLAGS] as number) & PP_FLAG_PAGE_FRAG) !== 0);

  const allocFrag = (pool: number, sizeBytes: number, gfp: number): number => {
    assert(P[(pool << ROW_SHIFT) + LIVE] === 1, () => `pool ${pool} is not alive`);
    const room = pageSize << (P[(pool << ROW_SHIFT) + ORDER] as number);
    if (!cutsFragments(pool) || sizeBytes > room) {
      warn("page_pool_alloc_frag: no fragment pool, or more than a page asked for", pool, sizeBytes);
      return -1;
    }
    const size = Math.ceil(sizeBytes / fragAlign) * fragAlign;
    let pfn = P[(pool << ROW_SHIFT) + FRAG_PAGE] as number;
    const at = P[(pool << ROW_SHIFT) + FRAG_OFFSET] as number;
    let again = false;
    if (pfn >= 0 && at + size > room) {
      again = drainFrag(pool, pfn);
      if (again) {
        countUp((pool << ROW_SHIFT) + FAST);
        if (!countsEachFragment) countUp((pool << ROW_SHIFT) + CACHED);
      } else pfn = -1;
    }
    if (pfn < 0) {
      pfn = allocPages(pool, gfp);
      P[(pool << ROW_SHIFT) + FRAG_PAGE] = pfn;
      if (pfn < 0) return -1;
      again = true;
    }
    if (again) {
      P[(pool << ROW_SHIFT) + FRAG_USERS] = 1;
      P[(pool << ROW_SHIFT) + FRAG_OFFSET] = size;
      users.setBias(pfn);
      pieces?.given(pfn);
      lastFragOffset = 0;
      return pfn;
    }
    pieces?.given(pfn);
    P[(pool << ROW_SHIFT) + FRAG_USERS] = (P[(pool << ROW_SHIFT) + FRAG_USERS] as number) + 1;
    P[(pool << ROW_SHIFT) + FRAG_OFFSET] = at + size;
    if (countsEachFragment) countUp((pool << ROW_SHIFT) + FAST);
    lastFragOffset = at;
    return pfn;
  };

  /**
   * page_pool_alloc(), since 6.7: a whole page for more than half of one, else a fragment, which gets the rest of the page where no other of its
   * size would fit. The place is lastFragOffset(), the bytes are lastFragBytes().
   */
  const allocSized = (pool: number, sizeBytes: number, gfp: number): number => {
    const row = pool << ROW_SHIFT;
    const room = pageSize << (P[row + ORDER] as number);
    if (sizeBytes * 2 > room) {
      lastFragOffset = 0;
      lastFragBytes = room;
      return allocPages(pool, gfp);
    }
    const pfn = allocFrag(pool, sizeBytes, gfp);
    lastFragBytes = sizeBytes;
    if (pfn >= 0 && (P[row + FRAG_OFFSET] as number) + sizeBytes > room) {
      lastFragBytes = room - lastFragOffset;
      P[row + FRAG_OFFSET] = room;
    }
    return pfn;
  };

  const inflight = (pool: number): number =>
    ((P[(pool << ROW_SHIFT) + HOLD] as number) - (P[(pool << ROW_SHIFT) + RELEASED] as number)) | 0;

  const flushCache = (pool: number): void => {
    for (let n = (P[(pool << ROW_SHIFT) + CACHED_PAGES] as number) - 1; n >= 0; n--) {
      P[(pool << ROW_SHIFT) + CACHED_PAGES] = n;
      returnPage(pool, (cache[(pool << CACHE_SHIFT) + n] as number) - 1);
    }
  };

  const lives = poolLives({
    P,
    counts,
    maxLen,
    offset,
    direction,
    consumerCpu,
    napis,
    pp,
    poolsMax,
    pfnMax,
    parts,
    fragmentsHaveNoPlace: wideOnNarrow && dmaHome !== "page number",
    journal,
    pages,
    rings,
    users,
    warn,
    inflight,
    flushCache,
    dmaUnmap,
    returnPage,
  });

  return {
    ...lives,
    allocPages,
    allocFrag,
    lastFragOffset: () => lastFragOffset,
    allocSized,
    lastFragBytes: () => lastFragBytes,
    putPage,
    putPageBulk,
    putFullPage: (pool: number, pfn: number, allowDirect: boolean): void => putPage(pool, pfn, FULL_SYNC, allowDirect),
    recycleDirect: (pool: number, pfn: number): void => putPage(pool, pfn, FULL_SYNC, true),
    releasePage,
    returnSkbPage(anyPfn: number): boolean {
      const pfn = pages.compoundHead(anyPfn);
      const owner = pp[pfn] as number;
      if (owner === 0) return false;
      putPage(owner - 1, pfn, FULL_SYNC, false);
      return true;
    },
    updateNid(pool: number, node: number): void {
      P[(pool << ROW_SHIFT) + NID] = node;
      flushCache(pool);
    },
    useXdpMem(pool: number): void {
      P[(pool << ROW_SHIFT) + USERS] = (P[(pool << ROW_SHIFT) + USERS] as number) + 1;
    },
    inflight,
    dmaAddress,
    fragmentFlag: parts.fragments === "flagged pools" ? PP_FLAG_PAGE_FRAG : 0,
    fragmentPage: users.setBias,
    pieceGiven: (pfn: number): void => pieces?.given(pfn),
    pieceKept: (pfn: number): void => pieces?.back(pfn),
    unrefFragments(pool: number, pfn: number, given: number, allowDirect: boolean): void {
      if (users.dropBias(pfn, given) !== 0 || !keeps(pool, pfn, FULL_SYNC)) return;
      if (mayGoDirect(pool, allowDirect) && recycleInCache(pool, pfn)) return;
      recycleInRing(pool, pfn);
    },
    addFragmentUser: users.add,
    setCounters(pool: number, start: number): void {
      P[(pool << ROW_SHIFT) + HOLD] = start + inflight(pool);
      P[(pool << ROW_SHIFT) + RELEASED] = start;
    },
    rings,
    poolsMax,
    pfnMax,
    shareSkbPage(anyPfn: number): boolean {
      const pfn = pages.compoundHead(anyPfn);
      if (pp[pfn] === 0) return false;
      users.add(pfn);
      pieces?.given(pfn);
      return true;
    },
    ...viewPools({
      P,
      counts,
      cache,
      maxLen,
      offset,
      direction,
      pp,
      users,
      rings,
      maxUsers: parts.users.bias(wordBits),
    }),
  };
}
