// The sk_buffs that a CPU keeps: net/core/skbuff.c of 3.13 (none), 5.10.223 (_kfree_skb_defer), 6.1.192 and 6.12.117 (napi_skb_cache_get,
// napi_skb_cache_put), 7.2.12 (__alloc_skb, NAPI_SKB_CACHE_*).
import { describe, expect, test } from "vitest";
import { parseRelease } from "../../../../kernel/release.ts";
import { skbPartsOf } from "../../../kernels/skb_parts.ts";
import { createNaivePages } from "../../../mm/pages.ts";
import type { Heap } from "../../../slab/heap.ts";
import { createNaiveHeap } from "../naive_heap.ts";
import type { SkbSpares } from "../skb_config.ts";
import { skbConfigOf } from "../skb_config.ts";
import { skbSizes61 } from "../skb_config61.ts";

interface Lab {
  readonly spares: SkbSpares;
  /** Objects that the slab has handed out. */
  live(): number;
}

function lab(release: string): Lab {
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
  const config = skbConfigOf(skbPartsOf(parseRelease(release)), skbSizes61);
  const cache = heap.cacheCreate("skbuff_head_cache", 232, 64);
  return { spares: config.spares.create(heap, cache, config, undefined), live: () => live };
}

/** Objects of the slab after each of `n` puts of objects that were taken one by one. */
function puts({ spares, live }: Lab, n: number): number[] {
  const held = Array.from({ length: n }, () => spares.takeInPoll());
  return held.map((object) => {
    spares.put(object);
    return live();
  });
}

describe("taken and given back", () => {
  test("6.1.192 takes 16 at once, and gives 32 back with the 64th", () => {
    const at = lab("6.1.192");
    at.spares.takeInPoll();
    expect([at.live(), at.spares.kept()]).toEqual([16, 15]);
    const after = puts(at, 79);
    expect([after[62], after[63], after[78]]).toEqual([80, 48, 48]);
  });

  test("7.2.12 takes 32 at once, and gives 32 back with the 128th", () => {
    const at = lab("7.2.12");
    at.spares.takeInPoll();
    expect([at.live(), at.spares.kept()]).toEqual([32, 31]);
    const after = puts(at, 128);
    expect([after[95], after[96], after[127]]).toEqual([160, 128, 128]);
  });

  test("5.10.223 takes none and gives 64 back with the 64th", () => {
    const at = lab("5.10.223");
    at.spares.takeInPoll();
    expect([at.live(), at.spares.kept()]).toEqual([1, 0]);
    const after = puts(at, 64);
    expect([after[62], after[63], at.spares.kept()]).toEqual([65, 1, 0]);
  });

  test("3.13 keeps none: each object goes back at once", () => {
    expect(puts(lab("3.13"), 3)).toEqual([2, 1, 0]);
  });
});

describe("who looks at the spares", () => {
  /** Objects that a request took from the slab while the CPU kept one. */
  const askedOfSlab = (release: string, poll: boolean): number => {
    const at = lab(release);
    at.spares.put(at.spares.takeInPoll());
    const before = at.live();
    at.spares.take(0xcc0, poll);
    return at.live() - before;
  };
  test.each([
    ["3.13", 1, 1],
    ["5.10.223", 1, 1],
    ["6.1.192", 0, 1],
    ["6.12.117", 0, 1],
    ["7.2.12", 0, 0],
  ])("%s: a poll takes %i from the slab, others %i", (release, poll, others) => {
    expect([askedOfSlab(release, true), askedOfSlab(release, false)]).toEqual([poll, others]);
  });

  test("7.2.12: outside polls an empty stack is not refilled", () => {
    const at = lab("7.2.12");
    at.spares.take(0xcc0, false);
    expect([at.live(), at.spares.kept()]).toEqual([1, 0]);
  });
});
