// Which puts may go straight into a pool's cache, which has no lock: only where its consumer cannot run at the same time.
import type { PoolContext } from "../pool_context.ts";

/** Whether this put may. `allowDirect`: the caller says that it is the consumer. */
export type MayGoDirect = (pool: number, allowDirect: boolean) => boolean;

/** What a pool knows of its consumer. */
export interface Consumers {
  /** The CPU that a pool was made for (page_pool_create_percpu()), or -1. */
  cpuOf(pool: number): number;
  /** The CPU whose poll list the pool's NAPI is on, or -1. */
  napiCpuOf(pool: number): number;
}

export interface DirectPart {
  readonly name: string;
  create(context: PoolContext, consumers: Consumers): MayGoDirect;
}
