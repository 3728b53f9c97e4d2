// Per-CPU lists of 2.6.33 to 5.13: single pages only, one list a type, a batch in and a batch out; nothing is tuned.
// Follows free_unref_page_commit(), free_pcppages_bulk() and __rmqueue_pcplist(), mm/page_alloc.c, 5.10.223.

import { eventKind } from "../../../kernel/events.ts";
import { pcpField, pcpStride, record, word, zoneField, zoneStride } from "../memory.ts";
import type { PcpDeps, PcpLists, PcpPart } from "./pcp.ts";
import { batchOf, ordersOfLists } from "./pcp.ts";

const NEXT = record.next;
const PREV = record.prev;
const WORD = record.word;
const REFERENCES = record.references;
const TYPE_SHIFT = word.typeShift;
const PCP_SHIFT = Math.log2(pcpStride);
const COUNT = pcpField.count;
const HIGH = pcpField.high;
const BATCH = pcpField.batch;
const ZONE_ROW = Math.log2(zoneStride);
const ISOLATED_BLOCKS = zoneField.isolatedBlocks;
/** MIGRATE_PCPTYPES */
const TYPES = 3;

/** `lastWord`: see PcpLists. */
export const orderZero = (name: string, lastWord: boolean): PcpPart => ({
  name,
  maxOrder: 0,
  huge: false,
  make: (deps) => createOrderZero(deps, lastWord),
  sizes(zone) {
    // setup_pageset(): a batch of 0 means lists that keep nothing, high 0, and single pages as the batch.
    const batch = batchOf(zone);
    return [
      [BATCH, Math.max(1, batch)],
      [HIGH, 6 * batch],
    ];
  },
});

export const orderZeroLists = orderZero("order 0 only", true);

function createOrderZero({ memory, area, placement, journal, trouble, rules }: PcpDeps, lastWord: boolean): PcpLists {
  const { page, pcp, zone, pcpListBase, pcpLists } = memory;
  const { cpus } = memory.spec;
  const { cma } = rules;
  const { rmqueue, rmqueueMore } = placement;
  const { freeOnePage, insertAfter, unlink, blockTypeOf, account } = area;
  const drainEvent = eventKind.mm_page_pcpu_drain;
  /** Pages of one drain, in the order in which they go back. */
  let collected = new Int32Array(256);

  /** rmqueue_bulk(): a batch of single pages to the tail; one counter update for all. */
  const refill = (z: number, list: number, batch: number, type: number, allocFlags: number): number => {
    let got = 0;
    let i = 0;
    for (; i < batch; i++) {
      const pfn = i === 0 ? rmqueue(z, 0, type, allocFlags) : rmqueueMore(z, 0, type, allocFlags);
      if (pfn < 0) break;
      if (page[(pfn << 2) | REFERENCES] !== 0) {
        trouble.badPage(pfn, "nonzero _refcount");
        continue;
      }
      insertAfter(page[(list << 2) | PREV]!, pfn);
      got++;
      if (cma >= 0 && ((page[(pfn << 2) | WORD]! >> TYPE_SHIFT) & 7) === cma) {
        account.count(z, -1, cma);
        account.modFree(z, 1);
      }
    }
    account.refilled(z, 0, i);
    return got;
  };

  const takeHead = (z: number, list: number): number => {
    const row = (z * cpus + journal.cpu) << PCP_SHIFT;
    const pfn = page[(list << 2) | NEXT]!;
    const next = page[(pfn << 2) | NEXT]!;
    page[(list << 2) | NEXT] = next;
    page[(next << 2) | PREV] = list;
    pcp[row | COUNT] = pcp[row | COUNT]! - 1;
    return pfn;
  };

  const takeFrom = (z: number, _order: number, type: number, allocFlags: number): number => {
    const slot = z * cpus + journal.cpu;
    const row = slot << PCP_SHIFT;
    const list = pcpListBase + slot * pcpLists + type;
    if (page[(list << 2) | NEXT] === list) {
      pcp[row | COUNT] = pcp[row | COUNT]! + refill(z, list, pcp[row | BATCH]!, type, allocFlags);
      if (page[(list << 2) | NEXT] === list) return -1;
    }
    return takeHead(z, list);
  };

  /** Unlinks up to `wanted` pages in turn from the lists: the more empty lists were met, the more from the next; all from the only one left. */
  const collect = (z: number, cpu: number, wanted: number): number => {
    const row = (z * cpus + cpu) << PCP_SHIFT;
    const base = pcpListBase + (z * cpus + cpu) * pcpLists;
    let left = Math.min(pcp[row | COUNT]!, wanted);
    if (left > collected.length) collected = new Int32Array(2 * left);
    let n = 0;
    let type = 0;
    let turns = 0;
    while (left > 0) {
      let list = 0;
      do {
        turns++;
        if (++type === TYPES) type = 0;
        list = base + type;
      } while (page[(list << 2) | NEXT] === list);
      if (turns === TYPES) turns = left;
      do {
        const pfn = page[(list << 2) | PREV]!;
        unlink(pfn);
        pcp[row | COUNT] = pcp[row | COUNT]! - 1;
        if (page[(pfn << 2) | REFERENCES] !== 0) trouble.badPage(pfn, "nonzero _refcount");
        else collected[n++] = pfn;
        left--;
        turns--;
      } while (left > 0 && turns > 0 && page[(list << 2) | NEXT] !== list);
    }
    return n;
  };

  /** free_pcppages_bulk(): collected first, then given back in that order. */
  const drainSome = (z: number, cpu: number, wanted: number): void => {
    const n = collect(z, cpu, wanted);
    const isolating = zone[(z << ZONE_ROW) | ISOLATED_BLOCKS]! > 0;
    for (let i = 0; i < n; i++) {
      const pfn = collected[i]!;
      const type = isolating ? blockTypeOf(pfn) : (page[(pfn << 2) | WORD]! >> TYPE_SHIFT) & 7;
      freeOnePage(pfn, z, 0, type, false);
      if (journal.heard) journal.emit(drainEvent, pfn, 0, type);
    }
  };

  return {
    takeFrom,
    rmqueuePcp: takeFrom,
    takeHead,
    freePcp(pfn, z, _order, type) {
      const cpu = journal.cpu;
      const slot = z * cpus + cpu;
      const row = slot << PCP_SHIFT;
      insertAfter(pcpListBase + slot * pcpLists + type, pfn);
      const count = pcp[row | COUNT]! + 1;
      pcp[row | COUNT] = count;
      if (count >= pcp[row | HIGH]!) drainSome(z, cpu, pcp[row | BATCH]!);
    },
    drainZone(z, cpu) {
      drainSome(z, cpu, pcp[((z * cpus + cpu) << PCP_SHIFT) | COUNT]!);
    },
    orderOfList: ordersOfLists(memory),
    byType: true,
    lastWord,
    fields: { count: COUNT, high: HIGH, batch: BATCH },
  };
}
