// Dated facts of the page allocator's behaviour: what changed, when, and where it was read. The model branches on these names only.
import type { Fact, Release } from "../release.ts";
import { factAt } from "../release.ts";

const since = (version: readonly number[], source: string): readonly Fact<boolean>[] => [
  { since: version, value: true, source },
];

/** Each fact is false before its first entry. */
const mmFacts = {
  /** Free pages are grouped by mobility (2.6.24); before, one list an order. */
  mobility: since([2, 6, 24], "mm/page_alloc.c, 2.6.24; 2.6.20 has none of it"),
  /** A freed block whose parent is about to merge goes to the tail: buddy_merge_likely(). */
  mergeLikelyToTail: since([2, 6, 35], "__free_one_page(), mm/page_alloc.c: not in 2.6.34, in 3.13"),
  /** An unmovable request may take a pageblock over whatever the size of the block it found. */
  unmovableSteals: since([4, 0], "can_steal_fallback(), mm/page_alloc.c: not in 3.13, in 4.19"),
  /** After stealing, the smallest block of the own lists is split, not the stolen one; compatible pages count for the takeover. */
  splitSmallestAfterSteal: since([4, 12], "__rmqueue_fallback(), mm/page_alloc.c: not in 3.13, in 4.19"),
  /** A movable request that may not take the pageblock takes the smallest foreign block. */
  smallestForMovable: since([4, 13], "__rmqueue_fallback(), mm/page_alloc.c, 4.19"),
  /** Stealing raises the watermarks for a while: boost_watermark(). */
  watermarkBoost: since([5, 0], "mm/page_alloc.c, 6.1.192; not in 4.19"),
  /** All zones are tried without fragmenting first: ALLOC_NOFRAGMENT. */
  avoidFragmenting: since([5, 0], "mm/page_alloc.c, 6.1.192; not in 4.19"),
  /** Orders 1 to 3 and the huge order have per-CPU lists. */
  pcpHighOrders: since([5, 14], "mm/page_alloc.c, 6.1.192; not in 4.19"),
  /** One per-CPU list a type; before, one hot and one cold list. */
  pcpByType: since([2, 6, 33], "free_hot_cold_page(), mm/page_alloc.c: not in 2.6.32, in 2.6.34"),
  /** A hot list is refilled only when it is empty; before, already at twice the batch. */
  hotRefillWhenEmpty: since(
    [2, 6, 18],
    "buffered_rmqueue(), mm/page_alloc.c: low is 2 batches in 2.6.9 and 2.6.11, 0 in 2.6.18",
  ),
  /** Free pages are counted per CPU and folded (vm_stat); before, zone->free_pages is exact. */
  vmStatFree: since([2, 6, 21], "include/linux/mmzone.h: free_pages in 2.6.20, NR_FREE_PAGES in 2.6.24"),
} as const;

export type MmFact = keyof typeof mmFacts;

/** Whether a fact holds at a release. */
export function mmFact(name: MmFact, release: Release): boolean {
  return factAt(mmFacts[name], release.version)?.value ?? false;
}
