// A whole machine, or only its memory, as `import … from "skblab"` gives it: what the model built, behind doors (hand_out.ts). What the model keeps
// for itself is not there; what a program may read of it (columns, counters, rings) is.
import { callable, list, members, oneOf, realOf, text, whole } from "../base/given.ts";
import type { Prng } from "../base/prng.ts";
import { prng as modelPrng } from "../base/prng.ts";
import type { BuddyInfo } from "../kernel/readings/buddyinfo.ts";
import type { Extfrag } from "../kernel/readings/extfrag.ts";
import type { PageTypeInfo } from "../kernel/readings/pagetypeinfo.ts";
import type { ZoneInfo } from "../kernel/readings/zoneinfo.ts";
import { createBootedMemory as bootMemory } from "../model/kernels/booted.ts";
import { mmRulesOf } from "../model/kernels/mm_rules.ts";
import type { KernelChoice as ModelChoice } from "../model/kernels/parts_for.ts";
import { partsFor as modelParts } from "../model/kernels/parts_for.ts";
import { createMachine as buildMachine, type MachineOptions, type Machine as ModelMachine } from "../model/machine.ts";
import type { BootedOptions, BootedMemory as ModelMemory } from "../model/mm/booted.ts";
import * as observers from "../model/mm/observe.ts";
import {
  createPageOwner as ownPages,
  type PageOwner,
  type StackDepot,
  type StackFrame,
} from "../model/mm/page_owner.ts";
import type { MmRules } from "../model/mm/rules.ts";
import type { Frames, Link, LinkOptions } from "../model/net/path/wire.ts";
import { createLink as layLink } from "../model/net/path/wire.ts";
import type { Xmit } from "../model/net/path/xmit.ts";
import type { PageFragCache } from "../model/slab/page_frag.ts";
import type { Clock } from "../model/sync/clock.ts";
import { handOut } from "./hand_out.ts";
import {
  createMemoryHolds,
  createObjectHolds,
  createPacketHolds,
  known,
  type MemoryHolds,
  type PacketHolds,
} from "./holds.ts";
import {
  type BootedMemory,
  type Heap,
  handFrag,
  handHeap,
  handMemory,
  handPages,
  handPools,
  handReceiveCaches,
  handRules,
  type Pools,
} from "./memory_doors.ts";
import { type Card, handDevice, handGro, handLink, handNapi, handReceive, handXmit, upAndDown } from "./net_doors.ts";
import { handFrames, handSkbs, type Skbs } from "./packet_doors.ts";
import { handClock, handCpus, handJournal, handPrng } from "./time_doors.ts";

/** The kernel that a machine runs: the recorded one that it is, the one it is closest to, and what is not held by a recording. */
export interface KernelChoice extends Pick<ModelChoice, "holes"> {
  readonly exact: Omit<NonNullable<ModelChoice["exact"]>, "parts"> | undefined;
  readonly nearest: Omit<ModelChoice["nearest"], "parts">;
}

/** A machine as a program has it. */
export interface Machine
  extends Omit<ModelMachine, "kernel" | "memory" | "heap" | "skbs" | "xmit" | "pools" | "devices" | "up" | "down"> {
  readonly kernel: KernelChoice;
  readonly memory: BootedMemory;
  readonly heap: Heap;
  readonly skbs: Skbs;
  readonly xmit: Omit<Xmit, "attach">;
  /** The page pools of this machine, and who asks them. */
  pools(): { readonly pools: Pools; readonly context: ReturnType<ModelMachine["pools"]>["context"] };
  /** A page_frag_cache of the program's own, empty. */
  pageFrag(): PageFragCache;
  readonly devices: readonly Card[];
  /** dev_open(): false when the driver could not get its memory. */
  up(device: Card): boolean;
  down(device: Card): void;
}

/** By a machine's frames: who holds them. */
const packetsOf = new WeakMap<Frames, PacketHolds>();
const holdsOf = new WeakMap<ModelMemory, MemoryHolds>();

const holdsFor = (memory: ModelMemory): MemoryHolds => {
  const holds = holdsOf.get(memory) ?? createMemoryHolds(memory);
  holdsOf.set(memory, holds);
  return holds;
};

const handKernel = ({ exact, nearest, holes }: ModelChoice): KernelChoice => {
  const bare = ({ parts: _parts, ...rest }: ModelChoice["nearest"]): KernelChoice["nearest"] => rest;
  return { exact: exact === undefined ? undefined : bare(exact), nearest: bare(nearest), holes };
};

/** The kernel that stands for a release: its parts are the model's own. */
export const partsFor = (release: MachineOptions["release"]): KernelChoice => handKernel(modelParts(release));

/** What the page allocator of a release does, where releases differ. */
export const rulesOf = (...all: Parameters<typeof mmRulesOf>): MmRules => handRules(mmRulesOf(...all));

