// Grouping pages by mobility, as 6.1.192 does: pageblocks have types; a request that finds its type's lists empty steals from another
// type, largest block first, and may take the whole pageblock with it. Follows mm/page_alloc.c.
//
//   U uuuuuuuu   M mm......   a movable request looks in M; an unmovable one that finds U full takes the largest block of M

import { eventKind } from "../../kernel/events.ts";
import type { Journal } from "../journal.ts";
import { allocFlag } from "./alloc_flags.ts";
import type { FreeArea } from "./free_area.ts";
import type { Memory } from "./memory.ts";
import { ordersMax, record, word, zoneField, zoneStride } from "./memory.ts";
import type { Placement } from "./placement.ts";
import type { MmRules } from "./rules.ts";

const WORD = record.word;
const ORDER_MASK = word.orderMask;
const ZONE_ROW = Math.log2(zoneStride);
const ORDERS_SHIFT = Math.log2(ordersMax);
const MANAGED = zoneField.managed;
const HIGH = zoneField.high;
const BOOST = zoneField.boost;
const FLAGS = zoneField.flags;
const RESERVED = zoneField.reservedHighatomic;
const FREE = zoneField.free;
const FREE_CMA = zoneField.freeCma;
const NO_FRAGMENT = allocFlag.noFragment;
const KSWAPD = allocFlag.kswapd;
const CMA_FLAG = allocFlag.cma;

