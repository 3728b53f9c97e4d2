// e1000e: Intel PRO/1000 PCI Express. Up to MTU 1500 one linear skb a slot; above it packet split: a small skb for the headers and up to
// three pages for the payload. drivers/net/ethernet/intel/e1000e/netdev.c, 6.1: e1000e_open, e1000_alloc_rx_buffers,
// e1000_alloc_rx_buffers_ps, e1000_clean_rx_irq, e1000_clean_rx_irq_ps, e1000_change_mtu. Not here: the chips without packet split.
import { e1000e as facts } from "../../kernel/facts/drivers/e1000e.ts";
import { rxRuleAt } from "../../kernel/facts/drivers/index.ts";
import type { Driver, DriverHost } from "../net/path/netdevice.ts";
import { feature } from "../net/path/netdevice.ts";
import { frameBytes, frameField, headerBytes } from "../net/path/wire.ts";
import type { BufferMaker } from "./buffers.ts";
import { bufferMaker, rxMachineOf } from "./buffers.ts";
import type { DriverMaker, DriverParts, DriverSettings } from "./driver.ts";
import { gfpOf, numberSetting, ringSetting } from "./driver.ts";
import { transmitSide } from "./driver_life.ts";
import { copybreakDefault, intelLife, receivePoll, refill } from "./intel.ts";
import { createRxRing, rxPacketNanos } from "./rx_ring.ts";
import { createSetupMemory, ringMemory } from "./setup_memory.ts";
import { createTxRing } from "./tx_ring.ts";

/** sizeof(struct e1000_buffer); three ps_pages of a slot; descriptors of transmit and of packet split. */
const bufferStructBytes = 40;
const psPagesBytes = 48;
const psPagesMax = 3;
const txDescriptorBytes = 16;
const rxDescriptorBytes = 32;
const addressBytes = 6;
/** rx_ps_bsize0: what the header buffer of a split packet holds. */
const headerBufferBytes = 128;

export const e1000e: DriverMaker = {
  name: "e1000e",
  features: feature.sg | feature.csum | feature.tso | feature.gso | feature.gro | feature.highdma,
  settings: {
    rx_ring: ringSetting("receive ring", 256),
    tx_ring: ringSetting("transmit ring", 256, 32),
    copybreak: {
      does: "packets up to this many bytes are copied, and their buffer stays in the ring",
      otherwise: copybreakDefault,
      least: 0,
      most: 16384,
    },
    multicasts: { does: "multicast addresses in the card's filter", otherwise: 1, least: 0, most: 4096 },
  },
  make,
};

