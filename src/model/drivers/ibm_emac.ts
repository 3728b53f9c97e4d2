// ibm_emac (ibm_newemac): the Ethernet of the PowerPC 4xx behind the MAL, whose descriptors carry at most 4080 bytes. Each slot has an skb
// for the whole MTU all the same: of a jumbo frame in pieces the first skb goes up, the pieces behind it are copied to its end, and their
// skbs stay. drivers/net/ibm_newemac/core.c 2.6.29 (emac_open, emac_poll_rx, emac_rx_sg_append, emac_resize_rx_ring, emac_start_xmit_sg).
import { ibmEmac as facts } from "../../kernel/facts/drivers/ibm_emac.ts";
import { rxRuleAt } from "../../kernel/facts/drivers/index.ts";
import type { Driver, DriverHost } from "../net/path/netdevice.ts";
import { feature } from "../net/path/netdevice.ts";
import { frameBytes, headerBytes } from "../net/path/wire.ts";
import { fragField, headField, skbField } from "../net/skb/skb_columns.ts";
import type { BufferMaker } from "./buffers.ts";
import { bufferMaker, rxMachineOf } from "./buffers.ts";
import type { DriverMaker, DriverParts, DriverSettings } from "./driver.ts";
import { gfpOf, numberSetting, ringSetting, wordSetting } from "./driver.ts";
import { mtuRefusal, receiveUpTo, reopenWithMtu, transmitSide } from "./driver_life.ts";
import type { KeptBuffers } from "./kept_buffers.ts";
import { createKeptBuffers, keptModes } from "./kept_buffers.ts";
import { createRxRing } from "./rx_ring.ts";
import { createTxRing } from "./tx_ring.ts";

const { SIZE: FRAG_SIZE } = fragField;

/** MAL_MAX_TX_SIZE and MAL_MAX_RX_SIZE. */
const malBytes = 4080;
/** EMAC_RX_COPY_THRESH, and the two bytes that align the IP header. */
const copyThreshold = 256;
const rxOffset = 2;
/** Copying a piece of a frame costs this much a byte, a plausible figure for a 600 MHz PowerPC. */
const copyNanosPerByte = 1;
const { LEN, DATA_LEN, HEAD } = skbField;
const { NR_FRAGS } = headField;

export const ibmEmac: DriverMaker = {
  name: "ibm_emac",
  features: feature.sg | feature.csum | feature.gso,
  settings: {
    rx_ring: ringSetting("receive ring", 128),
    tx_ring: ringSetting("transmit ring", 64),
    tah: { does: "the chip has a TAH: checksums and scatter-gather", otherwise: true },
    pool: {
      does: "a fixed set of this many buffers, made at open and reused forever; 0: a new one each time",
      otherwise: 0,
      least: 0,
      most: 65536,
    },
    pool_use: {
      does: "what goes up from the fixed set: the buffer, a copy, or pages with a destructor",
      words: keptModes,
    },
    tx_lock: { does: "false, wrongly: the poll of another CPU comes in while the ring is filled", otherwise: true },
    tx_free_twice_every: {
      does: "a planted bug: one in this many sent packets is freed twice; 0: none",
      otherwise: 0,
      least: 0,
      most: 1_000_000,
    },
  },
  make,
};

