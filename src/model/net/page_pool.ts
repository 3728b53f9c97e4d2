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
import { assert } from "../../base/assert.ts";
import { eventKind } from "../../kernel/events.ts";
import type { Journal } from "../journal.ts";
import type { PageAllocator } from "../mm/pages.ts";
import { createPtrRings, ringBatch } from "./ptr_ring.ts";

/** PP_FLAG_DMA_MAP: the pool maps and unmaps. */
export const PP_FLAG_DMA_MAP = 1;
/** PP_FLAG_DMA_SYNC_DEV: the pool syncs for the device whenever a page becomes the device's again. */
export const PP_FLAG_DMA_SYNC_DEV = 2;
/** PP_FLAG_PAGE_FRAG: page_pool_alloc_frag() may be used. */
export const PP_FLAG_PAGE_FRAG = 4;
export const PP_ALLOC_CACHE_SIZE = 128;
export const PP_ALLOC_CACHE_REFILL = 64;
/** Bits that page->pp_magic holds while a page belongs to a pool (x86_64: POISON_POINTER_DELTA + 0x40). */
export const PP_SIGNATURE = 0xdead000000000040n;
export const NUMA_NO_NODE = -1;
export const EINVAL = 22;
export const ENOMEM = 12;
/** Whole page, whatever the pool's max_len says (the kernel passes -1 as unsigned). */
export const FULL_SYNC = 0xffffffff;
const DEFER_NANOS = 1_000_000_000;
const DEFER_WARN_NANOS = 60_000_000_000;

export type DmaDirection = "from_device" | "bidirectional" | "to_device";

/** struct page_pool_params. Lengths in bytes; a poolSize of 0 means the default of 1024. */
export interface PoolParams {
  readonly flags: number;
  readonly order: number;
  readonly poolSize: number;
  readonly nid: number;
  readonly dmaDir: DmaDirection;
  readonly maxLen: number;
  readonly offset: number;
}

export const defaultPoolParams: PoolParams = {
  flags: 0,
  order: 0,
  poolSize: 0,
  nid: NUMA_NO_NODE,
  dmaDir: "from_device",
  maxLen: 0,
  offset: 0,
};

/** What the pool asks of the DMA API. Addresses are numbers below 2^53; map gives -1 for a mapping error. */
export interface DmaMapper {
  /** dma_map_page_attrs(…, DMA_ATTR_SKIP_CPU_SYNC) of 2^order pages. */
  map(pfn: number, order: number, direction: DmaDirection): number;
  /** dma_unmap_page_attrs(…, DMA_ATTR_SKIP_CPU_SYNC). */
  unmap(address: number, order: number): void;
  /** dma_sync_single_range_for_device() */
  syncForDevice(address: number, offset: number, size: number): void;
}

/** Where the caller runs; the machine keeps it up to date. */
export interface PoolContext {
  /** in_softirq(): also true with bottom halves disabled. */
  inSoftirq: boolean;
  /** numa_mem_id() */
  node: number;
}

/** page_pool_get_stats(), in the order of `ethtool -S`. */
export interface PoolStats {
  readonly fast: number;
  readonly slow: number;
  readonly slowHighOrder: number;
  readonly empty: number;
  readonly refill: number;
  readonly waive: number;
  readonly cached: number;
  readonly cacheFull: number;
  readonly ring: number;
  readonly ringFull: number;
  readonly releasedRefcnt: number;
}

/** Where struct page keeps the DMA address: the dated fact dmaAddressHome (kernel/facts/page_pool.ts). */
export type DmaAddressHome = "private" | "field";

