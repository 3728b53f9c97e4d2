// Dated facts against trees of the kernel's source: on which side of its date a tree lies tells a word or an expression that only one side has
// (scripts/name-survey/marks.mjs). The trees are not those that the facts were read in, but for 5.10, 6.1, 6.12 and 7.2.
import { describe, expect, test } from "vitest";
import { compareVersions, type Fact, factAt, parseRelease, type Release } from "../release.ts";
import { largerFragment } from "./drivers/rx_path.ts";
import { type Survey, surveyOf, type Tree } from "./kernel_names.testkit.ts";
import { defaultMinFreeKb, mayLeaveCmaOut } from "./min_free.ts";
import { type MmFact, markSpacingFacts, mmFact } from "./mm_rules.ts";
import { migrateTypeFacts } from "./mm_types.ts";
import { boostPrintedSince, boostRetryAt, watermarkGenerationOf } from "./mm_watermark.ts";
import * as pool from "./page_pool.ts";
import { badPageLimits, failureLimits, memInfoLimits } from "./rate_limits.ts";
import * as heads from "./skb_heads.ts";
import * as slab from "./slab.ts";
import { sharedInfoAligned } from "./structs.ts";

const marks = surveyOf("marks");
const releaseOf = (tree: Tree): Release => parseRelease(`${tree.release}-x86_64`);
const from = (tree: Tree, version: readonly number[]): boolean => compareVersions(tree.version, version) >= 0;

/** What the facts say of a tree; undefined where the mark tells nothing of it. */
type Told = (tree: Tree) => boolean | undefined;
const at =
  <T>(facts: readonly Fact<T>[], says: (value: T) => boolean): Told =>
  ({ version }) => {
    const fact = factAt(facts, version);
    return fact === undefined ? undefined : says(fact.value);
  };
const mm =
  (name: MmFact): Told =>
  (tree) =>
    mmFact(name, releaseOf(tree));
/** Only of some trees. */
const only =
  (where: (tree: Tree) => boolean, told: Told): Told =>
  (tree) =>
    where(tree) ? told(tree) : undefined;
const slabTrees = (tree: Tree): boolean => !from(tree, [6, 5]);