/** A seeded source of chance: the same seed gives the same numbers everywhere. */
export const prng = (seed: number): Prng => handPrng(modelPrng(seed));

/** A machine of a release, with its memory, CPUs and cards; nothing is up yet. BadInput for options that no machine can have. */
export function createMachine(options: MachineOptions): Machine {
  const real = buildMachine(options);
  const { memory, skbs, frames, cpus } = real;
  const holds = holdsFor(memory);
  const objects = createObjectHolds(real.heap);
  const packets = createPacketHolds(skbs, frames);
  packetsOf.set(frames, packets);
  const { pageSize } = skbs.config;
  const kernel = handKernel(real.kernel);
  const all = real as ModelMachine & {
    readonly pageFrag: () => PageFragCache;
    readonly caches: readonly Parameters<typeof handReceiveCaches>[0][];
  };
  const caches = all.caches.map((c) => handReceiveCaches(c, holds, pageSize));
  const devices = real.devices.map((device) => handDevice(device, packets));
  return handOut(
    "machine.",
    all,
    [],
    {
      pools: { takes: [], after: (pools) => handPools(pools, holds, cpus.count) },
      pageFrag: { takes: [], after: (frag) => handFrag("pageFrag().", frag, holds, pageSize) },
      ...upAndDown(real.devices),
    },
    {
      kernel: () => kernel,
      memory: (of) => handMemory(of, holds, real.journal),
      journal: handJournal,
      random: handPrng,
      clock: handClock,
      cpus: handCpus,
      heap: (heap) => handHeap(heap, objects),
      skbs: (of) => handSkbs(of, packets, holds, objects),
      pages: (pages) => handPages(pages, holds),
      frames: (of) => handFrames(of, packets),
      napi: (napi) => handNapi(napi, cpus),
      gro: (gro) => handGro(gro, packets),
      receive: (receive) => handReceive(receive, packets),
      xmit: (xmit) => handXmit(xmit, real.devices, packets),
      caches: () => caches,
      devices: () => devices,
    },
  ) as unknown as Machine;
}

/** Only the memory of a machine, as it is after boot. BadInput for options that no machine can have. */
export function createBootedMemory(options: BootedOptions): BootedMemory {
  const journal = options.journal === undefined ? {} : { journal: realOf(options.journal) as typeof options.journal };
  const memory = bootMemory({ ...options, ...journal });
  return handMemory(memory, holdsFor(memory), memory.journal);
}

const real = (memory: BootedMemory): ModelMemory => realOf(memory) as ModelMemory;

/** What /proc/buddyinfo of the machine would say. */
export const observeBuddyinfo = (memory: BootedMemory): BuddyInfo => observers.observeBuddyinfo(real(memory));
/** What debugfs says of how fragmented its free memory is. */
export const observeExtfrag = (memory: BootedMemory, which: "index" | "unusable"): Extfrag =>
  observers.observeExtfrag(real(memory), which);
/** What /proc/pagetypeinfo of the machine would say; counts beyond `countAtMost` are cut, as the kernel's walk is. */
export const observePagetypeinfo = (memory: BootedMemory, countAtMost?: number): PageTypeInfo =>
  observers.observePagetypeinfo(real(memory), countAtMost);
/** What /proc/zoneinfo of the machine would say. */
export const observeZoneinfo = (memory: BootedMemory): ZoneInfo => observers.observeZoneinfo(real(memory));

/** Remembers from now on who allocated and freed each page, as CONFIG_PAGE_OWNER does. */
export function createPageOwner(memory: BootedMemory, version: readonly number[], depot?: StackDepot): PageOwner {
  const of = real(memory);
  const frames = list(members<StackFrame>({ symbol: text, offset: whole, size: whole, "address?": whole }));
  return handOut(
    "pageOwner.",
    ownPages(of, version, depot),
    [],
    {
      historyOf: [["pfn", holdsFor(of).anyPfn]],
      stop: [],
      within: [
        ["frames", frames],
        ["what", callable()],
      ],
      dump: [["form", oneOf("6.1", "2005")]],
    },
    {
      depot: (kept) =>
        handOut("pageOwner.depot.", kept, [], {
          save: [["frames", frames]],
          frames: [["handle", known("what save() gave", (h) => h < kept.size + 1)]],
        }),
    },
  );
}

/** A direction of a wire that ends in `arrive`; loss is drawn from `random` and from nothing else. BadInput for what no wire is. */
export function createLink(
  clock: Clock,
  frames: Frames,
  options: LinkOptions,
  random: Prng,
  arrive: (frame: number) => void,
): Link {
  const of = realOf(frames) as Frames;
  const packets = packetsOf.get(of);
  const link = layLink(realOf(clock) as Clock, of, options, realOf(random) as Prng, (frame) => {
    packets?.frames.got(frame);
    arrive(frame);
  });
  return packets === undefined ? link : handLink(link, packets);
}
