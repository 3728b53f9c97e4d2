// All workloads of a machine: made from their settings, ticked every simulated millisecond on one CPU, with kswapd beside them.

import { createAtomicBursts, createPinned, createProcesses, createSlabGrowth } from "./kernel_memory.ts";
import { createPageCache, createWriteback } from "./page_cache.ts";
import type { UserPages } from "./user_pages.ts";
import { createUserPages } from "./user_pages.ts";
import type { Workload, WorkloadHost, WorkloadParts, WorkloadSettings } from "./workload.ts";
import { nanosPerMilli } from "./workload.ts";

export type { Workload, WorkloadParts, WorkloadSettings } from "./workload.ts";

export interface WorkloadsOptions {
  readonly loads: readonly WorkloadSettings[];
  /** The CPU they run on. */
  readonly cpu?: number;
  /** From kswapd's wake-up until it runs, microseconds; it looks no oftener than that. */
  readonly kswapdMicros?: number;
  /** CPU time a page or object costs, nanoseconds; 0 leaves the CPU to the network. */
  readonly nanosPerTick?: number;
}

export interface Workloads {
  readonly loads: readonly Workload[];
  readonly user: UserPages;
  /** Lets `millis` pass at once, without a clock: memory in use before a measurement begins. Timed releases do not happen meanwhile. */
  warmUp(millis: number): void;
  /** Ticks from now on, until stop(). */
  start(): void;
  stop(): void;
  /** Everything is given back that is not under I/O or held by a timer. */
  drain(): void;
  /** Requests refused, over all. */
  refused(): number;
  /** True while one of them, or kswapd, asks for or frees memory: whoever counts the network's requests leaves these out. */
  busy(): boolean;
}

const make = (host: WorkloadHost, s: WorkloadSettings): Workload => {
  switch (s.kind) {
    case "page-cache":
      return createPageCache(host, s);
    case "writeback":
      return createWriteback(host, s);
    case "slab":
      return createSlabGrowth(host, s);
    case "processes":
      return createProcesses(host, s);
    case "pinned":
      return createPinned(host, s);
    case "atomic":
      return createAtomicBursts(host, s);
  }
};

export function createWorkloads(parts: WorkloadParts, options: WorkloadsOptions): Workloads {
  const { cpus, clock, journal, memory } = parts;
  const { cpu = 0, kswapdMicros = 100, nanosPerTick = 0 } = options;
  const user = createUserPages(memory);
  const loads = options.loads.map((s, i) =>
    make({ ...parts, user, random: parts.random.fork(`workload ${i} ${s.kind}`) }, s),
  );
  const sites = options.loads.map((s) => journal.textId(`workload ${s.kind}`));
  const kswapdSite = journal.textId("kswapd");
  let running = false;
  let busy = false;

  const as = (site: number, what: () => void): void => {
    const { caller } = journal;
    journal.caller = site;
    busy = true;
    what();
    busy = false;
    journal.caller = caller;
  };
  // Without progress kswapd looks less and less often (kswapd_failures).
  let idle = 0;
  const kswapd = (): void => {
    if (memory.reclaim.woken().length === 0) return;
    as(kswapdSite, () => {
      idle = memory.reclaim.runKswapd() > 0 ? 0 : Math.min(idle + 1, 10);
    });
  };
  const tickAll = (): void => {
    loads.forEach((load, i) => {
      as(sites[i]!, load.tick);
    });
  };

  const kswapdWork = cpus.register(() => {
    kswapd();
    if (running) cpus.work(cpu, kswapdMicros * 1000 * 2 ** idle, kswapdWork);
  });
  const tickWork = cpus.register(() => {
    if (!running) return;
    tickAll();
    if (nanosPerTick > 0) cpus.spend(nanosPerTick);
    cpus.work(cpu, nanosPerMilli, tickWork);
  });

  return {
    loads,
    user,
    warmUp(millis) {
      const started = clock.now();
      for (let i = 0; i < millis; i++) {
        tickAll();
        kswapd();
        // I/O and other timers that are due happen, so that dirty pages become clean.
        clock.run(started + (i + 1) * nanosPerMilli, 1_000_000);
      }
    },
    start() {
      if (running) return;
      running = true;
      cpus.work(cpu, nanosPerMilli, tickWork);
      cpus.work(cpu, kswapdMicros * 1000, kswapdWork);
    },
    stop() {
      running = false;
    },
    drain() {
      for (const load of loads) load.drain();
    },
    refused: () => loads.reduce((n, load) => n + load.refused(), 0),
    busy: () => busy,
  };
}
