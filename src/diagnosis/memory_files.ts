// The memory of a machine as its files in /proc print it: zones with marks from zoneinfo, free blocks from pagetypeinfo, else from buddyinfo. For
// a report that does not print its own zones; the files are of another moment than the report.
import { grouped } from "../base/grouped.ts";
import type { ZoneInfoZone } from "../kernel/readings/zoneinfo.ts";
import { zonePagesets, zoneProtection, zoneValue } from "../kernel/readings/zoneinfo.ts";
import type { OwnedSaid, PageblocksSaid, Told, ZoneSaid } from "./machine_told.ts";
import type { MemoryFiles, Surroundings } from "./surroundings.ts";

/** Letters of Mem-Info for the names of pagetypeinfo: migratetype_names[], mm/page_alloc.c, and show_migration_types(), 6.1. */
const letters: Readonly<Record<string, string>> = {
  Unmovable: "U",
  Movable: "M",
  Reclaimable: "E",
  Reserve: "R",
  HighAtomic: "H",
  CMA: "C",
  Isolate: "I",
};

type Block = NonNullable<ZoneSaid["blocks"]>[number];

/** Free blocks by order, each list by itself: one element for each order and list. */
function blocksOf({ pagetypeinfo, buddyinfo }: MemoryFiles, { node, zone }: ZoneInfoZone): readonly Block[][] | null {
  const rows = pagetypeinfo?.value.free.filter((r) => r.node === node && r.zone === zone) ?? [];
  // A count that the kernel stopped at is no count.
  if (rows.length > 0 && !rows.some((r) => r.free.some((f) => f.more))) {
    const orders = Math.max(...rows.map((r) => r.free.length));
    return Array.from({ length: orders }, (_, order) =>
      rows.flatMap((r) => {
        const free = r.free[order];
        return free === undefined ? [] : [{ count: free.blocks, types: letters[r.type] ?? "" }];
      }),
    );
  }
  const row = buddyinfo?.value.zones.find((r) => r.node === node && r.zone === zone);
  return row?.free.map((count) => [{ count, types: "" }]) ?? null;
}

/** What these files say of a machine with pages of `pageKb`; null where zoneinfo or the free lists of a zone with memory are missing. */
export function zonesOfFiles(files: MemoryFiles, pageKb: number): Told<readonly ZoneSaid[]> | null {
  const { zoneinfo, buddyinfo, pagetypeinfo } = files;
  if (zoneinfo === undefined) return null;
  const populated = zoneinfo.value.zones.filter((z) => {
    const pages = zoneValue(z, "managed") ?? zoneValue(z, "present");
    return pages !== undefined && pages > 0;
  });
  const zones = populated.map((z): ZoneSaid => {
    const kb = (...names: readonly string[]): number | null => {
      for (const name of names) {
        const pages = zoneValue(z, name);
        if (pages !== undefined) return pages * pageKb;
      }
      return null;
    };
    const sum = (...parts: readonly (number | null)[]): number | null =>
      parts.reduce((n, x) => (n === null || x === null ? null : n + x), 0);
    const lists = blocksOf(files, z);
    const counts = zonePagesets(z).map(({ values }) => values.get("count"));
    const pcp = sum(...counts.map((pages) => (pages === undefined ? null : pages * pageKb)));
    return {
      node: z.node,
      zone: z.zone,
      presentKb: kb("present"),
      managedKb: kb("managed"),
      freeKb: kb("free", "nr_free_pages"),
      minKb: kb("min"),
      lowKb: kb("low"),
      highKb: kb("high"),
      boostKb: kb("boost"),
      highatomicKb: null,
      fileKb: sum(kb("nr_zone_active_file", "nr_active_file"), kb("nr_zone_inactive_file", "nr_inactive_file")),
      anonKb: sum(kb("nr_zone_active_anon", "nr_active_anon"), kb("nr_zone_inactive_anon", "nr_inactive_anon")),
      pcpKb: pcp,
      localPcpKb: null,
      lowmemReserve: zoneProtection(z) ?? null,
      blocks: lists?.map((l) => mixed(l)) ?? null,
      lists: lists?.map((l) => l.filter((b) => b.count > 0)) ?? null,
    };
  });
  if (zones.length === 0 || zones.some((z) => z.blocks === null || z.highKb === null)) return null;
  const from = pagetypeinfo === undefined ? "buddyinfo" : "pagetypeinfo";
  return {
    value: zones,
    because: `/proc/zoneinfo and /proc/${from}, of another moment than the report`,
    evidence: [zoneinfo, pagetypeinfo ?? buddyinfo].flatMap((f) => (f === undefined ? [] : [f.quote])),
  };
}

const mixed = (lists: readonly Block[]): Block => ({
  count: lists.reduce((n, b) => n + b.count, 0),
  types: lists.flatMap((b) => (b.count > 0 ? [b.types] : [])).join(""),
});

/** Pageblocks of each zone by the letter of their type. */
export function pageblocksOfFiles({ pagetypeinfo }: MemoryFiles): Told<readonly PageblocksSaid[]> | null {
  if (pagetypeinfo === undefined || pagetypeinfo.value.blocks.length === 0) return null;
  const { types, blocks } = pagetypeinfo.value;
  return {
    value: blocks.map(({ node, zone, blocks: counts }) => ({
      node,
      zone,
      blocks: types.flatMap((type, i) => {
        const [letter, count] = [letters[type], counts[i]];
        return letter === undefined || count === undefined || count === 0 ? [] : [{ types: letter, count }];
      }),
    })),
    because: "/proc/pagetypeinfo",
    evidence: [pagetypeinfo.quote],
  };
}

/** Where memory in use lies, page for page; null without a page_owner dump. */
export function ownedPagesOfFiles({ owned, zoneinfo }: MemoryFiles): Told<OwnedSaid> | null {
  if (owned === undefined) return null;
  const starts = (zoneinfo?.value.zones ?? []).flatMap((z) => {
    const startPfn = zoneValue(z, "start_pfn");
    return startPfn === undefined ? [] : [{ node: z.node, zone: z.zone, startPfn }];
  });
  return {
    value: { ...owned.value, starts },
    because: `page_owner: ${grouped(owned.value.listed)} pages that it lists`,
    evidence: [owned.quote],
  };
}

/** What several inputs say: the first of each kind. */
export const memoryFilesOf = ({ memoryFiles }: Surroundings): MemoryFiles => memoryFiles ?? {};
