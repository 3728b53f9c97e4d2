// The page_pool of a driver that cuts its buffers from single pages: how it is made, and how the pieces come home.
import { defaultPoolParams } from "../net/pool/page_pool.ts";
import { skbMarkForRecycle } from "../net/pool/page_pool_hook.ts";
import type { PoolContext } from "../net/pool/pool_context.ts";
import type { DriverParts, PoolsOfMachine } from "./driver.ts";

export interface PoolHome {
  readonly pools: PoolsOfMachine["pools"];
  /** The pool keeps so many pages at home. False without memory. */
  open(poolSize: number): boolean;
  free(address: number, inPoll: boolean): void;
  /** The packet's pieces go home when it is freed. */
  mark(skb: number): void;
  close(): void;
  /** The pool's number; -1 while there is none. */
  pool(): number;
  readonly context: PoolContext;
}

export function createPoolHome(parts: DriverParts): PoolHome {
  const { pools, context } = parts.pools();
  const { pageSize } = parts.skbs.config;
  let pool = -1;
  return {
    pools,
    open(poolSize) {
      pool = pools.create({ ...defaultPoolParams, poolSize, flags: pools.fragmentFlag });
      return pool >= 0;
    },
    // What comes home from an XDP program may come when the pool is on its way out: the page knows whose it is.
    free(address, inPoll) {
      const pfn = Math.floor(address / pageSize);
      pools.putFullPage(pools.poolOf(pfn), pfn, inPoll);
    },
    mark: (skb) => skbMarkForRecycle(parts.skbs, skb),
    close() {
      if (pool >= 0) pools.destroy(pool);
      pool = -1;
    },
    pool: () => pool,
    context,
  };
}
