// A plain network card whose policy is data: one buffer a packet in each ring, and the choices that real drivers differ in.
//   refill   "before" handing a packet up (the old buffer stays if there is no memory) or "after" (the slot stays empty until it works)
//   buffers  "fresh" skbs, or "preallocated": a fixed set is handed to the stack and put back into the ring, as seed 000 tried
//   buffer_bytes  what a buffer must hold; 0: a frame of the MTU
//   copybreak  packets up to so many bytes are copied and their buffer stays in the ring (0: never)
// Not any real device; the real ones are their own files.
import type { Driver, DriverHost } from "../net/path/netdevice.ts";
import { feature } from "../net/path/netdevice.ts";
import { frameBytes, headerBytes } from "../net/path/wire.ts";
import type { DriverMaker, DriverParts, DriverSettings } from "./driver.ts";
import { gfpOf, numberSetting, ringSetting, wordSetting } from "./driver.ts";
import { mtuRefusal, receiveUpTo, reopenWithMtu, transmitSide } from "./driver_life.ts";
import { createRxRing } from "./rx_ring.ts";
import { createTxRing } from "./tx_ring.ts";

const refills = ["before", "after"] as const;
const bufferings = ["fresh", "preallocated"] as const;

export const ringnic: DriverMaker = {
  name: "ringnic",
  features: feature.sg | feature.csum | feature.gso | feature.gro,
  settings: {
    rx_ring: ringSetting("receive ring", 256),
    tx_ring: ringSetting("transmit ring", 256, 32),
    refill: { does: "a new buffer is taken before a packet goes up, or after", words: refills },
    buffers: { does: "fresh sk_buffs, or a fixed set that is handed up and put back into the ring", words: bufferings },
    copybreak: {
      does: "packets up to so many bytes are copied and their buffer stays in the ring",
      otherwise: 0,
      least: 0,
      most: 16384,
    },
    buffer_bytes: {
      does: "what a buffer must hold, bytes; 0: a frame of the MTU",
      otherwise: 0,
      least: 0,
      most: 65536,
    },
  },
  make,
};

function make(parts: DriverParts, host: DriverHost, settings: DriverSettings): Driver {
  const { skbs, cpus, frames, receive, release, journal } = parts;
  const rx = createRxRing(parts, host, numberSetting(settings, "rx_ring"));
  const txSize = numberSetting(settings, "tx_ring");
  const tx = createTxRing(parts, host, { size: txSize, stopRoom: 18, wakeRoom: Math.min(32, txSize) });
  const refill = wordSetting(settings, "refill", refills);
  const fresh = wordSetting(settings, "buffers", bufferings) === "fresh";
  const copybreak = numberSetting(settings, "copybreak");
  const ownBytes = numberSetting(settings, "buffer_bytes");
  const before = refill === "before" && fresh;
  const atomic = gfpOf(release, "GFP_ATOMIC");
  const kernel = gfpOf(release, "GFP_KERNEL");
  const refillSite = journal.textId("ringnic_refill < ringnic_poll");
  const receiveSite = journal.textId("ringnic_receive < ringnic_poll");
  const openSite = journal.textId("ringnic_refill < ringnic_open");
  let bufferBytes = 0;
  let open = false;
  const counters = { rx_packets: 0, rx_no_buffer: 0, rx_alloc_failed: 0, rx_dropped: 0, tx_packets: 0, tx_busy: 0 };

  const make = (gfp: number): number => {
    const skb = skbs.netdevAllocSkb(bufferBytes, gfp);
    if (skb === 0) counters.rx_alloc_failed++;
    return skb;
  };
  const drop = (frame: number): void => {
    counters.rx_dropped++;
    host.device().stats.rxDropped++;
    frames.give(frame);
  };
  const handUp = (skb: number, frame: number, bytes: number): void => {
    journal.caller = receiveSite;
    skbs.skbPut(skb, bytes < bufferBytes ? bytes : bufferBytes);
    receive.describe(skb, frame);
    frames.give(frame);
    counters.rx_packets++;
    host.receive(skb);
  };

  const receiveOne = (frame: number): void => {
    const slot = rx.clean;
    const skb = rx.buffer[slot]!;
    const bytes = frameBytes(frames, frame);
    if (bytes <= copybreak) {
      journal.caller = receiveSite;
      const copy = skbs.napiAllocSkb(bytes, atomic);
      rx.advance();
      if (copy === 0) drop(frame);
      else handUp(copy, frame, bytes);
      return;
    }
    if (before) {
      // A new buffer first; without one this packet is dropped and its buffer used again.
      journal.caller = refillSite;
      const next = make(atomic);
      if (next !== 0) rx.set(slot, next);
      rx.advance();
      if (next === 0) drop(frame);
      else handUp(skb, frame, bytes);
      return;
    }
    // With preallocated buffers the ring keeps its pointer to what it gives away: the mistake of the thread.
    if (fresh) rx.set(slot, 0);
    rx.advance();
    handUp(skb, frame, bytes);
  };

  const refillAfter = (): void => {
    journal.caller = refillSite;
    for (let i = 0; i < rx.size && rx.filled() < rx.size; i++) {
      if (rx.buffer[rx.use] === 0) {
        const skb = make(atomic);
        if (skb === 0) return;
        rx.set(rx.use, skb);
      }
      rx.use = rx.use + 1 === rx.size ? 0 : rx.use + 1;
    }
  };

  const transmit = transmitSide(tx, counters);
  const driver: Driver = {
    name: "ringnic",
    counters,
    open() {
      bufferBytes = Math.max(ownBytes, host.device().mtu + headerBytes[0] + 4);
      journal.caller = openSite;
      for (let slot = 0; slot < rx.size; slot++) {
        const skb = make(kernel);
        if (skb === 0) {
          driver.stop();
          return false;
        }
        rx.set(slot, skb);
      }
      open = true;
      return true;
    },
    stop() {
      open = false;
      rx.reset((skb) => skbs.kfreeSkb(skb));
      tx.reset();
    },
    changeMtu(mtu) {
      return mtuRefusal(mtu, 68, 9000) ?? reopenWithMtu(driver, host, open, mtu);
    },
    startXmit: transmit.startXmit,
    poll(budget) {
      transmit.clean(budget);
      const work = receiveUpTo(rx, cpus, budget, receiveOne);
      if (fresh && !before) refillAfter();
      return work;
    },
    frameArrived(frame) {
      if (open && rx.arrive(frame, 1)) return;
      counters.rx_no_buffer++;
      host.device().stats.rxMissed++;
      frames.give(frame);
    },
    ringFill: () => ({ filled: rx.filled(), size: rx.size }),
    draw: (slots) => rx.draw(slots),
  };
  return driver;
}
