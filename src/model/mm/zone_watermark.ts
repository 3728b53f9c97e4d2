// The watermark test over the machine's columns, as the allocator runs it on every request: one closure per generation.
// watermark.ts has the same rules as a function of values, with its reasons; a seeded test holds the two together.
import { allocFlag } from "./alloc_flags.ts";
import type { FreeArea } from "./free_area.ts";
import type { Memory } from "./memory.ts";
import { ordersMax, zoneField, zoneFlag, zoneStride } from "./memory.ts";
import type { MmRules } from "./rules.ts";

const ZONE_ROW = Math.log2(zoneStride);
const ORDERS_SHIFT = Math.log2(ordersMax);
const FREE = zoneField.free;
const FREE_CMA = zoneField.freeCma;
const MIN = zoneField.min;
const BOOST = zoneField.boost;
const LOW = zoneField.low;
const HIGH = zoneField.high;
const FLAGS = zoneField.flags;
const BELOW_HIGH = zoneFlag.belowHigh;
const LOWMEM = zoneField.lowmemReserve;
const RESERVES = allocFlag.reserves;
const MIN_RESERVE = allocFlag.minReserve;
const NON_BLOCK = allocFlag.nonBlock;
const OOM = allocFlag.oom;
const CMA = allocFlag.cma;
const HIGHATOMIC_OR_OOM = allocFlag.highatomic | allocFlag.oom;
const WMARK_MASK = allocFlag.wmarkMask;

export interface WatermarkTest {
  /** wmark_pages(): the chosen watermark, boost included. */
  markOf: (z: number, allocFlags: number) => number;
  /** zone_watermark_fast(): true when the zone may serve the request. */
  zoneOk: (z: number, order: number, mark: number, highest: number, allocFlags: number, gfp: number) => boolean;
  maySpend: (z: number, order: number, highest: number, allocFlags: number, gfp: number) => boolean;
  firstMark: (z: number) => number;
  ok: (z: number, order: number, mark: number, highest: number, allocFlags: number, free: number) => boolean;
  /** zone_page_state(): a counter that ran below zero reads as zero. */
  globalFree: (z: number) => number;
  /** A block of at least this order on a list that the request may use. */
  hasBlock: (z: number, order: number, allocFlags: number) => boolean;
  /** Since 4.4 a high order needs one comparison and one block; before, a comparison for each order below. */
  readonly blocksDecide: boolean;
}

