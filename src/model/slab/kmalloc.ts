// kmalloc: sizes to caches, caches by name, whole pages above the largest cache (mm/slab_common.c 6.1, mm/slub.c 2.6.24).
// One heap serves the machine; the objects themselves are moved by slub.ts or slab.ts.
import { assert, ModelBug } from "../../base/assert.ts";
import { BadInput } from "../../base/bad_input.ts";
import type { Prng } from "../../base/prng.ts";
import { eventKind } from "../../kernel/events.ts";
import { askedSheafCapacity, hwcacheAlignedCaches, kmallocReclaimable } from "../../kernel/facts/slab.ts";
import { factAt, formatRelease } from "../../kernel/release.ts";
import type { Journal } from "../journal.ts";
import type { PageAllocator } from "../mm/pages.ts";
import type { CacheGeometry, CacheWish, KmallocGeometry, SlabMachine } from "./geometry.ts";
import { cacheGeometry, kmallocGeometry, orderFor } from "./geometry.ts";
import type { Heap } from "./heap.ts";
import type { SlabParts } from "./parts.ts";
import { createSlab } from "./slab.ts";
import type {
  CacheCounts,
  FreelistOrder,
  ObjectEngine,
  SheafMemory,
  Sheaves,
  Slub,
  SlubOptions,
} from "./slub/shape.ts";

/** The address that kmalloc(0) gives (ZERO_SIZE_PTR); freeing it does nothing. */
export const zeroSizeAddress = 16;

export interface HeapOptions extends SlabMachine {
  /** The kernel's choice of parts. */
  readonly parts: SlabParts;
  readonly pages: PageAllocator;
  readonly journal: Journal;
  readonly nodes?: number;
  readonly nodeOfCpu?: (cpu: number) => number;
  /** CONFIG_SLAB_FREELIST_RANDOM: the stream that shuffles; ascending order when left out. */
  readonly random?: Prng;
  /** A kfree of something that is no live object; ModelBug when left out. */
  readonly onMisuse?: (what: string, address: number) => void;
}

/** A cache as /proc/slabinfo and the tests see it. */
export interface CacheInfo {
  readonly id: number;
  readonly name: string;
  readonly geometry: CacheGeometry;
  readonly counts: CacheCounts;
}

/** The heap of a machine, with what observers need beyond {@link Heap}. */
export interface SlabHeap extends Heap {
  readonly kmallocTable: KmallocGeometry;
  /** The block an object lies in. */
  blockOf(address: number): { readonly pfn: number; readonly order: number; readonly slab: boolean };
  /** Objects and large blocks handed out and not freed. */
  live(): number;
  caches(): readonly CacheInfo[];
  /** kmem_cache_shrink() of one cache. */
  shrink(cache: number): void;
  /** The engine below, for views and snapshots. */
  readonly engine: ObjectEngine;
}

/** init_cache_random_seq(), shuffle_freelist() (mm/slub.c 6.1): one random sequence a cache, each slab starts somewhere in it. */
export function randomFreelists(random: Prng): FreelistOrder {
  const sequences: Uint16Array[] = [];
  return (cache, objects, fullObjects, into) => {
    let sequence = sequences[cache];
    if (sequence === undefined) {
      sequence = Uint16Array.from({ length: fullObjects }, (_, i) => i);
      for (let i = fullObjects - 1; i > 0; i--) {
        const j = random.below(i + 1);
        const kept = sequence[i] as number;
        sequence[i] = sequence[j] as number;
        sequence[j] = kept;
      }
      sequences[cache] = sequence;
    }
    let at = random.below(fullObjects);
    for (let i = 0; i < objects; ) {
      const index = sequence[at] as number;
      at = at + 1 === fullObjects ? 0 : at + 1;
      if (index < objects) into[i++] = index;
    }
  };
}

const kmallocKind = eventKind.kmalloc;
const kfreeKind = eventKind.kfree;
const cacheAllocKind = eventKind.kmem_cache_alloc;
const cacheFreeKind = eventKind.kmem_cache_free;

/** What the owner of a cache says of its sheaves. */
const askedOf = (name: string): Pick<CacheWish, "sheafCapacity"> => {
  const asked = askedSheafCapacity.get(name);
  return asked === undefined ? {} : { sheafCapacity: asked };
};

