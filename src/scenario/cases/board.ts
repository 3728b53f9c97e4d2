// The data collection board of seed 000: a 405EX that gathers lines by DMA into buffers of four pages and sends them with writev over jumbo
// frames, connection after connection. Each cause that somebody might suspect is something that the board's code or the driver really does
// here; what the kernel then says is collected, and compared with the two traces of the thread elsewhere (writev.ts).
//
//   dma: buffers of 16 KB ──writev──▶ TCP: linear heads of order 2 ──▶ emac tx_skb[64] ──▶ wire ──▶ peer
//        freed at disconnect                freed by tcp_ack               freed by emac_poll_tx
import { ModelBug } from "../../base/assert.ts";
import type { Prng } from "../../base/prng.ts";
import { parseRelease } from "../../kernel/release.ts";
import type { Machine } from "../../model/machine.ts";
import { createMachine } from "../../model/machine.ts";
import type { BadPageSeen, StructPages } from "../../model/mm/struct_page.ts";
import { createInet } from "../../model/net/path/inet.ts";
import { createLink } from "../../model/net/path/wire.ts";
import { skbField } from "../../model/net/skb/skb_columns.ts";
import { segmentHeaders } from "../../model/net/tcp/tcp.ts";
import { createTcpPeer } from "../../model/net/tcp/tcp_peer.ts";
import { trusting } from "../../model/trusting.ts";

/** What is wrong with the board. */
export type Cause =
  | "nothing"
  /** Memory in single pages, and every fifth request for a block refused on top. */
  | "fragmentation"
  /** emac_poll_tx() frees every 50th packet twice: a reference too many is given back. */
  | "packet freed twice"
  /** Another CPU's poll runs while hard_start_xmit fills the ring. */
  | "no lock around the ring"
  /** The driver keeps 256 receive buffers, hands them up and uses them again. */
  | "receive buffers reused"
  /** At disconnect a DMA buffer is freed, and once more when the next connection is up. */
  | "buffer freed twice"
  /** Of every 16th DMA buffer the last page is given back by itself, as an unmap of a page with a reference of its own does, then the block. */
  | "last page freed apart"
  /** Hardware writes the word 0x00040000 where it should not. */
  | "stray word in tx_skb"
  | "stray word in a struct page"
  /** Something sets bit 18 of a word that is not its own. */
  | "stray bit in tx_skb"
  | "stray bit in a struct page"
  /** A DMA transfer runs on over the driver's fields in front of tx_skb[] and over the array. */
  | "overrun into the driver";

export interface OopsSeen {
  readonly address: number;
  /** The text, and where: `kfree_skb < emac_poll_tx < …`. */
  readonly text: string;
  readonly path: string;
  readonly nanos: number;
}

export interface BoardOutcome {
  readonly cause: Cause;
  readonly mtu: number;
  readonly seed: number;
  readonly badPages: readonly BadPageSeen[];
  readonly oopses: readonly OopsSeen[];
  /** The model's own consistency gave way: whatever the kernel would have done next is unknown. */
  readonly lostTrack: string | undefined;
  readonly connections: number;
  readonly sentMb: number;
  readonly writevCalls: number;
  /** Requests for packets' memory that failed. */
  readonly noMemory: number;
  /** Order of a packet's head in the send queue; -1 when it lies in a slab. */
  readonly headOrder: number;
  /** Strikes that were made, and those that hit what was in use. */
  readonly strikes: number;
  readonly inUse: number;
  readonly objectsFreedTwice: number;
}

export interface BoardOptions {
  readonly cause: Cause;
  readonly mtu?: number;
  readonly seed?: number;
  readonly millis?: number;
}

const release = parseRelease("2.6.29-ppc32");
/** BUG_ON(!PageCompound(page)) in kfree(), where 2.6.29 has it. */
export const kfreeBug = "kernel BUG at mm/slub.c:2751";
const { HEAD } = skbField;
/** The line length that the board's log names, bytes; and a header of its own. */
const lineBytes = 18_168;
const lineHeader = 64;
const bufferOrder = 2;
const bufferBytes = 4096 << bufferOrder;
/** Bit 18: what stands alone in the pointer of the second trace. */
export const strayBits = 0x00040000;
const buffersPerConnection = 8;
const nanosPerMilli = 1e6;

