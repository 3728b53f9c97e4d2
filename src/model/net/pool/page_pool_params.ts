// What a pool is asked for, what it asks for, what it counts (include/net/page_pool.h, 6.1.192); the pool itself is page_pool.ts.
import type { Journal } from "../../journal.ts";
import type { PageAllocator } from "../../mm/pages.ts";
import type { DirectPart, PoolNapi } from "./direct/direct.ts";
import { directInSoftirq } from "./direct/in_softirq.ts";
import type { PoolContext } from "./pool_context.ts";
import { usersByFragments } from "./users/by_fragments.ts";
import type { UsersPart } from "./users/users.ts";

/** PP_FLAG_DMA_MAP: the pool maps and unmaps. */
export const PP_FLAG_DMA_MAP = 1;
/** PP_FLAG_DMA_SYNC_DEV: the pool syncs for the device whenever a page becomes the device's again. */
export const PP_FLAG_DMA_SYNC_DEV = 2;
/** PP_FLAG_PAGE_FRAG: page_pool_alloc_frag() may be used. */
export const PP_FLAG_PAGE_FRAG = 4;
export const PP_ALLOC_CACHE_SIZE = 128;
export const PP_ALLOC_CACHE_REFILL = 64;
export const NUMA_NO_NODE = -1;
export const EINVAL = 22;
export const ENOMEM = 12;
export const E2BIG = 7;
/** Whole page, whatever the pool's max_len says (the kernel passes -1 as unsigned). */
export const FULL_SYNC = 0xffffffff;

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
  /** page_pool_create_percpu(): the only CPU whose softirqs consume the pool; every CPU when -1 or left out. */
  readonly cpu?: number;
  /** Who consumes the pool, where the driver says so. */
  readonly napi?: PoolNapi;
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

/** Where struct page keeps the DMA address: "private" is one unsigned long, "field" as wide as the address, "page number" without its offset. */
export type DmaAddressHome = "private" | "field" | "page number";

/** What a release picks of page pools. */
export interface PoolParts {
  readonly users: UsersPart;
  readonly direct: DirectPart;
  /** Where struct page keeps the DMA address. */
  readonly dmaAddressHome: DmaAddressHome;
  /** 32 or 64: width of unsigned long, which bounds page->private and the count of users. */
  readonly wordBits: 32 | 64;
  /** Pages that the slow path asks for at once: 64 in bulk, or 1. */
  readonly slowPathPages: number;
  /** Slots of a ring at most; asking for more is clamped, or refused with -E2BIG. */
  readonly ringLimit: { readonly slots: number; readonly beyond: "E2BIG" | "clamped" };
  /** PP_FLAG_ALL */
  readonly knownFlags: number;
  /** Which pools cut fragments. */
  readonly fragments: "none" | "flagged pools" | "any pool";
  /** Alignment of a fragment. */
  readonly fragAlign: number;
  /** What page_pool_alloc_frag() counts. */
  readonly fragmentStats: "each fragment" | "each page";
  /** page_pool_destroy() unmaps what is still out. */
  readonly unmapsAtDestroy: boolean;
  /** The report of a stalled shutdown names the pool. */
  readonly stallNamesPool: boolean;
}

/** 6.1.192 on 64 bits: what tests and studies take that say nothing else; model/kernels has every release. */
export const poolParts61: PoolParts = {
  users: usersByFragments,
  direct: directInSoftirq,
  dmaAddressHome: "field",
  wordBits: 64,
  slowPathPages: 64,
  ringLimit: { slots: 16384, beyond: "clamped" },
  knownFlags: 7,
  fragments: "flagged pools",
  fragAlign: 8,
  fragmentStats: "each fragment",
  unmapsAtDestroy: false,
  stallNamesPool: false,
};

/** Pieces of pages: what a pool counts beside the page's own reference. */
export interface PoolPieces {
  given(pfn: number): void;
  /** Also of pages that were never cut: nothing happens then. */
  back(pfn: number): void;
}

/** For drivers that cut a pool's pages up themselves, and for those who share a piece. */
export interface PageCutting {
  /** What a pool must be made with for its pages to be cut up; 0 where any may. */
  readonly fragmentFlag: number;
  /** page_pool_fragment_page(): the driver cuts the page up itself, and says at last how many pieces it gave away. */
  fragmentPage: (pfn: number) => void;
  /** The driver counts a piece of such a page as given, or as not given after all. */
  pieceGiven: (pfn: number) => void;
  pieceKept: (pfn: number) => void;
  /** page_pool_unref_page() with what was not given, and page_pool_put_unrefed_page() when nobody has a piece any more. */
  unrefFragments(pool: number, pfn: number, given: number, allowDirect: boolean): void;
  /** One more pool user of a counted page: page_pool_ref_page() (6.8), atomic_long_inc of pp_frag_count before. */
  addFragmentUser: (pfn: number) => void;
}

export interface PagePoolOptions extends Partial<PoolParts> {
  readonly pages: PageAllocator;
  readonly journal: Journal;
  readonly context: PoolContext;
  /** Pages are pfn 0 .. pfnMax-1. */
  readonly pfnMax: number;
  readonly poolsMax?: number;
  /** Slots that all rings have together; page_pool_create() gives -ENOMEM beyond. */
  readonly ringSlots?: number;
  readonly pageSize?: number;
  /** Width of dma_addr_t. */
  readonly dmaBits?: 32 | 64;
  readonly dma?: DmaMapper;
  /** Is told of each piece of a page that is given away and comes back: whoever watches references must know that it is one. */
  readonly pieces?: PoolPieces;
  /** Masks of this release: GFP_ATOMIC, __GFP_NOWARN, __GFP_COMP. */
  readonly gfp?: { readonly atomic: number; readonly nowarn: number; readonly comp: number };
}

/** GFP_ATOMIC, __GFP_NOWARN, __GFP_COMP of 6.1. */
export const gfp61 = { atomic: 0xa20, nowarn: 0x2000, comp: 0x40000 };

/** The checks of page_pool_init() in its order; undefined when the parameters are good. */
export function paramsError(
  params: PoolParams,
  fragmentsHaveNoPlace: boolean,
  { ringLimit: limit, knownFlags, fragments }: PoolParts,
): number | undefined {
  const { flags } = params;
  if ((flags & ~knownFlags) !== 0) return EINVAL;
  if (limit.beyond === "E2BIG" && params.poolSize > limit.slots) return E2BIG;
  if ((flags & PP_FLAG_DMA_MAP) !== 0 && params.dmaDir === "to_device") return EINVAL;
  if ((flags & PP_FLAG_DMA_SYNC_DEV) !== 0 && ((flags & PP_FLAG_DMA_MAP) === 0 || params.maxLen === 0)) return EINVAL;
  // The upper half of a wide address lies where the fragment count would be.
  if (fragmentsHaveNoPlace && fragments === "flagged pools" && (flags & PP_FLAG_PAGE_FRAG) !== 0) return EINVAL;
  return undefined;
}

/** No IOMMU: bus addresses lie one page above the physical ones (so that none is 0, "not mapped"), and nothing can fail. */
export function identityDma(pageSize: number): DmaMapper {
  return {
    map: (pfn) => (pfn + 1) * pageSize,
    unmap() {},
    syncForDevice() {},
  };
}
