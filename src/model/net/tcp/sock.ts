// The part of a socket that skbs are charged to, as rows: what is queued to send and to read, the limits, and the memory reserved ahead.
// skb_set_owner_w/r and the destructors sock_wfree and sock_rfree are skb_owner.ts's (net/core/sock.c, include/net/sock.h, 6.1); who may
// reserve how much is sock_mem.ts's. Not a protocol.

import { assert } from "../../../base/assert.ts";

export interface Socks {
  /** A socket with limits in bytes; 0 is no socket. */
  create(sndbufBytes: number, rcvbufBytes: number): number;
  /** sk_wmem_alloc: truesize of packets on their way through queues and drivers. */
  readonly wmemAlloc: Int32Array;
  /** sk_rmem_alloc: truesize of packets that wait to be read. */
  readonly rmemAlloc: Int32Array;
  readonly sndbuf: Int32Array;
  readonly rcvbuf: Int32Array;
  /** SOCK_SNDBUF_LOCK: 1 where somebody set the send buffer, and nothing tunes it any more. */
  readonly sndbufLocked: Uint8Array;
  /** sk_wmem_queued: truesize in a stream's write queue. */
  readonly wmemQueued: Int32Array;
  /** sk_forward_alloc: bytes reserved from the protocol's memory and not used yet. */
  readonly forwardAlloc: Int32Array;
  /** sk_drops: packets that did not fit the receive buffer. */
  readonly drops: Int32Array;
  /** Sockets made so far. */
  count(): number;
  /** Called when sent memory came back to a socket (sk_write_space). */
  onWriteSpace(listener: (sock: number) => void): void;
  writeSpace(sock: number): void;
}

/** Sockets of a machine, unless somebody says otherwise: a few KiB of rows each hundred. */
export const socksMax = 4096;

export function createSocks(socksMax: number): Socks {
  const row = (): Int32Array => new Int32Array(socksMax + 1);
  const sndbuf = row();
  const rcvbuf = row();
  const listeners: ((sock: number) => void)[] = [];
  let next = 1;
  return {
    create(send, receive) {
      assert(next <= socksMax, () => `all ${socksMax} socket rows are in use`);
      sndbuf[next] = send;
      rcvbuf[next] = receive;
      return next++;
    },
    wmemAlloc: row(),
    rmemAlloc: row(),
    sndbuf,
    rcvbuf,
    sndbufLocked: new Uint8Array(socksMax + 1),
    wmemQueued: row(),
    forwardAlloc: row(),
    drops: row(),
    count: () => next - 1,
    onWriteSpace: (listener) => void listeners.push(listener),
    writeSpace(sock) {
      for (const hear of listeners) hear(sock);
    },
  };
}
