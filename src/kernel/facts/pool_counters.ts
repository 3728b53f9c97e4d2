// The counters of a page pool (page_pool_get_stats(), net/core/page_pool.c, 5.18 and later), one row each with every name it goes by.

/** `stat` is the model's name (PoolStats), `netlink` that of page-pool-stats-get, `ethtool` what stands behind `rx_pp_` in `ethtool -S`. */
interface PoolCounterRow {
  readonly stat: string;
  readonly netlink: string;
  readonly ethtool: string;
  /** Drivers that print a name for each queue spell the field of struct page_pool_stats out. */
  readonly spelledOut?: string;
}

/**
 * In the order of `ethtool -S`: page_pool_ethtool_stats_get_strings(), net/core/page_pool.c 6.1.192; netlink: Documentation/netlink/specs/netdev.yaml
 * 6.12.117.
 */
export const poolCounterRows = [
  { stat: "fast", netlink: "alloc-fast", ethtool: "alloc_fast" },
  { stat: "slow", netlink: "alloc-slow", ethtool: "alloc_slow" },
  {
    stat: "slowHighOrder",
    netlink: "alloc-slow-high-order",
    ethtool: "alloc_slow_ho",
    spelledOut: "alloc_slow_high_order",
  },
  { stat: "empty", netlink: "alloc-empty", ethtool: "alloc_empty" },
  { stat: "refill", netlink: "alloc-refill", ethtool: "alloc_refill" },
  { stat: "waive", netlink: "alloc-waive", ethtool: "alloc_waive" },
  { stat: "cached", netlink: "recycle-cached", ethtool: "recycle_cached" },
  { stat: "cacheFull", netlink: "recycle-cache-full", ethtool: "recycle_cache_full" },
  { stat: "ring", netlink: "recycle-ring", ethtool: "recycle_ring" },
  { stat: "ringFull", netlink: "recycle-ring-full", ethtool: "recycle_ring_full" },
  {
    stat: "releasedRefcnt",
    netlink: "recycle-released-refcnt",
    ethtool: "recycle_released_ref",
    spelledOut: "recycle_released_refcnt",
  },
] as const satisfies readonly PoolCounterRow[];

/** A counter under its name in the netlink family. */
export type PoolCounter = (typeof poolCounterRows)[number]["netlink"];

export const poolCounters: readonly PoolCounter[] = poolCounterRows.map((row) => row.netlink);

/** As `ethtool -S` of a card prints the sum of its pools: `rx_pp_alloc_fast`. */
export const printedPoolCounter = (row: PoolCounterRow): string => `rx_pp_${row.ethtool}`;

/** The counter that stands behind `pp_` in a line of `ethtool -S`; undefined for none of these. */
export const poolCounterNamed = (name: string): PoolCounter | undefined =>
  poolCounterRows.find((row) => row.ethtool === name || ("spelledOut" in row && row.spelledOut === name))?.netlink;
