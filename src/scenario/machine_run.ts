// Runs a machine with traffic: workloads use and fragment memory (machine_pressure.ts), wires carry datagrams (machine_traffic.ts) and TCP
// (machine_streams.ts), and what happened comes out as counters, samples and the kernel's own failure reports. A function of the settings: same settings, same bytes.
import { eventKind } from "../kernel/events.ts";
import type { AllocFailure } from "../kernel/readings/alloc_failure.ts";
import type { BuddyInfo } from "../kernel/readings/buddyinfo.ts";
import { parseRelease } from "../kernel/release.ts";
import type { DriverSettings } from "../model/drivers/driver.ts";
import type { Journal } from "../model/journal.ts";
import type { Machine } from "../model/machine.ts";
import { createMachine } from "../model/machine.ts";
import { freeBlocks, observeBuddyinfo } from "../model/mm/observe.ts";
import type { Driver, NetDevice } from "../model/net/path/netdevice.ts";
import { feature } from "../model/net/path/netdevice.ts";
import type { RssOptions } from "../model/net/path/rss.ts";
import type { PoolStats } from "../model/net/pool/page_pool.ts";
import type { RunEnd } from "../model/sync/clock.ts";
import type { KernelFile } from "../observe/kernel_files.ts";
import { kernelFiles } from "../observe/kernel_files.ts";
import type { Logged } from "../observe/kernel_log.ts";
import { createKernelLog } from "../observe/kernel_log.ts";
import { checkMachine } from "./machine_check.ts";
import type { PressureResult } from "./machine_pressure.ts";
import { createPressure } from "./machine_pressure.ts";
import type { MachineSettings } from "./machine_settings.ts";
import { marksOf, zonesOf } from "./machine_state.ts";
import type { TcpResult, TcpSample } from "./machine_streams.ts";
import { createStreams } from "./machine_streams.ts";
import type { GroupCounters } from "./machine_traffic.ts";
import { createTraffic } from "./machine_traffic.ts";
import { createWires } from "./machine_wires.ts";
import type { WireTap } from "./wire_tap.ts";

/** One row of the timeline. */
export interface Sample {
  /** Simulated time since boot; traffic begins after `warmMillis`. */
  readonly millis: number;
  readonly freePages: number;
  /** Free blocks of order 3 and above, in pages. */
  readonly largeFreePages: number;
  /** Buffers that the cards can receive into, all rings. */
  readonly ringFilled: number;
  /** Totals so far. */
  readonly received: number;
  readonly failures: number;
  /** What each of the workloads holds: pages, for slabs objects. */
  readonly held?: readonly number[];
  readonly tcp?: TcpSample;
}

/** What the network asked the page allocator for. */
export interface OrderCount {
  readonly order: number;
  readonly asked: number;
  readonly failed: number;
}

export interface DeviceResult {
  readonly name: string;
  readonly driver: string;
  readonly mtu: number;
  /** False when the interface could not be brought up: no memory for its rings. */
  readonly up: boolean;
  readonly stats: NetDevice["stats"];
  /** Frames that a rule of flow steering dropped, where any was. */
  readonly filtered?: number;
  /** As `ethtool -S` shows them; of several queues together. */
  readonly counters: Readonly<Record<string, number>>;
  /** The page pool of a card with one queue pair. */
  readonly pool?: PoolStats;
  /** Of a card with several queue pairs. */
  readonly queues?: readonly QueueResult[];
}

export interface QueueResult {
  /** The CPU of its interrupt. */
  readonly cpu: number;
  readonly counters: Readonly<Record<string, number>>;
  /** Buffers in its receive ring at the end, of how many. */
  readonly ring: { readonly filled: number; readonly size: number };
  /** Its page pool's counters, by the names of page_pool_get_stats(). */
  readonly pool?: PoolStats;
}

