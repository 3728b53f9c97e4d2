// The bug that fragment destructors fix. An RPC client writes pages to a TCP socket; the call times out and is sent again; the reply to
// the first copy arrives; the client is done with the pages and writes something else into them, while the second copy still waits in the
// send queue or in the card's ring. What then goes over the wire is neither the old data nor asked for, and the server writes it to disk.
//
//   client   pages A ──copy 1──▶ wire ──▶ server writes A, replies
//            (timeout) ──copy 2──▶ send queue ...............▶ wire: pages hold B by now ──▶ server writes B over A
//
// Pages carry a tag that is read where the card would read the bytes: at the moment a frame leaves. The TCP here is only what holds
// memory: a send queue of skbs whose clones go to the card, cumulative acknowledgements, a retransmission timer, in-order delivery.
import { assert } from "../base/assert.ts";
import type { Prng } from "../base/prng.ts";
import { prng } from "../base/prng.ts";
import { createNaivePages } from "../model/mm/pages.ts";
import type { FragDesign, FragDesignName } from "../model/net/frag_designs.ts";
import { fragDesignNamed } from "../model/net/frag_designs.ts";
import { createNaiveHeap } from "../model/net/naive_heap.ts";
import type { Memory } from "../model/net/skb_memory.ts";
import { createMemory } from "../model/net/skb_memory.ts";
import type { Skbs } from "../model/net/skbs.ts";
import { createSkbs } from "../model/net/skbs.ts";

export interface NfsSettings {
  readonly designs: readonly FragDesignName[];
  /** Probabilities that a frame, acknowledgement or reply is lost. */
  readonly lossRates: readonly number[];
  /** Runs for each loss rate, with seeds seed .. seed + seeds - 1. */
  readonly seeds: number;
  readonly seed: number;
  readonly rpcs: number;
  readonly pagesPerRpc: number;
  readonly pagesPerFrame: number;
  /** Calls under way at once. */
  readonly outstanding: number;
  /** All times in ticks of the link: one frame leaves the card a tick. */
  readonly delayTicks: number;
  readonly serverTicks: number;
  readonly tcpTimeoutTicks: number;
  readonly rpcTimeoutTicks: number;
  /** Frames in flight that the window allows. */
  readonly windowFrames: number;
}

export interface NfsRun {
  readonly lossRate: number;
  /** Sums over the seeds. */
  readonly runs: number;
  readonly calls: number;
  readonly callsSentAgain: number;
  readonly framesSent: number;
  readonly framesSentAgain: number;
  /** Frames whose pages held something else than when they were handed over. */
  readonly framesCorrupted: number;
  /** Calls whose file on the server is not what the client wrote. */
  readonly filesCorrupted: number;
  readonly runsWithCorruption: number;
  /** Ticks from the reply until the pages could be used again, on average. */
  readonly reuseWaitTicks: number;
}

export interface NfsDesign {
  readonly design: FragDesignName;
  readonly says: string;
  readonly runs: readonly NfsRun[];
}

export interface NfsResult {
  readonly seeds: number;
  readonly designs: readonly NfsDesign[];
}

/** Runs every design over every loss rate and seed. A function of the settings alone. */
export function runNfsRetransmit(settings: NfsSettings): NfsResult {
  return {
    seeds: settings.seeds,
    designs: settings.designs.map((name) => {
      const design = fragDesignNamed(name);
      return {
        design: name,
        says: design.says,
        runs: settings.lossRates.map((lossRate) => runRate(design, settings, lossRate)),
      };
    }),
  };
}

type Counts = { -readonly [K in keyof Omit<NfsRun, "lossRate" | "runs" | "runsWithCorruption">]: number };

