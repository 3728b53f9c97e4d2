// The buddy system: rings of free blocks by zone, order and type; splitting, merging, moving. No choice of type is made here:
// that is the placement policy's. Follows mm/page_alloc.c of 6.1.192.
//
//   one zone, orders 0..3, after handing out page 0 of a fresh block of 8:   a.bb....   0@1 1@2 2@4
//   (`n@p`: a free block of order n at pfn p)
//
// Made once per machine: the functions close over typed arrays, which V8 compiles into constants while there is one instance.
import { eventKind } from "../../kernel/events.ts";
import type { Journal } from "../journal.ts";
import type { Memory } from "./memory.ts";
import { ordersMax, pcpField, pcpStride, record, typesMax, word, zoneField, zoneStride } from "./memory.ts";

// Local copies: V8 folds a module's own constants, but loads imported bindings through a cell.
const NEXT = record.next;
const PREV = record.prev;
const WORD = record.word;
const BUDDY = word.buddy;
const TAKEN = word.taken;
const HEAD_MASK = word.zoneMask | word.stateMask | word.orderMask;
const STATE_MASK = word.stateMask;
const ORDER_MASK = word.orderMask;
const ZONE_SHIFT = word.zoneShift;
const TYPE_SHIFT = word.typeShift;
const LRU_OR_MOVABLE = word.lru | word.movable;
const ZONE_ROW = Math.log2(zoneStride);
const PCP_SHIFT = Math.log2(pcpStride);
const FREE = zoneField.free;
const FREE_CMA = zoneField.freeCma;
const START = zoneField.start;
const END = zoneField.end;
const STAT_THRESHOLD = pcpField.statThreshold;
const FREE_DIFF = pcpField.freeDiff;
const CMA_DIFF = pcpField.cmaDiff;
const ORDERS_SHIFT = Math.log2(ordersMax);
const TYPES_SHIFT = Math.log2(typesMax);
const NO_BLOCK = -1;

/** What a release or policy changes about merging. */
export interface MergeRules {
  /** Blocks of the highest order always go to this list (placement-2005's global list); -1: they keep their type. */
  readonly wholeBlocksTo: number;
  /** buddy_merge_likely(), since 2.6.35: a block whose parent is about to merge goes to the tail. */
  readonly mergeLikelyToTail: boolean;
  /** Types from this number on do not merge with others at pageblock order and above; typesMax when the release knows no such types. */
  readonly unmergeableFrom: number;
  /** MIGRATE_CMA, or -1. */
  readonly cma: number;
  /** MIGRATE_ISOLATE, or -1: its pages do not count as free. */
  readonly isolate: number;
}

export type FreeArea = ReturnType<typeof createFreeArea>;

