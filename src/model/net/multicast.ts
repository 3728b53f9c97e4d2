// One datagram for several sockets: each but the last gets a clone, the last the packet itself. __udp4_lib_mcast_deliver(), net/ipv4/udp.c, 6.1.
import type { Skbs } from "./skbs.ts";

export interface Multicast {
  /** A socket joins: its function owns the packet that it is given. Returns the function that leaves. */
  join(take: (skb: number) => void): () => void;
  /** Hands the packet to all that joined; nobody there frees it. For receive.protocol(). */
  deliver(skb: number): void;
  /** Sockets that got nothing because there was no memory for a clone. */
  missed(): number;
}

export function createMulticast(skbs: Skbs): Multicast {
  const sockets: ((skb: number) => void)[] = [];
  let missed = 0;
  return {
    join(take) {
      sockets.push(take);
      return () => {
        const at = sockets.indexOf(take);
        if (at >= 0) sockets.splice(at, 1);
      };
    },
    deliver(skb) {
      const last = sockets.length - 1;
      for (let i = 0; i < last; i++) {
        const clone = skbs.skbClone(skb, skbs.config.gfp.atomic);
        if (clone === 0) missed++;
        else (sockets[i] as (skb: number) => void)(clone);
      }
      if (last < 0) skbs.consumeSkb(skb);
      else (sockets[last] as (skb: number) => void)(skb);
    },
    missed: () => missed,
  };
}
