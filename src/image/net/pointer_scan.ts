// The last resort of "who holds this page": all memory of the image is searched once, for all wanted pages together, for words that
// point to their struct page. What is free, kernel stacks, and the pool's and known packets' own places count for nothing. A word that
// remains may be stale all the same: a pointer is evidence, not proof.

import { ifThere } from "../address_space.ts";
import { type PhysicalMemory, pageBytes } from "../container/physical.ts";
import type { Kernel } from "../kernel.ts";
import { frameAddress, perCpu } from "../kernel.ts";
import type { MemMap } from "../mm/mem_map.ts";
import { pageKind, pageKindNames } from "../mm/page_kinds.ts";
import type { SlabCache } from "../slab/cache.ts";
import { allocatedObjects, type SlabReader, type SlabView } from "../slab/caches.ts";

export interface FoundPointer {
  readonly pfn: number;
  /** Direct-map address of the word. */
  readonly at: bigint;
  /** `kmalloc-2k object ffff…`, `page of unknown owner`. */
  readonly what: string;
  /** Start of the slab object, or of the frame. */
  readonly owner: bigint;
}

/** Frames of kernel stacks: words in them may be of calls that are long over. */
function stackFrames(kernel: Kernel, caches: readonly SlabCache[], reader: SlabReader): ReadonlySet<number> {
  const out = new Set<number>();
  const cache = caches.find((c) => c.name === "task_struct");
  const struct = kernel.types.find("task_struct");
  const stack = struct?.find("stack");
  const add = (start: bigint | undefined): void => {
    for (let i = 0n; start !== undefined && start !== 0n && i < stackPages; i++) {
      const physical = kernel.space.translate(start + i * 4096n);
      if (physical !== undefined) out.add(Math.floor(physical / 4096));
    }
  };
  if (cache !== undefined && stack !== undefined)
    for (const task of allocatedObjects(kernel, cache, reader)) add(ifThere(() => kernel.space.u64(task + stack.at)));
  // Stacks of threads that ended are kept for the next ones (kernel/fork.c, cached_stacks, 4.9 on).
  const kept = kernel.symbols.address("cached_stacks");
  const area = kernel.types.find("vm_struct")?.find("addr");
  if (kept !== undefined && area !== undefined)
    for (const cpu of kernel.possibleCpus)
      for (let i = 0n; i < 2n; i++)
        add(ifThere(() => kernel.space.u64(kernel.space.u64(perCpu(kernel, kept, cpu) + i * 8n) + area.at)));
  return out;
}

/** THREAD_SIZE is 16 KiB on x86-64 (32 KiB with KASAN: then half of it is looked at). */
const stackPages = 4n;

/**
 * What to look for, and where: plain data, so that it can be given to workers. Bit sets hold one bit a frame, the lowest of a byte first.
 */
export interface PointerPlan {
  readonly endPfn: number;
  /** Frames whose words are looked at. */
  readonly frames: Uint8Array;
  /** Frames whose struct page is looked for. */
  readonly wanted: Uint8Array;
  readonly wantedCount: number;
  readonly vmemmap: bigint;
  readonly structBytes: number;
}

/** Words that point to wanted struct pages: frame that is pointed to, and physical address of the word, pair by pair. */
export type PointerHits = readonly (readonly [target: number, physical: number])[];

/** A set of frames as bits. */
export function frameSet(endPfn: number, pfns: Iterable<number>): Uint8Array {
  const bits = new Uint8Array(Math.ceil(endPfn / 8));
  for (const pfn of pfns)
    if (pfn >= 0 && pfn < endPfn) bits[pfn >>> 3] = (bits[pfn >>> 3] as number) | (1 << (pfn & 7));
  return bits;
}

const isIn = (bits: Uint8Array, pfn: number): boolean => ((bits[pfn >>> 3] as number) & (1 << (pfn & 7))) !== 0;

/** Which frames can hold a pointer that means something: what is neither free nor data of users, of pools, of the memory map or a stack. */
export function planPointers(
  kernel: Kernel,
  map: MemMap,
  caches: readonly SlabCache[],
  reader: SlabReader,
  wanted: ReadonlySet<number>,
): PointerPlan {
  const plan = {
    endPfn: map.endPfn,
    wanted: frameSet(map.endPfn, wanted),
    wantedCount: wanted.size,
    vmemmap: kernel.vmemmap,
    structBytes: kernel.pageStructBytes,
  };
  if (wanted.size === 0) return { ...plan, frames: frameSet(map.endPfn, []) };
  const mapFrames = frameSet(map.endPfn, memMapFrames(kernel, map));
  const stacks = stackFrames(kernel, caches, reader);
  const frames = new Uint8Array(Math.ceil(map.endPfn / 8));
  for (let pfn = 0; pfn < map.endPfn; pfn++)
    if (searched[map.kind[pfn] as number] === 1 && !isIn(mapFrames, pfn))
      frames[pfn >>> 3] = (frames[pfn >>> 3] as number) | (1 << (pfn & 7));
  for (const pfn of stacks) if (pfn < map.endPfn) frames[pfn >>> 3] = (frames[pfn >>> 3] as number) & ~(1 << (pfn & 7));
  return { ...plan, frames };
}

