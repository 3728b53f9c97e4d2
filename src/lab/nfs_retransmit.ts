// The bug that fragment destructors fix. An RPC client writes pages to a TCP socket; the call times out and is sent again; the reply to
// the first copy arrives; the client is done with the pages and writes something else into them, while the second copy still waits in the
// send queue or in the card's ring. What then goes over the wire is neither the old data nor asked for, and the server writes it to disk.
//
//   client   pages A ──copy 1──▶ wire ──▶ server writes A, replies
//            (timeout) ──copy 2──▶ send queue ...............▶ wire: pages hold B by now ──▶ server writes B over A
//
// Pages carry a tag that is read where the card would read the bytes: at the moment a frame leaves. The client is sunrpc.ts over the TCP of
// model/net; the server's TCP is tcp_peer.ts. The card is here, since it has to know when it reads: one frame at a time, fragments and all.
import { assert } from "../base/assert.ts";
import type { Prng } from "../base/prng.ts";
import { prng } from "../base/prng.ts";
import { createJournal } from "../model/journal.ts";
import { createNaivePages } from "../model/mm/pages.ts";
import { packetField } from "../model/net/path/receive.ts";
import { createFrames, frameField, frameKind, headerBytes } from "../model/net/path/wire.ts";
import type { FragDesign, FragDesignName } from "../model/net/skb/frag_designs.ts";
import { fragDesignNamed } from "../model/net/skb/frag_designs.ts";
import { createNaiveHeap } from "../model/net/skb/naive_heap.ts";
import { fragField, fragInts, headField, skbField } from "../model/net/skb/skb_columns.ts";
import { createMemory } from "../model/net/skb/skb_memory.ts";
import type { Skbs } from "../model/net/skb/skbs.ts";
import { createSkbs } from "../model/net/skb/skbs.ts";
import { createSockMem } from "../model/net/tcp/sock_mem.ts";
import type { PageHold } from "../model/net/tcp/sunrpc.ts";
import { createRpcClient } from "../model/net/tcp/sunrpc.ts";
import { createTcp, segmentHeaders } from "../model/net/tcp/tcp.ts";
import { createTcpPeer } from "../model/net/tcp/tcp_peer.ts";
import { createClock } from "../model/sync/clock.ts";
import { createCpus } from "../model/sync/cpu.ts";

const { OFFSET: FRAG_OFFSET, SIZE: FRAG_SIZE } = fragField;
const FRAG_INTS = fragInts;

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
  /** Runs that reached their limit of events (each lost retransmission doubles the next wait), and their calls without a reply. */
  readonly runsUnfinished: number;
  readonly callsUnanswered: number;
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

type Counts = {
  -readonly [K in keyof Omit<NfsRun, "lossRate" | "runs" | "runsWithCorruption" | "runsUnfinished">]: number;
};

function runRate(design: FragDesign, settings: NfsSettings, lossRate: number): NfsRun {
  const total: Counts = noCounts();
  let runsWithCorruption = 0;
  let runsUnfinished = 0;
  for (let i = 0; i < settings.seeds; i++) {
    const counts = runOnce(design, settings, lossRate, prng(settings.seed + i));
    for (const key of Object.keys(total) as (keyof Counts)[]) total[key] += counts[key];
    if (counts.framesCorrupted + counts.filesCorrupted > 0) runsWithCorruption++;
    if (counts.callsUnanswered > 0) runsUnfinished++;
  }
  const reuseWaitTicks =
    total.calls === total.callsUnanswered ? 0 : total.reuseWaitTicks / (total.calls - total.callsUnanswered);
  return { ...total, reuseWaitTicks, lossRate, runs: settings.seeds, runsWithCorruption, runsUnfinished };
}

const noCounts = (): Counts => ({
  calls: 0,
  callsSentAgain: 0,
  framesSent: 0,
  framesSentAgain: 0,
  framesCorrupted: 0,
  filesCorrupted: 0,
  callsUnanswered: 0,
  reuseWaitTicks: 0,
});

/** Bytes of one page in a frame as it left the card. */
interface Piece {
  readonly from: number;
  readonly bytes: number;
  readonly tag: number | undefined;
}

/** A message of the stream: which call it is, where it stands, where its first frame begins. */
interface Message {
  readonly call: number;
  readonly from: number;
  readonly to: number;
}

const tickNanos = 100_000;
const pageBytes = 4096;
const rpcHeader = 128;
const tcpHeaders = headerBytes[frameKind.tcp];
const { LEN, HEAD } = skbField;

function holdOf(design: FragDesign, skbs: Skbs): PageHold | undefined {
  if (design.name === "none") return undefined;
  return {
    perPage: design.onePage,
    as: design.name === "ubuf-per-skb" ? "ubuf" : "destructor",
    create: (done) => design.create(skbs, done),
    release: (id) => design.release(skbs, id),
  };
}

