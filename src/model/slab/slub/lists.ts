// What a CPU keeps of partial slabs beside the one it works on: the shape that lists_none.ts, lists_frozen.ts and lists_plain.ts fill.
import type { CacheGeometry } from "../geometry.ts";
import type { SlabColumns } from "./columns.ts";

/** The chain of partial slabs of each (cache, CPU), and what a free into somebody's slab does. Cold: asked per slab, not per object. */
export interface CpuLists {
  /** What the chain of such a cache may hold; 0 for none. */
  limit(geometry: CacheGeometry): number;
  /** get_partial_node(): takes the first slab off the node's list for CPU row `k`, and some more onto its chain; the slab's row, or -1. */
  take(cache: number, node: number, k: number, reserveAllowed: boolean): number;
  /** __slab_free() of `count` linked objects (`head` .. `tail`) of `row`, on which CPU row `k` does not work. */
  free(row: number, head: number, tail: number, count: number, k: number): void;
  /** The slabs chained from `row` on go to their nodes, or back to the page allocator. */
  putBack(row: number): void;
}

/** `cpuRows`: the (cache, CPU) rows of cpu_slab.ts. */
export type CpuListsMaker = (columns: SlabColumns, cpuRows: Int32Array) => CpuLists;
