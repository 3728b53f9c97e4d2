// Who counts free pages when: NR_FREE_PAGES of a zone, its CMA pages, its free pages on the atomic reserve. Each CPU collects a difference
// and folds it into the global counter when it passes a threshold, so that the moment of counting shows: watermarks read the global counter.
import type { Journal } from "../../journal.ts";
import type { Memory } from "../memory.ts";
import { pcpField, pcpStride, zoneField, zoneStride } from "../memory.ts";

const ZONE_ROW = Math.log2(zoneStride);
const PCP_SHIFT = Math.log2(pcpStride);
const FREE = zoneField.free;
const FREE_CMA = zoneField.freeCma;
const STAT_THRESHOLD = pcpField.statThreshold;
const FREE_DIFF = pcpField.freeDiff;
const CMA_DIFF = pcpField.cmaDiff;

/** Counting, as list operations and the allocator call it. Amounts are pages. */
export interface Account {
  /** __mod_zone_page_state(NR_FREE_PAGES) */
  modFree(z: number, delta: number): void;
  /** Pages of a type became free (or, below zero, were taken). */
  count(z: number, delta: number, type: number): void;
  /** A block of 2^order pages leaves the lists of `type` to be handed out or put on a per-CPU list. */
  taken(z: number, order: number, type: number): void;
  /** A free block changes its list. */
  moved(z: number, order: number, from: number, to: number): void;
  /** A single request took a block of `type` from the free lists. */
  handedOut(z: number, order: number, type: number): void;
  /** A refill took `blocks`. */
  refilled(z: number, order: number, blocks: number): void;
}

export interface AccountRules {
  /** MIGRATE_CMA, or -1. */
  readonly cma: number;
  /** MIGRATE_ISOLATE, or -1: its pages do not count as free. */
  readonly isolate: number;
  /** MIGRATE_HIGHATOMIC, or -1. */
  readonly highatomic: number;
}

export interface AccountPart {
  readonly name: string;
  readonly make: (memory: Memory, journal: Journal, rules: AccountRules) => Account;
}

/** The two counters with their per-CPU differences. */
export interface Counters {
  modFree(z: number, delta: number): void;
  modFreeCma(z: number, delta: number): void;
}

/** __mod_zone_page_state(), mm/vmstat.c, 6.1.192: unchanged from 2.6.24 to 7.2. */
export function createCounters(memory: Memory, journal: Journal): Counters {
  const { zone, pcp } = memory;
  const { cpus } = memory.spec;
  return {
    modFree(z, delta) {
      const row = (z * cpus + journal.cpu) << PCP_SHIFT;
      const x = pcp[row | FREE_DIFF]! + delta;
      const threshold = pcp[row | STAT_THRESHOLD]!;
      if (x > threshold || x < -threshold) {
        zone[(z << ZONE_ROW) | FREE] = zone[(z << ZONE_ROW) | FREE]! + x;
        pcp[row | FREE_DIFF] = 0;
      } else pcp[row | FREE_DIFF] = x;
    },
    modFreeCma(z, delta) {
      const row = (z * cpus + journal.cpu) << PCP_SHIFT;
      const x = pcp[row | CMA_DIFF]! + delta;
      const threshold = pcp[row | STAT_THRESHOLD]!;
      if (x > threshold || x < -threshold) {
        zone[(z << ZONE_ROW) | FREE_CMA] = zone[(z << ZONE_ROW) | FREE_CMA]! + x;
        pcp[row | CMA_DIFF] = 0;
      } else pcp[row | CMA_DIFF] = x;
    },
  };
}
