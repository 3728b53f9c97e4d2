// A heap for tests over plain pages: ascending, freed ones last in first out. The pages know how many are out and which came back when.
import { parseRelease } from "../../kernel/release.ts";
import type { Journal } from "../journal.ts";
import { createJournal } from "../journal.ts";
import { slabPartsOf } from "../kernels/slab_parts.ts";
import type { PageAllocator } from "../mm/pages.ts";
import { createNaivePages } from "../mm/pages.ts";
import type { HeapOptions, SlabHeap } from "./kmalloc.ts";
import { createHeap } from "./kmalloc.ts";

export interface CountedPages extends PageAllocator {
  /** Pages that are out. */
  held(): number;
  /** First pfn of every block that was given back, in order. */
  readonly freed: number[];
}

export interface World {
  readonly heap: SlabHeap;
  readonly pages: CountedPages;
  readonly journal: Journal;
}

function countedPages(pagesMax: number, refuses: (order: number) => boolean, nodeOf: (pfn: number) => number) {
  const inner = createNaivePages(pagesMax, 64);
  let held = 0;
  const freed: number[] = [];
  return {
    ...inner,
    nodeOf,
    freed,
    held: () => held,
    allocPages(gfp: number, order: number) {
      const pfn = refuses(order) ? -1 : inner.allocPages(gfp, order);
      if (pfn >= 0) held += 1 << order;
      return pfn;
    },
    freePages(pfn: number, order: number) {
      held -= 1 << order;
      freed.push(pfn);
      inner.freePages(pfn, order);
    },
  };
}

/** A heap of a release, SLUB on two CPUs unless `more` says otherwise; `refuses` tells which orders are not to be had. */
export function world(
  release: string,
  more: Partial<HeapOptions> = {},
  refuses: (order: number) => boolean = () => false,
  nodeOf: (pfn: number) => number = () => 0,
): World {
  const journal = createJournal();
  const pages = countedPages(1 << 16, refuses, nodeOf);
  const parsed = parseRelease(release);
  const parts = slabPartsOf(parsed);
  const heap = createHeap({ release: parsed, parts, allocator: "slub", cpus: 2, pages, journal, ...more });
  return { heap, pages, journal };
}