export interface PagePoolOptions {
  readonly pages: PageAllocator;
  readonly journal: Journal;
  readonly context: PoolContext;
  /** Pages are pfn 0 .. pfnMax-1. */
  readonly pfnMax: number;
  readonly poolsMax?: number;
  readonly pageSize?: number;
  /** 32 or 64: width of unsigned long, which bounds page->private and pp_frag_count. */
  readonly wordBits?: 32 | 64;
  /** Width of dma_addr_t. */
  readonly dmaBits?: 32 | 64;
  readonly dmaAddressHome?: DmaAddressHome;
  readonly dma?: DmaMapper;
  /** Alignment of a fragment: max(dma_get_cache_alignment(), alignof(skb_shared_info)). */
  readonly fragAlign?: number;
  /** Every page of a pool counts its pool users (pp_ref_count, 6.8 and newer), not only those of fragment pools (pp_frag_count). */
  readonly ppRefCount?: boolean;
  /** Masks of this release: GFP_ATOMIC, __GFP_NOWARN, __GFP_COMP. */
  readonly gfp?: { readonly atomic: number; readonly nowarn: number; readonly comp: number };
}

const gfp61 = { atomic: 0xa20, nowarn: 0x2000, comp: 0x40000 };

export type PagePools = ReturnType<typeof createPagePools>;