export interface MachineResult {
  /** "time": all of it ran; "events": the limit on events ended it. */
  readonly end: RunEnd;
  readonly simulatedMillis: number;
  readonly events: number;
  readonly minFreeKb: number;
  readonly devices: readonly DeviceResult[];
  readonly sent: number;
  readonly received: number;
  readonly receivedBytes: number;
  readonly socketDrops: number;
  /** With `reader.busyPollMicros`: packets that the reader's own polls took (BusyPollRxPackets). */
  readonly busyPolled?: number;
  /** Packets that lay in memory of the emergency reserve, which sockets refuse since 3.6 (PFMemallocDrop). */
  readonly reserveDrops: number;
  /** With `listeners`; received above counts the first listener of each group only. */
  readonly groups?: GroupCounters;
  /** Payload that applications here read, datagrams and TCP. */
  readonly goodputMbit: number;
  readonly orders: readonly OrderCount[];
  /** Failures that the kernel printed, by order: requests with __GFP_NOWARN, which have a way out, are not among them. */
  readonly printed: readonly { readonly order: number; readonly count: number }[];
  /** Writes sent, frames they became, writes given up for lack of memory or room. */
  readonly writes: { readonly sent: number; readonly frames: number; readonly dropped: number };
  /**
   * With `state`: every request of the network that failed, `at` the frames that had arrived by then (of the report's own request: the blocks that
   * had been asked for). What a shorter burst would have met are those up to its length.
   */
  readonly failedAt?: readonly { readonly order: number; readonly at: number; readonly printed: boolean }[];
  /** With `state`: for each frame that a card or its driver lost, the frames that had arrived with it. */
  readonly lostAt?: readonly number[];
  /** Page requests of the load, or of the workloads, that were refused. */
  readonly loadRefused: number;
  /** With `workloads`. */
  readonly pressure?: PressureResult;
  /** With `tcp` or `rpc`. */
  readonly tcp?: TcpResult;
  readonly samples: readonly Sample[];
  readonly buddyinfo: BuddyInfo;
  readonly reports: readonly AllocFailure[];
  /** Warnings and oopses, in words. */
  readonly said: readonly string[];
}

/** Looks on while a machine runs. */
export interface Onlooker {
  /** Once, when the machine stands and nothing has happened yet. */
  begin?(journal: Journal, machine: Machine): void;
  /** At every sample; `done` in 0..1. */
  sample?(sample: Sample, done: number): void;
  /** Every frame on the cables of the cards, as it arrives or is lost. */
  readonly wire?: WireTap;
  /** Once, at the end: what the kernel logged, and its files as they would be read now. */
  end?(log: readonly Logged[], files: () => readonly KernelFile[]): void;
}

const nanosPerMilli = 1e6;
const skbsLeast = 65_536;
const skbsMost = 1 << 19;
/** Rings of a card where nobody says, and what lies in its queues, packets. */
const ringOfCard = 4096;
const queuesOfCard = 1024;
/** Headers of a segment of a write, at most. */
const headersMost = 100;

/** Rows for packets: no more than their sk_buffs and heads find memory for; fewer where all that will ever come is counted. */
function packetsMost(s: MachineSettings): number {
  const most = Math.min(skbsMost, Math.max(skbsLeast, s.memoryMb * 1024));
  const counted = s.tcp.length + s.rpc.length === 0 && (s.traffic ?? []).every((t) => t.bursts !== undefined);
  if (!counted) return most;
  // A write is one packet, and its pieces where the card does not cut it; so many writes as there is time for, and one.
  const leastMtu = Math.min(...s.nics.map((n) => n.mtu));
  const written = s.sends.reduce(
    (n, w) => n + ((w.writesPerSecond * s.millis) / 1000 + 1) * (2 + w.bytes / Math.max(1, leastMtu - headersMost)),
    0,
  );
  const arriving = (s.traffic ?? []).reduce((n, t) => n + t.burst * (t.bursts ?? 0) * t.listeners, 0);
  const rings = s.nics.reduce(
    (n, { settings, queues }) =>
      n + queues * (Number(settings.rx_ring ?? ringOfCard) + Number(settings.rx_jumbo_ring ?? 0) + queuesOfCard),
    0,
  );
  return Math.min(most, rings + arriving + Math.ceil(written));
}

/** Settings that make a driver hand its packets to two owners: ringnic's, and those that ibm_emac's boards had. */
const wrongOnPurpose = ({ buffers, pool, tx_lock, tx_free_twice_every }: DriverSettings): boolean =>
  buffers === "preallocated" || Number(pool) > 0 || tx_lock === false || Number(tx_free_twice_every) > 0;

