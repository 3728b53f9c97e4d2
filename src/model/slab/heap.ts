// What net and the drivers see of the slab allocator: kmalloc by size, caches by name. kmalloc.ts provides it (createHeap).
// An object's address is a plain number: pfn * pageSize + offset. -1 is "no memory", a kernel outcome.

/** Ownership: whoever allocated an object (or was handed it) frees it, once. */
export interface Heap {
  /** Bytes in a page of this machine. */
  readonly pageSize: number;
  /** kmalloc(): address of at least `size` bytes, or -1. Above the largest cache it is kmalloc_large: whole pages. */
  kmalloc(size: number, gfp: number): number;
  /** kfree(). */
  kfree(address: number): void;
  /** ksize(): usable bytes of the object at `address`. */
  ksize(address: number): number;
  /** kmalloc_size_roundup(): the bytes that a kmalloc of `size` really gives. */
  kmallocSizeRoundup(size: number): number;
  /** The id of a named cache (skbuff_head_cache, …), created on first use with `size` bytes an object and `align` (0: the default). */
  cacheCreate(name: string, size: number, align: number): number;
  /** kmem_cache_alloc(): address or -1. */
  cacheAlloc(cache: number, gfp: number): number;
  /** kmem_cache_alloc_bulk(): fills `into[from..to)` and says how many: all of them, or 0 without memory. The kernel announces none of them. */
  cacheAllocBulk?(cache: number, gfp: number, into: Float64Array, from: number, to: number): number;
  /** kmem_cache_free_bulk() of `addresses[from..to)`, whose order it may change. */
  cacheFreeBulk?(cache: number, addresses: Float64Array, from: number, to: number): void;
  /** kmem_cache_free(). */
  cacheFree(cache: number, address: number): void;
}
