// The last resort of "who holds this page": all memory of the image is searched once, for all wanted pages together, for words that
// point to their struct page. What is free, kernel stacks, and the pool's and known packets' own places count for nothing. A word that
// remains may be stale all the same: a pointer is evidence, not proof.

import { ifThere } from "../address_space.ts";
import type { Kernel } from "../kernel.ts";
import { frameAddress, perCpu } from "../kernel.ts";
import type { MemMap } from "../mm/mem_map.ts";
import { pageKind, pageKindNames } from "../mm/page_kinds.ts";
import { allocatedObjects, type SlabCache, type SlabReader, type SlabView } from "../slab/caches.ts";

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

export interface ScanPlan {
  readonly wanted: ReadonlySet<number>;
  /** Stretches of direct-map addresses that do not count: the pools themselves and their rings. */
  readonly excluded: readonly { readonly from: bigint; readonly to: bigint }[];
}

const mostPerPage = 16;

/** Searches frames [first, end). Several workers can take parts of the frames. */
export function scanPointers(
  kernel: Kernel,
  map: MemMap,
  caches: readonly SlabCache[],
  reader: SlabReader,
  plan: ScanPlan,
  progress: (done: number) => void = () => undefined,
): readonly FoundPointer[] {
  if (plan.wanted.size === 0) return [];
  const found: FoundPointer[] = [];
  const perPage = new Map<number, number>();
  const owner = new OwnerNames(kernel, map, caches, reader);
  const base = kernel.vmemmap;
  // As signed 32-bit numbers: others would not be small integers, and this loop sees every word of the image.
  const baseHigh = Number(base >> 32n) | 0;
  const baseLow = Number(base & 0xffffffffn);
  const highs = Number(((base + BigInt(map.endPfn) * BigInt(kernel.pageStructBytes)) >> 32n) - (base >> 32n));
  const structBytes = kernel.pageStructBytes;
  const mapFrames = memMapFrames(kernel, map);
  const stacks = stackFrames(kernel, caches, reader);
  const words = new Int32Array(1024);
  const bytes = new Uint8Array(words.buffer);
  const span = map.endPfn * structBytes;
  for (let pfn = 0; pfn < map.endPfn; pfn++) {
    if ((pfn & 0xffff) === 0) progress(pfn / map.endPfn);
    const kind = map.kind[pfn] as number;
    if (kind === pageKind.none || kind === pageKind.unseen || kind === pageKind.buddy || kind === pageKind.freeTail)
      continue;
    if (
      kind === pageKind.perCpu ||
      kind === pageKind.pagePool ||
      kind === pageKind.lru ||
      mapFrames.has(pfn) ||
      stacks.has(pfn)
    )
      continue;
    const page = kernel.memory.page(pfn);
    if (page === undefined) continue;
    bytes.set(page);
    for (let w = 1; w < 1024; w += 2) {
      const high = ((words[w] as number) - baseHigh) >>> 0;
      if (high > highs) continue;
      const inside = high * 2 ** 32 + ((words[w - 1] as number) >>> 0) - baseLow;
      if (inside < 0 || inside >= span || inside % structBytes !== 0) continue;
      const target = inside / structBytes;
      if (!plan.wanted.has(target)) continue;
      const at = frameAddress(kernel, pfn) + BigInt((w - 1) * 4);
      if (plan.excluded.some((e) => at >= e.from && at < e.to)) continue;
      const own = owner.of(pfn, at);
      if (own === undefined) continue;
      const n = perPage.get(target) ?? 0;
      if (n >= mostPerPage) continue;
      perPage.set(target, n + 1);
      found.push({ pfn: target, at, ...own });
    }
  }
  return found;
}

/** Frames that hold the memory map: struct pages point to one another. */
function memMapFrames(kernel: Kernel, map: MemMap): ReadonlySet<number> {
  const out = new Set<number>();
  const end = BigInt(map.endPfn) * BigInt(kernel.pageStructBytes);
  for (let at = 0n; at < end; ) {
    const run = kernel.space.run(kernel.vmemmap + at);
    if (run === undefined) {
      at += 4096n;
      continue;
    }
    const frames = Math.ceil(run.bytes / 4096);
    for (let i = 0; i < frames; i++) out.add(Math.floor(run.physical / 4096) + i);
    at += BigInt(run.bytes);
  }
  return out;
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
