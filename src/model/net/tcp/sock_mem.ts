// Memory that a protocol's sockets may hold together, in pages: tcp_mem and udp_mem with their three limits. A socket reserves whole pages
// ahead (sk_forward_alloc) and charges packets to what it reserved. net/core/sock.c and include/net/sock.h, 6.1.192.
//
//   0 ........ low ........ pressure ........ high
//     granted      granted*          small or fair sockets only      nobody, but a full sender
//                                   * until below low again: under memory pressure
//
// Not here: memory cgroups, and the per-CPU reserve of the global counter (6.0).
import { assert } from "../../../base/assert.ts";
import { skbField } from "../skb/skb_columns.ts";
import type { Skbs } from "../skb/skbs.ts";

const { SK, DESTRUCTOR, TRUESIZE } = skbField;

/** What a socket wants memory for. */
export const memKind = { send: 0, receive: 1 } as const;

export interface SockMemOptions {
  /** Limits in pages: low, pressure, high (tcp_mem, udp_mem). */
  readonly limitsPages: readonly [number, number, number];
  /** What every socket may have under pressure too, bytes (tcp_wmem[0], tcp_rmem[0]). */
  readonly sendMinBytes?: number;
  readonly receiveMinBytes?: number;
  /** SOCK_STREAM: the write queue counts, not the packets on their way. */
  readonly stream: boolean;
}

export interface SockMem {
  /** sk_wmem_schedule() and sk_rmem_schedule(): false when the protocol has no memory for `size` bytes more. */
  schedule: (sk: number, size: number, kind: number) => boolean;
  charge: (sk: number, size: number) => void;
  /** sk_mem_uncharge(): gives pages back as soon as one is whole (5.20 and later; before, 2 MB were kept). */
  uncharge: (sk: number, size: number) => void;
  /** sk_stream_moderate_sndbuf(): a sender under pressure gets a smaller buffer. */
  moderate: (sk: number) => void;
  /** skb_set_owner_r(): the packet waits in the socket, charged to what schedule() reserved. */
  setOwnerR(skb: number, sk: number): void;
  /** A socket of this protocol is made, or goes: sk_sockets_allocated. */
  join: () => undefined;
  leave(sk: number): void;
  readonly limitsPages: readonly [number, number, number];
  underPressure: () => boolean;
  /** Pages that all sockets hold or reserved. */
  allocatedPages: () => number;
}

/** tcp_init_mem(): the default limits for a machine with so many pages free at boot. */
export function defaultLimits(freePages: number): readonly [number, number, number] {
  const limit = Math.max(Math.floor(freePages / 16), 128);
  const low = Math.floor(limit / 4) * 3;
  return [low, limit, low * 2];
}

export function createSockMem(skbs: Skbs, options: SockMemOptions): SockMem {
  const { socks } = skbs;
  const { S } = skbs.columns;
  const { pageSize } = skbs.config;
  const { rmemAlloc, wmemAlloc, wmemQueued, forwardAlloc, sndbuf, sndbufLocked } = socks;
  const [low, middle, high] = options.limitsPages;
  const { stream, sendMinBytes = 4096, receiveMinBytes = 4096 } = options;
  let allocated = 0;
  let pressure = false;
  let sockets = 0;

  const pagesOf = (bytes: number): number => Math.ceil(bytes / pageSize);

  const moderate = (sk: number): void => {
    if (sndbufLocked[sk] !== 0) return;
    const half = Math.min(sndbuf[sk]!, wmemQueued[sk]! >> 1);
    sndbuf[sk] = Math.max(half, 4608);
  };

  const small = (sk: number, kind: number): boolean =>
    kind === memKind.receive
      ? rmemAlloc[sk]! < receiveMinBytes
      : (stream ? wmemQueued[sk]! : wmemAlloc[sk]!) < sendMinBytes;

  const fair = (sk: number): boolean =>
    high > sockets * pagesOf(wmemQueued[sk]! + rmemAlloc[sk]! + Math.max(0, forwardAlloc[sk]!));

  /** __sk_mem_raise_allocated() */
  const raise = (sk: number, size: number, pages: number, kind: number): boolean => {
    allocated += pages;
    if (allocated <= low) {
      pressure = false;
      return true;
    }
    if (allocated > middle) pressure = true;
    if (allocated <= high && (small(sk, kind) || (stream && (!pressure || fair(sk))))) return true;
    if (kind === memKind.send && stream) {
      moderate(sk);
      if (wmemQueued[sk]! + size >= sndbuf[sk]!) return true;
    }
    allocated -= pages;
    return false;
  };

  const schedule = (sk: number, size: number, kind: number): boolean => {
    const missing = size - forwardAlloc[sk]!;
    if (missing <= 0) return true;
    const pages = pagesOf(missing);
    if (!raise(sk, missing, pages, kind)) return false;
    forwardAlloc[sk]! += pages * pageSize;
    return true;
  };

  /** __sk_mem_reclaim(): whole pages that nothing is charged to go back. */
  const reclaim = (sk: number): void => {
    const pages = Math.floor(forwardAlloc[sk]! / pageSize);
    if (pages <= 0) return;
    forwardAlloc[sk]! -= pages * pageSize;
    allocated -= pages;
    assert(allocated >= 0, () => `socket ${sk} gave back ${-allocated} pages more than all sockets had`);
    if (pressure && allocated < low) pressure = false;
  };

  const charge = (sk: number, size: number): void => {
    forwardAlloc[sk]! -= size;
  };

  const uncharge = (sk: number, size: number): void => {
    forwardAlloc[sk]! += size;
    if (forwardAlloc[sk]! >= pageSize) reclaim(sk);
  };

  const rfree = skbs.registerDestructor((skb) => {
    const sk = S[skb + SK]!;
    rmemAlloc[sk]! -= S[skb + TRUESIZE]!;
    uncharge(sk, S[skb + TRUESIZE]!);
  });

  return {
    schedule,
    charge,
    uncharge,
    moderate,
    setOwnerR(skb: number, sk: number): void {
      skbs.skbOrphan(skb);
      S[skb + SK] = sk;
      S[skb + DESTRUCTOR] = rfree;
      rmemAlloc[sk]! += S[skb + TRUESIZE]!;
      charge(sk, S[skb + TRUESIZE]!);
    },
    join: () => void sockets++,
    leave(sk: number): void {
      sockets--;
      reclaim(sk);
      assert(sockets >= 0, () => `${sockets} sockets are left`);
    },
    limitsPages: options.limitsPages,
    underPressure: () => pressure,
    allocatedPages: () => allocated,
  };
}
