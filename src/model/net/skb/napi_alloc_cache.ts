// Where receive heads are cut from: the per-CPU caches of net/core/skbuff.c (6.1.192): page fragments, 1 KiB slices, spare sk_buffs.
//
//   order-3 page     |.............<--- 1472 ---><-- 896 -->|   cut downwards from the end; every piece holds one page reference
//   order-0 page     |   0   |  1024 |  2048 |  3072  |         slices from the top; the page starts with four references
import { sliceBytes } from "../../../kernel/facts/skb_heads.ts";
import type { Journal } from "../../journal.ts";
import type { PageAllocator } from "../../mm/pages.ts";
import type { PageFragCache, PageFragMaker } from "../../slab/page_frag.ts";

/** One page_frag_cache (slab/page_frag.ts). */
export type FragCache = Pick<PageFragCache, "alloc" | "pfmemalloc">;

/** The 1 KiB slices of an order-0 page (page_frag_alloc_1k). */
export interface SliceCache {
  alloc(gfp: number): number;
  pfmemalloc(): boolean;
}

/** What one CPU keeps for receiving. */
export interface ReceiveCaches {
  /** napi_alloc_cache.page */
  readonly frags: FragCache;
  /** napi_alloc_cache.page_small */
  readonly slices: SliceCache;
  /** skb_free_frag(): a piece, by its address, that no skb was made of. */
  free(address: number): void;
}

/** page_frag_alloc_1k(): one reference to the page for each slice, taken when the page is. */
export function createSliceCache(pages: PageAllocator, pageSize: number): SliceCache {
  let pfn = -1;
  let offset = 0;
  let pfmemalloc = false;
  return {
    alloc(gfp) {
      if (offset < sliceBytes) {
        const fresh = pages.allocPages(gfp, 0);
        if (fresh < 0) return -1;
        pfn = fresh;
        pfmemalloc = pages.isPfmemalloc(pfn);
        offset = pageSize;
        pages.addPageRefs(pfn, pageSize / sliceBytes - 1);
      }
      offset -= sliceBytes;
      return pfn * pageSize + offset;
    },
    pfmemalloc: () => pfmemalloc,
  };
}

/** page_frag_free() of the view that the caches take their pages from. */
export const pieceFree =
  (pages: PageAllocator, pageSize: number): ReceiveCaches["free"] =>
  (address) =>
    pages.putPage(Math.floor(address / pageSize));

/** The receive caches of `cpus` CPUs, empty; `pageFrag` is the kernel's own. */
export function createReceiveCaches(
  pageFrag: PageFragMaker,
  pages: PageAllocator,
  cpus: number,
  pageSize = 4096,
  journal?: Journal,
): readonly ReceiveCaches[] {
  return Array.from({ length: cpus }, () => ({
    frags: pageFrag({ pages, pageSize, ...(journal === undefined ? {} : { journal }) }),
    slices: createSliceCache(pages, pageSize),
    free: pieceFree(pages, pageSize),
  }));
}
