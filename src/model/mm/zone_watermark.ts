// The watermark test over the machine's columns, as the allocator runs it on every request: one closure per generation.
// watermark.ts has the same rules as a function of values, with its reasons; a seeded test holds the two together.
import type { MigrateTypes } from "../../kernel/facts/mm_types.ts";
import type { WatermarkGeneration } from "../../kernel/facts/mm_watermark.ts";
import { allocFlag } from "./alloc_flags.ts";
import type { FreeArea } from "./free_area.ts";
import type { Memory } from "./memory.ts";
import { ordersMax, zoneField, zoneStride } from "./memory.ts";

const ZONE_ROW = Math.log2(zoneStride);
const ORDERS_SHIFT = Math.log2(ordersMax);
const FREE = zoneField.free;
const FREE_CMA = zoneField.freeCma;
const MIN = zoneField.min;
const BOOST = zoneField.boost;
const RESERVED = zoneField.reservedHighatomic;
const LOWMEM = zoneField.lowmemReserve;
const RESERVES = allocFlag.reserves;
const MIN_RESERVE = allocFlag.minReserve;
const NON_BLOCK = allocFlag.nonBlock;
const OOM = allocFlag.oom;
const CMA = allocFlag.cma;
const HIGHATOMIC_OR_OOM = allocFlag.highatomic | allocFlag.oom;
const WMARK_MASK = allocFlag.wmarkMask;

export type WatermarkTest = ReturnType<typeof createWatermarkTest>;

/** `typedLists`: lists 0 to 2 are what everybody may use, others are reserves; false where lists mean something else. */
export function createWatermarkTest(
  memory: Memory,
  area: FreeArea,
  generation: WatermarkGeneration,
  types: MigrateTypes,
  typedLists: boolean,
) {
  const { zone, nrFree } = memory;
  const { orders } = memory.spec;
  const { isEmpty } = area;
  const { cma, highatomic } = types;
  /** Who may count the atomic reserve as free: up to 6.2 __GFP_HIGH alone does not. */
  const belowReserve = generation === 3 ? RESERVES : NON_BLOCK | OOM;

  /** zone_page_state(): a counter that ran below zero reads as zero. */
  const globalFree = (z: number): number => {
    const free = zone[(z << ZONE_ROW) | FREE]!;
    return free < 0 ? 0 : free;
  };

  const freeCma = (z: number): number => {
    const free = zone[(z << ZONE_ROW) | FREE_CMA]!;
    return free < 0 ? 0 : free;
  };

  /** wmark_pages(): the chosen watermark, boost included. */
  const markOf = (z: number, allocFlags: number): number =>
    zone[(z << ZONE_ROW) + MIN + (allocFlags & WMARK_MASK)]! + zone[(z << ZONE_ROW) | BOOST]!;

  const unusable = (z: number, order: number, allocFlags: number): number => {
    let pages = (1 << order) - 1;
    if ((allocFlags & belowReserve) === 0) pages += zone[(z << ZONE_ROW) | RESERVED]!;
    if (cma >= 0 && (allocFlags & CMA) === 0) pages += freeCma(z);
    return pages;
  };

  /** A block of at least this order on a list that the request may use. */
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

  /**
   * zone_watermark_fast(): true when the zone may serve the request. `atomic` is __GFP_ATOMIC (or __GFP_HIGH without direct reclaim):
   * such an order-0 request at the min watermark is tried again without the boost.
   */
  const zoneOk = (
    z: number,
    order: number,
    mark: number,
    highest: number,
    allocFlags: number,
    atomic: boolean,
  ): boolean => {
    const free = globalFree(z);
    if (generation >= 2 && order === 0) {
      const reserved = unusable(z, 0, allocFlags);
      if (free - (reserved < free ? reserved : free) > mark + zone[(z << ZONE_ROW) + LOWMEM + highest]!) return true;
    }
    if (ok(z, order, mark, highest, allocFlags, free)) return true;
    if (order === 0 && atomic && zone[(z << ZONE_ROW) | BOOST]! > 0 && (allocFlags & WMARK_MASK) === 0)
      return ok(z, 0, zone[(z << ZONE_ROW) | MIN]!, highest, allocFlags, free);
    return false;
  };

  return {
    markOf,
    zoneOk,
    ok,
    globalFree,
    hasBlock,
    /** Since 4.4 a high order needs one comparison and one block; before, a comparison for each order below. */
    blocksDecide: generation >= 2,
  };
}
