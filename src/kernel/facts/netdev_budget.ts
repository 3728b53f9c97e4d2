// How long a CPU goes on receiving before it lets others run: the time limit of net_rx_action(), net/core/dev.c.
import type { Fact } from "../release.ts";

/** net.core.netdev_budget_usecs, and what stood in its place before 4.12. Jiffies are those of HZ 250. Nanoseconds. */
export const netRxNanos: readonly Fact<number>[] = [
  { since: [2, 6], value: 8_000_000, source: "jiffies - start_time > 1, 2.6.9 and 2.6.18" },
  { since: [2, 6, 24], value: 4_000_000, source: "jiffies != start_time, 2.6.24" },
  { since: [2, 6, 29], value: 8_000_000, source: "jiffies + 2, 2.6.29, 2.6.32 and 3.10" },
  { since: [4, 12], value: 2_000_000, source: "netdev_budget_usecs = 2000, 4.14 and 4.19; first release from history" },
  { since: [5, 8], value: 8_000_000, source: "two jiffies, 5.10, 5.15 and 6.1; first release from history" },
];
