// The allocator's rules as numbers and named choices. A kernel's list (model/kernels/) fills them in; no part reads a release.
import type { AllocatorGfp } from "../../kernel/facts/allocator_gfp.ts";
import type { MigrateTypes } from "../../kernel/facts/mm_types.ts";
import type { WatermarkGeneration } from "../../kernel/facts/mm_watermark.ts";

/** classic: one list an order. placement-2005: three types and a global list of whole blocks. mobility: typed pageblocks. */
export type PolicyName = "classic" | "placement-2005" | "mobility";

/** How the distance between the watermarks follows from the zone's share of min_free_kbytes. */
export type MarkSpacing = "triple" | "quarters" | "scaled";

/** Everything that a release or a setting changes about the allocator in small, named. What changes as a whole is a part (parts.ts). */
export interface MmRules {
  readonly policy: PolicyName;
  readonly types: MigrateTypes;
  readonly gfp: AllocatorGfp;
  readonly generation: WatermarkGeneration;
  /** Types to fall back to, first choice first, by request type. */
  readonly fallbacks: readonly (readonly [number, number])[];
  /** vm.watermark_boost_factor; 0 is off. */
  readonly boostFactor: number;
  /** Who may ignore the boost at the min watermark for a single page. */
  readonly boostExempt: "nobody" | "atomic" | "min reserve";
  /** Who takes ZONE_BOOSTED_WATERMARK away (page_alloc.ts). */
  readonly boostSeenBy: "anybody" | "who gets a page" | "who wakes kswapd";
  readonly groupingDisabled: boolean;
  /**
   * vm.defrag_mode (since 6.15: commit e3aa7df331bc reached the mm tree on 17 March 2025, when 6.14 took no features any more; not in 6.12.117): no
   * request falls back to another type's part of a pageblock before reclaim and compaction have failed.
   */
  readonly defragMode: boolean;
  /** In that mode, who cannot reclaim may fall back after all, in a last try (__alloc_pages_slowpath()). */
  readonly defragSparesAtomic: boolean;
  /** vm.extfrag_threshold, thousandths: an index up to it means that memory is short rather than fragmented, and nothing is compacted. */
  readonly extfragThreshold: number;
  /** The index is asked for orders above 3 only; before, for every order. */
  readonly extfragCostlyOnly: boolean;
  /** ALLOC_NOFRAGMENT exists; it acts only where the configuration has ZONE_DMA32. */
  readonly avoidFragmenting: boolean;
  /** ALLOC_NOFRAGMENT limits the search to whole pageblocks even for a request of more than one. */
  readonly noFragmentAnyOrder: boolean;
  readonly mergeLikelyToTail: boolean;
  /** Which pageblock types keep blocks of a pageblock and more from merging with others. */
  readonly unmergeable: "none" | "isolate" | "reserves";
  /** Lists and pageblocks always agree: nothing is cached in a page, merging rewrites pageblocks, large blocks are freed in pageblocks. */
  readonly blocksFollowLists: boolean;
  /** mm_page_alloc_zone_locked names the request's type, not the list's. */
  readonly lockedNamesRequest: boolean;
  readonly unmovableSteals: boolean;
  readonly splitSmallestAfterSteal: boolean;
  readonly smallestForMovable: boolean;
  /** Those who may leave the atomic reserve alone leave what is free in it, not the size of its pageblocks. */
  readonly leavesFreeHighatomic: boolean;
  /** The high watermark is looked at first, and a zone below it noted (ZONE_BELOW_HIGH). */
  readonly watchesHighMark: boolean;
  /** rmqueue_buddy() lets those who cannot wait, and OOM victims, take from the atomic reserve at last. */
  readonly lastResort: boolean;
  /** Requests that may use the atomic reserve say so in their first try already; only those that came to the min mark add to it. */
  readonly atomicFromTheStart: boolean;
  /** Tries of a request that cannot reclaim, once kswapd is woken: a second always, or only with other rights than the first. */
  readonly secondTry: "always" | "with more rights";
  /** The second try of __GFP_MEMALLOC keeps ALLOC_KSWAPD. */
  readonly secondTryKeepsKswapd: boolean;
  /** Only requests of this type are served from per-CPU lists (placement-2005: user pages); -1: all. */
  readonly pcpOnlyType: number;
  /** NR_FREE_PAGES has per-CPU parts. */
  readonly vmStatFree: boolean;
  readonly boot: BootRules;
}

/** What boot computes. */
export interface BootRules {
  readonly spacing: MarkSpacing;
  /** vm.min_free_kbytes of a machine with so many kB of low memory, huge pages apart. */
  readonly minFreeKb: (lowmemKb: number) => number;
  /** lowmem_reserve[] is filled; up to 2.6.10 protection[] stays 0. */
  readonly lowmemReserve: boolean;
  /** Pageblocks of MIGRATE_RESERVE that a zone may have at most. */
  readonly reserveBlocksMost: number;
  /** Compaction exists. */
  readonly compaction: boolean;
}

export interface RuleChoices {
  /** Left out: the release's own. placement-2005 was a patch to 2.6.11-rc and never merged: it is only had by asking. */
  readonly policy?: PolicyName;
  readonly cma?: boolean;
  readonly groupingDisabled?: boolean;
}
