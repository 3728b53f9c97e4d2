// The dated facts of the slab allocators: which sizes kmalloc keeps caches for, and by which rules an object size becomes a slab.
// The arithmetic that uses them is model/slab/geometry.ts. Dates name the first mainline release with the rule.
import type { Architecture, Fact } from "../release.ts";

/** SLAB (2.6 .. 6.4) or SLUB (since 2.6.22; the only one since 6.5 but for the tiny variant). */
export type SlabAllocator = "slab" | "slub";

/** How SLUB chooses the order of a slab. */
export interface SlubOrderRules {
  /** slub_max_order: where it stops caring for the number of objects. */
  readonly maxOrder: number;
  /** slub_min_objects: a fixed number, or four times (fls(CPUs) + 1). */
  readonly minObjects: number | "cpus";
  /** First and smallest accepted share of waste: 1/first, then twice that … 1/last. */
  readonly fractions: readonly number[];
  /** How the wish for many objects is given up: halved, one less, or kept while only the waste grows (6.8). */
  readonly retreat: "halve" | "one less" | "never";
  /** The wish is capped by what a slab of maxOrder holds (2.6.30). */
  readonly capped: boolean;
}

export const slubOrderRules: readonly Fact<SlubOrderRules>[] = [
  {
    since: [2, 6, 22],
    value: { maxOrder: 1, minObjects: 4, fractions: [8, 4], retreat: "halve", capped: false },
    source: "mm/slub.c calculate_order(), 2.6.24",
  },
  {
    since: [2, 6, 26],
    value: { maxOrder: 3, minObjects: "cpus", fractions: [16, 8, 4], retreat: "halve", capped: false },
    source: "mm/slub.c calculate_order(), 2.6.29; date from the commit that brought the minimum-order fall-back",
  },
  {
    since: [2, 6, 30],
    value: { maxOrder: 3, minObjects: "cpus", fractions: [16, 8, 4], retreat: "one less", capped: true },
    source: "mm/slub.c calculate_order(), 2.6.32, 3.13, 4.19, 6.1",
  },
  {
    since: [6, 8],
    value: { maxOrder: 3, minObjects: "cpus", fractions: [16, 8, 4, 2], retreat: "never", capped: true },
    source: "mm/slub.c calculate_order(), 6.8",
  },
];

/** Which CPUs the "cpus" rule counts: every id that may ever exist, or those present (all ids when only one is present). */
export const slubCpuCount: readonly Fact<"nr_cpu_ids" | "present">[] = [
  {
    since: [2, 6, 26],
    value: "nr_cpu_ids",
    source: "mm/slub.c calculate_order(), 2.6.29 .. 4.19, 5.10.223",
    read: "tree",
  },
  {
    since: [5, 11],
    value: "present",
    source: "mm/slub.c calculate_order(), 5.11, 6.1.192, 6.12.117, 7.2.12",
    read: "tree",
  },
];

/** A slab that cannot be had at its order is tried again at the smallest order that holds one object; the first try is silent. */
export const slubMayFallBack: readonly Fact<boolean>[] = [
  { since: [2, 6, 22], value: false, source: "mm/slub.c allocate_slab(), 2.6.24: one attempt" },
  { since: [2, 6, 26], value: true, source: "mm/slub.c allocate_slab(), 2.6.29" },
];

/** Every slab is asked for as a compound page, a single page too; before, only larger ones. */
export const slubAlwaysCompound: readonly Fact<boolean>[] = [
  { since: [2, 6, 22], value: false, source: "mm/slub.c calculate_sizes(), 5.10.223, 6.1.192", read: "tree" },
  {
    since: [6, 10],
    value: true,
    source: "mm/slub.c calculate_sizes(), 6.12.117, 7.2.12: not in 6.8, in 6.10",
    read: "tree",
  },
];

