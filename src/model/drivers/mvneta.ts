// mvneta: Marvell Armada 370 to 3720. How a slot gets its buffer has changed four times (kernel/facts/drivers/embedded.ts), and when, thrice:
//   3.8    an skb a slot                             3.15   bare data (page fragment, or kmalloc above a page) with build_skb()
//   4.19   a page a slot, headers copied             5.5    a page of a page_pool with build_skb(); longer frames take several slots
//
//   before 4.2    frame up, then a new buffer                no memory: the slot stays empty
//   4.2 to 4.18   a new buffer, then frame up                no memory: the frame is dropped, its buffer stays in the slot
//   since 4.19    frames up, new buffers after the poll      no memory: slots stay empty until the next poll
//
// Better than the real ones in two places: before 4.2 a buffer without a successor went up and stayed in the ring as well (mended by "net:
// mvneta: fix refilling for Rx DMA buffers"), and 3.15 to 4.18 lose the old buffer when build_skb() gets no sk_buff. Here neither happens.
// drivers/net/ethernet/marvell/mvneta.c of 3.10, 4.14 (mvneta_rx_swbm), 4.19 and 6.1. Not here: the hardware buffer manager, XDP.
import { mvneta as facts } from "../../kernel/facts/drivers/embedded.ts";
import { rxRuleAt } from "../../kernel/facts/drivers/index.ts";
import { atLeast } from "../../kernel/release.ts";
import type { Driver, DriverHost } from "../net/path/netdevice.ts";
import { feature } from "../net/path/netdevice.ts";
import { frameBytes, headerBytes } from "../net/path/wire.ts";
import { defaultPoolParams } from "../net/pool/page_pool.ts";
import { givePagesUp } from "../net/pool/page_pool_hook.ts";
import { softirqState } from "../net/pool/pool_context.ts";
import type { BlocksOfFrame, BufferMaker } from "./buffers.ts";
import { bufferMaker, fillFromBlocks, rxMachineOf } from "./buffers.ts";
import type { DriverMaker, DriverParts, DriverSettings, PoolsOfMachine } from "./driver.ts";
import { gfpOf, numberSetting, ringSetting } from "./driver.ts";
import { mtuRefusal, receiveUpTo, reopenWithMtu, transmitSide } from "./driver_life.ts";
import { createRxRing } from "./rx_ring.ts";
import { createTxRing } from "./tx_ring.ts";

/** rx_copybreak, the Marvell header in front of a frame, headroom of a pool's page (XDP_PACKET_HEADROOM), bytes copied of a paged frame. */
const rxCopybreak = 256;
const marvellHeader = 2;
const poolHeadroom = 256;
const headerCopy = 128;
/** MVNETA_MAX_SKB_DESCS, about: a TSO packet with a header for each segment. */
const maxSkbDescs = 100;

export const mvneta: DriverMaker = {
  name: "mvneta",
  features: feature.sg | feature.csum | feature.tso | feature.gso | feature.gro,
  settings: {
    rx_ring: ringSetting("receive ring", 512),
    tx_ring: ringSetting("transmit ring", 1024, 2),
  },
  make,
};

