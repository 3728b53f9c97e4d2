// Free memory by order, from buddyinfo or pagetypeinfo: how much of it a request of each order could use (debugfs's unusable_index, seen
// from the other side: mm/vmstat.c unusable_free_index()).
import type { BuddyInfo } from "../kernel/readings/buddyinfo.ts";
import type { PageTypeInfo } from "../kernel/readings/pagetypeinfo.ts";

/** Free blocks of a zone, and of one migrate type where the source tells them apart. */
export interface FreeRow {
  readonly node: number;
  readonly zone: string;
  /** "" when the source does not tell. */
  readonly type: string;
  readonly blocks: readonly number[];
  /** True when the kernel stopped counting somewhere: the real numbers are larger. */
  readonly more: boolean;
  readonly pages: number;
  /** usable[o]: part of the free pages, 0..1, that lie in blocks of order o or more. */
  readonly usable: readonly number[];
}

export function freeRows(reading: BuddyInfo | PageTypeInfo): FreeRow[] {
  if (reading.kind === "buddyinfo") return reading.zones.map((z) => row(z.node, z.zone, "", z.free, false));
  return reading.free.map((r) =>
    row(
      r.node,
      r.zone,
      r.type,
      r.free.map((f) => f.blocks),
      r.free.some((f) => f.more),
    ),
  );
}

function row(node: number, zone: string, type: string, blocks: readonly number[], more: boolean): FreeRow {
  const pages = blocks.reduce((n, b, order) => n + b * 2 ** order, 0);
  const usable = blocks.map((_, order) =>
    pages === 0 ? 0 : blocks.reduce((n, b, o) => n + (o >= order ? b * 2 ** o : 0), 0) / pages,
  );
  return { node, zone, type, blocks, more, pages, usable };
}
