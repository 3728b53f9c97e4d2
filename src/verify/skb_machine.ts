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
import type { PageAllocator } from "../model/mm/pages.ts";
import type { NaiveHeap } from "../model/net/naive_heap.ts";
import { createNaiveHeap } from "../model/net/naive_heap.ts";
import type { FragCache, ReceiveCaches, SliceCache } from "../model/net/napi_alloc_cache.ts";
import type { SkbConfig } from "../model/net/skb_config.ts";
import { skbConfig61 } from "../model/net/skb_config.ts";
import type { Memory } from "../model/net/skb_memory.ts";
import { createMemory } from "../model/net/skb_memory.ts";
import type { Skbs } from "../model/net/skbs.ts";
import { createSkbs } from "../model/net/skbs.ts";

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
}

const bias = 32768 + 1;

function createPrimedFrags(pages: NamedPages): PrimedFragCache {
  let page = -1;
  let offset = 0;
  let size = 0;
  let left = 0;
  let shown: SeenPiece | undefined;
  const refill = (gfp: number): void => {
    page = pages.allocPages(gfp, 3);
    size = pageSize << 3;
    pages.setCount(page, bias);
    left = bias;
    offset = size;
  };
  /** The page that was there before: nobody but the cache holds pieces of it, so its bias is its count. */
  const prime = (piece: SeenPiece, bytes: number): void => {
    page = pages.allocPages(0, piece.order);
    size = pageSize << piece.order;
    pages.setCount(page, piece.count);
    left = piece.count;
    offset = piece.offset + bytes;
  };
  return {
    show(piece) {
      shown = piece;
    },
    alloc(bytes, gfp, mask) {
      if (page < 0 && shown !== undefined && shown.offset + bytes < pageSize << shown.order) prime(shown, bytes);
      else if (page < 0) refill(gfp);
      if (offset - bytes < 0) {
        pages.addPageRefs(page, -left);
        if (pages.alive(page)) refill(gfp);
        else {
          pages.setCount(page, bias);
          left = bias;
          offset = size;
        }
      }
      left--;
      offset = (offset - bytes) & mask;
      return page * pageSize + offset;
    },
    pfmemalloc: () => false,
  };
}

export interface PrimedSlices extends SliceCache {
  show(piece: SeenPiece | undefined): void;
}

function createPrimedSlices(pages: NamedPages): PrimedSlices {
  let page = -1;
  let offset = 0;
  let shown: SeenPiece | undefined;
  return {
    show(piece) {
      shown = piece;
    },
    alloc(gfp) {
      if (page < 0 && shown !== undefined) {
        page = pages.allocPages(gfp, 0);
        offset = shown.offset + 1024;
        pages.setCount(page, shown.count);
      } else if (offset < 1024) {
        page = pages.allocPages(gfp, 0);
        pages.setCount(page, pageSize / 1024);
        offset = pageSize;
      }
      offset -= 1024;
      return page * pageSize + offset;
    },
    pfmemalloc: () => false,
  };
}

export interface SkbMachine {
  readonly skbs: Skbs;
  readonly pages: NamedPages;
  readonly heap: NaiveHeap;
  readonly memory: Memory;
  readonly frags: PrimedFragCache;
  readonly slices: PrimedSlices;
}

/** A machine with 6.1's rules, nothing allocated. */
export function createSkbMachine(config: SkbConfig = skbConfig61): SkbMachine {
  const pages = createNamedPages();
  const heap = createNaiveHeap({ pages });
  const memory = createMemory(pageSize);
  const frags = createPrimedFrags(pages);
  const slices = createPrimedSlices(pages);
  const receive: readonly ReceiveCaches[] = [{ frags, slices }];
  const skbs = createSkbs({ pages, heap, memory, receive, config, skbsMax: 4096 });
  return { skbs, pages, heap, memory, frags, slices };
}
