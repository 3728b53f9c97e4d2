// What page_pool texts of a running kernel say: counters, pools, traced pages, warnings; each with the line it stands on.
import type { PoolCounter } from "../../kernel/facts/pool_counters.ts";

/** A number and where it was read; lines count from 1. */
export interface Counted {
  readonly value: number;
  readonly line: number;
}

/** All counters of one pool, queue or device at one moment. */
export interface CounterSnapshot {
  readonly input: string;
  /** "rx" for a device's sum, "rx0" for a queue, "pool 5" for netlink. */
  readonly name: string;
  /** Which snapshot of its input, from 0. */
  readonly moment: number;
  readonly line: number;
  readonly counters: Readonly<Partial<Record<PoolCounter, Counted>>>;
}

/** page-pool-get of the netdev netlink family (6.8 and newer). */
export interface PoolState {
  readonly input: string;
  readonly moment: number;
  readonly line: number;
  readonly id: number;
  readonly ifindex?: number;
  readonly napiId?: number;
  /** Pages held and not released; home or out. */
  readonly inflight?: number;
  readonly inflightBytes?: number;
  /** Seconds since boot at which the driver let go of the pool. */
  readonly detachTime?: number;
}

/** A page in a trace that was held and not released. */
export interface TracedPage {
  readonly pfn: number;
  readonly line: number;
  readonly seconds: number;
  readonly task: string;
}

/** One pool's events in one trace. */
export interface TracedPool {
  readonly input: string;
  /** The pointer as printed, or "one pool" where the kernel hid it. */
  readonly pool: string;
  readonly holds: number;
  readonly releases: number;
  readonly out: readonly TracedPage[];
  /** Releases of pages whose hold is not in the trace. */
  readonly unknownReleases: number;
  readonly firstLine: number;
  readonly lastLine: number;
  /** page_pool_release: what the last attempt to end the pool saw. */
  readonly ended?: { readonly inflight: number; readonly line: number };
}

export type WarningKind = "stalled" | "create failed" | "negative inflight" | "refcnt violation";

/** One sentence of page_pool.c in a kernel log. */
export interface PoolWarning {
  readonly input: string;
  readonly line: number;
  readonly kind: WarningKind;
  /** Seconds since boot, where the log has them. */
  readonly at?: number;
  readonly poolId?: number;
  /** stalled, negative inflight: pages; create failed: errno; refcnt violation: the count. */
  readonly number: number;
  /** stalled: seconds since the pool's destroy. */
  readonly stalledSeconds?: number;
  readonly text: string;
}

/** Everything that was found in one input. */
export interface PoolReading {
  readonly input: string;
  readonly counters: readonly CounterSnapshot[];
  readonly states: readonly PoolState[];
  readonly traces: readonly TracedPool[];
  readonly warnings: readonly PoolWarning[];
  /** Time of the last line of a log, seconds since boot. */
  readonly logEnd?: { readonly at: number; readonly line: number };
  /** Lines that look like page_pool but could not be read, in words. */
  readonly notes: readonly string[];
  readonly lines: readonly string[];
}
