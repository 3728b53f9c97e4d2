// Claim first, steal as the last resort, since 6.15 and in 6.12.y: a whole pageblock changes its type or nothing moves; and when none can be had so,
// the smallest block of another type is cut, whose rest stays where it was. A refill remembers which of these worked.
// Follows __rmqueue(), __rmqueue_claim(), __rmqueue_steal() and try_to_claim_block(), mm/page_alloc.c, 7.2.12 (try_to_steal_block() in 6.12.117).

import { eventKind } from "../../../kernel/events.ts";
import type { Journal } from "../../journal.ts";
import { allocFlag } from "../alloc_flags.ts";
import type { FreeArea } from "../free_area.ts";
import type { Memory } from "../memory.ts";
import type { MmRules } from "../rules.ts";
import type { Fallback, FallbackPart } from "./fallback.ts";
import { createFallbackBasics } from "./fallback.ts";

const NO_FRAGMENT = allocFlag.noFragment;
const KSWAPD = allocFlag.kswapd;
const CMA_FLAG = allocFlag.cma;
/** enum rmqueue_mode */
const NORMAL = 0;
const CMA = 1;
const STEAL = 3;

export const claimThenSteal: FallbackPart = { name: "claim then steal", make: createClaim };

function createClaim(memory: Memory, area: FreeArea, journal: Journal, rules: MmRules): Fallback {
  const { orders, pageblockOrder } = memory.spec;
  const { cma } = rules.types;
  const { groupingDisabled } = rules;
  const {
    rmqueueSmallest,
    take,
    claimWhole,
    firstOf,
    blockTypeOf,
    setBlockType,
    moveFreepagesBlock,
    blockInZone,
    countBlock,
    met,
  } = area;
  const { canSteal, find, boost, alike } = createFallbackBasics(memory, area, rules);
  const topOrder = orders - 1;
  const blockPages = 1 << pageblockOrder;
  const extfragEvent = eventKind.mm_page_alloc_extfrag;
  /** Where the last block of this refill came from. */
  let mode = NORMAL;

  const tell = (pfn: number, order: number, from: number, type: number, other: number): number => {
    if (journal.heard) journal.emit(extfragEvent, pfn, order, from, type, other, blockTypeOf(pfn) === type ? 1 : 0);
    return pfn;
  };

  /** try_to_claim_block() below pageblock order: all or nothing of the pageblock, then the own lists again. */
  const claimBlock = (
    found: number,
    z: number,
    order: number,
    type: number,
    other: number,
    allocFlags: number,
  ): number => {
    boost(z, (allocFlags & KSWAPD) !== 0);
    if (!blockInZone(found, z)) return -1;
    const start = found & -blockPages;
    countBlock(start);
    if (met.free + alike(type, other, met.free, met.movable) < blockPages >> 1 && !groupingDisabled) return -1;
    moveFreepagesBlock(start, z, other, type);
    setBlockType(start, type);
    return rmqueueSmallest(z, order, type);
  };

  /** __rmqueue_claim(): largest first, down to the order from which on a pageblock may not be claimed. */
  const claim = (z: number, order: number, type: number, allocFlags: number): number => {
    const lowest = order < pageblockOrder && (allocFlags & NO_FRAGMENT) !== 0 ? pageblockOrder : order;
    for (let from = topOrder; from >= lowest && canSteal(from, type); from--) {
      const other = find(z, from, type);
      if (other < 0) continue;
      const found = firstOf(z, from, other);
      if (from >= pageblockOrder) {
        claimWhole(found, z, order, from, other, type);
        return tell(found, order, from, type, other);
      }
      const pfn = claimBlock(found, z, order, type, other, allocFlags);
      if (pfn >= 0) return tell(pfn, order, from, type, other);
    }
    return -1;
  };

  /** __rmqueue_steal(): the smallest block that is large enough. */
  const stealOne = (z: number, order: number, type: number): number => {
    for (let from = order; from <= topOrder; from++) {
      const other = find(z, from, type);
      if (other < 0) continue;
      const pfn = firstOf(z, from, other);
      take(pfn, z, order, from, other);
      return tell(pfn, order, from, type, other);
    }
    return -1;
  };

  const fallBack = (z: number, order: number, type: number, allocFlags: number): number => {
    if (mode !== STEAL) {
      const pfn = claim(z, order, type, allocFlags);
      if (pfn >= 0) {
        mode = NORMAL;
        return pfn;
      }
    }
    if ((allocFlags & NO_FRAGMENT) !== 0) return -1;
    const pfn = stealOne(z, order, type);
    if (pfn >= 0) mode = STEAL;
    return pfn;
  };

  const rmqueueMore = (z: number, order: number, type: number, allocFlags: number): number => {
    if (mode === NORMAL) {
      const pfn = rmqueueSmallest(z, order, type);
      if (pfn >= 0) return pfn;
    }
    if (cma >= 0 && mode <= CMA && (allocFlags & CMA_FLAG) !== 0) {
      const pfn = rmqueueSmallest(z, order, cma);
      if (pfn >= 0) {
        mode = CMA;
        return pfn;
      }
    }
    return fallBack(z, order, type, allocFlags);
  };

  return {
    begin() {
      mode = NORMAL;
    },
    rmqueue(z, order, type, allocFlags) {
      mode = NORMAL;
      return rmqueueMore(z, order, type, allocFlags);
    },
    rmqueueMore,
  };
}
