// /proc/buddyinfo: free blocks of each zone by order (mm/vmstat.c frag_show, since 2.6.0).

import type { Part } from "./part.ts";
import { cut, whole } from "./part.ts";

/** Free blocks of one zone. */
export interface BuddyInfoZone {
  readonly node: number;
  /** DMA, DMA32, Normal, HighMem, Movable, Device. */
  readonly zone: string;
  /** free[order] = blocks of 2^order pages on the free lists (per-CPU pages are not in it). */
  readonly free: readonly number[];
}

export interface BuddyInfo {
  readonly kind: "buddyinfo";
  /** In the order printed. */
  readonly zones: readonly BuddyInfoZone[];
}

/** Orders of most kernels (MAX_ORDER of include/linux/mmzone.h); no line says how many there are, and a few architectures have others. */
const usualOrders = 11;

/**
 * The counts of a zone by order. A line that is cut ends at any column, and its last number anywhere: it is whole with as many columns as kernels
 * have, or where its blocks add up to the zone's free pages (of a moment close by), where those are known.
 */
export function ordersPart({ free, zone }: BuddyInfoZone, freePages: number | undefined): Part<readonly number[]> {
  if (free.length >= usualOrders) return whole(free, `it has ${free.length} orders`);
  const pages = free.reduce((n, blocks, order) => n + blocks * 2 ** order, 0);
  return freePages !== undefined && Math.abs(freePages - pages) <= Math.max(64, freePages / 10)
    ? whole(free, `its blocks add up to the ${freePages} free pages of the zone`)
    : cut(free, `the columns behind order ${free.length - 1} of zone ${zone}`);
}
