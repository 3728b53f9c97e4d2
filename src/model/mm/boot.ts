// Boot: gives a machine's memory to the allocator, and the layouts of common machines. What the kernel image, the page map and the
// firmware keep is taken off the managed pages at plausible places; the exact places of one real boot come from its transcripts.
//
//   x86_64, 8 GiB:   0 ·DMA· 16M ··DMA32·· 3G   hole   4G ··Normal·· 9G
import type { MachineMemory } from "./machine_memory.ts";
import type { MemorySpec, ZoneName, ZoneSpec } from "./memory.ts";
import { pcpField, pcpStride, record, word, zoneField, zoneStride } from "./memory.ts";
import type { MarkSettings } from "./watermark_setup.ts";
import { setupMarks } from "./watermark_setup.ts";

/** Pages [start, end) that boot hands over. */
export type PageRange = readonly [start: number, end: number];

/** A machine that can be booted: its shape, and which pages are free then. */
export interface BootLayout {
  readonly spec: MemorySpec;
  /** Per zone row, rising. */
  readonly freeRanges: readonly (readonly PageRange[])[];
}

/**
 * memblock_free_all() and the init calls after it: every free page to the free lists in the largest aligned blocks, rising, at the
 * tails; every pageblock movable; then watermarks and per-CPU sizes. Returns vm.min_free_kbytes.
 */
export function bootMemory(machine: MachineMemory, layout: BootLayout, settings: MarkSettings = {}): number {
  const { memory, area, rules } = machine;
  const topOrder = memory.spec.orders - 1;
  const bootType = machine.placement.bootType;
  memory.blockType.fill(rules.groupingDisabled ? rules.types.unmovable : bootType);
  layout.freeRanges.forEach((ranges, row) => {
    for (const [start, end] of ranges) {
      for (let pfn = start; pfn < end; ) {
        const aligned = pfn === 0 ? topOrder : Math.min(topOrder, 31 - Math.clz32(pfn & -pfn));
        let order = aligned;
        while (pfn + (1 << order) > end) order--;
        area.freeOnePage(pfn, row, order, machine.placement.freeType(pfn), true);
        pfn += 1 << order;
      }
    }
  });
  const minFreeKb = setupMarks(machine, settings);
  if (rules.types.reserve >= 0) reserveBlocks(machine);
  if (!rules.vmStatFree) countExactly(machine);
  return minFreeKb;
}

/** setup_zone_migrate_reserve(), mm/page_alloc.c, 2.6.24 to 4.3: whole free pageblocks that make up the min watermark, since 2.6.32 at most two. */
function reserveBlocks({ memory, area, rules }: MachineMemory): void {
  const { spec, page, zone } = memory;
  const blockPages = 1 << spec.pageblockOrder;
  spec.zones.forEach((z, row) => {
    let left = Math.min(
      rules.boot.reserveBlocksMost,
      Math.ceil((zone[row * zoneStride + zoneField.min] as number) / blockPages),
    );
    for (
      let at = Math.ceil(z.startPfn / blockPages) * blockPages;
      left > 0 && at + blockPages <= z.startPfn + z.spannedPages;
      at += blockPages
    ) {
      const head = at & -(1 << (spec.orders - 1));
      const free = [at, head].some((pfn) => {
        const w = page[pfn * 4 + record.word] as number;
        return (w & word.stateMask) === word.buddy && pfn + (1 << (w & word.orderMask)) >= at + blockPages;
      });
      if (!free || area.blockTypeOf(at) !== rules.types.movable) continue;
      area.setBlockType(at, rules.types.reserve);
      area.moveFreepagesBlock(at, row, rules.types.movable, rules.types.reserve);
      left--;
    }
  });
}

/** Before 2.6.21 zone->free_pages has no per-CPU part. */
function countExactly({ memory }: MachineMemory): void {
  const { spec, pcp } = memory;
  for (let row = 0; row < spec.zones.length * spec.cpus; row++) pcp[row * pcpStride + pcpField.statThreshold] = 0;
}

export interface PcOptions {
  readonly memoryMb: number;
  readonly cpus: number;
  readonly nodes?: number;
  /** 11 up to 6.3, when MAX_ORDER became the highest order itself; still orders 0 to 10. */
  readonly orders?: number;
  readonly pageblockOrder?: number;
  /** Per-CPU lists: 3 and the huge order since 5.13; 0 and -1 before. */
  readonly pcpMaxOrder?: number;
  readonly pcpHugeOrder?: number;
  /** MB below 4 GiB before the PCI hole; QEMU's pc uses 3072. */
  readonly lowMb?: number;
  /** MB that kernel image and early allocations keep, at 16 MB. */
  readonly kernelMb?: number;
}

