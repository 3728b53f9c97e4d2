// The shapes around SLUB: what it is made from, what others see of it, and the fields of its rows. No behaviour.
import type { Journal } from "../../journal.ts";
import type { PageAllocator } from "../../mm/pages.ts";
import type { CacheGeometry } from "../geometry.ts";
import type { SlabGfp } from "../slab_gfp.ts";

/** Where a new slab's objects start and in which order they follow: fills `into[0 .. objects-1]` with every index once. */
export type FreelistOrder = (cache: number, objects: number, fullObjects: number, into: Uint16Array) => void;

/** What the rules of a kernel say about slabs, whatever stands between them and a CPU. */
export interface SlabRules {
  /** The bits of this kernel that slab code tests or sets. */
  readonly gfp: SlabGfp;
  /** A slab that cannot be had at its order is tried again at the smallest one (since 2.6.26). */
  readonly mayFallBack: boolean;
  /** Single pages are asked for with __GFP_COMP too. */
  readonly alwaysCompound: boolean;
  /** A node gives up an empty slab when it has min_partial + this many partial ones: 0, or 1 in 3.1 .. 3.16. */
  readonly emptySlack: number;
}

/** Where a sheaf's own memory comes from: kmalloc. */
export interface SheafMemory {
  /** `bytes` for a sheaf of `cache`: an address, or -1. */
  take(cache: number, bytes: number, gfp: number): number;
  give(address: number): void;
}

export interface SlubOptions extends SlabRules {
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
  /** Sheaves cost nothing and never fail when left out; a cache then has them from the start, else after {@link Sheaves.startSheaves}. */
  readonly sheafMemory?: SheafMemory;
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

export interface NodeView {
  readonly nrSlabs: number;
  /** The partial list, head first. */
  readonly partial: readonly SlabView[];
}

/** A cache whose CPUs work on a slab each. */
export interface CacheView {
  readonly cpus: readonly CpuView[];
  readonly nodes: readonly NodeView[];
}

/** An array of ready objects; the last one leaves first. */
export interface SheafView {
  /** Names the sheaf for as long as it lives. */
  readonly id: number;
  /** Addresses, bottom first. */
  readonly objects: readonly number[];
}

/** A cache with sheaves: those of the CPUs, and each node's barn, head first. */
export interface SheafCacheView {
  readonly cpus: readonly { readonly main: SheafView; readonly spare: SheafView | undefined }[];
  readonly barns: readonly { readonly full: readonly SheafView[]; readonly empty: readonly SheafView[] }[];
  readonly nodes: readonly NodeView[];
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
  /** kmem_cache_alloc_bulk(): fills `into[from..to)` and is true, or takes nothing and is false. */
  allocBulk(cache: number, gfp: number, into: Float64Array, from: number, to: number): boolean;
  /** kmem_cache_free_bulk() of `addresses[from..to)`, whose order it may change. */
  freeBulk(cache: number, addresses: Float64Array, from: number, to: number): void;
  /** The cache that owns the object at `address`, or -1. */
  cacheOf(address: number): number;
  /** The slab's block of pages, when `address` lies in a slab. */
  blockAt(address: number): { readonly pfn: number; readonly order: number } | undefined;
  /** kmem_cache_shrink(). */
  shrink(cache: number): void;
  counts(cache: number): CacheCounts;
  /** Pages in slabs, all caches together. */
  slabPages(): number;
}

interface AnySlub extends ObjectEngine {
  slabAt(address: number): SlabView | undefined;
  /** Index of the object at `address` in its slab. */
  indexOf(address: number): number;
  /** Copies the columns; the returned function puts them back. */
  snapshot(): () => void;
}

/** SLUB whose CPUs work on a slab each (2.6.22 .. 6.17). */
export interface CpuSlabs extends AnySlub {
  readonly kind: "cpu slabs";
  /** `flushes` is the order in which the CPUs' two steps (slab, then chain) happen; CPU by CPU when left out. */
  shrink(cache: number, flushes?: readonly number[]): void;
  view(cache: number): CacheView;
}

/** SLUB whose CPUs work on arrays of ready objects (7.0 and later for every cache). */
export interface Sheaves extends AnySlub {
  readonly kind: "sheaves";
  /** `flushes` is the order in which the CPUs' steps (spare sheaf, then the main one in portions) happen; CPU by CPU when left out. */
  shrink(cache: number, flushes?: readonly number[]): void;
  /** Steps that a CPU has to do in a shrink: what {@link Sheaves.shrink} takes as many entries of. */
  flushSteps(cache: number, cpu: number): number;
  /** Gives every CPU its first sheaf of the cache; false without memory for it. */
  startSheaves(cache: number, gfp: number): boolean;
  /** An object for a sheaf itself: like alloc, but no new sheaf is made on the way (SLAB_ALLOC_NO_RECURSE). */
  allocFlat(cache: number, gfp: number): number;
  view(cache: number): SheafCacheView;
}

export type Slub = CpuSlabs | Sheaves;

/** What makes a SLUB: a kernel's choice of cpu_slab.ts with a chain, or of sheaves.ts. */
export type SlubMaker = (options: SlubOptions) => Slub;

// The rows' fields come as objects that the parts take apart into constants of its own: an imported constant is read from the other module
// at every use, a module's own one is folded into the machine code (measured: five times).

/** A slab's row; rows are 1 << slabShift apart. */
export const slabField = {
  PFN: 0,
  CACHE: 1,
  INUSE: 2,
  OBJECTS: 3,
  FROZEN: 4,
  FREE: 5,
  NEXT: 6,
  PREV: 7,
  /** Length of the CPU chain from this slab on (or free objects in it, before 5.16). */
  CHAIN: 8,
  BASE: 9,
  ORDER: 10,
  NODE: 11,
  RESERVE: 12,
  /** 1 while on its node's partial list. */
  LISTED: 13,
} as const;

/** A cache's row; rows are 1 << cacheShift apart. */
export const cacheField = {
  SIZE: 0,
  OO_ORDER: 1,
  OO_OBJECTS: 2,
  MIN_ORDER: 3,
  MIN_OBJECTS: 4,
  CPU_PARTIAL: 5,
  MIN_PARTIAL: 6,
  GFP: 7,
  POOL: 8,
  /** Objects that a sheaf holds; 0: the cache has none. */
  SHEAF: 9,
} as const;

/** A (cache, CPU) row; rows are 4 apart. */
export const cpuField = {
  C_SLAB: 0,
  C_FREE: 1,
  C_PARTIAL: 2,
} as const;

/** A (cache, node) row; rows are 8 apart. */
export const nodeField = {
  N_HEAD: 0,
  N_TAIL: 1,
  N_PARTIAL: 2,
  N_SLABS: 3,
  N_OBJECTS: 4,
} as const;

/** Values with a meaning, and the shifts of rows. */
export const mark: Readonly<
  Record<"none" | "noObject" | "handedOut" | "inSheaf" | "slabShift" | "cacheShift", number>
> = {
  /** No slab. */
  none: -1,
  /** No object, no link. */
  noObject: 0xffff,
  /** In the place of a link: the object belongs to somebody. */
  handedOut: 0xfffe,
  /** In the place of a link: the object lies ready in a sheaf. */
  inSheaf: 0xfffd,
  slabShift: 4,
  cacheShift: 4,
};
