// TCP as far as it holds memory: connections over the skb code, with a send queue of clones, windows, loss recovery, a receive queue that
// joins packets, and socket memory. tcp_write.ts fills the queue, tcp_output.ts sends, tcp_input.ts receives, tcp_cong.ts says how much; tcp_state.ts is the columns.
//
//   sendmsg ─copy─▶ page fragment ─▶ write queue ─clone─▶ qdisc ─▶ device ─▶ wire
//   sendpage ─────▶ your page ─────▶     │ (until acknowledged)
//   recv ◀─copy── receive queue ◀─ coalesce ◀─ out of order? ◀─ GRO ◀─ device
//
// Both ends run this code when two cards of one machine are cabled together; alone, it talks to tcp_peer.ts, a remote host that is only
// arithmetic on frames. Not here: handshake and FIN (a connection begins established and is closed by purging), options, SACK, IP routing.
import { assert } from "../../../base/assert.ts";
import { dropReason } from "../skb/drop_reason.ts";
import type { CongOptions } from "./tcp_cong.ts";
import { createTcpCong } from "./tcp_cong.ts";
import { createTcpInput, createWindow, windowFromSpace } from "./tcp_input.ts";
import { createTcpOutput } from "./tcp_output.ts";
import { createTcpQueue } from "./tcp_queue.ts";
import type { ConnectOptions, SendPage, TcpCounters, TcpParts, TcpShared, TcpState } from "./tcp_state.ts";
import { connFlag, connState, createTcpCounters, createTcpState } from "./tcp_state.ts";
import type { SendpageOptions } from "./tcp_write.ts";
import { createTcpWrite } from "./tcp_write.ts";

export type { ConnectOptions, TcpCounters, TcpParts } from "./tcp_state.ts";

/** IP and TCP headers with timestamps: what the MTU loses of a segment. */
export const segmentHeaders = 52;
/** tcp_wmem[1] and tcp_rmem[1]. */
export const defaultSndbuf = 16384;
export const defaultRcvbuf = 131072;
/** GSO_MAX_SIZE less one byte and the headers. */
const gsoBytes = 65535 - 320;

/** Who reads and writes: told when there is something to read, and when there is room again after a short write. */
export interface ConnectionUser {
  readable?(connection: number): void;
  writable?(connection: number): void;
}

export interface Tcp {
  /** A new connection, established; its number is for the rest. */
  connect(options: ConnectOptions, user?: ConnectionUser): number;
  /** Drops everything in both queues. Clones that devices have come back by themselves. */
  close(connection: number): void;
  /** What netif_receive_skb() hands up: owns the packet. */
  take(skb: number): void;
  /** writev(): one call with several pieces, their lengths in bytes. */
  writev(connection: number, lengths: readonly number[], tag?: number, fromAddresses?: readonly number[]): number;
  sendmsg(connection: number, bytes: number, tag?: number, fromAddress?: number): number;
  sendpage(connection: number, pfn: number, offset: number, bytes: number, options?: SendpageOptions): number;
  recv(connection: number, most: number, toAddress?: number): number;
  splice(connection: number, most: number, take: (pfn: number, offset: number, bytes: number) => void): number;
  mapPages(connection: number, most: number, take: (pfn: number) => void): number;
  readableBytes(connection: number): number;
  /** Bytes written and not acknowledged. */
  unacknowledged(connection: number): number;
  /** The socket's row in skbs.socks. */
  sock(connection: number): number;
  /** Congestion window in segments. */
  cwnd(connection: number): number;
  /** The writing process exits: the page that sendmsg copies into is given back. */
  exit(): void;
  readonly counters: TcpCounters;
  readonly state: TcpState;
}

export interface TcpOptions extends CongOptions {
  readonly connectionsMax?: number;
  readonly sendPage?: SendPage;
}