/** One run: client, card, link and server from the first call until everything has come back. */
function runOnce(design: FragDesign, settings: NfsSettings, lossRate: number, random: Prng): Counts {
  const counts = noCounts();
  const journal = createJournal();
  const clock = createClock(journal);
  const cpus = createCpus(clock, journal, 1);
  const pages = createNaivePages(1 << 14, 16);
  const heap = createNaiveHeap({ pages });
  const memory = createMemory(pageBytes);
  const skbs = createSkbs({ pages, heap, memory, skbsMax: 4096 });
  const { S, H, F, fragBase } = skbs.columns;
  const frames = createFrames();
  const mem = createSockMem(skbs, { limitsPages: [1 << 20, 1 << 20, 1 << 20], stream: true });
  const mss = settings.pagesPerFrame * pageBytes;
  const rto = settings.tcpTimeoutTicks * tickNanos;
  const cong = { rtoMinNanos: rto, rtoInitialNanos: rto };
  const losses = { up: random.fork("up"), down: random.fork("down") };

  // --- what the stream carries -------------------------------------------------------------------------------------------------
  const messages: Message[] = [];
  const flying: (readonly Piece[] | undefined)[] = [];
  /** What the server got first for each frame, by its first byte. */
  const taken = new Map<number, { readonly bytes: number; readonly pieces: readonly Piece[] }>();
  const files: (readonly (number | undefined)[] | undefined)[] = [];
  /** The tag that each call wrote. */
  const written: number[] = [];
  let stream = 0;
  const unwrap = (seq: number): number => stream + ((seq - (stream | 0)) | 0);

  const messageAt = (position: number): Message => {
    let low = 0;
    let high = messages.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (messages[middle]!.from <= position) low = middle;
      else high = middle - 1;
    }
    return messages[low] as Message;
  };

  // --- the card ----------------------------------------------------------------------------------------------------------------
  const ring: number[] = [];
  let sending = false;

  /** Reads a packet as DMA would, now. */
  const read = (skb: number): Piece[] => {
    const head = S[skb + HEAD]!;
    const base = fragBase(head);
    const pieces: Piece[] = [];
    let from = unwrap(S[skb + packetField.SEQ]!) + skbs.headlen(skb) - tcpHeaders;
    for (let f = base; f < base + H[head + headField.NR_FRAGS]! * FRAG_INTS; f += FRAG_INTS) {
      const bytes = F[f + FRAG_SIZE]!;
      if (from - messageAt(from).from >= rpcHeader)
        pieces.push({ from, bytes, tag: memory.tagOf(F[f]! * pageBytes + F[f + FRAG_OFFSET]!, bytes) });
      from += bytes;
    }
    return pieces;
  };

  const left = clock.handler((skb) => {
    const bytes = S[skb + LEN]! - tcpHeaders;
    const pieces = bytes > 0 ? read(skb) : [];
    if (bytes > 0) {
      counts.framesSent++;
      if (pieces.some((p) => p.tag !== written[messageAt(p.from).call])) counts.framesCorrupted++;
    }
    if (!losses.up.chance(lossRate)) {
      const frame = frames.take();
      const { W } = frames;
      W[frame + frameField.LEN] = bytes;
      W[frame + frameField.FLOW] = S[skb + packetField.FLOW]!;
      W[frame + frameField.SEQ] = S[skb + packetField.SEQ]!;
      W[frame + frameField.KIND] = frameKind.tcp;
      W[frame + frameField.ACK] = S[skb + packetField.ACK]!;
      W[frame + frameField.AUX] = S[skb + packetField.AUX]!;
      flying[frame >> 3] = pieces;
      clock.after(settings.delayTicks * tickNanos, arriveAtServer, frame);
    }
    skbs.consumeSkb(skb);
    sending = false;
    sendNext();
  });
  const sendNext = (): void => {
    const skb = sending ? undefined : ring.shift();
    if (skb === undefined) return;
    sending = true;
    clock.after((tickNanos * S[skb + LEN]!) / (mss + tcpHeaders), left, skb);
  };
  const arriveAtServer = clock.handler((frame) => peer.frameArrived(frame));
  const arriveAtClient = clock.handler((frame) => {
    const skb = skbs.netdevAllocSkb(tcpHeaders + frames.W[frame + frameField.LEN]!, skbs.config.gfp.atomic);
    skbs.skbPut(skb, tcpHeaders + frames.W[frame + frameField.LEN]!);
    S[skb + packetField.FLOW] = frames.W[frame + frameField.FLOW]!;
    S[skb + packetField.SEQ] = frames.W[frame + frameField.SEQ]!;
    S[skb + packetField.ACK] = frames.W[frame + frameField.ACK]!;
    S[skb + packetField.AUX] = frames.W[frame + frameField.AUX]!;
    frames.give(frame);
    tcp.take(skb);
  });

  const tcp = createTcp(
    {
      skbs,
      clock,
      cpus,
      mem,
      pages,
      output(_c, skb) {
        ring.push(skb);
        sendNext();
        return true;
      },
    },
    cong,
  );

  // --- the server --------------------------------------------------------------------------------------------------------------
  const peer = createTcpPeer(
    clock,
    frames,
    (frame) => {
      if (losses.down.chance(lossRate)) frames.give(frame);
      else clock.after(settings.delayTicks * tickNanos, arriveAtClient, frame);
    },
    cong,
  );
  let done = 0;
  let frameFrom = 0;

  /** Every copy of a call is carried out when all of it is there: this server has no reply cache. */
  const carryOut = (message: Message): void => {
    const file: (number | undefined)[] = [];
    for (let at = frameFrom; at < message.to; ) {
      const frame = taken.get(at);
      assert(frame !== undefined, () => `the server has no frame at byte ${at}`);
      for (const p of frame.pieces) {
        if (p.from < message.from || p.from >= message.to) continue;
        const page = Math.floor((p.from - message.from - rpcHeader) / pageBytes);
        file[page] = page in file && file[page] !== p.tag ? undefined : p.tag;
      }
      frameFrom = at;
      at += frame.bytes;
      if (at <= message.to) {
        taken.delete(frameFrom);
        frameFrom = at;
      }
    }
    files[message.call] = file;
    clock.after(settings.serverTicks * tickNanos, replyNow, message.call);
  };
  const replyNow = clock.handler((call) => {
    rpc.replies.push(call);
    peer.send(connection, rpcHeader);
  });
  const connection = peer.connect({
    flowIn: 2,
    flowOut: 1,
    mss,
    windowBytes: settings.windowFrames * mss,
    onFrame(frame) {
      const from = unwrap(frames.W[frame + frameField.SEQ]!);
      if (from >= stream && !taken.has(from))
        taken.set(from, { bytes: frames.W[frame + frameField.LEN]!, pieces: flying[frame >> 3] ?? [] });
    },
    onData(bytes) {
      stream = bytes;
      for (let next = messages[done]; next !== undefined && next.to <= bytes; next = messages[++done]) carryOut(next);
    },
  });

  // --- the client --------------------------------------------------------------------------------------------------------------
  const spare: number[] = [];
  const pagesOf: number[][] = [];
  const repliedAt: number[] = [];
  let lastTag = 0;

  const startCalls = clock.handler(() => {
    while (counts.calls < settings.rpcs && rpc.pending() < settings.outstanding) startCall();
  });
  const startCall = (): void => {
    const mine = Array.from({ length: settings.pagesPerRpc }, () => {
      const pfn = spare.pop() ?? pages.allocPages(skbs.config.gfp.kernel, 0);
      assert(pfn >= 0, () => `${settings.outstanding} calls need more pages than the model has`);
      return pfn;
    });
    const tag = ++lastTag;
    for (const pfn of mine) memory.tag(pfn * pageBytes, pageBytes, tag);
    pagesOf[counts.calls] = mine;
    written[counts.calls++] = tag;
    rpc.call(mine);
  };

  const rpc = createRpcClient(
    tcp,
    clock,
    (user) =>
      tcp.connect(
        { flowIn: 1, flowOut: 2, mtu: mss + segmentHeaders, gso: false, noDelay: true, sndbufBytes: 1 << 22 },
        user,
      ),
    {
      headerBytes: rpcHeader,
      replyBytes: rpcHeader,
      timeoutNanos: settings.rpcTimeoutTicks * tickNanos,
      ...(design.name === "none" ? {} : { hold: holdOf(design, skbs) as PageHold }),
      onMessage: (call, from, bytes) => void messages.push({ call, from, to: from + bytes }),
      onReply(call) {
        repliedAt[call] = clock.now();
        clock.after(0, startCalls);
      },
      // The page cache does not wait: something else is written into the pages at once.
      onFree(call) {
        counts.reuseWaitTicks += (clock.now() - repliedAt[call]!) / tickNanos;
        const tag = ++lastTag;
        for (const pfn of pagesOf[call]!) {
          memory.tag(pfn * pageBytes, pageBytes, tag);
          spare.push(pfn);
        }
      },
    },
  );

  clock.after(0, startCalls);
  const eventsMax = Math.min(20_000_000, 10_000 * settings.rpcs * settings.pagesPerRpc + 100_000);
  const end = clock.run(Number.POSITIVE_INFINITY, eventsMax);
  counts.callsUnanswered = rpc.pending();

  for (let call = 0; call < counts.calls; call++) {
    if (repliedAt[call] === undefined) continue;
    const file = files[call] ?? [];
    const whole = file.length === settings.pagesPerRpc && file.every((tag) => tag === written[call]);
    if (!whole) counts.filesCorrupted++;
  }
  counts.callsSentAgain = rpc.sentAgain();
  counts.framesSentAgain = tcp.counters.retransSegs;
  if (end !== "idle") return counts;
  assert(
    rpc.pending() === 0,
    () => `nothing happens any more at loss ${lossRate}, and ${rpc.pending()} calls have no reply`,
  );
  tcp.close(1);
  tcp.exit();
  assert(rpc.held() === 0, () => `the pages of ${rpc.held()} calls are held for ever`);
  for (const pfn of spare)
    assert(pages.pageCount(pfn) === 1, () => `page ${pfn} ends with ${pages.pageCount(pfn)} references`);
  assert(skbs.columns.skbsLive() === 0, () => `${skbs.columns.skbsLive()} sk_buffs are left`);
  return counts;
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