export function createMobility(memory: Memory, area: FreeArea, journal: Journal, rules: MmRules): Placement {
  const { page, zone, nrFree } = memory;
  const { orders, pageblockOrder } = memory.spec;
  const { movable: MOVABLE, reclaimable: RECLAIMABLE, unmovable: UNMOVABLE, highatomic: HIGHATOMIC, cma } = rules.types;
  const { boostFactor, groupingDisabled, unmovableSteals, splitSmallestAfterSteal, smallestForMovable } = rules;
  const { reserve: RESERVE } = rules.types;
  const {
    rmqueueSmallest,
    take,
    firstOf,
    isEmpty,
    blockTypeOf,
    setBlockType,
    moveToList,
    moveFreepagesBlock,
    movableMet,
  } = area;
  const topOrder = orders - 1;
  const blockPages = 1 << pageblockOrder;
  const mergeableBelow = HIGHATOMIC >= 0 ? HIGHATOMIC : rules.types.reserve;
  const fallbacks = Int32Array.from(rules.fallbacks.flat());
  const extfragEvent = eventKind.mm_page_alloc_extfrag;
  const lockedEvent = eventKind.mm_page_alloc_zone_locked;

  /** can_steal_fallback(): whether a request may take more of the pageblock than the block it found. */
  const canSteal = (order: number, type: number): boolean =>
    order >= pageblockOrder >> 1 || type === RECLAIMABLE || (unmovableSteals && type === UNMOVABLE) || groupingDisabled;

  /** find_suitable_fallback() without only_stealable: the first other type with a block of this order, or -1. */
  const findFallback = (z: number, order: number, type: number): number => {
    if (nrFree[(z << ORDERS_SHIFT) + order] === 0) return -1;
    const first = fallbacks[type * 2]!;
    if (!isEmpty(z, order, first)) return first;
    const second = fallbacks[type * 2 + 1]!;
    return isEmpty(z, order, second) ? -1 : second;
  };

  /** boost_watermark(): fragmentation raises the watermarks so that kswapd works ahead. True when it was raised. */
  const boostWatermark = (z: number): boolean => {
    const at = z << ZONE_ROW;
    if (boostFactor === 0 || blockPages * 4 > zone[at | MANAGED]!) return false;
    const limit = Math.floor((zone[at | HIGH]! * boostFactor) / 10000);
    if (limit === 0) return false;
    zone[at | BOOST] = Math.min(zone[at | BOOST]! + blockPages, Math.max(blockPages, limit));
    return true;
  };

  /** steal_suitable_fallback(): brings the block, or its whole pageblock, over to `type`'s lists. */
  const steal = (pfn: number, z: number, allocFlags: number, type: number, wholeBlock: boolean): void => {
    const order = page[(pfn << 2) | WORD]! & ORDER_MASK;
    const oldType = blockTypeOf(pfn);
    if (HIGHATOMIC >= 0 && oldType === HIGHATOMIC) {
      moveToList(pfn, z, order, type);
      return;
    }
    if (order >= pageblockOrder) {
      for (let at = pfn; at < pfn + (1 << order); at += blockPages) setBlockType(at, type);
      moveToList(pfn, z, order, type);
      return;
    }
    if (boostWatermark(z) && (allocFlags & KSWAPD) !== 0)
      zone[(z << ZONE_ROW) | FLAGS] = zone[(z << ZONE_ROW) | FLAGS]! | 1;
    if (!wholeBlock) {
      moveToList(pfn, z, order, type);
      return;
    }
    const free = moveFreepagesBlock(pfn, z, type);
    if (free === 0) {
      moveToList(pfn, z, order, type);
      return;
    }
    const movable = movableMet();
    const alike = !splitSmallestAfterSteal
      ? 0
      : type === MOVABLE
        ? movable
        : oldType === MOVABLE
          ? blockPages - (free + movable)
          : 0;
    if (free + alike >= blockPages >> 1 || groupingDisabled) setBlockType(pfn, type);
  };

  /** __rmqueue_fallback(): the block that was brought to `type`'s lists, or -1. */
  const fallBack = (z: number, order: number, type: number, allocFlags: number): number => {
    const lowest = order < pageblockOrder && (allocFlags & NO_FRAGMENT) !== 0 ? pageblockOrder : order;
    let from = topOrder;
    let other = -1;
    for (; from >= lowest; from--) {
      other = findFallback(z, from, type);
      if (other >= 0) break;
    }
    if (other < 0) return -1;
    let whole = canSteal(from, type);
    if (smallestForMovable && !whole && type === MOVABLE && from > order) {
      for (from = order; ; from++) {
        other = findFallback(z, from, type);
        if (other >= 0) break;
      }
      whole = canSteal(from, type);
    }
    const pfn = firstOf(z, from, other);
    steal(pfn, z, allocFlags, type, whole);
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
        const pfn = rmqueueSmallest(z, order, cma);
        if (pfn >= 0) return pfn;
      }
      const stolen = fallBack(z, order, type, allocFlags);
      if (stolen < 0) return RESERVE >= 0 ? rmqueueSmallest(z, order, RESERVE) : -1;
      if (!splitSmallestAfterSteal) return takeStolen(stolen, z, order, type);
      const pfn = rmqueueSmallest(z, order, type);
      if (pfn >= 0) return pfn;
    }
  };

  const rmqueuePlain = (z: number, order: number, type: number, allocFlags: number): number => {
    const pfn = rmqueueSmallest(z, order, type);
    return pfn >= 0 ? pfn : rmqueueSlow(z, order, type, allocFlags);
  };

  /** Movable requests take CMA pages first while those are more than half of what is free. */
  const rmqueueCma = (z: number, order: number, type: number, allocFlags: number): number => {
    if ((allocFlags & CMA_FLAG) !== 0 && zone[(z << ZONE_ROW) | FREE_CMA]! * 2 > zone[(z << ZONE_ROW) | FREE]!) {
      const pfn = rmqueueSmallest(z, order, cma);
      if (pfn >= 0) return pfn;
    }
    return rmqueuePlain(z, order, type, allocFlags);
  };

  return {
    bootType: MOVABLE,
    rmqueue: cma >= 0 ? rmqueueCma : rmqueuePlain,
    freeType: blockTypeOf,
    reserveHighatomic(pfn, z) {
      const at = z << ZONE_ROW;
      const limit = Math.floor(zone[at | MANAGED]! / 100) + blockPages;
      if (zone[at | RESERVED]! >= limit || blockTypeOf(pfn) >= mergeableBelow) return;
      zone[at | RESERVED] = zone[at | RESERVED]! + blockPages;
      setBlockType(pfn, HIGHATOMIC);
      moveFreepagesBlock(pfn, z, HIGHATOMIC);
    },
    unreserveHighatomic(z, type, force) {
      const at = z << ZONE_ROW;
      if (!force && zone[at | RESERVED]! <= blockPages) return false;
      for (let order = 0; order <= topOrder; order++) {
        const pfn = firstOf(z, order, HIGHATOMIC);
        if (pfn < 0) continue;
        if (blockTypeOf(pfn) === HIGHATOMIC)
          zone[at | RESERVED] = zone[at | RESERVED]! - Math.min(blockPages, zone[at | RESERVED]!);
        setBlockType(pfn, type);
        if (moveFreepagesBlock(pfn, z, type) > 0) return true;
      }
      return false;
    },
  };
}
