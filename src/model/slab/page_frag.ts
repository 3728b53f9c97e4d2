// page_frag: one big page handed out in pieces. Before 6.13 from its end downwards (mm/page_alloc.c 5.10.223, 6.1.192, 6.12.117), since then
// from its start upwards (mm/page_frag_cache.c 7.2.12).
//
//   downwards     |.............<--- 1472 ---><-- 896 -->|      offset is where the last piece starts
//   upwards       |<-- 896 --><--- 1472 --->.............|      offset is where the last piece ends
//
// The cache takes 32768 references at once and remembers in `bias` how many it still holds for pieces not yet cut; each piece
// carries one. Nobody holds a piece any more when the page's count equals the bias: then the same page is used again.
import { assert } from "../../base/assert.ts";
import type { Journal } from "../journal.ts";
import type { PageAllocator } from "../mm/pages.ts";
import type { SlabGfp } from "./slab_gfp.ts";

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
  /** Pieces are cut from the start of the page, not from its end. */
  readonly upwards: boolean;
  /** page_frag_alloc_align(): address of `bytes` bytes, its offset masked by `alignMask` (-1 for none); -1 without memory, or for more than fits. */
  alloc(bytes: number, gfp: number, alignMask: number): number;
  /** The page in use came out of the emergency reserve. */
  pfmemalloc(): boolean;
  state(): PageFragState;
  /** __page_frag_cache_drain(): gives up the page with the references that no piece carries. */
  drain(): void;
}

export interface PageFragOptions {
  readonly pages: PageAllocator;
  readonly pageSize?: number;
  /** Told when a page could not be had. */
  readonly journal?: Journal;
}

/** Makes an empty cache: a kernel's choice of {@link pageFragDown} or {@link pageFragUp}. */
export type PageFragMaker = (options: PageFragOptions) => PageFragCache;

/** How a kernel asks for the big page. */
export interface PageFragRules {
  readonly gfp: SlabGfp;
  /** The big page is asked for without direct reclaim (since 6.12 at the latest; not in 6.1.192). */
  readonly bigNeverSleeps: boolean;
}

/** The page in use and its references: what both directions share. */
interface PageHeld {
  pfn: number;
  size: number;
  bias: number;
  reserve: boolean;
  /** A page with all its references; false without memory. */
  refill(gfp: number): boolean;
  /** The page's last user is gone: all references are taken anew. False when pieces are out, or the page belongs to the reserve: it is let go. */
  reuse(): boolean;
  drain(): void;
}

function pageHeld(options: PageFragOptions, rules: PageFragRules): PageHeld {
  const { pages, journal } = options;
  const pageSize = options.pageSize ?? 4096;
  const refusedIn = journal?.textId("page_frag_alloc") ?? 0;
  const { gfp: bits } = rules;
  const added = bits.comp | bits.silent | bits.noMemalloc;
  const dropped = rules.bigNeverSleeps ? bits.mayReclaim : 0;
  let bigOrder = 0;
  while (pageSize << bigOrder < pageFragMaxBytes) bigOrder++;
  const held: PageHeld = {
    pfn: -1,
    size: pageSize,
    bias: 0,
    reserve: false,
    /** __page_frag_cache_refill(): the big page without noise, else a single one as the caller asked. */
    refill(gfp) {
      held.pfn = bigOrder > 0 ? pages.allocPages((gfp & ~dropped) | added, bigOrder) : -1;
      held.size = held.pfn >= 0 ? pageSize << bigOrder : pageSize;
      if (held.pfn < 0) held.pfn = pages.allocPages(gfp, 0);
      if (held.pfn < 0) {
        journal?.refused(refusedIn);
        return false;
      }
      pages.addPageRefs(held.pfn, pageFragMaxBytes);
      held.reserve = pages.isPfmemalloc(held.pfn);
      held.bias = pageFragMaxBytes + 1;
      return true;
    },
    reuse() {
      const { pfn, bias } = held;
      if (pages.pageCount(pfn) !== bias || held.reserve) {
        held.pfn = -1;
        pages.addPageRefs(pfn, -bias);
        return false;
      }
      pages.addPageRefs(pfn, pageFragMaxBytes + 1 - bias);
      held.bias = pageFragMaxBytes + 1;
      return true;
    },
    drain() {
      const { pfn } = held;
      held.pfn = -1;
      if (pfn >= 0) pages.addPageRefs(pfn, -held.bias);
    },
  };
  return held;
}

/** page_frag_alloc_align() that cuts from the end (mm/page_alloc.c 5.10.223, 6.1.192, 6.12.117). */
export function pageFragDown(rules: PageFragRules): PageFragMaker {
  return (options) => {
    const pageSize = options.pageSize ?? 4096;
    const held = pageHeld(options, rules);
    let offset = 0;
    const fill = (gfp: number): boolean => {
      if (!held.refill(gfp)) return false;
      offset = held.size;
      return true;
    };
    return {
      upwards: false,
      alloc(bytes, gfp, alignMask) {
        assert(bytes >= 0, () => `a page fragment of ${bytes} bytes`);
        if (held.pfn < 0 && !fill(gfp)) return -1;
        let at = offset - bytes;
        while (at < 0) {
          if (!held.reuse()) {
            if (!fill(gfp)) return -1;
            at = offset - bytes;
            continue;
          }
          at = held.size - bytes;
          // Larger than the page: nothing is given and the page is kept, its offset unchanged.
          if (at < 0) return -1;
        }
        held.bias--;
        at &= alignMask;
        offset = at;
        return held.pfn * pageSize + at;
      },
      pfmemalloc: () => held.reserve,
      state: () => ({ pfn: held.pfn, offset, sizeBytes: held.size, bias: held.bias, pfmemalloc: held.reserve }),
      drain: held.drain,
    };
  };
}

/** __page_frag_alloc_align() that cuts from the start (mm/page_frag_cache.c 7.2.12; since 6.13). */
export function pageFragUp(rules: PageFragRules): PageFragMaker {
  return (options) => {
    const pageSize = options.pageSize ?? 4096;
    const held = pageHeld(options, rules);
    let offset = 0;
    const fill = (gfp: number): boolean => {
      if (!held.refill(gfp)) return false;
      offset = 0;
      return true;
    };
    return {
      upwards: true,
      alloc(bytes, gfp, alignMask) {
        assert(bytes >= 0, () => `a page fragment of ${bytes} bytes`);
        if (held.pfn < 0 && !fill(gfp)) return -1;
        let at = (offset + ~alignMask) & alignMask;
        while (at + bytes > held.size) {
          // Only a piece of a page or less is worth a new page: a larger one is refused, and the page is kept for others.
          if (bytes > pageSize) return -1;
          if (held.reuse()) at = 0;
          else if (fill(gfp)) at = 0;
          else return -1;
        }
        held.bias--;
        offset = at + bytes;
        return held.pfn * pageSize + at;
      },
      pfmemalloc: () => held.reserve,
      state: () => ({ pfn: held.pfn, offset, sizeBytes: held.size, bias: held.bias, pfmemalloc: held.reserve }),
      drain: held.drain,
    };
  };
}
