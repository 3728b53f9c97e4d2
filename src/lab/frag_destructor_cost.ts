// The benchmark that the author of the fragment destructors looked for: what a frame of each size costs under each design. Every number is
// read off the model after doing it: booted memory, the release's slab allocator, its sk_buffs with the design's structs.
import { prng } from "../base/prng.ts";
import { gfpCombination, gfpEraAt, gfpMask } from "../kernel/facts/gfp.ts";
import type { Release } from "../kernel/release.ts";
import { parseRelease } from "../kernel/release.ts";
import { createJournal } from "../model/journal.ts";
import { createBootedMemory } from "../model/kernels/booted.ts";
import { partsFor } from "../model/kernels/parts_for.ts";
import { slabPartsOf } from "../model/kernels/slab_parts.ts";
import type { PageAllocator } from "../model/mm/pages.ts";
import type { FragDesign, FragDesignName, FragLayout } from "../model/net/skb/frag_designs.ts";
import { fragDesignNamed, fragDesignNames } from "../model/net/skb/frag_designs.ts";
import { headField, skbField } from "../model/net/skb/skb_columns.ts";
import type { SkbGfp } from "../model/net/skb/skb_config.ts";
import { skbConfigOf } from "../model/net/skb/skb_config.ts";
import { skbSizes61 } from "../model/net/skb/skb_config61.ts";
import type { Skbs } from "../model/net/skb/skbs.ts";
import { createSkbs } from "../model/net/skb/skbs.ts";
import { defaultAllocator } from "../model/slab/geometry.ts";
import type { Heap } from "../model/slab/heap.ts";
import { createHeap } from "../model/slab/kmalloc.ts";

/** A frame size and how often it occurs among the others. */
export interface FrameShare {
  /** Bytes of linear data that alloc_skb is asked for. */
  readonly bytes: number;
  readonly weight: number;
}

export interface CostSettings {
  readonly release: string;
  readonly designs: readonly FragDesignName[];
  readonly frames: readonly FrameShare[];
  /** Packets alive at once in the measurement of memory. */
  readonly packets: number;
  readonly memoryMb: number;
  readonly cpus: number;
  /** Share of the filled memory that is free again, in pages at random places, when packets are asked for under pressure. */
  readonly freeShare: number;
  /** Packets asked for under pressure, with GFP_ATOMIC, none of them freed. */
  readonly pressurePackets: number;
  readonly seed: number;
}

/** What one frame size costs under one design. */
export interface FrameCost {
  readonly bytes: number;
  /** Bytes of the object the head lies in; with split info both objects. */
  readonly headBytes: number;
  readonly truesize: number;
  /** Memory taken from the page allocator, a packet. */
  readonly memoryPerPacket: number;
  readonly allocations: number;
  /** Pages that the objects of one packet lie in, on average. */
  readonly pagesTouched: number;
  /** Of `pressurePackets` asked for under pressure. */
  readonly failures: number;
}

export interface DesignCost {
  readonly design: FragDesignName;
  readonly says: string;
  readonly limits: readonly string[];
  readonly layout: FragLayout;
  /** Linear bytes beside the bare shared info in the 512-byte bucket (256 where it fits): the room the seed speaks of. */
  readonly room: { readonly bucket: number; readonly left: number };
  readonly frames: readonly FrameCost[];
  /** Over the mix of the frames' weights. */
  readonly memoryPerPacket: number;
  readonly failureRate: number;
}

export interface CostResult {
  readonly release: string;
  readonly packets: number;
  readonly pressurePackets: number;
  readonly designs: readonly DesignCost[];
}

/** Runs the whole table. A function of the settings alone. */
export function runFragDestructorCost(settings: CostSettings): CostResult {
  const release = parseRelease(settings.release);
  return {
    release: settings.release,
    packets: settings.packets,
    pressurePackets: settings.pressurePackets,
    designs: settings.designs.map((name) => costOf(fragDesignNamed(name), release, settings)),
  };
}

function costOf(design: FragDesign, release: Release, settings: CostSettings): DesignCost {
  const layout = design.layout(release);
  const frames = settings.frames.map(({ bytes }) => ({
    ...measure(design, release, settings, bytes),
    failures: underPressure(design, release, settings, bytes),
  }));
  const weights = settings.frames.reduce((sum, f) => sum + f.weight, 0);
  const mean = (of: (cost: FrameCost) => number): number =>
    frames.reduce((sum, cost, i) => sum + of(cost) * (settings.frames[i]?.weight ?? 0), 0) / weights;
  return {
    design: design.name,
    says: design.says,
    limits: design.limits,
    layout,
    room: roomBeside(layout.sharedInfoBytes),
    frames,
    memoryPerPacket: mean((c) => c.memoryPerPacket),
    failureRate: mean((c) => c.failures) / settings.pressurePackets,
  };
}

function roomBeside(infoBytes: number): { bucket: number; left: number } {
  const bucket = [256, 512, 1024].find((b) => b >= infoBytes + 14) ?? 2048;
  return { bucket, left: bucket - infoBytes };
}

/** A machine with the design's sk_buffs, and a tally of what they take. */
interface Bench {
  readonly skbs: Skbs;
  readonly atomic: number;
  readonly pages: PageAllocator;
  /** Pages taken and given back by the slabs. */
  readonly tally: { pages: number; calls: number; objects: [address: number, bytes: number][] };
}

