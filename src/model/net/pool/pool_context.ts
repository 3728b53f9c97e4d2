// Where the code that calls a pool runs: what decides whether a page may go straight into the cache, and which node is near.

/** How the caller stands to softirqs: in_softirq() is anything but `none`, in_serving_softirq() only `running`. */
export const softirqState = { none: 0, bottomHalvesOff: 1, running: 2 } as const;
export type SoftirqState = (typeof softirqState)[keyof typeof softirqState];

/** Where the caller runs; the machine keeps it up to date. */
export interface PoolContext {
  softirq: SoftirqState;
  /** What a NAPI poll sets `softirq` to while it runs: `running`, or `bottomHalvesOff` where a task polls busily. Left out: running. */
  readonly inPoll?: SoftirqState;
  /** smp_processor_id() */
  readonly cpu: number;
  /** numa_mem_id() */
  node: number;
}

/** A caller on CPU 0 of node 0. */
export const poolContext = (softirq: SoftirqState = softirqState.none): PoolContext => ({ softirq, cpu: 0, node: 0 });
