// page_frag: one big page handed out in pieces from its end downwards (mm/page_alloc.c 6.1.192, page_frag_alloc_align()).
//
//   order-3 page     |.............<--- 1472 ---><-- 896 -->|      offset moves left; when a piece does not fit, the page is left
//
// The cache takes 32768 references at once and remembers in `bias` how many it still holds for pieces not yet cut; each piece
// carries one. Nobody holds a piece any more when the page's count equals the bias: then the same page is used again.
import type { Release } from "../../kernel/release.ts";
import type { Journal } from "../journal.ts";
import type { PageAllocator } from "../mm/pages.ts";
import { slabGfp } from "./slab_gfp.ts";

/** PAGE_FRAG_CACHE_MAX_SIZE: the page's bytes where it can be had, and the references taken with it. */
export const pageFragMaxBytes = 32768;

/** struct page_frag_cache; pfn -1 while there is no page. */
export interface PageFragState {
  readonly pfn: number;
  readonly offset: number;
  readonly sizeBytes: number;
  readonly bias: number;
  readonly pfmemalloc: boolean;
}

/** One page_frag_cache. A piece's reference is dropped with PageAllocator.putPage (page_frag_free()). */
export interface PageFragCache {
  /** page_frag_alloc_align(): address of `bytes` bytes, its offset masked by `alignMask` (-1 for none); -1 without memory, or for more than fits. */
  alloc(bytes: number, gfp: number, alignMask: number): number;
  /** The page in use came out of the emergency reserve. */
  pfmemalloc(): boolean;
  state(): PageFragState;
  /** __page_frag_cache_drain(): gives up the page with the references that no piece carries. */
  drain(): void;
}

export interface PageFragOptions {
  readonly release: Release;
  readonly pages: PageAllocator;
  readonly pageSize?: number;
  /** Told when a page could not be had. */
  readonly journal?: Journal;
}

export function createPageFragCache(options: PageFragOptions): PageFragCache {
  const { pages, journal } = options;
  const refusedIn = journal?.textId("page_frag_alloc") ?? 0;
  const pageSize = options.pageSize ?? 4096;
  const bits = slabGfp(options.release);
  const big = bits.comp | bits.silent | bits.noMemalloc;
  let bigOrder = 0;
  while (pageSize << bigOrder < pageFragMaxBytes) bigOrder++;
  let pfn = -1;
  let offset = 0;
  let size = pageSize;
  let bias = 0;
  let reserve = false;

  /** __page_frag_cache_refill(): the big page without noise, else a single one as the caller asked. */
  const refill = (gfp: number): boolean => {
    pfn = -1;
    if (bigOrder > 0) {
      pfn = pages.allocPages(gfp | big, bigOrder);
      size = pfn >= 0 ? pageFragMaxBytes : pageSize;
    }
    if (pfn < 0) pfn = pages.allocPages(gfp, 0);
    if (pfn < 0) {
      journal?.refused(refusedIn);
      return false;
    }
    pages.addPageRefs(pfn, pageFragMaxBytes);
    reserve = pages.isPfmemalloc(pfn);
    bias = pageFragMaxBytes + 1;
    offset = size;
    return true;
  };

  return {
    alloc(bytes, gfp, alignMask) {
      if (pfn < 0 && !refill(gfp)) return -1;
      let at = offset - bytes;
      while (at < 0) {
        if (pages.pageCount(pfn) !== bias || reserve) {
          // Pieces are out, or the page belongs to the reserve: it goes when its last user goes.
          pages.addPageRefs(pfn, -bias);
          if (!refill(gfp)) return -1;
          at = offset - bytes;
          continue;
        }
        pages.addPageRefs(pfn, pageFragMaxBytes + 1 - bias);
        bias = pageFragMaxBytes + 1;
        at = size - bytes;
        // Larger than the page: nothing is given and the page is kept, its offset unchanged.
        if (at < 0) return -1;
      }
      bias--;
      at &= alignMask;
      offset = at;
      return pfn * pageSize + at;
    },
    pfmemalloc: () => reserve,
    state: () => ({ pfn, offset, sizeBytes: size, bias, pfmemalloc: reserve }),
    drain() {
      if (pfn >= 0) pages.addPageRefs(pfn, -bias);
      pfn = -1;
    },
  };
}
