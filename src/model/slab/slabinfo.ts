// The heap observed as /proc/slabinfo: the same Reading that the kernel's text is read into.

import { slabCpuLimits } from "../../kernel/facts/slab.ts";
import type { SlabInfo, SlabInfoCache } from "../../kernel/readings/slabinfo.ts";
import { factAt } from "../../kernel/release.ts";
import type { SlabHeap } from "./kmalloc.ts";

const columns =
  "# name            <active_objs> <num_objs> <objsize> <objperslab> <pagesperslab> : tunables <limit> <batchcount> <sharedfactor> : slabdata <active_slabs> <num_slabs> <sharedavail>";

/** slabinfo_show() / get_slabinfo(): newest cache first, as the kernel's list of caches is. */
export function observeSlabInfo(heap: SlabHeap): SlabInfo {
  const slab = heap.kmallocTable.machine.allocator === "slab";
  const caches = heap.caches().map(({ name, geometry: g, counts }): SlabInfoCache => {
    const limit = slab ? (slabCpuLimits.find(([above]) => g.size > above)?.[1] ?? 120) : 0;
    return {
      name,
      activeObjects: counts.active,
      objects: counts.objects,
      objectBytes: g.size,
      objectsPerSlab: g.objects,
      pagesPerSlab: 2 ** g.order,
      // SLUB counts every slab as active.
      activeSlabs: counts.slabs,
      slabs: counts.slabs,
      tunables: [limit, (limit + 1) >> 1, 0],
      sharedAvailable: 0,
    };
  });
  return {
    kind: "slabinfo",
    version: factAt(slabInfoVersion, heap.kmallocTable.machine.release.version)?.value ?? "2.0",
    header: columns,
    caches: caches.reverse(),
  };
}

const slabInfoVersion = [
  { since: [2, 6], value: "2.0", source: "mm/slab.c, 2.6.9" },
  { since: [2, 6, 14], value: "2.1", source: "mm/slab.c, 2.6.24; mm/slab_common.c, 6.1" },
];
