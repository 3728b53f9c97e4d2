// The machine that skb transcripts are replayed on, and what is taken from the record instead of being predicted:
//
//   taken from the record                                   compared
//   - raw addresses of sk_buffs and heads, pfns             as a one-to-one naming that holds while the object lives; a large kmalloc,
//                                                           a head fragment and a fragment's page keep their number, a fast clone
//                                                           stands sizeof(sk_buff) behind its original, head = pfn and offset
//   - where in its slab a kmalloc object lies               that the slab has the order of its class and the offset is a multiple of it
//   - the page fragment cache at the first piece of a file  everything after it: page, offset, page count, refill, reuse
//
// Everything else (lengths, sizes, flags, counters, page counts, bytes) must be equal without help.
import { some } from "../base/assert.ts";
import { createJournal } from "../model/journal.ts";
import type { ExactKernel } from "../model/kernels/kernel.ts";
import type { PageAllocator } from "../model/mm/pages.ts";
import type { FragCache, ReceiveCaches, SliceCache } from "../model/net/skb/napi_alloc_cache.ts";
import { createSliceCache, pieceFree } from "../model/net/skb/napi_alloc_cache.ts";
import { createOwnedSkbs } from "../model/net/skb/ownership.ts";
import type { SkbConfig, SkbMachineSizes } from "../model/net/skb/skb_config.ts";
import { skbConfigOf } from "../model/net/skb/skb_config.ts";
import { skbSizes61 } from "../model/net/skb/skb_config61.ts";
import type { Memory } from "../model/net/skb/skb_memory.ts";
import { createMemory } from "../model/net/skb/skb_memory.ts";
import type { Skbs } from "../model/net/skb/skbs.ts";
import { createSkbs } from "../model/net/skb/skbs.ts";
import { kmallocGeometry } from "../model/slab/geometry.ts";
import type { SlabHeap } from "../model/slab/kmalloc.ts";
import { createHeap } from "../model/slab/kmalloc.ts";
import type { PageFragMaker, PageFragState } from "../model/slab/page_frag.ts";
import { pageFragMaxBytes } from "../model/slab/page_frag.ts";

export const pageSize = 4096;
const blockPages = 1024;

/** Pages whose model numbers are never used twice, so that a name given to one stays with it. */
export interface NamedPages extends PageAllocator {
  /** True when the model's page may be the recorded pfn; a page that has no name yet takes it. */
  same(page: number, recorded: number): boolean;
  alive(page: number): boolean;
  /** The recorded pfn of a page, or undefined. */
  nameOf(page: number): number | undefined;
  /** The live page that has this name, or undefined. */
  named(recorded: number): number | undefined;
  setCount(page: number, count: number): void;
}

function createNamedPages(): NamedPages {
  const count = new Map<number, number>();
  const order = new Map<number, number>();
  const name = new Map<number, number>();
  const bearer = new Map<number, number>();
  let next = 1;
  const headOf = (page: number): number => page - (page % blockPages);
  const add = (page: number, n: number): void => {
    const head = headOf(page);
    const before = count.get(head);
    if (before === undefined) throw new RangeError(`the model uses page ${name.get(head) ?? "?"} after it was freed`);
    if (before + n > 0) count.set(head, before + n);
    else count.delete(head);
  };
  const pages: NamedPages = {
    allocPages(_gfp, o) {
      const page = next++ * blockPages;
      count.set(page, 1);
      order.set(page, o);
      return page;
    },
    allocPagesBulk: () => 0,
    freePages: (page) => add(page, -1),
    getPage: (page) => add(page, 1),
    putPage: (page) => add(page, -1),
    addPageRefs: add,
    pageCount: (page) => count.get(headOf(page)) ?? 0,
    compoundHead: headOf,
    compoundOrder: (page) => order.get(headOf(page)) ?? 0,
    isPfmemalloc: () => false,
    nodeOf: () => 0,
    alive: (page) => count.has(headOf(page)),
    nameOf: (page) => name.get(headOf(page)),
    named: (recorded) => bearer.get(recorded),
    setCount: (page, n) => void count.set(headOf(page), n),
    same(page, recorded) {
      const head = headOf(page);
      const known = name.get(head);
      if (known !== undefined) return known === recorded;
      const other = bearer.get(recorded);
      if (other !== undefined && count.has(other)) return false;
      name.set(head, recorded);
      bearer.set(recorded, head);
      return true;
    },
  };
  return pages;
}

/** What the record shows of a piece just cut: enough to set a cache up that was in use before the transcript began. */
export interface SeenPiece {
  readonly pfn: number;
  readonly offset: number;
  readonly count: number;
  readonly order: number;
}

/** A page fragment cache whose first page may be one that was in use before. */
export interface PrimedFragCache extends FragCache {
  /** Shows what the record says about the next piece; only the very first is believed. */
  show(piece: SeenPiece | undefined): void;
  /** The cache, or undefined before the transcript's first piece. */
  state(): PageFragState | undefined;
}

/** References that a page fragment cache takes with a page: one for each byte it may hold, and the page's own. */
const pageRefs = pageFragMaxBytes + 1;

