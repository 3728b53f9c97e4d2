// Dated facts of the page allocator's vocabulary: the migrate types. The gfp bits that it reads are allocator_gfp.ts.
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
