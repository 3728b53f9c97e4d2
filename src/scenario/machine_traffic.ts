// Traffic without a protocol's state: datagrams that arrive, the application that reads them, and writes that leave in TCP's framing.
import type { Machine } from "../model/machine.ts";
import { packetField } from "../model/net/path/receive.ts";
import { usualPort } from "../model/net/path/rss.ts";
import { createUdp } from "../model/net/path/udp.ts";
import { frameField, frameKind, headerBytes } from "../model/net/path/wire.ts";
import { headField, skbBit, skbField } from "../model/net/skb/skb_columns.ts";
import { createSockMem, defaultLimits } from "../model/net/tcp/sock_mem.ts";
import type { MachineSettings } from "./machine_settings.ts";
import type { Wires } from "./machine_wires.ts";
import { freePagesOf } from "./machine_wires.ts";

/** IPv4 and UDP. */
export const udpHeaders = 28;
/** IPv4 and TCP with timestamps. */
export const tcpHeaders = 52;
/** What waits longer for the wire than this is not sent: the sender's queue is full. */
const waitNanos = 50e6;
/** `traffic` has so many entries at most. */
const streamsMost = 64;
/** How long one round of a busy loop takes beside the packets, a round figure. */
const betweenPollsNanos = 1000;
/** Room for the link's header in front of a packet. */
const headroom = 64;

/** Streams with several listeners: what came to their sockets, and what did not. */
export interface GroupCounters {
  readonly delivered: number;
  /** Drops of a full socket, of udp_mem's limit, and for lack of memory for a clone. */
  readonly rcvbufErrors: number;
  readonly memErrors: number;
  readonly cloneErrors: number;
}

export interface Traffic {
  start(): void;
  /** Totals so far. */
  totals(): {
    readonly sent: number;
    readonly received: number;
    readonly receivedBytes: number;
    readonly socketDrops: number;
    readonly busyPolled?: number;
    readonly groups?: GroupCounters;
    readonly writes: { readonly sent: number; readonly frames: number; readonly dropped: number };
  };
}