/** One board for some simulated time, or until its kernel stops. */
export function runBoard(options: BoardOptions): BoardOutcome {
  const { cause, mtu = 9000, seed = 1, millis = 400 } = options;
  const badPages: BadPageSeen[] = [];
  const oopses: OopsSeen[] = [];
  let machine: Machine | undefined;
  const trust = trusting({
    release,
    onBadPage: (seen) => void badPages.push(seen),
    onBug(where, address) {
      const now = machine as Machine;
      oopses.push({
        address,
        text: kfreeBug,
        path: `${where} < ${now.journal.text(now.journal.caller)}`,
        nanos: now.clock.now(),
      });
      now.clock.stop();
    },
  });
  machine = createMachine({
    release,
    memoryMb: 128,
    seed,
    failing: trust,
    skbsMax: 8192,
    nics: [{ driver: "ibm_emac", mtu, settings: settingsOf(cause) }],
  });
  const pages = trust.attach(machine);
  const { clock, journal } = machine;
  journal.listen((_kind, nanos, _cpu, text, address) => {
    const [said = "", ...path] = journal.text(text).split(" < ");
    oopses.push({ address, text: said, path: path.join(" < "), nanos });
    // Fatal exception in interrupt.
    clock.stop();
  }, "oops");
  const board = createBoard(machine, pages, cause, machine.random.fork("board"));
  let lostTrack: string | undefined;
  try {
    board.start();
    if (cause === "fragmentation") trust.arm(5);
    clock.run(millis * nanosPerMilli, 4e6);
  } catch (error) {
    if (!(error instanceof ModelBug)) throw error;
    lostTrack = error.message;
  }
  return {
    cause,
    mtu,
    seed,
    badPages,
    oopses,
    lostTrack,
    ...board.totals(),
    objectsFreedTwice: trust.objectsFreedTwice(),
  };
}

function settingsOf(cause: Cause): Record<string, number | string | boolean> {
  const base = { tah: false };
  if (cause === "packet freed twice") return { ...base, tx_free_twice_every: 50 };
  if (cause === "no lock around the ring") return { ...base, tx_lock: false };
  if (cause === "receive buffers reused") return { ...base, pool: 256 };
  return base;
}

