// What drivers do alike beside their rings: transmitting with its two counters, the plain receive loop, a change of the MTU that takes the
// device down and up. Not here: how a ring is filled and what becomes of a frame, which is where drivers differ.
import type { Driver, DriverHost } from "../net/path/netdevice.ts";
import { headerBytes } from "../net/path/wire.ts";
import { skbField } from "../net/skb/skb_columns.ts";
import type { Skbs } from "../net/skb/skbs.ts";
import type { Cpus } from "../sync/cpu.ts";
import type { RxRing } from "./rx_ring.ts";
import { rxPacketNanos } from "./rx_ring.ts";
import type { TxRing } from "./tx_ring.ts";

/** ndo_start_xmit, and the poll's cleaning of what was sent, both counted where `ethtool -S` of the driver shows them. */
export function transmitSide(tx: TxRing, counters: { tx_packets: number; tx_busy: number }) {
  return {
    startXmit(skb: number): number {
      const rc = tx.xmit(skb);
      counters.tx_busy = tx.counters.busy;
      return rc;
    },
    clean(budget: number): void {
      tx.clean(budget);
      counters.tx_packets = tx.counters.packets;
    },
  };
}

/** Takes up to `budget` arrived frames out of the ring, one slot chain at a time; `one` deals with each. Returns how many. */
export function receiveUpTo(rx: RxRing, cpus: Cpus, budget: number, one: (frame: number) => void): number {
  let work = 0;
  while (work < budget) {
    const frame = rx.arrived();
    if (frame === 0) break;
    cpus.spend(rxPacketNanos);
    one(frame);
    work++;
  }
  return work;
}

/** A packet that may have fragments: GRO and the stack want its headers in the linear part; without memory for that it is dropped. */
export function handUp(skbs: Skbs, host: DriverHost, skb: number): void {
  const { S } = skbs.columns;
  const headers = headerBytes[(S[skb + skbField.PROTOCOL]! & 255) as 0 | 1 | 2];
  if (skbs.pskbMayPull(skb, Math.min(headers, S[skb + skbField.LEN]!))) host.receive(skb);
  else skbs.kfreeSkb(skb);
}

/** Why a device cannot have this MTU, or undefined. */
export function mtuRefusal(mtu: number, least: number, most: number): string | undefined {
  return !(Number.isInteger(mtu) && mtu >= least && mtu <= most)
    ? `mtu ${mtu} is not between ${least} and ${most}`
    : undefined;
}

/** ndo_change_mtu of a driver that frees its rings and fills them anew; one that does not run only notes the number. */
export function reopenWithMtu(driver: Driver, host: DriverHost, running: boolean, mtu: number): string {
  if (running) driver.stop();
  host.device().mtu = mtu;
  return !running || driver.open() ? "ok" : "no memory";
}
