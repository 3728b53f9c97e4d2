// How much of a Mem-Info is there. The form itself proves it: the zones' pages add up to the totals and to the tail, lowmem_reserve[] stops
// rising at the last zone of a node, blocks add up to the sum behind them, and a zone line ends with the field that every release ends it with.
import type { FreeLists, MemInfo, MemNode, MemZone } from "./mem_info.ts";
import type { Lack, Part } from "./part.ts";
import { cut, isLack, lost, told, whole } from "./part.ts";

/** `zone DMA32 of node 0`; the node only where there are several. */
export const zoneName = (m: MemInfo, z: MemZone): string =>
  new Set(m.zones.map((x) => x.node)).size > 1 ? `zone ${z.name} of node ${z.node}` : `zone ${z.name}`;

/**
 * The zone line reaches its end: up to 4.7 `all_unreclaimable?` ends it, since 4.8 `free_cma`, in 2.6.9 `present` (show_free_areas,
 * mm/page_alloc.c).
 */
export const zoneLineEnds = (z: MemZone): boolean =>
  z.allUnreclaimable !== undefined ||
  z.kb.free_cma !== undefined ||
  (z.kb.present !== undefined &&
    z.kb.active !== undefined &&
    z.kb.managed === undefined &&
    z.pagesScanned === undefined);

/** A counter of a zone line in kB, or what is missing. */
export const zoneKb = (m: MemInfo, z: MemZone, name: string): number | Lack =>
  told(z.kb, name, `the line of ${zoneName(m, z)}`);

/** Free pages in CMA areas in kB: 0 where a whole line has no such field (before 3.7), a lack where the line is cut before it. */
export function zoneCmaKb(m: MemInfo, z: MemZone): number | Lack {
  if (z.kb.free_cma !== undefined) return z.kb.free_cma;
  if (zoneLineEnds(z) || m.totals.free_cma === 0) return 0;
  return { lacks: `free_cma in the line of ${zoneName(m, z)}` };
}

/** Pages that the buddy line lists; undefined without one. */
export const listedPages = (lists: FreeLists | undefined): number | undefined =>
  lists?.blocks.reduce((n, b) => n + b.count * 2 ** b.order, 0);

/** The blocks of a zone, whole when they add up to the sum that ends the line. */
export function blocksPart(m: MemInfo, z: MemZone, pageKb: number): Part<FreeLists["blocks"]> {
  const what = `the buddy line of ${zoneName(m, z)}`;
  const lists = z.freeLists;
  if (lists === undefined) return lost(what);
  const pages = listedPages(lists);
  return lists.totalKb !== undefined && pages !== undefined && pages * pageKb === lists.totalKb
    ? whole(lists.blocks, `its blocks add up to ${lists.totalKb} kB`)
    : cut(lists.blocks, `the end of ${what}`);
}

/** How often the reserves rise: one zone of that node above for each time (setup_per_zone_lowmem_reserve). */
function rises(reserve: readonly number[]): number {
  return reserve.filter((n, i) => i > 0 && n > (reserve[i - 1] ?? n)).length;
}

/** lowmem_reserve[] of a zone: as many entries as in every other zone, none smaller than the one before. */
export function reservePart(m: MemInfo, z: MemZone): Part<readonly number[]> {
  const line = z.lowmemReserve;
  const what = `lowmem_reserve[] of ${zoneName(m, z)}`;
  if (line === undefined || line.length === 0) return lost(what);
  const most = Math.max(...m.zones.flatMap((x) => x.lowmemReserve?.length ?? []));
  const falls = line.some((n, i) => i > 0 && n < (line[i - 1] ?? n));
  const names = new Set(m.zones.map((x) => x.name)).size;
  if (line.length < most || line.length < names || falls) return cut(line, `the end of ${what}`);
  return mayBeAnothers(m, z, line) ? lost(what) : whole(line, "each zone has its own");
}

/** Where the reserves of some zone are lost, reserves that do not rise for the zones above are another zone's (zones of no pages raise nothing). */
function mayBeAnothers(m: MemInfo, z: MemZone, line: readonly number[]): boolean {
  const above = m.zones.slice(m.zones.indexOf(z) + 1).filter((x) => x.node === z.node && x.kb.present !== 0).length;
  return rises(line) < above && m.zones.some((x) => x.lowmemReserve === undefined);
}

/** Counters are read one after the other while memory moves: so far apart may a sum and a total be, in pages. */
const apart = (totalPages: number, zones: number): number => Math.max(64 * zones, Math.floor(totalPages / 50));

