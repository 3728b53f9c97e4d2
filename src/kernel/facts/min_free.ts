// The kernel's own choice of vm.min_free_kbytes by release, and which amount of low memory a value is the default of.
import type { Fact } from "../release.ts";
import { factAt } from "../release.ts";

interface MinFreeRule {
  /** min_free_kbytes = floor(sqrt(lowmem_kB * factor)), then clamped. */
  readonly factor: number;
  readonly least: number;
  readonly most: number;
}

/** init_per_zone_pages_min() and its successors. */
const rules: readonly Fact<MinFreeRule>[] = [
  { since: [2, 6, 9], value: { factor: 1, least: 128, most: 16384 }, source: "mm/page_alloc.c, 2.6.9" },
  { since: [2, 6, 18], value: { factor: 16, least: 128, most: 65536 }, source: "mm/page_alloc.c, 2.6.24 to 4.19" },
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
