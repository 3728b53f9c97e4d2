// SLUB with plain partial chains (6.8 .. 6.17): only the slab a CPU works on is frozen. A slab on a chain keeps its freelist and its count
// as they are; that it is not on its node's list is all that tells it from one that is.
//
//   CPU 0   chain: D -> E        not frozen and not on a node's list: frees into them change nothing else, even when they empty
//   node    partial: F -> G      not frozen and on the list
import { countSlabs } from "./chain_count.ts";
import type { CpuListsMaker } from "./lists.ts";
import { cacheField, cpuField, mark, nodeField, slabField } from "./shape.ts";

const { CACHE, INUSE, FROZEN, FREE, NEXT, CHAIN, BASE, RESERVE, LISTED } = slabField;
const { CPU_PARTIAL } = cacheField;
const { C_PARTIAL } = cpuField;
const { N_HEAD } = nodeField;
const { none, noObject, slabShift, cacheShift } = mark;

/** mm/slub.c 6.12.117. */
export const listsPlain: CpuListsMaker = (columns, cpuRows) => {
  const { nodeRows, cacheRows, nodes, addPartial, removePartial, discard, tooMany } = columns;
  let slabs = columns.slabs;
  let links = columns.links;
  columns.whenMoved(() => {
    slabs = columns.slabs;
    links = columns.links;
  });

  /** __put_partials(): the whole chain, in its order, to the tail of the node's list. */
  const putBack = (chain: number): void => {
    let doomed = none;
    for (let row = chain; row !== none; ) {
      const s = row << slabShift;
      const next = slabs[s + NEXT] as number;
      if (slabs[s + INUSE] === 0 && tooMany(row)) {
        slabs[s + NEXT] = doomed;
        doomed = row;
      } else addPartial(row, true);
      row = next;
    }
    while (doomed !== none) {
      const next = slabs[(doomed << slabShift) + NEXT] as number;
      discard(doomed);
      doomed = next;
    }
  };

  /** put_cpu_partial(): the slab becomes the head of the CPU's chain; a full chain goes to the node afterwards when `drain`. */
  const put = (k: number, row: number, limit: number, drain: boolean): void => {
    const s = row << slabShift;
    const old = cpuRows[k + C_PARTIAL] as number;
    const held = old === none ? 0 : (slabs[(old << slabShift) + CHAIN] as number);
    const leaves = drain && old !== none && countSlabs.full(held, limit);
    slabs[s + CHAIN] = leaves ? 1 : held + 1;
    slabs[s + NEXT] = leaves ? none : old;
    cpuRows[k + C_PARTIAL] = row;
    if (leaves) putBack(old);
  };

  const limitOf = (cache: number): number => cacheRows[(cache << cacheShift) + CPU_PARTIAL] as number;

  return {
    limit: countSlabs.limit,
    putBack,
    take(cache, node, k, reserveAllowed) {
      const limit = limitOf(cache);
      let found = none;
      let more = 0;
      for (let row = nodeRows[((cache * nodes + node) << 3) + N_HEAD] as number; row !== none; ) {
        const s = row << slabShift;
        const next = slabs[s + NEXT] as number;
        if (slabs[s + RESERVE] === 0 || reserveAllowed) {
          removePartial(row);
          if (found === none) {
            found = row;
            if (limit === 0) break;
          } else {
            put(k, row, limit, false);
            if (countSlabs.enough(++more, 0, limit)) break;
          }
        }
        row = next;
      }
      return found;
    },
    free(row, head, tail, count, k) {
      const s = row << slabShift;
      const prior = slabs[s + FREE] as number;
      links[(slabs[s + BASE] as number) + tail] = prior;
      slabs[s + FREE] = head;
      slabs[s + INUSE] = (slabs[s + INUSE] as number) - count;
      if (slabs[s + FROZEN] === 1) return;
      const limit = limitOf(slabs[s + CACHE] as number);
      if (prior === noObject && limit > 0) {
        put(k, row, limit, true);
        return;
      }
      // It had free objects and is on no node's list: it is on some CPU's chain.
      if (prior !== noObject && slabs[s + LISTED] === 0) return;
      if (slabs[s + INUSE] === 0 && tooMany(row)) {
        if (prior !== noObject) removePartial(row);
        discard(row);
      } else if (prior === noObject) addPartial(row, true);
    },
  };
};
