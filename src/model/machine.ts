// The parts list of a computer, in boot order. A release picks the facts; one instance is one machine.
//
//   clock ── cpus (irq, softirq) ── memory (zones, buddy, pcp) ── heap (kmalloc) ── sk_buffs ── receive / transmit ── devices ── wires
import { BadInput, numberGiven, wholeGiven } from "../base/bad_input.ts";
import type { Prng } from "../base/prng.ts";
import { prng } from "../base/prng.ts";
import { openingTask } from "../kernel/facts/call_chains/index.ts";
import type { Release } from "../kernel/release.ts";
import { atLeast } from "../kernel/release.ts";
import type { DriverParts, Guard, PoolsOfMachine } from "./drivers/driver.ts";
import { gfpOf } from "./drivers/driver.ts";
import type { Failing } from "./failing.ts";
import type { Journal } from "./journal.ts";
import { createJournal } from "./journal.ts";
import { createBootedMemory } from "./kernels/booted.ts";
import type { KernelChoice } from "./kernels/parts_for.ts";
import { partsFor } from "./kernels/parts_for.ts";
import { skbSizesOf } from "./kernels/skb_sizes.ts";
import type { BootedMemory, BootedOptions } from "./mm/booted.ts";
import type { PageAllocator } from "./mm/pages.ts";
import type { Gro } from "./net/path/gro.ts";
import { createGro } from "./net/path/gro.ts";
import type { Napi } from "./net/path/napi.ts";
import { createNapi } from "./net/path/napi.ts";
import type { NetDevice } from "./net/path/netdevice.ts";
import type { Receive } from "./net/path/receive.ts";
import { createReceive } from "./net/path/receive.ts";
import { rssKeyBytes } from "./net/path/rss.ts";
import { checkRule } from "./net/path/steering.ts";
import type { Frames } from "./net/path/wire.ts";
import { createFrames } from "./net/path/wire.ts";
import type { Xmit } from "./net/path/xmit.ts";
import { createXmit } from "./net/path/xmit.ts";
import { createPagePools, type PoolPieces } from "./net/pool/page_pool.ts";
import { attachPools } from "./net/pool/page_pool_hook.ts";
import type { PoolContext } from "./net/pool/pool_context.ts";
import { softirqState } from "./net/pool/pool_context.ts";
import { createReceiveCaches } from "./net/skb/napi_alloc_cache.ts";
import type { OwnershipOptions } from "./net/skb/ownership.ts";
import { createOwnedSkbs } from "./net/skb/ownership.ts";
import type { SkbConfig } from "./net/skb/skb_config.ts";
import { skbConfigOf } from "./net/skb/skb_config.ts";
import { skbSizes61 } from "./net/skb/skb_config61.ts";
import type { Skbs } from "./net/skb/skbs.ts";
import { createSkbs } from "./net/skb/skbs.ts";
import { guardOf, makerOf, type NicOptions, plugIn, unreadDrivers } from "./nic.ts";
import type { Hole } from "./not_modelled.ts";
import { notModelled } from "./not_modelled.ts";
import { defaultAllocator } from "./slab/geometry.ts";
import type { SlabHeap } from "./slab/kmalloc.ts";
import { createHeap } from "./slab/kmalloc.ts";
import type { Clock, RunEnd } from "./sync/clock.ts";
import { createClock } from "./sync/clock.ts";
import type { Cpus } from "./sync/cpu.ts";
import { createCpus } from "./sync/cpu.ts";

export type { NicOptions } from "./nic.ts";

