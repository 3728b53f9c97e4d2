// Nodes, zones, their free lists, per-CPU lists and pageblocks, as mm/page_alloc.c keeps them. Lists are walked from both ends, with
// bounds; what does not fit together becomes a finding, once.
import { Absent, ifThere } from "../address_space.ts";
import type { Findings } from "../findings.ts";
import { type Kernel, perCpu } from "../kernel.ts";
import type { Struct } from "../types.ts";
import { checkFreePages, checkReferences, type FreeList, ListWalker, type ZonePlace } from "./free_lists.ts";
import type { MemMap } from "./mem_map.ts";
import { pageKind } from "./page_kinds.ts";

export interface ZoneState {
  readonly node: number;
  /** Index within its node. */
  readonly index: number;
  readonly name: string;
  readonly address: bigint;
  readonly start: number;
  readonly spanned: number;
  readonly present: number;
  readonly managed: number;
  /** vm_stat[NR_FREE_PAGES] without what CPUs hold back. */
  readonly free: number;
  /** min, low, high, without boost. */
  readonly watermarks: readonly [number, number, number];
  readonly boost: number;
  readonly highatomic: number;
  /** Per order. */
  readonly nrFree: readonly number[];
  readonly vmStat: readonly number[];
  /** Free pages that each online CPU has counted and not yet added to vm_stat. */
  readonly diffFree: readonly number[];
  /** False when what a CPU holds back is not in the image. */
  readonly isDiffKnown: boolean;
  /** lowmem_reserve[] by zone index. */
  readonly lowmemReserve: readonly number[];
  /** percpu_drift_mark, flags and nr_free_highatomic of struct zone; 0 where this kernel has none. */
  readonly driftMark: number;
  readonly flags: number;
  readonly freeHighatomic: number;
  readonly lists: readonly FreeList[];
  readonly pcp: readonly CpuPages[];
  readonly blocks: Pageblocks | undefined;
}

export interface CpuPages {
  readonly cpu: number;
  /** Of its struct per_cpu_pages. */
  readonly address: bigint;
  readonly statThreshold: number;
  readonly count: number;
  readonly high: number;
  readonly batch: number;
  /** Head first, per list of the kernel. */
  readonly lists: readonly (readonly number[])[];
}

export interface Pageblocks {
  /** First frame of the first block. */
  readonly first: number;
  readonly framesPerBlock: number;
  /** Migrate type per block; 15 where there is none. */
  readonly types: Uint8Array;
}

export interface Zones {
  readonly zones: readonly ZoneState[];
  /** Zones whose memory is not in the image. */
  readonly unseen: number;
  /** One above the highest frame of any populated zone. */
  readonly endPfn: number;
  readonly orders: number;
  readonly migrateTypes: readonly string[];
  readonly pageblockOrder: number;
}

const mostNodes = 1024;
const mostZones = 16;
const mostOrders = 32;
const mostStats = 256;

/** A zone without its lists: what is needed to know how large the memory map is. */
export interface ZoneHeader {
  readonly node: number;
  readonly index: number;
  readonly address: bigint;
  readonly start: number;
  readonly spanned: number;
}

export interface ZoneHeaders {
  readonly headers: readonly ZoneHeader[];
  /** Nodes and zones whose memory is not in the image: how far they reach is not known. */
  readonly missing: number;
}

/** Every zone of every node that is on line, empty ones among them. Throws LayoutUnknown, Absent. */
export function zoneHeaders(kernel: Kernel): ZoneHeaders {
  const { space, types, info } = kernel;
  const table = info.symbol("node_data") ?? kernel.symbols.address("node_data");
  const node = types.struct("pglist_data");
  const zone = types.struct("zone");
  const zones = node.field("node_zones");
  const { nodes, unread } = table === undefined ? { nodes: [], unread: 1 } : nodeAddresses(kernel, table);
  let missing = unread;
  const out: ZoneHeader[] = [];
  for (const { id, address } of nodes)
    for (let index = 0; index < Math.min(zones.elements, mostZones); index++) {
      const at = address + zones.at + BigInt(index * zone.sizeBytes);
      const header = ifThere(() => ({
        node: id,
        index,
        address: at,
        start: asFrames(space.u64(at + zone.at("zone_start_pfn"))),
        spanned: asFrames(space.u64(at + zone.at("spanned_pages"))),
      }));
      if (header === undefined) missing++;
      else out.push(header);
    }
  return { headers: out, missing };
}

