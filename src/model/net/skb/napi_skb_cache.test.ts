// napi_skb_cache_get() and napi_skb_cache_put(), net/core/skbuff.c, 6.1.192: 64 spares, taken 16 at a time, given back 32 at a time.
import { expect, test } from "vitest";
import { createNaivePages } from "../../mm/pages.ts";
import type { Heap } from "../../slab/heap.ts";
import { createNaiveHeap } from "./naive_heap.ts";
import { createNapiSkbCache } from "./napi_skb_cache.ts";

function lab(keeps: boolean) {
  const inner = createNaiveHeap({ pages: createNaivePages(64, 16) });
  let live = 0;
  const heap: Heap = {
    ...inner,
    cacheAlloc(cache, gfp) {
      live++;
      return inner.cacheAlloc(cache, gfp);
    },
    cacheFree(cache, address) {
      live--;
      inner.cacheFree(cache, address);
    },
  };
  const cache = heap.cacheCreate("skbuff_head_cache", 232, 64);
  return { spares: createNapiSkbCache(heap, cache, 0xa20, keeps, undefined), live: () => live };
}

test("the first get takes 16 objects, the 64th put gives 32 of them back", () => {
  const { spares, live } = lab(true);
  const held = [spares.get()];
  expect(live()).toBe(16);
  for (let i = 0; i < 79; i++) held.push(spares.get());
  expect(live()).toBe(80);
  const after = held.map((address) => {
    spares.put(address);
    return live();
  });
  expect([after[62], after[63], after[79]]).toEqual([80, 48, 48]);
});

test("a kernel that keeps none gives each object back at once", () => {
  const { spares, live } = lab(false);
  const address = spares.get();
  const before = live();
  spares.put(address);
  expect(live()).toBe(before - 1);
});
