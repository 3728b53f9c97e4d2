// Experiments with the return hook: the two test procedures of its authors and the copy that went wrong, each run under several designs.
import type { CensusFault } from "../model/net/pool/page_pool_census.ts";
import type { Lab } from "../model/net/pool/page_pool_lab.ts";
import { createLab } from "../model/net/pool/page_pool_lab.ts";
import type { HookDesign } from "../model/net/pool/recycle_designs.ts";
import { fragInts, headField, skbField } from "../model/net/skb/skb_columns.ts";
import { dataAlign } from "../model/net/skb/skb_config.ts";

/** A design of the return hook, by name. */
export interface Design {
  /** Left out: the kernel's own. */
  readonly of2018?: HookDesign;
  readonly says: string;
}

export const designs = {
  "in-header": {
    of2018: { mark: "in the header region", coalesce: "unaware" },
    says: "mem_info between headers_start and headers_end (branches mvneta_03, mvneta_04)",
  },
  "after-head-frag": {
    of2018: { mark: "after head_frag", coalesce: "unaware" },
    says: "mem_info after head_frag; coalescing knows nothing of pools",
  },
  "coalesce-release": {
    of2018: { mark: "after head_frag", coalesce: "release" },
    says: "as before, and skb_try_coalesce unmaps the page: it leaves the pool (solution 1)",
  },
  "coalesce-frag-list": {
    of2018: { mark: "after head_frag", coalesce: "frag_list" },
    says: "as before, and skb_try_coalesce chains the skb on frag_list (solution 2)",
  },
  "coalesce-refuse": {
    of2018: { mark: "after head_frag", coalesce: "refuse" },
    says: "as before, and skb_try_coalesce refuses (solution 3)",
  },
  "pp-recycle": { says: "6.1: pp_recycle bit, page->pp, equal marks coalesce" },
} as const satisfies Readonly<Record<string, Design>>;
export type DesignName = keyof typeof designs;
export const designNames = Object.keys(designs) as DesignName[];

/** What one design did. Counts are pages unless they say otherwise. */
export interface DesignResult {
  readonly design: DesignName;
  readonly says: string;
  readonly packets: number;
  readonly dropped: number;
  /** Came home to cache or ring. */
  readonly recycled: number;
  /** Taken from the page allocator, the ring's first filling among them. */
  readonly fresh: number;
  /** Left the pool as the rules allow: unmapped and counted out. */
  readonly released: number;
  /** Freed mapped and counted as in flight, or owned and held by nobody. */
  readonly leaked: number;
  /** Times that memory went where it does not belong: a foreign page into a pool, a reference dropped as another kind, a free page used. */
  readonly corrupted: number;
  /** Packets merged into another. */
  readonly coalesced: number;
  /** Bytes of skb structs, heads and pages in the receive queues, per packet there, when they held most. */
  readonly memoryPerPacket: number;
  /** DMA out of turn. */
  readonly dmaFaults: number;
  /** In flight two minutes after the driver went down. */
  readonly inFlightAtEnd: number;
  /** What the kernel said. */
  readonly said: readonly string[];
  /** The first things that were wrong, in words. */
  readonly wrong: readonly string[];
}

interface Common {
  readonly packets: number;
  readonly frameBytes: number;
  readonly ringSize: number;
  /** Left out: as many as ringSize. */
  readonly poolSize?: number;
  readonly designs: readonly DesignName[];
}
export interface CopySettings extends Common {
  readonly copy: "skb_copy" | "pskb_copy" | "both";
}
export interface MulticastSettings extends Common {
  readonly sockets: number;
  /** Packets that the slowest socket lets wait. */
  readonly slowest: number;
}
export interface TcpSettings extends Common {
  /** Packets between two reads of the application. */
  readonly readEvery: number;
  /** Data packets between two acknowledgements for the other direction; 0: one way only. */
  readonly ackEvery: number;
}

