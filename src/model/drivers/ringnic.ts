// A plain network card whose policy is data: one buffer a packet in each ring, and the choices that real drivers differ in.
//   refill   "before" handing a packet up (the old buffer stays if there is no memory) or "after" (the slot stays empty until it works)
//   failure  with "before": "keep" the old buffer and drop its packet
//   buffers  "fresh" skbs, or "preallocated": a fixed set is handed to the stack and put back into the ring, as seed 000 tried
// Not any real device; the real ones are their own files.
import { assert } from "../../base/assert.ts";
import type { Driver, DriverHost } from "../net/netdevice.ts";
import { feature, netdevTx } from "../net/netdevice.ts";
import { packetField } from "../net/receive.ts";
import { skbField } from "../net/skb_columns.ts";
import { frameBytes, frameField, headerBytes } from "../net/wire.ts";
import type { DriverMaker, DriverParts, DriverSettings } from "./driver.ts";
import { gfpOf, numberSetting, wordSetting } from "./driver.ts";

/** Simulated cost of handling a packet in the driver and the stack above it, a plausible figure for one CPU. */
const rxPacketNanos = 600;
const txPacketNanos = 500;
const coalesceNanos = 10_000;
const { LEN } = skbField;

export const ringnic: DriverMaker = {
  name: "ringnic",
  features: feature.sg | feature.csum | feature.gso | feature.gro,
  make,
};

