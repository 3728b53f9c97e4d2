// The page allocator under a replayed page_pool: pages without a number, which the replay binds to the recorded ones as they are first seen.
import type { PageAllocator } from "../model/mm/pages.ts";

/** Pages without a number: ids that the replay binds to recorded pfns. */
export interface BoundPages extends PageAllocator {
  /** How many pages the next slow path may get; the record says it, the page allocator is not modelled here. */
  supply: number;
  /** True when the model's page may be the recorded pfn; binds it when neither was bound before. */
  same(page: number, pfn: number): boolean;
  /** The model's page for a recorded pfn, or -1. */
  pageOf(pfn: number): number;
  /** The recorded pfn of a page, or "?" while it was never seen. */
  name(page: number): string;
}

export function boundPages(order: number): BoundPages {
  const counts = new Map<number, number>();
  const pfnOf = new Map<number, number>();
  const pageOf = new Map<number, number>();
  let next = 0;
  const take = (): number => {
    const page = next++;
    counts.set(page, 1);
    return page;
  };
  const add = (page: number, n: number): void => {
    const now = (counts.get(page) ?? Number.NaN) + n;
    if (Number.isNaN(now)) throw new RangeError(`page ${pages.name(page)} is used after it was freed`);
    counts.set(page, now);
    if (now > 0) return;
    counts.delete(page);
    // The number stays with the dead page: a taken slot of the ring still points there until it is zeroed.
    const pfn = pfnOf.get(page);
    if (pfn !== undefined) pageOf.delete(pfn);
  };
  const pages: BoundPages = {
    supply: 0,
    same(page, pfn) {
      const bound = pfnOf.get(page);
      if (bound !== undefined) return bound === pfn;
      if (pageOf.has(pfn) || !counts.has(page)) return false;
      pfnOf.set(page, pfn);
      pageOf.set(pfn, page);
      return true;
    },
    pageOf: (pfn) => pageOf.get(pfn) ?? -1,
    name: (page) => `${pfnOf.get(page) ?? "?"}`,
    allocPages: () => (pages.supply-- > 0 ? take() : -1),
    allocPagesBulk(_gfp, want, into) {
      let got = 0;
      for (; got < want && pages.supply > 0; pages.supply--) into[got++] = take();
      return got;
    },
    freePages: (page) => add(page, -1),
    getPage: (page) => add(page, 1),
    putPage: (page) => add(page, -1),
    addPageRefs: add,
    pageCount: (page) => counts.get(page) ?? 0,
    compoundHead: (page) => page,
    compoundOrder: () => order,
    isPfmemalloc: () => false,
    nodeOf: () => 0,
  };
  return pages;
}
