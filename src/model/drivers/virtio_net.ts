// virtio_net: the card of virtual machines. drivers/net/virtio_net.c: virtnet_open, try_fill_recv, receive_mergeable, page_to_skb; 6.1.192, 6.12.117,
// 7.2.12 and 7.3.4.
//   mergeable   pieces of one big page (since 7.1 of a page_pool), as long as packets are on average; a packet takes as many as it needs
//   big         chains of single pages, long enough for the largest packet; what a packet leaves goes to a private list
//   small       one such piece for a standard frame, which becomes the head
// Without memory a worker that may sleep fills the ring; in 7.2 there is none, and the poll runs again.
// With an XDP program (`xdp`) a buffer is a page with 256 bytes before the packet, and the pieces are no longer stretched.
// Packets of up to 128 bytes, and such as fill their piece to the brim, are copied in whole or in part; the others keep their piece as head.

import { BadInput } from "../../base/bad_input.ts";
import { workerTask } from "../../kernel/facts/call_chains/index.ts";
import { atLeast } from "../../kernel/release.ts";
import { cardRulesOf } from "../kernels/card_rules.ts";
import { unreadRelease } from "../kernels/card_trees.ts";
import type { Driver, DriverHost } from "../net/path/netdevice.ts";
import { feature } from "../net/path/netdevice.ts";
import { frameBytes } from "../net/path/wire.ts";
import { softirqState } from "../net/pool/pool_context.ts";
import { fragField, headField, skbField } from "../net/skb/skb_columns.ts";
import { rxMachineOf } from "./buffers.ts";
import { createXdp, xdpHeadroom, xdpWords } from "./cards/xdp.ts";
import type { DriverMaker, DriverParts, DriverSettings } from "./driver.ts";
import { gfpOf, numberSetting, ringSetting, wordSetting } from "./driver.ts";
import { handUp, mtuRefusal, receiveUpTo, transmitSide } from "./driver_life.ts";
import type { FragmentChain } from "./fragment_chain.ts";
import { fragmentChain } from "./fragment_chain.ts";
import { createRxRing } from "./rx_ring.ts";
import { createSetupMemory } from "./setup_memory.ts";
import { createTxRing } from "./tx_ring.ts";
import { ownPieces, pooledPieces } from "./virtio_pieces.ts";

const { OFFSET: FRAG_OFFSET, SIZE: FRAG_SIZE } = fragField;

/** sizeof(struct virtio_net_hdr_mrg_rxbuf); padded to 16 in front of big packets. */
const headerLength = 12;
const paddedHeader = 16;
const goodCopy = 128;
const goodPacket = 14 + 4 + 1500;
const ethHeader = 14;
/** The weight of the running average of packet lengths. */
const averageWeight = 64;
/** Bytes of a descriptor in an indirect table, of a MAC table's two counts, of an address. */
const descriptorBytes = 16;
const addressBytes = 6;
const { HEAD } = skbField;
const { NR_FRAGS } = headField;

/** How long a poll takes that gets no memory, so that polling on takes time. */
const idlePollNanos = 2000;

const modes = ["mergeable", "big", "small"] as const;

export const virtioNet: DriverMaker = {
  name: "virtio_net",
  // Up to 6.12 the changes that matter here are in dated source; what lies between that and 7.2 is from history.
  unread: (release) => (atLeast(release, [6, 13]) ? unreadRelease("virtio_net", release) : undefined),
  features: feature.sg | feature.csum | feature.tso | feature.gso | feature.gro | feature.highdma,
  settings: {
    mode: { does: "how receive buffers are made", words: modes },
    rx_ring: ringSetting("receive ring", 256),
    tx_ring: ringSetting("transmit ring", 256, 32),
    xdp: { does: "what an XDP program answers to every frame; not with mode big", words: xdpWords },
    multicasts: { does: "multicast addresses in the card's filter", otherwise: 1, least: 0, most: 4096 },
  },
  make,
};

