// SLUB with frozen partial chains (3.2 .. 6.7): a slab on a CPU's chain is marked as taken, and frees into it only change its freelist.
//
//   CPU 0   chain: D -> E        D and E are frozen; the head remembers how long the chain is
//   node    partial: F -> G      not frozen
import type { ChainCount } from "./chain_count.ts";
import type { CpuListsMaker } from "./lists.ts";
import { cacheField, cpuField, mark, nodeField, slabField } from "./shape.ts";

const { CACHE, INUSE, OBJECTS, FROZEN, FREE, NEXT, CHAIN, BASE, RESERVE } = slabField;
const { CPU_PARTIAL } = cacheField;
const { C_PARTIAL } = cpuField;
const { N_HEAD } = nodeField;
const { none, noObject, slabShift, cacheShift } = mark;

/** mm/slub.c 5.10.223 (`unit`: objects) and 6.1.192 (slabs). */
export function listsFrozen(unit: ChainCount): CpuListsMaker {
  return (columns, cpuRows) => {
    const { nodeRows, cacheRows, nodes, addPartial, removePartial, discard, tooMany } = columns;
    let slabs = columns.slabs;
    let links = columns.links;
    columns.whenMoved(() => {
      slabs = columns.slabs;
      links = columns.links;
    });

    /** unfreeze_partials(): the whole chain, in its order, to the tail of the node's list. */
    const putBack = (chain: number): void => {
      let doomed = none;
      for (let row = chain; row !== none; ) {
        const s = row << slabShift;
        const next = slabs[s + NEXT] as number;
        slabs[s + FROZEN] = 0;
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

    /** put_cpu_partial(): the slab becomes the head of the CPU's chain; a full chain goes to the node first when `drain`. */
    const put = (k: number, row: number, limit: number, drain: boolean): void => {
      const s = row << slabShift;
      let old = cpuRows[k + C_PARTIAL] as number;
      let full = none;
      let held = 0;
      if (old !== none) {
        held = slabs[(old << slabShift) + CHAIN] as number;
        if (drain && unit.full(held, limit)) {
          full = old;
          old = none;
          held = 0;
        }
      }
      slabs[s + FROZEN] = 1;
      slabs[s + CHAIN] = held + unit.adds((slabs[s + OBJECTS] as number) - (slabs[s + INUSE] as number));
      slabs[s + NEXT] = old;
      cpuRows[k + C_PARTIAL] = row;
      if (full !== none) putBack(full);
    };

    const limitOf = (cache: number): number => cacheRows[(cache << cacheShift) + CPU_PARTIAL] as number;

    return {
      limit: unit.limit,
      putBack,
      take(cache, node, k, reserveAllowed) {
        const limit = limitOf(cache);
        let found = none;
        let more = 0;
        let available = 0;
        for (let row = nodeRows[((cache * nodes + node) << 3) + N_HEAD] as number; row !== none; ) {
          const s = row << slabShift;
          const next = slabs[s + NEXT] as number;
          if (slabs[s + RESERVE] === 0 || reserveAllowed) {
            removePartial(row);
            available += (slabs[s + OBJECTS] as number) - (slabs[s + INUSE] as number);
            if (found === none) found = row;
            else {
              put(k, row, limit, false);
              more++;
            }
            if (limit === 0 || unit.enough(more, available, limit)) break;
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
        if (prior === noObject && limit > 0) put(k, row, limit, true);
        else if (slabs[s + INUSE] === 0 && tooMany(row)) {
          if (prior !== noObject) removePartial(row);
          discard(row);
        } else if (prior === noObject) addPartial(row, true);
      },
    };
  };
}
