// `SLUB: Unable to allocate memory on node -1, gfp=0xcc0(GFP_KERNEL)` and SLAB's line of the same meaning.
import type { GfpText } from "./gfp_text.ts";
import type { Part } from "./part.ts";
import { cut, lost, whole } from "./part.ts";

export interface SlabFailure {
  readonly allocator: "SLUB" | "SLAB";
  /** The node that was asked for; -1 is any. */
  readonly node: number;
  /** Where the caller ran, and that CPU's node (6.12 and later, from history). */
  readonly cpu?: number;
  readonly cpuNode?: number;
  /** The caller's mask: without what the slab allocator added, so it differs from the page allocator's report of the same event. */
  readonly gfp: GfpText;
  /** How the mask was introduced: ` (gfp=` up to 4.5 and again in other forms, `, gfp=` from 4.6. */
  readonly form: "parentheses" | "comma";
  readonly cache?: string;
  /** The cgroup behind a cache called `kmalloc-1024(1793:docker…)`: the limit of a container, not of the machine. */
  readonly memcg?: string;
  readonly objectSize?: number;
  readonly bufferSize?: number;
  readonly defaultOrder?: number;
  readonly minOrder?: number;
  /** SLAB: `cache: kmalloc-2048, object size: 2048, order: 0`. */
  readonly order?: number;
  /** `kmalloc-64 debugging increased min order, use slub_debug=O to disable.` was printed. */
  readonly debuggingRaisedOrder?: boolean;
  readonly nodes: readonly {
    readonly node: number;
    readonly slabs: number;
    /** SLAB prints active/total. */
    readonly slabsTotal?: number;
    readonly objects: number;
    readonly objectsTotal?: number;
    readonly free: number;
  }[];
}

/**
 * The cgroup whose own copy the cache is, none for a cache of the machine: its name stands in brackets behind the cache's, and the size of an object
 * behind both (mm/slub.c slab_out_of_memory(), mm/slab.c).
 */
export const cgroupsPart = (s: SlabFailure): Part<readonly string[]> =>
  s.cache === undefined
    ? lost("the line of the cache")
    : whole(s.memcg === undefined ? [] : [s.memcg], "the object's size stands behind the cache's name");

/** The lines of the nodes: one for each, and nothing counts them. `nodes`: those that the machine has. */
export function slabNodesPart(s: SlabFailure, nodes: Part<readonly number[]>): Part<SlabFailure["nodes"]> {
  if (s.nodes.length === 0) return lost("the lines of its nodes");
  if (nodes.state !== "whole") return cut(s.nodes, "what nodes the machine has");
  const open = nodes.value.find((node) => !s.nodes.some((n) => n.node === node));
  return open === undefined
    ? whole(s.nodes, "each node of the machine has its line")
    : cut(s.nodes, `the line of node ${open}`);
}