function make(parts: DriverParts, host: DriverHost, settings: DriverSettings): Driver {
  const { skbs, cpus, frames, receive, release, journal, heap, pages } = parts;
  const rxSize = numberSetting(settings, "rx_ring");
  const txSize = numberSetting(settings, "tx_ring");
  const copybreak = numberSetting(settings, "copybreak");
  const rx = createRxRing(parts, host, rxSize);
  const tx = createTxRing(parts, host, { size: txSize, stopRoom: 20, wakeRoom: 32 });
  const setup = createSetupMemory(parts);
  const txMemory = ringMemory(parts, setup, txSize * bufferStructBytes, txSize * txDescriptorBytes, false);
  const rxArray = ringMemory(parts, setup, rxSize * bufferStructBytes, 0, false);
  /** buffer_info[i].ps_pages, and the pages in it (pfn plus one). */
  const psObjects = new Float64Array(rxSize).fill(-1);
  const psPages = new Float64Array(rxSize * psPagesMax);
  let descriptors = -1;
  const at = rxMachineOf(parts);
  const atomic = gfpOf(release, "GFP_ATOMIC");
  const kernel = gfpOf(release, "GFP_KERNEL");
  const site = (chain: string): number => journal.textId(chain);
  const pollSites = [
    site("e1000_alloc_rx_buffers < e1000_clean_rx_irq < e1000e_poll"),
    site("e1000_alloc_rx_buffers_ps < e1000_clean_rx_irq_ps < e1000e_poll"),
  ] as const;
  const copySite = site("e1000_clean_rx_irq < e1000e_poll");
  let maker: BufferMaker | undefined;
  let splitPages = 0;
  let multicasts = numberSetting(settings, "multicasts");
  let gfp = kernel;
  const counters = {
    rx_packets: 0,
    tx_packets: 0,
    rx_no_buffer_count: 0,
    rx_long_length_errors: 0,
    rx_hdr_split: 0,
    alloc_rx_buff_failed: 0,
    tx_busy: 0,
  };

  const fillOne = (slot: number): number => {
    for (let j = slot * psPagesMax; j < slot * psPagesMax + splitPages; j++) {
      if (psPages[j] !== 0) continue;
      psPages[j] = pages.allocPages(gfp, 0) + 1;
      if (psPages[j] === 0) {
        counters.alloc_rx_buff_failed++;
        return 0;
      }
    }
    const skb = (maker as BufferMaker).make(gfp);
    if (skb === 0) counters.alloc_rx_buff_failed++;
    else skbs.skbReserve(skb, at.netIpAlign);
    return skb;
  };
  const post = (count: number): void => {
    journal.caller = pollSites[splitPages > 0 ? 1 : 0];
    gfp = atomic;
    refill(rx, count, fillOne);
  };

  const up = (skb: number, frame: number): void => {
    receive.describe(skb, frame);
    frames.give(frame);
    counters.rx_packets++;
    host.receive(skb);
  };
  const taken = (): void => {
    rx.arrived();
    cpus.spend(rxPacketNanos);
  };

  const receiveLinear = (frame: number): number => {
    const bytes = frameBytes(frames, frame);
    const slot = rx.clean;
    taken();
    let skb = 0;
    if (bytes < copybreak) {
      journal.caller = copySite;
      skb = skbs.napiAllocSkb(bytes);
    }
    // Without memory for a copy the packet goes up in its own buffer.
    if (skb === 0) {
      skb = rx.buffer[slot]!;
      rx.set(slot, 0);
    }
    rx.advance();
    skbs.skbPut(skb, bytes);
    up(skb, frame);
    return 1;
  };

  const receiveSplit = (frame: number): number => {
    const bytes = frameBytes(frames, frame);
    const slot = rx.clean;
    const skb = rx.buffer[slot]!;
    const kind = frames.W[frame + frameField.KIND]! & 255;
    const headers = kind === 0 ? Math.min(bytes, headerBufferBytes) : headerBytes[kind as 1 | 2];
    taken();
    rx.set(slot, 0);
    rx.advance();
    if (headers < bytes) counters.rx_hdr_split++;
    if (bytes <= headerBufferBytes) {
      // The page's bytes fit behind the headers: copied, and the page stays.
      skbs.skbPut(skb, bytes);
      up(skb, frame);
      return 1;
    }
    skbs.skbPut(skb, headers);
    let left = bytes - headers;
    for (let j = 0; left > 0; j++) {
      const length = Math.min(left, at.pageSize);
      skbs.skbAddRxFrag(skb, j, psPages[slot * psPagesMax + j]! - 1, 0, length, at.pageSize);
      psPages[slot * psPagesMax + j] = 0;
      left -= length;
    }
    up(skb, frame);
    return 1;
  };

  function setMulticasts(chain: string): void {
    if (multicasts === 0) return;
    journal.caller = site(chain);
    const list = setup.kcalloc(multicasts * addressBytes, true);
    if (list >= 0) heap.kfree(list);
  }

  const configure = (why: string): boolean => {
    const requests = rxRuleAt(facts, release.version)?.rule.buffers(host.device().mtu, at) ?? [];
    const head = requests.find((r) => r.call !== "alloc_pages");
    if (head === undefined) return false;
    maker = bufferMaker(parts, head);
    splitPages = requests.find((r) => r.call === "alloc_pages")?.count ?? (requests.length > 1 ? 1 : 0);
    setMulticasts(`e1000e_set_rx_mode < e1000_configure < ${why}`);
    journal.caller = site(`e1000_alloc_rx_buffers${splitPages > 0 ? "_ps" : ""} < e1000_configure < ${why}`);
    gfp = kernel;
    refill(rx, rx.unused(), fillOne);
    return true;
  };
  const setupRx = (): boolean => {
    const caller = site("e1000e_setup_rx_resources < e1000e_open");
    journal.caller = caller;
    const mapped = rxArray.takeArray(caller);
    if (!mapped) return false;
    for (let i = 0; i < rxSize; i++) {
      psObjects[i] = setup.kcalloc(psPagesBytes, false);
      if (psObjects[i]! < 0) return false;
    }
    descriptors = setup.dmaAlloc(rxSize * rxDescriptorBytes, false);
    return descriptors >= 0;
  };
  const freeRx = (): void => {
    for (let i = 0; i < rxSize; i++) if (psObjects[i]! >= 0) heap.kfree(psObjects[i]!);
    psObjects.fill(-1);
    if (descriptors >= 0) setup.dmaFree(descriptors, rxSize * rxDescriptorBytes);
    descriptors = -1;
    rxArray.give();
  };

  const transmit = transmitSide(tx, counters);
  const life = intelLife(host, {
    mtu: { least: 68, most: facts.mtuMax },
    callers: { open: "e1000e_open", changeMtu: "e1000e_up < e1000_change_mtu" },
    takeRings() {
      if (!txMemory.take(site("e1000e_setup_tx_resources < e1000e_open"))) return false;
      if (setupRx()) return true;
      freeRx();
      txMemory.give();
      return false;
    },
    giveRings() {
      txMemory.give();
      freeRx();
    },
    configure,
    down() {
      rx.reset((skb) => skbs.consumeSkb(skb));
      for (let j = 0; j < psPages.length; j++) {
        if (psPages[j] !== 0) pages.putPage(psPages[j]! - 1);
        psPages[j] = 0;
      }
      tx.reset();
    },
  });

  return {
    name: "e1000e",
    counters,
    open: life.open,
    stop: life.stop,
    changeMtu: life.changeMtu,
    startXmit: transmit.startXmit,
    poll(budget) {
      transmit.clean(budget);
      return life.running() ? receivePoll(rx, budget, splitPages > 0 ? receiveSplit : receiveLinear, post) : 0;
    },
    frameArrived(frame) {
      const tooLong = frameBytes(frames, frame) > host.device().mtu + headerBytes[0] + 4;
      if (!tooLong && life.running() && rx.arrive(frame, 1)) return;
      if (tooLong) counters.rx_long_length_errors++;
      else counters.rx_no_buffer_count++;
      host.device().stats.rxMissed++;
      frames.give(frame);
    },
    setRxMode(count) {
      if (count !== undefined) multicasts = count;
      setMulticasts("e1000e_set_rx_mode");
    },
    ringFill: () => ({ filled: rx.filled(), size: rx.size }),
    draw: (slots) => rx.draw(slots),
  };
}
