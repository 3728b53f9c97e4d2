// /proc/pagetypeinfo: free blocks by migratetype and order, page blocks by migratetype (mm/vmstat.c pagetypeinfo_show, since 2.6.24).

import type { Part } from "./part.ts";
import { cut, whole } from "./part.ts";

/** A count that the kernel may have stopped counting at: from 5.5 on it prints `>100000` for very long lists. */
export interface FreeCount {
  readonly blocks: number;
  /** True when there are more than `blocks`. */
  readonly more: boolean;
}

export interface PageTypeRow {
  readonly node: number;
  readonly zone: string;
  /** Unmovable, Reclaimable, Movable, Reserve (..4.3), HighAtomic (4.4+), CMA, Isolate. */
  readonly type: string;
  /** free[order] */
  readonly free: readonly FreeCount[];
}

export interface BlockCounts {
  readonly node: number;
  readonly zone: string;
  /** Page blocks, in the order of `types`. */
  readonly blocks: readonly number[];
}

export interface PageTypeInfo {
  readonly kind: "pagetypeinfo";
  /** pageblock_order; undefined when the head is missing. */
  readonly pageBlockOrder?: number;
  readonly pagesPerBlock?: number;
  /** Orders in the heading of the first section; its rows are `free`. */
  readonly orders: number;
  readonly free: readonly PageTypeRow[];
  /** Column names of the block sections. */
  readonly types: readonly string[];
  readonly blocks: readonly BlockCounts[];
  /** Blocks that hold pages of another migratetype than their own: only with page_owner=on. */
  readonly mixed?: readonly BlockCounts[];
}

/** The rows of free blocks: whole where each zone has a row for every type that the second section's heading names, and each zone of that section is there. */
export function rowsPart(t: PageTypeInfo): Part<readonly PageTypeRow[]> {
  if (t.types.length === 0 || t.blocks.length === 0)
    return cut(t.free, "the section of page blocks, which names types and zones");
  const open = t.blocks.find((zone) => {
    const own = t.free.filter((r) => r.node === zone.node && r.zone === zone.zone);
    return own.length < t.types.length || own.some((r) => r.free.length < t.orders);
  });
  return open === undefined
    ? whole(t.free, "each zone has a row for every type")
    : cut(t.free, `rows of zone ${open.zone} of node ${open.node}`);
}
