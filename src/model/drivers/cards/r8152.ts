// r8152: Realtek's USB adapters. A transfer is a block of 16, 32 or 48 KiB of pages that holds many packets; packets of up to 256 bytes are copied
// out, of the longer ones the rest stays in the block as a fragment, and the block is used again when nobody has a fragment of it any more.
//
//   used    blocks that packets still lie in, oldest first     a free one of them, or a new one while there are fewer than 100
//   no block to post instead of the one at hand: every packet of it is copied, and it is posted again itself
//
// alloc_all_mem(), alloc_rx_agg(), rtl_get_free_rx(), rx_bottom(), r8152_poll() of drivers/net/usb/r8152.c, 6.1.192 and 6.12.117. Not here: what
// transmit copies into its four buffers (they are taken when the interface goes up; packets are sent from where they lie).
import { orderOfBytes } from "../../../kernel/facts/drivers/driver.ts";
import { cardRulesOf } from "../../kernels/card_rules.ts";
import { unreadRelease } from "../../kernels/card_trees.ts";
import type { Driver, DriverHost } from "../../net/path/netdevice.ts";
import { feature } from "../../net/path/netdevice.ts";
import { frameBytes } from "../../net/path/wire.ts";
import { rxMachineOf } from "../buffers.ts";
import type { DriverMaker, DriverParts, DriverSettings } from "../driver.ts";
import { gfpOf, maskSetting, numberSetting, ringSetting, wordSetting } from "../driver.ts";
import { handUp, mtuRefusal, reopenWithMtu, transmitSide } from "../driver_life.ts";
import { rxPacketNanos } from "../rx_ring.ts";
import { createTxRing } from "../tx_ring.ts";
import { createTransfers } from "./transfers.ts";

const chips = ["RTL8153", "RTL8152", "RTL8156"] as const;
const chipKib = { RTL8153: 32, RTL8152: 16, RTL8156: 48 } as const;
/** size_to_mtu(): what remains of 9 and 15 KiB behind VLAN header and checksum. */
const chipMtu = { RTL8153: 9 * 1024 - 22, RTL8152: 1500, RTL8156: 15 * 1024 - 22 } as const;
/** RTL8152_MAX_RX, RTL8152_MAX_TX, agg_buf_sz, sizeof(struct rx_desc), RX_ALIGN, checksum. */
const receiving = 10;
const sending = 4;
const sendBytes = 16_384;
const descriptor = 24;
const rxAlign = 8;
const checksum = 4;
/** kmalloc: struct rx_agg and struct urb of 64 bits, the interrupt's buffer. */
const aggBytes = 64;
const urbBytes = 192;
const interruptBytes = 2;
/** Packets that wait in the driver for the next poll at most. */
const queueMost = 1000;
/** How long the adapter gathers: a round figure. */
const gatherNanos = 15_000;

/** One struct rx_agg with its pages and its URB. */
interface Agg {
  readonly agg: number;
  readonly urb: number;
  readonly pfn: number;
}

export const r8152: DriverMaker = {
  name: "r8152",
  since: [3, 10],
  unread: (release) => unreadRelease("r8152", release),
  features: feature.sg | feature.csum | feature.gso | feature.gro,
  settings: {
    chip: { does: "which adapter: transfers of 32, 16 or 48 KiB", words: chips },
    rx_pending: { does: "blocks in use at most (`ethtool -G rx`)", otherwise: 100, least: 20, most: 65536 },
    tx_ring: ringSetting("packets on their way out", 128, 32),
    copybreak: { does: "bytes of a packet that are copied", otherwise: 256, least: 64, most: 4096 },
    gfp_open: { does: "mask of blocks when the interface goes up", mask: "GFP_KERNEL" },
    gfp_refill: { does: "mask of a block that is taken in a poll", mask: "GFP_ATOMIC" },
  },
  make,
};

