// Per-CPU lists that tune themselves, since 6.7: `high` moves between two bounds, refills double while a CPU only allocates (alloc_factor), drains
// grow with what was freed in a row (free_count), and both give way when the zone is below its high watermark.
// Follows nr_pcp_alloc(), nr_pcp_high(), nr_pcp_free(), free_unref_page_commit(), mm/page_alloc.c, 6.12.117; 7.2.12 differs in what
// `TunedRules` names.

import { eventKind } from "../../../kernel/events.ts";
import { allocFlag } from "../alloc_flags.ts";
import { ownPcpField, pcpField, pcpStride, record, word, zoneField, zoneFlag, zoneStride } from "../memory.ts";
import type { PcpDeps, PcpLists, PcpPart, PcpSizing } from "./pcp.ts";
import { batchOf, highOf, ordersOfLists } from "./pcp.ts";

const NEXT = record.next;
const PREV = record.prev;
const WORD = record.word;
const REFERENCES = record.references;
const TYPE_SHIFT = word.typeShift;
const PCP_SHIFT = Math.log2(pcpStride);
const COUNT = pcpField.count;
const HIGH = pcpField.high;
const BATCH = pcpField.batch;
const HIGH_MIN = ownPcpField;
const HIGH_MAX = ownPcpField + 1;
const ALLOC_FACTOR = ownPcpField + 2;
const FREE_COUNT = ownPcpField + 3;
const PCP_FLAGS = ownPcpField + 4;
/** PCPF_PREV_FREE_HIGH_ORDER: the last free was of order 1 to 3. */
const PREV_HIGH = 1;
/** PCPF_FREE_HIGH_BATCH: the CPU's share of the cache holds more than three batches. */
const HIGH_BATCH = 2;
const ZONE_ROW = Math.log2(zoneStride);
const FLAGS = zoneField.flags;
const ZONE_HIGH = zoneField.high;
const BOOST = zoneField.boost;
const RECLAIM_ACTIVE = zoneFlag.reclaimActive;
const BELOW_HIGH = zoneFlag.belowHigh;
const HIGHATOMIC = allocFlag.highatomic;
/** CONFIG_PCP_BATCH_SCALE_MAX */
const SCALE_MAX = 5;
/** MIN_PERCPU_PAGELIST_HIGH_FRACTION: high may grow to an eighth of the zone. */
const LARGEST_SHARE = 8;

export interface TunedRules {
  /** High orders go back in bulk once free_count reaches a batch and this share of high_min (0: a batch alone). */
  readonly minShare: number;
  /** A drain goes back in portions of a batch, each a round of its own. */
  readonly portions: boolean;
  /** A high-order atomic request that finds its list empty does not refill it. */
  readonly atomicRefills: boolean;
  readonly batch: (zone: PcpSizing) => number;
}

/** Lists of these rules; the named ones below are what kernels pick. */
export const tuned = (name: string, rules: TunedRules): PcpPart => ({
  name,
  maxOrder: 3,
  huge: true,
  make: (deps) => createTuned(deps, rules),
  sizes(zone) {
    const batch = Math.max(1, rules.batch(zone));
    const { highFraction } = zone;
    return [
      [BATCH, batch],
      [HIGH_MIN, highOf(zone, batch)],
      // A fraction that somebody set ends the tuning: both bounds are the same (zone_set_pageset_high_and_batch()).
      [HIGH_MAX, highOf({ ...zone, highFraction: highFraction === 0 ? LARGEST_SHARE : highFraction }, batch)],
      // A machine's caches are not modelled: taken to be large enough, as on every recorded machine with an L3.
      [PCP_FLAGS, HIGH_BATCH],
    ];
  },
});

/** 6.12.117 */
export const tunedLists = tuned("tuned high", {
  minShare: 0,
  portions: false,
  atomicRefills: true,
  batch: batchOf,
});

