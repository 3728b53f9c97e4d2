// Runs a machine with traffic into it: a load fragments memory, the wires carry datagrams, an application reads them, and what happened comes
// out as counters, samples and the kernel's own failure reports. A function of the settings: same settings, same bytes.
import { BadInput } from "../base/bad_input.ts";
import type { AllocFailure } from "../kernel/readings/alloc_failure.ts";
import type { BuddyInfo } from "../kernel/readings/buddyinfo.ts";
import { atLeast, parseRelease } from "../kernel/release.ts";
import { drivers } from "../model/drivers/drivers.ts";
import type { Journal } from "../model/journal.ts";
import type { Machine } from "../model/machine.ts";
import { createMachine } from "../model/machine.ts";
import { freeBlocks, observeBuddyinfo } from "../model/mm/observe.ts";
import type { NetDevice } from "../model/net/netdevice.ts";
import { feature } from "../model/net/netdevice.ts";
import { headField, skbBit, skbField } from "../model/net/skb_columns.ts";
import { createLink, frameField, frameKind, headerBytes } from "../model/net/wire.ts";
import type { RunEnd } from "../model/sync/clock.ts";
import { createKernelLog } from "./kernel_log.ts";
import type { MachineSettings } from "./machine_settings.ts";
import type { Thrash } from "./workload/thrash.ts";
import { createThrash } from "./workload/thrash.ts";

/** One row of the timeline. */
export interface Sample {
  readonly millis: number;
  readonly freePages: number;
  /** Free blocks of order 3 and above, in pages. */
  readonly largeFreePages: number;
  /** Buffers that the cards can receive into, all rings. */
  readonly ringFilled: number;
  /** Totals so far. */
  readonly received: number;
  readonly failures: number;
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
  /** As `ethtool -S` shows them. */
  readonly counters: Readonly<Record<string, number>>;
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
  readonly goodputMbit: number;
  readonly orders: readonly OrderCount[];
  /** Failures that the kernel printed, by order: requests with __GFP_NOWARN, which have a way out, are not among them. */
  readonly printed: readonly { readonly order: number; readonly count: number }[];
  /** Writes sent, frames they became, writes given up for lack of memory or room. */
  readonly writes: { readonly sent: number; readonly frames: number; readonly dropped: number };
  /** Page requests of the load that were refused. */
  readonly loadRefused: number;
  readonly samples: readonly Sample[];
  readonly buddyinfo: BuddyInfo;
  readonly reports: readonly AllocFailure[];
  /** Warnings and oopses, in words. */
  readonly said: readonly string[];
}

/** Looks on while a machine runs. */
export interface Onlooker {
  /** Once, when the machine stands and nothing has happened yet. */
  begin?(journal: Journal): void;
  /** At every sample; `done` in 0..1. */
  sample?(sample: Sample, done: number): void;
}

const nanosPerMilli = 1e6;
/** IPv4 and UDP. */
const udpHeaders = 28;
/** IPv4 and TCP with timestamps. */
const tcpHeaders = 52;
/** Room for the link's header in front of a packet. */
const headroom = 64;

