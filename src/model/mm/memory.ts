// The columns of the whole machine's memory: one record a page, one row a zone, one row a (zone, CPU). No behaviour.
//
//   page record (16 bytes, index pfn):   next | prev | word | references
//   word:   order 0-4 · state 5-7 · zone 8-13 · cached migrate type 14-16 · LRU 17 · movable 18 · pfmemalloc 19 · compound 20
//
// Only the head of a block has a state; every other page of it reads NONE. So a block of 2^10 pages costs one record to hand out,
// and `a...bbbb` is four pages of block a and one block b, each with one non-NONE word.
// Free lists and per-CPU lists are rings through the same records: the records after the last page are their sentinels.
import { assert } from "../../base/assert.ts";

/** Offsets within a page record. */
export const record = { next: 0, prev: 1, word: 2, references: 3 } as const;

/** Fields of a page's word. */
export const word = {
  orderMask: 0x1f,
  stateMask: 0xe0,
  /** Tail of a block, absent, or in use by somebody the model does not know. */
  none: 0,
  /** Head of a block on a free list. */
  buddy: 1 << 5,
  /** Head of a block that left the free lists; on a per-CPU list while its references are 0. */
  taken: 2 << 5,
  /** Head of a block that compaction holds. */
  isolated: 3 << 5,
  zoneShift: 8,
  zoneMask: 0x3f00,
  typeShift: 14,
  typeMask: 0x1c000,
  lru: 1 << 17,
  movable: 1 << 18,
  pfmemalloc: 1 << 19,
  compound: 1 << 20,
} as const;

/** Int32 fields of a zone row; rows are `zoneStride` apart. */
export const zoneStride = 32;
export const zoneField = {
  start: 0,
  /** One past the last spanned pfn. */
  end: 1,
  /** Index of the zone's name in MemorySpec.zoneTypes: zone_idx(). */
  type: 2,
  node: 3,
  managed: 4,
  present: 5,
  /** The global NR_FREE_PAGES counter, without what CPUs have not yet folded in. */
  free: 6,
  freeCma: 7,
  min: 8,
  low: 9,
  high: 10,
  boost: 11,
  reservedHighatomic: 12,
  /** zone->flags: {@link zoneFlag}. */
  flags: 13,
  isolatedBlocks: 14,
  driftMark: 15,
  /** lowmem_reserve[] by zone type, up to 8. */
  lowmemReserve: 16,
  /** Pages on the zone's LRU list. */
  lruPages: 24,
  /** Free pages on lists of MIGRATE_HIGHATOMIC, where the release counts them (account/by_block.ts). */
  freeHighatomic: 25,
} as const;

/** enum zone_flags, include/linux/mmzone.h: the same bits in 5.10, 6.1, 6.12 and 7.2; BELOW_HIGH since 6.7. */
export const zoneFlag = { boostedWatermark: 1, reclaimActive: 2, belowHigh: 4 } as const;

/**
 * Int32 fields of a (zone, CPU) row that every kernel has; rows are `pcpStride` apart, row = zone * cpus + cpu. From `ownPcpField` on the row is
 * the per-CPU lists' own (pcp/).
 */
export const pcpStride = 16;
export const pcpField = {
  count: 0,
  high: 1,
  batch: 2,
  statThreshold: 3,
  /** This CPU's unfolded part of NR_FREE_PAGES. */
  freeDiff: 4,
  cmaDiff: 5,
} as const;
export const ownPcpField = 6;

export type ZoneName = "DMA" | "DMA32" | "Normal" | "HighMem" | "Movable";

/** One populated zone. */
export interface ZoneSpec {
  readonly name: ZoneName;
  readonly node: number;
  readonly startPfn: number;
  readonly spannedPages: number;
  readonly presentPages: number;
  readonly managedPages: number;
}

/** What memory a machine has, and the shapes its kernel was built with. */
export interface MemorySpec {
  /** Zone names the kernel was configured with, lowest first; a zone's index here is zone_idx(). */
  readonly zoneTypes: readonly ZoneName[];
  /** Populated zones; a zone's row is its index here. */
  readonly zones: readonly ZoneSpec[];
  readonly nodes: number;
  readonly cpus: number;
  readonly pageShift: number;
  /** Number of orders: 11 means 0..10. */
  readonly orders: number;
  readonly pageblockOrder: number;
  /** Highest order that goes through per-CPU lists besides the huge one: 3 since 5.14, 0 before. */
  readonly pcpMaxOrder: number;
  /** The huge order with per-CPU lists of its own (CONFIG_TRANSPARENT_HUGEPAGE since 5.14), or -1. */
  readonly pcpHugeOrder: number;
}

/** Types a free list can have; enough for every release, a power of two for cheap indexing. */
export const typesMax = 8;
/** Orders a zone can have, likewise. */
export const ordersMax = 16;