function nodeAddresses(
  kernel: Kernel,
  table: bigint,
): { readonly nodes: readonly { id: number; address: bigint }[]; readonly unread: number } {
  const count = Math.min(kernel.info.length("node_data") ?? 1, mostNodes);
  const nodes: { id: number; address: bigint }[] = [];
  let unread = 0;
  for (let id = 0; id < count; id++) {
    const address = ifThere(() => kernel.space.u64(table + BigInt(id * 8)));
    if (address === undefined) unread++;
    else if (address !== 0n) nodes.push({ id, address });
  }
  return { nodes, unread };
}

/** Page counts of a sane machine fit into 40 bits; anything above is damage and counts as none. */
const asFrames = (value: bigint): number => (value < 1n << 40n ? Number(value) : 0);

/** One above the highest frame that a zone spans, but not far beyond what the image can hold. */
export const endOfZones = (headers: readonly ZoneHeader[]): number =>
  Math.max(0, ...headers.filter((z) => z.spanned > 0).map((z) => z.start + z.spanned));

/** Reads all zones with their lists; marks free and per-CPU pages in `map.kind`. */
export function readZones(kernel: Kernel, headers: readonly ZoneHeader[], map: MemMap, findings: Findings): Zones {
  const orders = Math.min(kernel.types.struct("zone").field("free_area").elements, mostOrders);
  const migrateTypes = migrateTypesOf(kernel);
  const pageblockOrder = pageblockOrderOf(kernel, orders);
  const walker = new ListWalker(kernel, map, findings);
  const zones: ZoneState[] = [];
  let unseen = 0;
  for (const h of headers) {
    const zone = ifThere(() => readZone(kernel, h, map, walker, { orders, migrateTypes, pageblockOrder }, findings));
    if (zone === undefined) unseen++;
    else zones.push(zone);
  }
  walker.finish(zones);
  if (!kernel.memory.live) checkFreePages(kernel, zones, migrateTypes, findings);
  checkReferences(map, findings);
  return { zones, unseen, endPfn: endOfZones(headers), orders, migrateTypes, pageblockOrder };
}

interface Geometry {
  readonly orders: number;
  readonly migrateTypes: readonly string[];
  readonly pageblockOrder: number;
}

function migrateTypesOf(kernel: Kernel): readonly string[] {
  const names: string[] = [];
  for (const [name, value] of kernel.types.enumerators("migratetype"))
    if (value >= 0 && value < 16 && name !== "MIGRATE_TYPES" && names[value] === undefined)
      names[value] = name.replace(/^MIGRATE_/, "");
  const count = kernel.types.struct("free_area").field("free_list").elements;
  return Array.from({ length: Math.min(count, 15) }, (_, i) => names[i] ?? `type ${i}`);
}

/** HUGETLB_PAGE_ORDER, a macro: 9 on x86 with 2 MiB pages (include/linux/pageblock-flags.h of 6.1 to 7.2), else the largest order. */
const pageblockOrderOf = (kernel: Kernel, orders: number): number =>
  kernel.types.find("hstate") === undefined && kernel.symbols.address("transparent_hugepage_flags") === undefined
    ? orders - 1
    : Math.min(9, orders - 1);

