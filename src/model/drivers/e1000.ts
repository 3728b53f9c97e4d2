// e1000: Intel PRO/1000 PCI. Up to MTU 1500 one linear buffer a slot; above it one page a slot, and a frame is a chain of pages.
// drivers/net/ethernet/intel/e1000/e1000_main.c, 6.1: e1000_open, e1000_configure, e1000_alloc_rx_buffers, e1000_alloc_jumbo_rx_buffers,
// e1000_clean_rx_irq, e1000_clean_jumbo_rx_irq, e1000_change_mtu. Before 2.6.32 jumbo buffers are linear too (kernel/facts/drivers/e1000.ts).
import { e1000 as facts } from "../../kernel/facts/drivers/e1000.ts";
import { rxRuleAt } from "../../kernel/facts/drivers/index.ts";
import { atLeast } from "../../kernel/release.ts";
import type { Driver, DriverHost } from "../net/path/netdevice.ts";
import { feature } from "../net/path/netdevice.ts";
import { frameBytes, headerBytes } from "../net/path/wire.ts";
import type { BufferMaker } from "./buffers.ts";
import { bufferMaker, rxMachineOf } from "./buffers.ts";
import type { DriverMaker, DriverParts, DriverSettings } from "./driver.ts";
import { gfpOf, numberSetting, ringSetting } from "./driver.ts";
import { transmitSide } from "./driver_life.ts";
import { copybreakDefault, fcsBytes, intelLife, receivePoll, refill } from "./intel.ts";
import { createRxRing, rxPacketNanos } from "./rx_ring.ts";
import { createSetupMemory, ringMemory } from "./setup_memory.ts";
import { createTxRing } from "./tx_ring.ts";

/** sizeof(struct e1000_tx_buffer), e1000_rx_buffer, a descriptor; and the multicast table, 128 registers. */
const txBufferBytes = 40;
const rxBufferBytes = 16;
const descriptorBytes = 16;
const multicastTableBytes = 512;

export const e1000: DriverMaker = {
  name: "e1000",
  features: feature.sg | feature.csum | feature.tso | feature.gso | feature.gro,
  settings: {
    rx_ring: ringSetting("receive ring", 256),
    tx_ring: ringSetting("transmit ring", 256, 32),
    copybreak: {
      does: "packets up to this many bytes are copied, and their buffer stays in the ring",
      otherwise: copybreakDefault,
      least: 0,
      most: 16384,
    },
  },
  make,
};

