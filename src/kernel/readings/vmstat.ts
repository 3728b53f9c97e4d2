// /proc/vmstat: counters by name, in the kernel's order (mm/vmstat.c, since 2.6.0).

export interface VmStat {
  readonly kind: "vmstat";
  /** Events since boot, or pages where the name begins with nr_. */
  readonly counters: readonly (readonly [name: string, value: number])[];
}