function readZone(
  kernel: Kernel,
  header: ZoneHeader,
  map: MemMap,
  walker: ListWalker,
  geometry: Geometry,
  findings: Findings,
): ZoneState {
  const { space, types } = kernel;
  const zone = types.struct("zone");
  const at = header.address;
  const count = (name: string): number => asFrames(space.u64(at + zone.at(name)));
  const name = space.text(space.u64(at + zone.at("name")), 32);
  const watermark = zone.field("_watermark", "watermark");
  const mark = (i: number): number => asFrames(space.u64(at + watermark.at + BigInt(i * 8)));
  const vmStat = signedWords(
    space.bytes(at + zone.at("vm_stat"), Math.min(zone.field("vm_stat").elements, mostStats) * 8),
  );
  const freeItem = types.constant("zone_stat_item", "NR_FREE_PAGES") ?? 0;
  const area = types.struct("free_area");
  const areas = at + zone.at("free_area");
  const nrFree = Array.from({ length: geometry.orders }, (_, o) =>
    asFrames(space.u64(areas + BigInt(o * area.sizeBytes) + area.at("nr_free"))),
  );
  const diffs = kernel.onlineCpus.map((cpu) => diffFreeOf(kernel, at, cpu, freeItem));
  const isPopulated = header.spanned > 0 && count("present_pages") > 0;
  const place: ZonePlace = { name, start: header.start, end: header.start + header.spanned };
  const lists = isPopulated ? freeListsOf(place, areas, area, geometry, walker) : [];
  return {
    node: header.node,
    index: header.index,
    name,
    address: at,
    start: header.start,
    spanned: header.spanned,
    present: count("present_pages"),
    managed: count("managed_pages"),
    free: vmStat[freeItem] ?? 0,
    watermarks: [mark(0), mark(1), mark(2)],
    boost: zone.has("watermark_boost") ? count("watermark_boost") : 0,
    highatomic: zone.has("nr_reserved_highatomic") ? count("nr_reserved_highatomic") : 0,
    nrFree,
    vmStat,
    diffFree: diffs.map((d) => (isPopulated ? (d ?? 0) : 0)),
    isDiffKnown: !diffs.includes(undefined),
    lowmemReserve: Array.from({ length: Math.min(zone.find("lowmem_reserve")?.elements ?? 0, mostZones) }, (_, i) =>
      asFrames(space.u64(at + zone.at("lowmem_reserve") + BigInt(i * 8))),
    ),
    driftMark: zone.has("percpu_drift_mark") ? count("percpu_drift_mark") : 0,
    flags: zone.has("flags") ? Number(space.u64(at + zone.at("flags")) & 0x7fffffffn) : 0,
    freeHighatomic: zone.has("nr_free_highatomic") ? count("nr_free_highatomic") : 0,
    lists,
    pcp: isPopulated
      ? kernel.onlineCpus.flatMap((cpu) => cpuPages(kernel, place, at, cpu, geometry, walker, findings))
      : [],
    blocks: isPopulated ? pageblocksOf(kernel, header, map, geometry) : undefined,
  };
}

function signedWords(bytes: Uint8Array): readonly number[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  return Array.from({ length: bytes.length / 8 }, (_, i) => Number(view.getBigInt64(i * 8, true)));
}

function diffFreeOf(kernel: Kernel, zoneAt: bigint, cpu: number, item: number): number | undefined {
  const { space, types } = kernel;
  const zone = types.struct("zone");
  // Since 5.14 counters and lists of a CPU are two structs.
  const [field, struct] = zone.has("per_cpu_zonestats")
    ? (["per_cpu_zonestats", "per_cpu_zonestat"] as const)
    : (["pageset", "per_cpu_pageset"] as const);
  const diff = types.find(struct)?.find("vm_stat_diff");
  if (diff === undefined) return 0;
  const value = ifThere(() =>
    space.u8(perCpu(kernel, space.u64(zoneAt + zone.at(field)), cpu) + diff.at + BigInt(item)),
  );
  return value === undefined ? undefined : (value << 24) >> 24;
}

/** stat_threshold of a CPU: how far its counters may run before they are added to the zone's. */
function thresholdOf(kernel: Kernel, zoneAt: bigint, cpu: number): number {
  const { space, types } = kernel;
  const zone = types.struct("zone");
  const [field, struct] = zone.has("per_cpu_zonestats")
    ? (["per_cpu_zonestats", "per_cpu_zonestat"] as const)
    : (["pageset", "per_cpu_pageset"] as const);
  const threshold = types.find(struct)?.find("stat_threshold");
  if (threshold === undefined) return 0;
  return ifThere(() => space.u8(perCpu(kernel, space.u64(zoneAt + zone.at(field)), cpu) + threshold.at)) ?? 0;
}

function freeListsOf(
  zone: ZonePlace,
  areas: bigint,
  area: Struct,
  geometry: Geometry,
  walker: ListWalker,
): readonly FreeList[] {
  const out: FreeList[] = [];
  const heads = area.field("free_list");
  for (let order = 0; order < geometry.orders; order++)
    for (let migrateType = 0; migrateType < geometry.migrateTypes.length; migrateType++) {
      const head = areas + BigInt(order * area.sizeBytes) + heads.at + BigInt(migrateType * 16);
      const list = walker.freeList(head, zone, order, migrateType);
      if (list.pfns.length > 0 || list.broken) out.push(list);
    }
  return out;
}

