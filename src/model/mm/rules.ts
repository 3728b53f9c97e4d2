// The allocator's rules for a release and a placement policy: dated facts gathered into one record of named choices.

import type { AllocatorGfp } from "../../kernel/facts/allocator_gfp.ts";
import { allocatorGfpOf } from "../../kernel/facts/allocator_gfp.ts";
import { mmFact } from "../../kernel/facts/mm_rules.ts";
import type { MigrateTypes } from "../../kernel/facts/mm_types.ts";
import { migrateTypeFacts, migrateTypesOf } from "../../kernel/facts/mm_types.ts";
import type { WatermarkGeneration } from "../../kernel/facts/mm_watermark.ts";
import { watermarkGenerationOf } from "../../kernel/facts/mm_watermark.ts";
import type { Release } from "../../kernel/release.ts";
import { factAt } from "../../kernel/release.ts";

/** classic: one list an order. placement-2005: three types and a global list of whole blocks. mobility: typed pageblocks. */
export type PolicyName = "classic" | "placement-2005" | "mobility";

/** Everything that a release or a setting changes about the allocator, named. */
export interface MmRules {
  readonly policy: PolicyName;
  readonly types: MigrateTypes;
  readonly gfp: AllocatorGfp;
  readonly generation: WatermarkGeneration;
  /** Types to fall back to, first choice first, by request type. */
  readonly fallbacks: readonly (readonly [number, number])[];
  /** vm.watermark_boost_factor; 0 is off. */
  readonly boostFactor: number;
  readonly groupingDisabled: boolean;
  /** ALLOC_NOFRAGMENT exists; it acts only where the configuration has ZONE_DMA32. */
  readonly avoidFragmenting: boolean;
  readonly mergeLikelyToTail: boolean;
  readonly unmovableSteals: boolean;
  readonly splitSmallestAfterSteal: boolean;
  readonly smallestForMovable: boolean;
  /** PCP_BATCH_SCALE_MAX, or -1 before 5.14. */
  readonly pcpScaleMax: number;
  /** Hot and cold lists instead of one list a type; `low` batches stay when the hot list is refilled. */
  readonly hotCold: { readonly low: number } | undefined;
  /** Only requests of this type are served from per-CPU lists (placement-2005: user pages); -1: all. */
  readonly pcpOnlyType: number;
  /** NR_FREE_PAGES has per-CPU parts. */
  readonly vmStatFree: boolean;
}

export interface RuleChoices {
  /** Left out: the release's own. placement-2005 was a patch to 2.6.11-rc and never merged: it is only had by asking. */
  readonly policy?: PolicyName;
  readonly cma?: boolean;
  readonly groupingDisabled?: boolean;
}

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

/** The rules of a release, or of another policy on top of it. */
export function rulesOf(release: Release, choices: RuleChoices = {}): MmRules {
  const is = (name: Parameters<typeof mmFact>[0]): boolean => mmFact(name, release);
  const policy = choices.policy ?? (is("mobility") ? "mobility" : "classic");
  const era = factAt(migrateTypeFacts, release.version)?.value ?? (policy === "mobility" ? "2.6.24" : undefined);
  const types =
    policy === "classic"
      ? untyped
      : policy === "placement-2005"
        ? types2005
        : migrateTypesOf(era ?? "2.6.24", choices.cma ?? false);
  const gfp = allocatorGfpOf(release.version);
  const typed = policy === "mobility";
  return {
    policy,
    types,
    gfp: policy === "placement-2005" && gfp.movable === 0 ? { ...gfp, ...gfp2005 } : gfp,
    generation: watermarkGenerationOf(release),
    fallbacks: fallbacksOf(policy, types),
    boostFactor: typed && is("watermarkBoost") ? 15000 : 0,
    groupingDisabled: choices.groupingDisabled ?? false,
    avoidFragmenting: typed && is("avoidFragmenting"),
    mergeLikelyToTail: is("mergeLikelyToTail"),
    unmovableSteals: is("unmovableSteals"),
    splitSmallestAfterSteal: is("splitSmallestAfterSteal"),
    smallestForMovable: is("smallestForMovable"),
    pcpScaleMax: is("pcpHighOrders") ? 5 : -1,
    hotCold: is("pcpByType") ? undefined : { low: is("hotRefillWhenEmpty") ? 0 : 2 },
    pcpOnlyType: policy === "placement-2005" ? types.movable : -1,
    vmStatFree: is("vmStatFree"),
  };
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

/** The rules of 6.1.192 as Debian and the oracle kernels build it; `cma` adds CONFIG_CMA. */
export function rules61(cma = false): MmRules {
  return rulesOf({ version: [6, 1, 192], arch: "x86_64" }, { cma });
}