/** SLAB, or the kernel's own SLUB; `takeSheaf` finds memory for its sheaves, where it has them. */
function engineOf(options: HeapOptions, takeSheaf: SheafMemory["take"]): ObjectEngine {
  const { parts, random } = options;
  const inner: SlubOptions = {
    ...options,
    ...parts.rules,
    ...(random === undefined ? {} : { freelistOrder: randomFreelists(random.fork("slab freelists")) }),
  };
  if (options.allocator === "slab") return createSlab(inner);
  if (parts.slub === undefined)
    throw new BadInput(`${formatRelease(options.release)} has no SLUB.`, undefined, "It came with 2.6.22; use SLAB.");
  const engine: Slub = parts.slub({
    ...inner,
    sheafMemory: { take: takeSheaf, give: (address) => engine.free(engine.cacheOf(address), address) },
  });
  return engine;
}

/** The heap of a machine of a release: kmalloc caches made, named caches to come. */
export function createHeap(options: HeapOptions): SlabHeap {
  const { pages, journal, release } = options;
  const pageSize = options.pageSize ?? 4096;
  const bits = options.parts.rules.gfp;
  const misuse = (what: string, address: number): void => {
    if (options.onMisuse === undefined) throw new ModelBug(`${what} at address 0x${address.toString(16)}`);
    options.onMisuse(what, address);
  };
  const engine = engineOf(options, (cache, bytes, gfp) => takeSheaf(cache, bytes, gfp));
  const table = kmallocGeometry(release, options);
  const infos: { name: string; geometry: CacheGeometry }[] = [];
  const add = (name: string, geometry: CacheGeometry, gfpBits: number): number => {
    const id = engine.addCache(geometry, gfpBits);
    infos[id] = { name, geometry };
    return id;
  };
  const typed = (prefix: string, gfpBits: number): Int32Array =>
    Int32Array.from(table.caches, (c) =>
      add(
        c.name.replace(/^(kmalloc|size)-/, (_, w) => `${w}-${prefix}`),
        c.geometry,
        gfpBits,
      ),
    );
  const normal = typed("", 0);
  const reclaimable =
    factAt(kmallocReclaimable, release.version)?.value === true ? typed("rcl-", bits.reclaimable) : normal;
  let dma: Int32Array | undefined;
  const rclBit = reclaimable === normal ? 0 : bits.reclaimable;

  /** Index into the table of caches for sizes up to `smallMax`, in steps of 8 bytes. */
  const smallMax = Math.min(table.largestCache, 8192);
  const classOf = Uint8Array.from({ length: smallMax / 8 + 1 }, (_, i) =>
    table.caches.findIndex((c) => c.size >= i * 8),
  );
  const sizes = Int32Array.from(table.caches, (c) => c.size);
  const classFor = (size: number): number => {
    if (size <= smallMax) return classOf[(size + 7) >> 3] as number;
    let at = classOf[smallMax >> 3] as number;
    while ((sizes[at] as number) < size) at++;
    return at;
  };
  const { largestCache } = table;

  const sheaved = "kind" in engine && (engine as Slub).kind === "sheaves" ? (engine as Sheaves) : undefined;
  /** A sheaf is an object of kmalloc; that of one of kmalloc's own caches must not need another sheaf. */
  const takeSheaf: SheafMemory["take"] = (cache, bytes, gfp) => {
    const from = normal[classFor(bytes)] as number;
    return kmallocOwn.has(cache) ? (sheaved as Sheaves).allocFlat(from, gfp) : engine.alloc(from, gfp);
  };
  const kmallocOwn = new Set<number>([...normal, ...reclaimable]);
  /** bootstrap_kmalloc_sheaves(), and every later cache: without memory for them at boot the kernel panics, so there is. */
  const startSheaves = (id: number): void => {
    if (sheaved === undefined || (infos[id] as { geometry: CacheGeometry }).geometry.sheafCapacity === 0) return;
    if (!sheaved.startSheaves(id, bits.mayReclaim)) journal.refused(refusedIn.sheaf, id);
  };
  const refusedIn = {
    large: journal.textId("kmalloc_large"),
    kmalloc: journal.textId("kmalloc"),
    cache: journal.textId("kmem_cache_alloc"),
    bulk: journal.textId("kmem_cache_alloc_bulk"),
    sheaf: journal.textId("__alloc_empty_sheaf"),
  };

  for (const id of kmallocOwn) startSheaves(id);

  /** first pfn of a kmalloc_large block → its order */
  const large = new Map<number, number>();
  let live = 0;
  const pageOf = (address: number): number => Math.floor(address / pageSize);

  const kmallocLarge = (size: number, gfp: number): number => {
    const order = orderFor(size, pageSize);
    const pfn = pages.allocPages(gfp | bits.comp, order);
    if (pfn < 0) {
      journal.refused(refusedIn.large);
      return -1;
    }
    large.set(pfn, order);
    return pfn * pageSize;
  };
  const cachesFor = (gfp: number): Int32Array => {
    if ((gfp & (bits.dma | rclBit)) === 0) return normal;
    if ((gfp & bits.dma) === 0) return reclaimable;
    if (dma === undefined) {
      dma = typed("dma-", bits.dma);
      for (const id of dma) {
        kmallocOwn.add(id);
        startSheaves(id);
      }
    }
    return dma;
  };
  const kmalloc = (size: number, gfp: number): number => {
    if (size === 0) return zeroSizeAddress;
    const address =
      size > largestCache ? kmallocLarge(size, gfp) : engine.alloc(cachesFor(gfp)[classFor(size)] as number, gfp);
    if (address >= 0) live++;
    else journal.refused(refusedIn.kmalloc);
    if (journal.heard) journal.emit(kmallocKind, address, size, address < 0 ? 0 : roundup(size), gfp, journal.caller);
    return address;
  };
  const roundup = (size: number): number => {
    if (size === 0) return 0;
    return size > largestCache ? pageSize * 2 ** orderFor(size, pageSize) : (sizes[classFor(size)] as number);
  };
  const names = new Map<string, number>();

  return {
    pageSize,
    kmallocTable: table,
    engine,
    kmalloc,
    kfree(address) {
      if (address === zeroSizeAddress) return;
      if (journal.heard) journal.emit(kfreeKind, address, 0);
      const cache = engine.cacheOf(address);
      if (cache >= 0) {
        live--;
        engine.free(cache, address);
        return;
      }
      const pfn = pageOf(address);
      const order = large.get(pfn);
      if (order === undefined || pfn * pageSize !== address) {
        misuse("kfree of an address that kmalloc did not give", address);
        return;
      }
      live--;
      large.delete(pfn);
      pages.freePages(pfn, order);
    },
    ksize(address) {
      if (address === zeroSizeAddress) return 0;
      const cache = engine.cacheOf(address);
      // With SLUB's own bookkeeping off, all of the object may be used.
      if (cache >= 0) {
        // slab_ksize(): what lies behind a checked object is not the caller's.
        const { geometry } = infos[cache] as { geometry: CacheGeometry };
        return options.slubDebug === true ? geometry.objectSize : geometry.size;
      }
      const order = large.get(pageOf(address));
      assert(order !== undefined, () => `ksize of 0x${address.toString(16)}, which kmalloc did not give`);
      return pageSize * 2 ** order;
    },
    kmallocSizeRoundup: roundup,
    cacheCreate(name, size, align) {
      const known = names.get(name);
      if (known !== undefined) return known;
      const hwcacheAlign = align === 0 && hwcacheAlignedCaches.has(name);
      const id = add(name, cacheGeometry(options, { objectSize: size, align, hwcacheAlign, ...askedOf(name) }), 0);
      names.set(name, id);
      startSheaves(id);
      return id;
    },
    cacheAlloc(cache, gfp) {
      const address = engine.alloc(cache, gfp);
      if (address >= 0) live++;
      else journal.refused(refusedIn.cache);
      if (journal.heard) journal.emit(cacheAllocKind, address, cache, gfp, journal.caller);
      return address;
    },
    cacheAllocBulk(cache, gfp, into, from, to) {
      if (from === to) return 0;
      if (!engine.allocBulk(cache, gfp, into, from, to)) {
        journal.refused(refusedIn.bulk);
        return 0;
      }
      live += to - from;
      return to - from;
    },
    cacheFreeBulk(cache, addresses, from, to) {
      live -= to - from;
      engine.freeBulk(cache, addresses, from, to);
    },
    cacheFree(cache, address) {
      if (journal.heard) journal.emit(cacheFreeKind, address, cache, 0);
      live--;
      engine.free(cache, address);
    },
    blockOf(address) {
      const block = engine.blockAt(address);
      if (block !== undefined) return { ...block, slab: true };
      const pfn = pages.compoundHead(pageOf(address));
      return { pfn, order: large.get(pfn) ?? pages.compoundOrder(pfn), slab: false };
    },
    live: () => live,
    caches: () => infos.map((info, id) => ({ id, ...info, counts: engine.counts(id) })),
    shrink: (cache) => engine.shrink(cache),
  };
}