function runRate(design: FragDesign, settings: NfsSettings, lossRate: number): NfsRun {
  const total: Counts = {
    calls: 0,
    callsSentAgain: 0,
    framesSent: 0,
    framesSentAgain: 0,
    framesCorrupted: 0,
    filesCorrupted: 0,
    reuseWaitTicks: 0,
  };
  let runsWithCorruption = 0;
  const world = createWorld();
  for (let i = 0; i < settings.seeds; i++) {
    const counts = runOnce(world, design, settings, lossRate, prng(settings.seed + i));
    for (const key of Object.keys(total) as (keyof Counts)[]) total[key] += counts[key];
    if (counts.framesCorrupted + counts.filesCorrupted > 0) runsWithCorruption++;
  }
  const reuseWaitTicks = total.calls === 0 ? 0 : total.reuseWaitTicks / total.calls;
  return { ...total, reuseWaitTicks, lossRate, runs: settings.seeds, runsWithCorruption };
}

interface World {
  readonly skbs: Skbs;
  readonly memory: Memory;
  readonly pages: ReturnType<typeof createNaivePages>;
  readonly heap: ReturnType<typeof createNaiveHeap>;
}

function createWorld(): World {
  const pages = createNaivePages(1 << 16, 16);
  const heap = createNaiveHeap({ pages });
  const memory = createMemory(4096);
  return { skbs: createSkbs({ pages, heap, memory, skbsMax: 8192 }), memory, pages, heap };
}

/** One call: its pages, what they held when it was made, and how far it is. */
interface Call {
  readonly id: number;
  readonly pages: number[];
  readonly tag: number;
  sentAt: number;
  /** Copies sent so far; the timeout doubles with each. */
  copies: number;
  replied: number;
  /** Counted callbacks of all copies that have not run yet. */
  holds: number;
}

/** One segment in the send queue. */
interface Segment {
  readonly skb: number;
  readonly seq: number;
  readonly call: Call;
  readonly first: number;
  readonly count: number;
  sentAt: number;
  everSent: boolean;
}

/** What a frame carried when it left the card. */
interface Frame {
  readonly segment: Segment;
  readonly tags: readonly (number | undefined)[];
}

const gfpAtomic = 0xa20;

function runOnce(world: World, design: FragDesign, settings: NfsSettings, lossRate: number, random: Prng): Counts {
  const client = createClient(world, design, settings, lossRate, random);
  const limit = 200 * settings.rpcs * (settings.rpcTimeoutTicks + settings.tcpTimeoutTicks);
  let tick = 0;
  for (; !client.finished() && tick < limit; tick++) client.tick(tick);
  assert(tick < limit, () => `the calls do not end within ${limit} ticks at loss ${lossRate}`);
  return client.close();
}