export function createFreeArea(memory: Memory, journal: Journal, rules: MergeRules) {
  const { page, blockType, zone, nrFree, pcp, freeLists } = memory;
  const { orders, pageblockOrder, cpus, pcpMaxOrder, pcpHugeOrder } = memory.spec;
  const { wholeBlocksTo, mergeLikelyToTail, unmergeableFrom, cma, isolate } = rules;
  const topOrder = orders - 1;
  const blockPages = 1 << pageblockOrder;
  const lockedEvent = eventKind.mm_page_alloc_zone_locked;

  const listOf = (z: number, order: number, type: number): number =>
    freeLists + (((z << ORDERS_SHIFT) | order) << TYPES_SHIFT) + type;

  const blockTypeOf = (pfn: number): number => blockType[pfn >> pageblockOrder]! & 7;

  const setBlockType = (pfn: number, type: number): void => {
    const block = pfn >> pageblockOrder;
    blockType[block] = (blockType[block]! & 8) | type;
  };

  /** __mod_zone_page_state() for NR_FREE_PAGES: this CPU's difference folds into the global counter when it passes the threshold. */
  const modFree = (z: number, delta: number): void => {
    const row = (z * cpus + journal.cpu) << PCP_SHIFT;
    const x = pcp[row | FREE_DIFF]! + delta;
    const threshold = pcp[row | STAT_THRESHOLD]!;
    if (x > threshold || x < -threshold) {
      zone[(z << ZONE_ROW) | FREE] = zone[(z << ZONE_ROW) | FREE]! + x;
      pcp[row | FREE_DIFF] = 0;
    } else pcp[row | FREE_DIFF] = x;
  };

  const modFreeCma = (z: number, delta: number): void => {
    const row = (z * cpus + journal.cpu) << PCP_SHIFT;
    const x = pcp[row | CMA_DIFF]! + delta;
    const threshold = pcp[row | STAT_THRESHOLD]!;
    if (x > threshold || x < -threshold) {
      zone[(z << ZONE_ROW) | FREE_CMA] = zone[(z << ZONE_ROW) | FREE_CMA]! + x;
      pcp[row | CMA_DIFF] = 0;
    } else pcp[row | CMA_DIFF] = x;
  };

  /** __mod_zone_freepage_state(). */
  const modFreeState = (z: number, delta: number, type: number): void => {
    modFree(z, delta);
    if (cma >= 0 && type === cma) modFreeCma(z, delta);
  };

  // Chosen once: where there is no CMA, V8 need not carry its branch through every caller.
  const countFree: (z: number, delta: number, type: number) => void = cma >= 0 ? modFreeState : modFree;

  const insertAfter = (at: number, pfn: number): void => {
    const next = page[(at << 2) | NEXT]!;
    page[(pfn << 2) | NEXT] = next;
    page[(pfn << 2) | PREV] = at;
    page[(at << 2) | NEXT] = pfn;
    page[(next << 2) | PREV] = pfn;
  };

  const unlink = (pfn: number): void => {
    const next = page[(pfn << 2) | NEXT]!;
    const prev = page[(pfn << 2) | PREV]!;
    page[(prev << 2) | NEXT] = next;
    page[(next << 2) | PREV] = prev;
  };

  const addHead = (pfn: number, z: number, order: number, type: number): void => {
    insertAfter(listOf(z, order, type), pfn);
    page[(pfn << 2) | WORD] = (z << ZONE_SHIFT) | BUDDY | order;
    nrFree[(z << ORDERS_SHIFT) + order] = nrFree[(z << ORDERS_SHIFT) + order]! + 1;
  };

  const addTail = (pfn: number, z: number, order: number, type: number): void => {
    insertAfter(page[(listOf(z, order, type) << 2) | PREV]!, pfn);
    page[(pfn << 2) | WORD] = (z << ZONE_SHIFT) | BUDDY | order;
    nrFree[(z << ORDERS_SHIFT) + order] = nrFree[(z << ORDERS_SHIFT) + order]! + 1;
  };

  const remove = (pfn: number, z: number, order: number): void => {
    unlink(pfn);
    page[(pfn << 2) | WORD] = 0;
    nrFree[(z << ORDERS_SHIFT) + order] = nrFree[(z << ORDERS_SHIFT) + order]! - 1;
  };

  /** First block of a list, or -1. */
  const firstOf = (z: number, order: number, type: number): number => {
    const list = listOf(z, order, type);
    const pfn = page[(list << 2) | NEXT]!;
    return pfn === list ? NO_BLOCK : pfn;
  };

  const isEmpty = (z: number, order: number, type: number): boolean => {
    const list = listOf(z, order, type);
    return page[(list << 2) | NEXT] === list;
  };

  /** expand(): the upper halves of a block that is larger than wanted go to the heads of their lists. */
  const expand = (pfn: number, z: number, low: number, high: number, type: number): void => {
    for (let order = high - 1; order >= low; order--) addHead(pfn + (1 << order), z, order, type);
  };

  /** Takes a block off its list and marks it taken, with the type it is cached under (page->index). */
  const take = (pfn: number, z: number, order: number, from: number, type: number): void => {
    unlink(pfn);
    nrFree[(z << ORDERS_SHIFT) + from] = nrFree[(z << ORDERS_SHIFT) + from]! - 1;
    if (from > order) expand(pfn, z, order, from, type);
    page[(pfn << 2) | WORD] = (type << TYPE_SHIFT) | (z << ZONE_SHIFT) | TAKEN | order;
  };

  /** __rmqueue_smallest(): the first block of the smallest sufficient order, or -1. */
  const rmqueueSmallest = (z: number, order: number, type: number): number => {
    for (let from = order; from <= topOrder; from++) {
      const pfn = firstOf(z, from, type);
      if (pfn < 0) continue;
      take(pfn, z, order, from, type);
      if (journal.heard) {
        const refill = (order <= pcpMaxOrder || order === pcpHugeOrder) && type < 3 ? 1 : 0;
        journal.emit(lockedEvent, pfn, order, type, refill);
      }
      return pfn;
    }
    return NO_BLOCK;
  };

  /** True when the block at `pfn` is free, whole and of exactly this order in this zone: find_buddy_page_pfn()'s test. */
  const isFreeBlock = (pfn: number, z: number, order: number): boolean =>
    (page[(pfn << 2) | WORD]! & HEAD_MASK) === ((z << ZONE_SHIFT) | BUDDY | order);

  /** __free_one_page(): merges upwards as far as buddies are free, then lists the result. `type` is the freed page's. */
  const freeOnePage = (freed: number, z: number, freedOrder: number, type: number, toTail: boolean): void => {
    let pfn = freed;
    let order = freedOrder;
    let buddy = 0;
    if (type !== isolate) countFree(z, 1 << order, type);
    while (order < topOrder) {
      buddy = pfn ^ (1 << order);
      if (!isFreeBlock(buddy, z, order)) break;
      if (order >= pageblockOrder) {
        const buddyType = blockTypeOf(buddy);
        if (type !== buddyType && (type >= unmergeableFrom || buddyType >= unmergeableFrom)) break;
      }
      remove(buddy, z, order);
      pfn &= buddy;
      order++;
    }
    // The freed page is the head of the result, or inside it.
    if (pfn !== freed) page[(freed << 2) | WORD] = 0;
    const list = wholeBlocksTo >= 0 && order === topOrder ? wholeBlocksTo : type;
    if (
      toTail ||
      (mergeLikelyToTail && order < topOrder - 1 && isFreeBlock((pfn & buddy) ^ (2 << order), z, order + 1))
    )
      addTail(pfn, z, order, list);
    else addHead(pfn, z, order, list);
  };

  /** move_to_free_list(): to the tail of another type's list. */
  const moveToList = (pfn: number, z: number, order: number, type: number): void => {
    unlink(pfn);
    insertAfter(page[(listOf(z, order, type) << 2) | PREV]!, pfn);
  };

  /** Movable pages that the last moveFreepagesBlock met. */
  let movableMet = 0;

  /**
   * move_freepages_block(): every free block of the pageblock around `pfn` to the tail of a type's lists, rising pfn.
   * Returns the pages moved; 0 without a look when the pageblock reaches past the end of the zone.
   */
  const moveFreepagesBlock = (around: number, z: number, type: number): number => {
    movableMet = 0;
    let pfn = around & -blockPages;
    const end = pfn + blockPages;
    if (pfn < zone[(z << ZONE_ROW) | START]!) pfn = around;
    if (end > zone[(z << ZONE_ROW) | END]!) return 0;
    let moved = 0;
    while (pfn < end) {
      const w = page[(pfn << 2) | WORD]!;
      if ((w & STATE_MASK) !== BUDDY) {
        if ((w & LRU_OR_MOVABLE) !== 0) movableMet++;
        pfn++;
        continue;
      }
      const order = w & ORDER_MASK;
      moveToList(pfn, z, order, type);
      pfn += 1 << order;
      moved += 1 << order;
    }
    return moved;
  };

  return {
    listOf,
    blockTypeOf,
    setBlockType,
    modFree,
    modFreeState: countFree,
    insertAfter,
    unlink,
    addHead,
    addTail,
    remove,
    firstOf,
    isEmpty,
    take,
    rmqueueSmallest,
    isFreeBlock,
    isWholeOrder: (order: number): boolean => order === topOrder,
    freeOnePage,
    moveToList,
    moveFreepagesBlock,
    movableMet: () => movableMet,
  };
}
