/** /proc/pressure/memory, cpu or io, or a cgroup's memory.pressure (kernel/sched/psi.c psi_show, since 4.20). The text does not say which of them. */
export interface Pressure {
  readonly kind: "pressure";
  /** `some`: at least one task waited; `full`: all that could have run did. */
  readonly lines: readonly {
    readonly who: "some" | "full";
    /** Percent of the last 10, 60 and 300 seconds, as printed. */
    readonly avg10: string;
    readonly avg60: string;
    readonly avg300: string;
    /** Microseconds since boot. */
    readonly total: number;
  }[];
}
