// Page pools as the netdev netlink family tells of them: page-pool-get and page-pool-stats-get (Documentation/netlink/specs/netdev.yaml, 6.8 and newer).

/** A value of JSON. */
export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json };

/** One answer's objects in ynl's own form; what is understood of each. */
export interface PagePools {
  readonly kind: "page pools";
  readonly answer: readonly Json[];
  readonly pools: readonly {
    readonly id: number;
    readonly ifindex?: number;
    /** Pages held and not released, home or out. */
    readonly inflight?: number;
    /** alloc-slow, recycle-ring, …: since the pool was made. */
    readonly counters: readonly (readonly [name: string, value: number])[];
  }[];
}
