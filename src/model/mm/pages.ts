// What slab, net and the drivers see of the page allocator: the narrow interface between mm and everything above it.
// Pages are named by pfn. The real allocator (page_alloc.ts) provides it; tests may use the naive one below.
import { assert } from "../../base/assert.ts";

/** Ownership: allocPages gives the caller one reference to the whole block; putPage gives it back. */
export interface PageAllocator {
  /** alloc_pages(): first pfn of a block of 2^order pages, or -1 (a kernel outcome, not an error). `gfp` is a mask of this machine's release. */
  allocPages(gfp: number, order: number): number;
  /** __free_pages(): drops one reference of the block at `pfn`; the last one frees it. */
  freePages(pfn: number, order: number): void;
  /** get_page(): one more reference; a tail page counts on its head. */
  getPage(pfn: number): void;
  /** put_page(): one reference less; the last one frees the block with the order it was allocated with. */
  putPage(pfn: number): void;
  /** page_ref_count() of the page's head. */
  pageCount(pfn: number): number;
  /** page_ref_add()/page_ref_sub(): bulk references, as page_frag and fragmented pools take them. */
  addPageRefs(pfn: number, n: number): void;
  /** compound_head(): the first pfn of the allocated block that `pfn` belongs to. */
  compoundHead(pfn: number): number;
  /** compound_order() of the block that `pfn` belongs to. */
  compoundOrder(pfn: number): number;
  /** alloc_pages_bulk_array(): fills `into` with order-0 pfns; returns how many it got. */
  allocPagesBulk(gfp: number, want: number, into: Int32Array): number;
  /** page_is_pfmemalloc(): the page came out of the emergency reserve. */
  isPfmemalloc(pfn: number): boolean;
  /** page_to_nid(). */
  nodeOf(pfn: number): number;
}

/** The dumb twin: hands out ascending pfns, recycles freed blocks of the same order last-in first-out, fails when `pagesMax` is reached. */
export function createNaivePages(pagesMax: number, firstPfn = 0): PageAllocator {
  const count = new Map<number, number>();
  const orderOf = new Map<number, number>();
  const headOf = new Map<number, number>();
  const free: number[][] = [];
  let next = firstPfn;
  const head = (pfn: number): number => {
    const h = headOf.get(pfn);
    assert(h !== undefined, () => `pfn ${pfn} is not allocated`);
    return h;
  };
  const release = (h: number): void => {
    const order = orderOf.get(h) as number;
    for (let i = 0; i < 1 << order; i++) headOf.delete(h + i);
    count.delete(h);
    orderOf.delete(h);
    const list = free[order] ?? [];
    free[order] = list;
    list.push(h);
  };
  const add = (pfn: number, n: number): void => {
    const h = head(pfn);
    const now = (count.get(h) as number) + n;
    assert(now >= 0, () => `pfn ${h}: reference count ${now}`);
    count.set(h, now);
    if (now === 0) release(h);
  };
  const pages: PageAllocator = {
    allocPages(_gfp, order) {
      let pfn = free[order]?.pop();
      if (pfn === undefined) {
        const size = 1 << order;
        const at = (next + size - 1) & ~(size - 1);
        if (at + size > firstPfn + pagesMax) return -1;
        next = at + size;
        pfn = at;
      }
      for (let i = 0; i < 1 << order; i++) headOf.set(pfn + i, pfn);
      count.set(pfn, 1);
      orderOf.set(pfn, order);
      return pfn;
    },
    freePages(pfn, order) {
      assert(
        orderOf.get(pfn) === order,
        () => `pfn ${pfn} freed with order ${order}, allocated with ${orderOf.get(pfn)}`,
      );
      add(pfn, -1);
    },
    getPage: (pfn) => add(pfn, 1),
    putPage: (pfn) => add(pfn, -1),
    pageCount: (pfn) => count.get(head(pfn)) as number,
    addPageRefs: add,
    compoundHead: head,
    compoundOrder: (pfn) => orderOf.get(head(pfn)) as number,
    allocPagesBulk(gfp, want, into) {
      let got = 0;
      while (got < want) {
        const pfn = pages.allocPages(gfp, 0);
        if (pfn < 0) break;
        into[got++] = pfn;
      }
      return got;
    },
    isPfmemalloc: () => false,
    nodeOf: () => 0,
  };
  return pages;
}
