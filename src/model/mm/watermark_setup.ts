// What boot computes from the amount of memory: min_free_kbytes, watermarks, lowmem_reserve, per-CPU batch and high, counter thresholds.
// Follows mm/page_alloc.c, mm/vmstat.c and mm/khugepaged.c of 6.1.192; what other releases do otherwise is in their rules and parts.
import type { MachineMemory } from "./machine_memory.ts";
import type { Memory } from "./memory.ts";
import { pcpField, pcpStride, zoneField, zoneStride } from "./memory.ts";
import type { PcpPart } from "./pcp/pcp.ts";
import type { BootRules } from "./rules.ts";

export interface MarkSettings {
  /** vm.min_free_kbytes; left out: the kernel's own choice. */
  readonly minFreeKb?: number;
  /** vm.watermark_scale_factor in 1/10000 (since 4.6). */
  readonly scaleFactor?: number;
  /** Transparent huge pages are on and raise the default min_free_kbytes (since 2.6.38). */
  readonly hugePages?: boolean;
  /** vm.lowmem_reserve_ratio by zone type; left out: 256 for DMA and DMA32, 32 for Normal, none above. */
  readonly lowmemReserveRatio?: readonly number[];
  /** vm.percpu_pagelist_high_fraction (since 5.14); left out or 0: lists follow the low mark. */
  readonly pcpHighFraction?: number;
}

const isHighmem = (name: string): boolean => name === "HighMem" || name === "Movable";

/** setup_per_zone_wmarks(), setup_per_zone_lowmem_reserve(), refresh_zone_stat_thresholds(), zone pageset sizes. Returns min_free_kbytes. */
export function setupMarks(machine: MachineMemory, settings: MarkSettings = {}): number {
  const { memory, parts } = machine;
  const { boot } = machine.rules;
  const { spacing } = boot;
  const { spec } = memory;
  const kbPerPage = 1 << (spec.pageShift - 10);
  const lowmem = spec.zones.reduce((n, z) => n + (isHighmem(z.name) ? 0 : z.managedPages), 0);
  let minFreeKb = settings.minFreeKb ?? boot.minFreeKb(lowmem * kbPerPage);
  if (settings.minFreeKb === undefined && settings.hugePages === true)
    minFreeKb = Math.max(minFreeKb, hugePageMinFreeKb(memory, lowmem));
  const pagesMin = Math.floor(minFreeKb / kbPerPage);
  spec.zones.forEach((z, row) => {
    const share = Math.floor((pagesMin * z.managedPages) / Math.max(1, lowmem));
    const min = isHighmem(z.name) ? Math.min(128, Math.max(32, Math.floor(z.managedPages / 1024))) : share;
    const scaled = Math.floor((z.managedPages * (settings.scaleFactor ?? 10)) / 10000);
    const step = spacing === "triple" ? min : spacing === "quarters" ? share >> 2 : Math.max(share >> 2, scaled);
    const at = row * zoneStride;
    memory.zone[at + zoneField.min] = min;
    memory.zone[at + zoneField.low] = min + step;
    memory.zone[at + zoneField.high] = min + (spacing === "quarters" ? share >> 1 : 2 * step);
    memory.zone[at + zoneField.boost] = 0;
  });
  setupLowmemReserve(memory, boot, settings.lowmemReserveRatio);
  setupPcp(memory, parts.pcp, settings.pcpHighFraction ?? 0);
  setupThresholds(memory);
  return minFreeKb;
}

/** set_recommended_min_free_kbytes(), mm/khugepaged.c: room for two pageblocks of each kind in each zone, at most 5 % of low memory. */
function hugePageMinFreeKb(memory: Memory, lowmem: number): number {
  const { spec } = memory;
  const zones = spec.zones.filter((z) => !isHighmem(z.name)).length;
  const blockPages = 1 << spec.pageblockOrder;
  const pages = Math.min(blockPages * zones * (2 + 3 * 3), Math.floor(lowmem / 20));
  return pages << (spec.pageShift - 10);
}

/**
 * lowmem_reserve[j] of a zone: what lies in the zones above it up to j, divided by the zone's ratio. Up to 2.6.10 protection[] takes its
 * place, which lower_zone_protection (0 unless set) multiplies away.
 */
function setupLowmemReserve(memory: Memory, boot: BootRules, given: readonly number[] | undefined): void {
  const { spec } = memory;
  if (given === undefined && !boot.lowmemReserve) return;
  const ratio = given ?? spec.zoneTypes.map((name) => (name === "Normal" ? 32 : isHighmem(name) ? 0 : 256));
  spec.zones.forEach((z, row) => {
    const type = spec.zoneTypes.indexOf(z.name);
    let above = 0;
    for (let j = type + 1; j < spec.zoneTypes.length; j++) {
      above += spec.zones.find((o) => o.node === z.node && o.name === spec.zoneTypes[j])?.managedPages ?? 0;
      const r = ratio[type] ?? 0;
      memory.zone[row * zoneStride + zoneField.lowmemReserve + j] =
        r === 0 || z.managedPages === 0 ? 0 : Math.floor(above / r);
    }
  });
}

/** What the per-CPU lists want. CPUs are taken to be local to every zone of a one-node machine, spread evenly otherwise. */
function setupPcp(memory: Memory, part: PcpPart, highFraction: number): void {
  const { spec } = memory;
  const cpus = Math.max(1, Math.floor(spec.cpus / spec.nodes));
  spec.zones.forEach((z, row) => {
    const low = memory.zone[row * zoneStride + zoneField.low] as number;
    const sizes = part.sizes({ managed: z.managedPages, low, cpus, pageShift: spec.pageShift, highFraction });
    for (let cpu = 0; cpu < spec.cpus; cpu++)
      for (const [field, value] of sizes) memory.pcp[(row * spec.cpus + cpu) * pcpStride + field] = value;
  });
}

/** calculate_normal_threshold() and the drift mark: how far a CPU's counter may run away from the global one. */
function setupThresholds(memory: Memory): void {
  const { spec } = memory;
  const fls = (n: number): number => (n <= 0 ? 0 : 32 - Math.clz32(n));
  spec.zones.forEach((z, row) => {
    const threshold = 2 * fls(spec.cpus) * (1 + fls(z.managedPages >> (27 - spec.pageShift)));
    const capped = Math.min(125, threshold);
    const at = row * zoneStride;
    const marks = (field: number): number => memory.zone[at + field] as number;
    for (let cpu = 0; cpu < spec.cpus; cpu++)
      memory.pcp[(row * spec.cpus + cpu) * pcpStride + pcpField.statThreshold] = capped;
    const drift = spec.cpus * capped;
    if (drift > marks(zoneField.low) - marks(zoneField.min))
      memory.zone[at + zoneField.driftMark] = marks(zoneField.high) + drift;
  });
}
