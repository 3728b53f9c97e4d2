// TCP of a scenario's machine: connections with the remote host at a card's cable, applications that write and read, and RPC clients. What
// holds memory is the model's own TCP; here is only who calls it when.
import { atLeast } from "../kernel/release.ts";
import type { Machine } from "../model/machine.ts";
import type { Inet } from "../model/net/path/inet.ts";
import { createInet } from "../model/net/path/inet.ts";
import type { NetDevice } from "../model/net/path/netdevice.ts";
import { segmentHeaders } from "../model/net/tcp/tcp.ts";
import type { TcpCounters } from "../model/net/tcp/tcp_state.ts";
import type { RpcResult } from "./machine_rpc.ts";
import { createRpc } from "./machine_rpc.ts";
import type { MachineSettings } from "./machine_settings.ts";
import type { Wires } from "./machine_wires.ts";
import { connectionsOf, freePagesOf } from "./machine_wires.ts";

type StreamSettings = MachineSettings["tcp"][number];

/** One entry of `tcp`, all its connections together. */
export interface StreamResult {
  readonly nic: string;
  readonly direction: StreamSettings["direction"];
  readonly connections: number;
  /** Whole writes that the sockets (out), or the remote host (in), took. */
  readonly writes: number;
  /** Payload that arrived in order: read here, or taken there. */
  readonly bytes: number;
  readonly goodputMbit: number;
  /**
   * Memory a byte of payload takes while it waits, truesize by length: in the receive queues before each read, in the send queues at each
   * sample. 0 when nothing waited.
   */
  readonly truesizePerByte: number;
  /** Packets that the sockets dropped (sk_drops). */
  readonly drops: number;
}

export interface TcpResult {
  readonly streams: readonly StreamResult[];
  readonly rpc: readonly RpcResult[];
  /** This machine's side, by the names in /proc/net/netstat where one exists. */
  readonly counters: TcpCounters;
  /** The remote hosts' side. */
  readonly remote: {
    readonly segments: number;
    readonly retransmitted: number;
    readonly timeouts: number;
    readonly early: number;
  };
  /** Packets that GRO made part of another. */
  readonly groMerged: number;
  /** Pages that all sockets held at most at a sample, and tcp_mem's pressure mark. */
  readonly memoryPagesMost: number;
  readonly memoryPagesPressure: number;
}

/** A moment of the timeline. */
export interface TcpSample {
  /** Payload so far, in and out. */
  readonly bytes: number;
  /** Segments sent again so far, by both sides. */
  readonly retransmitted: number;
  /** Truesize in the receive queues and in the send queues. */
  readonly receiveQueueBytes: number;
  readonly sendQueueBytes: number;
}

export interface Streams {
  start(): void;
  sample(): TcpSample;
  /** Payload that applications read here. */
  readBytes(): number;
  /** `nanos`: time since start(). */
  result(nanos: number): TcpResult;
}

/** What the remote host is given to send at a time when nothing paces it; sequence numbers reach half of 2^32. */
const endless = 2 ** 28;