/** What no schema can say: settings that do not go together. BadInput with a sentence. */
export function checkMachine(s: MachineSettings): void {
  const release = parseRelease(s.release);
  const { min_free_kbytes: minFree, watermark_scale_factor: scale } = s.sysctl;
  if (minFree !== undefined && minFree > s.memoryMb * 512)
    throw new BadInput(
      `sysctl.min_free_kbytes of ${minFree} is more than half of the machine's ${s.memoryMb} MB: it would have no memory left to use.`,
    );
  if (scale !== undefined && !atLeast(release, [4, 6]))
    throw new BadInput(`sysctl.watermark_scale_factor does not exist in ${s.release}.`, undefined, "It came with 4.6.");
  const names = s.nics.map((n, i) => n.name ?? `eth${i}`);
  const twice = names.find((n, i) => names.indexOf(n) !== i);
  if (twice !== undefined) throw new BadInput(`Two cards are called ${twice}.`);
  for (const [i, nic] of s.nics.entries()) {
    if (!drivers.some((d) => d.name === nic.driver))
      throw new BadInput(
        `nics[${i}].driver: there is no driver "${nic.driver}" here.`,
        undefined,
        `Drivers: ${drivers.map((d) => d.name).join(", ")}.`,
      );
    for (const [key, value] of Object.entries(nic.settings))
      if (/ring/.test(key) && typeof value === "number" && value * nic.mtu > s.memoryMb * 1048576)
        throw new BadInput(
          `nics[${i}].settings.${key}: ${value} buffers of ${nic.mtu} bytes are more than the machine's ${s.memoryMb} MB.`,
        );
  }
  for (const [i, w] of s.sends.entries())
    if (!names.includes(w.from))
      throw new BadInput(
        `sends[${i}] leaves by ${w.from}, which is no card here.`,
        undefined,
        `Cards: ${names.join(", ")}.`,
      );
  for (const [i, t] of s.traffic.entries()) {
    const nic = s.nics[names.indexOf(t.to)];
    if (nic === undefined)
      throw new BadInput(
        `traffic[${i}] goes to ${t.to}, which is no card here.`,
        undefined,
        `Cards: ${names.join(", ")}.`,
      );
    if (t.bytes !== "mtu" && t.bytes + udpHeaders > nic.mtu)
      throw new BadInput(
        `traffic[${i}]: ${t.bytes} bytes and ${udpHeaders} of headers do not fit the MTU ${nic.mtu} of ${t.to}.`,
        undefined,
        `At most ${nic.mtu - udpHeaders} do.`,
      );
  }
}

export function runMachine(s: MachineSettings, onlooker: Onlooker = {}): MachineResult {
  checkMachine(s);
  const release = parseRelease(s.release);
  const faults: string[] = [];
  const machine = createMachine({
    release,
    // Slow, so only where a driver does wrong on purpose.
    ...(s.nics.some((n) => n.settings.buffers === "preallocated")
      ? {
          owned: {
            onFault: (f) => void (faults.length < 20 && faults.push(`${f.kind}: ${f.sentence} (${f.operation})`)),
          },
        }
      : {}),
    memoryMb: s.memoryMb,
    cpus: s.cpus,
    seed: s.seed,
    nics: s.nics.map((n) => ({
      driver: n.driver,
      mtu: n.mtu,
      settings: n.settings,
      ...(n.name === undefined ? {} : { name: n.name }),
    })),
    memory: {
      marks: {
        ...(s.sysctl.min_free_kbytes === undefined ? {} : { minFreeKb: s.sysctl.min_free_kbytes }),
        ...(s.sysctl.watermark_scale_factor === undefined ? {} : { scaleFactor: s.sysctl.watermark_scale_factor }),
      },
    },
  });
  onlooker.begin?.(machine.journal);
  const bench = createBench(machine, s);
  // Cards come up at boot, before memory is used up.
  const up = machine.devices.map((d) => machine.up(d));
  bench.loading(() => void bench.load?.run((s.load?.kilopages ?? 0) * 1000));
  bench.start();
  const end = sampleUntil(machine, s, bench, onlooker);
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
      counters: { ...d.driver.counters },
    })),
    ...bench.totals(),
    goodputMbit: (bench.totals().receivedBytes * 8e3) / Math.max(1, machine.clock.now()),
    samples: bench.samples,
    buddyinfo: observeBuddyinfo(machine.memory),
    reports: bench.log.reports,
    said: [...faults, ...bench.log.said],
  };
}

type Bench = ReturnType<typeof createBench>;