/** Runs a procedure once for each design. */
function forEachDesign(settings: Common, procedure: (bench: Bench) => void): DesignResult[] {
  return settings.designs.map((design) => {
    const { of2018, says } = designs[design] as Design;
    const { ringSize, poolSize = ringSize } = settings;
    const lab = createLab({
      ...(of2018 === undefined ? {} : { design: of2018 }),
      ringSize,
      poolSize,
      pagesMax: 8192,
      skbsMax: 65536,
    });
    const bench: Bench = {
      lab,
      frameBytes: settings.frameBytes,
      packets: settings.packets,
      coalesced: 0,
      received: 0,
      most: 0,
      perPacket: 0,
    };
    procedure(bench);
    return finish(design, says, bench);
  });
}

interface Bench {
  readonly lab: Lab;
  readonly frameBytes: number;
  readonly packets: number;
  coalesced: number;
  received: number;
  most: number;
  perPacket: number;
}

function receive(bench: Bench, bytes: number): number {
  const skb = bench.lab.receive(bytes);
  if (skb !== 0) bench.received++;
  return skb;
}

const leaks: readonly CensusFault[] = ["leaked", "freed while the pool's"];

function finish(design: DesignName, says: string, bench: Bench): DesignResult {
  const { lab } = bench;
  const { pools, pool } = lab;
  const { strays } = lab.hook;
  const census = lab.census();
  const stats = pools.stats(pool);
  const released = pools.releaseCount(pool);
  const usedAfterFree = lab.pages.usedAfterFree.length + lab.heap.overrun.length;
  const wrong = [
    ...strays.map((s) => `skb_free_head, page ${s.pfn}: ${s.text}`),
    ...census.faults.map((f) => (f.pfn < 0 ? f.text : `page ${f.pfn} ${f.text}`)),
    ...lab.pages.usedAfterFree.map((u) => `page ${u.pfn}: ${u.step} while it is free`),
    ...lab.dma.reports.map((r) => `DMA${r.pfn < 0 ? "" : `, page ${r.pfn}`}: ${r.text}`),
  ];
  const inFlightAtEnd = lab.shutdown(130);
  return {
    design,
    says,
    packets: bench.received,
    dropped: lab.dropped(),
    recycled: stats.cached + stats.ring,
    fresh: pools.holdCount(pool),
    released,
    leaked: census.faults.filter((f) => leaks.includes(f.fault)).length,
    corrupted: strays.length + usedAfterFree,
    coalesced: bench.coalesced,
    memoryPerPacket: Math.round(bench.perPacket),
    dmaFaults: lab.dma.reports.length,
    inFlightAtEnd,
    said: firstOfEachKind(
      lab.said.filter((text) => /stalled|Negative|violation/.test(text)),
      6,
    ),
    wrong: firstOfEachKind(wrong, 6),
  };
}

/** One example of each thing that went wrong, with how often. */
function firstOfEachKind(wrong: readonly string[], most: number): string[] {
  const kinds = new Map<string, { readonly first: string; times: number }>();
  for (const text of wrong) {
    const kind = text.replace(/\d{1,15}(?! sec)/g, "#");
    const seen = kinds.get(kind);
    if (seen === undefined) kinds.set(kind, { first: text, times: 1 });
    else seen.times++;
  }
  return [...kinds.values()]
    .slice(0, most)
    .map(({ first, times }) => (times > 1 ? `${first} (${times} times)` : first));
}

/** Bytes that queued skbs keep, shared data once. */
function memoryOf(bench: Bench, queues: readonly (readonly number[])[]): { bytes: number; packets: number } {
  const { columns, config, pages } = bench.lab.skbs;
  const { S, H, F, fragBase } = columns;
  const structBytes = dataAlign(config, config.skBuffBytes);
  const seen = new Set<number>();
  let bytes = 0;
  let packets = 0;
  const add = (skb: number): void => {
    bytes += structBytes;
    const head = S[skb + skbField.HEAD] as number;
    if (seen.has(head)) return;
    seen.add(head);
    bytes += H[head + headField.BYTES] as number;
    const base = fragBase(head);
    for (let f = base; f < base + (H[head + headField.NR_FRAGS] as number) * fragInts; f += fragInts)
      bytes += config.pageSize << pages.compoundOrder(F[f] as number);
    for (let part = H[head + headField.FRAG_LIST] as number; part !== 0; part = S[part + skbField.NEXT] as number)
      add(part);
  };
  for (const queue of queues) for (const skb of queue) add(skb);
  for (const queue of queues) packets += queue.length;
  return { bytes, packets };
}

