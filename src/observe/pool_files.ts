// What a machine shows of its page pools: `ethtool -S` names with their sums, and the answers of the netdev netlink family as `ynl --output-json`
// prints them (page-pool-get and page-pool-stats-get, since 6.8). net/core/page_pool.c and page_pool_user.c, 6.1.192 and 6.12.117.
import { poolCounterRows, printedPoolCounter } from "../kernel/facts/pool_counters.ts";
import { atLeast } from "../kernel/release.ts";
import type { Machine } from "../model/machine.ts";
import type { NetDevice } from "../model/net/path/netdevice.ts";

/** Pools of a card, one for each queue pair that has one. */
function poolsOf(device: NetDevice): readonly number[] {
  const queues = device.queues ?? [device];
  return queues.flatMap(({ driver }) => driver.poolNumber?.() ?? -1).filter((pool) => pool >= 0);
}

/** What `ethtool -S` of a driver with pools prints behind its own counters: their sums; nothing for a card without a pool. */
export function poolStatistics(machine: Machine, device: NetDevice): readonly [string, number][] {
  const numbers = poolsOf(device);
  if (numbers.length === 0) return [];
  const { pools } = machine.pools();
  const all = numbers.map((pool) => pools.stats(pool));
  return poolCounterRows.map((row) => [printedPoolCounter(row), all.reduce((sum, stats) => sum + stats[row.stat], 0)]);
}

/** `ynl --family netdev --output-json --dump page-pool-get` and `page-pool-stats-get`, one behind the other; undefined before 6.8 or without a pool. */
export function netlinkPools(machine: Machine): string | undefined {
  if (!atLeast(machine.release, [6, 8])) return undefined;
  const rows = machine.devices.flatMap((device) =>
    poolsOf(device).map((pool) => ({ pool, id: pool + 1, ifindex: device.index + 2 })),
  );
  if (rows.length === 0) return undefined;
  const { pools } = machine.pools();
  const bytes = (pool: number): number =>
    pools.inflight(pool) * (machine.skbs.config.pageSize << pools.params(pool).order);
  const states = rows.map(({ pool, id, ifindex }) => ({
    id,
    ifindex,
    inflight: pools.inflight(pool),
    "inflight-mem": bytes(pool),
  }));
  const counters = rows.map(({ pool, id, ifindex }) => {
    const stats = pools.stats(pool);
    return {
      info: { id, ifindex },
      ...Object.fromEntries(poolCounterRows.map((row) => [row.netlink, stats[row.stat]])),
    };
  });
  return `${JSON.stringify(states, null, 1)}\n${JSON.stringify(counters, null, 1)}\n`;
}
