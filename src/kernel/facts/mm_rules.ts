// Dated facts of the page allocator's behaviour: what changed, when, and where it was read. Only model/kernels/ asks for them.
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
  /** A single-page atomic request at the min watermark may ignore the boost; who is atomic is the next fact. */
  boostSparesAtomic: since([5, 9], "zone_watermark_fast(), mm/page_alloc.c, 5.10.223; first release from history"),
  /** What spares is ALLOC_MIN_RESERVE, not __GFP_ATOMIC. */
  boostSparesMinReserve: since([6, 3], "zone_watermark_fast(), mm/page_alloc.c, 6.12.117 and 7.2.12; not in 6.1.192"),
  /** ZONE_BOOSTED_WATERMARK goes with every request for the zone, not only with those that get a page. */
  boostSeenByAnybody: since(
    [5, 14],
    "rmqueue(), mm/page_alloc.c: not in 5.10.223, in 6.1.192; first release from history",
  ),
  /** It goes only with requests that may wake kswapd. */
  boostSeenByWakers: since(
    [6, 5],
    "rmqueue(), mm/page_alloc.c: not in 6.1.192, in 6.12.117; first release from history",
  ),
  /** ALLOC_NOFRAGMENT leaves requests of more than a pageblock their own order. */
  noFragmentBelowBlocks: since(
    [5, 19],
    "__rmqueue_fallback(), mm/page_alloc.c: not in 5.10.223, in 6.1.192; first release from history",
  ),
  /** Blocks of a pageblock and more do not merge with isolated ones. */
  isolatedDoNotMerge: since([4, 0], "__free_one_page(), mm/page_alloc.c, 5.10.223; first release from history"),
  /** Nor with the atomic reserve or CMA. */
  reservesDoNotMerge: since(
    [5, 18],
    "__free_one_page(), mm/page_alloc.c: not in 5.10.223, in 6.1.192; first release from history",
  ),
  /** mm_page_alloc_zone_locked is written where a list gives, with that list's type; before, with the request's. */
  lockedNamesList: since(
    [5, 19],
    "__rmqueue_smallest(), mm/page_alloc.c: not in 5.10.223, in 6.1.192; first release from history",
  ),
  /** rmqueue_buddy() lets OOM victims and who cannot wait take from the atomic reserve at last. */
  lastResort: since(
    [5, 19],
    "rmqueue_buddy(), mm/page_alloc.c: not in 5.10.223, in 6.1.192; first release from history",
  ),
  /** The second try of __GFP_MEMALLOC keeps the right to wake kswapd. */
  secondTryKeepsKswapd: since(
    [5, 18],
    "__alloc_pages_slowpath(), mm/page_alloc.c: not in 5.10.223, in 6.1.192; first release from history",
  ),
  /** Per-CPU lists have a huge order and orders 1 to 3. */
  pcpHighOrders: since([5, 14], "mm/page_alloc.c, 6.1.192; not in 5.10.223"),
  /** Their high tunes itself, and the high watermark is looked at first. */
  pcpTuned: since(
    [6, 7],
    "nr_pcp_alloc(), get_page_from_freelist(), mm/page_alloc.c: not in 6.1.192, in 6.12.117; first release from history",
  ),
  /** They drain in portions of a batch, from a smaller batch, and leave atomic high orders to the reserve. */
  pcpPortions: since(
    [6, 19],
    "free_frozen_page_commit(), zone_batchsize(), mm/page_alloc.c: not in 6.12.117, in 7.2.12; first release from history",
  ),
  /** A zone below 200 MiB reserves nothing for high-order atomic requests, others a hundredth. */
  highatomicOnePercent: since(
    [6, 8],
    "reserve_highatomic_pageblock(), mm/page_alloc.c: not in 6.1.192, in 6.12.117; first release from history",
  ),
  /** Only pages from the free lists make that reserve. */
  highatomicFromFreeLists: since(
    [6, 19],
    "rmqueue_buddy(), mm/page_alloc.c: not in 6.12.117, in 7.2.12; first release from history",
  ),
  /** Who has no rights leaves what is free in that reserve, not all of it. */
  leavesFreeHighatomic: [
    {
      since: [6, 13],
      stable: { "6.12": 117 },
      value: true,
      source:
        "__zone_watermark_unusable_free(), mm/page_alloc.c, 6.12.117 (brought there by some earlier 6.12.y) and 7.2.12",
    },
  ],
  /** Free pages are counted block by block, lists and pageblocks agree, nothing is cached in a page. */
  blocksFollowLists: since(
    [6, 10],
    "account_freepages(), mm/page_alloc.c: not in 6.1.192, in 6.12.117; first release from history",
  ),
  /** A fallback claims a whole pageblock or steals one block. */
  claimThenSteal: [
    {
      since: [6, 15],
      stable: { "6.12": 117 },
      value: true,
      source:
        "__rmqueue_claim(), __rmqueue_steal(), mm/page_alloc.c, 6.12.117 (brought there by some earlier 6.12.y) and 7.2.12",
    },
  ],
  /** A request that cannot reclaim is tried a second time only with other rights. */
  secondTryForRights: since(
    [6, 19],
    "__alloc_pages_slowpath(), mm/page_alloc.c: not in 6.12.117, in 7.2.12; first release from history",
  ),
  /** The fast path, too, knows who may use the high-order atomic reserve; pageblocks join it only at the min watermark. */
  atomicFromTheStart: since(
    [7, 3],
    "__alloc_frozen_pages_noprof(), alloc_flags_nonblocking(), rmqueue_buddy(), mm/page_alloc.c: not in 7.2.12, in 7.3.4",
  ),
  /** With vm.defrag_mode who cannot reclaim may fall back after all, in a last try. */
  defragSparesAtomic: since(
    [7, 2],
    "__alloc_pages_slowpath(), mm/page_alloc.c: in 7.2.12, not in the change that brought the mode (6.15); first release from history",
  ),
  /** The fragmentation index decides about compaction for orders above 3 only. */
  extfragCostlyOnly: since([4, 9], "compaction_suitable(), mm/compaction.c, 6.1.192; first release from history"),
  /** Compaction exists. */
  compaction: since([2, 6, 35], "mm/compaction.c"),
  /** lowmem_reserve[] takes the place of protection[], which nobody sets. */
  lowmemReserve: since([2, 6, 11], "setup_per_zone_lowmem_reserve(), mm/page_alloc.c, 2.6.11"),
  /** A zone has at most two pageblocks of MIGRATE_RESERVE. */
  twoReserveBlocks: [
    {
      since: [2, 6, 32],
      stable: { "2.6.31": 3 },
      value: true,
      source: "setup_zone_migrate_reserve(), mm/page_alloc.c: not in 2.6.29, in 2.6.31.3 (taken over) and 2.6.32.67",
    },
  ],
  /** One per-CPU list a type; before, one hot and one cold list. */
  pcpByType: since([2, 6, 32], "include/linux/mmzone.h MIGRATE_PCPTYPES: not in 2.6.31.3, in 2.6.32.67 and 2.6.34"),
  /** A hot list is refilled only when it is empty; before, already at twice the batch. */
  hotRefillWhenEmpty: since(
    [2, 6, 18],
    "buffered_rmqueue(), mm/page_alloc.c: low is 2 batches in 2.6.9 and 2.6.11, 0 in 2.6.18",
  ),
  /** Free pages are counted per CPU and folded (vm_stat); before, zone->free_pages is exact. */
  vmStatFree: since([2, 6, 21], "include/linux/mmzone.h: free_pages in 2.6.20, NR_FREE_PAGES in 2.6.24"),
} satisfies Readonly<Record<string, readonly Fact<boolean>[]>>;

export type MmFact = keyof typeof mmFacts;

/** How the distance between the watermarks follows from the zone's share of min_free_kbytes: 2.6.9 low = 2 min, high = 3 min; then quarters; since 4.6 at least watermark_scale_factor of the zone. */
export const markSpacingFacts: readonly Fact<"triple" | "quarters" | "scaled">[] = [
  { since: [2, 6, 9], value: "triple", source: "setup_per_zone_pages_min(), mm/page_alloc.c, 2.6.9" },
  { since: [2, 6, 11], value: "quarters", source: "setup_per_zone_pages_min(), mm/page_alloc.c, 2.6.11, 2.6.24" },
  { since: [4, 6], value: "scaled", source: "__setup_per_zone_wmarks(), mm/page_alloc.c, 4.19, 6.1.192" },
];

/** Whether a fact holds at a release. */
export function mmFact(name: MmFact, release: Release): boolean {
  return factAt(mmFacts[name], release.version)?.value ?? false;
}