function make(parts: DriverParts, host: DriverHost, settings: DriverSettings): Driver {
  const { skbs, pages, heap, cpus, frames, receive, release, journal } = parts;
  const { pageSize, cacheLine } = rxMachineOf(parts);
  const chip = wordSetting(settings, "chip", chips);
  const bytes = chipKib[chip] * 1024;
  const order = orderOfBytes(bytes, pageSize);
  const pending = numberSetting(settings, "rx_pending");
  const copybreak = numberSetting(settings, "copybreak");
  const txSize = numberSetting(settings, "tx_ring");
  const tx = createTxRing(parts, host, { size: txSize, stopRoom: 20, wakeRoom: 32 });
  const transfers = createTransfers<Agg>(parts, host, {
    bytes,
    head: descriptor,
    tail: checksum,
    align: rxAlign,
    gatherNanos,
  });
  const rules = cardRulesOf(release);
  const { r8152WholePackets: wholePackets } = rules;
  const masks = {
    open: maskSetting(release, settings, "gfp_open"),
    refill: maskSetting(release, settings, "gfp_refill"),
  };
  const added = gfpOf(release, "", ...(rules.r8152Quiet ? ["COMP", "NOWARN"] : ["COMP"]));
  const kernel = gfpOf(release, "GFP_KERNEL");
  const sites = {
    open: journal.textId("alloc_rx_agg < rtl8152_open"),
    poll: journal.textId("alloc_rx_agg < rtl_get_free_rx < rx_bottom < r8152_poll"),
    packet: journal.textId("rx_bottom < r8152_poll"),
  };
  /** Blocks that packets may still lie in. */
  let used: Agg[] = [];
  let blocks = 0;
  /** What the interface takes beside: transmit buffers, their URBs, the interrupt's. */
  let objects: number[] = [];
  /** Packets above the budget of a poll. */
  let queue: number[] = [];
  let open = false;
  const own = { rx_packets: 0, rx_dropped: 0, rx_no_transfer: 0, rx_blocks_failed: 0, rx_copied: 0 };
  const tally = { tx_packets: 0, tx_busy: 0 };

  const allocAgg = (mask: number, site: number): Agg | undefined => {
    journal.caller = site;
    const agg = heap.kmalloc(aggBytes, mask);
    const pfn = agg < 0 ? -1 : pages.allocPages(mask | added, order);
    const urb = pfn < 0 ? -1 : heap.kmalloc(urbBytes, mask);
    if (urb >= 0) {
      blocks++;
      return { agg, urb, pfn };
    }
    own.rx_blocks_failed++;
    if (pfn >= 0) pages.putPage(pfn);
    if (agg >= 0) heap.kfree(agg);
    return undefined;
  };
  const freeAgg = ({ agg, urb, pfn }: Agg): void => {
    heap.kfree(urb);
    pages.putPage(pfn);
    heap.kfree(agg);
    blocks--;
  };
  /** rtl_get_free_rx(): the oldest used block that is free again; a second one is given back while there are more than ten. */
  const freeOne = (): Agg | undefined => {
    const free = used.filter(({ pfn }) => pages.pageCount(pfn) === 1).slice(0, 2);
    const [first, second] = free;
    if (first !== undefined) used = used.filter((agg) => agg !== first);
    if (second !== undefined && blocks > receiving) {
      used = used.filter((agg) => agg !== second);
      freeAgg(second);
    }
    return first ?? (blocks < pending ? allocAgg(masks.refill, sites.poll) : undefined);
  };

  /** A packet at `offset` of a block; 0 without memory. */
  const packet = ({ pfn }: Agg, offset: number, length: number, mayStay: boolean): number => {
    const stays = mayStay && length >= copybreak;
    // 6.7 takes the whole packet as a fragment (napi_get_frags()), 6.1 what is behind the first bytes.
    const copies = stays ? (wholePackets ? 0 : copybreak) : length;
    const skb = skbs.napiAllocSkb(Math.max(copies, stays && wholePackets ? 256 : 0));
    if (skb === 0) return 0;
    if (copies > 0) skbs.skbPut(skb, copies);
    if (copies === length) {
      own.rx_copied++;
      return skb;
    }
    const rest = length - copies;
    pages.getPage(pfn);
    skbs.skbAddRxFrag(skb, 0, pfn, offset + copies, rest, Math.ceil(rest / cacheLine) * cacheLine);
    return skb;
  };
  const up = (skb: number): void => {
    own.rx_packets++;
    handUp(skbs, host, skb);
  };

  /** rx_bottom(): packets handed up. */
  const receiveAll = (budget: number): number => {
    let work = 0;
    for (; work < budget && queue.length > 0; work++) up(queue.shift() as number);
    for (let n = transfers.waiting(); n > 0; n--) {
      if (rules.r8152EndsWithBudget && work >= budget) break;
      const transfer = transfers.take();
      if (transfer === undefined) break;
      const { buffer: agg } = transfer;
      const instead = freeOne();
      journal.caller = sites.packet;
      let at = 0;
      for (const frame of transfer.frames) {
        const length = frameBytes(frames, frame);
        cpus.spend(rxPacketNanos);
        const skb = queue.length >= queueMost ? 0 : packet(agg, at + descriptor, length, instead !== undefined);
        at = Math.ceil((at + descriptor + length + checksum) / rxAlign) * rxAlign;
        if (skb === 0) {
          own.rx_dropped++;
          host.device().stats.rxDropped++;
        } else {
          receive.describe(skb, frame);
          if (work < budget) {
            work++;
            up(skb);
          } else queue.push(skb);
        }
        frames.give(frame);
      }
      const next = instead === undefined || pages.pageCount(agg.pfn) === 1 ? agg : instead;
      if (next === agg && instead !== undefined) used.unshift(instead);
      else if (next !== agg) used.push(agg);
      transfers.post(next);
    }
    return work;
  };

  const allMemory = (): boolean => {
    for (let i = 0; i < receiving; i++) {
      const agg = allocAgg(masks.open, sites.open);
      if (agg === undefined) return false;
      transfers.post(agg);
    }
    const sizes = [...new Array(sending).fill([sendBytes, urbBytes]).flat(), urbBytes, interruptBytes];
    for (const size of sizes) {
      const address = heap.kmalloc(size, kernel);
      if (address < 0) return false;
      objects.push(address);
    }
    return true;
  };

  const transmit = transmitSide(tx, tally);
  const driver: Driver = {
    name: "r8152",
    get counters() {
      return { ...own, ...tally };
    },
    open() {
      open = allMemory();
      if (!open) driver.stop();
      return open;
    },
    stop() {
      open = false;
      for (const skb of queue) skbs.kfreeSkb(skb);
      queue = [];
      transfers.reset(freeAgg);
      for (const agg of used) freeAgg(agg);
      used = [];
      for (const address of objects) heap.kfree(address);
      objects = [];
      tx.reset();
    },
    changeMtu: (mtu) => mtuRefusal(mtu, 68, chipMtu[chip]) ?? reopenWithMtu(driver, host, open, mtu),
    startXmit: transmit.startXmit,
    poll(budget) {
      transmit.clean(budget);
      const work = open ? receiveAll(budget) : 0;
      // napi_complete_done() and napi_schedule() again where transfers are left.
      return work < budget && transfers.waiting() + queue.length > 0 ? budget : work;
    },
    frameArrived(frame) {
      if (open && frameBytes(frames, frame) <= host.device().mtu + 18 && transfers.arrive(frame)) return;
      own.rx_no_transfer++;
      host.device().stats.rxMissed++;
      frames.give(frame);
    },
    ringFill: () => ({ filled: transfers.posted(), size: receiving }),
  };
  return driver;
}
