// Grouping pages by mobility, since 2.6.24: pageblocks have types, and a freed page returns to its pageblock's. What happens when a type's lists are
// empty is fallback/, what is set apart for atomic requests highatomic/. Follows mm/page_alloc.c.
import { allocFlag } from "./alloc_flags.ts";
import type { Fallback } from "./fallback/fallback.ts";
import type { FreeArea } from "./free_area.ts";
import type { Highatomic } from "./highatomic/highatomic.ts";
import type { Memory } from "./memory.ts";
import { zoneField, zoneStride } from "./memory.ts";
import type { Placement } from "./placement.ts";
import type { MmRules } from "./rules.ts";

const ZONE_ROW = Math.log2(zoneStride);
const FREE = zoneField.free;
const FREE_CMA = zoneField.freeCma;
const CMA_FLAG = allocFlag.cma;

export function createMobility(
  memory: Memory,
  area: FreeArea,
  rules: MmRules,
  fallback: Fallback,
  highatomic: Highatomic,
): Placement {
  const { zone } = memory;
  const { movable, cma } = rules.types;
  const { begin, rmqueue, rmqueueMore } = fallback;

  /** Movable requests take CMA pages first while those are more than half of what is free. */
  const cmaFirst = (z: number, order: number, type: number, allocFlags: number): number => {
    if ((allocFlags & CMA_FLAG) === 0) return -1;
    const free = zone[(z << ZONE_ROW) | FREE]!;
    return zone[(z << ZONE_ROW) | FREE_CMA]! * 2 > free ? area.rmqueueSmallest(z, order, cma, type) : -1;
  };

  const rmqueueCma: Fallback["rmqueue"] = (z, order, type, allocFlags) => {
    begin();
    const pfn = cmaFirst(z, order, type, allocFlags);
    return pfn >= 0 ? pfn : rmqueue(z, order, type, allocFlags);
  };

  const rmqueueMoreCma: Fallback["rmqueue"] = (z, order, type, allocFlags) => {
    const pfn = cmaFirst(z, order, type, allocFlags);
    return pfn >= 0 ? pfn : rmqueueMore(z, order, type, allocFlags);
  };

  return {
    bootType: movable,
    rmqueue: cma >= 0 ? rmqueueCma : rmqueue,
    rmqueueMore: cma >= 0 ? rmqueueMoreCma : rmqueueMore,
    freeType: area.blockTypeOf,
    reserveHighatomic: highatomic.reserve,
    unreserveHighatomic: highatomic.unreserve,
  };
}