export interface MachineOptions {
  readonly release: Release;
  readonly memoryMb: number;
  readonly cpus?: number;
  readonly seed?: number;
  readonly nics?: readonly NicOptions[];
  readonly memory?: Omit<BootedOptions, "release" | "memoryMb" | "cpus" | "journal">;
  readonly skb?: Partial<SkbConfig>;
  /** CONFIG_MAX_SKB_FRAGS of a release that has it (kernels/skb_sizes.ts); left out: the release's default. */
  readonly maxSkbFrags?: number;
  /** slub_max_order= on the kernel's command line. */
  readonly slubMaxOrder?: number;
  readonly skbsMax?: number;
  /** Refuses chosen allocations of everybody above mm and slab: what tests of failure paths want. */
  readonly failing?: Failing;
  /** Watches every sk_buff and its pages; a wrong hand-over throws, or is told to `onFault`. Slow: for tests and for finding a driver's mistake. */
  readonly owned?: OwnershipOptions;
}

export interface Machine {
  readonly release: Release;
  /** The kernel that this machine runs: which recorded one it is, or stands for, and its parts. */
  readonly kernel: KernelChoice;
  readonly random: Prng;
  readonly journal: Journal;
  readonly clock: Clock;
  readonly cpus: Cpus;
  readonly memory: BootedMemory;
  readonly heap: SlabHeap;
  readonly skbs: Skbs;
  /** The page allocator for whoever is not the skb code: drivers, pools, workloads. */
  readonly pages: PageAllocator;
  readonly frames: Frames;
  readonly napi: Napi;
  readonly gro: Gro;
  readonly receive: Receive;
  readonly xmit: Xmit;
  /** The page pools of this machine. */
  readonly pools: DriverParts["pools"];
  readonly devices: readonly NetDevice[];
  /** dev_open(): false when the driver could not get its memory. */
  up(device: NetDevice): boolean;
  down(device: NetDevice): void;
  /** What this machine does not have. */
  readonly absent: readonly Hole[];
  /** For which recorded kernel it stands where it is none itself; whoever listens from the start touches them. */
  readonly standsFor: readonly Hole[];
}

const memoryMost = 65_536;
const cpusMost = 64;
const skbsMost = 1 << 22;
const txQueueMost = 1_000_000;

/** BadInput, as one sentence, for a number that no machine here can have. */
function checkOptions(options: MachineOptions): void {
  const { memoryMb, cpus = 1, seed = 1, nics = [], slubMaxOrder, skbsMax } = options;
  numberGiven("memoryMb", memoryMb, 0, memoryMost);
  wholeGiven("cpus", cpus, 1, cpusMost);
  if (slubMaxOrder !== undefined) wholeGiven("slubMaxOrder", slubMaxOrder, 0, 10);
  if (skbsMax !== undefined) wholeGiven("skbsMax", skbsMax, 1, skbsMost);
  wholeGiven("seed", seed, -Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER);
  for (const [i, nic] of nics.entries()) {
    const { queues = 1, irqCpu, irqCpus, rss, txQueueLen } = nic;
    const { name, queuesMost = 1 } = makerOf(nic);
    if (nic.mtu !== undefined) wholeGiven(`nics[${i}].mtu`, nic.mtu, 1, 65_535);
    if (txQueueLen !== undefined) wholeGiven(`nics[${i}].txQueueLen`, txQueueLen, 0, txQueueMost);
    wholeGiven(`nics[${i}].queues (${name})`, queues, 1, queuesMost);
    if (irqCpus !== undefined && irqCpus.length !== queues)
      throw new BadInput(`nics[${i}].irqCpus names ${irqCpus.length} CPUs for ${queues} queue pairs.`);
    if (rss?.indirection?.length === 0) throw new BadInput(`nics[${i}].rss.indirection is empty.`);
    for (const cpu of [irqCpu, ...(irqCpus ?? [])])
      if (cpu !== undefined) wholeGiven(`nics[${i}]: the CPU of an interrupt`, cpu, 0, cpus - 1);
    if (rss?.key !== undefined && rss.key.length < rssKeyBytes)
      throw new BadInput(`nics[${i}].rss.key has ${rss.key.length} bytes; it must have ${rssKeyBytes}.`);
    for (const [j, rule] of (rss?.rules ?? []).entries()) checkRule(`nics[${i}].rss.rules[${j}]`, rule, queues);
    for (const queue of rss?.indirection ?? []) wholeGiven(`nics[${i}].rss.indirection: a queue`, queue, 0, queues - 1);
  }
}