/** Client, card, link and server of one run; everything happens in tick(). */
function createClient(world: World, design: FragDesign, settings: NfsSettings, lossRate: number, random: Prng) {
  const { skbs, memory, pages } = world;
  const counts: Counts = {
    calls: 0,
    callsSentAgain: 0,
    framesSent: 0,
    framesSentAgain: 0,
    framesCorrupted: 0,
    filesCorrupted: 0,
    reuseWaitTicks: 0,
  };
  const queue: Segment[] = [];
  const ring: { readonly clone: number; readonly segment: Segment }[] = [];
  const agenda = new Map<number, (() => void)[]>();
  const open = new Set<Call>();
  /** Calls that were answered, or given up for reuse, but whose pages the stack still holds. */
  const lingering = new Set<Call>();
  const files = new Map<number, (number | undefined)[]>();
  const received = new Map<number, Frame>();
  const spare: number[] = [];
  /** The tag that each call wrote. */
  const written: number[] = [];
  let now = 0;
  let nextSeq = 0;
  let acked = 0;
  let expected = 0;
  let made = 0;
  let lastTag = 0;

  const at = (tick: number, what: () => void): void => {
    const list = agenda.get(tick) ?? [];
    agenda.set(tick, list);
    list.push(what);
  };
  const lost = (): boolean => random.chance(lossRate);

  function takePage(): number {
    const pfn = spare.pop() ?? pages.allocPages(gfpAtomic, 0);
    assert(pfn >= 0, () => `${settings.outstanding} calls need more pages than the model has`);
    return pfn;
  }

  function startCall(): void {
    const call: Call = {
      id: made++,
      pages: Array.from({ length: settings.pagesPerRpc }, takePage),
      tag: ++lastTag,
      sentAt: now,
      copies: 0,
      replied: -1,
      holds: 0,
    };
    for (const pfn of call.pages) memory.tag(pfn * 4096, 4096, call.tag);
    written[call.id] = call.tag;
    counts.calls++;
    open.add(call);
    enqueue(call);
  }

  /** kernel_sendpage() of all pages: segments at the end of the send queue, with a page reference or a destructor's each. */
  function enqueue(call: Call): void {
    call.sentAt = now;
    call.copies++;
    for (let first = 0; first < call.pages.length; first += settings.pagesPerFrame) {
      const count = Math.min(settings.pagesPerFrame, call.pages.length - first);
      const skb = skbs.allocSkb(128, gfpAtomic);
      skbs.skbReserve(skb, 128);
      skbs.headerRelease(skb);
      attach(call, skb, first, count);
      queue.push({ skb, seq: nextSeq++, call, first, count, sentAt: -1, everSent: false });
    }
  }

  function attach(call: Call, skb: number, first: number, count: number): void {
    const done = (): void => {
      call.holds--;
      if (call.holds === 0 && call.replied >= 0) reuse(call);
    };
    const shared = design.name === "none" || design.onePage ? 0 : design.create(skbs, done);
    if (shared !== 0) call.holds++;
    for (let i = 0; i < count; i++) {
      const pfn = call.pages[first + i]!;
      skbs.skbAppendPagefrags(skb, pfn, 0, 4096);
      skbs.lenAdd(skb, 4096);
      if (design.name === "none") continue;
      const id = design.onePage ? design.create(skbs, done) : shared;
      if (design.onePage) call.holds++;
      const refused = design.attach(skbs, skb, skbs.nrFrags(skb) - 1, id);
      assert(refused === undefined, () => `${design.name}: ${refused}`);
      if (design.onePage) design.release(skbs, id);
    }
    if (shared !== 0) design.release(skbs, shared);
  }

  /** The client writes something else into the pages: the page cache does not wait. */
  function reuse(call: Call): void {
    lingering.delete(call);
    counts.reuseWaitTicks += now - call.replied;
    const tag = ++lastTag;
    for (const pfn of call.pages) {
      memory.tag(pfn * 4096, 4096, tag);
      spare.push(pfn);
    }
  }

  function replyArrives(call: Call): void {
    if (call.replied >= 0) return;
    call.replied = now;
    open.delete(call);
    lingering.add(call);
    if (design.name === "none" || call.holds === 0) reuse(call);
  }

  // --- sending ---------------------------------------------------------------------------------------------------------------

  function transmit(segment: Segment): void {
    const clone = skbs.skbClone(segment.skb, gfpAtomic);
    assert(clone !== 0, "no memory for a clone");
    if (segment.everSent) counts.framesSentAgain++;
    segment.everSent = true;
    segment.sentAt = now;
    ring.push({ clone, segment });
  }

  function fillWindow(): void {
    let inFlight = 0;
    for (const segment of queue) {
      if (inFlight >= settings.windowFrames) return;
      inFlight++;
      if (!segment.everSent) transmit(segment);
    }
  }

  function tcpTimer(): void {
    const oldest = queue[0];
    const waiting = ring.some(({ segment }) => segment === oldest);
    if (oldest?.everSent === true && !waiting && now - oldest.sentAt >= settings.tcpTimeoutTicks) transmit(oldest);
  }

  function rpcTimers(): void {
    for (const call of open)
      if (now - call.sentAt >= settings.rpcTimeoutTicks * 2 ** (call.copies - 1)) {
        counts.callsSentAgain++;
        enqueue(call);
      }
  }

  /** The card reads the pages of the frame at the head of its ring, and lets go of the clone. */
  function cardSends(): void {
    const next = ring.shift();
    if (next === undefined) return;
    const { clone, segment } = next;
    const tags = Array.from({ length: skbs.nrFrags(clone) }, (_, i) => {
      const f = skbs.fragAt(clone, i);
      return memory.tagOf(skbs.columns.F[f]! * 4096 + skbs.columns.F[f + 1]!, skbs.columns.F[f + 2]!);
    });
    counts.framesSent++;
    if (tags.some((tag) => tag !== segment.call.tag)) counts.framesCorrupted++;
    skbs.consumeSkb(clone);
    if (!lost()) at(now + settings.delayTicks, () => serverReceives({ segment, tags }));
  }

  // --- the server ------------------------------------------------------------------------------------------------------------

  function serverReceives(frame: Frame): void {
    if (frame.segment.seq >= expected && !received.has(frame.segment.seq)) received.set(frame.segment.seq, frame);
    for (let next = received.get(expected); next !== undefined; next = received.get(expected)) {
      received.delete(expected++);
      serverTakes(next);
    }
    const upTo = expected;
    if (!lost()) at(now + settings.delayTicks, () => ackArrives(upTo));
  }

  /** Every copy of a call is carried out when its last segment is there: this server has no reply cache. */
  function serverTakes({ segment, tags }: Frame): void {
    const { call } = segment;
    const file = files.get(call.id) ?? [];
    files.set(call.id, file);
    for (const [i, tag] of tags.entries()) file[segment.first + i] = tag;
    if (segment.first + segment.count < call.pages.length) return;
    at(now + settings.serverTicks, () => reply(call));
  }

  /** The reply is TCP too: a lost one comes a timeout later. */
  function reply(call: Call): void {
    if (lost()) at(now + settings.tcpTimeoutTicks, () => reply(call));
    else at(now + settings.delayTicks, () => replyArrives(call));
  }

  function ackArrives(upTo: number): void {
    if (upTo <= acked) return;
    acked = upTo;
    while (queue.length > 0 && queue[0]!.seq < acked) skbs.kfreeSkb(queue.shift()!.skb);
  }

  return {
    finished: () =>
      made >= settings.rpcs && open.size + lingering.size + queue.length + ring.length === 0 && agenda.size === 0,
    tick(tick: number): void {
      now = tick;
      for (const run of agenda.get(tick) ?? []) run();
      agenda.delete(tick);
      while (made < settings.rpcs && open.size < settings.outstanding) startCall();
      rpcTimers();
      tcpTimer();
      fillWindow();
      cardSends();
    },
    /** What happened; everything must have come back. */
    close(): Counts {
      for (let id = 0; id < made; id++) {
        const file = files.get(id) ?? [];
        const whole = file.length === settings.pagesPerRpc && new Set(file).size === 1;
        if (!whole || file[0] !== written[id]) counts.filesCorrupted++;
      }
      for (const pfn of spare) {
        assert(pages.pageCount(pfn) === 1, () => `page ${pfn} ends with ${pages.pageCount(pfn)} references`);
        pages.putPage(pfn);
      }
      assert(skbs.columns.skbsLive() === 0, () => `${skbs.columns.skbsLive()} sk_buffs are left`);
      return counts;
    },
  };
}

export const nfsDefaults: NfsSettings = {
  designs: ["none", "plain-pointer", "stolen-bit", "ubuf-per-skb"],
  lossRates: [0, 0.01, 0.02, 0.05, 0.1],
  seeds: 20,
  seed: 1,
  rpcs: 60,
  pagesPerRpc: 8,
  pagesPerFrame: 4,
  outstanding: 8,
  delayTicks: 10,
  serverTicks: 20,
  tcpTimeoutTicks: 60,
  rpcTimeoutTicks: 90,
  windowFrames: 8,
};