function noteMemory(bench: Bench, bytes: number, packets: number): void {
  if (packets === 0 || bytes <= bench.most) return;
  bench.most = bytes;
  bench.perPacket = bytes / packets;
}

/** Every packet is copied, as by a tap that wants its own, and copy and original are freed. */
export function runCopy(settings: CopySettings): DesignResult[] {
  return forEachDesign(settings, (bench) => {
    const { skbs } = bench.lab;
    const { atomic } = skbs.config.gfp;
    for (let i = 0; i < settings.packets; i++) {
      const skb = receive(bench, settings.frameBytes);
      if (skb === 0) continue;
      const whole = settings.copy === "skb_copy" || (settings.copy === "both" && i % 2 === 0);
      const copy = whole ? skbs.skbCopy(skb, atomic) : skbs.pskbCopy(skb, atomic);
      const both = [skb, ...(copy === 0 ? [] : [copy])];
      noteMemory(bench, memoryOf(bench, [both]).bytes, 1);
      for (const s of both.reverse()) skbs.kfreeSkb(s);
    }
  });
}

/** One packet to several sockets: a clone for each but the last. Socket k lets up to k/(n-1) of `slowest` packets wait. */
export function runMulticast(settings: MulticastSettings): DesignResult[] {
  return forEachDesign(settings, (bench) => {
    const { skbs } = bench.lab;
    const { atomic } = skbs.config.gfp;
    const queues = Array.from({ length: settings.sockets }, (): number[] => []);
    const limit = queues.map((_, k) => Math.ceil((settings.slowest * k) / Math.max(1, settings.sockets - 1)));
    for (let i = 0; i < settings.packets; i++) {
      const skb = receive(bench, settings.frameBytes);
      if (skb === 0) continue;
      queues.forEach((queue, k) => {
        const own = k === queues.length - 1 ? skb : skbs.skbClone(skb, atomic);
        if (own !== 0) queue.push(own);
      });
      const { bytes } = memoryOf(bench, queues);
      noteMemory(bench, bytes, Math.max(...queues.map((q) => q.length)));
      queues.forEach((queue, k) => {
        while (queue.length > (limit[k] ?? 0)) skbs.kfreeSkb(queue.shift() as number);
      });
    }
    for (const queue of queues) for (const skb of queue) skbs.kfreeSkb(skb);
  });
}

/** Ethernet, IP and TCP headers, which the stack pulls before a packet is queued. */
const TCP_HEADERS = 66;

/** Bulk TCP both ways: data is coalesced in the receive queue until the application reads; acknowledgements of the other way are freed at once. */
export function runTcp(settings: TcpSettings): DesignResult[] {
  return forEachDesign(settings, (bench) => {
    const { skbs, hook } = bench.lab;
    let queue: number[] = [];
    let waiting = 0;
    const read = (): void => {
      noteMemory(bench, memoryOf(bench, [queue]).bytes, waiting);
      for (const skb of queue) skbs.kfreeSkb(skb);
      queue = [];
      waiting = 0;
    };
    for (let i = 0; i < settings.packets; i++) {
      if (settings.ackEvery > 0 && i % settings.ackEvery === 0) {
        const ack = receive(bench, TCP_HEADERS);
        if (ack !== 0) skbs.kfreeSkb(ack);
      }
      const skb = receive(bench, settings.frameBytes);
      if (skb === 0) continue;
      skbs.skbPull(skb, TCP_HEADERS);
      const tail = queue.at(-1);
      if (tail !== undefined && hook.coalesceQueued(tail, skb)) bench.coalesced++;
      else queue.push(skb);
      if (++waiting >= settings.readEvery) read();
    }
    read();
  });
}
