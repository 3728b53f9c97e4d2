// SLAB's objects and slabs (mm/slab.c 2.6.9 .. 6.4): a stack of ready objects for each CPU, slabs on three lists behind it.
//
//   CPU 0 stack: 7 3 12 ..      node:  partial: A -> B     (some objects out)
//   CPU 1 stack: 5 ..                  free:    C          (none out; at most `free limit` objects)
//                                      full slabs are on no list that matters
//
// A stack that runs empty takes a batch from partial, then free slabs, then grows; a full one gives back its oldest batch.
// Not here: the array that CPUs share and the timer that reaps slabs; the shrink does what the timer would.
import { assert, ModelBug } from "../../base/assert.ts";
import { slabCpuLimits } from "../../kernel/facts/slab.ts";
import type { ObjectEngine, SlubOptions } from "./slub/shape.ts";
import { mark } from "./slub/shape.ts";

const { none, noObject } = mark;

// Fields of a slab's row.
const PFN = 0;
const CACHE = 1;
const INUSE = 2;
const FREE = 3;
const NEXT = 4;
const PREV = 5;
const BASE = 6;
const LIST = 7;
const slabShift = 3;

// Fields of a cache's row: the two lists are [head, tail] pairs.
const SIZE = 0;
const ORDER = 1;
const OBJECTS = 2;
const LIMIT = 3;
const BATCH = 4;
const FREE_LIMIT = 5;
const FREE_OBJECTS = 6;
const SLABS = 7;
const GFP = 8;
const PARTIAL = 9;
const EMPTY = 11;
const POOL = 13;
const cacheShift = 4;

const stackRoom = 128;

