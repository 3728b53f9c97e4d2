// What boot computes from the amount of memory: min_free_kbytes, watermarks, lowmem_reserve, per-CPU batch and high, counter thresholds.
// Follows mm/page_alloc.c, mm/vmstat.c and mm/khugepaged.c of 6.1.192; what older releases did otherwise is a dated fact below.
import { defaultMinFreeKb } from "../../kernel/facts/min_free.ts";
import type { Fact, Release } from "../../kernel/release.ts";
import { atLeast, factAt } from "../../kernel/release.ts";
import type { Memory } from "./memory.ts";
import { pcpField, pcpStride, zoneField, zoneStride } from "./memory.ts";

/** How the distance between the watermarks follows from the zone's share of min_free_kbytes. */
export type MarkSpacing = "triple" | "quarters" | "scaled";

/** 2.6.9: low = 2 min, high = 3 min. Then quarters of min. Since 4.6 at least watermark_scale_factor of the zone. */
const markSpacings: readonly Fact<MarkSpacing>[] = [
  { since: [2, 6, 9], value: "triple", source: "setup_per_zone_pages_min(), mm/page_alloc.c, 2.6.9" },
  { since: [2, 6, 11], value: "quarters", source: "setup_per_zone_pages_min(), mm/page_alloc.c, 2.6.11, 2.6.24" },
  { since: [4, 6], value: "scaled", source: "__setup_per_zone_wmarks(), mm/page_alloc.c, 4.19, 6.1.192" },
];

export interface MarkSettings {
  /** vm.min_free_kbytes; left out: the kernel's own choice. */
  readonly minFreeKb?: number;
  /** vm.watermark_scale_factor in 1/10000 (since 4.6). */
  readonly scaleFactor?: number;
  /** Transparent huge pages are on and raise the default min_free_kbytes (since 2.6.38). */
  readonly hugePages?: boolean;
  /** vm.lowmem_reserve_ratio by zone type; left out: 256 for DMA and DMA32, 32 for Normal, none above. */
  readonly lowmemReserveRatio?: readonly number[];
}

const isHighmem = (name: string): boolean => name === "HighMem" || name === "Movable";

/** setup_per_zone_wmarks(), setup_per_zone_lowmem_reserve(), refresh_zone_stat_thresholds(), zone pageset sizes. Returns min_free_kbytes. */
export function setupMarks(memory: Memory, release: Release, settings: MarkSettings = {}): number {
  const { spec } = memory;
  const kbPerPage = 1 << (spec.pageShift - 10);
  const lowmem = spec.zones.reduce((n, z) => n + (isHighmem(z.name) ? 0 : z.managedPages), 0);
  let minFreeKb = settings.minFreeKb ?? defaultMinFreeKb(lowmem * kbPerPage, release.version);
  if (settings.minFreeKb === undefined && settings.hugePages === true)
    minFreeKb = Math.max(minFreeKb, hugePageMinFreeKb(memory, lowmem));
  const pagesMin = Math.floor(minFreeKb / kbPerPage);
  const spacing = factAt(markSpacings, release.version)?.value ?? "triple";
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
  setupLowmemReserve(memory, release, settings.lowmemReserveRatio);
  setupPcp(memory);
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
function setupLowmemReserve(memory: Memory, release: Release, given: readonly number[] | undefined): void {
  const { spec } = memory;
  if (given === undefined && !atLeast(release, [2, 6, 11])) return;
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

/** zone_batchsize() and zone_highsize(). CPUs are taken to be local to every zone of a one-node machine, spread evenly otherwise. */
function setupPcp(memory: Memory): void {
  const { spec } = memory;
  spec.zones.forEach((z, row) => {
    const pagesPerMb = 1 << (20 - spec.pageShift);
    const quarter = Math.max(1, Math.floor(Math.min(z.managedPages >> 10, pagesPerMb) / 4));
    const batch = Math.max(1, 2 ** Math.floor(Math.log2(quarter + (quarter >> 1))) - 1);
    const localCpus = Math.max(1, Math.floor(spec.cpus / spec.nodes));
    const low = memory.zone[row * zoneStride + zoneField.low] as number;
    const high = Math.max(Math.floor(low / localCpus), batch * 4);
    for (let cpu = 0; cpu < spec.cpus; cpu++) {
      const at = (row * spec.cpus + cpu) * pcpStride;
      memory.pcp[at + pcpField.batch] = batch;
      memory.pcp[at + pcpField.high] = high;
    }
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
