// A plain network card whose policy is data: the choices that real drivers differ in, each a setting (docs/scenarios.md has what they mean).
//   refill   "before" handing a packet up (the old buffers stay if there is no memory) or "after" (slots stay empty until it works)
//   buffers  "fresh" skbs; pages of a "page_pool" with build_skb(); or "preallocated": a fixed set is handed to the stack and put back into
//            the ring, as seed 000 tried
// Not any real device; the real ones are their own files.
import type { Driver, DriverHost } from "../net/path/netdevice.ts";
import { feature } from "../net/path/netdevice.ts";
import { frameBytes, headerBytes } from "../net/path/wire.ts";
import { softirqState } from "../net/pool/pool_context.ts";
import type { DriverMaker, DriverParts, DriverSettings } from "./driver.ts";
import { maskSetting, numberSetting, ringSetting, wordSetting } from "./driver.ts";
import { mtuRefusal, receiveUpTo, reopenWithMtu, transmitSide } from "./driver_life.ts";
import type { Buffers } from "./ringnic_buffers.ts";
import { freshBuffers, poolBuffers } from "./ringnic_buffers.ts";
import { createRxRing } from "./rx_ring.ts";
import { createTxRing } from "./tx_ring.ts";

const refills = ["before", "after"] as const;
const bufferings = ["fresh", "preallocated", "page_pool"] as const;

