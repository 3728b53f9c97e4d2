// The allocator's rules and parts of a release by dated facts. The exact kernels' lists name their parts themselves; a test holds both together.
import { allocatorGfpOf } from "../../kernel/facts/allocator_gfp.ts";
import { defaultMinFreeKb } from "../../kernel/facts/min_free.ts";
import { markSpacingFacts, mmFact } from "../../kernel/facts/mm_rules.ts";
import type { MigrateTypes } from "../../kernel/facts/mm_types.ts";
import { migrateTypeFacts, migrateTypesOf } from "../../kernel/facts/mm_types.ts";
import { watermarkGenerationOf } from "../../kernel/facts/mm_watermark.ts";
import type { Release } from "../../kernel/release.ts";
import { factAt } from "../../kernel/release.ts";
import { byBatch } from "../mm/account/by_batch.ts";
import { byBlock } from "../mm/account/by_block.ts";
import { claimThenSteal } from "../mm/fallback/claim.ts";
import { steal } from "../mm/fallback/steal.ts";
import { atLeastOne } from "../mm/highatomic/at_least_one.ts";
import { onePercentFromFreeLists, onePercentOfZone } from "../mm/highatomic/one_percent.ts";
import type { MmParts } from "../mm/parts.ts";
import { freeFactorLists } from "../mm/pcp/free_factor.ts";
import { hotColdEarly, hotColdLists } from "../mm/pcp/hot_cold.ts";
import { orderZeroLists } from "../mm/pcp/order_zero.ts";
import type { PcpPart } from "../mm/pcp/pcp.ts";
import { tunedLists, tunedListsInPortions } from "../mm/pcp/tuned.ts";
import type { BootRules, MmRules, PolicyName, RuleChoices } from "../mm/rules.ts";

type Is = (name: Parameters<typeof mmFact>[0]) => boolean;

/** One list an order: every request and every page has type 0. */
const untyped: MigrateTypes = {
  unmovable: 0,
  movable: 0,
  reclaimable: 0,
  highatomic: -1,
  reserve: -1,
  cma: -1,
  isolate: -1,
  letters: "",
  names: ["Free"],
};

/** ALLOC_KERNNORCLM 0, ALLOC_KERNRCLM 1, ALLOC_USERRCLM 2 of the patch; 3 is its global list of whole blocks. */
const types2005: MigrateTypes = {
  ...untyped,
  movable: 2,
  reclaimable: 1,
  names: ["KernNoRclm", "KernRclm", "UserRclm", "Global"],
};

/** __GFP_USERRCLM and __GFP_KERNRCLM as the patch of 2005-01-16 against 2.6.11-rc1 numbers them. */
const gfp2005 = { movable: 0x20000, reclaimable: 0x10000 } as const;

/** The parts of a release. */
export function mmPartsOf(release: Release): MmParts {
  const is: Is = (name) => mmFact(name, release);
  return {
    rules: (choices) => mmRulesOf(release, choices),
    account: is("blocksFollowLists") ? byBlock : byBatch,
    pcp: pcpOf(is),
    fallback: is("claimThenSteal") ? claimThenSteal : steal,
    highatomic: is("highatomicFromFreeLists")
      ? onePercentFromFreeLists
      : is("highatomicOnePercent")
        ? onePercentOfZone
        : atLeastOne,
  };
}

function pcpOf(is: Is): PcpPart {
  if (is("pcpPortions")) return tunedListsInPortions;
  if (is("pcpTuned")) return tunedLists;
  if (is("pcpHighOrders")) return freeFactorLists;
  if (is("pcpByType")) return orderZeroLists;
  return is("hotRefillWhenEmpty") ? hotColdLists : hotColdEarly;
}

/** The rules of a release, or of another policy on top of it. */
export function mmRulesOf(release: Release, choices: RuleChoices = {}): MmRules {
  const is: Is = (name) => mmFact(name, release);
  const policy = choices.policy ?? (is("mobility") ? "mobility" : "classic");
  const types = typesOf(release, policy, choices.cma ?? false);
  const gfp = allocatorGfpOf(release.version);
  const typed = policy === "mobility";
  return {
    policy,
    types,
    gfp: policy === "placement-2005" && gfp.movable === 0 ? { ...gfp, ...gfp2005 } : gfp,
    generation: watermarkGenerationOf(release),
    fallbacks: fallbacksOf(policy, types),
    boostFactor: typed && is("watermarkBoost") ? 15000 : 0,
    boostExempt: is("boostSparesMinReserve") ? "min reserve" : is("boostSparesAtomic") ? "atomic" : "nobody",
    boostSeenBy: is("boostSeenByWakers")
      ? "who wakes kswapd"
      : is("boostSeenByAnybody")
        ? "anybody"
        : "who gets a page",
    groupingDisabled: choices.groupingDisabled ?? false,
    defragMode: false,
    defragSparesAtomic: is("defragSparesAtomic"),
    extfragThreshold: 500,
    extfragCostlyOnly: is("extfragCostlyOnly"),
    avoidFragmenting: typed && is("avoidFragmenting"),
    noFragmentAnyOrder: !is("noFragmentBelowBlocks"),
    mergeLikelyToTail: is("mergeLikelyToTail"),
    unmergeable: !typed
      ? "none"
      : is("reservesDoNotMerge")
        ? "reserves"
        : is("isolatedDoNotMerge")
          ? "isolate"
          : "none",
    blocksFollowLists: typed && is("blocksFollowLists"),
    lockedNamesRequest: !is("lockedNamesList"),
    unmovableSteals: is("unmovableSteals"),
    splitSmallestAfterSteal: is("splitSmallestAfterSteal"),
    smallestForMovable: is("smallestForMovable"),
    leavesFreeHighatomic: is("leavesFreeHighatomic"),
    watchesHighMark: is("pcpTuned"),
    lastResort: is("lastResort"),
    atomicFromTheStart: is("atomicFromTheStart"),
    secondTry: is("secondTryForRights") ? "with more rights" : "always",
    secondTryKeepsKswapd: is("secondTryKeepsKswapd"),
    pcpOnlyType: policy === "placement-2005" ? types.movable : -1,
    vmStatFree: is("vmStatFree"),
    boot: bootRulesOf(release, is),
  };
}

function bootRulesOf({ version }: Release, is: Is): BootRules {
  return {
    spacing: factAt(markSpacingFacts, version)?.value ?? "triple",
    minFreeKb: (lowmemKb) => defaultMinFreeKb(lowmemKb, version),
    lowmemReserve: is("lowmemReserve"),
    reserveBlocksMost: is("twoReserveBlocks") ? 2 : Number.POSITIVE_INFINITY,
    compaction: is("compaction"),
  };
}

function typesOf({ version }: Release, policy: PolicyName, cma: boolean): MigrateTypes {
  if (policy === "classic") return untyped;
  if (policy === "placement-2005") return types2005;
  return migrateTypesOf(factAt(migrateTypeFacts, version)?.value ?? "2.6.24", cma);
}

function fallbacksOf(policy: PolicyName, types: MigrateTypes): (readonly [number, number])[] {
  const table: (readonly [number, number])[] = [];
  if (policy === "classic") return table;
  table[types.unmovable] = [types.reclaimable, types.movable];
  // The 2005 patch lets user pages spill into the kernel's pinned blocks first, mainline into the reclaimable ones.
  table[types.movable] =
    policy === "placement-2005" ? [types.unmovable, types.reclaimable] : [types.reclaimable, types.unmovable];
  table[types.reclaimable] = [types.unmovable, types.movable];
  return table;
}
