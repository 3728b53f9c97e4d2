// Objects of caches that are poisoned (slub_debug=P): a free one holds 0x6b in every byte and 0xa5 in the last (include/linux/poison.h and
// init_object() in mm/slub.c of 6.1 to 7.2). Another byte was written after the object was freed.
import type { Kernel } from "../kernel.ts";

const freed = 0x6b;
const end = 0xa5;

/** The bit of kmem_cache.flags that says that free objects are poisoned; named in BTF since 6.9, a macro before (6.1). */
export function poisonBit(kernel: Kernel): number {
  const bit = kernel.types.constant("_slab_flag_bits", "_SLAB_OBJECT_POISON");
  return bit === undefined ? 0x80000000 : 2 ** bit;
}

/** True when free objects of a cache with these flags are poisoned. */
export const isPoisoned = (flags: number, bit: number): boolean => Math.floor((flags >>> 0) / bit) % 2 === 1;

/** Index of the first byte that is not as poison left it; undefined when all are. */
export function firstWritten(object: Uint8Array): number | undefined {
  const last = object.length - 1;
  for (let i = 0; i < last; i++) if (object[i] !== freed) return i;
  return last >= 0 && object[last] !== end ? last : undefined;
}