/** Everything around the machine: load, wires, reader, and who counts. */
function createBench(machine: Machine, s: MachineSettings) {
  const { clock, journal, skbs, frames, memory, cpus } = machine;
  const { S } = skbs.columns;
  const orders = new Map<number, { asked: number; failed: number }>();
  const writes = { sent: 0, dropped: 0 };
  const samples: Sample[] = [];
  const queue: number[] = [];
  const rcvbuf = s.reader.rcvbufKb * 1024;
  let queued = 0;
  let received = 0;
  let receivedBytes = 0;
  let socketDrops = 0;
  let sent = 0;
  let failures = 0;
  let loadRefused = 0;
  let inLoad = false;
  let kswapdAt = 0;

  const loading = (what: () => void): void => {
    inLoad = true;
    what();
    inLoad = false;
  };

  journal.listen((_kind, _nanos, _cpu, pfn, order) => {
    if (inLoad) return;
    const row = orders.get(order) ?? { asked: 0, failed: 0 };
    if (row.asked === 0) orders.set(order, row);
    row.asked++;
    if (pfn >= 0) return;
    row.failed++;
    failures++;
  }, "mm_page_alloc");
  const log = createKernelLog(machine, s.reports, () => inLoad);

  const load: Thrash | undefined =
    s.load === undefined ? undefined : createThrash(memory, s.load, machine.random.fork("load"));

  const read = (): void => {
    for (const skb of queue) skbs.consumeSkb(skb);
    queue.length = 0;
    queued = 0;
  };
  const readWork = cpus.register(() => {
    read();
    cpus.work(0, s.reader.everyMicros * 1000, readWork);
  });

  machine.receive.protocol(frameKind.udp, (skb) => {
    const truesize = S[skb + skbField.TRUESIZE]!;
    if (queued + truesize > rcvbuf) {
      socketDrops++;
      skbs.kfreeSkb(skb);
      return;
    }
    received++;
    receivedBytes += S[skb + skbField.LEN]! - headerBytes[frameKind.udp];
    queue.push(skb);
    queued += truesize;
  });

  /** The load's turn, and kswapd's: every simulated millisecond. */
  const tick = clock.handler(() => {
    loading(() => {
      if (load !== undefined) loadRefused += load.run(s.load?.pagesPerMilli ?? 0, false);
      if (clock.now() < kswapdAt) return;
      kswapdAt = clock.now() + s.kswapdMillis * nanosPerMilli;
      if (load !== undefined) load.background();
      else memory.reclaim.runKswapd();
    });
    clock.after(nanosPerMilli, tick);
  });

  const startStream = (index: number): void => {
    const t = s.traffic[index]!;
    const nic = s.nics[machine.devices.findIndex((d) => d.name === t.to)]!;
    const device = machine.devices.find((d) => d.name === t.to)!;
    const random = machine.random.fork(`stream ${index}`);
    const link = createLink(
      clock,
      frames,
      { bitsPerSecond: nic.mbitPerSecond * 1e6, delayNanos: nic.delayMicros * 1000, loss: nic.loss },
      machine.random.fork(`wire ${index}`),
      (frame) => device.driver.frameArrived(frame),
    );
    const bytes = t.bytes === "mtu" ? nic.mtu - udpHeaders : t.bytes;
    const gap = (1e9 * t.burst) / t.framesPerSecond;
    const send = clock.handler((seq) => {
      for (let i = 0; i < t.burst; i++) {
        const frame = frames.take();
        frames.W[frame + frameField.LEN] = bytes;
        frames.W[frame + frameField.KIND] = frameKind.udp;
        frames.W[frame + frameField.FLOW] = index + 1;
        frames.W[frame + frameField.SEQ] = seq + i;
        link.send(frame);
        sent++;
      }
      // Gaps vary by half around the mean, so that streams do not march in step.
      clock.after(gap * (0.5 + random.unit()), send, seq + t.burst);
    });
    clock.after(gap * random.unit(), send, 0);
  };

  for (const nic of s.nics.entries()) {
    const [i, { tso }] = nic;
    const device = machine.devices[i]!;
    if (tso !== undefined) device.features = tso ? device.features | feature.tso : device.features & ~feature.tso;
  }

  const startSend = (index: number): void => {
    const w = s.sends[index]!;
    const device = machine.devices.find((d) => d.name === w.from)!;
    const nic = s.nics[machine.devices.indexOf(device)]!;
    device.link ??= createLink(
      clock,
      frames,
      { bitsPerSecond: nic.mbitPerSecond * 1e6, delayNanos: nic.delayMicros * 1000, loss: nic.loss },
      machine.random.fork(`wire out ${w.from}`),
      (frame) => frames.give(frame),
    );
    const gap = 1e9 / w.writesPerSecond;
    const random = machine.random.fork(`write ${index}`);
    const write = cpus.register(() => {
      const skb = pagedSkb(machine, w.bytes, device.mtu - tcpHeaders);
      if (skb === 0) writes.dropped++;
      else if (machine.xmit.queue(device, skb)) writes.sent++;
      else writes.dropped++;
      cpus.work(0, gap * (0.5 + random.unit()), write);
    });
    cpus.work(0, gap * random.unit(), write);
  };

  return {
    load,
    loading,
    log,
    samples,
    start(): void {
      clock.after(0, tick);
      cpus.work(0, s.reader.everyMicros * 1000, readWork);
      s.traffic.forEach((_, i) => {
        startStream(i);
      });
      s.sends.forEach((_, i) => {
        startSend(i);
      });
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
      const sample = { millis, freePages, largeFreePages: large, ringFilled, received, failures };
      samples.push(sample);
      return sample;
    },
    totals: () => ({
      sent,
      received,
      receivedBytes,
      socketDrops,
      loadRefused,
      writes: { ...writes, frames: machine.devices.reduce((n, d) => n + d.stats.txPackets, 0) },
      printed: log.printed(),
      orders: [...orders].map(([order, c]) => ({ order, ...c })).sort((a, b) => a.order - b.order),
    }),
  };
}

