// The buddy system: rings of free blocks by zone, order and type; splitting, merging, moving. No choice of type is made here:
// that is the placement policy's. Follows mm/page_alloc.c of 6.1.192.
//
//   one zone, orders 0..3, after handing out page 0 of a fresh block of 8:   a.bb....   0@1 1@2 2@4
//   (`n@p`: a free block of order n at pfn p)
//
// Made once per machine: the functions close over typed arrays, which V8 compiles into constants while there is one instance.
import { eventKind } from "../../kernel/events.ts";
import type { Journal } from "../journal.ts";
import type { Account } from "./account/account.ts";
import type { Memory } from "./memory.ts";
import { ordersMax, record, typesMax, word, zoneField, zoneStride } from "./memory.ts";

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
const START = zoneField.start;
const END = zoneField.end;
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
  /** MIGRATE_ISOLATE, or -1: its pages do not count as free. */
  readonly isolate: number;
  /** Merging across pageblocks gives the buddy's pageblocks the type of the freed block, and larger blocks are freed pageblock by pageblock (since 6.10). */
  readonly blocksFollowLists: boolean;
  /** mm_page_alloc_zone_locked names the type that was asked for, not the list that gave (up to 5.18). */
  readonly lockedNamesRequest: boolean;
}

export interface FreeArea {
  listOf: (z: number, order: number, type: number) => number;
  blockTypeOf: (pfn: number) => number;
  setBlockType: (pfn: number, type: number) => void;
  /** change_pageblock_range(): the type of every pageblock of a block of at least one. */
  setBlockTypes: (pfn: number, order: number, type: number) => void;
  modFree: (z: number, delta: number) => void;
  readonly account: Account;
  insertAfter: (at: number, pfn: number) => void;
  unlink: (pfn: number) => void;
  addHead: (pfn: number, z: number, order: number, type: number) => void;
  addTail: (pfn: number, z: number, order: number, type: number) => void;
  remove: (pfn: number, z: number, order: number) => void;
  /** First block of a list, or -1. */
  firstOf: (z: number, order: number, type: number) => number;
  isEmpty: (z: number, order: number, type: number) => boolean;
  /** Takes a block off its list, the one that its halves go back to, and marks it taken, with the type it is cached under (page->index). */
  take: (pfn: number, z: number, order: number, from: number, type: number) => void;
  /** __rmqueue_smallest(): the first block of the smallest sufficient order, or -1. `asked` is the request's type where the list's is another. */
  rmqueueSmallest: (z: number, order: number, type: number, asked?: number) => number;
  /** True when the block at `pfn` is free, whole and of exactly this order in this zone: find_buddy_page_pfn()'s test. */
  isFreeBlock: (pfn: number, z: number, order: number) => boolean;
  isWholeOrder: (order: number) => boolean;
  /** __free_one_page(): merges upwards as far as buddies are free, then lists the result. `type` is the freed page's. */
  freeOnePage: (freed: number, z: number, freedOrder: number, type: number, toTail: boolean) => void;
  /** free_one_page(): a block that no per-CPU list takes. Where lists and pageblocks agree, a larger one goes pageblock by pageblock, each by its own type. */
  freeWhole: (pfn: number, z: number, order: number, type: number) => void;
  /** move_to_free_list(): to the tail of another type's list. */
  moveToList: (pfn: number, z: number, order: number, from: number, type: number) => void;
  moveFreepagesBlock: (around: number, z: number, from: number, type: number) => number;
  /** prep_move_freepages_block() (6.12): whether the pageblock around `pfn` lies in the zone as a whole. */
  blockInZone: (around: number, z: number) => boolean;
  /** Counts what is free and what could be moved from `start` on to the end of its pageblock. */
  countBlock: (start: number) => void;
  /** Free and movable pages that the last count met. */
  readonly met: { readonly free: number; readonly movable: number };
  /** try_to_claim_block() of a block of at least a pageblock (since 6.10): its pageblocks change their type, what is left of it goes to that type's lists. */
  claimWhole: (pfn: number, z: number, order: number, from: number, old: number, type: number) => void;
}

