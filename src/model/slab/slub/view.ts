// What others see of a SLUB cache: its lists as values. Reads the rows, changes nothing.
import type { CacheCounts, CacheView, NodeView, SlabView } from "./shape.ts";
import { cpuField, mark, nodeField, slabField } from "./shape.ts";

const { PFN, INUSE, OBJECTS, FROZEN, FREE, NEXT, CHAIN, BASE, ORDER } = slabField;
const { C_SLAB, C_FREE, C_PARTIAL } = cpuField;
const { N_HEAD, N_SLABS, N_OBJECTS } = nodeField;
const { none, noObject, slabShift } = mark;

/** The present arrays of a SLUB instance (they move when they grow). */
export interface SlubArrays {
  readonly slabs: Int32Array;
  readonly links: Uint16Array;
  readonly nodeRows: Int32Array;
  readonly nodes: number;
}

/** Object indexes from `head` on. */
function walk({ links }: SlubArrays, base: number, head: number): number[] {
  const list: number[] = [];
  for (let o = head; o !== noObject; o = links[base + o] as number) list.push(o);
  return list;
}

/** Slab rows from `head` on. */
function follow({ slabs }: SlubArrays, head: number): number[] {
  const rows: number[] = [];
  for (let row = head; row !== none; row = slabs[(row << slabShift) + NEXT] as number) rows.push(row);
  return rows;
}

export function viewSlab(columns: SlubArrays, row: number): SlabView {
  const { slabs } = columns;
  const s = row << slabShift;
  return {
    row,
    pfn: slabs[s + PFN] as number,
    order: slabs[s + ORDER] as number,
    objects: slabs[s + OBJECTS] as number,
    inuse: slabs[s + INUSE] as number,
    frozen: slabs[s + FROZEN] === 1,
    freelist: walk(columns, slabs[s + BASE] as number, slabs[s + FREE] as number),
  };
}

/** The nodes of a cache. */
export function viewNodes(columns: SlubArrays, cache: number): NodeView[] {
  const { nodeRows, nodes } = columns;
  return Array.from({ length: nodes }, (_, node) => {
    const n = (cache * nodes + node) << 3;
    return {
      nrSlabs: nodeRows[n + N_SLABS] as number,
      partial: follow(columns, nodeRows[n + N_HEAD] as number).map((row) => viewSlab(columns, row)),
    };
  });
}

/** A cache whose CPUs work on a slab each: `cpuRows` are theirs. */
export function viewCache(columns: SlubArrays, cpuRows: Int32Array, cache: number, cpus: number): CacheView {
  const { slabs } = columns;
  return {
    cpus: Array.from({ length: cpus }, (_, cpu) => {
      const k = (cache * cpus + cpu) << 2;
      const row = cpuRows[k + C_SLAB] as number;
      const base = row === none ? 0 : (slabs[(row << slabShift) + BASE] as number);
      return {
        slab: row === none ? undefined : viewSlab(columns, row),
        freelist: row === none ? [] : walk(columns, base, cpuRows[k + C_FREE] as number),
        partial: follow(columns, cpuRows[k + C_PARTIAL] as number).map((p) => ({
          ...viewSlab(columns, p),
          slabs: slabs[(p << slabShift) + CHAIN] as number,
        })),
      };
    }),
    nodes: viewNodes(columns, cache),
  };
}

/** get_slabinfo() (mm/slub.c): objects on CPU lists and chains count as in use, only the nodes' lists are looked at. */
export function countCache(columns: SlubArrays, cache: number): CacheCounts {
  const { slabs, nodeRows, nodes } = columns;
  let slabsInAll = 0;
  let objects = 0;
  let freeObjects = 0;
  for (let node = 0; node < nodes; node++) {
    const n = (cache * nodes + node) << 3;
    slabsInAll += nodeRows[n + N_SLABS] as number;
    objects += nodeRows[n + N_OBJECTS] as number;
    for (const row of follow(columns, nodeRows[n + N_HEAD] as number)) {
      const s = row << slabShift;
      freeObjects += (slabs[s + OBJECTS] as number) - (slabs[s + INUSE] as number);
    }
  }
  return { slabs: slabsInAll, objects, active: objects - freeObjects };
}
