// /proc/vmstat: counters by name, in the kernel's order (mm/vmstat.c, since 2.6.0).

import type { Part } from "./part.ts";
import { cut, lost, whole } from "./part.ts";

export interface VmStat {
  readonly kind: "vmstat";
  /** Events since boot, or pages where the name begins with nr_. */
  readonly counters: readonly (readonly [name: string, value: number])[];
}

/** Families that are printed one behind the other, a line for each zone type of the kernel (mm/vmstat.c TEXTS_FOR_ZONES, 4.8 and later). */
const zoneFamilies = ["pgalloc", "allocstall", "pgskip"] as const;

/**
 * The counters of such a family: one line by its name alone where a kernel does not count by zone; else whole where its neighbours name the same
 * zones.
 */
export function zoneCountersPart(v: VmStat, family: (typeof zoneFamilies)[number]): Part<readonly number[]> {
  const valuesOf = (name: string): readonly (readonly [zone: string, value: number])[] =>
    v.counters.flatMap(([n, value]) => (n.startsWith(`${name}_`) ? [[n.slice(name.length + 1), value] as const] : []));
  const single = v.counters.find(([n]) => n === family);
  if (single !== undefined) return whole([single[1]], `${family} is one counter`);
  const own = valuesOf(family);
  if (own.length === 0) return lost(`the ${family} lines`);
  const values = own.map(([, value]) => value);
  const zones = zoneFamilies.map((name) => valuesOf(name).map(([zone]) => zone)).filter((names) => names.length > 0);
  const alike = new Set(zones.map((names) => names.join(" "))).size === 1;
  return alike && zones.length > 1
    ? whole(values, "the counters beside them name the same zones")
    : cut(values, `${family} of some zones`);
}
