// Which puts may go straight into a pool's cache, which has no lock: only where its consumer cannot run at the same time.
import type { PoolContext } from "../pool_context.ts";

/** Whether this put may. `allowDirect`: the caller says that it is the consumer. */
export type MayGoDirect = (pool: number, allowDirect: boolean) => boolean;

/** The NAPI that consumes a pool: `listOwner` is the CPU whose poll list it is on, -1 while on none (napi->list_owner). */
export interface PoolNapi {
  readonly listOwner: number;
}

/** What each pool knows of its consumer, by pool. */
export interface Consumers {
  /** The CPU that the pool was made for (page_pool_create_percpu()), or -1. */
  readonly cpu: Int32Array;
  readonly napi: readonly (PoolNapi | undefined)[];
}

export interface DirectPart {
  readonly name: string;
  create(context: PoolContext, consumers: Consumers): MayGoDirect;
}