export function createTraffic(machine: Machine, s: MachineSettings, wires: Wires): Traffic {
  const { clock, skbs, frames, cpus } = machine;
  const { S } = skbs.columns;
  const streams = s.traffic ?? [];
  const groups = streams.some((t) => t.listeners > 1) ? createGroups(machine, s) : undefined;
  const writes = { sent: 0, dropped: 0 };
  const queue: number[] = [];
  const rcvbuf = s.reader.rcvbufKb * 1024;
  let queued = 0;
  let received = 0;
  let receivedBytes = 0;
  let socketDrops = 0;
  let sent = 0;

  // SO_BUSY_POLL: sk_busy_loop() on the NAPI that the socket's last packet came from.
  const spinNanos = (s.reader.busyPollMicros ?? 0) * 1000;
  const napiOf = new Map(machine.devices.flatMap((d) => [d, ...(d.queues ?? [])]).map((d) => [d.index, d.napi]));
  let lastNapi: number | undefined;
  let spinUntil = 0;
  let busyPolled = 0;
  // The loop stays with the NAPI it began with, whatever comes from others meanwhile.
  const spin = cpus.register((napi) => {
    busyPolled += Math.max(0, machine.napi.busyPoll(napi));
    if (queue.length === 0 && clock.now() < spinUntil) {
      cpus.work(0, betweenPollsNanos, spin, napi);
      return;
    }
    busyPolled += machine.napi.busyStop(napi);
    cpus.work(0, queue.length > 0 ? 0 : s.reader.everyMicros * 1000, readWork);
  }, "reader");

  const readWork = cpus.register(() => {
    for (const skb of queue) skbs.consumeSkb(skb);
    queue.length = 0;
    queued = 0;
    groups?.read((bytes) => {
      received++;
      receivedBytes += bytes;
    });
    if (spinNanos === 0 || lastNapi === undefined) cpus.work(0, s.reader.everyMicros * 1000, readWork);
    else {
      spinUntil = clock.now() + spinNanos;
      cpus.work(0, 0, spin, lastNapi);
    }
  }, "reader");

  const take = (skb: number): void => {
    if (groups?.has(S[skb + packetField.FLOW]!) === true) {
      groups.take(skb);
      return;
    }
    if (spinNanos > 0) lastNapi = napiOf.get(machine.journal.device);
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
  };

  const startStream = (t: (typeof streams)[number], index: number): void => {
    const device = wires.device(t.to);
    const random = machine.random.fork(`stream ${index}`);
    const link = wires.into(device);
    const bytes = t.bytes === "mtu" ? device.mtu - udpHeaders : t.bytes;
    const gap = (1e9 * t.burst) / t.framesPerSecond;
    // A counted burst is sent whole, however long the wire takes for it.
    const wait = t.bursts === undefined ? waitNanos : Number.POSITIVE_INFINITY;
    const last = t.burst * (t.bursts ?? Number.POSITIVE_INFINITY);
    // Streams are numbered below 64: their further flows are counted from there on.
    const flowOf = (seq: number): number => index + 1 + (seq % t.flows) * streamsMost;
    for (let flow = 0; t.port !== usualPort && flow < t.flows; flow++) frames.ports.set(flowOf(flow), t.port);
    const { rss } = device;
    if (t.queue !== undefined && rss !== undefined)
      for (let flow = 0; flow < t.flows; flow++) rss.steer(flowOf(flow), t.queue);
    const send = clock.handler((seq) => {
      for (let i = 0; i < t.burst && link.freeAtNanos() - clock.now() < wait; i++) {
        const frame = frames.take();
        frames.W[frame + frameField.LEN] = bytes;
        frames.W[frame + frameField.KIND] = frameKind.udp;
        frames.W[frame + frameField.FLOW] = flowOf(seq + i);
        frames.W[frame + frameField.SEQ] = seq + i;
        link.send(frame);
        sent++;
      }
      // Gaps vary by half around the mean, so that streams do not march in step.
      if (seq + t.burst < last) clock.after(gap * (0.5 + random.unit()), send, seq + t.burst);
    });
    clock.after(gap * random.unit(), send, 0);
  };

  const startSend = (w: MachineSettings["sends"][number], index: number): void => {
    const device = wires.device(w.from);
    wires.out(device);
    const gap = 1e9 / w.writesPerSecond;
    const random = machine.random.fork(`write ${index}`);
    const write = cpus.register(() => {
      const skb = pagedSkb(machine, w.bytes, device.mtu - tcpHeaders);
      if (skb !== 0 && machine.xmit.queue(device, skb)) writes.sent++;
      else writes.dropped++;
      cpus.work(0, gap * (0.5 + random.unit()), write);
    }, "sender");
    cpus.work(0, gap * random.unit(), write);
  };

  return {
    start() {
      machine.receive.protocol(frameKind.udp, take);
      cpus.work(0, s.reader.everyMicros * 1000, readWork);
      streams.forEach(startStream);
      s.sends.forEach(startSend);
    },
    totals: () => ({
      sent,
      received,
      receivedBytes,
      ...(spinNanos === 0 ? {} : { busyPolled }),
      socketDrops: socketDrops + (groups?.dropped() ?? 0),
      ...(groups === undefined ? {} : { groups: groups.counters() }),
      writes: { ...writes, frames: machine.devices.reduce((n, d) => n + d.stats.txPackets, 0) },
    }),
  };
}

/** Sockets of multicast groups, the model's own, one group a stream that has several listeners. */
function createGroups(machine: Machine, s: MachineSettings) {
  const { skbs } = machine;
  const mem = createSockMem(skbs, { limitsPages: defaultLimits(freePagesOf(machine)), stream: false });
  const udp = createUdp(skbs, mem, () => false);
  const socks = new Map<number, readonly number[]>();
  (s.traffic ?? []).forEach((t, i) => {
    if (t.listeners === 1) return;
    const flow = i + 1;
    socks.set(
      flow,
      Array.from({ length: t.listeners }, () => udp.bind(flow, s.reader.rcvbufKb * 1024)),
    );
  });
  return {
    has: (flow: number): boolean => socks.has(flow),
    take: udp.take,
    /** Everything that is queued; `first` hears of what the first listener of each group reads. */
    read(first: (bytes: number) => void): void {
      for (const group of socks.values())
        group.forEach((sock, i) => {
          for (let bytes = udp.recv(sock); bytes >= 0; bytes = udp.recv(sock)) if (i === 0) first(bytes);
        });
    },
    dropped: (): number => udp.counters.rcvbufErrors + udp.counters.memErrors + udp.counters.cloneErrors,
    counters(): GroupCounters {
      const { delivered, rcvbufErrors, memErrors, cloneErrors } = udp.counters;
      return { delivered, rcvbufErrors, memErrors, cloneErrors };
    },
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
