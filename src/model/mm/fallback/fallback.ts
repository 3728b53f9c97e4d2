// What a request does that finds its type's lists empty: it takes from another type. What is common to the ways of doing so stands here.
import type { Journal } from "../../journal.ts";
import type { FreeArea } from "../free_area.ts";
import type { Memory } from "../memory.ts";
import { ordersMax, zoneField, zoneFlag, zoneStride } from "../memory.ts";
import type { MmRules } from "../rules.ts";

const ZONE_ROW = Math.log2(zoneStride);
const ORDERS_SHIFT = Math.log2(ordersMax);
const MANAGED = zoneField.managed;
const HIGH = zoneField.high;
const BOOST = zoneField.boost;
const FLAGS = zoneField.flags;
const BOOSTED = zoneFlag.boostedWatermark;

/** __rmqueue(): a block from the request's own lists or another type's. */
export interface Fallback {
  /** A request or a refill begins: what the last one learnt is forgotten. */
  begin(): void;
  /** The first block after begin(). */
  rmqueue(z: number, order: number, type: number, allocFlags: number): number;
  /** The next block of the same refill. */
  rmqueueMore(z: number, order: number, type: number, allocFlags: number): number;
}

export interface FallbackPart {
  readonly name: string;
  readonly make: (memory: Memory, area: FreeArea, journal: Journal, rules: MmRules) => Fallback;
}

export interface FallbackBasics {
  /** May a request take more of the pageblock than the block it found? can_steal_fallback(), should_try_claim_block() in 6.16. */
  canSteal(order: number, type: number): boolean;
  /** The first other type, in the order of the table, with a block of exactly this order; -1. */
  find(z: number, order: number, type: number): number;
  /** boost_watermark(): fragmentation raises the watermarks so that kswapd works ahead, and it is woken where `wakes`. */
  boost(z: number, wakes: boolean): void;
  /** Pages of the pageblock that suit `type` beside the free ones, of `movable` movable and `free` free pages. */
  alike(type: number, blockType: number, free: number, movable: number): number;
}

export function createFallbackBasics(memory: Memory, area: FreeArea, rules: MmRules): FallbackBasics {
  const { zone, nrFree } = memory;
  const { pageblockOrder } = memory.spec;
  const { isEmpty } = area;
  const { boostFactor, groupingDisabled, unmovableSteals } = rules;
  const { movable: MOVABLE, reclaimable: RECLAIMABLE, unmovable: UNMOVABLE } = rules.types;
  const blockPages = 1 << pageblockOrder;
  const fallbacks = Int32Array.from(rules.fallbacks.flat());
  return {
    canSteal: (order, type) =>
      order >= pageblockOrder >> 1 ||
      type === RECLAIMABLE ||
      (unmovableSteals && type === UNMOVABLE) ||
      groupingDisabled,
    find(z, order, type) {
      if (nrFree[(z << ORDERS_SHIFT) + order] === 0) return -1;
      const first = fallbacks[type * 2]!;
      if (!isEmpty(z, order, first)) return first;
      const second = fallbacks[type * 2 + 1]!;
      return isEmpty(z, order, second) ? -1 : second;
    },
    boost(z, wakes) {
      const at = z << ZONE_ROW;
      if (boostFactor === 0 || blockPages * 4 > zone[at | MANAGED]!) return;
      const limit = Math.floor((zone[at | HIGH]! * boostFactor) / 10000);
      if (limit === 0) return;
      zone[at | BOOST] = Math.min(zone[at | BOOST]! + blockPages, Math.max(blockPages, limit));
      if (wakes) zone[at | FLAGS] = zone[at | FLAGS]! | BOOSTED;
    },
    alike: (type, blockType, free, movable) =>
      type === MOVABLE ? movable : blockType === MOVABLE ? blockPages - (free + movable) : 0,
  };
}
