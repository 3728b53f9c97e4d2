// What uses a machine's memory beside its network, and kswapd: a compile-like load, or workloads that combine. Both own the page cache, so a
// machine has one or the other.

import { workloadOf } from "../lab/workload/settings.ts";
import { createThrash } from "../lab/workload/thrash.ts";
import type { Machine } from "../model/machine.ts";
import type { WorkloadSettings } from "../model/workload/workload.ts";
import { createWorkloads } from "../model/workload/workloads.ts";
import type { MachineSettings } from "./machine_settings.ts";
import { createState } from "./machine_state.ts";

/** What became of one entry of `workloads`. */
export interface WorkloadResult {
  readonly kind: WorkloadSettings["kind"];
  /** Held at the end, and the most at any sample: pages, for slabs objects. */
  readonly held: number;
  readonly heldMost: number;
  /** Requests of its own that were refused. */
  readonly refused: number;
}

/** What happened to the workloads' pages, all together. */
export interface PressureResult {
  readonly workloads: readonly WorkloadResult[];
  /** Clean pages that reclaim took, pages that compaction moved, and dirty pages that reclaim had to leave. */
  readonly evicted: number;
  readonly moved: number;
  readonly leftDirty: number;
}

export interface Pressure {
  /** Before traffic begins. */
  before(): void;
  start(): void;
  /** True while memory is asked for by somebody here. */
  busy(): boolean;
  /** Requests of them all that were refused. */
  refused(): number;
  /** At every sample: what is held now, in the order of `workloads`. */
  sample(): readonly number[];
  /** Undefined without `workloads`. */
  result(): PressureResult | undefined;
  /** With `state`: how many blocks the report's own request has asked for. */
  asked?(): number;
}

const nanosPerMilli = 1e6;

export function createPressure(machine: Machine, s: MachineSettings): Pressure {
  const { drop_caches: drop = false, compact_memory: compact = false } = s.sysctl;
  const parts =
    s.state !== undefined
      ? createState(machine, s, s.state)
      : s.workloads.length > 0
        ? partsOf(machine, s)
        : loadOf(machine, s);
  const settle = (): void => {
    if (drop) parts.dropCaches();
    if (compact) parts.quietly(() => void machine.memory.reclaim.compactAll());
  };
  return {
    ...parts,
    before() {
      parts.before();
      settle();
    },
  };
}

interface Parts extends Pressure {
  dropCaches(): void;
  /** Not counted as the network's. */
  quietly(what: () => void): void;
}

function partsOf(machine: Machine, s: MachineSettings): Parts {
  const w = createWorkloads(machine, { loads: s.workloads.map(workloadOf), kswapdMicros: s.kswapdMillis * 1000 });
  const most = w.loads.map(() => 0);
  let quiet = false;
  const held = (): readonly number[] =>
    w.loads.map((load, i) => {
      most[i] = Math.max(most[i] ?? 0, load.held());
      return load.held();
    });
  return {
    before: () => w.warmUp(s.warmMillis),
    start: () => w.start(),
    busy: () => quiet || w.busy(),
    refused: () => w.refused(),
    sample: held,
    result() {
      held();
      const { evicted, moved, refusedDirty } = w.user.counters();
      return {
        workloads: w.loads.map((load, i) => ({
          kind: load.kind,
          held: load.held(),
          heldMost: most[i] ?? 0,
          refused: load.refused(),
        })),
        evicted,
        moved,
        leftDirty: refusedDirty,
      };
    },
    dropCaches: () => w.user.dropClean(),
    quietly(what) {
      quiet = true;
      what();
      quiet = false;
    },
  };
}

/** The load's turn, and kswapd's, come every simulated millisecond. */
function loadOf({ clock, memory, random }: Machine, s: MachineSettings): Parts {
  const load = s.load === undefined ? undefined : createThrash(memory, s.load, random.fork("load"));
  let refused = 0;
  let busy = false;
  let kswapdAt = 0;
  const quietly = (what: () => void): void => {
    busy = true;
    what();
    busy = false;
  };
  const turn = (): void => {
    if (load !== undefined) refused += load.run(s.load?.pagesPerMilli ?? 0, false);
    if (clock.now() < kswapdAt) return;
    kswapdAt = clock.now() + s.kswapdMillis * nanosPerMilli;
    if (load !== undefined) load.background();
    else memory.reclaim.runKswapd();
  };
  const tick = clock.handler(() => {
    quietly(turn);
    clock.after(nanosPerMilli, tick);
  });
  return {
    before: () =>
      quietly(() => {
        load?.run((s.load?.kilopages ?? 0) * 1000);
        load?.deleteCache(s.load?.deletedShare ?? 0);
      }),
    start: () => clock.after(0, tick),
    busy: () => busy,
    refused: () => refused,
    sample: () => [],
    result: () => undefined,
    dropCaches: () => quietly(() => load?.deleteCache(1)),
    quietly,
  };
}
