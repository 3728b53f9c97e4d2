// The part of a socket that skbs are charged to: sk_wmem_alloc and sk_rmem_alloc with their limits, as rows.
// skb_set_owner_w/r and the destructors sock_wfree and sock_rfree (net/core/sock.c, include/net/sock.h, 6.1). Not a protocol.

export interface Socks {
  /** A socket with limits in bytes; 0 is no socket. */
  create(sndbufBytes: number, rcvbufBytes: number): number;
  readonly wmemAlloc: Int32Array;
  readonly rmemAlloc: Int32Array;
  readonly sndbuf: Int32Array;
  readonly rcvbuf: Int32Array;
  /** Called when sent memory came back to a socket (sk_write_space). */
  onWriteSpace(listener: (sock: number) => void): void;
  writeSpace(sock: number): void;
}

export function createSocks(socksMax: number): Socks {
  const wmemAlloc = new Int32Array(socksMax + 1);
  const rmemAlloc = new Int32Array(socksMax + 1);
  const sndbuf = new Int32Array(socksMax + 1);
  const rcvbuf = new Int32Array(socksMax + 1);
  const listeners: ((sock: number) => void)[] = [];
  let next = 1;
  return {
    create(send, receive) {
      sndbuf[next] = send;
      rcvbuf[next] = receive;
      return next++;
    },
    wmemAlloc,
    rmemAlloc,
    sndbuf,
    rcvbuf,
    onWriteSpace: (listener) => void listeners.push(listener),
    writeSpace(sock) {
      for (const hear of listeners) hear(sock);
    },
  };
}
