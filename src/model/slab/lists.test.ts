// Which slab is next: the ends of lists, the limits and the order in which slabs leave. mm/slub.c 6.1 and mm/slab.c 2.6.24.
import { describe, expect, test } from "vitest";
import { world } from "./heap.testkit.ts";
import type { CpuSlabs } from "./slub/shape.ts";

/** Objects of a slab of one page. */
const OBJECTS = 16;
const SIZE = 256;
const pfnOf = (address: number): number => Math.floor(address / 4096);

describe("SLUB, 6.1", () => {
  /** `slabs` full slabs of 16, as the addresses of their objects; the last one is CPU 0's. */
  const fill = (slabs: number) => {
    const w = world("6.1", { cpus: 1 });
    const cache = w.heap.cacheCreate("test", SIZE, 0);
    const full = Array.from({ length: slabs }, () =>
      Array.from({ length: OBJECTS }, () => w.heap.cacheAlloc(cache, 0)),
    );
    const free = (objects: readonly number[] = []): void => {
      for (const address of objects) w.heap.cacheFree(cache, address);
    };
    return { ...w, cache, full, free, slub: w.heap.engine as CpuSlabs };
  };

  test("__kmem_cache_do_shrink() frees empty slabs from the far end of the partial list", () => {
    const { heap, pages, cache, full, free, slub } = fill(4);
    for (const objects of full.slice(0, 3)) free(objects);
    const [a, b, c] = full.map((objects) => pfnOf(objects[0] as number));
    // The CPU's chain has the slab that came last in front; the shrink sends it to the node in this order, then empties the list.
    expect(slub.view(cache).cpus[0]?.partial.map((s) => s.pfn)).toEqual([c, b, a]);
    heap.shrink(cache);
    expect(pages.freed).toEqual([a, b, c]);
  });

  test("__kmem_cache_do_shrink() puts the fullest slab first, and equally full ones in reversed order", () => {
    const { heap, cache, full, free, slub } = fill(5);
    free(full[0]?.slice(0, 8));
    free(full[1]?.slice(0, 2));
    free(full[2]?.slice(0, 2));
    free(full[3]?.slice(0, 12));
    heap.shrink(cache);
    const [a, b, c, d] = full.map((objects) => pfnOf(objects[0] as number));
    expect(slub.view(cache).nodes[0]?.partial.map((s) => s.pfn)).toEqual([b, c, a, d]);
  });

  test.each([
    [5, false],
    [6, true],
  ])(
    "get_any_partial() with %i partial slabs on the other node, min_partial 5: takes one of them %s",
    (slabs, takes) => {
      const nodeOfPfn = (pfn: number): number => (pfn < 64 + slabs ? 0 : 1);
      const w = world("6.1", { cpus: 2, nodes: 2, nodeOfCpu: (cpu) => cpu }, () => false, nodeOfPfn);
      const cache = w.heap.cacheCreate("test", SIZE, 0);
      const slub = w.heap.engine as CpuSlabs;
      const held = Array.from({ length: slabs * OBJECTS }, () => w.heap.cacheAlloc(cache, 0));
      for (let i = 0; i < held.length; i += OBJECTS) w.heap.cacheFree(cache, held[i] as number);
      w.heap.shrink(cache);
      expect(slub.view(cache).nodes.map((n) => n.partial.length)).toEqual([slabs, 0]);
      w.journal.cpu = 1;
      const got = pfnOf(w.heap.cacheAlloc(cache, 0));
      expect(nodeOfPfn(got)).toBe(takes ? 0 : 1);
    },
  );
});

describe("SLAB, 2.6.24", () => {
  const make = (cpus: number) => {
    const w = world("2.6.24", { cpus, allocator: "slab" });
    const cache = w.heap.cacheCreate("test", SIZE - 32, 0);
    const counts = () => w.heap.engine.counts(cache);
    const take = (n: number): number[] => Array.from({ length: n }, () => w.heap.cacheAlloc(cache, 0));
    const perSlab = (): number => counts().objects / counts().slabs;
    return { ...w, cache, counts, take, perSlab };
  };
  /** Objects of up to 256 bytes: 120 on a CPU's stack, moved by 60. */
  const LIMIT = 120;
  const BATCH = 60;

  test("__cache_free(): 120 objects stay with the CPU, the one after them sends the oldest 60 back", () => {
    const { heap, cache, counts, take } = make(1);
    const held = take(600);
    const active = counts().active;
    const room = LIMIT - (active - held.length);
    for (const address of held.slice(0, room)) heap.cacheFree(cache, address);
    expect(counts().active).toBe(active);
    heap.cacheFree(cache, held[room] as number);
    expect(counts().active).toBe(active - BATCH);
  });

  test.each([1, 2, 4])("free_limit on %i CPUs: a batch for each and one more, and a slab, stay free", (cpus) => {
    const { heap, cache, counts, take, perSlab } = make(cpus);
    const held = take(1200);
    for (const address of held) heap.cacheFree(cache, address);
    const limit = (1 + cpus) * BATCH + perSlab();
    const free = counts().objects - counts().active;
    // Slabs leave whole, and those that are still in part used do not count.
    expect(Math.abs(free - limit)).toBeLessThan(perSlab());
  });

  test("free_block() sends a slab to the tail of the partial list: it is used last", () => {
    const { heap, cache, take, perSlab } = make(1);
    take(1);
    const n = perSlab();
    const held = take(20 * n);
    heap.shrink(cache);
    const slabs = new Map<number, number[]>();
    for (const address of held) slabs.set(pfnOf(address), [...(slabs.get(pfnOf(address)) ?? []), address]);
    const [first, second] = [...slabs.values()].filter((objects) => objects.length === n);
    // One object of each comes back, in this order.
    heap.cacheFree(cache, first?.[0] as number);
    heap.cacheFree(cache, second?.[0] as number);
    heap.shrink(cache);
    const [next] = take(2).map(pfnOf).reverse();
    expect(next).toBe(pfnOf(first?.[0] as number));
  });
});