export function runMachine(s: MachineSettings, onlooker: Onlooker = {}): MachineResult {
  checkMachine(s);
  const release = parseRelease(s.release);
  const faults: string[] = [];
  const machine = createMachine({
    release,
    // Slow, so only where a driver does wrong on purpose.
    ...(s.nics.some(({ settings }) => wrongOnPurpose(settings))
      ? {
          owned: {
            onFault: (f) => void (faults.length < 20 && faults.push(`${f.kind}: ${f.sentence} (${f.operation})`)),
          },
        }
      : {}),
    ...(s.slubMaxOrder === undefined ? {} : { slubMaxOrder: s.slubMaxOrder }),
    ...(s.maxSkbFrags === undefined ? {} : { maxSkbFrags: s.maxSkbFrags }),
    memoryMb: s.memoryMb,
    // No more packets than their sk_buffs and heads find memory for.
    skbsMax: packetsMost(s),
    cpus: s.cpus,
    seed: s.seed,
    nics: s.nics.map((n) => ({
      driver: n.driver,
      mtu: n.mtu,
      queues: n.queues,
      xps: n.xps,
      ...(n.irqCpus === undefined ? {} : { irqCpus: n.irqCpus }),
      rss: { ...rssOf(n.rss), rules: n.rules ?? [] },
      coalesceNanos: n.rxUsecs * 1000,
      settings: n.settings,
      ...(n.name === undefined ? {} : { name: n.name }),
    })),
    memory: {
      marks: marksOf(s),
      ...(s.state === undefined ? {} : zonesOf(s.state)),
      ...(s.sysctl.watermark_boost_factor === undefined ? {} : { boostFactor: s.sysctl.watermark_boost_factor }),
      ...(s.sysctl.defrag_mode === true ? { defragMode: true } : {}),
      ...(s.sysctl.extfrag_threshold === undefined ? {} : { extfragThreshold: s.sysctl.extfrag_threshold }),
    },
  });
  onlooker.begin?.(machine.journal, machine);
  for (const hole of machine.standsFor) hole.touch();
  const bench = createBench(machine, s, onlooker);
  // Cards come up at boot, before memory is used up.
  const up = machine.devices.map((d) => machine.up(d));
  bench.pressure.before();
  const began = machine.clock.now();
  bench.start();
  const end = sampleUntil(machine, s, bench, onlooker);
  onlooker.end?.(bench.log.log(), () => kernelFiles(machine, bench.streams?.result(1).counters));
  const nanos = machine.clock.now() - began;
  const pressure = bench.pressure.result();
  return {
    end: end === "idle" ? "time" : end,
    simulatedMillis: machine.clock.now() / nanosPerMilli,
    events: machine.clock.events(),
    minFreeKb: machine.memory.minFreeKb,
    devices: machine.devices.map((d, i) => ({
      name: d.name,
      driver: d.driver.name,
      mtu: d.mtu,
      up: up[i] ?? false,
      stats: { ...d.stats },
      ...(d.filtered === undefined ? {} : { filtered: d.filtered }),
      counters: { ...d.driver.counters },
      ...poolOf(machine, d.driver),
      ...(d.queues === undefined
        ? {}
        : {
            queues: d.queues.map((q) => ({
              cpu: q.irqCpu,
              counters: { ...q.driver.counters },
              ring: q.driver.ringFill(),
              ...poolOf(machine, q.driver),
            })),
          }),
    })),
    ...bench.totals(),
    reserveDrops: machine.receive.reserveDrops(),
    goodputMbit: ((bench.totals().receivedBytes + (bench.streams?.readBytes() ?? 0)) * 8e3) / Math.max(1, nanos),
    ...(pressure === undefined ? {} : { pressure }),
    ...(bench.streams === undefined ? {} : { tcp: bench.streams.result(nanos) }),
    samples: bench.samples,
    buddyinfo: observeBuddyinfo(machine.memory),
    reports: bench.log.reports(),
    said: [...faults, ...bench.log.said],
  };
}

function poolOf(machine: Machine, driver: Driver): { readonly pool?: PoolStats } {
  const pool = driver.poolNumber?.() ?? -1;
  return pool < 0 ? {} : { pool: machine.pools().pools.stats(pool) };
}

/** The key's bytes, and the table. */
function rssOf(given: MachineSettings["nics"][number]["rss"]): Omit<RssOptions, "queues"> {
  return {
    ...(given?.key === undefined
      ? {}
      : { key: Uint8Array.from(given.key.split(":"), (byte) => Number.parseInt(byte, 16)) }),
    ...(given?.indirection === undefined ? {} : { indirection: given.indirection }),
  };
}

type Bench = ReturnType<typeof createBench>;

