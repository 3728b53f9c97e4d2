// What a gfp mask and the current task entitle a request to at the min watermark: gfp_to_alloc_flags(), mm/page_alloc.c.
// 6.1.192 (generation 3) ties the atomic reserve to __GFP_HIGH; before, whoever could not wait tried harder.
import type { AllocatorGfp } from "../../kernel/facts/allocator_gfp.ts";
import type { MigrateTypes } from "../../kernel/facts/mm_types.ts";
import type { WatermarkGeneration } from "../../kernel/facts/mm_watermark.ts";
import { allocFlag } from "./alloc_flags.ts";
import type { WatermarkRequest } from "./watermark.ts";

/** Who asks: what of the current task the allocator looks at. */
export interface TaskContext {
  /** PF_MEMALLOC: the task itself frees memory. */
  memalloc: boolean;
  realtime: boolean;
  inInterrupt: boolean;
  /** Chosen by the OOM killer. */
  oomVictim: boolean;
}

export const plainTask = (): TaskContext => ({
  memalloc: false,
  realtime: false,
  inInterrupt: false,
  oomVictim: false,
});

/** The bits and numbers of a release that rights depend on. */
export interface RightsRules {
  readonly gfp: AllocatorGfp;
  readonly types: MigrateTypes;
  readonly generation: WatermarkGeneration;
}

/** gfp_migratetype(): the free list a mask asks for. */
function migratetypeOfGfp({ gfp: bits, types }: RightsRules, gfp: number): number {
  if ((gfp & bits.movable) !== 0) return types.movable;
  return (gfp & bits.reclaimable) !== 0 ? types.reclaimable : types.unmovable;
}

/** Alloc flags (alloc_flags.ts) of a request's slow path: min watermark, with the reserves its mask opens. */
export function slowPathFlags(rules: RightsRules, gfp: number, order: number, task: TaskContext): number {
  const { gfp: bits, types, generation } = rules;
  let flags: number = allocFlag.wmarkMin | allocFlag.cpuset;
  const high = (gfp & bits.high) !== 0;
  const canWait = (gfp & bits.directReclaim) !== 0;
  if (high) flags |= allocFlag.minReserve;
  if (bits.kswapdReclaim === 0 || (gfp & bits.kswapdReclaim) !== 0) flags |= allocFlag.kswapd;
  const hurried = generation === 3 || bits.atomic === 0 ? !canWait : (gfp & bits.atomic) !== 0;
  if (hurried) {
    if ((gfp & bits.nomemalloc) === 0) {
      flags |= allocFlag.nonBlock;
      if (order > 0 && generation >= 2 && (generation === 2 || high)) flags |= allocFlag.highatomic;
    }
    if (generation !== 3 || high) flags &= ~allocFlag.cpuset;
  } else if (task.realtime && !task.inInterrupt) flags |= generation === 3 ? allocFlag.minReserve : allocFlag.nonBlock;
  if (types.cma >= 0 && migratetypeOfGfp(rules, gfp) === types.movable) flags |= allocFlag.cma;
  return flags;
}

/** __gfp_pfmemalloc_flags(): noWatermarks, oom, or 0. */
export function reserveFlags({ gfp: bits }: RightsRules, gfp: number, task: TaskContext): number {
  if ((gfp & bits.nomemalloc) !== 0) return 0;
  if ((gfp & bits.memalloc) !== 0) return allocFlag.noWatermarks;
  if (task.inInterrupt) return 0;
  if (task.memalloc) return allocFlag.noWatermarks;
  return task.oomVictim ? allocFlag.oom : 0;
}

/** The question to put to {@link zoneWatermarkOk} for the last try of a request, the one whose failure is reported. */
export function requestAtMin(
  rules: RightsRules,
  gfp: number,
  order: number,
  highestZone: number,
  task: TaskContext = plainTask(),
): WatermarkRequest {
  const flags = slowPathFlags(rules, gfp, order, task) | reserveFlags(rules, gfp, task);
  return {
    order,
    mark: "min",
    highestZone,
    high: (flags & allocFlag.minReserve) !== 0,
    harder: (flags & allocFlag.nonBlock) !== 0,
    oom: (flags & allocFlag.oom) !== 0,
    cma: (flags & allocFlag.cma) !== 0,
    highatomic: (flags & allocFlag.highatomic) !== 0,
  };
}