function make(parts: DriverParts, host: DriverHost, settings: DriverSettings): Driver {
  const { skbs, cpus, frames, receive, release, journal } = parts;
  const rx = createRxRing(parts, host, numberSetting(settings, "rx_ring"));
  const tx = createTxRing(parts, host, {
    // As mvneta_ethtool_set_ringparam() has it: room for two packets of as many descriptors as can be.
    size: Math.max(2 * maxSkbDescs, numberSetting(settings, "tx_ring")),
    stopRoom: maxSkbDescs,
    wakeRoom: 2 * maxSkbDescs,
  });
  const at = rxMachineOf(parts);
  const { pageSize, sharedInfo } = at;
  const atomic = gfpOf(release, "GFP_ATOMIC");
  const kernel = gfpOf(release, "GFP_KERNEL");
  const quiet = gfpOf(release, "GFP_ATOMIC", "NOWARN");
  const loop = atLeast(release, [4, 6]) ? "mvneta_rx_swbm" : "mvneta_rx";
  const sites = {
    open: journal.textId("mvneta_rx_refill < mvneta_rxq_fill < mvneta_setup_rxqs < mvneta_open"),
    poll: journal.textId("mvneta_rx_refill < mvneta_rx_refill_queue < mvneta_rx_swbm < mvneta_poll"),
    frame: journal.textId(`mvneta_rx_refill < ${loop} < mvneta_poll`),
    copy: journal.textId(`${loop} < mvneta_poll`),
  };
  let maker: BufferMaker | undefined;
  let machinePools: PoolsOfMachine | undefined;
  let pool = -1;
  let layout: BlocksOfFrame = {
    block: pageSize,
    piece: Number.POSITIVE_INFINITY,
    headroom: poolHeadroom + marvellHeader,
    fragmentAt: poolHeadroom,
  };
  const taken = new Float64Array(rx.size);
  let open = false;
  const counters = { rx_packets: 0, tx_packets: 0, refill_error: 0, skb_alloc_error: 0, rx_discard: 0, tx_busy: 0 };

  const pooled = (): boolean => pool >= 0 && machinePools !== undefined;
  const fillSlot = (slot: number, gfp: number): boolean => {
    const buffer =
      machinePools !== undefined && pool >= 0 ? machinePools.pools.allocPages(pool, gfp) + 1 : (maker?.make(gfp) ?? 0);
    if (buffer === 0) {
      counters.refill_error++;
      return false;
    }
    rx.set(slot, buffer);
    return true;
  };
  const giveBuffer = (buffer: number): void => {
    if (machinePools !== undefined && pool >= 0) machinePools.pools.putFullPage(pool, buffer - 1, true);
    else maker?.free(buffer);
  };
  /** A frame's slot gets its next buffer with the frame, not at the end of the poll. */
  const perFrame = (): boolean => !pooled() && maker?.kind !== "pages";
  const refillsFirst = atLeast(release, [4, 2]);
  /** mvneta_rx_refill_queue(), and before it each frame's own refill: empty slots in order, until one gets nothing. */
  const refill = (): void => {
    journal.caller = perFrame() ? sites.frame : sites.poll;
    const gfp = pooled() ? quiet : atomic;
    while (rx.buffer[rx.use] === 0) {
      if (!fillSlot(rx.use, gfp)) return;
      rx.use = rx.use + 1 === rx.size ? 0 : rx.use + 1;
    }
  };

  const copied = (bytes: number): number => {
    journal.caller = sites.copy;
    const skb = skbs.netdevAllocSkb(bytes + at.netIpAlign, atomic);
    if (skb === 0) return 0;
    skbs.skbReserve(skb, at.netIpAlign);
    skbs.skbPut(skb, bytes);
    return skb;
  };
  const fromPages = (bytes: number, buffer: number): number => {
    const skb = copied(Math.min(bytes, headerCopy));
    if (skb !== 0 && bytes > headerCopy)
      skbs.skbAddRxFrag(skb, 0, buffer - 1, at.netSkbPad + marvellHeader + headerCopy, bytes - headerCopy, pageSize);
    else if (buffer !== 0) maker?.free(buffer);
    return skb;
  };
  /** build_skb() around the first page, the others as fragments; all of them the pool's. */
  const fromPool = (bytes: number, pieces: number): number => {
    journal.caller = sites.copy;
    const skb = skbs.buildSkb((taken[0]! - 1) * pageSize, pageSize);
    if (skb === 0) {
      for (let i = 0; i < pieces; i++) giveBuffer(taken[i]!);
      return 0;
    }
    if (machinePools !== undefined) givePagesUp(skbs, machinePools.pools, pool, skb, taken, pieces);
    fillFromBlocks(skbs, skb, layout, taken, pieces, bytes);
    return skb;
  };

  /** The buffers of the frame at hand are in `taken` from here on. */
  const takeSlots = (count: number): void => {
    for (let i = 0; i < count; i++) {
      taken[i] = rx.buffer[rx.clean]!;
      rx.set(rx.clean, 0);
      rx.advance();
    }
  };

  const headUp = (bytes: number, buffer: number, of: BufferMaker): number => {
    journal.caller = sites.copy;
    const skb = of.kind === "skb" ? buffer : of.build(buffer, at.netSkbPad + marvellHeader, false);
    if (skb === 0) {
      of.free(buffer);
      return 0;
    }
    if (of.kind === "skb") skbs.skbReserve(skb, marvellHeader);
    skbs.skbPut(skb, bytes);
    return skb;
  };

  /** Refill, then build_skb() on what was in the slot. Without a new buffer the old one stays, and the frame is lost. */
  const exchanged = (bytes: number, of: BufferMaker): number => {
    journal.caller = sites.frame;
    const buffer = rx.buffer[rx.clean]!;
    const filled = fillSlot(rx.clean, atomic);
    rx.advance();
    return filled ? headUp(bytes, buffer, of) : 0;
  };

  const toSkb = (bytes: number, pieces: number): number => {
    if (bytes <= rxCopybreak && pieces === 1 && maker?.kind !== "skb") {
      // The buffer stays where it is.
      const skb = copied(bytes);
      rx.advance();
      return skb;
    }
    if (perFrame() && refillsFirst) return exchanged(bytes, maker as BufferMaker);
    takeSlots(pieces);
    const buffer = taken[0]!;
    if (pooled()) return fromPool(bytes, pieces);
    const of = maker as BufferMaker;
    return of.kind === "pages" ? fromPages(bytes, buffer) : headUp(bytes, buffer, of);
  };

  const receiveOne = (frame: number): void => {
    const skb = toSkb(frameBytes(frames, frame), rx.pieces[rx.clean]!);
    if (skb === 0) {
      counters.skb_alloc_error++;
      host.device().stats.rxDropped++;
    } else {
      receive.describe(skb, frame);
      counters.rx_packets++;
      host.receive(skb);
    }
    if (perFrame()) refill();
    frames.give(frame);
  };

  const transmit = transmitSide(tx, counters);
  const driver: Driver = {
    name: "mvneta",
    counters,
    open() {
      const { mtu } = host.device();
      const [request] = rxRuleAt(facts, release.version)?.rule.buffers(mtu, at) ?? [];
      if (request === undefined) return false;
      maker = bufferMaker(parts, request);
      layout = { ...layout, piece: Number.POSITIVE_INFINITY };
      if (request.call === "page_pool") {
        machinePools = parts.pools();
        pool = machinePools.pools.create({ ...defaultPoolParams, poolSize: rx.size });
        if (pool < 0) return false;
        layout = { ...layout, piece: pageSize - sharedInfo - layout.headroom };
      }
      journal.caller = sites.open;
      for (let slot = 0; slot < rx.size; slot++) {
        if (fillSlot(slot, perFrame() ? atomic : kernel)) continue;
        // "Can't refill queue": the interface does not come up.
        driver.stop();
        return false;
      }
      open = true;
      return true;
    },
    stop() {
      open = false;
      rx.reset(giveBuffer);
      if (machinePools !== undefined && pool >= 0) machinePools.pools.destroy(pool);
      pool = -1;
      tx.reset();
    },
    changeMtu(mtu) {
      return mtuRefusal(mtu, 68, facts.mtuMax) ?? reopenWithMtu(driver, host, open, mtu);
    },
    startXmit: transmit.startXmit,
    poll(budget) {
      if (machinePools !== undefined)
        machinePools.context.softirq = machinePools.context.inPoll ?? softirqState.running;
      transmit.clean(budget);
      const work = receiveUpTo(rx, cpus, budget, receiveOne);
      if (open) refill();
      if (machinePools !== undefined) machinePools.context.softirq = softirqState.none;
      return work;
    },
    frameArrived(frame) {
      const bytes = frameBytes(frames, frame);
      const fits = bytes <= host.device().mtu + headerBytes[0] + 4;
      const limit = maker?.kind === "pages" && !pooled() ? pageSize - at.netSkbPad - marvellHeader : bytes;
      if (open && fits && bytes <= limit && rx.arrive(frame, Math.max(1, Math.ceil(bytes / layout.piece)))) return;
      counters.rx_discard++;
      host.device().stats.rxMissed++;
      frames.give(frame);
    },
    poolNumber: () => pool,
    ringFill: () => ({ filled: rx.filled(), size: rx.size }),
    draw: (slots) => rx.draw(slots),
  };
  return driver;
}