function make(parts: DriverParts, host: DriverHost, settings: DriverSettings): Driver {
  const { skbs, cpus, frames, receive, release, journal, heap } = parts;
  const rxSize = numberSetting(settings, "rx_ring");
  const txSize = numberSetting(settings, "tx_ring");
  const copybreak = numberSetting(settings, "copybreak");
  const rx = createRxRing(parts, host, rxSize);
  const tx = createTxRing(parts, host, { size: txSize, stopRoom: 20, wakeRoom: 32 });
  const setup = createSetupMemory(parts);
  const txMemory = ringMemory(parts, setup, txSize * txBufferBytes, txSize * descriptorBytes, true);
  const rxMemory = ringMemory(parts, setup, rxSize * rxBufferBytes, rxSize * descriptorBytes, true);
  const at = rxMachineOf(parts);
  const atomic = gfpOf(release, "GFP_ATOMIC");
  const paged = atLeast(release, [2, 6, 32]);
  const site = (chain: string): number => journal.textId(chain);
  const sites = {
    tx: site("e1000_setup_tx_resources < e1000_setup_all_tx_resources < e1000_open"),
    rx: site("e1000_setup_rx_resources < e1000_setup_all_rx_resources < e1000_open"),
    mode: site("e1000_set_rx_mode"),
  };
  // e1000_alloc_frag and e1000_alloc_rx_skb came with build_skb(), 3.18.
  const pieces = atLeast(release, [3, 18]);
  const standardAlloc = `${pieces ? "e1000_alloc_frag < " : ""}e1000_alloc_rx_buffers`;
  const fillSites = [false, true].map((jumbo) => {
    const alloc = jumbo ? "e1000_alloc_jumbo_rx_buffers" : standardAlloc;
    const clean = jumbo ? "e1000_clean_jumbo_rx_irq" : "e1000_clean_rx_irq";
    const copy = jumbo ? "e1000_alloc_rx_skb < " : "e1000_alloc_rx_skb < e1000_copybreak < ";
    return {
      poll: site(`${alloc} < ${clean} < e1000_clean`),
      copy: site(`${pieces ? copy : ""}${clean} < e1000_clean`),
      build: site(`${jumbo && pieces ? "napi_get_frags < " : ""}${clean} < e1000_clean`),
    };
  });
  let maker: BufferMaker | undefined;
  let jumbo = false;
  let pieceBytes = 0;
  const counters = {
    rx_packets: 0,
    tx_packets: 0,
    rx_no_buffer_count: 0,
    rx_long_length_errors: 0,
    alloc_rx_buff_failed: 0,
    tx_busy: 0,
  };

  const fillOne = (): number => {
    const buffer = (maker as BufferMaker).make(atomic);
    if (buffer === 0) counters.alloc_rx_buff_failed++;
    return buffer;
  };
  const post = (count: number): void => {
    journal.caller = fillSites[jumbo ? 1 : 0]!.poll;
    refill(rx, count, fillOne);
  };

  /** Hands a packet up; `bytes` without the frame check sequence. */
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

  const copied = (frame: number, bytes: number): number => {
    journal.caller = fillSites[jumbo ? 1 : 0]!.copy;
    const skb = skbs.napiAllocSkb(bytes);
    if (skb === 0) return 0;
    taken();
    skbs.skbPut(skb, bytes);
    rx.advance();
    up(skb, frame);
    return 1;
  };

  const receiveLinear = (frame: number): number => {
    const bytes = frameBytes(frames, frame);
    if (bytes + fcsBytes <= copybreak && copied(frame, bytes) !== 0) return 1;
    const slot = rx.clean;
    const buffer = rx.buffer[slot]!;
    const of = maker as BufferMaker;
    journal.caller = fillSites[0]!.build;
    const skb = of.kind === "skb" ? buffer : of.build(buffer, at.netSkbPad + at.netIpAlign, true);
    if (skb === 0) {
      counters.alloc_rx_buff_failed++;
      return 0;
    }
    taken();
    if (of.kind === "skb") skbs.skbReserve(skb, at.netIpAlign);
    rx.set(slot, 0);
    rx.advance();
    skbs.skbPut(skb, bytes);
    up(skb, frame);
    return 1;
  };

  const receivePages = (frame: number): number => {
    const bytes = frameBytes(frames, frame) + fcsBytes;
    const pieces = rx.pieces[rx.clean]!;
    if (pieces === 1 && bytes <= copybreak) return copied(frame, bytes - fcsBytes);
    journal.caller = fillSites[1]!.build;
    const skb = host.getFrags();
    if (skb === 0) {
      counters.alloc_rx_buff_failed++;
      return 0;
    }
    taken();
    let left = bytes;
    for (let i = 0; i < pieces; i++) {
      const slot = rx.clean;
      const length = Math.min(left, pieceBytes);
      skbs.skbAddRxFrag(skb, i, rx.buffer[slot]! - 1, 0, length, at.pageSize);
      rx.set(slot, 0);
      rx.advance();
      left -= length;
    }
    skbs.pskbTrim(skb, bytes - fcsBytes);
    receive.describe(skb, frame);
    frames.give(frame);
    counters.rx_packets++;
    host.receiveFrags();
    return pieces;
  };

  const configure = (why: string): boolean => {
    const { mtu } = host.device();
    jumbo = mtu > 1500 && paged;
    const [request] = rxRuleAt(facts, release.version)?.rule.buffers(mtu, at) ?? [];
    if (request === undefined) return false;
    maker = bufferMaker(parts, request);
    pieceBytes = jumbo && mtu + headerBytes[0] + fcsBytes <= 2048 ? 2048 : at.pageSize;
    setMulticasts(`e1000_set_rx_mode < e1000_configure < ${why}`);
    const alloc = jumbo ? "e1000_alloc_jumbo_rx_buffers" : standardAlloc;
    journal.caller = site(`${alloc} < e1000_configure < ${why}`);
    refill(rx, rx.unused(), fillOne);
    return true;
  };

  function setMulticasts(chain: string): void {
    journal.caller = site(chain);
    const table = setup.kcalloc(multicastTableBytes, true);
    if (table >= 0) heap.kfree(table);
  }
  const transmit = transmitSide(tx, counters);
  const life = intelLife(host, {
    mtu: { least: 46, most: facts.mtuMax },
    callers: { open: "e1000_open", changeMtu: "e1000_up < e1000_change_mtu" },
    takeRings() {
      if (!txMemory.take(sites.tx)) return false;
      const both = rxMemory.take(sites.rx);
      if (!both) txMemory.give();
      return both;
    },
    giveRings() {
      txMemory.give();
      rxMemory.give();
    },
    configure,
    down() {
      rx.reset((buffer) => (maker as BufferMaker).free(buffer));
      tx.reset();
    },
  });

  return {
    name: "e1000",
    counters,
    open: life.open,
    stop: life.stop,
    changeMtu: life.changeMtu,
    startXmit: transmit.startXmit,
    poll(budget) {
      transmit.clean(budget);
      return life.running() ? receivePoll(rx, budget, jumbo ? receivePages : receiveLinear, post) : 0;
    },
    frameArrived(frame) {
      const bytes = frameBytes(frames, frame);
      const tooLong = bytes > host.device().mtu + headerBytes[0] + 4;
      if (!tooLong && life.running() && rx.arrive(frame, jumbo ? Math.ceil((bytes + fcsBytes) / pieceBytes) : 1))
        return;
      if (tooLong) counters.rx_long_length_errors++;
      else counters.rx_no_buffer_count++;
      host.device().stats.rxMissed++;
      frames.give(frame);
    },
    setRxMode: () => setMulticasts("e1000_set_rx_mode"),
    ringFill: () => ({ filled: rx.filled(), size: rx.size }),
    draw: (slots) => rx.draw(slots),
  };
}