/** The largest kmalloc size with a cache of its own, as a shift added to the page size; larger requests go to the page allocator. */
export const slubLargestCacheShift: readonly Fact<number>[] = [
  {
    since: [2, 6, 22],
    value: 10,
    source: "include/linux/slub_def.h, KMALLOC_SHIFT_HIGH before the pass-through (not read in a tagged tree)",
  },
  { since: [2, 6, 24], value: -1, source: "include/linux/slub_def.h kmalloc(), 2.6.24: above PAGE_SIZE / 2" },
  { since: [2, 6, 25], value: 0, source: "include/linux/slub_def.h kmalloc(), 2.6.29: above PAGE_SIZE" },
  {
    since: [2, 6, 30],
    value: 1,
    source: "include/linux/slub_def.h SLUB_MAX_SIZE, 2.6.32; KMALLOC_SHIFT_HIGH, 3.13 .. 6.1",
  },
];

/** The largest SLAB kmalloc cache in bytes with 4 KiB pages. */
export const slabLargestCache: readonly Fact<number>[] = [
  { since: [2, 6], value: 131072, source: "include/linux/kmalloc_sizes.h, 2.6.9" },
  { since: [2, 6, 22], value: 4194304, source: "include/linux/slab.h KMALLOC_MAX_SIZE, 2.6.24, 4.19" },
  { since: [6, 1], value: 8192, source: "include/linux/slab.h KMALLOC_SHIFT_HIGH, 6.1: page order 1" },
];

/** Objects that SLUB keeps on a CPU's chain of partial slabs, by object size: [from this size, objects]; none before 3.2. */
export interface CpuPartialRule {
  readonly bySize: readonly (readonly [sizeBytes: number, objects: number])[];
  /** What fills a chain: free objects in it, or its slabs (then twice the objects' worth of slabs, taken as half full). */
  readonly counted: "objects" | "slabs";
}

export const slubCpuPartial: readonly Fact<CpuPartialRule | undefined>[] = [
  { since: [2, 6, 22], value: undefined, source: "mm/slub.c, 2.6.24, 2.6.32: no per-CPU partial slabs" },
  {
    since: [3, 2],
    value: {
      bySize: [
        [4096, 2],
        [1024, 6],
        [256, 13],
        [0, 30],
      ],
      counted: "objects",
    },
    source: "mm/slub.c kmem_cache_open(), 3.13; set_cpu_partial(), 4.19",
  },
  {
    since: [5, 16],
    value: {
      bySize: [
        [4096, 6],
        [1024, 24],
        [256, 52],
        [0, 120],
      ],
      counted: "slabs",
    },
    source: "mm/slub.c set_cpu_partial(), slub_set_cpu_partial(), 6.1.192, 6.12.117",
    read: "tree",
  },
  {
    since: [7, 0],
    value: undefined,
    source: "mm/slub.c 7.2.12: sheaves instead; the first release is from the history",
    read: "tree",
  },
];

/** Objects that a sheaf of a CPU is meant to hold, by object size: [from this size, objects]; it is then grown to fill its kmalloc object. */
export interface SheafRule {
  readonly bySize: readonly (readonly [sizeBytes: number, objects: number])[];
  /** struct slab_sheaf before its array, with 8-byte pointers. */
  readonly headBytes: number;
}

export const slubSheaves: readonly Fact<SheafRule | undefined>[] = [
  { since: [2, 6, 22], value: undefined, source: "mm/slub.c 6.12.117: none" },
  {
    since: [7, 0],
    value: {
      bySize: [
        [4096, 4],
        [1024, 12],
        [256, 26],
        [0, 60],
      ],
      headBytes: 32,
    },
    source: "mm/slub.c calculate_sheaf_capacity(), 7.2.12; the first release is from the history",
    read: "tree",
  },
];

/** How many empty slabs a node keeps: always 5; log2(size) in 5..10; half of it in 5..10. */
export const slubMinPartial: readonly Fact<"five" | "log2" | "half log2">[] = [
  { since: [2, 6, 22], value: "five", source: "mm/slub.c MIN_PARTIAL, 2.6.24" },
  { since: [2, 6, 28], value: "log2", source: "mm/slub.c init_kmem_cache_node(), 2.6.29; set_min_partial(), 2.6.32" },
  { since: [3, 2], value: "half log2", source: "mm/slub.c kmem_cache_open(), 3.13, 6.1" },
];

