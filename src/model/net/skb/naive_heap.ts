// The dumb twin of the slab allocator: size classes of 6.1, a last-in first-out stack of free objects each, pages never given back.
// For tests, benches and replays that need the right sizes and page orders but no slab lists; slab/ has the real one.
import { assert } from "../../../base/assert.ts";
import type { PageAllocator } from "../../mm/pages.ts";
import type { Heap } from "../../slab/heap.ts";

/** kmalloc caches of 6.1 (SLUB, x86_64). */
const kmallocClasses = [8, 16, 32, 64, 96, 128, 192, 256, 512, 1024, 2048, 4096, 8192] as const;

export interface NaiveHeap extends Heap {
  /** The page block an object lies in: its first pfn, its order, and whether it is a slab (or a large kmalloc of its own). */
  blockOf(address: number): { readonly pfn: number; readonly order: number; readonly slab: boolean };
  /** Objects handed out and not freed, of kmalloc and of named caches. */
  live(): number;
}

export interface NaiveHeapOptions {
  readonly pages: PageAllocator;
  readonly pageSize?: number;
  /** Page order of the slabs of a kmalloc class; the default is what SLUB chooses with 2 to 4 CPUs. */
  readonly slabOrder?: (objectBytes: number) => number;
  /** kmalloc fails while this says so. */
  readonly fails?: (bytes: number) => boolean;
}

const defaultOrder = (bytes: number): number => (bytes >= 2048 ? 3 : bytes >= 1024 ? 2 : bytes >= 512 ? 1 : 0);

export function createNaiveHeap(options: NaiveHeapOptions): NaiveHeap {
  const { pages } = options;
  const pageSize = options.pageSize ?? 4096;
  const slabOrder = options.slabOrder ?? defaultOrder;
  /** Class of each size up to 8192, in steps of 8. */
  const classOf = new Uint8Array(8192 / 8 + 1);
  for (let s = 0; s <= 8192 / 8; s++) classOf[s] = kmallocClasses.findIndex((c) => c >= s * 8);
  interface Cache {
    readonly bytes: number;
    readonly order: number;
    free: Float64Array;
    count: number;
  }
  const cache = (bytes: number, order: number): Cache => ({ bytes, order, free: new Float64Array(256), count: 0 });
  const caches: Cache[] = kmallocClasses.map((bytes) => cache(bytes, slabOrder(bytes)));
  const names = new Map<string, number>();
  /** first pfn of a block → its cache, or -1 - order for a large kmalloc. */
  const owner = new Map<number, number>();
  let live = 0;

  const take = (index: number, gfp: number): number => {
    const c = caches[index]!;
    if (c.count === 0 && !fill(c, index, gfp)) return -1;
    live++;
    return c.free[--c.count]!;
  };
  const fill = (c: Cache, index: number, gfp: number): boolean => {
    const pfn = pages.allocPages(gfp, c.order);
    if (pfn < 0) return false;
    owner.set(pfn, index);
    const n = Math.floor((pageSize << c.order) / c.bytes);
    for (let i = n - 1; i >= 0; i--) push(c, pfn * pageSize + i * c.bytes);
    return true;
  };
  const push = (c: Cache, address: number): void => {
    if (c.count === c.free.length) {
      const wider = new Float64Array(c.free.length * 2);
      wider.set(c.free);
      c.free = wider;
    }
    c.free[c.count++] = address;
  };
  const blockPfn = (address: number): number => pages.compoundHead(Math.floor(address / pageSize));
  const ownerOf = (address: number): number => {
    const index = owner.get(blockPfn(address));
    assert(index !== undefined, () => `address ${address} belongs to no object`);
    return index;
  };
  const largeOrder = (bytes: number): number => {
    let order = 0;
    while (pageSize << order < bytes) order++;
    return order;
  };
  const roundup = (bytes: number): number =>
    bytes <= 8192 ? kmallocClasses[classOf[(bytes + 7) >> 3]!]! : pageSize << largeOrder(bytes);

  return {
    pageSize,
    kmalloc(bytes, gfp) {
      if (options.fails?.(bytes) === true) return -1;
      if (bytes <= 8192) return take(classOf[(bytes + 7) >> 3]!, gfp);
      const order = largeOrder(bytes);
      const pfn = pages.allocPages(gfp, order);
      if (pfn < 0) return -1;
      owner.set(pfn, -1 - order);
      live++;
      return pfn * pageSize;
    },
    kfree(address) {
      const index = ownerOf(address);
      live--;
      if (index >= 0) {
        push(caches[index]!, address);
        return;
      }
      const pfn = blockPfn(address);
      owner.delete(pfn);
      pages.freePages(pfn, -1 - index);
    },
    ksize(address) {
      const index = ownerOf(address);
      return index >= 0 ? caches[index]!.bytes : pageSize << (-1 - index);
    },
    kmallocSizeRoundup: roundup,
    cacheCreate(name, size, align) {
      const known = names.get(name);
      if (known !== undefined) return known;
      const step = align > 0 ? align : 8;
      const bytes = Math.ceil(size / step) * step;
      const id = caches.push(cache(bytes, largeOrder(bytes))) - 1;
      names.set(name, id);
      return id;
    },
    cacheAlloc: take,
    cacheFree(id, address) {
      live--;
      push(caches[id]!, address);
    },
    blockOf(address) {
      const index = ownerOf(address);
      const pfn = blockPfn(address);
      return { pfn, order: pages.compoundOrder(pfn), slab: index >= 0 };
    },
    live: () => live,
  };
}