function make(parts: DriverParts, host: DriverHost, settings: DriverSettings): Driver {
  const { skbs, clock, cpus, frames, receive, release } = parts;
  const { S } = skbs.columns;
  const rxSize = numberSetting(settings, "rx_ring", 256);
  const txSize = numberSetting(settings, "tx_ring", 256);
  const refill = wordSetting(settings, "refill", ["before", "after"]);
  const buffers = wordSetting(settings, "buffers", ["fresh", "preallocated"]);
  const atomic = gfpOf(release, "GFP_ATOMIC");
  const kernel = gfpOf(release, "GFP_KERNEL");
  const rx = new Int32Array(rxSize);
  const arrived = new Int32Array(rxSize);
  const tx = new Int32Array(txSize);
  let bufferBytes = 0;
  /** Next slot the hardware writes, next slot the driver reads. */
  let hardware = 0;
  let clean = 0;
  let waiting = 0;
  let filled = 0;
  let txHead = 0;
  let txCount = 0;
  let txDone = 0;
  let open = false;
  const counters = { rx_packets: 0, rx_no_buffer: 0, rx_alloc_failed: 0, rx_dropped: 0, tx_packets: 0, tx_busy: 0 };

  const fill = (slot: number, gfp: number): boolean => {
    const skb = skbs.netdevAllocSkb(bufferBytes, gfp);
    if (skb === 0) {
      counters.rx_alloc_failed++;
      return false;
    }
    rx[slot] = skb;
    filled++;
    return true;
  };

  const interrupt = clock.handler(() => host.raiseInterrupt());

  const completed = clock.handler(() => {
    txDone++;
    host.raiseInterrupt();
  });

  const cleanTx = (): void => {
    while (txDone > 0) {
      txDone--;
      const at = (txHead + txSize - txCount) % txSize;
      const skb = tx[at]!;
      tx[at] = 0;
      txCount--;
      skbs.consumeSkb(skb);
      counters.tx_packets++;
    }
    if (host.device().txStopped && txCount <= txSize - 18) host.wakeQueue();
  };

  const handUp = (slot: number): void => {
    const skb = rx[slot]!;
    const frame = arrived[slot]!;
    const bytes = frameBytes(frames, frame);
    arrived[slot] = 0;
    waiting--;
    if (refill === "before" && buffers === "fresh") {
      // A new buffer first; without one this packet is dropped and its buffer used again.
      rx[slot] = 0;
      filled--;
      if (!fill(slot, atomic)) {
        rx[slot] = skb;
        filled++;
        counters.rx_dropped++;
        host.device().stats.rxDropped++;
        frames.give(frame);
        return;
      }
    } else if (buffers === "fresh") {
      rx[slot] = 0;
      filled--;
    }
    skbs.skbPut(skb, Math.min(bytes, bufferBytes));
    receive.describe(skb, frame);
    frames.give(frame);
    counters.rx_packets++;
    // With preallocated buffers the ring keeps its pointer to what it gives away: the mistake of the thread.
    host.receive(skb);
  };

  const refillAfter = (): void => {
    for (let i = 0; i < rxSize && filled < rxSize; i++) {
      const slot = (clean + i) % rxSize;
      if (rx[slot] === 0 && !fill(slot, atomic)) return;
    }
  };

  return {
    name: "ringnic",
    counters,
    open() {
      bufferBytes = host.device().mtu + headerBytes[0] + 4;
      for (let slot = 0; slot < rxSize; slot++) {
        if (fill(slot, kernel)) continue;
        this.stop();
        return false;
      }
      open = true;
      return true;
    },
    stop() {
      open = false;
      for (let slot = 0; slot < rxSize; slot++) {
        if (arrived[slot] !== 0) frames.give(arrived[slot]!);
        if (rx[slot] !== 0) skbs.kfreeSkb(rx[slot]!);
        arrived[slot] = 0;
        rx[slot] = 0;
      }
      txDone = txCount;
      cleanTx();
      hardware = clean = waiting = filled = 0;
    },
    changeMtu(mtu) {
      if (mtu < 68 || mtu > 9000) return `mtu ${mtu} is not between 68 and 9000`;
      const was = open;
      if (was) this.stop();
      host.device().mtu = mtu;
      return !was || this.open() ? "ok" : "no memory";
    },
    startXmit(skb) {
      if (txCount === txSize) {
        counters.tx_busy++;
        host.stopQueue();
        return netdevTx.busy;
      }
      tx[txHead] = skb;
      txHead = (txHead + 1) % txSize;
      txCount++;
      cpus.spend(txPacketNanos);
      const { link } = host.device();
      if (link === undefined) txDone++;
      else {
        const frame = frames.take();
        const { W } = frames;
        W[frame + frameField.KIND] = S[skb + packetField.KIND]!;
        W[frame + frameField.LEN] = Math.max(
          0,
          S[skb + LEN]! - headerBytes[(S[skb + packetField.KIND]! & 255) as 0 | 1 | 2],
        );
        W[frame + frameField.FLOW] = S[skb + packetField.FLOW]!;
        W[frame + frameField.SEQ] = S[skb + packetField.SEQ]!;
        W[frame + frameField.TAG] = S[skb + packetField.TAG]!;
        W[frame + frameField.ACK] = S[skb + packetField.ACK]!;
        W[frame + frameField.AUX] = S[skb + packetField.AUX]!;
        link.send(frame);
        clock.after(Math.max(0, link.freeAtNanos() - clock.now()), completed);
      }
      if (txCount === txSize) host.stopQueue();
      return netdevTx.ok;
    },
    poll(budget) {
      cleanTx();
      let work = 0;
      while (work < budget && arrived[clean] !== 0) {
        const slot = clean;
        clean = (clean + 1) % rxSize;
        cpus.spend(rxPacketNanos);
        handUp(slot);
        work++;
      }
      if (refill === "after" && buffers === "fresh") refillAfter();
      return work;
    },
    frameArrived(frame) {
      if (!open || rx[hardware] === 0 || arrived[hardware] !== 0) {
        counters.rx_no_buffer++;
        host.device().stats.rxMissed++;
        frames.give(frame);
        return;
      }
      assert(frame !== 0, "no frame arrived");
      arrived[hardware] = frame;
      hardware = (hardware + 1) % rxSize;
      if (waiting++ === 0) clock.after(coalesceNanos, interrupt);
    },
    ringFill: () => ({ filled, size: rxSize }),
  };
}
