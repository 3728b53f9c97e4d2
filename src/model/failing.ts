// Wrap, don't flag: an allocator that refuses its nth request. Every allocation of every driver path is failed once in the tests this way.
import { wholeGiven } from "../base/bad_input.ts";
import type { PageAllocator } from "./mm/pages.ts";
import type { SlabHeap } from "./slab/kmalloc.ts";

/** Counts requests of all it wraps together; the nth (from 1) is refused, and every `every`th after it where that is set. */
export interface Failing {
  pages(inner: PageAllocator): PageAllocator;
  heap(inner: SlabHeap): SlabHeap;
  /** Requests so far. */
  asked(): number;
  /** Requests refused so far. */
  refused(): number;
  /** Starts counting from here with another nth; 0 refuses nothing. */
  arm(nth: number): void;
}

/** BadInput for what counts nothing. */
export function failing(options: { readonly nth: number; readonly every?: number }): Failing {
  let { nth } = options;
  const every = options.every ?? 0;
  wholeGiven("nth", nth, 0, Number.MAX_SAFE_INTEGER);
  wholeGiven("every", every, 0, Number.MAX_SAFE_INTEGER);
  let asked = 0;
  let refused = 0;
  const refuse = (): boolean => {
    asked++;
    if (nth === 0 || asked < nth || (asked > nth && (every === 0 || (asked - nth) % every !== 0))) return false;
    refused++;
    return true;
  };
  return {
    pages: (inner) => ({
      ...inner,
      allocPages: (gfp, order) => (refuse() ? -1 : inner.allocPages(gfp, order)),
      allocPagesBulk: (gfp, want, into) => (refuse() ? 0 : inner.allocPagesBulk(gfp, want, into)),
    }),
    heap: (inner) => ({
      ...inner,
      kmalloc: (size, gfp) => (refuse() ? -1 : inner.kmalloc(size, gfp)),
      cacheAlloc: (cache, gfp) => (refuse() ? -1 : inner.cacheAlloc(cache, gfp)),
      cacheAllocBulk: (cache, gfp, into, from, to) =>
        refuse() ? 0 : (inner.cacheAllocBulk?.(cache, gfp, into, from, to) ?? 0),
    }),
    asked: () => asked,
    refused: () => refused,
    arm(at) {
      wholeGiven("nth", at, 0, Number.MAX_SAFE_INTEGER);
      nth = at;
      asked = 0;
      refused = 0;
    },
  };
}