/** 7.2.12: zone_batchsize() starts from a 4096th of the zone, at most 256 KiB. */
export const tunedListsInPortions = tuned("tuned high, drained in portions", {
  minShare: 0.5,
  portions: true,
  atomicRefills: false,
  batch({ managed, pageShift }) {
    const x = Math.min(managed >> 12, 1 << (18 - pageShift));
    return x <= 1 ? 1 : 2 ** Math.floor(Math.log2(x + (x >> 1))) - 1;
  },
});

function createTuned(
  { memory, area, placement, watermarks, journal, trouble, rules }: PcpDeps,
  own: TunedRules,
): PcpLists {
  const { page, pcp, zone, pcpListBase, pcpLists } = memory;
  const { cpus, pcpMaxOrder, zoneTypes } = memory.spec;
  const { minShare, portions, atomicRefills } = own;
  const { movable, drainsByBlock } = rules;
  const { rmqueue, rmqueueMore } = placement;
  const { freeOnePage, insertAfter, unlink, blockTypeOf, account } = area;
  const { ok, globalFree } = watermarks;
  const lowLists = 3 * (pcpMaxOrder + 1);
  const lastList = pcpLists - 1;
  const orderOfList = ordersOfLists(memory);
  const drainEvent = eventKind.mm_page_pcpu_drain;
  /** ZONE_MOVABLE as the highest zone of a request; a kernel without it takes its last. */
  const highestZone = zoneTypes.includes("Movable") ? zoneTypes.indexOf("Movable") : zoneTypes.length - 1;

  const indexOf = (type: number, order: number): number =>
    order <= pcpMaxOrder ? 3 * order + type : lowLists + (type === movable ? 1 : 0);

  /** high, brought between its bounds and written back. */
  const clampedHigh = (row: number): number => {
    const high = Math.min(Math.max(pcp[row | HIGH]!, pcp[row | HIGH_MIN]!), pcp[row | HIGH_MAX]!);
    pcp[row | HIGH] = high;
    return high;
  };

  const belowHigh = (z: number): boolean => (zone[(z << ZONE_ROW) | FLAGS]! & BELOW_HIGH) !== 0;

  /** nr_pcp_alloc(): blocks of a refill. */
  const toRefill = (z: number, row: number, order: number): number => {
    const base = pcp[row | BATCH]!;
    let high = clampedHigh(row);
    if (high < base) return 1;
    let batch = order > 0 ? base : base << pcp[row | ALLOC_FACTOR]!;
    if (pcp[row | HIGH_MIN] !== pcp[row | HIGH_MAX] && !belowHigh(z)) {
      high = Math.min(high + batch, pcp[row | HIGH_MAX]!);
      pcp[row | HIGH] = high;
    }
    if (order === 0) {
      const most = Math.max(high - pcp[row | COUNT]! - base, base);
      if (batch <= most && pcp[row | ALLOC_FACTOR]! < SCALE_MAX) pcp[row | ALLOC_FACTOR] = pcp[row | ALLOC_FACTOR]! + 1;
      batch = Math.min(batch, most);
    }
    return batch > 1 ? Math.max(batch >> order, 2) : batch;
  };

  /** rmqueue_bulk(): up to `blocks` to the tail of a ring. */
  const refill = (z: number, order: number, blocks: number, list: number, type: number, allocFlags: number): number => {
    let got = 0;
    for (let i = 0; i < blocks; i++) {
      const pfn = i === 0 ? rmqueue(z, order, type, allocFlags) : rmqueueMore(z, order, type, allocFlags);
      if (pfn < 0) break;
      insertAfter(page[(list << 2) | PREV]!, pfn);
      got++;
    }
    account.refilled(z, order, got);
    return got;
  };

  /** __rmqueue_pcplist(): check_new_pages() drops what is bad and takes the next. */
  const takeFrom = (z: number, order: number, type: number, allocFlags: number): number => {
    const slot = z * cpus + journal.cpu;
    const row = slot << PCP_SHIFT;
    const list = pcpListBase + slot * pcpLists + indexOf(type, order);
    for (;;) {
      let pfn = page[(list << 2) | NEXT]!;
      if (pfn === list) {
        const blocks = toRefill(z, row, order);
        if (!atomicRefills && (allocFlags & HIGHATOMIC) !== 0) return -1;
        pcp[row | COUNT] = pcp[row | COUNT]! + (refill(z, order, blocks, list, type, allocFlags) << order);
        pfn = page[(list << 2) | NEXT]!;
        if (pfn === list) return -1;
      }
      unlink(pfn);
      pcp[row | COUNT] = pcp[row | COUNT]! - (1 << order);
      if (page[(pfn << 2) | REFERENCES] === 0) return pfn;
      trouble.badPage(pfn, "nonzero _refcount");
    }
  };

  /** rmqueue_pcplist(). Every attempt halves what frees have built up. */
  const rmqueuePcp = (z: number, order: number, type: number, allocFlags: number): number => {
    const row = (z * cpus + journal.cpu) << PCP_SHIFT;
    pcp[row | FREE_COUNT] = pcp[row | FREE_COUNT]! >> 1;
    return takeFrom(z, order, type, allocFlags);
  };

  const takeHead = (z: number, list: number, order: number): number => {
    const row = (z * cpus + journal.cpu) << PCP_SHIFT;
    const pfn = page[(list << 2) | NEXT]!;
    const next = page[(pfn << 2) | NEXT]!;
    page[(list << 2) | NEXT] = next;
    page[(next << 2) | PREV] = list;
    pcp[row | FREE_COUNT] = pcp[row | FREE_COUNT]! >> 1;
    pcp[row | COUNT] = pcp[row | COUNT]! - (1 << order);
    return pfn;
  };

  /** free_pcppages_bulk(): `wanted` pages back to the free lists, list after list from `first` round, each from its tail until it is empty. */
  const drainSome = (z: number, cpu: number, wanted: number, first: number): void => {
    const row = (z * cpus + cpu) << PCP_SHIFT;
    const base = pcpListBase + (z * cpus + cpu) * pcpLists;
    let count = Math.min(pcp[row | COUNT]!, wanted);
    let index = first - 1;
    while (count > 0) {
      let list = 0;
      do {
        if (++index > lastList) index = 0;
        list = base + index;
      } while (page[(list << 2) | NEXT] === list);
      const order = orderOfList[index]!;
      let pfn = page[(list << 2) | PREV]!;
      do {
        unlink(pfn);
        count -= 1 << order;
        pcp[row | COUNT] = pcp[row | COUNT]! - (1 << order);
        const type = drainsByBlock ? blockTypeOf(pfn) : (page[(pfn << 2) | WORD]! >> TYPE_SHIFT) & 7;
        if (page[(pfn << 2) | REFERENCES] !== 0) trouble.badPage(pfn, "nonzero _refcount");
        else {
          freeOnePage(pfn, z, order, type, false);
          if (journal.heard) journal.emit(drainEvent, pfn, order, type);
        }
        pfn = page[(list << 2) | PREV]!;
      } while (count > 0 && pfn !== list);
    }
  };

  /** nr_pcp_high(): how many pages may stay, and how high changes for the next time. */
  const limitOf = (z: number, row: number, batch: number, freeHigh: boolean): number => {
    const high = clampedHigh(row);
    const least = pcp[row | HIGH_MIN]!;
    if (high === 0) return 0;
    if (freeHigh) {
      pcp[row | HIGH] = Math.max(high - (batch << SCALE_MAX), least);
      return 0;
    }
    const flags = zone[(z << ZONE_ROW) | FLAGS]!;
    if ((flags & RECLAIM_ACTIVE) !== 0) {
      pcp[row | HIGH] = Math.max(high - Math.max(pcp[row | FREE_COUNT]!, batch), least);
      return Math.min(batch << 2, pcp[row | HIGH]!);
    }
    if (least === pcp[row | HIGH_MAX]) return high;
    if ((flags & BELOW_HIGH) !== 0) {
      pcp[row | HIGH] = Math.max(high - Math.max(pcp[row | FREE_COUNT]!, batch), least);
      return Math.max(pcp[row | COUNT]!, least);
    }
    const wanted = pcp[row | FREE_COUNT]! + batch;
    if (pcp[row | COUNT]! >= high && high < wanted)
      pcp[row | HIGH] = Math.min(Math.max(wanted, least), pcp[row | HIGH_MAX]!);
    return high;
  };

  /** nr_pcp_free(): how many pages go back once the limit is reached. The kernel's clamp() answers the upper bound where the two cross. */
  const toFree = (row: number, batch: number, high: number, freeHigh: boolean): number => {
    if (freeHigh) return Math.min(pcp[row | COUNT]!, batch << SCALE_MAX);
    if (high < batch) return 1;
    return Math.min(Math.max(pcp[row | FREE_COUNT]!, batch), high - batch);
  };

  /** Whether high orders were freed in a row for long enough; notes this one. */
  const highOrderFreed = (row: number, batch: number): boolean => {
    const flags = pcp[row | PCP_FLAGS]!;
    pcp[row | PCP_FLAGS] = flags | PREV_HIGH;
    return (
      pcp[row | FREE_COUNT]! >= batch + Math.floor(pcp[row | HIGH_MIN]! * minShare) &&
      (flags & PREV_HIGH) !== 0 &&
      ((flags & HIGH_BATCH) === 0 || pcp[row | COUNT]! >= batch)
    );
  };

  const drain = (z: number, cpu: number, row: number, batch: number, wanted: number, index: number): void => {
    if (!portions) drainSome(z, cpu, wanted, index);
    else
      for (let left = wanted; left > 0 && pcp[row | COUNT]! > 0; left -= batch)
        drainSome(z, cpu, Math.min(left, batch), index);
    const at = z << ZONE_ROW;
    if ((zone[at | FLAGS]! & BELOW_HIGH) === 0) return;
    if (ok(z, 0, zone[at | ZONE_HIGH]! + zone[at | BOOST]!, highestZone, 0, globalFree(z)))
      zone[at | FLAGS] = zone[at | FLAGS]! & ~BELOW_HIGH;
  };

  /** free_unref_page_commit(), free_frozen_page_commit() in 7.2. */
  const freePcp = (pfn: number, z: number, order: number, type: number): void => {
    const cpu = journal.cpu;
    const slot = z * cpus + cpu;
    const row = slot << PCP_SHIFT;
    const index = indexOf(type, order);
    pcp[row | ALLOC_FACTOR] = pcp[row | ALLOC_FACTOR]! >> 1;
    insertAfter(pcpListBase + slot * pcpLists + index, pfn);
    pcp[row | COUNT] = pcp[row | COUNT]! + (1 << order);
    const batch = pcp[row | BATCH]!;
    let freeHigh = false;
    if (order > 0 && order <= pcpMaxOrder) freeHigh = highOrderFreed(row, batch);
    else pcp[row | PCP_FLAGS] = pcp[row | PCP_FLAGS]! & ~PREV_HIGH;
    if (pcp[row | FREE_COUNT]! < batch << SCALE_MAX) pcp[row | FREE_COUNT] = pcp[row | FREE_COUNT]! + (1 << order);
    const limit = limitOf(z, row, batch, freeHigh);
    if (pcp[row | COUNT]! >= limit) drain(z, cpu, row, batch, toFree(row, batch, limit, freeHigh), index);
  };

  /** drain_pages_zone() */
  const drainZone = (z: number, cpu: number): void => {
    const row = (z * cpus + cpu) << PCP_SHIFT;
    for (let count = pcp[row | COUNT]!; count > 0; count = pcp[row | COUNT]!)
      drainSome(z, cpu, Math.min(count, pcp[row | BATCH]! << SCALE_MAX), 0);
  };

  return {
    takeFrom,
    rmqueuePcp,
    takeHead,
    freePcp,
    drainZone,
    orderOfList,
    byType: true,
    lastWord: false,
    fields: {
      count: COUNT,
      high: HIGH,
      batch: BATCH,
      high_min: HIGH_MIN,
      high_max: HIGH_MAX,
      alloc_factor: ALLOC_FACTOR,
      free_count: FREE_COUNT,
      flags: PCP_FLAGS,
    },
  };
}
