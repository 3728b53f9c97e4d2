// The pool of KFENCE: pages that look like slabs and are none. Every second page of it carries the mark of a slab and holds one object or none,
// the pages between them are guards (kfence_init_pool, mm/kfence/core.c of 5.12 to 7.2).
import { ifThere } from "../address_space.ts";
import { type Kernel, pfnOfAddress } from "../kernel.ts";
import type { MemMap } from "../mm/mem_map.ts";
import { pageKind } from "../mm/page_kinds.ts";

/** Frames of the pool that are marked as slabs; none where KFENCE is not on. */
export function fencedFrames(kernel: Kernel, map: MemMap): ReadonlySet<number> {
  const variable = kernel.symbols.address("__kfence_pool");
  const pool = variable === undefined ? 0n : (ifThere(() => kernel.space.u64(variable)) ?? 0n);
  const first = pool === 0n ? undefined : pfnOfAddress(kernel, pool);
  const frames = new Set<number>();
  if (first === undefined) return frames;
  // How many objects the pool has is a constant of the kernel's configuration: the pages tell.
  for (let pfn = first + 2; pfn + 1 < map.endPfn; pfn += 2) {
    if (map.kind[pfn] !== pageKind.slab || map.kind[pfn + 1] === pageKind.slab) break;
    frames.add(pfn);
  }
  return frames;
}