function createPrimedFrags(make: PageFragMaker, pages: PageAllocator): PrimedFragCache {
  const cache = make({ pages, pageSize });
  let shown: SeenPiece | undefined;
  let used = false;
  /** Bytes of the page that were cut before this piece. */
  const cutBefore = (piece: SeenPiece, bytes: number): number =>
    cache.upwards ? piece.offset : pageFragMaxBytes - piece.offset - bytes;
  /** Cuts and gives back what was cut and given back before the transcript began: nobody but the cache held pieces then. */
  const prime = (piece: SeenPiece, bytes: number, gfp: number): void => {
    let before = cutBefore(piece, bytes);
    for (let n = pageRefs - piece.count; n > 0; n--, before = 0)
      pages.putPage(Math.floor(cache.alloc(before, gfp, -1) / pageSize));
  };
  return {
    show(piece) {
      shown = piece;
    },
    alloc(bytes, gfp, mask) {
      if (!used && shown !== undefined && cutBefore(shown, bytes) > 0) prime(shown, bytes, gfp);
      used = true;
      return cache.alloc(bytes, gfp, mask);
    },
    pfmemalloc: cache.pfmemalloc,
    state: () => (used ? cache.state() : undefined),
  };
}

/** The slice cache, set up the same way. */
export interface PrimedSlices extends SliceCache {
  show(piece: SeenPiece | undefined): void;
}

function createPrimedSlices(pages: PageAllocator): PrimedSlices {
  const cache = createSliceCache(pages, pageSize);
  let shown: SeenPiece | undefined;
  let used = false;
  return {
    show(piece) {
      shown = piece;
    },
    alloc(gfp) {
      if (!used && shown !== undefined)
        for (let offset = shown.offset + 1024; offset < pageSize; offset += 1024)
          pages.putPage(Math.floor(cache.alloc(gfp) / pageSize));
      used = true;
      return cache.alloc(gfp);
    },
    pfmemalloc: cache.pfmemalloc,
  };
}

export interface SkbMachine {
  readonly skbs: Skbs;
  readonly pages: NamedPages;
  /** The same pages for whoever is not the skb code. */
  readonly outside: PageAllocator;
  readonly heap: SlabHeap;
  readonly memory: Memory;
  readonly kernel: ExactKernel;
  readonly frags: PrimedFragCache;
  readonly slices: PrimedSlices;
}

/** What a line shows of kmalloc's slabs: bytes of the objects, page order of the slab. */
const slabsSeen = /"ksize":(\d+),"head_page":\{"pfn":\d+,"order":(\d+),"slab":1/g;

/** CPUs of the recorded machine, as far as they decide the order of slabs: the fewest with which all recorded orders agree. */
export function cpusOf({ release }: ExactKernel, lines: readonly string[]): number {
  const seen = new Map<number, number>();
  for (const line of lines)
    for (const [, size, order] of line.matchAll(slabsSeen)) seen.set(Number(size), Number(order));
  const fits = (cpus: number): boolean => {
    const { caches } = kmallocGeometry(release, { allocator: "slub", cpus });
    return caches.every((c) => (seen.get(c.size) ?? c.geometry.order) === c.geometry.order);
  };
  return [2, 1, 4, 8, 16, 32, 64].find(fits) ?? 2;
}

/** The machine that was recorded, as far as it decides what skbs get. */
export interface SkbMachineShape {
  readonly kernel: ExactKernel;
  readonly cpus: number;
  /** Booted with slub_debug=FZPU. */
  readonly slubDebug?: boolean;
  /** Sizes that the recording states; those of 6.1 otherwise. */
  readonly sizes?: Partial<SkbMachineSizes>;
}

/** The numbers and parts that such a machine runs with. */
export const skbConfigOfShape = ({ kernel, sizes }: SkbMachineShape): SkbConfig =>
  skbConfigOf(kernel.parts.net.skb, { ...skbSizes61, ...sizes });

/** A machine with the kernel's rules, nothing allocated. */
export function createSkbMachine(shape: SkbMachineShape): SkbMachine {
  const { pages, heap, memory } = createGround(shape);
  const frags = createPrimedFrags(shape.kernel.parts.slab.pageFrag, pages);
  const slices = createPrimedSlices(pages);
  const skbs = createSkbs({
    pages,
    heap,
    memory,
    receive: [{ frags, slices, free: pieceFree(pages, pageSize) }],
    config: skbConfigOfShape(shape),
    skbsMax: 4096,
  });
  return { skbs, pages, outside: pages, heap, memory, kernel: shape.kernel, frags, slices };
}

/** The same machine with every reference watched; a fault throws. Writes into shared room are let through: the recorder made some. */
export function createOwnedSkbMachine(shape: SkbMachineShape): SkbMachine {
  const { pages, heap, memory } = createGround(shape);
  let caches: { readonly frags: PrimedFragCache; readonly slices: PrimedSlices } | undefined;
  const receive = (view: PageAllocator): readonly ReceiveCaches[] => {
    caches = { frags: createPrimedFrags(shape.kernel.parts.slab.pageFrag, view), slices: createPrimedSlices(view) };
    return [{ ...caches, free: pieceFree(view, pageSize) }];
  };
  const config = skbConfigOfShape(shape);
  const skbs = createOwnedSkbs({ pages, heap, memory, receive, config, skbsMax: 4096 }, { writes: false });
  return { skbs, pages, outside: skbs.outside, heap, memory, kernel: shape.kernel, ...some(caches, "receive caches") };
}

function createGround({ kernel, cpus, slubDebug = false }: SkbMachineShape): {
  pages: NamedPages;
  heap: SlabHeap;
  memory: Memory;
} {
  const pages = createNamedPages();
  const { release, parts } = kernel;
  const heap = createHeap({
    release,
    allocator: "slub",
    parts: parts.slab,
    cpus,
    slubDebug,
    pages,
    journal: createJournal(),
  });
  return { pages, heap, memory: createMemory(pageSize) };
}