/** Undefined when the scenario has no connection. */
export function createStreams(machine: Machine, s: MachineSettings, wires: Wires): Streams | undefined {
  if (connectionsOf(s) === 0) return undefined;
  const inet = createInet(machine, {
    freePages: freePagesOf(machine),
    connectionsMax: connectionsOf(s),
    sendPage: atLeast(machine.release, [3, 7]) ? "32 KiB a process" : "a page a socket",
  });
  const { tcp, tcpMem } = inet;
  const { socks } = machine.skbs;
  let flow = 0;
  const flows = (): { flowIn: number; flowOut: number } => ({ flowIn: ++flow, flowOut: flow + 65_536 });
  const running = (name: string): NetDevice | undefined => {
    const device = wires.device(name);
    return device.running ? device : undefined;
  };
  const streams = s.tcp.map((t) => (t.direction === "in" ? readers : writers)(machine, inet, wires, t, flows));
  const clients = s.rpc.map((r) => createRpc(machine, inet, wires, r, flows));
  let memoryMost = 0;

  const queues = (of: Int32Array): number => {
    let sum = 0;
    for (let sk = 1; sk <= socks.count(); sk++) sum += of[sk]!;
    return sum;
  };
  const remote = () => {
    const sum = { segments: 0, retransmitted: 0, timeouts: 0, early: 0 };
    for (const { counters } of wires.peers)
      for (const key of Object.keys(sum) as (keyof typeof sum)[]) sum[key] += counters[key];
    return sum;
  };
  return {
    start() {
      for (const [i, stream] of streams.entries()) {
        const device = running(s.tcp[i]!.nic);
        if (device !== undefined) stream.start(device);
      }
      for (const [i, client] of clients.entries()) {
        const device = running(s.rpc[i]!.nic);
        if (device !== undefined) client.start(device);
      }
    },
    sample() {
      memoryMost = Math.max(memoryMost, tcpMem.allocatedPages());
      for (const stream of streams) stream.sample();
      return {
        bytes: streams.reduce((n, x) => n + x.bytes(), 0),
        retransmitted: tcp.counters.retransSegs + remote().retransmitted,
        receiveQueueBytes: queues(socks.rmemAlloc),
        sendQueueBytes: queues(socks.wmemQueued),
      };
    },
    readBytes: () => streams.reduce((n, x, i) => n + (s.tcp[i]!.direction === "in" ? x.bytes() : 0), 0),
    result: (nanos) => ({
      streams: streams.map((x, i) => {
        const { nic, direction, connections } = s.tcp[i]!;
        const rest = { writes: x.writes(), bytes: x.bytes(), goodputMbit: (x.bytes() * 8e3) / Math.max(1, nanos) };
        const drops = x.connections.reduce((n, c) => n + socks.drops[tcp.sock(c)]!, 0);
        return { nic, direction, connections, ...rest, truesizePerByte: x.truesizePerByte(), drops };
      }),
      rpc: clients.map((c) => c.result()),
      counters: { ...tcp.counters },
      remote: remote(),
      groMerged: machine.gro.merged(),
      memoryPagesMost: memoryMost,
      memoryPagesPressure: tcpMem.limitsPages[1],
    }),
  };
}

/** The application behind some connections. */
interface Application {
  readonly connections: number[];
  start(device: NetDevice): void;
  sample(): void;
  writes(): number;
  bytes(): number;
  truesizePerByte(): number;
}

type Flows = () => { flowIn: number; flowOut: number };
type MakeApplication = (machine: Machine, inet: Inet, wires: Wires, t: StreamSettings, flows: Flows) => Application;

/** Memory by payload, summed over looks. */
function ratio(): { add(memory: number, payload: number): void; value(): number } {
  let top = 0;
  let bottom = 0;
  return {
    add(memory, payload) {
      if (payload <= 0) return;
      top += memory;
      bottom += payload;
    },
    value: () => (bottom === 0 ? 0 : top / bottom),
  };
}

/** The remote host sends; somebody here is woken by data and reads all there is. */
const readers: MakeApplication = (machine, { tcp, connect }, wires, t, flows) => {
  const { cpus, clock, skbs } = machine;
  const { rmemAlloc } = skbs.socks;
  const connections: number[] = [];
  const woken = new Set<number>();
  const cost = ratio();
  let bytes = 0;
  let writes = 0;
  const read = cpus.register((c) => {
    woken.delete(c);
    cost.add(rmemAlloc[tcp.sock(c)]!, tcp.readableBytes(c));
    bytes += tcp.recv(c, Number.MAX_SAFE_INTEGER);
  }, "reader");
  const readable = (c: number): void => {
    if (woken.has(c)) return;
    woken.add(c);
    cpus.work(0, t.readMicros * 1000, read, c);
  };
  return {
    connections,
    start(device) {
      const peer = wires.peer(device);
      const random = machine.random.fork(`tcp in ${connections.length} ${device.name}`);
      for (let i = 0; i < t.connections; i++) {
        const { flowIn, flowOut } = flows();
        machine.frames.ports.set(flowIn, t.port);
        connections.push(connect(device, { flowIn, flowOut, rcvbufBytes: t.rcvbufKb * 1024 }, { readable }));
        const give = t.writesPerSecond === undefined ? endless : t.bytes;
        const remote = peer.connect({
          flowIn: flowOut,
          flowOut: flowIn,
          mss: device.mtu - segmentHeaders,
          windowBytes: t.windowKb * 1024,
          ...(t.writesPerSecond === undefined ? { onDrained: () => peer.send(remote, give) } : {}),
        });
        const gap = 1e9 / (t.writesPerSecond ?? 1e5);
        const write = clock.handler(() => {
          // A writer whose data is not taken blocks.
          if (peer.pending(remote) < endless) {
            peer.send(remote, give);
            writes++;
          }
          if (t.writesPerSecond !== undefined) clock.after(gap * (0.5 + random.unit()), write);
        });
        // Not all at once: connections begin within the first gap.
        clock.after(gap * random.unit(), write);
      }
    },
    sample: () => undefined,
    writes: () => (t.writesPerSecond === undefined ? Math.floor(bytes / t.bytes) : writes),
    bytes: () => bytes,
    truesizePerByte: cost.value,
  };
};