const told: Readonly<Record<string, Told>> = {
  "migrate types": mm("mobility"),
  "parents that merge": mm("mergeLikelyToTail"),
  "boost of watermarks": mm("watermarkBoost"),
  ALLOC_NOFRAGMENT: mm("avoidFragmenting"),
  "steals by can_steal_fallback": only((t) => !from(t, [6, 12]), mm("unmovableSteals")),
  "boost printed": (t) => from(t, boostPrintedSince),
  "boost spared": (t) => boostRetryAt(releaseOf(t)),
  "per-CPU lists of orders": mm("pcpHighOrders"),
  "per-CPU lists that tune themselves": mm("pcpTuned"),
  "large requests without ALLOC_NOFRAGMENT": only((t) => !from(t, [6, 12]), mm("noFragmentBelowBlocks")),
  "pageblocks that merge": mm("reservesDoNotMerge"),
  "pages counted by list": mm("blocksFollowLists"),
  "claim, then steal": mm("claimThenSteal"),
  compaction: mm("compaction"),
  lowmem_reserve: mm("lowmemReserve"),
  "two reserve blocks": only((t) => !from(t, [4, 4]), mm("twoReserveBlocks")),
  "per-CPU lists by type": mm("pcpByType"),
  "a low mark of per-CPU lists": (t) => !mmFact("hotRefillWhenEmpty", releaseOf(t)),
  NR_FREE_PAGES: mm("vmStatFree"),
  watermark_scale_factor: at(markSpacingFacts, (v) => v === "scaled"),
  "low twice min": at(markSpacingFacts, (v) => v === "triple"),
  zone_watermark_ok: (t) => watermarkGenerationOf(releaseOf(t)) > 0,
  "reserve of high-order atomic requests": (t) => watermarkGenerationOf(releaseOf(t)) > 1,
  MIGRATE_CMA: at(migrateTypeFacts, (v) => v !== "2.6.24"),
  MIGRATE_HIGHATOMIC: at(migrateTypeFacts, (v) => v === "4.4"),
  "movable before reclaimable": at(migrateTypeFacts, (v) => v === "4.2" || v === "4.4"),
  "min_free_kbytes: sixteenfold": (t) => defaultMinFreeKb(1_000_000, t.version) === 4000,
  "min_free_kbytes: 256 MiB at most": (t) => defaultMinFreeKb(2 ** 40, t.version) === 262_144,
  "min_free_kbytes after CMA": only(
    (t) => from(t, [4, 7]),
    (t) => !mayLeaveCmaOut(t.version),
  ),
  show_mem_rs: at(memInfoLimits, (v) => v !== "none"),
  "one report in ten seconds": at(failureLimits, (v) => v.seconds === 10 && v.burst === 1),
  warn_alloc_failed: at(failureLimits, (v) => v.suppressed.startsWith("warn_alloc_failed:")),
  warn_alloc: at(failureLimits, (v) => v.suppressed.startsWith("warn_alloc:")),
  "bad pages unshown": at(badPageLimits, (v) => v !== "none"),
  "slub: objects by CPUs": at(slab.slubOrderRules, (v) => v.minObjects === "cpus"),
  "slub: present CPUs": at(slab.slubCpuCount, (v) => v === "present"),
  "slub: wish capped": at(slab.slubOrderRules, (v) => v.capped),
  "slub: smallest order": at(slab.slubMayFallBack, (v) => v),
  "slub: compound by order": only(
    (t) => from(t, [2, 6, 29]),
    at(slab.slubAlwaysCompound, (v) => !v),
  ),
  "slub: cpu_partial": only(
    (t) => !from(t, [7, 0]),
    at(slab.slubCpuPartial, (v) => v !== undefined),
  ),
  "slub: cpu_partial in slabs": at(slab.slubCpuPartial, (v) => v?.counted === "slabs"),
  "slub: sheaves by size": at(slab.slubSheaves, (v) => v !== undefined),
  "slub: min_partial by size": at(slab.slubMinPartial, (v) => v !== "five"),
  "slub: min_partial by half": at(slab.slubMinPartial, (v) => v === "half log2"),
  "slub: link in the middle": at(slab.slubLinkPlace, (v) => v === "middle"),
  "slub: stacks in a depot": at(slab.slubDebugRoom, (v) => v.track === 32),
  "kmalloc: aligned powers of two": at(slab.kmallocAlignment, (v) => v === "powers of two"),
  "kmalloc: aligned by any power of two": at(slab.kmallocAlignment, (v) => v === "largest power of two"),
  "kmalloc-1k": at(slab.kmallocNaming.slub, (v) => v === "short"),
  "kmalloc-rcl": at(slab.kmallocReclaimable, (v) => v),
  "slab: indices": only(
    slabTrees,
    at(slab.slabManagement, (v) => v.indexBytes === 1),
  ),
  "slab: list in a free object": only(
    slabTrees,
    at(slab.slabManagement, (v) => v.kind === "in a free object"),
  ),
  "slab: struct slab": only(
    slabTrees,
    at(slab.slabManagement, (v) => v.kind === "struct slab"),
  ),
  "fragment without direct reclaim": at(slab.pageFragBigNeverSleeps, (v) => v),
  "fragments for receiving": at(heads.receiveHeads, (v) => v.kmallocUpTo !== Number.POSITIVE_INFINITY),
  "fragments of a larger block": (t) => largerFragment(t.version, 4096) > 0,
  "heads up to 1024 by kmalloc": only(
    (t) => !from(t, [6, 12]),
    at(heads.receiveHeads, (v) => v.kmallocUpTo === 1024),
  ),
  "slices of a page": at(heads.receiveHeads, (v) => v.napiSlicesUpTo > 0),
  "small heads by kmalloc": at(heads.receiveHeads, (v) => v.kmallocUpTo === "a small head"),
  skbuff_small_head: at(heads.smallHeadRoom, (v) => v > 0),
  GRO_MAX_HEAD_PAD: at(heads.smallHeadRoom, (v) => v === 368),
  "kept sk_buffs": only(
    (t) => !from(t, [6, 3]),
    at(heads.spareSkbs, (v) => v.most > 0),
  ),
  "sk_buffs taken from a cache": at(heads.spareSkbs, (v) => v.taken > 0),
  "128 kept sk_buffs": at(heads.spareSkbs, (v) => v.most === 128),
  pp_recycle: at(heads.recycleMarks, (v) => v),
  skb_pp_frag_ref: at(heads.clonedPoolFragments, (v) => v === "counted"),
  "pfmemalloc refused": at(heads.reserveRefused, (v) => v),
  "quiet sk_buffs": at(heads.quietReceive, (v) => v),
  "shared info aligned": at(sharedInfoAligned, (v) => v),
  "page_pool: in bulk": at(pool.slowPathPages, (v) => v > 1),
  "page_pool: 16384 slots": at(pool.ringSlotsMax, (v) => v.slots === 16_384),
  "page_pool: PP_FLAG_DMA_SYNC_DEV": at(pool.knownPoolFlags, (v) => (v & 2) !== 0),
  "page_pool: PP_FLAG_PAGE_FRAG": at(pool.poolFragments, (v) => v === "flagged pools"),
  "page_pool: PP_FLAG_ALLOW_UNREADABLE_NETMEM": at(pool.knownPoolFlags, (v) => v === 15),
  "page_pool: fragments": at(pool.poolFragments, (v) => v !== "none"),
  "page_pool: mapped pages listed": at(pool.unmapsAtDestroy, (v) => v),
  "page_pool: stall by id": at(pool.stallNamesPool, (v) => v),
  "page_pool: an address of its own": at(pool.dmaAddressPlace, (v) => v !== "private"),
};

/** Where a tree and a fact differ, as `mark: release has it`. */
const differences = (survey: Survey): readonly string[] =>
  Object.entries(told).flatMap(([mark, says]) => {
    const wrong = survey.trees.filter((tree) => {
      const said = says(tree);
      return said !== undefined && said !== survey.has(mark, tree);
    });
    return wrong.map((tree) => `${mark}: ${tree.release} ${survey.has(mark, tree) ? "has it" : "has it not"}`);
  });

describe("a tree lies where the facts say", () => {
  test("on its side of each date", () => {
    expect(differences(marks)).toEqual([]);
    expect(marks.trees.length).toBeGreaterThan(30);
  });
  test("each mark is asked, and stands in some tree", () => {
    expect(Object.keys(told).filter((mark) => marks.treesOf(mark).length === 0)).toEqual([]);
  });
});
