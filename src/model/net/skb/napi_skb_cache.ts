// napi_alloc_cache.skb_cache: the spare sk_buff objects of each CPU, taken and given back in bulk in polls.
// napi_skb_cache_get(), napi_skb_cache_put(), net/core/skbuff.c, 5.12 to 6.1.192; older kernels have none, and `keeps` is false.
import type { Journal } from "../../journal.ts";
import type { Heap } from "../../slab/heap.ts";

/** NAPI_SKB_CACHE_SIZE, NAPI_SKB_CACHE_BULK. */
const sizeMax = 64;
const bulk = 16;

export interface NapiSkbCache {
  /** An sk_buff object of this CPU's spares, refilled by a bulk when there is none; -1 without memory. */
  get(): number;
  /** Keeps the object; a full cache gives half of itself back. */
  put(address: number): void;
}

export function createNapiSkbCache(
  heap: Heap,
  skbCache: number,
  atomic: number,
  keeps: boolean,
  journal: Journal | undefined,
): NapiSkbCache {
  const spare: { count: number; readonly at: Float64Array }[] = [];
  const spareNow = (): { count: number; readonly at: Float64Array } =>
    (spare[journal?.cpu ?? 0] ??= { count: 0, at: new Float64Array(sizeMax) });

  const refill = (cache: { count: number; readonly at: Float64Array }): void => {
    if (heap.cacheAllocBulk !== undefined) {
      cache.count = heap.cacheAllocBulk(skbCache, atomic, cache.at, 0, bulk);
      return;
    }
    for (; cache.count < bulk; cache.count++) {
      const address = heap.cacheAlloc(skbCache, atomic);
      if (address < 0) break;
      cache.at[cache.count] = address;
    }
  };

  return {
    get() {
      const cache = spareNow();
      if (cache.count === 0) refill(cache);
      return cache.count === 0 ? -1 : cache.at[--cache.count]!;
    },
    put(address) {
      if (!keeps) {
        heap.cacheFree(skbCache, address);
        return;
      }
      const cache = spareNow();
      cache.at[cache.count++] = address;
      if (cache.count < sizeMax) return;
      for (; cache.count > sizeMax / 2; cache.count--) heap.cacheFree(skbCache, cache.at[cache.count - 1]!);
    },
  };
}