function make(parts: DriverParts, host: DriverHost, settings: DriverSettings): Driver {
  const { skbs, cpus, frames, receive, release, journal, heap, pages } = parts;
  const { S, H, F, fragsMax } = skbs.columns;
  const mode = wordSetting(settings, "mode", modes);
  const program = wordSetting(settings, "xdp", xdpWords);
  if (mode === "big" && program !== "off")
    throw new BadInput("virtio_net has no XDP with mode big.", undefined, "Set mode to mergeable or small.");
  const rxSize = numberSetting(settings, "rx_ring");
  const rx = createRxRing(parts, host, rxSize);
  const tx = createTxRing(parts, host, { size: numberSetting(settings, "tx_ring"), stopRoom: 19, wakeRoom: 19 });
  const setup = createSetupMemory(parts);
  const at = rxMachineOf(parts);
  const { pageSize, sharedInfo } = at;
  const line = at.cacheLine - 1;
  const atomic = gfpOf(release, "GFP_ATOMIC");
  const kernel = gfpOf(release, "GFP_KERNEL");
  const rules = cardRulesOf(release);
  const pooled = mode !== "big" && rules.virtioPool;
  const refillsInPoll = rules.virtioPollsOn;
  const piece = pooled ? pooledPieces(parts, rxSize) : ownPieces(parts);
  /** What a slot's buffer is long (mergeable, small). */
  const lengthOf = new Int32Array(rxSize);
  /** The pages behind the first of a slot's chain (big), pfn plus one. */
  const chainMax = fragsMax + 1;
  const chains = new Int32Array(rxSize * chainMax);
  /** rq->pages: what packets left of their chains. */
  const spares: number[] = [];
  let multicasts = numberSetting(settings, "multicasts");
  let average = 0;
  let open = false;
  let refillWaiting = false;
  const counters = { rx_packets: 0, tx_packets: 0, rx_drops: 0, rx_refill_failed: 0, tx_busy: 0 };
  // One function for all modes until 2.6.35, and no virtnet_receive() until 3.19 (a report of 2.6.34; 3.13).
  const add = atLeast(release, [2, 6, 35]) ? `add_recvbuf_${mode} < try_fill_recv` : "try_fill_recv";
  const poll = atLeast(release, [3, 19]) ? "virtnet_receive < virtnet_poll" : "virtnet_poll";
  const sites = {
    open: journal.textId(`${add} < virtnet_open`),
    poll: journal.textId(`${add} < ${poll}`),
    work: journal.textId(`${add} < refill_work`),
    skb: journal.textId(`page_to_skb < receive_${mode} < receive_buf < ${poll}`),
    command: journal.textId("virtqueue_add_split < virtqueue_add_sgs < virtnet_send_command < virtnet_set_rx_mode"),
    macs: journal.textId("virtnet_set_rx_mode"),
  };

  const mergeableLength = (): number => {
    if (programRoom > 0) return pageSize;
    const want = Math.min(Math.max(average, goodPacket), pageSize - headerLength);
    return (headerLength + want + line) & ~line;
  };
  // With a program: XDP_PACKET_HEADROOM before the packet, and in a mergeable buffer shared_info behind it; then a buffer is a page.
  const headroom = program === "off" ? 0 : xdpHeadroom;
  const programRoom = headroom === 0 ? 0 : (headroom + sharedInfo + line) & ~line;
  // virtnet_xdp_set(): what a single-buffer program may have; until 6.2 a frame of two buffers is tried and lost (xdp_linearize_page()).
  const programMtu = atLeast(release, [6, 3]) ? pageSize - programRoom - ethHeader : pageSize - paddedHeader;
  const smallHeadroom = at.netSkbPad + at.netIpAlign + headerLength + headroom;
  const smallLength = ((goodPacket + smallHeadroom + line) & ~line) + sharedInfo;
  const chainLength = (): number =>
    Math.min(
      fragsMax,
      (host.device().features & feature.gro) !== 0 ? fragsMax : Math.ceil(host.device().mtu / pageSize),
    ) + 1;

  const addPiece = (slot: number, bytes: number, gfp: number): boolean => {
    const address = piece.cut(bytes, gfp, mode === "mergeable" && programRoom === 0);
    if (address < 0) return false;
    lengthOf[slot] = piece.bytes() - (mode === "mergeable" ? programRoom : 0);
    rx.set(slot, address);
    return true;
  };
  const takePage = (gfp: number): number => spares.pop() ?? pages.allocPages(gfp, 0) + 1;
  const addChain = (slot: number, gfp: number): boolean => {
    const want = chainLength();
    for (let i = 0; i < want; i++) {
      const page = takePage(gfp);
      if (page === 0) {
        while (i-- > 0) spares.push(chains[slot * chainMax + i]!);
        return false;
      }
      chains[slot * chainMax + i] = page;
    }
    rx.set(slot, chains[slot * chainMax]! * pageSize);
    lengthOf[slot] = want;
    return true;
  };

  /** try_fill_recv(): until the queue is full, or there is no memory (false). */
  const fill = (gfp: number, site: number): boolean => {
    journal.caller = site;
    while (rx.filled() < rxSize) {
      const slot = rx.use;
      const ok =
        mode === "big" ? addChain(slot, gfp) : addPiece(slot, mode === "small" ? smallLength : mergeableLength(), gfp);
      if (!ok) {
        counters.rx_refill_failed++;
        return false;
      }
      rx.use = slot + 1 === rxSize ? 0 : slot + 1;
    }
    return true;
  };
  const refillWork = cpus.register(
    () => {
      refillWaiting = false;
      // Half a second later again, as long as nothing could be had.
      if (open && !fill(kernel, sites.work) && rx.filled() === 0) scheduleRefill(500_000_000);
    },
    workerTask(release, 0),
  );
  function scheduleRefill(delayNanos: number): void {
    if (refillWaiting) return;
    refillWaiting = true;
    cpus.work(cpus.current(), delayNanos, refillWork);
  }

  const putPiece = (address: number): void => piece.free(address, true);
  const pageOf = (address: number): number => pages.compoundHead(Math.floor(address / pageSize));

  /** page_to_skb() of a piece: the skb owns it, or has copied it (then it is put); 0 without memory, the piece still ours. */
  const pieceToSkb = (address: number, truesize: number, bytes: number): number => {
    const block = truesize + programRoom;
    const room = block - headroom - headerLength - bytes;
    if (at.netIpAlign === 0 && bytes > goodCopy && room >= sharedInfo) {
      const skb = skbs.buildSkb(address, block);
      if (skb === 0) return 0;
      skbs.skbReserve(skb, headroom + headerLength);
      skbs.skbPut(skb, bytes);
      return skb;
    }
    const skb = skbs.napiAllocSkb(goodCopy);
    if (skb === 0) return 0;
    const copy = bytes <= skbs.tailroom(skb) ? bytes : ethHeader;
    skbs.skbPut(skb, copy);
    if (copy === bytes) putPiece(address);
    else {
      const page = pageOf(address);
      const start = address + headroom + headerLength + copy - page * pageSize;
      skbs.skbAddRxFrag(skb, 0, page, start, bytes - copy, block);
    }
    return skb;
  };

  /** One more piece of a packet behind what it has; false without memory for the sk_buff that a piece beyond MAX_SKB_FRAGS hangs in. */
  const append = (chain: FragmentChain, address: number, truesize: number, bytes: number): boolean => {
    const to = chain.room();
    if (to === 0) return false;
    const page = pageOf(address);
    const offset = address - page * pageSize;
    const n = H[S[to + HEAD]! + NR_FRAGS]!;
    const last = n === 0 ? -1 : skbs.fragAt(to, n - 1);
    if (last >= 0 && F[last] === page && F[last + FRAG_OFFSET]! + F[last + FRAG_SIZE]! === offset) {
      putPiece(address);
      skbs.skbCoalesceRxFrag(to, n - 1, bytes, truesize);
    } else skbs.skbAddRxFrag(to, n, page, offset, bytes, truesize);
    chain.added(bytes, truesize);
    return true;
  };

  const takeSlot = (): number => {
    const address = rx.buffer[rx.clean]!;
    rx.set(rx.clean, 0);
    rx.advance();
    return address;
  };

  const further = (): number => {
    const skb = skbs.allocSkb(0, atomic);
    if (skb !== 0) piece.mark(skb);
    return skb;
  };
  const mergeable = (bytes: number, pieces: number): number => {
    let left = bytes + headerLength;
    let skb = 0;
    let chain: FragmentChain | undefined;
    for (let i = 0; i < pieces; i++) {
      const truesize = lengthOf[rx.clean]!;
      const part = Math.min(left, truesize);
      const address = takeSlot();
      left -= part;
      if (i === 0) {
        skb = pieceToSkb(address, truesize, part - headerLength);
        if (skb === 0) putPiece(address);
        else {
          piece.mark(skb);
          chain = fragmentChain(skbs, skb, further, true);
        }
      } else if (chain === undefined || skb === 0) putPiece(address);
      else if (!append(chain, address, truesize, part)) {
        putPiece(address);
        skbs.kfreeSkb(skb);
        skb = 0;
      }
    }
    if (skb !== 0) average = average === 0 ? bytes : (average * (averageWeight - 1) + bytes) >> 6;
    return skb;
  };

  const small = (bytes: number): number => {
    const block = lengthOf[rx.clean]!;
    const address = takeSlot();
    const skb = bytes <= goodPacket ? skbs.buildSkb(address, block) : 0;
    if (skb === 0) {
      putPiece(address);
      return 0;
    }
    piece.mark(skb);
    skbs.skbReserve(skb, smallHeadroom);
    skbs.skbPut(skb, bytes);
    return skb;
  };

  const big = (bytes: number): number => {
    const slot = rx.clean;
    const count = lengthOf[slot]!;
    const page = (i: number): number => chains[slot * chainMax + i]!;
    takeSlot();
    let used = 0;
    let skb: number;
    if (bytes > goodCopy && pageSize - paddedHeader - bytes >= sharedInfo) {
      skb = skbs.buildSkb((page(0) - 1) * pageSize, pageSize);
      if (skb !== 0) {
        skbs.skbReserve(skb, paddedHeader);
        skbs.skbPut(skb, bytes);
        used = 1;
      }
    } else {
      skb = skbs.napiAllocSkb(goodCopy);
      if (skb !== 0) {
        const copy = bytes <= skbs.tailroom(skb) ? bytes : ethHeader;
        skbs.skbPut(skb, copy);
        for (let left = bytes - copy, offset = paddedHeader + copy; left > 0; offset = 0) {
          const part = Math.min(left, pageSize - offset);
          skbs.skbAddRxFrag(skb, used, page(used) - 1, offset, part, pageSize);
          used++;
          left -= part;
        }
      }
    }
    for (; used < count; used++) spares.push(page(used));
    return skb;
  };

  /** What a program may have: one buffer a frame (mergeable or small), a page of its own or the piece that it lies in. */
  const xdp = createXdp(
    parts,
    host,
    { unused: () => putPiece(takeSlot()), lend: () => [takeSlot()], takeBack },
    program,
  );
  function takeBack(lent: readonly number[], inPoll: boolean): void {
    for (const address of lent) piece.free(address, inPoll);
  }

  const drop = (frame: number): void => {
    counters.rx_drops++;
    host.device().stats.rxDropped++;
    frames.give(frame);
  };
  const receiveOne = (frame: number): void => {
    const bytes = frameBytes(frames, frame);
    const pieces = rx.pieces[rx.clean]!;
    journal.caller = sites.skb;
    if (program !== "off" && pieces > 1) {
      for (let i = 0; i < pieces; i++) putPiece(takeSlot());
      drop(frame);
      return;
    }
    if (program !== "off" && xdp.takes(rx.clean, pieces, frame)) return;
    const skb = mode === "mergeable" ? mergeable(bytes, pieces) : mode === "big" ? big(bytes) : small(bytes);
    if (skb === 0) {
      drop(frame);
      return;
    }
    receive.describe(skb, frame);
    frames.give(frame);
    counters.rx_packets++;
    handUp(skbs, host, skb);
  };

  /** Slots that a frame will take, from where the hardware stands. */
  const piecesOf = (bytes: number): number => {
    if (mode !== "mergeable") return 1;
    let slot = rx.hardware();
    let count = 0;
    for (let left = bytes + headerLength; left > 0 && count < rxSize; count++) {
      if (rx.buffer[slot] === 0) return rxSize + 1;
      left -= lengthOf[slot]!;
      slot = slot + 1 === rxSize ? 0 : slot + 1;
    }
    return count;
  };

  const freeBuffer = (slot: number): void => {
    if (mode !== "big") {
      piece.free(rx.buffer[slot]!, false);
      return;
    }
    for (let i = 0; i < lengthOf[slot]!; i++) pages.putPage(chains[slot * chainMax + i]! - 1);
  };

  const command = (descriptors: number): void => {
    journal.caller = sites.command;
    const table = heap.kmalloc(descriptors * descriptorBytes, atomic);
    if (table >= 0) heap.kfree(table);
  };

  const transmit = transmitSide(tx, counters);
  const { context } = piece;
  const driver: Driver = {
    name: "virtio_net",
    get counters() {
      return { ...counters, ...xdp.counters };
    },
    open() {
      if (!piece.open()) return false;
      open = true;
      if (fill(kernel, sites.open)) return true;
      if (refillsInPoll) host.napiSchedule();
      else scheduleRefill(0);
      return true;
    },
    stop() {
      open = false;
      for (let slot = 0; slot < rxSize; slot++) if (rx.buffer[slot] !== 0) freeBuffer(slot);
      rx.reset(() => undefined);
      for (const page of spares) pages.putPage(page - 1);
      spares.length = 0;
      piece.close();
      tx.reset();
    },
    changeMtu(mtu) {
      const refusal = mtuRefusal(mtu, 68, program === "off" ? 65535 : programMtu);
      if (refusal !== undefined) return refusal;
      // The buffers stay: with mergeable ones nothing depends on the MTU.
      host.device().mtu = mtu;
      return "ok";
    },
    startXmit: transmit.startXmit,
    poll(budget) {
      if (context !== undefined) context.softirq = context.inPoll ?? softirqState.running;
      transmit.clean(budget);
      let work = receiveUpTo(rx, cpus, budget, receiveOne);
      if (open && rxSize - rx.filled() > Math.min(budget, rxSize) / 2 && !fill(atomic, sites.poll)) {
        if (refillsInPoll) {
          cpus.spend(idlePollNanos);
          work = budget;
        } else scheduleRefill(0);
      }
      if (context !== undefined) context.softirq = softirqState.none;
      return work;
    },
    frameArrived(frame) {
      const bytes = frameBytes(frames, frame);
      const limit = mode === "small" ? goodPacket : 65535 + ethHeader;
      if (open && bytes <= limit && rx.arrive(frame, piecesOf(bytes))) return;
      host.device().stats.rxMissed++;
      frames.give(frame);
    },
    setRxMode(count) {
      if (count !== undefined) multicasts = count;
      // Promiscuous and all-multicast: two commands of three descriptors; then the table, in one of four.
      command(3);
      command(3);
      journal.caller = sites.macs;
      const table = setup.kcalloc(8 + multicasts * addressBytes, true);
      if (table < 0) return;
      command(4);
      heap.kfree(table);
    },
    poolNumber: () => piece.pool(),
    ringFill: () => ({ filled: rx.filled(), size: rxSize }),
    draw: (slots) => rx.draw(slots),
  };
  return driver;
}