function make(parts: DriverParts, host: DriverHost, settings: DriverSettings): Driver {
  const { skbs, cpus, frames, receive, release, journal } = parts;
  const { S, H, F } = skbs.columns;
  const rx = createRxRing(parts, host, numberSetting(settings, "rx_ring"));
  const txSize = numberSetting(settings, "tx_ring");
  const chunks = (bytes: number): number => Math.max(1, Math.ceil(bytes / malBytes));
  // On purpose: every so many packets are freed twice at completion; the poll of another CPU comes in between (tx_lock: false).
  const twiceEvery = numberSetting(settings, "tx_free_twice_every");
  const tx = createTxRing(parts, host, {
    size: txSize,
    cleaner: "emac_poll_tx < mal_poll < net_rx_action",
    ...(settings["tx_lock"] === false ? { unlocked: () => void tx.clean(0) } : {}),
    ...(twiceEvery === 0
      ? {}
      : {
          free(skb: number) {
            skbs.kfreeSkb(skb);
            if (tx.counters.packets % twiceEvery === 0) skbs.kfreeSkb(skb);
          },
        }),
    stopRoom: 1,
    wakeRoom: txSize - (txSize >> 2),
    descriptors(skb) {
      let n = chunks(S[skb + LEN]! - S[skb + DATA_LEN]!);
      const frags = H[S[skb + HEAD]! + NR_FRAGS]!;
      for (let i = 0; i < frags; i++) n += chunks(F[skbs.fragAt(skb, i) + FRAG_SIZE]!);
      return n;
    },
  });
  const at = rxMachineOf(parts);
  const atomic = gfpOf(release, "GFP_ATOMIC");
  const kernel = gfpOf(release, "GFP_KERNEL");
  const sites = {
    open: journal.textId("emac_alloc_rx_skb < emac_open"),
    poll: journal.textId("emac_alloc_rx_skb < emac_poll_rx < mal_poll"),
    sent: journal.textId("skb_release_data < __kfree_skb < kfree_skb < emac_poll_tx < mal_poll < net_rx_action"),
    copy: journal.textId("emac_poll_rx < mal_poll"),
    resize: journal.textId("emac_resize_rx_ring < emac_change_mtu"),
  };
  // On purpose: buffers that are made at open and kept, as seed 000 tried; without `pool` a fresh one is made for each that goes up.
  const poolSize = numberSetting(settings, "pool");
  const kept =
    poolSize === 0
      ? undefined
      : createKeptBuffers(parts, wordSetting(settings, "pool_use", keptModes), poolSize, rxOffset);
  let maker: BufferMaker | undefined;
  /** dev->rx_skb_size: it only grows while the ring lives. */
  let skbBytes = 0;
  let open = false;
  const counters = {
    pool_reused: 0,
    rx_packets: 0,
    tx_packets: 0,
    rx_dropped_oom: 0,
    rx_dropped_stack: 0,
    rx_dropped_mtu: 0,
    rx_stopped: 0,
    tx_busy: 0,
  };

  const makerFor = (mtu: number): BufferMaker | undefined => {
    const [request] = rxRuleAt(facts, release.version)?.rule.buffers(mtu, at) ?? [];
    return request === undefined ? undefined : bufferMaker(parts, request);
  };
  const fresh = (of: BufferMaker | undefined, gfp: number): number => {
    const skb = of?.make(gfp) ?? 0;
    if (skb !== 0) skbs.skbReserve(skb, rxOffset);
    return skb;
  };
  const up = (skb: number, frame: number): void => {
    receive.describe(skb, frame);
    frames.give(frame);
    counters.rx_packets++;
    host.receive(skb);
  };
  const droppedOom = (frame: number, pieces: number): void => {
    counters.rx_dropped_oom++;
    host.device().stats.rxDropped++;
    frames.give(frame);
    for (let i = 0; i < pieces; i++) rx.advance();
  };

  const receiveKept = (buffers: KeptBuffers, frame: number, bytes: number, pieces: number): void => {
    const slot = rx.clean;
    const skb = buffers.packet(rx.buffer[slot]!, bytes);
    if (skb === 0) {
      droppedOom(frame, pieces);
      return;
    }
    rx.set(slot, buffers.after());
    for (let i = 0; i < pieces; i++) rx.advance();
    counters.pool_reused = buffers.reused();
    up(skb, frame);
  };

  const receiveOne = (frame: number): void => {
    const bytes = frameBytes(frames, frame);
    const slot = rx.clean;
    const pieces = rx.pieces[slot]!;
    if (pieces === 1 && bytes < copyThreshold) {
      journal.caller = sites.copy;
      const skb = skbs.allocSkb(bytes + rxOffset, atomic);
      if (skb === 0) {
        droppedOom(frame, 1);
        return;
      }
      rx.advance();
      skbs.skbReserve(skb, rxOffset);
      skbs.skbPut(skb, bytes);
      up(skb, frame);
      return;
    }
    journal.caller = sites.poll;
    if (kept !== undefined) {
      receiveKept(kept, frame, bytes, pieces);
      return;
    }
    const next = fresh(maker, atomic);
    if (next === 0) {
      droppedOom(frame, pieces);
      return;
    }
    const skb = rx.buffer[slot]!;
    rx.set(slot, next);
    rx.advance();
    const firstBytes = Math.min(bytes, malBytes);
    skbs.skbPut(skb, firstBytes);
    if (pieces > 1) {
      // The skbs of the pieces behind the first keep their slots; their bytes are copied.
      for (let i = 1; i < pieces; i++) rx.advance();
      if (bytes - firstBytes > skbs.tailroom(skb)) {
        counters.rx_dropped_mtu++;
        skbs.kfreeSkb(skb);
        frames.give(frame);
        return;
      }
      skbs.skbPut(skb, bytes - firstBytes);
      cpus.spend((bytes - firstBytes) * copyNanosPerByte);
    }
    up(skb, frame);
  };

  const transmit = transmitSide(tx, counters);
  const driver: Driver = {
    name: "ibm_emac",
    counters,
    open() {
      // Scatter-gather and checksums are the TAH's; the 405EX has none (emac_probe()).
      if (settings["tah"] === false) host.device().features = 0;
      maker = makerFor(host.device().mtu);
      skbBytes = maker?.request.bytes ?? 0;
      journal.caller = sites.open;
      if (kept !== undefined && (maker === undefined || poolSize < rx.size || !kept.fill(maker))) return false;
      for (let slot = 0; slot < rx.size; slot++) {
        const skb = kept !== undefined ? kept.next() : fresh(maker, kernel);
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
      if (kept === undefined) rx.reset((skb) => skbs.kfreeSkb(skb));
      else {
        rx.reset((buffer) => kept.giveBack(buffer));
        kept.close();
      }
      tx.reset();
    },
    changeMtu(mtu) {
      const refusal = mtuRefusal(mtu, 46, facts.mtuMax);
      if (refusal !== undefined) return refusal;
      if (kept !== undefined && open) return reopenWithMtu(driver, host, open, mtu);
      const wanted = makerFor(mtu);
      if (open && wanted !== undefined && wanted.request.bytes > skbBytes) {
        // emac_resize_rx_ring(): what waits is dropped; then a whole ring at once, atomically. What was replaced stays replaced.
        for (let frame = rx.arrived(); frame !== 0; frame = rx.arrived()) {
          counters.rx_stopped++;
          droppedOom(frame, rx.pieces[rx.clean]!);
        }
        journal.caller = sites.resize;
        for (let slot = 0; slot < rx.size; slot++) {
          const skb = fresh(wanted, atomic);
          if (skb === 0) return "no memory";
          skbs.kfreeSkb(rx.buffer[slot]!);
          rx.set(slot, skb);
        }
        skbBytes = wanted.request.bytes;
      }
      if (wanted !== undefined && (!open || wanted.request.bytes >= skbBytes)) maker = wanted;
      host.device().mtu = mtu;
      return "ok";
    },
    startXmit: transmit.startXmit,
    poll(budget) {
      journal.caller = sites.sent;
      transmit.clean(0);
      return receiveUpTo(rx, cpus, budget, receiveOne);
    },
    frameArrived(frame) {
      const bytes = frameBytes(frames, frame);
      const fits = bytes <= host.device().mtu + headerBytes[0] + 4;
      if (open && fits && rx.arrive(frame, chunks(bytes))) return;
      if (!fits) counters.rx_dropped_mtu++;
      host.device().stats.rxMissed++;
      frames.give(frame);
    },
    ringFill: () => ({ filled: rx.filled(), size: rx.size }),
    draw: (slots) => rx.draw(slots),
    txSlots: tx.slots,
  };
  return driver;
}
