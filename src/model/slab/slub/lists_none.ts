// SLUB without per-CPU chains (2.6.22 .. 3.1): what is not a CPU's own slab is on its node's list or full.
import type { SlabColumns } from "./columns.ts";
import type { CpuListsMaker } from "./lists.ts";
import { mark, nodeField, slabField } from "./shape.ts";

const { INUSE, FROZEN, FREE, NEXT, BASE, RESERVE } = slabField;
const { N_HEAD } = nodeField;
const { none, noObject, slabShift } = mark;

/** The first slab of a node's list that the caller may have; -1 without one. */
function firstAllowed(columns: SlabColumns, cache: number, node: number, reserveAllowed: boolean): number {
  const { slabs, nodeRows, nodes } = columns;
  let row = nodeRows[((cache * nodes + node) << 3) + N_HEAD] as number;
  while (row !== none && slabs[(row << slabShift) + RESERVE] === 1 && !reserveAllowed)
    row = slabs[(row << slabShift) + NEXT] as number;
  return row;
}

/** `keepsEmptied`: an emptied slab stays while its node has few (since 3.1); before, it always goes back (mm/slub.c 2.6.24, 2.6.32). */
export function listsNone(keepsEmptied: boolean): CpuListsMaker {
  return (columns) => {
    const { addPartial, removePartial, discard, tooMany } = columns;
    let slabs = columns.slabs;
    let links = columns.links;
    columns.whenMoved(() => {
      slabs = columns.slabs;
      links = columns.links;
    });
    return {
      limit: () => 0,
      take(cache, node, _k, reserveAllowed) {
        const row = firstAllowed(columns, cache, node, reserveAllowed);
        if (row !== none) removePartial(row);
        return row;
      },
      free(row, head, tail, count) {
        const s = row << slabShift;
        const prior = slabs[s + FREE] as number;
        links[(slabs[s + BASE] as number) + tail] = prior;
        slabs[s + FREE] = head;
        slabs[s + INUSE] = (slabs[s + INUSE] as number) - count;
        if (slabs[s + FROZEN] === 1) return;
        if (slabs[s + INUSE] === 0 && (!keepsEmptied || tooMany(row))) {
          if (prior !== noObject) removePartial(row);
          discard(row);
        } else if (prior === noObject) addPartial(row, true);
      },
      putBack() {},
    };
  };
}