/** Where SLUB keeps the link of a free object without constructor: its first word, or near its middle. */
export const slubLinkPlace: readonly Fact<"start" | "middle">[] = [
  { since: [2, 6, 22], value: "start", source: "mm/slub.c calculate_sizes(), 2.6.24, 4.19" },
  { since: [5, 7], value: "middle", source: "mm/slub.c calculate_sizes(), 6.1" },
];

/** What slub_debug=FZPU adds to an object, in bytes of a 64-bit kernel. */
export interface SlubDebugRoom {
  /** struct track: who, when, on which CPU, with which stack; one for the allocation and one for the free. */
  readonly track: number;
  /** kmalloc caches remember how much was asked for. */
  readonly askedFor: number;
}

export const slubDebugRoom: readonly Fact<SlubDebugRoom>[] = [
  {
    since: [5, 10],
    value: { track: 152, askedFor: 0 },
    source: "mm/slub.c struct track (with the 16 addresses of the stack), calculate_sizes(), 5.10.223",
    read: "tree",
  },
  {
    since: [6, 1],
    value: { track: 32, askedFor: 4 },
    source: "mm/slub.c struct track, calculate_sizes(), 6.1.192, 6.12.117",
    read: "tree",
  },
  { since: [7, 0], value: { track: 32, askedFor: 8 }, source: "mm/slub.c calculate_sizes(), 7.2.12", read: "tree" },
];

/** What kmalloc promises of an object's address: the architecture's minimum; its size where that is a power of two; the largest power of two in its size. */
export const kmallocAlignment: readonly Fact<"minimum" | "powers of two" | "largest power of two">[] = [
  { since: [2, 6], value: "minimum", source: "mm/slub.c, 2.6.24: ARCH_KMALLOC_MINALIGN" },
  {
    since: [5, 4],
    value: "powers of two",
    source: "mm/slab_common.c create_boot_cache(), 5.10.223, 6.1.192",
    read: "tree",
  },
  {
    since: [6, 11],
    value: "largest power of two",
    source: "mm/slab_common.c create_boot_cache(), 6.12.117, 7.2.12; the first release is from the history",
    read: "tree",
  },
];

/** What owners say about the sheaves of their caches: at least so many objects, or 0 for none (mm/slub.c kmem_cache_init(), lib/maple_tree.c, 7.2.12). */
export const askedSheafCapacity: ReadonlyMap<string, number> = new Map([
  ["kmem_cache", 0],
  ["kmem_cache_node", 0],
  ["maple_node", 32],
]);

/** How kmalloc caches are called: `size-2048`, `kmalloc-2048`, `kmalloc-2k`. */
export const kmallocNaming: Readonly<Record<SlabAllocator, readonly Fact<"size" | "bytes" | "short">[]>> = {
  slab: [
    { since: [2, 6], value: "size", source: "mm/slab.c cache_names, 2.6.9, 2.6.24" },
    { since: [3, 10], value: "bytes", source: "mm/slab_common.c create_kmalloc_caches(), 3.13" },
    { since: [4, 20], value: "short", source: "mm/slab_common.c kmalloc_info, 6.1" },
  ],
  slub: [
    { since: [2, 6, 22], value: "bytes", source: "mm/slub.c, 2.6.24; mm/slab_common.c, 3.13, 4.19" },
    { since: [4, 20], value: "short", source: "mm/slab_common.c kmalloc_info, 6.1" },
  ],
};

/** A separate set of caches for reclaimable kmalloc objects (`kmalloc-rcl-*`). */
export const kmallocReclaimable: readonly Fact<boolean>[] = [
  { since: [2, 6], value: false, source: "include/linux/slab.h, 4.19" },
  { since: [4, 20], value: true, source: "include/linux/slab.h kmalloc_type(), 6.1" },
];

/** How SLAB keeps its list of free objects: a struct and an index array beside them, only the array, or inside a free object. */
export interface SlabManagement {
  readonly kind: "struct slab" | "index array" | "in a free object";
  /** Bytes of an index with 4 KiB pages. */
  readonly indexBytes: number;
  /** sizeof(struct slab) with 4- and 8-byte pointers; 0 when there is none. */
  readonly structBytes: readonly [wide4: number, wide8: number];
}