/** Everything around the machine: wires, traffic, what else uses memory, and who counts. */
function createBench(machine: Machine, s: MachineSettings, { wire, end }: Onlooker) {
  const { journal, memory } = machine;
  const orders = new Map<number, { asked: number; failed: number }>();
  const samples: Sample[] = [];
  let failures = 0;

  const pressure = createPressure(machine, s);
  const failedAt: { order: number; at: number; printed: boolean }[] = [];
  const arrivals = s.state === undefined ? undefined : watchArrivals(machine);
  if (arrivals !== undefined)
    journal.listen(
      (kind, _nanos, _cpu, a, b) => {
        if (pressure.busy()) return;
        const printed = kind === eventKind.page_allocation_failure;
        const order = printed ? a : b;
        if (!printed && a >= 0) return;
        failedAt.push({
          order,
          at: s.state?.asks === undefined ? arrivals.count() : (pressure.asked?.() ?? 0),
          printed,
        });
      },
      "mm_page_alloc",
      "page_allocation_failure",
    );
  journal.listen((_kind, _nanos, _cpu, pfn, order) => {
    if (pressure.busy()) return;
    const row = orders.get(order) ?? { asked: 0, failed: 0 };
    if (row.asked === 0) orders.set(order, row);
    row.asked++;
    if (pfn >= 0) return;
    row.failed++;
    failures++;
  }, "mm_page_alloc");
  const log = createKernelLog(machine, s.reports, pressure.busy, end !== undefined);
  for (const [i, { tso, gro }] of s.nics.entries()) {
    const device = machine.devices[i]!;
    if (tso !== undefined) device.features = tso ? device.features | feature.tso : device.features & ~feature.tso;
    if (gro !== undefined) device.features = gro ? device.features | feature.gro : device.features & ~feature.gro;
  }
  const wires = createWires(machine, s, wire);
  const traffic = createTraffic(machine, s, wires);
  const streams = createStreams(machine, s, wires);

  return {
    pressure,
    streams,
    log,
    samples,
    start(): void {
      pressure.start();
      traffic.start();
      streams?.start();
    },
    sample(millis: number): Sample {
      const { spec } = memory.memory;
      let freePages = 0;
      let large = 0;
      for (let z = 0; z < spec.zones.length; z++) {
        freeBlocks(memory, z).forEach((count, order) => {
          freePages += count << order;
          if (order >= 3) large += count << order;
        });
      }
      const ringFilled = machine.devices.reduce((n, d) => n + d.driver.ringFill().filled, 0);
      const held = pressure.sample();
      const sample = {
        millis,
        freePages,
        largeFreePages: large,
        ringFilled,
        received: traffic.totals().received,
        failures,
        ...(held.length === 0 ? {} : { held }),
        ...(streams === undefined ? {} : { tcp: streams.sample() }),
      };
      samples.push(sample);
      return sample;
    },
    totals: () => ({
      ...traffic.totals(),
      loadRefused: pressure.refused(),
      printed: log.printed(),
      ...(arrivals === undefined ? {} : { failedAt, lostAt: arrivals.lostAt() }),
      orders: [...orders].map(([order, c]) => ({ order, ...c })).sort((a, b) => a.order - b.order),
    }),
  };
}

/** Counts frames as they reach the cards, and which of them were lost. */
function watchArrivals({ devices }: Machine): { count(): number; lostAt(): readonly number[] } {
  const lostAt: number[] = [];
  let arrived = 0;
  let lost = 0;
  const note = (): void => {
    const now = devices.reduce((n, d) => n + d.stats.rxMissed + d.stats.rxDropped, 0);
    for (; lost < now; lost++) lostAt.push(arrived);
  };
  for (const { driver } of devices) {
    const { frameArrived } = driver;
    driver.frameArrived = (frame) => {
      // What was lost since the last frame came was lost in handling those before.
      note();
      arrived++;
      frameArrived(frame);
      note();
    };
  }
  return {
    count: () => arrived,
    lostAt: () => {
      note();
      return lostAt;
    },
  };
}

function sampleUntil(machine: Machine, s: MachineSettings, bench: Bench, onlooker: Onlooker): RunEnd {
  const step = s.sampleMillis ?? s.millis / 100;
  const began = machine.clock.now() / nanosPerMilli;
  let left = s.eventsMax;
  for (let at = step; ; at += step) {
    const until = Math.min(at, s.millis);
    const before = machine.clock.events();
    const end = machine.clock.run((began + until) * nanosPerMilli, left);
    left -= machine.clock.events() - before;
    const sample = bench.sample(Math.round((began + until) * 1e6) / 1e6);
    onlooker.sample?.(sample, until / s.millis);
    if (end === "events" || end === "stopped" || until >= s.millis) return end;
  }
}