/** BadInput for options that no machine can have. */
export function createMachine(options: MachineOptions): Machine {
  checkOptions(options);
  const { release, memoryMb, cpus: cpuCount = 1, seed = 1 } = options;
  const random = prng(seed);
  const kernel = partsFor(release);
  const journal = createJournal();
  const clock = createClock(journal);
  const cpus = createCpus(clock, journal, cpuCount);
  const memory = createBootedMemory({ ...options.memory, release, memoryMb, cpus: cpuCount, journal });
  const heap = createHeap({
    release,
    pages: memory.pages,
    journal,
    cpus: cpuCount,
    allocator: defaultAllocator(release),
    parts: kernel.parts.slab,
    ...(options.slubMaxOrder === undefined ? {} : { slubMaxOrder: options.slubMaxOrder }),
  });
  const config = skbConfigOf(
    { ...kernel.parts.net.skb, ...options.skb },
    { ...skbSizes61, ...skbSizesOf(release, options.maxSkbFrags), gfp: gfpMasks(release), ...options.skb },
  );
  const upper = upperParts(options, kernel, memory.pages, heap, journal, config);
  const { skbs } = upper;
  const frames = createFrames();
  const napi = createNapi(cpus, journal, release);
  const receive = createReceive(skbs, frames, journal);
  const gro = createGro(skbs, receive.netifReceive);
  const xmit = createXmit(skbs, cpus, journal);
  const pools = poolsOf(kernel, memory, upper, journal, config, napi);
  const { pageFrag } = kernel.parts.slab;
  const { pages } = upper;
  const ownFrag = () => pageFrag({ pages, pageSize: config.pageSize, journal });
  const parts: DriverParts = {
    pageFrag: ownFrag,
    release,
    random,
    journal,
    clock,
    cpus,
    memory,
    frames,
    receive,
    pools,
    ...upper,
  };
  const openTask = journal.textId(openingTask);
  const devices = (options.nics ?? []).map((nic, index) =>
    plugIn({ ...parts, napi, gro, xmit }, nic, index, (options.nics ?? []).length),
  );

  const guard = guardOf(options.nics ?? []);

  return {
    ...parts,
    clock: guard === undefined ? clock : guardedClock(clock, guard),
    kernel,
    napi,
    gro,
    xmit,
    devices,
    up(device) {
      journal.task = openTask;
      device.running = device.driver.open();
      // __dev_open() ends with dev_set_rx_mode().
      if (device.running) device.driver.setRxMode?.();
      journal.caller = 0;
      journal.task = 0;
      return device.running;
    },
    down(device) {
      device.running = false;
      xmit.purge(device);
      device.driver.stop();
    },
    standsFor: [...kernel.holes, ...unreadDrivers(options.nics ?? [], release)].map((hole) =>
      notModelled(journal, hole, "model/kernels"),
    ),
    absent: [
      notModelled(journal, "IOMMU and cache maintenance of the architecture", "dma_map_page(), kernel/dma"),
      notModelled(journal, "receive packet steering to other CPUs", "get_rps_cpu(), net/core/dev.c"),
      notModelled(journal, "netfilter, traffic control beside a FIFO, bridges and tunnels", "net/netfilter, net/sched"),
      notModelled(journal, "swap", "mm/swapfile.c"),
    ],
  };
}

/** Events between two looks at the time: far less than a guard's patience, far more than it costs. */
const guardedEvents = 4096;

function guardedClock(clock: Clock, guard: Guard): Clock {
  return {
    ...clock,
    run(untilNanos, eventsMax) {
      let end: RunEnd = "events";
      for (let left = eventsMax; left > 0 && end === "events"; left -= guardedEvents)
        guard(() => {
          end = clock.run(untilNanos, Math.min(left, guardedEvents));
        });
      return end;
    },
  };
}

