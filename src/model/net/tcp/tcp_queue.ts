// The write queue of TCP as memory: what a packet in it is charged to, how one is made and let go. net/ipv4/tcp.c, include/net/sock.h, 6.1.192.
import { headField, skbBit, skbField } from "../skb/skb_columns.ts";
import { memKind } from "./sock_mem.ts";
import type { TcpShared } from "./tcp_state.ts";

const { LEN, TRUESIZE, BITS, NEXT, HEAD, MARK } = skbField;
const { GSO_SIZE, GSO_SEGS, GSO_TYPE } = headField;
const { summedMask } = skbBit;
/** MAX_TCP_HEADER with the usual options: room for all headers, 64-byte aligned. */
export const maxTcpHeader = 320;

export interface TcpQueue {
  queueCharge: (c: number, bytes: number) => void;
  /** sk_wmem_free_skb() */
  freeQueued: (c: number, skb: number) => void;
  /** tcp_stream_alloc_skb(): an empty packet with room for headers and `linear` bytes, charged to nobody yet; 0 without memory. */
  streamAlloc: (c: number, linear: number, mask: number, force: boolean) => number;
  /** tcp_set_skb_tso_segs(): how many segments the packet is. */
  setSegments: (c: number, skb: number) => void;
}

export function createTcpQueue(shared: TcpShared): TcpQueue {
  const { parts, t, counters } = shared;
  const { skbs, mem } = parts;
  const { S, H } = skbs.columns;
  const { wmemQueued } = skbs.socks;

  const queueCharge = (c: number, bytes: number): void => {
    wmemQueued[t.sock[c]!]! += bytes;
    if (bytes >= 0) mem.charge(t.sock[c]!, bytes);
    else mem.uncharge(t.sock[c]!, -bytes);
  };

  const freeQueued = (c: number, skb: number): void => {
    queueCharge(c, -S[skb + TRUESIZE]!);
    S[skb + NEXT] = 0;
    skbs.consumeSkb(skb);
  };

  const refusedIn = skbs.journal?.textId("sk_stream_alloc_skb") ?? 0;
  // In 2.6 a writer fills what tailroom there is, so a new packet has no more of it than was asked for (net/ipv4/tcp.c, 2.6.29).
  const exactRoom = shared.sendPage === "a page a socket";
  const streamAlloc = (c: number, linear: number, mask: number, force: boolean): number => {
    const size = (linear + 3) & ~3;
    const skb = skbs.allocSkb(maxTcpHeader + size, mask, 1);
    if (skb === 0) {
      counters.sendNoMemory++;
      mem.moderate(t.sock[c]!);
      return skbs.refused(refusedIn);
    }
    if (!mem.schedule(t.sock[c]!, S[skb + TRUESIZE]!, memKind.send) && !force) {
      counters.sendNoMemory++;
      skbs.consumeSkb(skb);
      return 0;
    }
    skbs.skbReserve(skb, exactRoom ? skbs.tailroom(skb) - size : maxTcpHeader);
    skbs.headerRelease(skb);
    S[skb + BITS]! |= summedMask;
    return skb;
  };

  const setSegments = (c: number, skb: number): void => {
    const head = S[skb + HEAD]!;
    const len = S[skb + LEN]!;
    const mss = t.mss[c]!;
    const segments = len <= mss ? 1 : Math.ceil(len / mss);
    S[skb + MARK] = segments;
    H[head + GSO_SIZE] = segments > 1 ? mss : 0;
    H[head + GSO_SEGS] = segments > 1 ? segments : 0;
    H[head + GSO_TYPE] = segments > 1 ? 1 : 0;
  };

  return { queueCharge, freeQueued, streamAlloc, setSegments };
}