/** An x86_64 PC: DMA up to 16 MB, DMA32 up to 4 GiB, Normal above; the page map (64 bytes a page) at the top of each zone. */
export function pc64(options: PcOptions): BootLayout {
  const { memoryMb, cpus, nodes = 1, lowMb = 3072, kernelMb = 24 } = options;
  const pagesOf = (mb: number): number => mb * 256;
  const below = Math.min(memoryMb, lowMb);
  const parts: { name: ZoneName; node: number; start: number; end: number }[] = [
    { name: "DMA", node: 0, start: 1, end: 4096 },
    { name: "DMA32", node: 0, start: 4096, end: pagesOf(below) },
  ];
  const above = pagesOf(memoryMb - below);
  for (let node = 0; node < nodes && above > 0; node++) {
    const share = Math.floor(above / nodes) & -1024;
    const start = 1048576 + node * share;
    parts.push({ name: "Normal", node, start, end: node === nodes - 1 ? 1048576 + above : start + share });
  }
  return layoutOf(
    parts,
    ["DMA", "DMA32", "Normal", "Movable"],
    options,
    (p) =>
      p.name === "DMA"
        ? [
            [16, 158],
            [256, 4096],
          ]
        : [[p.start + (p.name === "DMA32" ? pagesOf(kernelMb) : 0), p.end - Math.ceil((p.end - p.start) / 64)]],
    cpus,
    nodes,
  );
}

/** An i386 PC: DMA, Normal up to 896 MB, HighMem above; the page map takes 32 bytes a page at the top of Normal. */
export function pc32(options: PcOptions): BootLayout {
  const { memoryMb, cpus, kernelMb = 6 } = options;
  const end = memoryMb * 256;
  const lowEnd = Math.min(end, 896 * 256 - 2);
  const parts: { name: ZoneName; node: number; start: number; end: number }[] = [
    { name: "DMA", node: 0, start: 0, end: 4096 },
    { name: "Normal", node: 0, start: 4096, end: lowEnd },
    ...(end > lowEnd ? [{ name: "HighMem" as const, node: 0, start: lowEnd, end }] : []),
  ];
  return layoutOf(
    parts,
    ["DMA", "Normal", "HighMem"],
    options,
    (p) =>
      p.name === "DMA"
        ? [
            [16, 158],
            [256 + kernelMb * 256, 4096],
          ]
        : [[p.start, p.name === "Normal" ? p.end - Math.ceil(end / 128) : p.end]],
    cpus,
    1,
  );
}

/** A machine with one zone and nothing reserved: for small worlds and for boards whose memory is all low. */
export function oneZone(
  options: Omit<PcOptions, "memoryMb"> & {
    readonly pages: number;
    readonly pageShift?: number;
    readonly startPfn?: number;
  },
): BootLayout {
  const start = options.startPfn ?? 0;
  const parts = [{ name: "Normal" as const, node: 0, start, end: start + options.pages }];
  const layout = layoutOf(parts, ["Normal"], { memoryMb: 0, ...options }, (p) => [[p.start, p.end]], options.cpus, 1);
  return { ...layout, spec: { ...layout.spec, pageShift: options.pageShift ?? 12 } };
}

/** A zone that a report prints; pages. */
export interface ZoneGiven {
  readonly name: ZoneName;
  readonly node: number;
  /** Pages that the model holds of it. */
  readonly pages: number;
  /** What the marks are computed from: may be more than `pages`, where used memory is left out. */
  readonly managed: number;
}

/** Zones as a report prints them, one behind the other, each from a block of the highest order on; nothing of them is kept by boot. */
export function zonesGiven(
  zones: readonly ZoneGiven[],
  zoneTypes: readonly ZoneName[],
  options: Omit<PcOptions, "memoryMb">,
): BootLayout {
  const top = 1 << ((options.orders ?? 11) - 1);
  const parts: { name: ZoneName; node: number; start: number; end: number }[] = [];
  let start = 0;
  for (const { name, node, pages } of zones) {
    parts.push({ name, node, start, end: start + pages });
    start = Math.ceil((start + pages) / top) * top;
  }
  const nodes = Math.max(...zones.map((z) => z.node)) + 1;
  const layout = layoutOf(
    parts,
    zoneTypes,
    { memoryMb: 0, ...options },
    (p) => [[p.start, p.end]],
    options.cpus,
    nodes,
  );
  const managed = layout.spec.zones.map((z, i) => ({ ...z, managedPages: zones[i]?.managed ?? z.managedPages }));
  return { ...layout, spec: { ...layout.spec, zones: managed } };
}

function layoutOf(
  parts: readonly { readonly name: ZoneName; readonly node: number; readonly start: number; readonly end: number }[],
  zoneTypes: readonly ZoneName[],
  options: PcOptions,
  free: (part: { readonly name: ZoneName; readonly start: number; readonly end: number }) => readonly PageRange[],
  cpus: number,
  nodes: number,
): BootLayout {
  const used = parts.filter((p) => p.end > p.start);
  const freeRanges = used.map(free);
  const zones: ZoneSpec[] = used.map((p, i) => ({
    name: p.name,
    node: p.node,
    startPfn: p.start,
    spannedPages: p.end - p.start,
    presentPages: p.name === "DMA" ? p.end - p.start - 97 + (p.start === 0 ? -1 : 0) : p.end - p.start,
    managedPages: (freeRanges[i] ?? []).reduce((n, [start, end]) => n + Math.max(0, end - start), 0),
  }));
  const pageblockOrder = options.pageblockOrder ?? 9;
  return {
    freeRanges,
    spec: {
      zoneTypes,
      zones,
      nodes,
      cpus,
      pageShift: 12,
      orders: options.orders ?? 11,
      pageblockOrder,
      pcpMaxOrder: options.pcpMaxOrder ?? 3,
      pcpHugeOrder: options.pcpHugeOrder ?? ((options.pcpMaxOrder ?? 3) > 0 ? pageblockOrder : -1),
    },
  };
}