/** The zones of the machine: whole when sums or reserves prove that none is missing. Sizes of a page in kB. */
export function zonesPart(m: MemInfo, pageKb: number): Part<readonly MemZone[]> {
  const { zones } = m;
  if (zones.length === 0) return lost("its zone lines");
  const torn = zones.find((z) => z.kb.free === undefined);
  if (torn !== undefined) return cut(zones, `the line of ${zoneName(m, torn)}`);
  const gone = zonesGone(m);
  if (gone !== undefined) return cut(zones, gone);
  const ram = bySize(m, pageKb);
  if (ram !== undefined) return ram;
  // Each zone line has its reserves behind it, and they tell what stands above.
  const open = zones.findLast((z) => z.lowmemReserve === undefined);
  if (open !== undefined) return cut(zones, `what follows the line of ${zoneName(m, open)}`);
  return byFree(m, pageKb);
}

/** Zones of which no line is left: what names them; undefined where nothing tells of any. */
export function zonesGone(m: MemInfo): string | undefined {
  const { zones } = m;
  if (zones.length === 0) return "the zone lines";
  const above = zoneAbove(m);
  if (above !== undefined) return above;
  const node = m.nodes.find((n) => !zones.some((z) => z.node === n.node));
  return node === undefined ? undefined : `the zones of node ${node.node}`;
}

/** What is missing above a zone, as its reserves tell; undefined when they tell of nothing. */
function zoneAbove(m: MemInfo): string | undefined {
  for (const [i, z] of m.zones.entries()) {
    const later = m.zones.slice(i + 1).filter((x) => x.node === z.node).length;
    const more = rises(z.lowmemReserve ?? []) - later;
    if (more > 0)
      return `the lines of ${more === 1 ? "a zone" : `${more} zones`} above ${z.name} (lowmem_reserve[] still rises there)`;
  }
  return undefined;
}

/** `N pages RAM` counts what the zones call present (lib/show_mem.c since 3.10). */
function bySize(m: MemInfo, pageKb: number): Part<readonly MemZone[]> | undefined {
  const ram = m.tail["pages RAM"];
  if (ram === undefined) return undefined;
  let present = 0;
  for (const z of m.zones) {
    if (z.kb.present === undefined) return undefined;
    present += z.kb.present;
  }
  if (present === ram * pageKb) return whole(m.zones, `the zones' present pages add up to ${ram} pages RAM`);
  const modern = m.zones.every((z) => z.kb.managed !== undefined);
  return modern && present < ram * pageKb
    ? cut(m.zones, "the lines of some zones (they are fewer than the pages RAM)")
    : undefined;
}

function byFree(m: MemInfo, pageKb: number): Part<readonly MemZone[]> {
  const total = m.totals.free;
  if (total === undefined)
    // The buddy lines come behind all zone lines, one a zone: a zone that lost its line would still show there.
    return m.zones.every((z) => z.freeLists !== undefined && z.lowmemReserve !== undefined)
      ? whole(m.zones, "each zone has its buddy line, and the reserves tell of no other")
      : cut(m.zones, "the totals and the tail, which would prove that no zone is missing");
  const kb = sumZones(m, m.zones, "free");
  if (isLack(kb)) return cut(m.zones, kb.lacks);
  const free = kb / pageKb;
  // A zone below the first one printed shows in no reserve: it may only hide in what the counters differ by.
  const bottom = m.zones[0]?.name === "DMA" || rises(m.zones[0]?.lowmemReserve ?? []) + 1 >= 3;
  const most = bottom ? apart(total, m.zones.length) : 64;
  return Math.abs(total - free) <= most
    ? whole(m.zones, `the zones' free pages add up to the total of ${total}`)
    : cut(m.zones, "the lines of some zones (their free pages are fewer than the total)");
}

/** The lines of the nodes (4.8 and later): whole where each node that has a zone has one, and no zone is known to be gone. */
export function nodesPart(m: MemInfo): Part<readonly MemNode[]> {
  if (m.nodes.length === 0) return lost("the lines of the nodes");
  const open = m.zones.find((z) => !m.nodes.some((n) => n.node === z.node));
  const lacks = open === undefined ? zonesGone(m) : `the line of node ${open.node}`;
  return lacks === undefined ? whole(m.nodes, "each node that has a zone has its line") : cut(m.nodes, lacks);
}

/** CPUs by number, as the lists of each zone name them (up to 4.0): whole where two zones or more name the same ones, from 0 on. */
export function cpusPart(m: MemInfo): Part<readonly number[]> {
  const [first, ...others] = m.perCpu.map((z) => z.cpus.map((p) => p.cpu));
  if (first === undefined || first.length === 0) return lost("the per-CPU lists");
  const alike = others.every((cpus) => cpus.length === first.length && cpus.every((cpu, i) => cpu === first[i]));
  return others.length > 0 && alike && first.every((cpu, i) => cpu === i)
    ? whole(first, `${others.length + 1} zones name the same CPUs`)
    : cut(first, "lines of the per-CPU lists");
}

/** The sum of a counter over zones, or the first lack. */
export function sumZones(m: MemInfo, zones: readonly MemZone[], name: string): number | Lack {
  let sum = 0;
  for (const z of zones) {
    const kb = zoneKb(m, z, name);
    if (isLack(kb)) return kb;
    sum += kb;
  }
  return sum;
}
