// Per-CPU page lists: a zone's free pages that one CPU keeps for itself, so that the common case takes no lock. What each kernel makes of
// them is a file beside this one; each knows its own row (from ownPcpField on) and its own hot path.
//
//   list index: 3 * order + type for the small orders, then huge-not-movable, huge-movable
import type { Journal } from "../../journal.ts";
import type { Trouble } from "../bad_page.ts";
import type { FreeArea } from "../free_area.ts";
import type { Memory } from "../memory.ts";
import type { Placement } from "../placement.ts";
import type { WatermarkTest } from "../zone_watermark.ts";

/** What the allocator asks of per-CPU lists, whatever their kind. */
export interface PcpLists {
  /** The head of this CPU's list, refilled when empty; -1 when the zone has nothing. alloc_pages_bulk() takes its pages so. */
  takeFrom(z: number, order: number, type: number, allocFlags: number): number;
  /** takeFrom() as a single request does it. */
  rmqueuePcp(z: number, order: number, type: number, allocFlags: number): number;
  /** rmqueuePcp() where a page lies ready: takes the head of a list (its record index `list`) that the caller found not empty. */
  takeHead(z: number, list: number, order: number): number;
  /** Takes a freed block in; what is too much goes back to the free lists. */
  freePcp(pfn: number, z: number, order: number, type: number): void;
  /** Gives everything that one CPU keeps of a zone back. */
  drainZone(z: number, cpu: number): void;
  /** Order of the blocks on each list. */
  readonly orderOfList: Uint8Array;
  /** Lists by type: the quick way may pop their heads. */
  readonly byType: boolean;
  /** A request that these lists cannot serve fails in this zone, without a look at the free lists. */
  readonly lastWord: boolean;
  /** Fields of the row that a recording shows, by the recorder's name. */
  readonly fields: Readonly<Record<string, number>>;
}

export interface PcpDeps {
  readonly memory: Memory;
  readonly area: FreeArea;
  readonly placement: Placement;
  readonly watermarks: WatermarkTest;
  readonly journal: Journal;
  readonly trouble: Trouble;
  readonly rules: PcpRules;
}

export interface PcpRules {
  /** MIGRATE_MOVABLE, which has the second huge list. */
  readonly movable: number;
  readonly cma: number;
  /** A drained page returns to the list of its pageblock's present type; else to that under which it was put on the list. */
  readonly drainsByBlock: boolean;
}

/** What boot sets the lists of a zone to. Amounts are pages. */
export interface PcpSizing {
  readonly managed: number;
  readonly low: number;
  /** CPUs among which the zone's share is divided. */
  readonly cpus: number;
  readonly pageShift: number;
  /** vm.percpu_pagelist_high_fraction (since 5.14): the zone divided by it is what all lists together may keep; 0: the low mark is. */
  readonly highFraction: number;
}

export interface PcpPart {
  readonly name: string;
  /** Highest order with lists besides the huge one. */
  readonly maxOrder: number;
  /** Whether the huge order has lists of its own. */
  readonly huge: boolean;
  readonly make: (deps: PcpDeps) => PcpLists;
  /** Values of the row's fields at boot, [field, value] each. */
  readonly sizes: (zone: PcpSizing) => readonly (readonly [field: number, value: number])[];
}

/** zone_highsize(), mm/page_alloc.c, 6.1.192 and 7.2.12: what one CPU may keep of a zone. */
export const highOf = ({ managed, low, cpus, highFraction }: PcpSizing, batch: number): number =>
  Math.max(Math.floor((highFraction === 0 ? low : Math.floor(managed / highFraction)) / cpus), batch * 4);

/** zone_batchsize(), mm/page_alloc.c, 2.6.24 to 6.12.117: a thousandth of the zone, at most 1 MiB, a quarter of it, as 2^n - 1. */
export function batchOf({ managed, pageShift }: PcpSizing): number {
  const quarter = Math.max(1, Math.floor(Math.min(managed >> 10, 1 << (20 - pageShift)) / 4));
  return 2 ** Math.floor(Math.log2(quarter + (quarter >> 1))) - 1;
}

/** Orders by list index. */
export function ordersOfLists(memory: Memory): Uint8Array {
  const { pcpMaxOrder, pcpHugeOrder } = memory.spec;
  const lowLists = 3 * (pcpMaxOrder + 1);
  return Uint8Array.from({ length: memory.pcpLists }, (_, i) => (i < lowLists ? Math.floor(i / 3) : pcpHugeOrder));
}
