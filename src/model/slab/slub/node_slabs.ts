// The slabs behind the sheaves of a cache (mm/slub.c 7.2.12): opened to fill a sheaf, closed when the barn has enough. A slab with free
// objects lies in its node's list; one that is full or empty lies in none.

import { broken, type SlabColumns } from "./columns.ts";
import { cacheField, mark, nodeField, slabField } from "./shape.ts";

const { PFN, CACHE, INUSE, FREE, NEXT, BASE, RESERVE, LISTED } = slabField;
const { MIN_PARTIAL } = cacheField;
const { N_HEAD } = nodeField;
const { none, noObject, handedOut, slabShift, cacheShift } = mark;

export interface NodeSlabsOptions {
  /** Bytes of a page. */
  readonly pageSize: number;
  /** __GFP_MEMALLOC: may take objects of the emergency reserve; 0 where nothing may. */
  readonly memalloc: number;
  /** The node of the CPU that runs. */
  ownNode(): number;
}

export function nodeSlabs(columns: SlabColumns, { pageSize, memalloc, ownNode }: NodeSlabsOptions) {
  const { cacheRows, nodeRows, nodes } = columns;
  let slabs = columns.slabs;
  let links = columns.links;
  columns.whenMoved(() => {
    slabs = columns.slabs;
    links = columns.links;
  });

  /** __slab_free(): objects `head` .. `tail` go in front of their slab's own; a full slab enters its node's list, an empty one may leave it. */
  const slabFree = (row: number, head: number, tail: number, count: number): void => {
    const s = row << slabShift;
    const wasFull = slabs[s + FREE] === noObject;
    links[(slabs[s + BASE] as number) + tail] = slabs[s + FREE] as number;
    slabs[s + FREE] = head;
    slabs[s + INUSE] = (slabs[s + INUSE] as number) - count;
    if ((slabs[s + INUSE] as number) < 0) broken("has fewer than no objects in use", row);
    if (!wasFull && slabs[s + LISTED] === 0) return;
    if (slabs[s + INUSE] === 0 && columns.tooMany(row)) {
      if (!wasFull) columns.removePartial(row);
      columns.discard(row);
    } else if (wasFull) columns.addPartial(row, true);
  };

  /** The slab's first objects, `want` at most, into `into[at..]`; how many. The rest stays its freelist. */
  const takeObjects = (row: number, want: number, into: Float64Array, at: number): number => {
    const s = row << slabShift;
    const base = slabs[s + BASE] as number;
    const size = cacheRows[(slabs[s + CACHE] as number) << cacheShift] as number;
    const start = (slabs[s + PFN] as number) * pageSize;
    let object = slabs[s + FREE] as number;
    let got = 0;
    for (; got < want && object !== noObject; got++) {
      into[at + got] = start + object * size;
      const next = links[base + object] as number;
      links[base + object] = handedOut;
      object = next;
    }
    slabs[s + FREE] = object;
    slabs[s + INUSE] = (slabs[s + INUSE] as number) + got;
    return got;
  };

  /** __refill_objects_node(): slabs from the head of a node's list until `want` is reached; what is left of the last goes to the tail. */
  const refillFromNode = (cache: number, node: number, want: number, into: Float64Array, at: number): number => {
    let got = 0;
    for (let row = nodeRows[((cache * nodes + node) << 3) + N_HEAD] as number; row !== none && got < want; ) {
      const next = slabs[(row << slabShift) + NEXT] as number;
      // A filled sheaf is for anybody: slabs of the emergency reserve stay where they are.
      if (slabs[(row << slabShift) + RESERVE] === 0) {
        columns.removePartial(row);
        got += takeObjects(row, want - got, into, at + got);
        if (slabs[(row << slabShift) + FREE] !== noObject) columns.addPartial(row, true);
      }
      row = next;
    }
    return got;
  };

  /** alloc_from_new_slab(): what is not taken of a new slab is its freelist, and the slab goes to the head of its node's list. */
  const takeFromNewSlab = (cache: number, gfp: number, want: number, into: Float64Array, at: number): number => {
    const row = columns.newSlab(cache, gfp);
    if (row === none) return 0;
    const got = takeObjects(row, want, into, at);
    if (slabs[(row << slabShift) + FREE] !== noObject) columns.addPartial(row, false);
    return got;
  };

  /** refill_objects(): `want` objects into `into[at..]`; how many there were. */
  const refillObjects = (cache: number, gfp: number, want: number, into: Float64Array, at: number): number => {
    const own = ownNode();
    let got = refillFromNode(cache, own, want, into, at);
    const min = cacheRows[(cache << cacheShift) + MIN_PARTIAL] as number;
    for (let node = 0; node < nodes && got < want; node++)
      if (node !== own && columns.partials(cache, node) > min)
        got += refillFromNode(cache, node, want - got, into, at + got);
    while (got < want) {
      const more = takeFromNewSlab(cache, gfp, want - got, into, at + got);
      if (more === 0) break;
      got += more;
    }
    return got;
  };

  /** ___slab_alloc(): one object straight from the node's first slab or a new one, past the sheaves. */
  const allocFromSlab = (cache: number, gfp: number): number => {
    const reserveAllowed = memalloc !== 0 && (gfp & memalloc) !== 0;
    const own = ownNode();
    for (let i = 0; i < nodes; i++) {
      const node = (own + i) % nodes;
      if (node !== own && columns.partials(cache, node) <= (cacheRows[(cache << cacheShift) + MIN_PARTIAL] as number))
        continue;
      let row = nodeRows[((cache * nodes + node) << 3) + N_HEAD] as number;
      while (row !== none && slabs[(row << slabShift) + RESERVE] === 1 && !reserveAllowed)
        row = slabs[(row << slabShift) + NEXT] as number;
      if (row === none) continue;
      takeObjects(row, 1, one, 0);
      if (slabs[(row << slabShift) + FREE] === noObject) columns.removePartial(row);
      return one[0] as number;
    }
    return takeFromNewSlab(cache, gfp, 1, one, 0) === 0 ? -1 : (one[0] as number);
  };
  const one = new Float64Array(1);

  return { slabFree, refillObjects, allocFromSlab };
}
