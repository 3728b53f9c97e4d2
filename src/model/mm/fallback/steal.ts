// One search, largest block first: the block found, or all that is free in its pageblock, is brought over to the request's own lists, which are
// then asked again. Up to 6.9. Follows __rmqueue_fallback() and steal_suitable_fallback(), mm/page_alloc.c, 6.1.192; what older releases
// did otherwise are named rules.
//
//   U uuuuuuuu   M mm......   a movable request looks in M; an unmovable one that finds U full takes the largest block of M

import { eventKind } from "../../../kernel/events.ts";
import type { Journal } from "../../journal.ts";
import { allocFlag } from "../alloc_flags.ts";
import type { FreeArea } from "../free_area.ts";
import type { Memory } from "../memory.ts";
import { record, word } from "../memory.ts";
import type { MmRules } from "../rules.ts";
import type { Fallback, FallbackPart } from "./fallback.ts";
import { createFallbackBasics } from "./fallback.ts";

const WORD = record.word;
const ORDER_MASK = word.orderMask;
const NO_FRAGMENT = allocFlag.noFragment;
const KSWAPD = allocFlag.kswapd;
const CMA_FLAG = allocFlag.cma;

export const steal: FallbackPart = { name: "steal", make: createSteal };

function createSteal(memory: Memory, area: FreeArea, journal: Journal, rules: MmRules): Fallback {
  const { page } = memory;
  const { orders, pageblockOrder } = memory.spec;
  const { movable: MOVABLE, highatomic: HIGHATOMIC, reserve: RESERVE, cma } = rules.types;
  const { groupingDisabled, splitSmallestAfterSteal, smallestForMovable, noFragmentAnyOrder } = rules;
  const {
    rmqueueSmallest,
    take,
    firstOf,
    blockTypeOf,
    setBlockType,
    setBlockTypes,
    moveToList,
    moveFreepagesBlock,
    met,
  } = area;
  const { canSteal, find, boost, alike } = createFallbackBasics(memory, area, rules);
  const topOrder = orders - 1;
  const blockPages = 1 << pageblockOrder;
  const extfragEvent = eventKind.mm_page_alloc_extfrag;
  const lockedEvent = eventKind.mm_page_alloc_zone_locked;

  /** steal_suitable_fallback(): brings the block, or its whole pageblock, over to `type`'s lists. `from` is the list it stands on. */
  const bringOver = (
    pfn: number,
    z: number,
    allocFlags: number,
    from: number,
    type: number,
    wholeBlock: boolean,
  ): void => {
    const order = page[(pfn << 2) | WORD]! & ORDER_MASK;
    const oldType = blockTypeOf(pfn);
    if (HIGHATOMIC >= 0 && oldType === HIGHATOMIC) {
      moveToList(pfn, z, order, from, type);
      return;
    }
    if (order >= pageblockOrder) {
      setBlockTypes(pfn, order, type);
      moveToList(pfn, z, order, from, type);
      return;
    }
    boost(z, (allocFlags & KSWAPD) !== 0);
    if (!wholeBlock) {
      moveToList(pfn, z, order, from, type);
      return;
    }
    const free = moveFreepagesBlock(pfn, z, from, type);
    if (free === 0) {
      moveToList(pfn, z, order, from, type);
      return;
    }
    const suiting = splitSmallestAfterSteal ? alike(type, oldType, free, met.movable) : 0;
    if (free + suiting >= blockPages >> 1 || groupingDisabled) setBlockType(pfn, type);
  };

  /** __rmqueue_fallback(): the block that was brought to `type`'s lists, or -1. */
  const fallBack = (z: number, order: number, type: number, allocFlags: number): number => {
    const lowest =
      (noFragmentAnyOrder || order < pageblockOrder) && (allocFlags & NO_FRAGMENT) !== 0 ? pageblockOrder : order;
    let from = topOrder;
    let other = -1;
    for (; from >= lowest; from--) {
      other = find(z, from, type);
      if (other >= 0) break;
    }
    if (other < 0) return -1;
    let whole = canSteal(from, type);
    if (smallestForMovable && !whole && type === MOVABLE && from > order) {
      for (from = order; ; from++) {
        other = find(z, from, type);
        if (other >= 0) break;
      }
      whole = canSteal(from, type);
    }
    const pfn = firstOf(z, from, other);
    bringOver(pfn, z, allocFlags, other, type, whole);
    if (journal.heard) journal.emit(extfragEvent, pfn, order, from, type, other, blockTypeOf(pfn) === type ? 1 : 0);
    return pfn;
  };

  /** Up to 4.11 the stolen block itself is split. */
  const takeStolen = (pfn: number, z: number, order: number, type: number): number => {
    take(pfn, z, order, page[(pfn << 2) | WORD]! & ORDER_MASK, type);
    if (journal.heard) journal.emit(lockedEvent, pfn, order, type, order === 0 ? 1 : 0);
    return pfn;
  };

  const rmqueueSlow = (z: number, order: number, type: number, allocFlags: number): number => {
    for (;;) {
      if (cma >= 0 && (allocFlags & CMA_FLAG) !== 0) {
        const pfn = rmqueueSmallest(z, order, cma, type);
        if (pfn >= 0) return pfn;
      }
      const stolen = fallBack(z, order, type, allocFlags);
      if (stolen < 0) return RESERVE >= 0 ? rmqueueSmallest(z, order, RESERVE) : -1;
      if (!splitSmallestAfterSteal) return takeStolen(stolen, z, order, type);
      const pfn = rmqueueSmallest(z, order, type);
      if (pfn >= 0) return pfn;
    }
  };

  const rmqueue = (z: number, order: number, type: number, allocFlags: number): number => {
    const pfn = rmqueueSmallest(z, order, type);
    return pfn >= 0 ? pfn : rmqueueSlow(z, order, type, allocFlags);
  };

  return { begin: () => {}, rmqueue, rmqueueMore: rmqueue };
}