/** All columns. Array shapes are told in the file's head. */
export interface Memory {
  readonly spec: MemorySpec;
  /** Pages in the map: one past the highest pfn, rounded up to a block of the highest order. */
  readonly pages: number;
  readonly page: Int32Array;
  /** Migrate type of each pageblock (pfn >> pageblockOrder); bit 3 is the compaction skip mark. */
  readonly blockType: Uint8Array;
  readonly zone: Int32Array;
  /** Free blocks: nrFree[zone * ordersMax + order]. */
  readonly nrFree: Int32Array;
  readonly pcp: Int32Array;
  /** Record index of the sentinel of free list (zone 0, order 0, type 0); the others follow by (zone * ordersMax + order) * typesMax + type. */
  readonly freeLists: number;
  /** Record index of the first per-CPU list; the others follow by (zone * cpus + cpu) * pcpLists + list. */
  readonly pcpListBase: number;
  readonly pcpLists: number;
  /** Record index of zone 0's LRU sentinel; the other zones follow. */
  readonly lruLists: number;
  /** Zone rows in the order a node tries them, for a highest zone type: from zonelistStart[node * 8 + type], ended by -1. */
  readonly zonelists: Int32Array;
  readonly zonelistStart: Int32Array;
}

/** Columns for a machine: nothing is free yet, every page is unknown. O(lists), not O(pages). */
export function createMemory(spec: MemorySpec): Memory {
  assert(spec.zones.length <= 63, () => `${spec.zones.length} zones; a page's word holds 63`);
  assert(spec.zoneTypes.length <= 5 && spec.orders <= ordersMax, "more zone types or orders than the columns hold");
  const topPages = 1 << (spec.orders - 1);
  const end = Math.max(...spec.zones.map((z) => z.startPfn + z.spannedPages));
  const pages = Math.ceil(end / topPages) * topPages;
  const pcpLists = 3 * (spec.pcpMaxOrder + 1) + (spec.pcpHugeOrder >= 0 ? 2 : 0);
  const freeLists = pages;
  const pcpListBase = freeLists + spec.zones.length * ordersMax * typesMax;
  const lruLists = pcpListBase + spec.zones.length * spec.cpus * pcpLists;
  const records = lruLists + spec.zones.length;
  const page = new Int32Array(records * 4);
  for (let i = pages; i < records; i++) {
    page[i * 4 + record.next] = i;
    page[i * 4 + record.prev] = i;
  }
  const zone = new Int32Array(spec.zones.length * zoneStride);
  spec.zones.forEach((z, row) => {
    const at = row * zoneStride;
    const type = spec.zoneTypes.indexOf(z.name);
    assert(type >= 0, () => `zone ${z.name} is not among the configured ${spec.zoneTypes.join(", ")}`);
    zone[at + zoneField.start] = z.startPfn;
    zone[at + zoneField.end] = z.startPfn + z.spannedPages;
    zone[at + zoneField.type] = type;
    zone[at + zoneField.node] = z.node;
    zone[at + zoneField.managed] = z.managedPages;
    zone[at + zoneField.present] = z.presentPages;
  });
  return {
    spec,
    pages,
    page,
    blockType: new Uint8Array(Math.ceil(pages / (1 << spec.pageblockOrder)) + 1),
    zone,
    nrFree: new Int32Array(spec.zones.length * ordersMax),
    pcp: new Int32Array(spec.zones.length * spec.cpus * pcpStride),
    freeLists,
    pcpListBase,
    pcpLists,
    lruLists,
    ...zonelistsOf(spec),
  };
}

/** build_zonelists(), mm/page_alloc.c, 6.1: each node tries its own zones from the highest type down, then the other nodes in rising distance (here: number). */
function zonelistsOf(spec: MemorySpec): { zonelists: Int32Array; zonelistStart: Int32Array } {
  const rows: number[] = [];
  const zonelistStart = new Int32Array(spec.nodes * 8);
  for (let node = 0; node < spec.nodes; node++) {
    for (let highest = 0; highest < spec.zoneTypes.length; highest++) {
      zonelistStart[node * 8 + highest] = rows.length;
      for (let k = 0; k < spec.nodes; k++) {
        const nid = (node + k) % spec.nodes;
        for (let type = highest; type >= 0; type--) {
          const row = spec.zones.findIndex((z) => z.node === nid && z.name === spec.zoneTypes[type]);
          if (row >= 0 && (spec.zones[row]?.managedPages ?? 0) > 0) rows.push(row);
        }
      }
      rows.push(-1);
    }
  }
  return { zonelists: Int32Array.from(rows), zonelistStart };
}

/** Row of the zone that spans a pfn, or -1. A pageblock may straddle two zones (i386), so the boundaries decide. */
export function zoneOf(memory: Memory, pfn: number): number {
  for (let row = 0; row < memory.spec.zones.length; row++) {
    const at = row * zoneStride;
    if (pfn >= (memory.zone[at + zoneField.start] as number) && pfn < (memory.zone[at + zoneField.end] as number))
      return row;
  }
  return -1;
}
