// Heads since 6.3: what fits an object of skbuff_small_head comes from that cache, larger ones fill their kmalloc object as before
// (net/core/skbuff.c kmalloc_reserve, 6.12.117, 7.2.12).
//
//      | data, aligned, to 384 | shared info |        704 bytes: kmalloc would have given 512 or 1024
//
// Requests that are not kmalloc's ordinary ones (for DMA) keep to kmalloc. kfree() takes objects of both.
import { assert } from "../../../../base/assert.ts";
import type { Heap } from "../../../slab/heap.ts";
import type { HeadStore, HeadsPart, SkbConfig } from "../skb_config.ts";
import { kmallocHeads } from "./kmalloc_heads.ts";
import { alignedInfo, wholeTruesize } from "./whole_object.ts";

export const headsSmallCache: HeadsPart = {
  name: "small heads from a cache of their own, others fill their object",
  sharedInfoRoom: alignedInfo,
  truesize: wholeTruesize,
  create: createHeads,
};

function createHeads(heap: Heap, config: SkbConfig): HeadStore {
  const { gfp, cacheLineBytes, smallHeadBytes } = config;
  const infoRoom = alignedInfo(config);
  assert(
    smallHeadBytes > infoRoom,
    () => `an object of ${smallHeadBytes} bytes for small heads does not hold ${infoRoom} bytes of shared info`,
  );
  const kmalloc = kmallocHeads(heap, config, infoRoom, heap.kmallocSizeRoundup);
  const cache = heap.cacheCreate("skbuff_small_head", smallHeadBytes, cacheLineBytes);
  // SKB_HEAD_ALIGN(size) <= SKB_SMALL_HEAD_CACHE_SIZE
  const fitsSmall = (smallHeadBytes - infoRoom) & ~(cacheLineBytes - 1);
  const quietGfp = gfp.nomemalloc | gfp.nowarn;
  // What kmalloc gave last, or the cache.
  const { given } = kmalloc;

  return {
    reserve(size, mask) {
      if (size > fitsSmall || (mask & gfp.dma) !== 0) return kmalloc.reserve(size, mask);
      given.bytes = smallHeadBytes;
      given.fromReserve = false;
      const quiet = heap.cacheAlloc(cache, mask | quietGfp);
      if (quiet >= 0 || (mask & gfp.memalloc) === 0 || (mask & gfp.nomemalloc) !== 0) return quiet;
      given.fromReserve = true;
      return heap.cacheAlloc(cache, mask);
    },
    given,
  };
}
