// A network card put together from known parts: a way of filling slots (slots.ts and the files beside it) and the choices in which drivers differ.
// What a card of a name is, release by release, is data (makers.ts).
//
//   poll      frames up ─▶ refill, when at least so many slots are empty ─▶ no memory: wait for the next frame, poll on, or look again later

import { BadInput } from "../../../base/bad_input.ts";
import { workerTask } from "../../../kernel/facts/call_chains/index.ts";
import type { RxMachine } from "../../../kernel/facts/drivers/driver.ts";
import { formatRelease } from "../../../kernel/release.ts";
import type { Driver, DriverHost } from "../../net/path/netdevice.ts";
import { netdevTx } from "../../net/path/netdevice.ts";
import { frameBytes, frameField, headerBytes } from "../../net/path/wire.ts";
import { softirqState } from "../../net/pool/pool_context.ts";
import type { Skbs } from "../../net/skb/skbs.ts";
import { rxMachineOf } from "../buffers.ts";
import type { DriverParts, DriverSettings } from "../driver.ts";
import { maskOf, maskSetting, numberSetting, wordSetting } from "../driver.ts";
import { handUp, mtuRefusal, reopenWithMtu, transmitSide } from "../driver_life.ts";
import { createRxRing, rxPacketNanos } from "../rx_ring.ts";
import { createTxRing } from "../tx_ring.ts";
import { createRsc } from "./rsc.ts";
import type { SlotBuffers, SlotsFor } from "./slots.ts";
import type { TxPieces } from "./tx_pieces.ts";
import type { XdpWord } from "./xdp.ts";
import { createXdp, xdpWords } from "./xdp.ts";

/** The choices of a driver on a release. */
export interface CardPlan {
  readonly name: string;
  readonly mtu: { readonly least: number; readonly most: number };
  /** Slots of the ring, and those of them that always stay empty. */
  readonly slots: (rx: number, at: RxMachine) => number;
  readonly reserve: number;
  readonly buffers: (of: SlotsFor, rx: number, settings: DriverSettings) => SlotBuffers;
  /** Empty slots that a refill waits for. */
  readonly refillAt: (slots: number, together: number) => number;
  /** No memory for a refill: the poll runs again at once, or nothing happens until the next frame or the look that `looks` tells. */
  readonly again: "polls on" | "waits";
  /** Slots that one poll posts at most, where a driver spreads it. */
  readonly refillMost?: number;
  /** Without memory a worker that may sleep posts one more: its mask and functions. */
  readonly worker?: { readonly mask: string; readonly site: string };
  /** A timer that polls when the ring is empty, or has fewer than so many slots posted; undefined: none, and an empty ring stays so. */
  readonly looks?: { readonly afterNanos: number; readonly below: number };
  /** No sk_buff for a frame: it is dropped, or lies in the ring for the next poll. The poll ends either way, or goes on. */
  readonly noSkb: "dropped" | "dropped, poll ends" | "left";
  /** The longest frame with an XDP program; undefined: the driver has none here. */
  readonly xdpMtu?: (at: RxMachine) => number;
  /** Packets that are copied get a head of the copybreak's length by netdev_alloc_skb(), not of their own by napi_alloc_skb(). */
  readonly copiesFull?: boolean;
  /** What a program may not answer on this release. */
  readonly xdpNever?: XdpWord;
  /** Packets that it cannot send in the pieces they have; left out: it takes all. */
  readonly txPieces?: (skbs: Skbs) => TxPieces;
  /** Segments of a flow become one frame before they are written to memory. */
  readonly coalesces?: (settings: DriverSettings) => boolean;
  /** The driver's functions: where memory is taken at open, in a poll, and where packets are made. */
  readonly sites: { readonly open: string; readonly refill: string; readonly receive: string; readonly send?: string };
  /** What `ethtool -S` calls a refill and a packet without memory. */
  readonly counters: { readonly refillFailed: string; readonly skbFailed: string; readonly linearized?: string };
}

/** A timer finds the ring empty: how long a poll without memory takes, so that polling on takes time. */
const idlePollNanos = 2000;

