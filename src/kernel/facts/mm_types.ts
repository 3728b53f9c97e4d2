// Dated facts of the page allocator's vocabulary: migrate types, orders, per-CPU list shapes, and the gfp bits that it reads.
// Only what the allocator itself looks at; how a mask is printed belongs to the readers.
import type { Fact } from "../release.ts";

/** Numbers of the migrate types; -1 where a kernel or configuration has none. */
export interface MigrateTypes {
  readonly unmovable: number;
  readonly movable: number;
  readonly reclaimable: number;
  /** MIGRATE_RESERVE before 4.4, MIGRATE_HIGHATOMIC since. */
  readonly highatomic: number;
  readonly reserve: number;
  readonly cma: number;
  readonly isolate: number;
  /** Letters of show_free_areas(), by number. */
  readonly letters: string;
  /** Names of /proc/pagetypeinfo, by number. */
  readonly names: readonly string[];
}

/** Migrate types with CONFIG_MEMORY_ISOLATION; `cma` tells whether CONFIG_CMA is set. */
export function migrateTypesOf(facts: "2.6.24" | "3.5" | "4.2" | "4.4", cma: boolean): MigrateTypes {
  // 2.6.24: UNMOVABLE, RECLAIMABLE, MOVABLE, RESERVE, ISOLATE; 4.2 swaps RECLAIMABLE and MOVABLE; 4.4 puts HIGHATOMIC at RESERVE's place.
  const swapped = facts === "4.2" || facts === "4.4";
  const hasReserve = facts !== "4.4";
  return {
    unmovable: 0,
    movable: swapped ? 1 : 2,
    reclaimable: swapped ? 2 : 1,
    highatomic: hasReserve ? -1 : 3,
    reserve: hasReserve ? 3 : -1,
    cma: cma ? 4 : -1,
    isolate: cma ? 5 : 4,
    letters: `${swapped ? "UME" : "UEM"}${hasReserve ? "R" : "H"}${cma ? "C" : ""}I`,
    names: [
      "Unmovable",
      ...(swapped ? ["Movable", "Reclaimable"] : ["Reclaimable", "Movable"]),
      hasReserve ? "Reserve" : "HighAtomic",
      ...(cma ? ["CMA"] : []),
      "Isolate",
    ],
  };
}

/** Which numbering a release uses. */
export const migrateTypeFacts: readonly Fact<"2.6.24" | "3.5" | "4.2" | "4.4">[] = [
  { since: [2, 6, 24], value: "2.6.24", source: "include/linux/mmzone.h, 2.6.24" },
  { since: [3, 5], value: "3.5", source: "include/linux/mmzone.h, 3.13: CMA between RESERVE and ISOLATE" },
  { since: [4, 2], value: "4.2", source: "include/linux/mmzone.h, 4.19: MOVABLE before RECLAIMABLE" },
  { since: [4, 4], value: "4.4", source: "include/linux/mmzone.h, 4.19: HIGHATOMIC takes the place of RESERVE" },
];

/** The gfp bits that the page allocator reads; 0 where a release has no such bit. */
export interface AllocatorGfp {
  readonly dma: number;
  readonly highmem: number;
  readonly dma32: number;
  readonly movable: number;
  readonly reclaimable: number;
  readonly high: number;
  readonly atomic: number;
  /** __GFP_DIRECT_RECLAIM, or __GFP_WAIT before 4.4. */
  readonly directReclaim: number;
  /** __GFP_KSWAPD_RECLAIM; 0 before 4.4, when every allocation wakes kswapd. */
  readonly kswapdReclaim: number;
  readonly nowarn: number;
  readonly retryMayfail: number;
  readonly nofail: number;
  readonly noretry: number;
  readonly memalloc: number;
  readonly comp: number;
  readonly nomemalloc: number;
  readonly thisnode: number;
  readonly io: number;
  readonly fs: number;
}

const oldest: AllocatorGfp = {
  dma: 0x01,
  highmem: 0x02,
  dma32: 0,
  movable: 0,
  reclaimable: 0,
  high: 0x20,
  atomic: 0,
  directReclaim: 0x10,
  kswapdReclaim: 0,
  nowarn: 0x200,
  retryMayfail: 0x400,
  nofail: 0x800,
  noretry: 0x1000,
  memalloc: 0,
  comp: 0x4000,
  nomemalloc: 0,
  thisnode: 0,
  io: 0x40,
  fs: 0x80,
};
const since2624: AllocatorGfp = {
  ...oldest,
  dma32: 0x04,
  movable: 0x100000,
  reclaimable: 0x80000,
  nomemalloc: 0x10000,
  thisnode: 0x40000,
};
const since2631: AllocatorGfp = { ...since2624, movable: 0x08 };
const since36: AllocatorGfp = { ...since2631, memalloc: 0x2000 };
const since44: AllocatorGfp = {
  ...since36,
  movable: 0x08,
  reclaimable: 0x10,
  high: 0x20,
  io: 0x40,
  fs: 0x80,
  atomic: 0x80000,
  directReclaim: 0x400000,
  kswapdReclaim: 0x2000000,
  nomemalloc: 0x10000,
  thisnode: 0x40000,
};
const since54: AllocatorGfp = {
  ...since44,
  atomic: 0x200,
  directReclaim: 0x400,
  kswapdReclaim: 0x800,
  nowarn: 0x2000,
  retryMayfail: 0x4000,
  nofail: 0x8000,
  noretry: 0x10000,
  memalloc: 0x20000,
  comp: 0x40000,
  nomemalloc: 0x80000,
  thisnode: 0x200000,
};

/** The bits by release, x86. */
export const allocatorGfpFacts: readonly Fact<AllocatorGfp>[] = [
  { since: [2, 6, 9], value: oldest, source: "include/linux/gfp.h, 2.6.9" },
  { since: [2, 6, 24], value: since2624, source: "include/linux/gfp.h, 2.6.24" },
  { since: [2, 6, 31], value: since2631, source: "include/linux/gfp.h, 2.6.31.3 and 2.6.32.67" },
  { since: [3, 6], value: since36, source: "include/linux/gfp.h, 3.13" },
  { since: [4, 4], value: since44, source: "include/linux/gfp.h, 4.19" },
  { since: [5, 4], value: since54, source: "include/linux/gfp_types.h, 6.1.192" },
  {
    since: [6, 3],
    value: { ...since54, atomic: 0 },
    source: "include/linux/gfp_types.h, 6.6.45: __GFP_ATOMIC is gone",
  },
];

/** The bits of a 6.1 kernel. */
export const gfp61: AllocatorGfp = since54;
