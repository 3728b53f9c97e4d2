// /proc/zoneinfo: watermarks, counters, protection and per-CPU lists of every zone (mm/vmstat.c zoneinfo_show_print, since 2.6.13).
// The set and the order of its lines change with nearly every release, so a zone is the list of its lines, in order.

import type { Part } from "./part.ts";
import { cut, whole } from "./part.ts";

/** One line of a zone. Values are pages unless the name says otherwise. */
export type ZoneField =
  /** `per-node stats`, `pagesets`, `per-cpu ...`: a heading */
  | { readonly group: "heading"; readonly name: string }
  /** below `per-node stats`, once for each node (4.8+) */
  | { readonly group: "node stat"; readonly name: string; readonly value: number }
  /** free, boost, min, low, high, scanned, spanned, present, managed, cma; `detail` as in `scanned  0 (a: 0 i: 0)` (2.6) */
  | { readonly group: "pages"; readonly name: string; readonly value: number; readonly detail?: string }
  /** lowmem_reserve by zone index */
  | { readonly group: "protection"; readonly pages: readonly number[] }
  /** nr_* counters of the zone */
  | { readonly group: "stat"; readonly name: string; readonly value: number }
  /** begins the per-CPU list of a cpu; 2.6 kernels number two lists (hot, cold) */
  | { readonly group: "cpu"; readonly cpu: number; readonly pcp?: number }
  /** count, high, batch, ... of the cpu above */
  | { readonly group: "pageset"; readonly name: string; readonly value: number }
  /** numa_hit, numa_miss, ... of the cpu above (2.6 kernels) */
  | { readonly group: "numa"; readonly name: string; readonly value: number }
  /** vm stats threshold, node_unreclaimable, all_unreclaimable, start_pfn, inactive_ratio, ... */
  | { readonly group: "zone"; readonly name: string; readonly value: number }
  /** a line of another form, kept as it is */
  | { readonly group: "other"; readonly text: string };

export interface ZoneInfoZone {
  readonly node: number;
  readonly zone: string;
  readonly fields: readonly ZoneField[];
}

export interface ZoneInfo {
  readonly kind: "zoneinfo";
  /** Blanks before a counter: 4 before 4.8, 6 since. */
  readonly statIndent: number;
  readonly zones: readonly ZoneInfoZone[];
}

/** The value of a `pages` or `stat` or `zone` line of a zone (`min`, `nr_free_cma`, `start_pfn`); undefined when it was not printed. */
export function zoneValue(zone: ZoneInfoZone, name: string): number | undefined {
  for (const f of zone.fields) {
    if ((f.group === "pages" || f.group === "stat" || f.group === "zone") && f.name === name) return f.value;
  }
  return undefined;
}

/** The zone's lowmem_reserve by zone index; undefined when it was not printed. */
export function zoneProtection(zone: ZoneInfoZone): readonly number[] | undefined {
  for (const f of zone.fields) if (f.group === "protection") return f.pages;
  return undefined;
}

/** The per-CPU lists of a zone: what each cpu's lines say, by name (count, high, batch, pages). */
export function zonePagesets(
  zone: ZoneInfoZone,
): readonly { readonly cpu: number; readonly values: ReadonlyMap<string, number> }[] {
  const out: { cpu: number; values: Map<string, number> }[] = [];
  for (const f of zone.fields) {
    if (f.group === "cpu") out.push({ cpu: f.cpu, values: new Map() });
    else if (f.group === "pageset") out.at(-1)?.values.set(f.name, f.value);
  }
  return out;
}

/** A name without its number: each line of this file ends with one, but for headings. */
const halfLine = /^ {2,14}[a-z][\w ]{0,60}:? {0,20}$/;

/** The lines of a zone: where one lost its number all were cut at a column, and the last digits of others may be lost with it. */
export function zoneLinesPart(z: ZoneInfoZone): Part<readonly ZoneField[]> {
  const half = z.fields.find((f) => f.group === "other" && halfLine.test(f.text));
  return half?.group === "other"
    ? cut(z.fields, `the end of the line "${half.text.trim()}"`)
    : whole(z.fields, "each line of it has its number");
}
