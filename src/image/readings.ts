// The image as the files of /proc: the same Readings that text is read into, so that whatever takes them takes an image.
import type { BuddyInfo } from "../kernel/readings/buddyinfo.ts";
import type { PageTypeInfo } from "../kernel/readings/pagetypeinfo.ts";
import type { SlabInfo } from "../kernel/readings/slabinfo.ts";
import type { ZoneField, ZoneInfo } from "../kernel/readings/zoneinfo.ts";
import type { Image } from "./image.ts";
import type { ZoneState } from "./mm/zones.ts";

const populated = (image: Image): readonly ZoneState[] => image.zones.zones.filter((z) => z.present > 0);

/** /proc/buddyinfo, from nr_free as the kernel prints it. */
export const imageBuddyinfo = (image: Image): BuddyInfo => ({
  kind: "buddyinfo",
  zones: populated(image).map((z) => ({ node: z.node, zone: z.name, free: z.nrFree })),
});

/** migratetype_names[], mm/page_alloc.c of 6.1 to 7.2. */
const typeNames: Readonly<Record<string, string>> = {
  UNMOVABLE: "Unmovable",
  MOVABLE: "Movable",
  RECLAIMABLE: "Reclaimable",
  HIGHATOMIC: "HighAtomic",
  PCPTYPES: "HighAtomic",
  CMA: "CMA",
  ISOLATE: "Isolate",
};

/** /proc/pagetypeinfo, by walking the lists; the kernel stops counting a list at 100,000 blocks, and so does this. */
export function imagePagetypeinfo(image: Image): PageTypeInfo {
  const { zones } = image;
  const types = zones.migrateTypes.map((name) => typeNames[name] ?? name);
  const most = 100_000;
  return {
    kind: "pagetypeinfo",
    pageBlockOrder: zones.pageblockOrder,
    pagesPerBlock: 2 ** zones.pageblockOrder,
    orders: zones.orders,
    free: populated(image).flatMap((z) =>
      types.map((type, number) => ({
        node: z.node,
        zone: z.name,
        type,
        free: Array.from({ length: zones.orders }, (_, order) => {
          const n = z.lists.find((l) => l.order === order && l.migrateType === number)?.pfns.length ?? 0;
          return { blocks: Math.min(n, most), more: n > most };
        }),
      })),
    ),
    types,
    blocks: populated(image).map((z) => ({
      node: z.node,
      zone: z.name,
      blocks: types.map((_, number) => Array.from(z.blocks?.types ?? []).filter((t) => t === number).length),
    })),
  };
}

/** /proc/slabinfo as SLUB prints it: whole slabs off the nodes' lists count as in use. */
export const imageSlabinfo = (image: Image): SlabInfo => ({
  kind: "slabinfo",
  version: "2.1",
  caches: image.caches.map((c) => {
    const objects = c.nodes.reduce((n, s) => n + s.totalObjects, 0);
    const slabs = c.nodes.reduce((n, s) => n + s.nrSlabs, 0);
    return {
      name: c.name,
      activeObjects: objects - c.nodes.reduce((n, s) => n + s.partialFree, 0),
      objects,
      objectBytes: c.size,
      objectsPerSlab: c.objectsPerSlab,
      pagesPerSlab: 2 ** c.order,
      activeSlabs: slabs,
      slabs,
      tunables: [0, 0, 0],
      sharedAvailable: 0,
    };
  }),
});

/** The lines of /proc/zoneinfo that allocation depends on; counters of vmscan and the node are left out. */
export function imageZoneinfo(image: Image): ZoneInfo {
  const pages = (name: string, value: number): ZoneField => ({ group: "pages", name, value });
  return {
    kind: "zoneinfo",
    statIndent: 6,
    zones: populated(image).map((z) => ({
      node: z.node,
      zone: z.name,
      fields: [
        pages("free", z.free),
        pages("boost", z.boost),
        pages("min", z.watermarks[0] + z.boost),
        pages("low", z.watermarks[1] + z.boost),
        pages("high", z.watermarks[2] + z.boost),
        pages("spanned", z.spanned),
        pages("present", z.present),
        pages("managed", z.managed),
        { group: "protection", pages: z.lowmemReserve },
        { group: "stat", name: "nr_free_pages", value: z.free },
        { group: "heading", name: "pagesets" },
        ...z.pcp.flatMap((p): ZoneField[] => [
          { group: "cpu", cpu: p.cpu },
          { group: "pageset", name: "count", value: p.count },
          { group: "pageset", name: "high", value: p.high },
          { group: "pageset", name: "batch", value: p.batch },
          { group: "zone", name: "vm stats threshold", value: p.statThreshold },
        ]),
        { group: "zone", name: "start_pfn", value: z.start },
      ],
    })),
  };
}