/** Makes the pools of one machine. Ownership: a page handed out belongs to the caller until one of the put or release functions. */
export function createPagePools(options: PagePoolOptions) {
  const { pages, journal, context, pfnMax } = options;
  const poolsMax = options.poolsMax ?? 64;
  const pageSize = options.pageSize ?? 4096;
  const wordBits = options.wordBits ?? 64;
  const dmaBits = options.dmaBits ?? 64;
  const dmaHome = options.dmaAddressHome ?? "field";
  const fragAlign = options.fragAlign ?? 8;
  const gfpBits = options.gfp ?? gfp61;
  const everyPageCounts = options.ppRefCount ?? false;
  const dma = options.dma ?? identityDma(pageSize);
  const rings = createPtrRings(poolsMax);

  // One row a pool.
  const live = new Uint8Array(poolsMax);
  const flags = new Int32Array(poolsMax);
  const order = new Int32Array(poolsMax);
  const nid = new Int32Array(poolsMax);
  const maxLen = new Float64Array(poolsMax);
  const offset = new Float64Array(poolsMax);
  const direction = new Array<DmaDirection>(poolsMax).fill("from_device");
  const users = new Int32Array(poolsMax);
  const destroyCount = new Int32Array(poolsMax);
  const cacheCount = new Int32Array(poolsMax);
  const cache = new Int32Array(poolsMax * PP_ALLOC_CACHE_SIZE);
  const hold = new Uint32Array(poolsMax);
  const released = new Uint32Array(poolsMax);
  const fragPage = new Int32Array(poolsMax).fill(-1);
  const fragOffset = new Int32Array(poolsMax);
  const fragUsers = new Int32Array(poolsMax);
  const deferDue = new Float64Array(poolsMax).fill(-1);
  const deferStart = new Float64Array(poolsMax);
  const deferWarn = new Float64Array(poolsMax);

  const fast = new Float64Array(poolsMax);
  const slow = new Float64Array(poolsMax);
  const slowHighOrder = new Float64Array(poolsMax);
  const empty = new Float64Array(poolsMax);
  const refill = new Float64Array(poolsMax);
  const waive = new Float64Array(poolsMax);
  const cached = new Float64Array(poolsMax);
  const cacheFull = new Float64Array(poolsMax);
  const ringed = new Float64Array(poolsMax);
  const ringFull = new Float64Array(poolsMax);
  const releasedRefcnt = new Float64Array(poolsMax);

  // One row a page. `pp` is page->pp plus one; 0: no signature, not a pool's page.
  const pp = new Int32Array(pfnMax);
  const dmaLow = new Uint32Array(pfnMax);
  const dmaHigh = new Uint32Array(pfnMax);
  // pp_frag_count = fragBias * BIAS_MAX + fragDelta: BIAS_MAX is LONG_MAX, which no double holds.
  const fragBias = new Int8Array(pfnMax);
  const fragDelta = new Int32Array(pfnMax);

  const bulk = new Int32Array(PP_ALLOC_CACHE_REFILL);
  let lastFragOffset = 0;

  const {
    page_pool_state_hold: kindHold,
    page_pool_state_release: kindRelease,
    page_pool_release: kindInflight,
  } = eventKind;

  const warn = (text: string, a = 0, b = 0): void => {
    if (journal.heard) journal.emit(eventKind.warning, journal.textId(text), a, b);
  };

  const setDmaAddress = (pfn: number, address: number): void => {
    dmaLow[pfn] = address % 4294967296;
    const high = Math.floor(address / 4294967296);
    // page->private is one unsigned long; the later field is a dma_addr_t (in two words where a word is too narrow).
    dmaHigh[pfn] = dmaBits === 32 || (dmaHome === "private" && wordBits === 32) ? 0 : high;
  };

  const dmaAddress = (pfn: number): number => (dmaHigh[pfn] as number) * 4294967296 + (dmaLow[pfn] as number);

  /** page_pool_dma_sync_for_device() */
  const syncForDevice = (pool: number, pfn: number, size: number): void => {
    dma.syncForDevice(dmaAddress(pfn), offset[pool] as number, Math.min(size, maxLen[pool] as number));
  };

  /** page_pool_dma_map() */
  const dmaMap = (pool: number, pfn: number): boolean => {
    const address = dma.map(pfn, order[pool] as number, direction[pool] as DmaDirection);
    if (address < 0) return false;
    setDmaAddress(pfn, address);
    if (((flags[pool] as number) & PP_FLAG_DMA_SYNC_DEV) !== 0) syncForDevice(pool, pfn, maxLen[pool] as number);
    return true;
  };

  const setUsers = (pfn: number, n: number): void => {
    fragBias[pfn] = 0;
    fragDelta[pfn] = n;
  };

  /** The page is the pool's from here: signature, owner, hold count. */
  const adopt = (pool: number, pfn: number): void => {
    assert(pfn >= 0 && pfn < pfnMax, () => `pfn ${pfn} beyond the ${pfnMax} pages of this machine`);
    pp[pfn] = pool + 1;
    if (everyPageCounts) setUsers(pfn, 1);
    hold[pool] = (hold[pool] as number) + 1;
    if (journal.heard) journal.emit(kindHold, pool, pfn, hold[pool]);
  };

  /** page_pool_release_page(): the page leaves the pool for good; whoever holds it returns it to the page allocator. */
  const releasePage = (pool: number, pfn: number): void => {
    if (((flags[pool] as number) & PP_FLAG_DMA_MAP) !== 0) {
      dma.unmap(dmaAddress(pfn), order[pool] as number);
      setDmaAddress(pfn, 0);
    }
    pp[pfn] = 0;
    released[pool] = (released[pool] as number) + 1;
    if (journal.heard) journal.emit(kindRelease, pool, pfn, released[pool]);
  };

  /** page_pool_return_page() */
  const returnPage = (pool: number, pfn: number): void => {
    releasePage(pool, pfn);
    pages.putPage(pfn);
  };

  /** page_pool_refill_alloc_cache(): up to 64 from the ring while they are of the right node. */
  const refillAllocCache = (pool: number): number => {
    if (rings.empty(pool)) {
      empty[pool] = (empty[pool] as number) + 1;
      return -1;
    }
    const want = nid[pool] === NUMA_NO_NODE ? context.node : (nid[pool] as number);
    const at = pool * PP_ALLOC_CACHE_SIZE;
    let n = cacheCount[pool] as number;
    do {
      const value = rings.consume(pool);
      if (value === 0) break;
      const pfn = value - 1;
      if (pages.nodeOf(pfn) !== want) {
        returnPage(pool, pfn);
        waive[pool] = (waive[pool] as number) + 1;
        break;
      }
      cache[at + n++] = pfn;
    } while (n < PP_ALLOC_CACHE_REFILL);
    if (n === 0) return -1;
    cacheCount[pool] = n - 1;
    refill[pool] = (refill[pool] as number) + 1;
    return cache[at + n - 1] as number;
  };

  /** __page_pool_alloc_page_order() */
  const allocPageOrder = (pool: number, gfp: number): number => {
    const pfn = pages.allocPages(gfp | gfpBits.comp, order[pool] as number);
    if (pfn < 0) return -1;
    if (((flags[pool] as number) & PP_FLAG_DMA_MAP) !== 0 && !dmaMap(pool, pfn)) {
      pages.putPage(pfn);
      return -1;
    }
    slowHighOrder[pool] = (slowHighOrder[pool] as number) + 1;
    adopt(pool, pfn);
    return pfn;
  };

  /** __page_pool_alloc_pages_slow(): 64 pages at once; the last one is handed out, the others wait in the cache. */
  const allocPagesSlow = (pool: number, gfp: number): number => {
    const mask = (gfp & gfpBits.atomic) === gfpBits.atomic ? gfp | gfpBits.nowarn : gfp;
    if ((order[pool] as number) > 0) return allocPageOrder(pool, mask);
    const got = pages.allocPagesBulk(mask, PP_ALLOC_CACHE_REFILL, bulk);
    const mapped = ((flags[pool] as number) & PP_FLAG_DMA_MAP) !== 0;
    const at = pool * PP_ALLOC_CACHE_SIZE;
    let n = cacheCount[pool] as number;
    for (let i = 0; i < got; i++) {
      const pfn = bulk[i] as number;
      if (mapped && !dmaMap(pool, pfn)) {
        pages.putPage(pfn);
        continue;
      }
      adopt(pool, pfn);
      cache[at + n++] = pfn;
    }
    if (n === 0) return -1;
    cacheCount[pool] = n - 1;
    slow[pool] = (slow[pool] as number) + 1;
    return cache[at + n - 1] as number;
  };

  const allocPagesUncached = (pool: number, gfp: number): number => {
    const pfn = refillAllocCache(pool);
    return pfn >= 0 ? pfn : allocPagesSlow(pool, gfp);
  };

  /** page_pool_alloc_pages(): a pfn, or -1. */
  const allocPages = (pool: number, gfp: number): number => {
    const n = (cacheCount[pool] as number) - 1;
    if (n < 0) return allocPagesUncached(pool, gfp);
    cacheCount[pool] = n;
    fast[pool] = (fast[pool] as number) + 1;
    return cache[pool * PP_ALLOC_CACHE_SIZE + n] as number;
  };

  /** page_pool_defrag_page(page, 1): users that stay, 0 for the last one. */
  const dropFragment = (pfn: number): number => {
    const delta = fragDelta[pfn] as number;
    if (fragBias[pfn] === 0 && delta === 1) return 0;
    fragDelta[pfn] = delta - 1;
    if (fragBias[pfn] !== 0) return 1;
    if (delta - 1 < 0) warn("page_pool_defrag_page: pp_frag_count below zero", pfn, delta - 1);
    return delta - 1;
  };

  /** page_pool_defrag_page(page, BIAS_MAX - users): what remains when the pool gives up its bias. */
  const dropBias = (pfn: number, given: number): number => {
    if (fragBias[pfn] === 1 && fragDelta[pfn] === -given) {
      if (everyPageCounts) setUsers(pfn, 1);
      return 0;
    }
    fragBias[pfn] = (fragBias[pfn] as number) - 1;
    fragDelta[pfn] = (fragDelta[pfn] as number) + given;
    const left = fragBias[pfn] === 0 ? (fragDelta[pfn] as number) : -1;
    if (left < 0) warn("page_pool_defrag_page: pp_frag_count below zero", pfn, left);
    return left;
  };

  /** page_pool_is_last_frag() */
  const isLastFrag = (pool: number, pfn: number): boolean =>
    (!everyPageCounts && ((flags[pool] as number) & PP_FLAG_PAGE_FRAG) === 0) || dropFragment(pfn) === 0;

  /** __page_pool_put_page(): true when the page may go to the ring, false when it is dealt with. */
  const putPageChecked = (pool: number, pfn: number, syncSize: number, allowDirect: boolean): boolean => {
    if (pages.pageCount(pfn) === 1 && !pages.isPfmemalloc(pfn)) {
      if (((flags[pool] as number) & PP_FLAG_DMA_SYNC_DEV) !== 0) syncForDevice(pool, pfn, syncSize);
      if (!allowDirect || !context.inSoftirq) return true;
      const n = cacheCount[pool] as number;
      if (n === PP_ALLOC_CACHE_SIZE) {
        cacheFull[pool] = (cacheFull[pool] as number) + 1;
        return true;
      }
      cache[pool * PP_ALLOC_CACHE_SIZE + n] = pfn;
      cacheCount[pool] = n + 1;
      cached[pool] = (cached[pool] as number) + 1;
      return false;
    }
    releasedRefcnt[pool] = (releasedRefcnt[pool] as number) + 1;
    returnPage(pool, pfn);
    return false;
  };

  /** page_pool_put_defragged_page() */
  const putDefraggedPage = (pool: number, pfn: number, syncSize: number, allowDirect: boolean): void => {
    if (!putPageChecked(pool, pfn, syncSize, allowDirect)) return;
    if (rings.produce(pool, pfn + 1)) {
      ringed[pool] = (ringed[pool] as number) + 1;
    } else {
      ringFull[pool] = (ringFull[pool] as number) + 1;
      returnPage(pool, pfn);
    }
  };

  /** page_pool_put_page(): one user less; the last one sends the page home. `syncSize` bytes may have been written. */
  const putPage = (pool: number, pfn: number, syncSize: number, allowDirect: boolean): void => {
    if (isLastFrag(pool, pfn)) putDefraggedPage(pool, pfn, syncSize, allowDirect);
  };

  /** page_pool_put_page_bulk(): overwrites the first entries of `pfns`, as the kernel does; ring_full counts once a call. */
  const putPageBulk = (pool: number, pfns: Int32Array, count: number): void => {
    let n = 0;
    for (let i = 0; i < count; i++) {
      const pfn = pages.compoundHead(pfns[i] as number);
      if (isLastFrag(pool, pfn) && putPageChecked(pool, pfn, FULL_SYNC, false)) pfns[n++] = pfn;
    }
    let i = 0;
    while (i < n && rings.produce(pool, (pfns[i] as number) + 1)) i++;
    if (i < n) ringFull[pool] = (ringFull[pool] as number) + 1;
    ringed[pool] = (ringed[pool] as number) + i;
    for (; i < n; i++) returnPage(pool, pfns[i] as number);
  };

  /** page_pool_drain_frag(): the fragment page may start over when no user but the pool is left. */
  const drainFrag = (pool: number, pfn: number): boolean => {
    if (dropBias(pfn, fragUsers[pool] as number) !== 0) return false;
    if (pages.pageCount(pfn) === 1 && !pages.isPfmemalloc(pfn)) {
      if (((flags[pool] as number) & PP_FLAG_DMA_SYNC_DEV) !== 0) syncForDevice(pool, pfn, FULL_SYNC);
      return true;
    }
    returnPage(pool, pfn);
    return false;
  };

  /** page_pool_alloc_frag(): a pfn or -1; the place in the page is lastFragOffset(). */
  const allocFrag = (pool: number, sizeBytes: number, gfp: number): number => {
    const room = pageSize << (order[pool] as number);
    if (((flags[pool] as number) & PP_FLAG_PAGE_FRAG) === 0 || sizeBytes > room) {
      warn("page_pool_alloc_frag: no fragment pool, or more than a page asked for", pool, sizeBytes);
      return -1;
    }
    const size = Math.ceil(sizeBytes / fragAlign) * fragAlign;
    let pfn = fragPage[pool] as number;
    const at = fragOffset[pool] as number;
    let again = false;
    if (pfn >= 0 && at + size > room) {
      again = drainFrag(pool, pfn);
      if (again) fast[pool] = (fast[pool] as number) + 1;
      else pfn = -1;
    }
    if (pfn < 0) {
      pfn = allocPages(pool, gfp);
      fragPage[pool] = pfn;
      if (pfn < 0) return -1;
      again = true;
    }
    if (again) {
      fragUsers[pool] = 1;
      fragOffset[pool] = size;
      fragBias[pfn] = 1;
      fragDelta[pfn] = 0;
      lastFragOffset = 0;
      return pfn;
    }
    fragUsers[pool] = (fragUsers[pool] as number) + 1;
    fragOffset[pool] = at + size;
    fast[pool] = (fast[pool] as number) + 1;
    lastFragOffset = at;
    return pfn;
  };

  /** page_pool_inflight(): pages held and not released; 32-bit serial arithmetic, so both counters may wrap. */
  const inflight = (pool: number): number => ((hold[pool] as number) - (released[pool] as number)) | 0;

  /** page_pool_release(): empties cache and ring, frees the pool when nothing is out; gives what is in flight. */
  const release = (pool: number): number => {
    if (destroyCount[pool] === 0) {
      while ((cacheCount[pool] as number) > 0) {
        cacheCount[pool] = (cacheCount[pool] as number) - 1;
        returnPage(pool, cache[pool * PP_ALLOC_CACHE_SIZE + (cacheCount[pool] as number)] as number);
      }
    }
    destroyCount[pool] = (destroyCount[pool] as number) + 1;
    for (let value = rings.consume(pool); value !== 0; value = rings.consume(pool)) {
      const count = pages.pageCount(value - 1);
      if (count !== 1) warn(`page_pool_empty_ring() page_pool refcnt ${count} violation`, value - 1, count);
      returnPage(pool, value - 1);
    }
    const left = inflight(pool);
    if (journal.heard) journal.emit(kindInflight, pool, left, hold[pool], released[pool]);
    if (left < 0) warn(`Negative(${left}) inflight packet-pages`, pool, left);
    if (left === 0) free(pool);
    return left;
  };

  const free = (pool: number): void => {
    rings.cleanup(pool);
    live[pool] = 0;
    deferDue[pool] = -1;
  };

  /** page_pool_create(): a pool, or -EINVAL or -ENOMEM with the kernel's warning. */
  const create = (params: PoolParams): number => {
    const pool = live.indexOf(0);
    const error = paramsError(params, dmaBits > wordBits) ?? (pool < 0 ? ENOMEM : undefined);
    if (error !== undefined) {
      warn(`page_pool_create() gave up with errno -${error}`, -error);
      return -error;
    }
    const size = params.poolSize === 0 ? 1024 : Math.min(params.poolSize, 16384);
    rings.init(pool, size, ringBatch(size, 64, wordBits / 8));
    live[pool] = 1;
    flags[pool] = params.flags;
    order[pool] = params.order;
    nid[pool] = params.nid;
    maxLen[pool] = params.maxLen;
    offset[pool] = params.offset;
    direction[pool] = params.dmaDir;
    users[pool] = 1;
    fragPage[pool] = -1;
    for (const column of [destroyCount, cacheCount, hold, released, fragOffset, fragUsers, ...statColumns])
      column[pool] = 0;
    return pool;
  };
  const statColumns = [
    fast,
    slow,
    slowHighOrder,
    empty,
    refill,
    waive,
    cached,
    cacheFull,
    ringed,
    ringFull,
    releasedRefcnt,
  ];

  /** page_pool_destroy(): frees at once, or waits for the pages that are out: runDelayed() goes on. */
  const destroy = (pool: number): void => {
    users[pool] = (users[pool] as number) - 1;
    if (users[pool] !== 0) return;
    const pfn = fragPage[pool] as number;
    fragPage[pool] = -1;
    if (pfn >= 0 && dropBias(pfn, fragUsers[pool] as number) === 0) returnPage(pool, pfn);
    if (release(pool) === 0) return;
    deferStart[pool] = journal.nanos;
    deferWarn[pool] = journal.nanos + DEFER_WARN_NANOS;
    deferDue[pool] = journal.nanos + DEFER_NANOS;
  };

  /** page_pool_release_retry(), for every pool whose second is over; the jiffy slack of the timer wheel is not modelled. */
  const runDelayed = (nanos: number): void => {
    for (let pool = 0; pool < poolsMax; pool++) {
      while (live[pool] === 1 && deferDue[pool] !== -1 && nanos >= (deferDue[pool] as number)) {
        const now = deferDue[pool] as number;
        const left = release(pool);
        if (left <= 0) {
          deferDue[pool] = -1;
          break;
        }
        if (now >= (deferWarn[pool] as number)) {
          const seconds = Math.floor((now - (deferStart[pool] as number)) / 1e9);
          warn(`page_pool_release_retry() stalled pool shutdown ${left} inflight ${seconds} sec`, left, seconds);
          deferWarn[pool] = now + DEFER_WARN_NANOS;
        }
        deferDue[pool] = now + DEFER_NANOS;
      }
    }
  };

  return {
    create,
    allocPages,
    allocFrag,
    /** Offset in bytes of the fragment that allocFrag() gave last. */
    lastFragOffset: () => lastFragOffset,
    putPage,
    putPageBulk,
    /** page_pool_put_full_page() */
    putFullPage: (pool: number, pfn: number, allowDirect: boolean): void => putPage(pool, pfn, FULL_SYNC, allowDirect),
    /** page_pool_recycle_direct() */
    recycleDirect: (pool: number, pfn: number): void => putPage(pool, pfn, FULL_SYNC, true),
    releasePage,
    /** page_pool_return_skb_page(): true when the page was a pool's and one reference of the skb went there. */
    returnSkbPage(anyPfn: number): boolean {
      const pfn = pages.compoundHead(anyPfn);
      const owner = pp[pfn] as number;
      if (owner === 0) return false;
      putPage(owner - 1, pfn, FULL_SYNC, false);
      return true;
    },
    /** page_pool_update_nid(): the cache is flushed, the ring is checked page by page at the next refill. */
    updateNid(pool: number, node: number): void {
      nid[pool] = node;
      for (let n = (cacheCount[pool] as number) - 1; n >= 0; n--) {
        cacheCount[pool] = n;
        returnPage(pool, cache[pool * PP_ALLOC_CACHE_SIZE + n] as number);
      }
    },
    /** page_pool_use_xdp_mem(): one more user that will call destroy(). */
    useXdpMem(pool: number): void {
      users[pool] = (users[pool] as number) + 1;
    },
    destroy,
    runDelayed,
    inflight,
    /** The simulated moment of the next delayed release, or -1. */
    nextDelayed: (): number => {
      let first = -1;
      for (const due of deferDue) if (due >= 0 && (first < 0 || due < first)) first = due;
      return first;
    },
    isLive: (pool: number): boolean => live[pool] === 1,
    /** page->pp of the head page when the signature is there, else -1. */
    poolOf: (pfn: number): number => (pp[pfn] as number) - 1,
    dmaAddress,
    /** Pool users that a page can have counted: 0 where this kernel does not count them. */
    fragmentUsers: (pfn: number): number => {
      const owner = pp[pfn] as number;
      if (owner === 0) return 0;
      if (!everyPageCounts && ((flags[owner - 1] as number) & PP_FLAG_PAGE_FRAG) === 0) return 0;
      return fragBias[pfn] === 0
        ? (fragDelta[pfn] as number)
        : (fragDelta[pfn] as number) + (fragUsers[owner - 1] as number);
    },
    /** One more pool user of a counted page: page_pool_ref_page() (6.8), atomic_long_inc of pp_frag_count before. */
    addFragmentUser(pfn: number): void {
      fragDelta[pfn] = (fragDelta[pfn] as number) + 1;
    },
    /** pp_frag_count, exactly. */
    fragCount: (pfn: number): bigint =>
      BigInt(fragBias[pfn] as number) * ((1n << BigInt(wordBits - 1)) - 1n) + BigInt(fragDelta[pfn] as number),
    fragPage: (pool: number): number => fragPage[pool] as number,
    fragOffset: (pool: number): number => fragOffset[pool] as number,
    fragUsers: (pool: number): number => fragUsers[pool] as number,
    cacheCount: (pool: number): number => cacheCount[pool] as number,
    /** Oldest first; the last one is handed out next. */
    cacheContents: (pool: number): number[] =>
      Array.from(cache.subarray(pool * PP_ALLOC_CACHE_SIZE, pool * PP_ALLOC_CACHE_SIZE + (cacheCount[pool] as number))),
    /** pfns in the order of consumption. */
    ringContents: (pool: number): number[] => rings.contents(pool).map((value) => value - 1),
    rings,
    holdCount: (pool: number): number => hold[pool] as number,
    releaseCount: (pool: number): number => released[pool] as number,
    /** Starts both counters elsewhere, so that a run can cross their 32-bit wrap. */
    setCounters(pool: number, start: number): void {
      hold[pool] = start + inflight(pool);
      released[pool] = start;
    },
    params: (pool: number): PoolParams => ({
      flags: flags[pool] as number,
      order: order[pool] as number,
      poolSize: rings.size(pool),
      nid: nid[pool] as number,
      dmaDir: direction[pool] as DmaDirection,
      maxLen: maxLen[pool] as number,
      offset: offset[pool] as number,
    }),
    stats: (pool: number): PoolStats => ({
      fast: fast[pool] as number,
      slow: slow[pool] as number,
      slowHighOrder: slowHighOrder[pool] as number,
      empty: empty[pool] as number,
      refill: refill[pool] as number,
      waive: waive[pool] as number,
      cached: cached[pool] as number,
      cacheFull: cacheFull[pool] as number,
      ring: ringed[pool] as number,
      ringFull: ringFull[pool] as number,
      releasedRefcnt: releasedRefcnt[pool] as number,
    }),
    poolsMax,
    pfnMax,
  };
}

/** The checks of page_pool_init() in its order; undefined when the parameters are good. */
function paramsError(params: PoolParams, dmaWiderThanWord: boolean): number | undefined {
  const { flags } = params;
  if ((flags & ~(PP_FLAG_DMA_MAP | PP_FLAG_DMA_SYNC_DEV | PP_FLAG_PAGE_FRAG)) !== 0) return EINVAL;
  if ((flags & PP_FLAG_DMA_MAP) !== 0 && params.dmaDir === "to_device") return EINVAL;
  if ((flags & PP_FLAG_DMA_SYNC_DEV) !== 0 && ((flags & PP_FLAG_DMA_MAP) === 0 || params.maxLen === 0)) return EINVAL;
  // The upper half of a wide address lies where the fragment count would be.
  if (dmaWiderThanWord && (flags & PP_FLAG_PAGE_FRAG) !== 0) return EINVAL;
  return undefined;
}

/** No IOMMU: bus addresses lie one page above the physical ones (so that none is 0, "not mapped"), and nothing can fail. */
function identityDma(pageSize: number): DmaMapper {
  return {
    map: (pfn) => (pfn + 1) * pageSize,
    unmap() {},
    syncForDevice() {},
  };
}