export function createWatermarkTest(memory: Memory, area: FreeArea, rules: MmRules): WatermarkTest {
  const { generation, types, boostExempt } = rules;
  /** Lists 0 to 2 are what everybody may use, others are reserves; false where lists mean something else. */
  const typedLists = rules.policy === "mobility";
  /** What those without rights leave alone of the atomic reserve: the size of its pageblocks, or what is free in them (6.13, 6.12.y). */
  const RESERVED = rules.leavesFreeHighatomic ? zoneField.freeHighatomic : zoneField.reservedHighatomic;
  const ATOMIC_BIT = rules.gfp.atomic;
  const { zone, nrFree } = memory;
  const { orders } = memory.spec;
  const { isEmpty } = area;
  const { cma, highatomic } = types;
  /** Who may count the atomic reserve as free: up to 6.2 __GFP_HIGH alone does not. */
  const belowReserve = generation === 3 ? RESERVES : NON_BLOCK | OOM;

  const globalFree = (z: number): number => {
    const free = zone[(z << ZONE_ROW) | FREE]!;
    return free < 0 ? 0 : free;
  };

  const freeCma = (z: number): number => {
    const free = zone[(z << ZONE_ROW) | FREE_CMA]!;
    return free < 0 ? 0 : free;
  };

  const markOf = (z: number, allocFlags: number): number =>
    zone[(z << ZONE_ROW) + MIN + (allocFlags & WMARK_MASK)]! + zone[(z << ZONE_ROW) | BOOST]!;

  const unusable = (z: number, order: number, allocFlags: number): number => {
    let pages = (1 << order) - 1;
    if ((allocFlags & belowReserve) === 0) pages += zone[(z << ZONE_ROW) | RESERVED]!;
    if (cma >= 0 && (allocFlags & CMA) === 0) pages += freeCma(z);
    return pages;
  };

  const hasBlock = (z: number, order: number, allocFlags: number): boolean => {
    for (let o = order; o < orders; o++) {
      if (nrFree[(z << ORDERS_SHIFT) + o] === 0) continue;
      if (!typedLists) return true;
      if (!isEmpty(z, o, 0) || !isEmpty(z, o, 1) || !isEmpty(z, o, 2)) return true;
      if (cma >= 0 && (allocFlags & CMA) !== 0 && !isEmpty(z, o, cma)) return true;
      if (highatomic >= 0 && (allocFlags & HIGHATOMIC_OR_OOM) !== 0 && !isEmpty(z, o, highatomic)) return true;
    }
    return false;
  };

  /** __zone_watermark_ok(), mm/page_alloc.c, 6.1.192 (W3) and 4.19 (W2), which differ in who may cut the mark. */
  const okSince44 = (
    z: number,
    order: number,
    mark: number,
    highest: number,
    allocFlags: number,
    free: number,
  ): boolean => {
    let min = mark;
    if ((allocFlags & RESERVES) !== 0) {
      if (generation === 3) {
        if ((allocFlags & MIN_RESERVE) !== 0) {
          min -= min >> 1;
          if ((allocFlags & NON_BLOCK) !== 0) min -= min >> 2;
        }
        if ((allocFlags & OOM) !== 0) min -= min >> 1;
      } else {
        if ((allocFlags & MIN_RESERVE) !== 0) min -= min >> 1;
        if ((allocFlags & OOM) !== 0) min -= min >> 1;
        else if ((allocFlags & NON_BLOCK) !== 0) min -= min >> 2;
      }
    }
    if (free - unusable(z, order, allocFlags) <= min + zone[(z << ZONE_ROW) + LOWMEM + highest]!) return false;
    return order === 0 || hasBlock(z, order, allocFlags);
  };

  /** zone_watermark_ok(), 2.6.24 to 4.3: each order below the wanted one is taken off, against a halved mark. */
  const okW1 = (z: number, order: number, mark: number, highest: number, allocFlags: number, free: number): boolean => {
    let min = mark;
    let left = free - ((1 << order) - 1);
    if ((allocFlags & MIN_RESERVE) !== 0) min -= min >> 1;
    if ((allocFlags & NON_BLOCK) !== 0) min -= min >> 2;
    const usable = cma >= 0 && (allocFlags & CMA) === 0 ? left - freeCma(z) : left;
    if (usable <= min + zone[(z << ZONE_ROW) + LOWMEM + highest]!) return false;
    for (let o = 0; o < order; o++) {
      left -= nrFree[(z << ORDERS_SHIFT) + o]! << o;
      min >>= 1;
      if (left <= min) return false;
    }
    return true;
  };

  /** __alloc_pages() of 2.6.9: no look at the orders; the free lists decide afterwards. */
  const okW0 = (z: number, order: number, mark: number, highest: number, allocFlags: number, free: number): boolean => {
    let min = mark;
    if ((allocFlags & MIN_RESERVE) !== 0) min -= min >> 1;
    if ((allocFlags & NON_BLOCK) !== 0) min -= min >> 2;
    return free >= min + (1 << order) + zone[(z << ZONE_ROW) + LOWMEM + highest]!;
  };

  const ok = generation >= 2 ? okSince44 : generation === 1 ? okW1 : okW0;

  /** Who may ignore the boost for a single page at the min watermark: nobody up to 5.8, __GFP_ATOMIC from 5.9, ALLOC_MIN_RESERVE since 6.3. */
  const exempt: (gfp: number, allocFlags: number) => boolean =
    boostExempt === "nobody"
      ? () => false
      : boostExempt === "atomic"
        ? (gfp) => (gfp & ATOMIC_BIT) !== 0
        : (_gfp, allocFlags) => (allocFlags & MIN_RESERVE) !== 0;

  const zoneOk = (
    z: number,
    order: number,
    mark: number,
    highest: number,
    allocFlags: number,
    gfp: number,
  ): boolean => {
    const free = globalFree(z);
    if (generation >= 2 && order === 0) {
      const reserved = unusable(z, 0, allocFlags);
      if (free - (reserved < free ? reserved : free) > mark + zone[(z << ZONE_ROW) + LOWMEM + highest]!) return true;
    }
    if (ok(z, order, mark, highest, allocFlags, free)) return true;
    if (order === 0 && zone[(z << ZONE_ROW) | BOOST]! > 0 && (allocFlags & WMARK_MASK) === 0 && exempt(gfp, allocFlags))
      return ok(z, 0, zone[(z << ZONE_ROW) | MIN]!, highest, allocFlags, free);
    return false;
  };

  /** get_page_from_freelist()'s test since 6.7: a zone above its high mark serves; one that is not is noted as such, and the request's own mark decides. */
  const maySpendWatched = (z: number, order: number, highest: number, allocFlags: number, gfp: number): boolean => {
    const at = z << ZONE_ROW;
    if ((zone[at | FLAGS]! & BELOW_HIGH) === 0) {
      if (zoneOk(z, order, zone[at | HIGH]! + zone[at | BOOST]!, highest, allocFlags, gfp)) return true;
      zone[at | FLAGS] = zone[at | FLAGS]! | BELOW_HIGH;
    }
    return zoneOk(z, order, markOf(z, allocFlags), highest, allocFlags, gfp);
  };

  const maySpendPlain = (z: number, order: number, highest: number, allocFlags: number, gfp: number): boolean =>
    zoneOk(z, order, markOf(z, allocFlags), highest, allocFlags, gfp);

  const watched = rules.watchesHighMark;
  /** Pages that must remain, reserves counted, for a request without rights at its first look, lowmem_reserve apart. */
  const firstMarkWatched = (z: number): number => {
    const at = z << ZONE_ROW;
    const mark = (zone[at | FLAGS]! & BELOW_HIGH) === 0 ? zone[at | HIGH]! : zone[at | LOW]!;
    return mark + zone[at | BOOST]! + zone[at | RESERVED]!;
  };
  const firstMarkPlain = (z: number): number => {
    const at = z << ZONE_ROW;
    return zone[at | LOW]! + zone[at | BOOST]! + zone[at | RESERVED]!;
  };

  return {
    markOf,
    zoneOk,
    maySpend: watched ? maySpendWatched : maySpendPlain,
    firstMark: watched ? firstMarkWatched : firstMarkPlain,
    ok,
    globalFree,
    hasBlock,
    blocksDecide: generation >= 2,
  };
}