/** Page pools take columns as long as memory: made when somebody wants one. */
function poolsOf(
  kernel: KernelChoice,
  memory: BootedMemory,
  upper: Upper,
  journal: Journal,
  config: SkbConfig,
  napi: Napi,
): DriverParts["pools"] {
  let made: PoolsOfMachine | undefined;
  return () => {
    if (made !== undefined) return made;
    const context: PoolContext = {
      softirq: softirqState.none,
      node: 0,
      get cpu() {
        return journal.cpu;
      },
      get inPoll() {
        return napi.pollsBusily() ? softirqState.bottomHalvesOff : softirqState.running;
      },
    };
    const pfnMax = Math.max(...memory.layout.spec.zones.map((z) => z.startPfn + z.spannedPages));
    const { atomic, nowarn, comp } = config.gfp;
    const gfp = { atomic, nowarn, comp };
    const { pageSize } = config;
    const pools = createPagePools({
      ...kernel.parts.net.pool,
      ...(upper.pieces === undefined ? {} : { pieces: upper.pieces }),
      pages: upper.pages,
      journal,
      context,
      pfnMax,
      pageSize,
      gfp,
    });
    made = { context, pools };
    attachPools(upper.skbs, made.pools);
    return made;
  };
}

type Upper = Pick<DriverParts, "pages" | "heap" | "caches" | "skbs"> & { readonly pieces?: PoolPieces };

/** Everything that asks the allocators: as they are, or refusing, or watched. */
function upperParts(
  options: MachineOptions,
  kernel: KernelChoice,
  real: PageAllocator,
  slab: SlabHeap,
  journal: Journal,
  config: SkbConfig,
): Upper {
  const { cpus = 1, failing, owned } = options;
  const { pageFrag } = kernel.parts.slab;
  const pages = failing === undefined ? real : failing.pages(real);
  const heap = failing === undefined ? slab : failing.heap(slab);
  const shared = { heap, journal, config, ...(options.skbsMax === undefined ? {} : { skbsMax: options.skbsMax }) };
  if (owned === undefined) {
    const caches = createReceiveCaches(pageFrag, pages, cpus, config.pageSize, journal);
    return { pages, heap, caches, skbs: createSkbs({ pages, receive: caches, ...shared }) };
  }
  let caches: DriverParts["caches"] = [];
  const skbs = createOwnedSkbs(
    {
      pages,
      receive: (view) => (caches = createReceiveCaches(pageFrag, view, cpus, config.pageSize, journal)),
      ...shared,
    },
    owned,
  );
  // What a driver cuts from a CPU's page is the driver's from then on.
  const handed = caches.map(({ frags, slices, free }) => ({
    slices,
    free,
    frags: {
      ...frags,
      alloc(bytes: number, gfp: number, mask: number): number {
        const address = frags.alloc(bytes, gfp, mask);
        if (address >= 0) skbs.watch.pass("cache", "outside", Math.floor(address / config.pageSize), 1);
        return address;
      },
    },
  }));
  return { pages: skbs.outside, heap, caches: handed, skbs, pieces: skbs.pieces };
}

function gfpMasks(release: Release): SkbConfig["gfp"] {
  const bit = (name: string): number => gfpOf(release, "", name);
  // kmalloc_reserve() asks quietly first, since 3.6 (net/core/skbuff.c, 3.13). Before, a head is asked for plainly and its failure is printed:
  // order:1, mode:0x4020 in 2.6.24.
  const asksQuietly = atLeast(release, [3, 6]);
  return {
    atomic: gfpOf(release, "GFP_ATOMIC"),
    kernel: gfpOf(release, "GFP_KERNEL"),
    dma: bit("DMA"),
    directReclaim: bit("DIRECT_RECLAIM") || bit("WAIT"),
    nowarn: asksQuietly ? bit("NOWARN") : 0,
    nomemalloc: asksQuietly ? bit("NOMEMALLOC") : 0,
    memalloc: bit("MEMALLOC"),
    comp: bit("COMP"),
  };
}