function cpuPages(
  kernel: Kernel,
  zone: ZonePlace,
  zoneAt: bigint,
  cpu: number,
  geometry: Geometry,
  walker: ListWalker,
  findings: Findings,
): readonly CpuPages[] {
  const { space, types } = kernel;
  const pcp = types.struct("per_cpu_pages");
  const zoneStruct = types.struct("zone");
  const inner = zoneStruct.has("per_cpu_pageset") ? 0n : types.struct("per_cpu_pageset").at("pcp");
  const at = perCpu(kernel, space.u64(zoneAt + zoneStruct.at("per_cpu_pageset", "pageset")), cpu) + inner;
  const lists = pcp.field("lists");
  try {
    const count = space.i32(at + pcp.at("count"));
    const pfns = Array.from({ length: Math.min(lists.elements, 64) }, (_, i) =>
      walker.cpuList(at + lists.at + BigInt(i * 16), zone, cpu, i),
    );
    const held = pfns.reduce((sum, list, i) => sum + list.pfns.length * 2 ** listOrder(i, geometry), 0);
    if (held !== count && !pfns.some((l) => l.broken))
      findings.add({
        kind: "per-cpu list",
        text: `zone ${zone.name} cpu ${cpu}: pcp count says ${count}, ${held} pages are on its lists`,
        zone: zone.name,
        cpu,
      });
    return [
      {
        cpu,
        address: at,
        statThreshold: thresholdOf(kernel, zoneAt, cpu),
        count,
        high: space.i32(at + pcp.at("high")),
        batch: space.i32(at + pcp.at("batch")),
        lists: pfns.map((l) => l.pfns),
      },
    ];
  } catch (error) {
    if (error instanceof Absent) return [];
    throw error;
  }
}

/**
 * Order of a per-CPU list: three migrate types for each of orders 0 to 3, then whole pageblocks (order_to_pindex, mm/page_alloc.c of
 * 5.14 to 7.2). Before 5.14 there are three lists, of order 0.
 */
export const listOrder = (list: number, geometry: { readonly pageblockOrder: number }): number =>
  list < 12 ? Math.floor(list / 3) : geometry.pageblockOrder;

function pageblocksOf(kernel: Kernel, header: ZoneHeader, map: MemMap, geometry: Geometry): Pageblocks | undefined {
  const { space, types, info } = kernel;
  const framesPerBlock = 2 ** geometry.pageblockOrder;
  const first = header.start - (header.start % framesPerBlock);
  const end = Math.min(header.start + header.spanned, map.endPfn);
  const count = Math.max(0, Math.ceil((end - first) / framesPerBlock));
  const bits = bitsPerBlock(kernel);
  const usageStruct = types.find("mem_section_usage");
  const section = types.find("mem_section");
  const roots = info.symbol("mem_section");
  if (usageStruct === undefined || section === undefined || roots === undefined) return undefined;
  const sectionFrames = 2 ** (Number(info.number("SECTION_SIZE_BITS") ?? 27n) - 12);
  const perRoot = Math.floor(4096 / section.sizeBytes);
  const types_ = new Uint8Array(count).fill(15);
  const isolate = geometry.migrateTypes.indexOf("ISOLATE");
  const isolateBit = types.constant("pageblock_bits", "PB_migrate_isolate");
  for (let i = 0; i < count; i++) {
    const pfn = first + i * framesPerBlock;
    if (map.kind[pfn] === pageKind.none) continue;
    const word = ifThere(() => {
      const number = Math.floor(pfn / sectionFrames);
      const root = space.u64(roots + BigInt(Math.floor(number / perRoot) * 8));
      const usage = space.u64(root + BigInt((number % perRoot) * section.sizeBytes) + section.at("usage"));
      const bit = Math.floor((pfn % sectionFrames) / framesPerBlock) * bits;
      return space.u8(usage + usageStruct.at("pageblock_flags") + BigInt(bit >> 3)) >> (bit & 7);
    });
    if (word === undefined) continue;
    const isIsolated = isolateBit !== undefined && ((word >> isolateBit) & 1) === 1;
    types_[i] = isIsolated && isolate >= 0 ? isolate : word & 7;
  }
  return { first, framesPerBlock, types: types_ };
}

/** NR_PAGEBLOCK_BITS, a power of two: three bits of migrate type, one to skip compaction, in 6.18 and later one for isolation. */
function bitsPerBlock(kernel: Kernel): number {
  const bits = kernel.types.enumerators("pageblock_bits");
  const said = bits.get("NR_PAGEBLOCK_BITS") ?? bits.get("__NR_PAGEBLOCK_BITS") ?? 4;
  return said <= 4 ? 4 : 8;
}
