// Frees of many objects at once (mm/slub.c build_detached_freelist()): from the end of the array, the objects of one slab are gathered into one
// list, past at most two others, and freed in one step. What stays of the array keeps its order where objects are marked, and changes it where
// they are swapped to its end; so the slabs that follow are met in another order.
import type { SlabColumns } from "./columns.ts";
import { mark, slabField } from "./shape.ts";

const { BASE } = slabField;
const { slabShift, none } = mark;

/** What a gathered list is handed to: objects `head` .. `tail` of slab `row`, linked. */
type FreeList = (row: number, head: number, tail: number, count: number) => void;

/** Objects that are passed over in the search for more of the same slab: the third ends it. */
const lookAhead = 3;

/** Frees `addresses[from..to)`, from the end on; what is in the array afterwards has no meaning. */
export type FreeDetached = (
  columns: SlabColumns,
  addresses: Float64Array,
  from: number,
  to: number,
  free: FreeList,
) => void;

const taken = -1;

/** kmem_cache_free_bulk() that marks in the array what it has taken, and begins again behind the first object it passed over (5.10.265). */
export const freeDetachedMarking: FreeDetached = (columns, addresses, from, to, free) => {
  for (let size = to; size > from; ) {
    let last = taken;
    while (size > from && last === taken) last = addresses[--size] as number;
    if (last === taken) return;
    const row = columns.rowAt(last);
    const base = columns.slabs[(row << slabShift) + BASE] as number;
    const tail = columns.objectAt(row, last);
    let head = tail;
    let count = 1;
    let passed = 0;
    let next = from;
    while (size > from) {
      const address = addresses[--size] as number;
      if (address === taken) continue;
      if (columns.rowAt(address) === row) {
        const object = columns.objectAt(row, address);
        columns.links[base + object] = head;
        head = object;
        count++;
        addresses[size] = taken;
        continue;
      }
      if (++passed === lookAhead) break;
      if (next === from) next = size + 1;
    }
    if (row !== none) free(row, head, tail, count);
    size = next;
  }
};

/** __kmem_cache_free_bulk() that swaps what it takes to the array's end (6.1.192 .. 7.2.12). */
export function freeDetached(
  columns: SlabColumns,
  addresses: Float64Array,
  from: number,
  to: number,
  free: FreeList,
): void {
  for (let size = to; size > from; ) {
    const last = addresses[--size] as number;
    const row = columns.rowAt(last);
    const base = columns.slabs[(row << slabShift) + BASE] as number;
    const tail = columns.objectAt(row, last);
    let head = tail;
    let count = 1;
    let same = size;
    let passed = 0;
    while (size > from) {
      const address = addresses[--size] as number;
      if (columns.rowAt(address) !== row) {
        if (++passed === lookAhead) break;
        continue;
      }
      const object = columns.objectAt(row, address);
      columns.links[base + object] = head;
      head = object;
      count++;
      same--;
      if (size !== same) {
        addresses[size] = addresses[same] as number;
        addresses[same] = address;
      }
    }
    if (row !== none) free(row, head, tail, count);
    size = same;
  }
}

/** Turns the list of objects `head` .. `tail` of the slab whose links begin at `base`: `tail` is its first then. */
export function reverse(links: Uint16Array, base: number, head: number, tail: number): void {
  let behind = head;
  for (let object = head; object !== tail; ) {
    const next = links[base + object] as number;
    links[base + object] = behind;
    behind = object;
    object = next;
  }
  links[base + tail] = behind;
}
