// Datagram sockets: a receive queue limited by truesize, delivery to one socket or to all members of a group, and sending within a send
// buffer. net/ipv4/udp.c, net/core/sock.c, 6.1.192.
//
//   packet ─▶ flow 7: socket a                            queue, or drop (SOCKET_RCVBUFF) when rmem > rcvbuf
//          ─▶ flow 9: sockets a b c   clone ─▶ a   clone ─▶ b   the packet itself ─▶ c
//
// A clone has its own sk_buff and shares head and fragments: what one member keeps, all members pay for, each with the whole truesize.
// Not here: fragmentation by IP (a datagram fits the MTU), checksums, early demux, GRO of datagrams.
import { assert } from "../../../base/assert.ts";
import { dropReason } from "../skb/drop_reason.ts";
import { skbField } from "../skb/skb_columns.ts";
import type { Skbs } from "../skb/skbs.ts";
import type { SockMem } from "../tcp/sock_mem.ts";
import { memKind } from "../tcp/sock_mem.ts";
import { packetField } from "./receive.ts";
import { frameKind, headerBytes } from "./wire.ts";

const { LEN, NEXT, TRUESIZE } = skbField;
const headers = headerBytes[frameKind.udp];
/** LL_MAX_HEADER and what alignment may take: head room of a packet to send. */
const headroom = 128;

export interface Udp {
  /** A socket that takes the packets of a flow; several on one flow are a multicast group. */
  bind(flow: number, rcvbufBytes?: number, sndbufBytes?: number): number;
  /** Leaves the flow and drops what waits. */
  close(sock: number): void;
  /** What netif_receive_skb() hands up: owns the packet. */
  take(skb: number): void;
  /** recvmsg(): payload bytes of the oldest datagram, or -1 when none waits. */
  recv(sock: number): number;
  /** The oldest datagram itself, headers pulled: the caller frees it. 0 when none waits. */
  dequeue(sock: number): number;
  /** sendmsg(): bytes taken; 0 when the send buffer is full, -1 when there was no memory or the device's queue dropped it. */
  send(sock: number, flow: number, bytes: number, tag?: number): number;
  queued(sock: number): number;
  /** A datagram came into an empty queue or another. */
  onReadable(hear: (sock: number) => void): void;
  readonly counters: {
    delivered: number;
    rcvbufErrors: number;
    memErrors: number;
    noPorts: number;
    cloneErrors: number;
  };
}

/** net.core.rmem_default and wmem_default of x86_64. */
const defaultBufBytes = 212992;

/** `output` owns the packet and says whether it went: dev_queue_xmit(). */
export function createUdp(skbs: Skbs, mem: SockMem, output: (skb: number) => boolean): Udp {
  const { S } = skbs.columns;
  const { socks } = skbs;
  const { rmemAlloc, rcvbuf, wmemAlloc, sndbuf, drops } = socks;
  const { gfp } = skbs.config;
  const members = new Map<number, number[]>();
  const flowOf = new Map<number, number>();
  const first: number[] = [];
  const last: number[] = [];
  const count: number[] = [];
  const counters = { delivered: 0, rcvbufErrors: 0, memErrors: 0, noPorts: 0, cloneErrors: 0 };
  let readable: (sock: number) => void = () => undefined;

  const drop = (skb: number, sock: number, reason: number): void => {
    drops[sock]!++;
    if (reason === dropReason.socketRcvbuff) counters.rcvbufErrors++;
    else counters.memErrors++;
    skbs.kfreeSkb(skb, reason);
  };

  /** __udp_enqueue_schedule_skb(): at least one packet always fits. */
  const enqueue = (sock: number, skb: number): void => {
    if (rmemAlloc[sock]! > rcvbuf[sock]!) {
      drop(skb, sock, dropReason.socketRcvbuff);
      return;
    }
    if (rmemAlloc[sock]! > rcvbuf[sock]! >> 1) skbs.skbCondense(skb);
    if (!mem.schedule(sock, S[skb + TRUESIZE]!, memKind.receive)) {
      drop(skb, sock, dropReason.nomem);
      return;
    }
    mem.setOwnerR(skb, sock);
    S[skb + NEXT] = 0;
    if (count[sock] === 0) first[sock] = skb;
    else S[last[sock]! + NEXT] = skb;
    last[sock] = skb;
    count[sock]!++;
    counters.delivered++;
    readable(sock);
  };

  /** __udp4_lib_mcast_deliver(): clones for all members but the last, who gets the packet. */
  const deliverAll = (group: readonly number[], skb: number): void => {
    for (let i = 0; i + 1 < group.length; i++) {
      const clone = skbs.skbClone(skb, gfp.atomic);
      if (clone !== 0) enqueue(group[i]!, clone);
      else {
        drops[group[i]!]!++;
        counters.cloneErrors++;
      }
    }
    enqueue(group.at(-1) as number, skb);
  };

  const dequeue = (sock: number): number => {
    if (count[sock] === 0) return 0;
    const skb = first[sock]!;
    first[sock] = S[skb + NEXT]!;
    S[skb + NEXT] = 0;
    count[sock]!--;
    skbs.skbOrphan(skb);
    return skb;
  };

  return {
    counters,
    bind(flow, rcvbufBytes = defaultBufBytes, sndbufBytes = defaultBufBytes) {
      const sock = socks.create(sndbufBytes, rcvbufBytes);
      const group = members.get(flow);
      if (group === undefined) members.set(flow, [sock]);
      else group.push(sock);
      flowOf.set(sock, flow);
      first[sock] = last[sock] = count[sock] = 0;
      mem.join();
      return sock;
    },
    close(sock) {
      const flow = flowOf.get(sock);
      assert(flow !== undefined, () => `socket ${sock} is not bound`);
      const rest = (members.get(flow) ?? []).filter((s) => s !== sock);
      if (rest.length === 0) members.delete(flow);
      else members.set(flow, rest);
      flowOf.delete(sock);
      for (let skb = dequeue(sock); skb !== 0; skb = dequeue(sock)) skbs.kfreeSkb(skb);
      mem.leave(sock);
    },
    take(skb) {
      const group = members.get(S[skb + packetField.FLOW]!);
      if (group === undefined || skbs.pskbPull(skb, headers) < 0) {
        counters.noPorts++;
        skbs.kfreeSkb(skb, dropReason.noSocket);
      } else if (group.length === 1) enqueue(group[0]!, skb);
      else deliverAll(group, skb);
    },
    recv(sock) {
      const skb = dequeue(sock);
      if (skb === 0) return -1;
      const bytes = S[skb + LEN]!;
      skbs.consumeSkb(skb);
      return bytes;
    },
    dequeue,
    send(sock, flow, bytes, tag = 0) {
      // sock_alloc_send_skb(): the limit counts what is on its way already.
      if (wmemAlloc[sock]! >= sndbuf[sock]!) return 0;
      const skb = skbs.allocSkb(headroom + headers + bytes, gfp.kernel);
      if (skb === 0) return -1;
      skbs.skbReserve(skb, headroom);
      skbs.skbPut(skb, headers + bytes);
      skbs.skbSetOwnerW(skb, sock);
      S[skb + packetField.FLOW] = flow;
      S[skb + packetField.KIND] = frameKind.udp;
      S[skb + packetField.TAG] = tag;
      return output(skb) ? bytes : -1;
    },
    queued: (sock) => count[sock] ?? 0,
    onReadable(hear) {
      readable = hear;
    },
  };
}