export const slabManagement: readonly Fact<SlabManagement>[] = [
  {
    since: [2, 6],
    value: { kind: "struct slab", indexBytes: 2, structBytes: [24, 40] },
    source: "mm/slab.c struct slab, 2.6.9; asm/types.h kmem_bufctl_t",
  },
  {
    since: [2, 6, 12],
    value: { kind: "struct slab", indexBytes: 4, structBytes: [28, 48] },
    source:
      "mm/slab.c struct slab, kmem_bufctl_t, 2.6.24, 2.6.32 (the date of the wider index was not read in a tagged tree)",
  },
  {
    since: [3, 13],
    value: { kind: "index array", indexBytes: 4, structBytes: [0, 0] },
    source: "mm/slab.c cache_estimate(), slab_mgmt_size(), 3.13",
  },
  {
    since: [3, 15],
    value: { kind: "index array", indexBytes: 1, structBytes: [0, 0] },
    source: "mm/slab.c freelist_idx_t (read in 4.19; date from the commit)",
  },
  {
    since: [4, 6],
    value: { kind: "in a free object", indexBytes: 1, structBytes: [0, 0] },
    source: "mm/slab.c set_objfreelist_slab_cache(), 4.19, 6.1",
  },
];

/** The smallest kmalloc object (KMALLOC_MIN_SIZE) of an architecture whose DMA alignment raises it; others: 8 with SLUB, 32 with SLAB. */
export const kmallocMinimum: Readonly<Partial<Record<Architecture, readonly Fact<number>[]>>> = {
  arm64: [
    { since: [3, 7], value: 128, source: "arch/arm64/include/asm/cache.h ARCH_DMA_MINALIGN, 4.19, 6.1" },
    { since: [6, 5], value: 8, source: "include/linux/slab.h ARCH_KMALLOC_MINALIGN, 6.5: bounced instead" },
  ],
};

/** cache_line_size() that the facts assume when a machine does not say: the commonest of each architecture. */
export const cacheLineBytes: Readonly<Record<Architecture, number>> = {
  i386: 64,
  x86_64: 64,
  ppc32: 32,
  ppc64: 128,
  arm: 64,
  arm64: 64,
  mips: 32,
  s390x: 256,
  riscv64: 64,
};

/** A node gives up an empty slab when it has min_partial + this many partial ones. */
export const slubEmptySlack: readonly Fact<number>[] = [
  { since: [2, 6, 22], value: 0, source: "mm/slub.c deactivate_slab(), 2.6.24, 2.6.32" },
  { since: [3, 1], value: 1, source: "mm/slub.c deactivate_slab(), unfreeze_partials(), __slab_free(), 3.13" },
  {
    since: [3, 17],
    value: 0,
    source:
      "mm/slub.c, 4.19, 5.10.223, 6.1.192, 6.12.117, 7.2.12 (the date of the stricter test was not read in a tagged tree)",
  },
];

/** page_frag asks for its big page without direct reclaim. */
export const pageFragBigNeverSleeps: readonly Fact<boolean>[] = [
  {
    since: [2, 6],
    value: false,
    source: "mm/page_alloc.c __page_frag_cache_refill(), 5.10.223, 6.1.192",
    read: "tree",
  },
  {
    since: [6, 9],
    value: true,
    source: "mm/page_alloc.c __page_frag_cache_refill(), 6.12.117: not in 6.8, in 6.10; 6.9 from history",
    read: "tree",
  },
];

/** Caches that their owners create with SLAB_HWCACHE_ALIGN (net/core/skbuff.c skb_init(), 2.6.9 .. 7.2.12). */
export const hwcacheAlignedCaches: ReadonlySet<string> = new Set([
  "skbuff_head_cache",
  "skbuff_fclone_cache",
  "skbuff_ext_cache",
  "skbuff_small_head",
]);

/** SLAB: objects that a CPU keeps at hand, by object size: [above this size, limit]. */
export const slabCpuLimits: readonly (readonly [sizeBytes: number, limit: number])[] = [
  [131072, 1],
  [4096, 8],
  [1024, 24],
  [256, 54],
  [0, 120],
];
