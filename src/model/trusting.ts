// A machine that believes whoever frees, as a real kernel does: pages by mm/struct_page.ts, and a heap on top that gives any address back.
// Wrap, don't flag: goes into a machine where a failing allocator would (failing.ts), and gets the machine's memory once it is there.
import { assert } from "../base/assert.ts";
import type { Release } from "../kernel/release.ts";
import type { Failing } from "./failing.ts";
import { createJournal } from "./journal.ts";
import { slabPartsOf } from "./kernels/slab_parts.ts";
import type { Machine } from "./machine.ts";
import type { PageAllocator } from "./mm/pages.ts";
import type { BadPageSeen, StructPages } from "./mm/struct_page.ts";
import { createStructPages } from "./mm/struct_page.ts";
import { defaultAllocator, orderFor } from "./slab/geometry.ts";
import { createHeap } from "./slab/kmalloc.ts";

/** `arm(n)`: from here on every nth request for more than one page is refused. */
export interface Trusting extends Failing {
  /** Call once the machine is there, before anything is brought up. */
  attach(machine: Pick<Machine, "memory" | "journal">): StructPages;
  /** Objects freed twice into a slab: SLUB without debugging puts them on its list twice and says nothing. */
  objectsFreedTwice(): number;
}

export interface TrustingOptions {
  readonly release: Release;
  readonly onBadPage: (seen: BadPageSeen) => void;
  /** BUG_ON(!PageCompound(page)) in kfree(). */
  readonly onBug: (where: string, address: number) => void;
}

export function trusting(options: TrustingOptions): Trusting {
  let inner: PageAllocator | undefined;
  let made: StructPages | undefined;
  let twice = 0;
  let asked = 0;
  let refused = 0;
  let nth = 0;
  let every = 0;
  const parts = slabPartsOf(options.release);
  const compBit = parts.rules.gfp.comp;
  const there = (): StructPages => {
    assert(made !== undefined, "pages are asked for before the machine was attached");
    return made;
  };
  const refuses = (order: number): boolean => {
    if (order === 0) return false;
    asked++;
    if (nth === 0 || asked < nth || (asked > nth && (every === 0 || (asked - nth) % every !== 0))) return false;
    refused++;
    return true;
  };
  const pages: PageAllocator = {
    allocPages: (gfp, order) => (refuses(order) ? -1 : there().allocPages(gfp, order)),
    freePages: (pfn, order) => there().freePages(pfn, order),
    getPage: (pfn) => there().getPage(pfn),
    putPage: (pfn) => there().putPage(pfn),
    pageCount: (pfn) => there().pageCount(pfn),
    addPageRefs: (pfn, n) => there().addPageRefs(pfn, n),
    compoundHead: (pfn) => there().compoundHead(pfn),
    compoundOrder: (pfn) => there().compoundOrder(pfn),
    allocPagesBulk: (gfp, want, into) => there().allocPagesBulk(gfp, want, into),
    isPfmemalloc: (pfn) => there().isPfmemalloc(pfn),
    nodeOf: (pfn) => there().nodeOf(pfn),
  };
  return {
    pages(real) {
      inner = real;
      return pages;
    },
    heap(real) {
      // A heap of its own over these pages: the machine's was made over the allocator that refuses.
      const heap = createHeap({
        release: options.release,
        pages,
        journal: createJournal(),
        cpus: 1,
        allocator: defaultAllocator(options.release),
        parts,
        pageSize: real.pageSize,
        onMisuse: () => void twice++,
      });
      const { largestCache } = heap.kmallocTable;
      const pfnOf = (address: number): number => Math.floor(address / real.pageSize);
      const large = (address: number): boolean => heap.engine.cacheOf(address) < 0;
      return {
        ...heap,
        kmalloc(size, gfp) {
          if (size <= largestCache) return heap.kmalloc(size, gfp);
          const pfn = pages.allocPages(gfp | compBit, orderFor(size, real.pageSize));
          return pfn < 0 ? -1 : pfn * real.pageSize;
        },
        kfree(address) {
          if (!large(address)) heap.kfree(address);
          else if (!there().kfreeLarge(pfnOf(address))) options.onBug("kfree", address);
        },
        ksize: (address) =>
          large(address) ? real.pageSize << there().compoundOrder(pfnOf(address)) : heap.ksize(address),
      };
    },
    asked: () => asked,
    refused: () => refused,
    arm(at) {
      nth = every = at;
      asked = refused = 0;
    },
    attach({ memory, journal }) {
      assert(inner !== undefined, "the machine was not built with these pages");
      made = createStructPages({ memory, pages: inner, journal, onBadPage: options.onBadPage });
      return made;
    },
    objectsFreedTwice: () => twice,
  };
}