export function createTcp(parts: TcpParts, options: TcpOptions = {}): Tcp {
  const { connectionsMax = 32 } = options;
  const t = createTcpState(connectionsMax);
  const cong = createTcpCong(connectionsMax + 1, options);
  const counters = createTcpCounters();
  const { journal } = parts.skbs;
  const writer = journal?.textId("sender") ?? 0;
  /** The writer is woken. That it goes on at once is a shortcut of the model: what it asks for, it asks as a task. */
  const writable = (c: number): void => {
    const on = users[c]?.writable;
    if (on === undefined) return;
    if (journal === undefined) {
      on(c);
      return;
    }
    const { caller, task, level } = journal;
    journal.caller = 0;
    journal.task = writer;
    journal.level = 0;
    on(c);
    journal.caller = caller;
    journal.task = task;
    journal.level = level;
  };
  const users: (ConnectionUser | undefined)[] = [];
  const byFlow = new Map<number, number>();
  const shared: TcpShared = {
    parts,
    t,
    cong,
    counters,
    sendPage: options.sendPage ?? "32 KiB a process",
    writable,
    readable: (c) => users[c]?.readable?.(c),
  };
  const window = createWindow(shared);
  const queue = createTcpQueue(shared);
  const output = createTcpOutput(shared, queue, window.offer);
  const write = createTcpWrite(shared, queue, output);
  const input = createTcpInput(shared, output, window.wouldOffer);
  const { skbs } = parts;
  let next = 1;

  const live = (c: number): number => {
    assert(t.state[c] === connState.established, () => `TCP connection ${c} is not established`);
    return c;
  };

  const connect = (o: ConnectOptions, user: ConnectionUser): number => {
    assert(next <= connectionsMax, () => `all ${connectionsMax} connection rows are in use`);
    assert(!byFlow.has(o.flowIn), () => `flow ${o.flowIn} is taken`);
    const c = next++;
    const { scatterGather = true, gso = true, isn = 0 } = o;
    const rcvbuf = o.rcvbufBytes ?? defaultRcvbuf;
    t.sock[c] = skbs.socks.create(o.sndbufBytes ?? defaultSndbuf, rcvbuf);
    if (o.sndbufBytes !== undefined) skbs.socks.sndbufLocked[t.sock[c]!] = 1;
    t.state[c] = connState.established;
    t.cpu[c] = o.cpu ?? 0;
    t.flowIn[c] = o.flowIn;
    t.flowOut[c] = o.flowOut;
    t.mss[c] = (o.mtu ?? 1500) - segmentHeaders;
    t.goal[c] = scatterGather && gso ? Math.floor(gsoBytes / t.mss[c]!) * t.mss[c]! : t.mss[c]!;
    t.flags[c] =
      (scatterGather ? connFlag.scatterGather : 0) |
      (gso ? connFlag.gso : 0) |
      (o.noDelay === true ? connFlag.noDelay : 0);
    t.una[c] = t.nxt[c] = t.write[c] = t.smallEnd[c] = isn | 0;
    t.rcvNxt[c] = t.rcvWup[c] = t.copied[c] = isn | 0;
    t.rcvSsthresh[c] = t.rcvWnd[c] = Math.min(65535, windowFromSpace(rcvbuf));
    // What the other end offered in its handshake, which is not modelled: the same.
    t.wnd[c] = t.maxWnd[c] = Math.min(65535, t.rcvWnd[c]!);
    t.quick[c] = 16;
    cong.reset(c);
    parts.mem.join();
    output.bind(c);
    users[c] = user;
    byFlow.set(o.flowIn, c);
    return c;
  };

  return {
    counters,
    state: t,
    connect: (o, user = {}) => connect(o, user),
    close(c) {
      output.purge(live(c));
      input.purge(c);
      write.closeConnection(c);
      t.state[c] = connState.closed;
      t.rtoAt[c] = t.delackAt[c] = 0;
      byFlow.delete(t.flowIn[c]!);
      parts.mem.leave(t.sock[c]!);
    },
    take(skb) {
      const c = byFlow.get(input.flowOf(skb));
      if (c === undefined) skbs.kfreeSkb(skb, dropReason.noSocket);
      else input.take(c, skb);
    },
    writev: (c, lengths, tag, from) => write.writev(live(c), lengths, tag, from),
    sendmsg: (c, bytes, tag, from) => write.sendmsg(live(c), bytes, tag, from),
    sendpage: (c, pfn, offset, bytes, o) => write.sendpage(live(c), pfn, offset, bytes, o),
    recv: (c, most, to) => input.recv(live(c), most, to),
    splice: (c, most, take) => input.splice(live(c), most, take),
    mapPages: (c, most, take) => input.mapPages(live(c), most, take),
    readableBytes: input.readableBytes,
    unacknowledged: (c) => (t.write[c]! - t.una[c]!) | 0,
    sock: (c) => t.sock[c]!,
    cwnd: (c) => cong.cwnd[c]!,
    exit: write.dropFrag,
  };
}
