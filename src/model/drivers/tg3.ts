// tg3: Broadcom Tigon3. A standard ring of 1536-byte buffers and, above MTU 1500, a jumbo ring of 9046-byte ones; a packet goes up only when
// its slot has a new buffer. drivers/net/tg3.c 2.6.24 (skbs) and drivers/net/ethernet/broadcom/tg3.c 6.1 (bare data): tg3_init_rings,
// tg3_alloc_rx_skb / tg3_alloc_rx_data, tg3_rx, tg3_change_mtu.
import { rxRuleAt } from "../../kernel/facts/drivers/index.ts";
import { tg3 as facts } from "../../kernel/facts/drivers/tg3.ts";
import { atLeast } from "../../kernel/release.ts";
import type { Driver, DriverHost } from "../net/path/netdevice.ts";
import { feature } from "../net/path/netdevice.ts";
import { frameBytes, headerBytes } from "../net/path/wire.ts";
import type { BufferMaker } from "./buffers.ts";
import { bufferMaker, rxMachineOf } from "./buffers.ts";
import type { DriverMaker, DriverParts, DriverSettings } from "./driver.ts";
import { gfpOf, numberSetting, ringSetting } from "./driver.ts";
import { mtuRefusal, reopenWithMtu, transmitSide } from "./driver_life.ts";
import type { RxRing } from "./rx_ring.ts";
import { createRxRing, rxPacketNanos } from "./rx_ring.ts";
import { createTxRing } from "./tx_ring.ts";

/** tp->rx_offset behind NET_SKB_PAD, the copy threshold, what a standard buffer takes off the wire. */
const rxOffset = 2;
const copyThreshold = 256;
const standardBytes = 1536;
const fcsBytes = 4;

export const tg3: DriverMaker = {
  name: "tg3",
  features: feature.sg | feature.csum | feature.tso | feature.gso | feature.gro | feature.highdma,
  settings: {
    rx_ring: ringSetting("receive ring", 200),
    rx_jumbo_ring: ringSetting("jumbo receive ring", 100),
    tx_ring: ringSetting("transmit ring", 511, 32),
  },
  make,
};

interface Producer {
  readonly ring: RxRing;
  maker: BufferMaker | undefined;
}