/** Somebody here writes; the remote host takes all of it. */
const writers: MakeApplication = (machine, inet, wires, t, flows) => {
  const { cpus, skbs } = machine;
  const { tcp } = inet;
  const { wmemQueued } = skbs.socks;
  const connections: number[] = [];
  const received: (() => number)[] = [];
  const file = filePages(machine, t);
  const cost = ratio();
  let writes = 0;
  return {
    connections,
    start(device) {
      const peer = wires.peer(device);
      const random = machine.random.fork(`tcp out ${connections.length} ${device.name}`);
      const gap = t.writesPerSecond === undefined ? 0 : 1e9 / t.writesPerSecond;
      if (!file.make()) return;
      for (let i = 0; i < t.connections; i++) {
        const { flowIn, flowOut } = flows();
        machine.frames.ports.set(flowIn, t.port);
        const write = file.writer(inet, () => writes++, gap === 0);
        const c = inet.connect(
          device,
          {
            flowIn,
            flowOut,
            noDelay: t.noDelay,
            ...(t.sndbufKb === undefined ? {} : { sndbufBytes: t.sndbufKb * 1024 }),
          },
          { writable: write.on },
        );
        connections.push(c);
        const windowBytes = t.windowKb * 1024;
        const remote = peer.connect({
          flowIn: flowOut,
          flowOut: flowIn,
          mss: device.mtu - segmentHeaders,
          windowBytes,
        });
        received.push(() => peer.received(remote));
        const begin = cpus.register(() => {
          write.begin(c);
          if (gap > 0) cpus.work(0, gap * (0.5 + random.unit()), begin);
        }, "sender");
        cpus.work(0, (gap || 1e4) * random.unit(), begin);
      }
    },
    sample() {
      for (const c of connections) cost.add(wmemQueued[tcp.sock(c)]!, tcp.unacknowledged(c));
    },
    writes: () => writes,
    bytes: () => received.reduce((n, of) => n + of(), 0),
    truesizePerByte: cost.value,
  };
};

/** Writes of one size, copied or by reference to the pages of a file in the page cache, each going on when the socket has room again. */
function filePages({ skbs, pages }: Machine, t: StreamSettings) {
  const { pageSize, gfp } = skbs.config;
  const file: number[] = [];
  const put = ({ tcp }: Inet, c: number, left: number): number => {
    if (t.by === "write") return tcp.sendmsg(c, left);
    const at = t.bytes - left;
    const offset = at % pageSize;
    return tcp.sendpage(c, file[Math.floor(at / pageSize)]!, offset, Math.min(left, pageSize - offset));
  };
  return {
    /** Reads the file into memory; false when there is none for it. */
    make(): boolean {
      const want = t.by === "sendfile" ? Math.ceil(t.bytes / pageSize) : 0;
      while (file.length < want) {
        const pfn = pages.allocPages(gfp.kernel, 0);
        if (pfn < 0) return false;
        file.push(pfn);
      }
      return true;
    },
    /** One writer on one connection. `endlessly`: the next write follows at once. */
    writer(inet: Inet, wrote: () => void, endlessly: boolean) {
      let owed = 0;
      let left = 0;
      let writing = false;
      let asleep = false;
      const on = (c: number): void => {
        if (writing) return;
        writing = true;
        while (left > 0 || owed > 0) {
          if (left === 0) {
            if (!endlessly) owed--;
            left = t.bytes;
          }
          const took = put(inet, c, left);
          left -= took;
          if (left === 0) wrote();
          asleep = took === 0;
          if (asleep) break;
        }
        writing = false;
      };
      return {
        /** The socket takes more again. */
        on,
        /** A write is due; one that is under way ends first, and who sleeps in it is not woken by this. */
        begin(c: number): void {
          owed++;
          if (!asleep) on(c);
        },
      };
    },
  };
}