/** Applications and hardware of the board. */
function createBoard(machine: Machine, pages: StructPages, cause: Cause, random: Prng) {
  const { clock, cpus, frames, journal, skbs } = machine;
  const device = machine.devices[0] as Machine["devices"][0];
  const { gfp } = skbs.config;
  const inet = createInet(machine, { freePages: 20_000, connectionsMax: 2000, sendPage: "a page a socket" });
  const { tcp } = inet;
  const wire = { bitsPerSecond: 1e9, delayNanos: 50_000, loss: 0 };
  const down = createLink(clock, frames, wire, random.fork("down"), (f) => device.driver.frameArrived(f));
  const peer = createTcpPeer(clock, frames, down.send);
  device.link = createLink(clock, frames, wire, random.fork("up"), peer.frameArrived);
  const site = { dma: journal.textId("dma_release [dma] < sys_close"), exit: journal.textId("unmap_vmas < do_exit") };
  const totals = { connections: 0, writevCalls: 0, noMemory: 0, headOrder: -1, strikes: 0, inUse: 0 };
  let buffers: number[] = [];
  /** Buffers that are freed again later. */
  let stale: number[] = [];
  const user: number[] = [];
  let connection = 0;
  let flow = 0;
  /** What is left of the line that is being written. */
  let unsent: number[] = [];
  let until = 0;

  const grow = (count: number): void => {
    for (let i = 0; i < count; i++) {
      const pfn = pages.allocPages(gfp.kernel, 0);
      if (pfn < 0) return;
      pages.map(pfn, 1);
      user.push(pfn);
    }
  };
  const shrink = (count: number): void => {
    journal.caller = site.exit;
    for (let i = 0; i < count && user.length > 0; i++) {
      const at = random.below(user.length);
      const pfn = user[at] as number;
      user[at] = user.at(-1) as number;
      user.pop();
      pages.map(pfn, -1);
      pages.freePages(pfn, 0);
    }
    journal.caller = 0;
  };

  /** The dma module gives a buffer back. */
  const release = (pfn: number): void => {
    if (cause === "last page freed apart" && random.chance(1 / 16)) {
      pages.initCount(pfn + (1 << bufferOrder) - 1);
      pages.putPage(pfn + (1 << bufferOrder) - 1);
    }
    pages.freePages(pfn, bufferOrder);
  };

  const disconnect = (): void => {
    tcp.close(connection);
    connection = 0;
    unsent = [];
    journal.caller = site.dma;
    for (const pfn of buffers) release(pfn);
    if (cause === "buffer freed twice") stale = buffers;
    buffers = [];
    journal.caller = 0;
    // The process that served the connection exits: its pages go back, some or many.
    shrink(random.below(600));
  };

  const accept = (): void => {
    for (let i = 0; i < buffersPerConnection; i++) {
      const pfn = pages.allocPages(gfp.kernel, bufferOrder);
      if (pfn < 0) totals.noMemory++;
      else buffers.push(pfn);
    }
    totals.connections++;
    const [flowIn, flowOut] = [++flow, flow + 65_536];
    peer.connect({ flowIn: flowOut, flowOut: flowIn, mss: device.mtu - segmentHeaders });
    connection = inet.connect(device, { flowIn, flowOut, sndbufBytes: 131_072 }, { writable: () => write() });
    until = clock.now() + (4 + random.below(8)) * nanosPerMilli;
  };

  /** A line: a header, and as many of the DMA buffers' bytes as it takes. */
  const line = (): number[] => {
    const lengths = [lineHeader];
    for (let left = lineBytes; left > 0; left -= bufferBytes) lengths.push(Math.min(left, bufferBytes));
    return lengths;
  };
  const write = (): void => {
    while (connection !== 0 && clock.now() < until) {
      if (unsent.length === 0) unsent = line();
      totals.writevCalls++;
      let took = tcp.writev(connection, unsent);
      look();
      while (took > 0) {
        const first = unsent[0] as number;
        if (took < first) {
          unsent[0] = first - took;
          return;
        }
        took -= first;
        unsent.shift();
      }
      if (unsent.length > 0) return;
    }
  };
  const headPfn = (skb: number): number =>
    Math.floor((skbs.columns.headAddress[(skbs.columns.S[skb + HEAD] as number) >> 4] as number) / 4096);
  const look = (): void => {
    const skb = tcp.state.first[connection] as number;
    if (skb === 0 || totals.headOrder >= 0) return;
    const address = skbs.columns.headAddress[(skbs.columns.S[skb + HEAD] as number) >> 4] as number;
    const block = machine.heap.blockOf(address);
    if (!block.slab) totals.headOrder = pages.compoundOrder(headPfn(skb));
  };

  const again = cpus.register(() => turn(), "dcb");
  const turn = (): void => {
    if (connection === 0) {
      accept();
      for (const pfn of stale) {
        journal.caller = site.dma;
        pages.freePages(pfn, bufferOrder);
      }
      stale = [];
      journal.caller = 0;
    } else if (clock.now() >= until) disconnect();
    grow(random.below(60));
    if (user.length > 4000) shrink(random.below(80));
    write();
    cpus.work(0, (0.5 + random.unit()) * nanosPerMilli, again);
  };

  const strike = clock.handler(() => {
    clock.after((0.2 + random.unit()) * nanosPerMilli, strike);
    strikeOnce();
  });
  const strikeOnce = (): void => {
    const slots = device.driver.txSlots;
    if (slots === undefined) return;
    const how = cause.startsWith("stray bit") ? "or" : "store";
    totals.strikes++;
    if (cause === "overrun into the driver") {
      totals.inUse++;
      slots.strikeIndex(0x5a5a5a5a);
    } else if (cause.endsWith("tx_skb")) {
      const slot = random.below(slots.size);
      if (slots.inFlight(slot)) totals.inUse++;
      slots.strike(slot, strayBits, how);
    } else {
      const pfn = aTail();
      if (pfn < 0) return;
      totals.inUse++;
      pages.strike(pfn, strayBits, how);
    }
  };
  /** The last page of a packet's head in the send queue; -1 when heads lie in slabs or nothing is queued. */
  const aTail = (): number => {
    const skb = connection === 0 ? 0 : (tcp.state.first[connection] as number);
    if (skb === 0) return -1;
    const order = pages.compoundOrder(headPfn(skb));
    return order === 0 ? -1 : headPfn(skb) + (1 << order) - 1;
  };

  return {
    start(): void {
      machine.up(device);
      grow(2000);
      if (cause === "fragmentation") fragment(machine, pages, random);
      cpus.work(0, 0, again);
      if (cause.startsWith("stray") || cause.startsWith("overrun")) clock.after(30 * nanosPerMilli, strike);
    },
    totals: () => ({
      ...totals,
      noMemory: totals.noMemory + tcp.counters.sendNoMemory,
      sentMb: device.stats.txBytes / 1e6,
    }),
  };
}

/** All memory is taken in single pages, and most of every other one comes back: hardly anything larger than one page is free. */
function fragment(machine: Machine, pages: StructPages, random: Prng): void {
  const gfp = machine.skbs.config.gfp.kernel & ~machine.skbs.config.gfp.directReclaim;
  const taken: number[] = [];
  for (let pfn = pages.allocPages(gfp, 0); pfn >= 0; pfn = pages.allocPages(gfp, 0)) taken.push(pfn);
  // A block of four pages here and there stays whole, so that the board works at all.
  for (const pfn of taken) if (pfn % 2 === 0 ? random.chance(0.8) : pfn % 256 < 4) pages.freePages(pfn, 0);
}