function createBench(design: FragDesign, release: Release, settings: CostSettings, skbsMax: number): Bench {
  const journal = createJournal();
  const memory = createBootedMemory({ release, memoryMb: settings.memoryMb, cpus: settings.cpus, journal });
  const tally: Bench["tally"] = { pages: 0, calls: 0, objects: [] };
  const { pages } = memory;
  const counted: PageAllocator = {
    ...pages,
    allocPages(gfp, order) {
      const pfn = pages.allocPages(gfp, order);
      if (pfn >= 0) tally.pages += 1 << order;
      return pfn;
    },
  };
  const slab = createHeap({
    release,
    pages: counted,
    journal,
    cpus: settings.cpus,
    allocator: defaultAllocator(release),
    parts: slabPartsOf(release),
  });
  const layout = design.layout(release);
  const gfp = gfpOf(release);
  const skbs = createSkbs({
    pages,
    heap: design.heap(watched(slab, tally), release),
    journal,
    skbsMax,
    config: skbConfigOf(partsFor(release).parts.net.skb, {
      ...skbSizes61,
      sharedInfoBytes: layout.sharedInfoBytes,
      skBuffBytes: layout.skBuffBytes,
      fclonesBytes: 2 * layout.skBuffBytes + 8,
      gfp,
    }),
  });
  return { skbs, atomic: gfp.atomic, pages, tally };
}

/** The slab heap with every object written down. */
function watched(heap: Heap, tally: Bench["tally"]): Heap {
  const sizes = new Map<number, number>();
  const seen = (address: number, bytes: number): number => {
    tally.calls++;
    if (address >= 0) tally.objects.push([address, bytes]);
    return address;
  };
  return {
    ...heap,
    kmalloc: (bytes, gfp) => seen(heap.kmalloc(bytes, gfp), heap.kmallocSizeRoundup(bytes)),
    cacheCreate(name, size, align) {
      const id = heap.cacheCreate(name, size, align);
      sizes.set(id, size);
      return id;
    },
    cacheAlloc: (cache, gfp) => seen(heap.cacheAlloc(cache, gfp), sizes.get(cache) ?? 0),
  };
}

function gfpOf(release: Release): SkbGfp {
  const era = gfpEraAt(release.version);
  const bit = (name: string): number => (era === undefined ? 0 : (gfpMask(name, era) ?? 0));
  const combination = (name: string): number => gfpCombination(name, release.version) ?? 0;
  return {
    atomic: combination("GFP_ATOMIC"),
    kernel: combination("GFP_KERNEL"),
    dma: bit("DMA"),
    directReclaim: bit("DIRECT_RECLAIM") | bit("WAIT"),
    nowarn: bit("NOWARN"),
    nomemalloc: bit("NOMEMALLOC"),
    memalloc: bit("MEMALLOC"),
    comp: bit("COMP"),
  };
}

/** Memory, objects and pages of `packets` live packets of one size. */
function measure(
  design: FragDesign,
  release: Release,
  settings: CostSettings,
  bytes: number,
): Omit<FrameCost, "failures"> {
  const { packets } = settings;
  const bench = createBench(design, release, settings, packets);
  const { skbs, tally, atomic } = bench;
  let touched = 0;
  let got = 0;
  let last = 0;
  for (let i = 0; i < packets; i++) {
    tally.objects = [];
    const skb = skbs.allocSkb(bytes, atomic);
    if (skb === 0) break;
    got++;
    last = skb;
    touched += pagesOf(tally.objects, skbs.config.pageSize);
  }
  const head = skbs.columns.S[last + skbField.HEAD] ?? 0;
  return {
    bytes,
    headBytes: skbs.columns.H[head + headField.BYTES] ?? 0,
    truesize: skbs.columns.S[last + skbField.TRUESIZE] ?? 0,
    memoryPerPacket: got === 0 ? 0 : (tally.pages * skbs.config.pageSize) / got,
    allocations: got === 0 ? 0 : tally.calls / got,
    pagesTouched: got === 0 ? 0 : touched / got,
  };
}

function pagesOf(objects: readonly (readonly [address: number, bytes: number])[], pageSize: number): number {
  const pages = new Set<number>();
  for (const [address, bytes] of objects)
    for (let p = Math.floor(address / pageSize); p <= Math.floor((address + bytes - 1) / pageSize); p++) pages.add(p);
  return pages.size;
}

/** Fills memory, gives a share of its pages back at random places, then asks for packets; how many could not be had. */
function underPressure(design: FragDesign, release: Release, settings: CostSettings, bytes: number): number {
  const bench = createBench(design, release, settings, settings.pressurePackets);
  const { skbs, pages, atomic } = bench;
  const random = prng(settings.seed);
  const held: number[] = [];
  for (let pfn = pages.allocPages(atomic, 0); pfn >= 0; pfn = pages.allocPages(atomic, 0)) held.push(pfn);
  for (let left = Math.floor(held.length * settings.freeShare); left > 0; left--) {
    const at = random.below(held.length);
    pages.freePages(held[at] ?? 0, 0);
    held[at] = held.at(-1) ?? 0;
    held.pop();
  }
  let failures = 0;
  for (let i = 0; i < settings.pressurePackets; i++) if (skbs.allocSkb(bytes, atomic) === 0) failures++;
  return failures;
}

export const costDefaults: CostSettings = {
  release: "3.2-x86_64",
  designs: fragDesignNames,
  frames: [
    { bytes: 20, weight: 5 },
    { bytes: 60, weight: 35 },
    { bytes: 100, weight: 10 },
    { bytes: 128, weight: 5 },
    { bytes: 160, weight: 5 },
    { bytes: 200, weight: 5 },
    { bytes: 600, weight: 5 },
    { bytes: 1514, weight: 30 },
  ],
  packets: 1000,
  memoryMb: 64,
  cpus: 2,
  freeShare: 0.05,
  pressurePackets: 4000,
  seed: 1,
};