export const ringnic: DriverMaker = {
  name: "ringnic",
  features: feature.sg | feature.csum | feature.gso | feature.gro,
  queuesMost: 64,
  settings: {
    rx_ring: ringSetting("receive ring", 256),
    tx_ring: ringSetting("transmit ring", 256, 32),
    refill: { does: "a new buffer is taken before a packet goes up, or after", words: refills },
    refill_least: {
      does: "refill after: slots that must be empty before any is refilled",
      otherwise: 1,
      least: 1,
      most: 65536,
    },
    buffers: {
      does: "fresh sk_buffs, a fixed set that is handed up and put back into the ring, or pages of a page_pool",
      words: bufferings,
    },
    copybreak: {
      does: "packets up to this many bytes are copied, and their buffer stays in the ring",
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
    order_most: {
      does: "page_pool: highest order of a buffer; a frame that is longer takes several",
      otherwise: 5,
      least: 0,
      most: 5,
    },
    pool_size: { does: "page_pool: pool_size; 0: as rx_ring", otherwise: 0, least: 0, most: 32768 },
    gfp_open: { does: "mask of the buffers that open() takes", mask: "GFP_KERNEL" },
    gfp_refill: { does: "mask of a buffer that is taken in a poll", mask: "GFP_ATOMIC" },
    gfp_copy: { does: "mask of a packet that is copied", mask: "GFP_ATOMIC" },
  },
  make,
};

function make(parts: DriverParts, host: DriverHost, settings: DriverSettings): Driver {
  const { skbs, cpus, frames, receive, release, journal } = parts;
  const rx = createRxRing(parts, host, numberSetting(settings, "rx_ring"));
  const txSize = numberSetting(settings, "tx_ring");
  const tx = createTxRing(parts, host, { size: txSize, stopRoom: 18, wakeRoom: Math.min(32, txSize) });
  const refill = wordSetting(settings, "refill", refills);
  const buffering = wordSetting(settings, "buffers", bufferings);
  const fresh = buffering !== "preallocated";
  const copybreak = numberSetting(settings, "copybreak");
  const ownBytes = numberSetting(settings, "buffer_bytes");
  const refillLeast = Math.min(rx.size, numberSetting(settings, "refill_least"));
  const before = refill === "before" && fresh;
  const gfp = {
    open: maskSetting(release, settings, "gfp_open"),
    refill: maskSetting(release, settings, "gfp_refill"),
    copy: maskSetting(release, settings, "gfp_copy"),
  };
  const refillSite = journal.textId("ringnic_refill < ringnic_poll");
  const receiveSite = journal.textId("ringnic_receive < ringnic_poll");
  const openSite = journal.textId("ringnic_refill < ringnic_open");
  const pool = buffering === "page_pool" ? parts.pools() : undefined;
  const orderMost = numberSetting(settings, "order_most");
  const poolSize = numberSetting(settings, "pool_size") || rx.size;
  const buffers: Buffers = pool === undefined ? freshBuffers(parts) : poolBuffers(parts, pool, { orderMost, poolSize });
  /** The buffers of the frame at hand, and those that take their place. */
  const taken = new Float64Array(rx.size);
  const next = new Float64Array(rx.size);
  let bufferBytes = 0;
  let open = false;
  const counters = { rx_packets: 0, rx_no_buffer: 0, rx_alloc_failed: 0, rx_dropped: 0, tx_packets: 0, tx_busy: 0 };

  const take = (mask: number): number => {
    const buffer = buffers.make(mask);
    if (buffer === 0) counters.rx_alloc_failed++;
    return buffer;
  };
  const drop = (frame: number): void => {
    counters.rx_dropped++;
    host.device().stats.rxDropped++;
    frames.give(frame);
  };
  const handUp = (skb: number, frame: number): void => {
    receive.describe(skb, frame);
    frames.give(frame);
    counters.rx_packets++;
    host.receive(skb);
  };
  const packet = (count: number, frame: number): void => {
    journal.caller = receiveSite;
    const bytes = frameBytes(frames, frame);
    const skb = buffers.packet(taken, count, Math.min(bytes, bufferBytes));
    if (skb === 0) drop(frame);
    else handUp(skb, frame);
  };

  /** As many new buffers as the frame takes, or none. */
  const takeNext = (count: number): boolean => {
    journal.caller = refillSite;
    for (let i = 0; i < count; i++) {
      next[i] = take(gfp.refill);
      if (next[i] !== 0) continue;
      for (let got = 0; got < i; got++) buffers.free(next[got]!);
      return false;
    }
    return true;
  };

  const copied = (frame: number, bytes: number): void => {
    journal.caller = receiveSite;
    const copy = skbs.napiAllocSkb(bytes, gfp.copy);
    rx.advance();
    if (copy === 0) {
      drop(frame);
      return;
    }
    journal.caller = receiveSite;
    skbs.skbPut(copy, Math.min(bytes, bufferBytes));
    handUp(copy, frame);
  };

  const receiveOne = (frame: number): void => {
    const count = rx.pieces[rx.clean]!;
    const bytes = frameBytes(frames, frame);
    if (bytes <= copybreak) {
      copied(frame, bytes);
      return;
    }
    // New buffers first; without them this packet is dropped and its buffers used again.
    const goes = !before || takeNext(count);
    for (let i = 0; i < count; i++) {
      taken[i] = rx.buffer[rx.clean]!;
      // With preallocated buffers the ring keeps its pointer to what it gives away: the mistake of the thread.
      if (before && goes) rx.set(rx.clean, next[i]!);
      else if (!before && fresh) rx.set(rx.clean, 0);
      rx.advance();
    }
    if (goes) packet(count, frame);
    else drop(frame);
  };

  const refillAfter = (): void => {
    if (rx.size - rx.filled() < refillLeast) return;
    journal.caller = refillSite;
    for (let i = 0; i < rx.size && rx.filled() < rx.size; i++) {
      if (rx.buffer[rx.use] === 0) {
        const buffer = take(gfp.refill);
        if (buffer === 0) return;
        rx.set(rx.use, buffer);
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
      if (!buffers.open(bufferBytes)) return false;
      for (let slot = 0; slot < rx.size; slot++) {
        const buffer = take(gfp.open);
        if (buffer === 0) {
          driver.stop();
          return false;
        }
        rx.set(slot, buffer);
      }
      open = true;
      return true;
    },
    stop() {
      open = false;
      rx.reset(buffers.free);
      buffers.close();
      tx.reset();
    },
    changeMtu(mtu) {
      return mtuRefusal(mtu, 68, 9000) ?? reopenWithMtu(driver, host, open, mtu);
    },
    startXmit: transmit.startXmit,
    poll(budget) {
      if (pool !== undefined) pool.context.softirq = pool.context.inPoll ?? softirqState.running;
      transmit.clean(budget);
      const work = receiveUpTo(rx, cpus, budget, receiveOne);
      if (open && fresh && !before) refillAfter();
      if (pool !== undefined) pool.context.softirq = softirqState.none;
      return work;
    },
    frameArrived(frame) {
      if (open && rx.arrive(frame, buffers.pieces(frameBytes(frames, frame)))) return;
      counters.rx_no_buffer++;
      host.device().stats.rxMissed++;
      frames.give(frame);
    },
    poolNumber: () => buffers.pool(),
    ringFill: () => ({ filled: rx.filled(), size: rx.size }),
    draw: (slots) => rx.draw(slots),
  };
  return driver;
}
