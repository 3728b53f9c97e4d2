// Dated facts of mm/vmalloc.c: what one mapping costs in small objects, on 64 bits.
import type { Fact } from "../release.ts";

/** sizeof(struct vm_struct), bytes. */
export const vmStructBytes: readonly Fact<number>[] = [
  { since: [2, 6, 9], value: 64, source: "kmalloc of __get_vm_area_node() in traces of 6.1.192", read: "tree" },
  {
    since: [6, 15],
    stable: { "6.12": 117 },
    value: 72,
    source: "the same in traces of 6.12.117: requested_size was added; first release from history",
    read: "history",
  },
];

/** sizeof(struct vmap_area), bytes. */
export const vmapAreaBytes: readonly Fact<number>[] = [
  { since: [2, 6, 28], value: 64, source: "cache vmap_area in traces of 6.1.192", read: "tree" },
  { since: [6, 5], value: 72, source: "the same in traces of 6.12.117; first release from history", read: "history" },
];