export function createCard(parts: DriverParts, host: DriverHost, settings: DriverSettings, plan: CardPlan): Driver {
  const { skbs, cpus, frames, receive, release, journal } = parts;
  const at = rxMachineOf(parts);
  const rxFrames = numberSetting(settings, "rx_ring");
  const rx = createRxRing(parts, host, plan.slots(rxFrames, at));
  const txSize = numberSetting(settings, "tx_ring");
  const tx = createTxRing(parts, host, { size: txSize, stopRoom: 20, wakeRoom: Math.min(32, txSize) });
  const buffers = plan.buffers({ parts, at, size: rx.size }, rxFrames, settings);
  const copybreak = numberSetting(settings, "copybreak");
  const gfp = {
    open: maskSetting(release, settings, "gfp_open"),
    refill: maskSetting(release, settings, "gfp_refill"),
    copy: maskSetting(release, settings, "gfp_copy"),
  };
  const program: XdpWord = plan.xdpMtu === undefined ? "off" : wordSetting(settings, "xdp", xdpWords);
  if (program !== "off" && program === plan.xdpNever)
    throw new BadInput(`${plan.name} of ${formatRelease(release)} does not know XDP_${program.toUpperCase()}.`);
  const sites = {
    open: journal.textId(plan.sites.open),
    refill: journal.textId(plan.sites.refill),
    receive: journal.textId(plan.sites.receive),
    send: journal.textId(plan.sites.send ?? ""),
  };
  const { refillFailed, skbFailed } = plan.counters;
  const own: Record<string, number> = { rx_packets: 0, rx_no_buffer: 0, [refillFailed]: 0, [skbFailed]: 0 };
  const tally = { tx_packets: 0, tx_busy: 0 };
  const xdp = createXdp(parts, host, buffers, program);
  const poolContext = buffers.context;
  let slots = rx.size;
  let empty = 0;
  let open = false;
  let looking = false;
  const count = (name: string): void => {
    own[name] = own[name]! + 1;
  };

  const drop = (frame: number): void => {
    host.device().stats.rxDropped++;
    frames.give(frame);
  };
  /** The slots of the frame at hand are off the ring; memory that stayed in them waits for the next post. */
  const retire = (slotsTaken: number): void => {
    rx.arrived();
    for (let i = 0; i < slotsTaken; i++) {
      const slot = rx.clean;
      rx.set(slot, 0);
      rx.advance();
      buffers.done(slot);
    }
    empty += slotsTaken;
  };
  const rsc = plan.coalesces?.(settings) === true ? createRsc(parts, (frame) => write(frame)) : undefined;
  const headersOf = (frame: number): number => headerBytes[(frames.W[frame + frameField.KIND]! & 255) as 0 | 1 | 2];
  const copyOf = (bytes: number): number => {
    const skb = plan.copiesFull
      ? skbs.netdevAllocSkb(copybreak + at.netIpAlign, gfp.copy)
      : skbs.napiAllocSkb(bytes, gfp.copy);
    if (skb === 0) return 0;
    if (plan.copiesFull && at.netIpAlign > 0) skbs.skbReserve(skb, at.netIpAlign);
    skbs.skbPut(skb, bytes);
    return skb;
  };
  /** Whether the poll goes on. */
  const receiveOne = (frame: number): boolean => {
    const first = rx.clean;
    const taken = rx.pieces[first]!;
    const bytes = frameBytes(frames, frame);
    journal.caller = sites.receive;
    if (program !== "off" && xdp.takes(first, taken, frame)) {
      retire(taken);
      return true;
    }
    let skb: number;
    if (bytes <= copybreak && taken === 1) {
      skb = copyOf(bytes);
      buffers.unused(first, taken);
    } else skb = buffers.packet(first, taken, bytes, headersOf(frame));
    if (skb !== 0) {
      retire(taken);
      receive.describe(skb, frame);
      rsc?.describe(skb, frame);
      frames.give(frame);
      count("rx_packets");
      handUp(skbs, host, skb);
      return true;
    }
    count(skbFailed);
    // The frame lies at `clean` as before.
    if (plan.noSkb === "left") return false;
    buffers.unused(first, taken);
    retire(taken);
    drop(frame);
    return plan.noSkb === "dropped";
  };

  const receiveUpTo = (budget: number): number => {
    let work = 0;
    while (work < budget) {
      const frame = rx.frame[rx.clean]!;
      if (frame === 0) break;
      cpus.spend(rxPacketNanos);
      const goesOn = receiveOne(frame);
      if (goesOn || plan.noSkb !== "left") work++;
      if (goesOn) continue;
      if (rx.frame[rx.clean] !== 0) rx.leave();
      break;
    }
    return work;
  };

  /** Posts what is empty, in order; false when memory ended before all was. */
  const refill = (mask: number, site: number, most = plan.refillMost ?? slots): boolean => {
    journal.caller = site;
    const together = buffers.together();
    for (let posted = 0; empty - plan.reserve >= together && posted < most; posted += together) {
      const slot = rx.use;
      if (!buffers.post(slot, mask)) {
        count(refillFailed);
        return false;
      }
      for (let i = 0; i < together; i++) rx.set(slot + i, 1);
      empty -= together;
      rx.use = slot + together === slots ? 0 : slot + together;
    }
    return true;
  };

  const { afterNanos = -1, below: lookBelow = 0 } = plan.looks ?? {};
  const look = cpus.register(() => {
    looking = false;
    if (open && rx.filled() < lookBelow) host.napiSchedule();
  });
  const lookLater = (): void => {
    if (looking || rx.filled() >= lookBelow) return;
    looking = true;
    cpus.work(cpus.current(), afterNanos, look);
  };

  let working = false;
  const { worker } = plan;
  const work = cpus.register(
    () => {
      working = false;
      if (!open || worker === undefined) return;
      refill(maskOf(release, worker.mask) as number, journal.textId(worker.site), 1);
      host.napiSchedule();
    },
    worker === undefined ? undefined : workerTask(release, 0),
  );
  const noMemory = (): void => {
    if (worker !== undefined && !working) {
      working = true;
      cpus.work(cpus.current(), 0, work);
    }
    lookLater();
  };

  const lose = (frame: number): void => {
    count("rx_no_buffer");
    host.device().stats.rxMissed++;
    frames.give(frame);
  };
  /** The card's side: into the slots that wait for it, or nowhere. */
  function write(frame: number): void {
    const slotsWanted = buffers.slotsOf(frameBytes(frames, frame), rx.hardware(), headersOf(frame));
    if (!rx.arrive(frame, slotsWanted)) lose(frame);
  }

  const transmit = transmitSide(tx, tally);
  const pieces = plan.txPieces?.(skbs);
  const { linearized } = plan.counters;
  if (linearized !== undefined) own[linearized] = 0;
  /** ndo_start_xmit: a packet in too many pieces is copied first, or dropped where no memory is. */
  const startXmit = (skb: number): number => {
    if (pieces?.tooMany(skb) === true) {
      journal.caller = sites.send;
      if (skbs.skbLinearize(skb) !== 0) {
        host.device().stats.txDropped++;
        skbs.kfreeSkb(skb);
        return netdevTx.ok;
      }
      if (linearized !== undefined) count(linearized);
    }
    return transmit.startXmit(skb);
  };
  const driver: Driver = {
    name: plan.name,
    get counters() {
      return { ...own, ...buffers.counters, ...tally, ...xdp.counters };
    },
    open() {
      journal.caller = sites.open;
      if (!buffers.open(host.device().mtu, program !== "off")) return false;
      slots = buffers.slots?.() ?? rx.size;
      if (slots < rx.size) rx.shorten(slots);
      empty = slots;
      open = true;
      // With less than all of it the interface comes up short, as these drivers do.
      if (!refill(gfp.open, sites.open)) noMemory();
      if (rx.filled() < slots - plan.reserve && plan.again === "polls on") host.napiSchedule();
      return true;
    },
    stop() {
      open = false;
      rsc?.reset();
      rx.reset(() => undefined);
      buffers.close();
      tx.reset();
    },
    changeMtu(mtu) {
      const most = program === "off" ? plan.mtu.most : Math.min(plan.mtu.most, plan.xdpMtu?.(at) ?? plan.mtu.most);
      return mtuRefusal(mtu, plan.mtu.least, most) ?? reopenWithMtu(driver, host, open, mtu);
    },
    startXmit,
    ...(pieces?.cutBefore === undefined ? {} : { cutBefore: pieces.cutBefore }),
    poll(budget) {
      if (poolContext !== undefined) poolContext.softirq = poolContext.inPoll ?? softirqState.running;
      transmit.clean(budget);
      let handled = receiveUpTo(budget);
      if (open && empty - plan.reserve >= plan.refillAt(slots, buffers.together())) {
        const whole = refill(gfp.refill, sites.refill);
        if (!whole) noMemory();
        if (plan.again === "polls on" && (!whole || (plan.refillMost !== undefined && empty > plan.reserve))) {
          cpus.spend(idlePollNanos);
          handled = budget;
        }
      }
      if (poolContext !== undefined) poolContext.softirq = softirqState.none;
      return handled;
    },
    frameArrived(frame) {
      const bytes = frameBytes(frames, frame);
      if (!open || bytes > host.device().mtu + headerBytes[0] + 4) lose(frame);
      else if (rsc === undefined) write(frame);
      else rsc.arrived(frame);
    },
    poolNumber: () => buffers.pool(),
    ringFill: () => ({ filled: rx.filled(), size: slots }),
    draw: (most) => rx.draw(most),
  };
  return driver;
}
