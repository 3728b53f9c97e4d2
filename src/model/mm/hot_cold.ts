// The hot per-CPU list of 2.6.9 to 2.6.32: single pages only, cache-warm ones at its head. Nobody in the model asks for cold pages
// (__GFP_COLD, free_cold_page), so the second list of those kernels stays empty and is not kept.
// Follows buffered_rmqueue() and free_hot_cold_page(), mm/page_alloc.c, 2.6.9 and 2.6.18. Not modelled: that 2.6.24 to 2.6.32 search
// the hot list for a page of the right type; here a refill's type is whatever the first requester wanted.

import { eventKind } from "../../kernel/events.ts";
import type { Journal } from "../journal.ts";
import type { Trouble } from "./bad_page.ts";
import type { FreeArea } from "./free_area.ts";
import type { Memory } from "./memory.ts";
import { pcpField, pcpStride, record, word } from "./memory.ts";
import type { PcpLists } from "./pcp.ts";
import type { Placement } from "./placement.ts";

const { next: NEXT, prev: PREV, references: REFERENCES, word: WORD } = record;
const { typeShift: TYPE_SHIFT, typeMask: TYPE_MASK } = word;

/** `low` batches stay on the hot list before it is refilled: 2 in 2.6.9, none since 2.6.18. */
export function createHotCold(
  memory: Memory,
  area: FreeArea,
  placement: Placement,
  journal: Journal,
  trouble: Trouble,
  rules: { readonly low: number },
): PcpLists {
  const { page, pcp, pcpListBase, pcpLists } = memory;
  const { cpus } = memory.spec;
  const { insertAfter, unlink, freeOnePage, modFree } = area;
  const PCP_SHIFT = Math.log2(pcpStride);

  const refill = (z: number, list: number, batch: number, type: number, allocFlags: number): number => {
    let got = 0;
    for (let i = 0; i < batch; i++) {
      const pfn = placement.rmqueue(z, 0, type, allocFlags);
      if (pfn < 0) break;
      modFree(z, -1);
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
    if (pcp[row | pcpField.count]! <= rules.low * batch)
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
    freePcp(pfn, z) {
      const cpu = journal.cpu;
      const slot = z * cpus + cpu;
      const row = slot << PCP_SHIFT;
      const batch = pcp[row | pcpField.batch]!;
      const full = (): boolean => pcp[row | pcpField.count]! >= 6 * batch;
      // 2.6.9 looks before it adds, later kernels after.
      if (rules.low > 0 && full()) drain(z, cpu, batch);
      insertAfter(pcpListBase + slot * pcpLists, pfn);
      pcp[row | pcpField.count] = pcp[row | pcpField.count]! + 1;
      if (rules.low === 0 && full()) drain(z, cpu, batch);
    },
    drainZone: (z, cpu) => drain(z, cpu, pcp[((z * cpus + cpu) << PCP_SHIFT) | pcpField.count]!),
    orderOfList: new Uint8Array(pcpLists),
  };
}