/** A write as TCP makes packets of it: headers in the head, payload in single pages, cut later into segments of `mss`. 0 without memory. */
function pagedSkb({ skbs, pages }: Machine, bytes: number, mss: number): number {
  const { gfp } = skbs.config;
  const { S, H } = skbs.columns;
  const skb = skbs.allocSkb(headroom + headerBytes[frameKind.tcp], gfp.kernel);
  if (skb === 0) return 0;
  skbs.skbReserve(skb, headroom);
  skbs.skbPut(skb, headerBytes[frameKind.tcp]);
  for (let left = bytes, i = 0; left > 0; i++) {
    const pfn = pages.allocPages(gfp.kernel, 0);
    if (pfn < 0) {
      skbs.kfreeSkb(skb);
      return 0;
    }
    const size = Math.min(left, skbs.config.pageSize);
    skbs.skbAddRxFrag(skb, i, pfn, 0, size, skbs.config.pageSize);
    left -= size;
  }
  const head = S[skb + skbField.HEAD]!;
  const segments = Math.ceil(bytes / mss);
  H[head + headField.GSO_SIZE] = segments > 1 ? mss : 0;
  H[head + headField.GSO_SEGS] = segments > 1 ? segments : 0;
  H[head + headField.GSO_TYPE] = segments > 1 ? 1 : 0;
  S[skb + skbField.BITS]! |= skbBit.summedMask;
  S[skb + skbField.PROTOCOL] = frameKind.tcp;
  return skb;
}

function sampleUntil(machine: Machine, s: MachineSettings, bench: Bench, onlooker: Onlooker): RunEnd {
  const step = s.sampleMillis ?? s.millis / 100;
  let left = s.eventsMax;
  for (let at = step; ; at += step) {
    const until = Math.min(at, s.millis);
    const before = machine.clock.events();
    const end = machine.clock.run(until * nanosPerMilli, left);
    left -= machine.clock.events() - before;
    const sample = bench.sample(Math.round(until * 1e6) / 1e6);
    onlooker.sample?.(sample, until / s.millis);
    if (end === "events" || end === "stopped" || until >= s.millis) return end;
  }
}