export function createSlab(options: SlubOptions): ObjectEngine {
  const { pages, journal, cpus } = options;
  const pageSize = options.pageSize ?? 4096;
  const { gfp: bits } = options;
  const refusedIn = journal.textId("cache_grow");
  const misuse = (what: string, address: number): void => {
    if (options.onMisuse === undefined) throw new ModelBug(`${what} at address 0x${address.toString(16)}`);
    options.onMisuse(what, address);
  };
  let slabs = new Int32Array(64 << slabShift);
  let slabCount = 0;
  let links = new Uint16Array(4096);
  /** 1 while the object is handed out. */
  let live = new Uint8Array(4096);
  let linkCount = 0;
  let rowOfPage = new Int32Array(1024);
  let caches = new Int32Array(64 << cacheShift);
  let cacheCount = 0;
  /** Ready objects of a (cache, CPU): slab row and index, oldest first; two numbers each. */
  let stacks = new Int32Array(64 * cpus * stackRoom * 2);
  let heights = new Int32Array(64 * cpus);

  const rowAt = (address: number): number => {
    const pfn = Math.floor(address / pageSize);
    return pfn < rowOfPage.length ? (rowOfPage[pfn] as number) - 1 : none;
  };
  const ownPages = (pfn: number, count: number, value: number): void => {
    if (pfn + count > rowOfPage.length) {
      const more = new Int32Array(Math.max(rowOfPage.length * 2, pfn + count));
      more.set(rowOfPage);
      rowOfPage = more;
    }
    rowOfPage.fill(value, pfn, pfn + count);
  };

  const unlist = (row: number): void => {
    const s = row << slabShift;
    const list = slabs[s + LIST] as number;
    if (list === none) return;
    const c = ((slabs[s + CACHE] as number) << cacheShift) + list;
    const next = slabs[s + NEXT] as number;
    const prev = slabs[s + PREV] as number;
    if (prev === none) caches[c] = next;
    else slabs[(prev << slabShift) + NEXT] = next;
    if (next === none) caches[c + 1] = prev;
    else slabs[(next << slabShift) + PREV] = prev;
    slabs[s + LIST] = none;
  };
  /** To the head or the tail of PARTIAL or EMPTY. */
  const enlist = (row: number, list: number, tail: boolean): void => {
    const s = row << slabShift;
    const c = ((slabs[s + CACHE] as number) << cacheShift) + list;
    const other = caches[c + (tail ? 1 : 0)] as number;
    slabs[s + (tail ? PREV : NEXT)] = other;
    slabs[s + (tail ? NEXT : PREV)] = none;
    slabs[s + LIST] = list;
    if (other === none) caches[c + (tail ? 0 : 1)] = row;
    else slabs[(other << slabShift) + (tail ? NEXT : PREV)] = row;
    caches[c + (tail ? 1 : 0)] = row;
  };

  const takeRow = (cache: number): number => {
    const c = cache << cacheShift;
    const pooled = caches[c + POOL] as number;
    if (pooled !== none) {
      caches[c + POOL] = slabs[(pooled << slabShift) + NEXT] as number;
      return pooled;
    }
    const row = slabCount++;
    if (slabCount << slabShift > slabs.length) {
      const more = new Int32Array(slabs.length * 2);
      more.set(slabs);
      slabs = more;
    }
    slabs[(row << slabShift) + BASE] = linkCount;
    linkCount += caches[c + OBJECTS] as number;
    if (linkCount > links.length) {
      const room = Math.max(links.length * 2, linkCount);
      const moreLinks = new Uint16Array(room);
      moreLinks.set(links);
      links = moreLinks;
      const moreLive = new Uint8Array(room);
      moreLive.set(live);
      live = moreLive;
    }
    return row;
  };

  /** cache_grow(): one slab more, on the free list. */
  const grow = (cache: number, gfp: number): boolean => {
    const c = cache << cacheShift;
    const order = caches[c + ORDER] as number;
    const pfn = pages.allocPages(gfp | (caches[c + GFP] as number) | (order > 0 ? bits.comp : 0), order);
    if (pfn < 0) {
      journal.refused(refusedIn, cache, gfp);
      return false;
    }
    const row = takeRow(cache);
    const s = row << slabShift;
    const base = slabs[s + BASE] as number;
    const objects = caches[c + OBJECTS] as number;
    slabs[s + PFN] = pfn;
    slabs[s + CACHE] = cache;
    slabs[s + INUSE] = 0;
    slabs[s + FREE] = 0;
    for (let i = 0; i < objects; i++) links[base + i] = i + 1 < objects ? i + 1 : noObject;
    live.fill(0, base, base + objects);
    ownPages(pfn, 1 << order, row + 1);
    enlist(row, EMPTY, true);
    caches[c + SLABS] = (caches[c + SLABS] as number) + 1;
    caches[c + FREE_OBJECTS] = (caches[c + FREE_OBJECTS] as number) + objects;
    return true;
  };

  /** slab_destroy() of an empty slab. */
  const destroy = (row: number): void => {
    const s = row << slabShift;
    const cache = slabs[s + CACHE] as number;
    const c = cache << cacheShift;
    unlist(row);
    const pfn = slabs[s + PFN] as number;
    const order = caches[c + ORDER] as number;
    ownPages(pfn, 1 << order, 0);
    caches[c + SLABS] = (caches[c + SLABS] as number) - 1;
    caches[c + FREE_OBJECTS] = (caches[c + FREE_OBJECTS] as number) - (caches[c + OBJECTS] as number);
    slabs[s + NEXT] = caches[c + POOL] as number;
    caches[c + POOL] = row;
    pages.freePages(pfn, order);
  };

  /** cache_alloc_refill(): a batch from partial slabs, then free ones; grows when there is none. False without memory. */
  const refill = (cache: number, gfp: number, k: number): boolean => {
    const c = cache << cacheShift;
    for (;;) {
      let wanted = caches[c + BATCH] as number;
      while (wanted > 0) {
        let row = caches[c + PARTIAL] as number;
        if (row === none) row = caches[c + EMPTY] as number;
        if (row === none) break;
        const s = row << slabShift;
        const base = slabs[s + BASE] as number;
        while (wanted > 0 && slabs[s + FREE] !== noObject) {
          const object = slabs[s + FREE] as number;
          slabs[s + FREE] = links[base + object] as number;
          slabs[s + INUSE] = (slabs[s + INUSE] as number) + 1;
          caches[c + FREE_OBJECTS] = (caches[c + FREE_OBJECTS] as number) - 1;
          push(k, row, object);
          wanted--;
        }
        unlist(row);
        if (slabs[s + FREE] !== noObject) enlist(row, PARTIAL, false);
      }
      if ((heights[k] as number) > 0) return true;
      if (!grow(cache, gfp)) return false;
    }
  };

  const push = (k: number, row: number, object: number): void => {
    const at = (k * stackRoom + (heights[k] as number)) * 2;
    stacks[at] = row;
    stacks[at + 1] = object;
    heights[k] = (heights[k] as number) + 1;
  };

  /** free_block(): the object goes back to its slab; a slab that becomes empty stays while few objects are free. */
  const giveBack = (row: number, object: number): void => {
    const s = row << slabShift;
    const c = (slabs[s + CACHE] as number) << cacheShift;
    links[(slabs[s + BASE] as number) + object] = slabs[s + FREE] as number;
    slabs[s + FREE] = object;
    slabs[s + INUSE] = (slabs[s + INUSE] as number) - 1;
    caches[c + FREE_OBJECTS] = (caches[c + FREE_OBJECTS] as number) + 1;
    unlist(row);
    if ((slabs[s + INUSE] as number) > 0) enlist(row, PARTIAL, true);
    else if ((caches[c + FREE_OBJECTS] as number) > (caches[c + FREE_LIMIT] as number)) destroy(row);
    else enlist(row, EMPTY, false);
  };

  /** cache_flusharray(): the oldest `count` objects of a CPU's stack go back. */
  const flush = (k: number, count: number): void => {
    const from = k * stackRoom * 2;
    for (let i = 0; i < count; i++) giveBack(stacks[from + i * 2] as number, stacks[from + i * 2 + 1] as number);
    stacks.copyWithin(from, from + count * 2, from + (heights[k] as number) * 2);
    heights[k] = (heights[k] as number) - count;
  };

  const alloc = (cache: number, gfp: number): number => {
    const k = cache * cpus + journal.cpu;
    if (heights[k] === 0 && !refill(cache, gfp, k)) return -1;
    const height = (heights[k] as number) - 1;
    heights[k] = height;
    const at = (k * stackRoom + height) * 2;
    const s = (stacks[at] as number) << slabShift;
    const object = stacks[at + 1] as number;
    live[(slabs[s + BASE] as number) + object] = 1;
    return (slabs[s + PFN] as number) * pageSize + object * (caches[cache << cacheShift] as number);
  };
  const free = (cache: number, address: number): void => {
    const row = rowAt(address);
    const s = row << slabShift;
    if (row === none || slabs[s + CACHE] !== cache) {
      misuse(row === none ? "free of an address in no slab" : "free to the wrong cache", address);
      return;
    }
    const object = (address - (slabs[s + PFN] as number) * pageSize) / (caches[cache << cacheShift] as number);
    const at = (slabs[s + BASE] as number) + object;
    if (live[at] !== 1) {
      misuse(Number.isInteger(object) ? "double free of an object" : "free of an address inside an object", address);
      return;
    }
    live[at] = 0;
    const k = cache * cpus + journal.cpu;
    const c = cache << cacheShift;
    if ((heights[k] as number) >= (caches[c + LIMIT] as number)) flush(k, caches[c + BATCH] as number);
    push(k, row, object);
  };

  return {
    addCache(g, gfpBits) {
      const cache = cacheCount++;
      if (cacheCount << cacheShift > caches.length) {
        const moreCaches = new Int32Array(caches.length * 2);
        moreCaches.set(caches);
        caches = moreCaches;
        const moreStacks = new Int32Array(stacks.length * 2);
        moreStacks.set(stacks);
        stacks = moreStacks;
        const moreHeights = new Int32Array(heights.length * 2);
        moreHeights.set(heights);
        heights = moreHeights;
      }
      assert(g.objects < noObject, () => `${g.objects} objects a slab`);
      const limit = slabCpuLimits.find(([above]) => g.size > above)?.[1] ?? 120;
      const batch = (limit + 1) >> 1;
      const c = cache << cacheShift;
      caches[c + SIZE] = g.size;
      caches[c + ORDER] = g.order;
      caches[c + OBJECTS] = g.objects;
      caches[c + LIMIT] = limit;
      caches[c + BATCH] = batch;
      caches[c + FREE_LIMIT] = (1 + cpus) * batch + g.objects;
      caches[c + GFP] = gfpBits;
      for (const field of [PARTIAL, PARTIAL + 1, EMPTY, EMPTY + 1, POOL]) caches[c + field] = none;
      return cache;
    },
    alloc,
    free,
    allocBulk(cache, gfp, into, from, to) {
      for (let i = from; i < to; i++) {
        const address = alloc(cache, gfp);
        if (address < 0) {
          for (let given = from; given < i; given++) free(cache, into[given] as number);
          return false;
        }
        into[i] = address;
      }
      return true;
    },
    freeBulk(cache, addresses, from, to) {
      for (let i = from; i < to; i++) free(cache, addresses[i] as number);
    },
    cacheOf(address) {
      const row = rowAt(address);
      return row === none ? none : (slabs[(row << slabShift) + CACHE] as number);
    },
    blockAt(address) {
      const row = rowAt(address);
      if (row === none) return undefined;
      const s = row << slabShift;
      return {
        pfn: slabs[s + PFN] as number,
        order: caches[((slabs[s + CACHE] as number) << cacheShift) + ORDER] as number,
      };
    },
    shrink(cache) {
      for (let cpu = 0; cpu < cpus; cpu++) flush(cache * cpus + cpu, heights[cache * cpus + cpu] as number);
      const c = cache << cacheShift;
      while (caches[c + EMPTY] !== none) destroy(caches[c + EMPTY] as number);
    },
    slabPages: () => rowOfPage.reduce((n, row) => (row === 0 ? n : n + 1), 0),
    counts(cache) {
      const c = cache << cacheShift;
      const objects = (caches[c + SLABS] as number) * (caches[c + OBJECTS] as number);
      return { slabs: caches[c + SLABS] as number, objects, active: objects - (caches[c + FREE_OBJECTS] as number) };
    },
  };
}
