// What fills a CPU's chain of partial slabs: the free objects in it (3.2 .. 5.15) or its slabs (since 5.16). Cold: asked per slab, never per object.
import type { CacheGeometry } from "../geometry.ts";

/** How long a chain is, in one unit. `held` is what the chain's head remembers. */
export interface ChainCount {
  /** What a chain of this cache may hold, in the unit. */
  limit(geometry: CacheGeometry): number;
  /** put_cpu_partial(): a chain that holds so much goes to its node before another slab enters. */
  full(held: number, limit: number): boolean;
  /** What a slab with so many free objects adds. */
  adds(freeObjects: number): number;
  /** get_partial_node(): enough was taken: `slabs` beside the active one, with `freeObjects` in all of them. */
  enough(slabs: number, freeObjects: number, limit: number): boolean;
}

/** 3.2 .. 5.15 (mm/slub.c 5.10.223: page->pobjects against cpu_partial). */
export const countObjects: ChainCount = {
  limit: (geometry) => geometry.cpuPartial,
  full: (held, limit) => held > limit,
  adds: (freeObjects) => freeObjects,
  enough: (_slabs, freeObjects, limit) => freeObjects > limit >> 1,
};

/** Since 5.16 (mm/slub.c 6.1.192, 6.12.117: slab->slabs against cpu_partial_slabs). */
export const countSlabs: ChainCount = {
  limit: (geometry) => geometry.cpuPartialSlabs,
  full: (held, limit) => held >= limit,
  adds: () => 1,
  enough: (slabs, _freeObjects, limit) => slabs > limit >> 1,
};