const skipped: readonly number[] = [
  pageKind.none,
  pageKind.unseen,
  pageKind.buddy,
  pageKind.freeTail,
  pageKind.perCpu,
  pageKind.pagePool,
  pageKind.lru,
];
const searched = Uint8Array.from(pageKindNames, (_, kind) => (skipped.includes(kind) ? 0 : 1));

/** Words that point to one page are kept up to this number. */
const mostPerTarget = 256;
const mostHits = 1 << 20;
/** Frames read at once, where the memory gives more than a page at a time. */
const readFrames = 64;

/** Searches the plan's frames in [first, end). Several workers can take parts of the frames, each with memory of its own. */
export function searchPointers(
  memory: PhysicalMemory,
  plan: PointerPlan,
  first: number,
  end: number,
  progress: (pfn: number) => void = () => undefined,
): PointerHits {
  const found: (readonly [number, number])[] = [];
  const perTarget = new Map<number, number>();
  const { vmemmap, structBytes, frames, wanted } = plan;
  // As signed 32-bit numbers: others would not be small integers, and this loop sees every word of the image.
  const baseHigh = Number(vmemmap >> 32n) | 0;
  const baseLow = Number(vmemmap & 0xffffffffn);
  const span = plan.endPfn * structBytes;
  const highs = Number(((vmemmap + BigInt(span)) >> 32n) - (vmemmap >> 32n));
  const words = new Int32Array((readFrames * pageBytes) / 4);
  const bytes = new Uint8Array(words.buffer);
  const search = (pfn: number, count: number): void => {
    const length = count * 1024;
    for (let w = 1; w < length; w += 2) {
      const high = ((words[w] as number) - baseHigh) >>> 0;
      if (high > highs) continue;
      const inside = high * 2 ** 32 + ((words[w - 1] as number) >>> 0) - baseLow;
      if (inside < 0 || inside >= span || inside % structBytes !== 0) continue;
      const target = inside / structBytes;
      if (!isIn(wanted, target) || found.length >= mostHits) continue;
      const n = perTarget.get(target) ?? 0;
      if (n >= mostPerTarget) continue;
      perTarget.set(target, n + 1);
      found.push([target, pfn * pageBytes + (w - 1) * 4]);
    }
  };
  const stop = Math.min(end, plan.endPfn);
  let told = first;
  for (let pfn = first; pfn < stop; ) {
    if (pfn >= told) {
      progress(pfn);
      told = pfn + 8192;
    }
    if (frames[pfn >>> 3] === 0) {
      pfn = (pfn | 7) + 1;
      continue;
    }
    if (!isIn(frames, pfn)) {
      pfn++;
      continue;
    }
    let count = 1;
    while (count < readFrames && pfn + count < stop && isIn(frames, pfn + count)) count++;
    if (memory.copy?.(pfn * pageBytes, bytes.subarray(0, count * pageBytes)) === true) search(pfn, count);
    else
      for (let i = 0; i < count; i++) {
        const page = memory.page(pfn + i);
        if (page === undefined) continue;
        bytes.set(page);
        search(pfn + i, 1);
      }
    pfn += count;
  }
  return found;
}

/** Stretches of direct-map addresses that do not count: the pools themselves and their rings. */
export type Excluded = readonly { readonly from: bigint; readonly to: bigint }[];

const mostPerPage = 16;

/** Says of each word in what it lies; leaves out those in memory that is free, in what is excluded, and in what looks like a stack. */
export function explainPointers(
  kernel: Kernel,
  map: MemMap,
  caches: readonly SlabCache[],
  reader: SlabReader,
  hits: PointerHits,
  excluded: Excluded,
): readonly FoundPointer[] {
  const owner = new OwnerNames(kernel, map, caches, reader);
  const sorted = [...excluded].sort((a, b) => (a.from < b.from ? -1 : a.from > b.from ? 1 : 0));
  const perPage = new Map<number, number>();
  const found: FoundPointer[] = [];
  for (const [pfn, physical] of hits) {
    const at = kernel.pageOffset + BigInt(physical);
    if (isExcluded(sorted, at)) continue;
    const own = owner.of(Math.floor(physical / pageBytes), at);
    const n = perPage.get(pfn) ?? 0;
    if (own === undefined || n >= mostPerPage) continue;
    perPage.set(pfn, n + 1);
    found.push({ pfn, at, ...own });
  }
  return found;
}

