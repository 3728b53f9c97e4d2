// The hot per-CPU list of 2.6.9 to 2.6.32: single pages only, cache-warm ones at its head. Nobody in the model asks for cold pages
// (__GFP_COLD, free_cold_page), so the second list of those kernels stays empty and is not kept.
// Follows buffered_rmqueue() and free_hot_cold_page(), mm/page_alloc.c, 2.6.9 and 2.6.18. Not modelled: that 2.6.24 to 2.6.32 search
// the hot list for a page of the right type; here a refill's type is whatever the first requester wanted.

import { eventKind } from "../../../kernel/events.ts";
import { pcpField, pcpStride, record, word } from "../memory.ts";
import type { PcpDeps, PcpLists, PcpPart } from "./pcp.ts";
import { batchOf, ordersOfLists } from "./pcp.ts";

const { next: NEXT, prev: PREV, references: REFERENCES, word: WORD } = record;
const { typeShift: TYPE_SHIFT, typeMask: TYPE_MASK } = word;

/** `low` batches stay on the hot list before it is refilled: 2 in 2.6.9, none since 2.6.18. */
const hotCold = (name: string, low: number): PcpPart => ({
  name,
  maxOrder: 0,
  huge: false,
  make: (deps) => createHotCold(deps, low),
  sizes(zone) {
    const batch = Math.max(1, batchOf(zone));
    return [
      [pcpField.batch, batch],
      [pcpField.high, 6 * batch],
    ];
  },
});

export const hotColdEarly = hotCold("hot, refilled at two batches", 2);
export const hotColdLists = hotCold("hot, refilled when empty", 0);

function createHotCold({ memory, area, placement, journal, trouble }: PcpDeps, low: number): PcpLists {
  const { page, pcp, pcpListBase, pcpLists } = memory;
  const { cpus } = memory.spec;
  const { insertAfter, unlink, freeOnePage, account } = area;
  const PCP_SHIFT = Math.log2(pcpStride);

  const refill = (z: number, list: number, batch: number, type: number, allocFlags: number): number => {
    let got = 0;
    for (let i = 0; i < batch; i++) {
      const pfn = placement.rmqueue(z, 0, type, allocFlags);
      if (pfn < 0) break;
      account.refilled(z, 0, 1);
      if (page[(pfn << 2) | REFERENCES] !== 0) {
        trouble.badPage(pfn, "Bad page state");
        continue;
      }
      insertAfter(page[(list << 2) | PREV]!, pfn);
      got++;
    }
    return got;
  };

  const takeFrom = (z: number, _order: number, type: number, allocFlags: number): number => {
    const slot = z * cpus + journal.cpu;
    const row = slot << PCP_SHIFT;
    const list = pcpListBase + slot * pcpLists;
    const batch = pcp[row | pcpField.batch]!;
    if (pcp[row | pcpField.count]! <= low * batch)
      pcp[row | pcpField.count] = pcp[row | pcpField.count]! + refill(z, list, batch, type, allocFlags);
    const pfn = page[(list << 2) | NEXT]!;
    if (pfn === list) return -1;
    unlink(pfn);
    pcp[row | pcpField.count] = pcp[row | pcpField.count]! - 1;
    return pfn;
  };

  /** free_pages_bulk(): from the tail, the coldest end. */
  const drain = (z: number, cpu: number, wanted: number): void => {
    const slot = z * cpus + cpu;
    const row = slot << PCP_SHIFT;
    const list = pcpListBase + slot * pcpLists;
    for (let n = 0; n < wanted; n++) {
      const pfn = page[(list << 2) | PREV]!;
      if (pfn === list) return;
      unlink(pfn);
      pcp[row | pcpField.count] = pcp[row | pcpField.count]! - 1;
      if (page[(pfn << 2) | REFERENCES] !== 0) {
        trouble.badPage(pfn, "Bad page state");
        continue;
      }
      const type = (page[(pfn << 2) | WORD]! & TYPE_MASK) >> TYPE_SHIFT;
      freeOnePage(pfn, z, 0, type, false);
      if (journal.heard) journal.emit(eventKind.mm_page_pcpu_drain, pfn, 0, type);
    }
  };

  return {
    takeFrom,
    rmqueuePcp: takeFrom,
    takeHead: (z) => takeFrom(z, 0, 0, 0),
    freePcp(pfn, z) {
      const cpu = journal.cpu;
      const slot = z * cpus + cpu;
      const row = slot << PCP_SHIFT;
      const batch = pcp[row | pcpField.batch]!;
      const full = (): boolean => pcp[row | pcpField.count]! >= 6 * batch;
      // 2.6.9 looks before it adds, later kernels after.
      if (low > 0 && full()) drain(z, cpu, batch);
      insertAfter(pcpListBase + slot * pcpLists, pfn);
      pcp[row | pcpField.count] = pcp[row | pcpField.count]! + 1;
      if (low === 0 && full()) drain(z, cpu, batch);
    },
    drainZone: (z, cpu) => drain(z, cpu, pcp[((z * cpus + cpu) << PCP_SHIFT) | pcpField.count]!),
    orderOfList: ordersOfLists(memory),
    byType: false,
    lastWord: false,
    fields: { count: pcpField.count, high: pcpField.high, batch: pcpField.batch },
  };
}
