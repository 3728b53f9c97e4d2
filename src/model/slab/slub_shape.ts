// The shapes around slub.ts: what it is made from, what others see of it, and the fields of its rows. No behaviour.
import type { Release } from "../../kernel/release.ts";
import type { Journal } from "../journal.ts";
import type { PageAllocator } from "../mm/pages.ts";
import type { CacheGeometry } from "./geometry.ts";

/** No object, no link. */
export const noObject = 0xffff;
/** In the place of a link: the object belongs to somebody. */
export const handedOut = 0xfffe;

/** Where a new slab's objects start and in which order they follow: fills `into[0 .. objects-1]` with every index once. */
export type FreelistOrder = (cache: number, objects: number, fullObjects: number, into: Uint16Array) => void;

export interface SlubOptions {
  readonly release: Release;
  readonly pages: PageAllocator;
  /** Its `cpu` says which CPU acts. */
  readonly journal: Journal;
  readonly cpus: number;
  readonly pageSize?: number;
  readonly nodes?: number;
  readonly nodeOfCpu?: (cpu: number) => number;
  /** CONFIG_SLAB_FREELIST_RANDOM; ascending when left out. */
  readonly freelistOrder?: FreelistOrder;
  /** A free of something that is not a live object, or of the wrong cache; ModelBug when left out. */
  readonly onMisuse?: (what: string, address: number) => void;
}

/** What one slab looks like from outside. */
export interface SlabView {
  readonly row: number;
  readonly pfn: number;
  readonly order: number;
  readonly objects: number;
  /** Objects handed out or on a CPU's list. */
  readonly inuse: number;
  readonly frozen: boolean;
  /** The slab's own free objects, head first; a CPU's list is not in it. */
  readonly freelist: readonly number[];
}

export interface CpuView {
  readonly slab: SlabView | undefined;
  readonly freelist: readonly number[];
  /** The chain of partial slabs, head first. */
  readonly partial: readonly (SlabView & { readonly slabs: number })[];
}

export interface CacheView {
  readonly cpus: readonly CpuView[];
  readonly nodes: readonly { readonly nrSlabs: number; readonly partial: readonly SlabView[] }[];
}

/** Counts of one cache, as /proc/slabinfo has them. */
export interface CacheCounts {
  readonly slabs: number;
  readonly objects: number;
  /** Objects not free, as count_partial() sees it: what lies on CPU lists counts as in use. */
  readonly active: number;
}

/** What kmalloc.ts needs of an allocator of objects: SLUB or SLAB. */
export interface ObjectEngine {
  /** A cache; `gfpBits` are added to every request for its pages. */
  addCache(geometry: CacheGeometry, gfpBits: number): number;
  /** Address of an object, or -1. */
  alloc(cache: number, gfp: number): number;
  free(cache: number, address: number): void;
  /** The cache that owns the object at `address`, or -1. */
  cacheOf(address: number): number;
  /** The slab's block of pages, when `address` lies in a slab. */
  blockAt(address: number): { readonly pfn: number; readonly order: number } | undefined;
  /** kmem_cache_shrink(). */
  shrink(cache: number): void;
  counts(cache: number): CacheCounts;
}

export interface Slub extends ObjectEngine {
  slabAt(address: number): SlabView | undefined;
  /** Index of the object at `address` in its slab. */
  indexOf(address: number): number;
  /** `flushes` is the order in which the CPUs' two steps (slab, then chain) happen; CPU by CPU when left out. */
  shrink(cache: number, flushes?: readonly number[]): void;
  view(cache: number): CacheView;
  /** Copies the columns; the returned function puts them back. */
  snapshot(): () => void;
}

// Fields of a slab's row.
export const PFN = 0;
export const CACHE = 1;
export const INUSE = 2;
export const OBJECTS = 3;
export const FROZEN = 4;
export const FREE = 5;
export const NEXT = 6;
export const PREV = 7;
/** Length of the CPU chain from this slab on (or free objects in it, before 5.16). */
export const CHAIN = 8;
export const BASE = 9;
export const ORDER = 10;
export const NODE = 11;
export const RESERVE = 12;
export const slabShift = 4;

// Fields of a cache's row.
export const SIZE = 0;
export const OO_ORDER = 1;
export const OO_OBJECTS = 2;
export const MIN_ORDER = 3;
export const MIN_OBJECTS = 4;
export const CPU_PARTIAL = 5;
export const MIN_PARTIAL = 6;
export const GFP = 7;
export const POOL = 8;
export const cacheShift = 4;

// Fields of a (cache, CPU) row and of a (cache, node) row.
export const C_SLAB = 0;
export const C_FREE = 1;
export const C_PARTIAL = 2;
export const N_HEAD = 0;
export const N_TAIL = 1;
export const N_PARTIAL = 2;
export const N_SLABS = 3;
export const N_OBJECTS = 4;

export const none = -1;