/** Stretches are sorted by their start; the few before a place that could reach it are looked at. */
function isExcluded(sorted: Excluded, at: bigint): boolean {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((sorted[middle] as Excluded[number]).from > at) high = middle;
    else low = middle + 1;
  }
  for (let i = low - 1; i >= 0 && i >= low - 64; i--) if (at < (sorted[i] as Excluded[number]).to) return true;
  return false;
}

/** Frames that hold the memory map: struct pages point to one another. */
function* memMapFrames(kernel: Kernel, map: MemMap): Generator<number> {
  const end = BigInt(map.endPfn) * BigInt(kernel.pageStructBytes);
  for (let at = 0n; at < end; ) {
    const run = kernel.space.run(kernel.vmemmap + at);
    if (run === undefined) {
      at += 4096n;
      continue;
    }
    const first = Math.floor(run.physical / pageBytes);
    for (let i = 0; i < Math.ceil(run.bytes / pageBytes); i++) yield first + i;
    at += BigInt(run.bytes);
  }
}

/** Names what a word lies in; undefined when that is free. */
class OwnerNames {
  private readonly kernel: Kernel;
  private readonly map: MemMap;
  private readonly reader: SlabReader;
  private readonly cacheOf = new Map<number, SlabCache>();
  private readonly views = new Map<SlabCache, Map<number, SlabView>>();
  private readonly stackLike = new Map<number, boolean>();
  private readonly textStart: bigint;
  private readonly textEnd: bigint;

  constructor(kernel: Kernel, map: MemMap, caches: readonly SlabCache[], reader: SlabReader) {
    this.kernel = kernel;
    this.map = map;
    this.reader = reader;
    this.textStart = kernel.symbols.address("_stext") ?? 0n;
    this.textEnd = kernel.symbols.address("_etext") ?? 0n;
    for (const c of caches) for (const pfn of c.slabs) this.cacheOf.set(pfn, c);
  }

  of(pfn: number, at: bigint): { what: string; owner: bigint } | undefined {
    const kind = this.map.kind[pfn] as number;
    if (kind !== pageKind.slab && this.looksLikeStack(pfn)) return undefined;
    if (kind !== pageKind.slab)
      return { what: `page of ${pageKindNames[kind] ?? "?"}, pfn ${pfn}`, owner: frameAddress(this.kernel, pfn) };
    const head = this.headOf(pfn);
    const cache = this.cacheOf.get(head);
    const view = cache === undefined ? undefined : this.viewsOf(cache).get(head);
    if (cache === undefined || view === undefined) return undefined;
    const base = frameAddress(this.kernel, head);
    const index = Math.floor((Number(at - base) - cache.redLeftPad) / cache.size);
    if (index < 0 || index >= view.objects || view.isFree[index] === 1) return undefined;
    const object = base + BigInt(cache.redLeftPad + index * cache.size);
    return { what: `${cache.name} object ${object.toString(16)}`, owner: object };
  }

  /**
   * Stacks of threads that have just ended belong to nobody any more. What tells them: several words point into the middle of kernel
   * functions, as return addresses do; arrays of a driver hold none.
   */
  private looksLikeStack(pfn: number): boolean {
    const known = this.stackLike.get(pfn);
    if (known !== undefined) return known;
    const page = this.kernel.memory.page(pfn);
    let returns = 0;
    if (page !== undefined) {
      const view = new DataView(page.buffer, page.byteOffset, page.length);
      for (let at = 0; at < page.length; at += 8) {
        const word = view.getBigUint64(at, true);
        if (word < this.textStart || word >= this.textEnd) continue;
        if (this.kernel.symbols.nameOf(word)?.includes("+0x") === true) returns++;
      }
    }
    this.stackLike.set(pfn, returns >= 3);
    return returns >= 3;
  }

  private headOf(pfn: number): number {
    const link = (this.map.link[pfn] as number) - 1;
    return ((this.map.shape[pfn] as number) & 1) !== 0 && link >= 0 ? link : pfn;
  }

  private viewsOf(cache: SlabCache): Map<number, SlabView> {
    let known = this.views.get(cache);
    if (known === undefined) {
      known = new Map([...this.reader.slabs(cache)].map((v) => [v.pfn, v] as const));
      this.views.set(cache, known);
    }
    return known;
  }
}