export function createFreeArea(memory: Memory, journal: Journal, account: Account, rules: MergeRules): FreeArea {
  const { page, blockType, zone, nrFree, freeLists } = memory;
  const { orders, pageblockOrder, pcpMaxOrder, pcpHugeOrder } = memory.spec;
  const { wholeBlocksTo, mergeLikelyToTail, unmergeableFrom, isolate, blocksFollowLists, lockedNamesRequest } = rules;
  const { count, taken, moved: countMoved } = account;
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

  const setBlockTypes = (pfn: number, order: number, type: number): void => {
    for (let at = pfn; at < pfn + (1 << order); at += blockPages) setBlockType(at, type);
  };

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

  const take = (pfn: number, z: number, order: number, from: number, type: number): void => {
    taken(z, order, type);
    unlink(pfn);
    nrFree[(z << ORDERS_SHIFT) + from] = nrFree[(z << ORDERS_SHIFT) + from]! - 1;
    if (from > order) expand(pfn, z, order, from, type);
    page[(pfn << 2) | WORD] = (type << TYPE_SHIFT) | (z << ZONE_SHIFT) | TAKEN | order;
  };

  const claimWhole = (pfn: number, z: number, order: number, from: number, old: number, type: number): void => {
    unlink(pfn);
    nrFree[(z << ORDERS_SHIFT) + from] = nrFree[(z << ORDERS_SHIFT) + from]! - 1;
    count(z, -(1 << from), old);
    setBlockTypes(pfn, from, type);
    expand(pfn, z, order, from, type);
    count(z, (1 << from) - (1 << order), type);
    page[(pfn << 2) | WORD] = (type << TYPE_SHIFT) | (z << ZONE_SHIFT) | TAKEN | order;
  };

  const rmqueueSmallest = (z: number, order: number, type: number, asked: number = type): number => {
    for (let from = order; from <= topOrder; from++) {
      const pfn = firstOf(z, from, type);
      if (pfn < 0) continue;
      take(pfn, z, order, from, type);
      if (journal.heard) {
        const named = lockedNamesRequest ? asked : type;
        const refill = (order <= pcpMaxOrder || order === pcpHugeOrder) && named < 3 ? 1 : 0;
        journal.emit(lockedEvent, pfn, order, named, refill);
      }
      return pfn;
    }
    return NO_BLOCK;
  };

  const isFreeBlock = (pfn: number, z: number, order: number): boolean =>
    (page[(pfn << 2) | WORD]! & HEAD_MASK) === ((z << ZONE_SHIFT) | BUDDY | order);

  const freeOnePage = (freed: number, z: number, freedOrder: number, type: number, toTail: boolean): void => {
    let pfn = freed;
    let order = freedOrder;
    let buddy = 0;
    if (type !== isolate) count(z, 1 << order, type);
    while (order < topOrder) {
      buddy = pfn ^ (1 << order);
      if (!isFreeBlock(buddy, z, order)) break;
      if (order >= pageblockOrder) {
        const buddyType = blockTypeOf(buddy);
        if (type !== buddyType) {
          if (type >= unmergeableFrom || buddyType >= unmergeableFrom) break;
          if (blocksFollowLists) setBlockTypes(buddy, order, type);
        }
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

  const freeWhole = (pfn: number, z: number, order: number, type: number): void => {
    if (!blocksFollowLists || order <= pageblockOrder) freeOnePage(pfn, z, order, type, false);
    else
      for (let at = pfn; at < pfn + (1 << order); at += blockPages)
        freeOnePage(at, z, pageblockOrder, blockTypeOf(at), false);
  };

  const moveToList = (pfn: number, z: number, order: number, from: number, type: number): void => {
    unlink(pfn);
    insertAfter(page[(listOf(z, order, type) << 2) | PREV]!, pfn);
    countMoved(z, order, from, type);
  };

  const met = { free: 0, movable: 0 };

  const blockInZone = (around: number, z: number): boolean => {
    const start = around & -blockPages;
    return start >= zone[(z << ZONE_ROW) | START]! && start + blockPages <= zone[(z << ZONE_ROW) | END]!;
  };

  const countBlock = (start: number): void => {
    const end = (start & -blockPages) + blockPages;
    met.free = 0;
    met.movable = 0;
    for (let pfn = start; pfn < end; ) {
      const w = page[(pfn << 2) | WORD]!;
      if ((w & STATE_MASK) === BUDDY) {
        met.free += 1 << (w & ORDER_MASK);
        pfn += 1 << (w & ORDER_MASK);
      } else {
        if ((w & LRU_OR_MOVABLE) !== 0) met.movable++;
        pfn++;
      }
    }
  };

  /**
   * move_freepages_block(): every free block of the pageblock around `pfn` to the tail of a type's lists, rising pfn. Returns the pages moved;
   * 0 without a look when the pageblock reaches past the end of the zone. Where it begins before the zone, the scan begins at `pfn` (up to 6.9;
   * later callers ask blockInZone first).
   */
  const moveFreepagesBlock = (around: number, z: number, from: number, type: number): number => {
    met.movable = 0;
    let pfn = around & -blockPages;
    const end = pfn + blockPages;
    if (pfn < zone[(z << ZONE_ROW) | START]!) pfn = around;
    if (end > zone[(z << ZONE_ROW) | END]!) return 0;
    let moved = 0;
    while (pfn < end) {
      const w = page[(pfn << 2) | WORD]!;
      if ((w & STATE_MASK) !== BUDDY) {
        if ((w & LRU_OR_MOVABLE) !== 0) met.movable++;
        pfn++;
        continue;
      }
      const order = w & ORDER_MASK;
      moveToList(pfn, z, order, from, type);
      pfn += 1 << order;
      moved += 1 << order;
    }
    return moved;
  };

  return {
    listOf,
    blockTypeOf,
    setBlockType,
    setBlockTypes,
    modFree: account.modFree,
    account,
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
    freeWhole,
    moveToList,
    moveFreepagesBlock,
    blockInZone,
    countBlock,
    met,
    claimWhole,
  };
}
