// Per-CPU lists of 5.14 to 6.6: orders 0 to 3 and the huge order; what goes back in one go doubles while a CPU only frees (free_factor), and
// high orders freed in a row all go back. Follows mm/page_alloc.c of 6.1.192.

import { eventKind } from "../../../kernel/events.ts";
import { ownPcpField, pcpField, pcpStride, record, word, zoneField, zoneFlag, zoneStride } from "../memory.ts";
import type { PcpDeps, PcpLists, PcpPart } from "./pcp.ts";
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
const FREE_FACTOR = ownPcpField;
const ZONE_ROW = Math.log2(zoneStride);
const FLAGS = zoneField.flags;
const ISOLATED_BLOCKS = zoneField.isolatedBlocks;
const RECLAIM_ACTIVE = zoneFlag.reclaimActive;
/** CONFIG_PCP_BATCH_SCALE_MAX */
const SCALE_MAX = 5;

export const freeFactorLists: PcpPart = {
  name: "orders with free factor",
  maxOrder: 3,
  huge: true,
  make: createFreeFactor,
  sizes(zone) {
    const batch = Math.max(1, batchOf(zone));
    return [
      [BATCH, batch],
      [HIGH, highOf(zone, batch)],
    ];
  },
};

function createFreeFactor({ memory, area, placement, journal, trouble, rules }: PcpDeps): PcpLists {
  const { page, pcp, zone, pcpListBase, pcpLists } = memory;
  const { cpus, pcpMaxOrder } = memory.spec;
  const { movable, cma } = rules;
  const { rmqueue, rmqueueMore } = placement;
  const { freeOnePage, insertAfter, unlink, blockTypeOf, account } = area;
  const lowLists = 3 * (pcpMaxOrder + 1);
  const lastList = pcpLists - 1;
  const orderOfList = ordersOfLists(memory);
  const drainEvent = eventKind.mm_page_pcpu_drain;

  const indexOf = (type: number, order: number): number =>
    order <= pcpMaxOrder ? 3 * order + type : lowLists + (type === movable ? 1 : 0);

  /** rmqueue_bulk(): up to `count` blocks from the free lists to the tail of a ring; one counter update for all. */
  const refill = (z: number, order: number, count: number, list: number, type: number, allocFlags: number): number => {
    let got = 0;
    let i = 0;
    for (; i < count; i++) {
      const pfn = i === 0 ? rmqueue(z, order, type, allocFlags) : rmqueueMore(z, order, type, allocFlags);
      if (pfn < 0) break;
      if (page[(pfn << 2) | REFERENCES] !== 0) {
        trouble.badPage(pfn, "nonzero _refcount");
        continue;
      }
      insertAfter(page[(list << 2) | PREV]!, pfn);
      got++;
      if (cma >= 0 && ((page[(pfn << 2) | WORD]! >> TYPE_SHIFT) & 7) === cma) {
        // The refill's one update below covers NR_FREE_PAGES; the CMA counter is kept block by block.
        account.count(z, -(1 << order), cma);
        account.modFree(z, 1 << order);
      }
    }
    account.refilled(z, order, i);
    return got;
  };

  /** __rmqueue_pcplist(): the head of this CPU's list, refilled by a batch when it is empty; -1 when the zone has nothing. */
  const takeFrom = (z: number, order: number, type: number, allocFlags: number): number => {
    const row = (z * cpus + journal.cpu) << PCP_SHIFT;
    const list = pcpListBase + (z * cpus + journal.cpu) * pcpLists + indexOf(type, order);
    let pfn = page[(list << 2) | NEXT]!;
    if (pfn === list) {
      const batch = pcp[row | BATCH]!;
      const blocks = batch > 1 ? Math.max(batch >> order, 2) : batch;
      pcp[row | COUNT] = pcp[row | COUNT]! + (refill(z, order, blocks, list, type, allocFlags) << order);
      pfn = page[(list << 2) | NEXT]!;
      if (pfn === list) return -1;
    }
    unlink(pfn);
    pcp[row | COUNT] = pcp[row | COUNT]! - (1 << order);
    return pfn;
  };

  /** rmqueue_pcplist(). Every attempt halves the factor that frees have built up. */
  const rmqueuePcp = (z: number, order: number, type: number, allocFlags: number): number => {
    const row = (z * cpus + journal.cpu) << PCP_SHIFT;
    pcp[row | FREE_FACTOR] = pcp[row | FREE_FACTOR]! >> 1;
    return takeFrom(z, order, type, allocFlags);
  };

  const takeHead = (z: number, list: number, order: number): number => {
    const row = (z * cpus + journal.cpu) << PCP_SHIFT;
    const pfn = page[(list << 2) | NEXT]!;
    const next = page[(pfn << 2) | NEXT]!;
    page[(list << 2) | NEXT] = next;
    page[(next << 2) | PREV] = list;
    pcp[row | FREE_FACTOR] = pcp[row | FREE_FACTOR]! >> 1;
    pcp[row | COUNT] = pcp[row | COUNT]! - (1 << order);
    return pfn;
  };

  /** free_pcppages_bulk(): gives `wanted` pages back to the free lists, list after list starting with `first`, each emptied from its tail. */
  const drainSome = (z: number, cpu: number, wanted: number, first: number): void => {
    const row = (z * cpus + cpu) << PCP_SHIFT;
    const base = pcpListBase + (z * cpus + cpu) * pcpLists;
    const isolating = zone[(z << ZONE_ROW) | ISOLATED_BLOCKS]! > 0;
    let count = Math.min(pcp[row | COUNT]!, wanted);
    let low = 0;
    let high = lastList;
    let index = first - 1;
    while (count > 0) {
      let list = 0;
      for (;;) {
        if (++index > high) index = low;
        list = base + index;
        if (page[(list << 2) | NEXT] !== list) break;
        if (index === high) high--;
        if (index === low) low++;
      }
      const order = orderOfList[index]!;
      let pfn = page[(list << 2) | PREV]!;
      do {
        unlink(pfn);
        count -= 1 << order;
        pcp[row | COUNT] = pcp[row | COUNT]! - (1 << order);
        if (page[(pfn << 2) | REFERENCES] !== 0) trouble.badPage(pfn, "nonzero _refcount");
        else {
          const type = isolating ? blockTypeOf(pfn) : (page[(pfn << 2) | WORD]! >> TYPE_SHIFT) & 7;
          freeOnePage(pfn, z, order, type, false);
          if (journal.heard) journal.emit(drainEvent, pfn, order, type);
        }
        pfn = page[(list << 2) | PREV]!;
      } while (count > 0 && pfn !== list);
    }
  };

  /** nr_pcp_free(): how many pages go back once the list is full. */
  const toFree = (row: number, high: number, freeAll: boolean): number => {
    if (freeAll) return pcp[row | COUNT]!;
    const batch = pcp[row | BATCH]!;
    if (high < batch) return 1;
    const most = high - batch;
    const factor = pcp[row | FREE_FACTOR]!;
    const scaled = batch << factor;
    if (scaled < most && factor < SCALE_MAX) pcp[row | FREE_FACTOR] = factor + 1;
    // Where the bounds cross (high < 2 batches), the kernel's clamp() answers the upper one.
    return Math.min(Math.max(scaled, batch), most);
  };

  /** free_unref_page_commit(): to the head of this CPU's list; a full list, or high orders freed in a row, go back in bulk. */
  const freePcp = (pfn: number, z: number, order: number, type: number): void => {
    const slot = z * cpus + journal.cpu;
    const row = slot << PCP_SHIFT;
    const index = indexOf(type, order);
    insertAfter(pcpListBase + slot * pcpLists + index, pfn);
    const count = pcp[row | COUNT]! + (1 << order);
    pcp[row | COUNT] = count;
    if (order > 0 || count >= pcp[row | HIGH]! || (zone[(z << ZONE_ROW) | FLAGS]! & RECLAIM_ACTIVE) !== 0)
      drainIfFull(z, order, index, count);
  };

  const drainIfFull = (z: number, order: number, index: number, count: number): void => {
    const cpu = journal.cpu;
    const row = (z * cpus + cpu) << PCP_SHIFT;
    const freeAll = order > 0 && order <= pcpMaxOrder && pcp[row | FREE_FACTOR]! > 0;
    let high = pcp[row | HIGH]!;
    if (freeAll) high = 0;
    else if ((zone[(z << ZONE_ROW) | FLAGS]! & RECLAIM_ACTIVE) !== 0) high = Math.min(pcp[row | BATCH]! << 2, high);
    if (count >= high) drainSome(z, cpu, toFree(row, high, freeAll), index);
  };

  /** drain_pages_zone(): everything one CPU keeps of a zone. */
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
    fields: { count: COUNT, high: HIGH, batch: BATCH, free_factor: FREE_FACTOR },
  };
}