function make(parts: DriverParts, host: DriverHost, settings: DriverSettings): Driver {
  const { skbs, cpus, frames, receive, release, journal } = parts;
  const standard: Producer = {
    ring: createRxRing(parts, host, numberSetting(settings, "rx_ring")),
    maker: undefined,
  };
  const jumbo: Producer = {
    ring: createRxRing(parts, host, numberSetting(settings, "rx_jumbo_ring")),
    maker: undefined,
  };
  /** The return ring: in which order packets came, and from which producer. */
  const order = new Uint8Array(standard.ring.size + jumbo.ring.size);
  let first = 0;
  let waiting = 0;
  const txSize = numberSetting(settings, "tx_ring");
  const tx = createTxRing(parts, host, { size: txSize, stopRoom: 19, wakeRoom: Math.max(19, txSize >> 2) });
  const at = rxMachineOf(parts);
  const atomic = gfpOf(release, "GFP_ATOMIC");
  let open = false;
  const counters = { rx_packets: 0, tx_packets: 0, rx_discards: 0, rx_dropped: 0, rx_alloc_failed: 0, tx_busy: 0 };
  const sites = { open: 0, poll: 0, copy: 0 };

  const fill = ({ ring, maker }: Producer): boolean => {
    for (let slot = 0; slot < ring.size; slot++) {
      const buffer = maker?.make(atomic) ?? 0;
      if (buffer === 0) {
        counters.rx_alloc_failed++;
        // "Using a smaller RX standard ring": better than none.
        if (slot > 0) ring.shorten(slot);
        return slot > 0;
      }
      ring.set(slot, buffer);
    }
    return true;
  };

  const drop = (frame: number): void => {
    counters.rx_dropped++;
    host.device().stats.rxDropped++;
    frames.give(frame);
  };
  const up = (skb: number, frame: number, bytes: number): void => {
    skbs.skbPut(skb, bytes);
    receive.describe(skb, frame);
    frames.give(frame);
    counters.rx_packets++;
    host.receive(skb);
  };

  const receiveOne = ({ ring, maker }: Producer): void => {
    const slot = ring.clean;
    const frame = ring.arrived();
    const bytes = frameBytes(frames, frame);
    const of = maker as BufferMaker;
    if (bytes <= copyThreshold) {
      journal.caller = sites.copy;
      const skb = skbs.netdevAllocSkb(bytes + rxOffset, atomic);
      ring.advance();
      if (skb === 0) drop(frame);
      else {
        skbs.skbReserve(skb, rxOffset);
        up(skb, frame, bytes);
      }
      return;
    }
    journal.caller = sites.poll;
    const next = of.make(atomic);
    if (next === 0) {
      // The old buffer stays in its slot and its packet is lost: the ring never shrinks.
      counters.rx_alloc_failed++;
      ring.advance();
      drop(frame);
      return;
    }
    const old = ring.buffer[slot]!;
    ring.set(slot, next);
    ring.advance();
    journal.caller = sites.copy;
    const skb = of.kind === "skb" ? old : of.build(old, at.netSkbPad + rxOffset, false);
    if (skb === 0) {
      of.free(old);
      drop(frame);
      return;
    }
    if (of.kind === "skb") skbs.skbReserve(skb, rxOffset);
    up(skb, frame, bytes);
  };

  const transmit = transmitSide(tx, counters);
  const driver: Driver = {
    name: "tg3",
    counters,
    open() {
      const { mtu } = host.device();
      const requests = rxRuleAt(facts, release.version)?.rule.buffers(mtu, at) ?? [];
      const makers = requests.map((r) => bufferMaker(parts, r));
      standard.maker = makers[0];
      jumbo.maker = makers[1];
      const alloc = makers[0]?.kind === "skb" ? "tg3_alloc_rx_skb" : "tg3_alloc_rx_data";
      sites.open = journal.textId(
        `${alloc} < tg3_rx_prodring_alloc < tg3_init_rings < tg3_reset_hw < tg3_init_hw < tg3_open`,
      );
      // Until 2.6.25 or so one function polls.
      const poll = atLeast(release, [2, 6, 26]) ? "tg3_rx < tg3_poll_work < tg3_poll" : "tg3_rx < tg3_poll";
      sites.poll = journal.textId(`${alloc} < ${poll}`);
      sites.copy = journal.textId(poll);
      journal.caller = sites.open;
      open = fill(standard) && (makers[1] === undefined || fill(jumbo));
      if (!open) driver.stop();
      return open;
    },
    stop() {
      open = false;
      for (const { ring, maker } of [standard, jumbo]) ring.reset((buffer) => maker?.free(buffer));
      first = waiting = 0;
      tx.reset();
    },
    changeMtu(mtu) {
      return mtuRefusal(mtu, 60, facts.mtuMax) ?? reopenWithMtu(driver, host, open, mtu);
    },
    startXmit: transmit.startXmit,
    poll(budget) {
      transmit.clean(budget);
      let work = 0;
      for (; work < budget && waiting > 0; work++) {
        const which = order[first];
        first = first + 1 === order.length ? 0 : first + 1;
        waiting--;
        cpus.spend(rxPacketNanos);
        receiveOne(which === 1 ? jumbo : standard);
      }
      return work;
    },
    frameArrived(frame) {
      const bytes = frameBytes(frames, frame) + fcsBytes;
      const fits = bytes <= host.device().mtu + headerBytes[0] + 4 + fcsBytes;
      const large = bytes > standardBytes ? 1 : 0;
      if (open && fits && (large === 1 ? jumbo : standard).ring.arrive(frame, 1)) {
        order[(first + waiting++) % order.length] = large;
        return;
      }
      counters.rx_discards++;
      host.device().stats.rxMissed++;
      frames.give(frame);
    },
    ringFill: () => ({
      filled: standard.ring.filled() + (jumbo.maker === undefined ? 0 : jumbo.ring.filled()),
      size: standard.ring.size + (jumbo.maker === undefined ? 0 : jumbo.ring.size),
    }),
    draw: (slots) => standard.ring.draw(slots) + (jumbo.maker === undefined ? "" : ` ${jumbo.ring.draw(slots)}`),
  };
  return driver;
}
