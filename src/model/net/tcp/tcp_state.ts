// A TCP connection as rows of columns: sequence numbers, windows, queues. Sequence numbers are 32 bits and wrap: compare with before().
//
//   write queue    una|..sent, not acknowledged..|nxt ..written, not sent..|write       skbs linked by NEXT from `first`; `unsent` leads the rest
//   receive queue  copied|..to be read..|next    . . [hole] . .  |out of order|         `readFirst`; `ofoFirst` by NEXT and PREV, sorted, apart
//
// What a queued packet says about itself, in fields that nobody else uses meanwhile: SEQ its first byte; while it waits to be acknowledged,
// MARK how many segments it is, HASH when it was sent (microseconds), CB4 how often.

import type { PageAllocator } from "../../mm/pages.ts";
import type { Clock } from "../../sync/clock.ts";
import type { Cpus } from "../../sync/cpu.ts";
import type { Skbs } from "../skb/skbs.ts";
import type { SockMem } from "./sock_mem.ts";
import type { TcpCong } from "./tcp_cong.ts";

/** What TCP is built on. */
export interface TcpParts {
  readonly skbs: Skbs;
  readonly clock: Clock;
  readonly cpus: Cpus;
  readonly mem: SockMem;
  /** Where pages for user data come from (sk_page_frag). */
  readonly pages: PageAllocator;
  /** Hands a packet with headers to the device that the connection uses; owns it. False: dropped on the way. */
  readonly output: (connection: number, skb: number) => boolean;
}

/** What a connection may be told apart by; everything has a default. */
export interface ConnectOptions {
  /** Flow of packets that come in, and of those that go out: the frame's FLOW. */
  readonly flowIn: number;
  readonly flowOut: number;
  /** MTU of the path, bytes. */
  readonly mtu?: number;
  /** As setsockopt(SO_SNDBUF) leaves it; without, the buffer begins at tcp_wmem[1] and grows with the window. */
  readonly sndbufBytes?: number;
  readonly rcvbufBytes?: number;
  /** The device takes fragments (NETIF_F_SG); without, payload is linear and a packet is a segment. */
  readonly scatterGather?: boolean;
  /** Packets of up to 64 KiB go down and are cut later: GSO, TSO. */
  readonly gso?: boolean;
  /** TCP_NODELAY */
  readonly noDelay?: boolean;
  readonly cpu?: number;
  /** The first sequence number, both ways; tests put it near the wrap. */
  readonly isn?: number;
}

/** sk_state, as far as the model goes: connections begin established and end with close(). */
export const connState = { closed: 0, established: 1 } as const;

export interface TcpState {
  readonly connectionsMax: number;
  readonly state: Uint8Array;
  readonly sock: Int32Array;
  readonly cpu: Int32Array;
  readonly flowIn: Int32Array;
  readonly flowOut: Int32Array;
  readonly mss: Int32Array;
  /** Bytes that one packet carries at most: a multiple of mss. */
  readonly goal: Int32Array;
  /** Bits of {@link connFlag}. */
  readonly flags: Int32Array;
  readonly una: Int32Array;
  readonly nxt: Int32Array;
  readonly write: Int32Array;
  readonly wnd: Int32Array;
  readonly maxWnd: Int32Array;
  readonly smallEnd: Int32Array;
  readonly first: Int32Array;
  readonly last: Int32Array;
  readonly unsent: Int32Array;
  /** Segments sent and not acknowledged. */
  readonly packetsOut: Int32Array;
  /** In loss: the packet that is to be sent again next (0: none left), and segments sent again since. */
  readonly again: Int32Array;
  readonly againOut: Int32Array;
  readonly rcvNxt: Int32Array;
  readonly rcvWup: Int32Array;
  readonly rcvWnd: Int32Array;
  readonly rcvSsthresh: Int32Array;
  readonly copied: Int32Array;
  readonly readFirst: Int32Array;
  readonly readLast: Int32Array;
  readonly ofoFirst: Int32Array;
  readonly ofoLast: Int32Array;
  /** Segments that are still acknowledged at once. */
  readonly quick: Int32Array;
  readonly rtoAt: Float64Array;
  readonly delackAt: Float64Array;
  readonly timers: Uint8Array;
}

export const connFlag = { gso: 1, scatterGather: 2, noDelay: 4, noSpace: 8, throttled: 16 } as const;

export function createTcpState(connectionsMax: number): TcpState {
  const rows = connectionsMax + 1;
  const ints = (): Int32Array => new Int32Array(rows);
  return {
    connectionsMax,
    state: new Uint8Array(rows),
    sock: ints(),
    cpu: ints(),
    flowIn: ints(),
    flowOut: ints(),
    mss: ints(),
    goal: ints(),
    flags: ints(),
    una: ints(),
    nxt: ints(),
    write: ints(),
    wnd: ints(),
    maxWnd: ints(),
    smallEnd: ints(),
    first: ints(),
    last: ints(),
    unsent: ints(),
    packetsOut: ints(),
    again: ints(),
    againOut: ints(),
    rcvNxt: ints(),
    rcvWup: ints(),
    rcvWnd: ints(),
    rcvSsthresh: ints(),
    copied: ints(),
    readFirst: ints(),
    readLast: ints(),
    ofoFirst: ints(),
    ofoLast: ints(),
    quick: ints(),
    rtoAt: new Float64Array(rows),
    delackAt: new Float64Array(rows),
    timers: new Uint8Array(rows),
  };
}

/** seq a lies before seq b on the 32-bit circle. */
export const before = (a: number, b: number): boolean => ((a - b) | 0) < 0;

/** Counters of all connections together, by their names in /proc/net/netstat where one exists. */
export interface TcpCounters {
  segmentsOut: number;
  retransSegs: number;
  timeouts: number;
  fastRetrans: number;
  rcvCoalesce: number;
  ofoQueue: number;
  ofoMerge: number;
  ofoPruned: number;
  rcvPruned: number;
  rcvQDrop: number;
  ofoDrop: number;
  zeroWindowDrop: number;
  rcvCollapsed: number;
  smallQueue: number;
  delayedAcks: number;
  ackNoMemory: number;
  sendNoMemory: number;
  hostQueueBusy: number;
}

export const createTcpCounters = (): TcpCounters => ({
  segmentsOut: 0,
  retransSegs: 0,
  timeouts: 0,
  fastRetrans: 0,
  rcvCoalesce: 0,
  ofoQueue: 0,
  ofoMerge: 0,
  ofoPruned: 0,
  rcvPruned: 0,
  rcvQDrop: 0,
  ofoDrop: 0,
  zeroWindowDrop: 0,
  rcvCollapsed: 0,
  smallQueue: 0,
  delayedAcks: 0,
  ackNoMemory: 0,
  sendNoMemory: 0,
  hostQueueBusy: 0,
});

/** net/core/sock.c sk_page_frag() since 3.7 (5640f7685831); sk_sndmsg_page before. */
export type SendPage = "32 KiB a process" | "a page a socket";

/** What the halves of TCP share. */
export interface TcpShared {
  readonly parts: TcpParts;
  readonly t: TcpState;
  readonly cong: TcpCong;
  readonly counters: TcpCounters;
  /** Where written data goes: page fragments of the process (since 3.7), or a page that each socket keeps. */
  readonly sendPage: SendPage;
  /** Somebody waits for room in the write queue, and there is some. */
  writable(c: number): void;
  readable(c: number): void;
}
