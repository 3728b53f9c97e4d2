// The kernel's own choice of vm.min_free_kbytes by release, and which amount of low memory a value is the default of.
import type { Fact } from "../release.ts";
import { compareVersions, factAt } from "../release.ts";

interface MinFreeRule {
  /** min_free_kbytes = floor(sqrt(lowmem_kB * factor)), then clamped. */
  readonly factor: number;
  readonly least: number;
  readonly most: number;
}

/** init_per_zone_pages_min() and its successors. */
const rules: readonly Fact<MinFreeRule>[] = [
  { since: [2, 6, 9], value: { factor: 1, least: 128, most: 16384 }, source: "mm/page_alloc.c, 2.6.9" },
  { since: [2, 6, 11], value: { factor: 16, least: 128, most: 65536 }, source: "mm/page_alloc.c, 2.6.11 to 4.19" },
  { since: [5, 9], value: { factor: 16, least: 128, most: 262144 }, source: "mm/page_alloc.c, 6.1.192 and 6.6.45" },
];

const ruleAt = (version: readonly number[]): MinFreeRule =>
  (factAt(rules, version)?.value ?? rules[0]?.value) as MinFreeRule;

/** What a kernel of that version sets on a machine with `lowmemKb` of memory below HighMem, without transparent huge pages. */
export function defaultMinFreeKb(lowmemKb: number, version: readonly number[]): number {
  const { factor, least, most } = ruleAt(version);
  return Math.min(most, Math.max(least, Math.floor(Math.sqrt(lowmemKb * factor))));
}

/** The amounts of low memory (kB, both inclusive) for which `kb` is the default; undefined when it is a clamp or nobody's default. */
export function lowmemOfMinFree(kb: number, version: readonly number[]): { from: number; to: number } | undefined {
  const { factor, least, most } = ruleAt(version);
  if (kb <= least || kb >= most || !Number.isInteger(kb)) return undefined;
  return { from: Math.ceil((kb * kb) / factor), to: Math.ceil(((kb + 1) * (kb + 1)) / factor) - 1 };
}

/**
 * How many zones transparent huge pages raise min_free_kbytes to `kb` for: two blocks of 2 MiB a zone, and nine more against mixing of types
 * (set_recommended_min_free_kbytes(), mm/khugepaged.c, since 2.6.38); undefined when it is no such value. Marks are rounded down zone by zone,
 * so a sum of marks lies a little below.
 */
export function hugePagesMinFreeKb(kb: number, pageKb: number): number | undefined {
  if (pageKb !== 4) return undefined;
  const perZone = 512 * (2 + 3 * 3) * pageKb;
  const zones = Math.round(kb / perZone);
  return zones >= 1 && zones <= 32 && kb <= zones * perZone && kb > zones * perZone - 256 ? zones : undefined;
}

/**
 * From 4.7 to 5.8 the choice is made before the pages of CMA are counted (init_per_zone_wmark_min() against cma_init_reserved_areas();
 * e08d3fdfe2da in 5.9 and in stable trees of August 2020, as 5.4.61): either amount may be its base.
 */
export const mayLeaveCmaOut = (version: readonly number[]): boolean =>
  compareVersions(version, [4, 7]) >= 0 && compareVersions(version, [5, 9]) < 0;
