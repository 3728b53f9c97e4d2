import { describe, expect, test } from "vitest";
import { ModelBug } from "../../base/assert.ts";
import { prng } from "../../base/prng.ts";
import { parseRelease } from "../../kernel/release.ts";
import { createJournal } from "../journal.ts";
import { slabPartsOf } from "../kernels/slab_parts.ts";
import type { PageAllocator } from "../mm/pages.ts";
import { createNaivePages } from "../mm/pages.ts";
import { world } from "./heap.testkit.ts";
import { createHeap, randomFreelists, zeroSizeAddress } from "./kmalloc.ts";
import { observeSlabInfo } from "./slabinfo.ts";
import type { CpuSlabs } from "./slub/shape.ts";

describe.each([
  ["2.6.9-i386", "slab"],
  ["2.6.24", "slab"],
  ["3.13", "slab"],
  ["2.6.24", "slub"],
  ["2.6.32", "slub"],
  ["4.19-arm64", "slub"],
  ["5.10.223", "slub"],
  ["6.1.192", "slub"],
  ["6.12.117", "slub"],
  ["7.2.12", "slub"],
] as const)("%s %s against a list of intervals", (release, allocator) => {
  test("objects never overlap, hold what was asked, and every page comes back", () => {
    const seed = 20261120;
    const random = prng(seed);
    const { heap, pages, journal } = world(release, { allocator, random: prng(7) });
    const named = heap.cacheCreate("skbuff_head_cache", 224, 0);
    /** start → [end, cache or -1] */
    const live = new Map<number, readonly [end: number, cache: number]>();
    const starts: number[] = [];
    /** 8-byte grains that are in use. */
    const used = new Set<number>();
    const grains = (from: number, end: number): number[] =>
      Array.from({ length: Math.ceil((end - from) / 8) }, (_, i) => from / 8 + i);
    for (let i = 0; i < 1500; i++) {
      journal.cpu = random.below(2);
      if (starts.length > 0 && (random.chance(0.48) || starts.length > 200)) {
        const at = random.below(starts.length);
        const address = starts[at] as number;
        starts[at] = starts.at(-1) as number;
        starts.pop();
        const [end, cache] = live.get(address) as [number, number];
        for (const g of grains(address, end)) used.delete(g);
        live.delete(address);
        if (cache >= 0) heap.cacheFree(cache, address);
        else heap.kfree(address);
        continue;
      }
      const isNamed = random.chance(0.2);
      const size = isNamed ? 224 : 1 + random.below(random.chance(0.04) ? 40000 : 3000);
      const address = isNamed ? heap.cacheAlloc(named, 0) : heap.kmalloc(size, 0);
      expect(address, `seed ${seed}, step ${i}`).toBeGreaterThan(0);
      expect(heap.ksize(address)).toBeGreaterThanOrEqual(size);
      if (!isNamed) expect(heap.kmallocSizeRoundup(size)).toBeGreaterThanOrEqual(size);
      const end = address + heap.ksize(address);
      for (const g of grains(address, end)) {
        if (used.has(g)) throw new Error(`overlap at step ${i}, seed ${seed}`);
        used.add(g);
      }
      live.set(address, [end, isNamed ? named : -1]);
      starts.push(address);
    }
    expect(heap.live()).toBe(live.size);
    for (const [address, [, cache]] of live) cache >= 0 ? heap.cacheFree(cache, address) : heap.kfree(address);
    // Sheaves are objects of kmalloc: giving up one of them frees an object of another cache, which is shrunk once more.
    for (let i = 0; i < 3; i++) for (const { id } of heap.caches()) heap.shrink(id);
    expect(heap.live()).toBe(0);
    // Each CPU keeps one empty sheaf of each cache, of 64 to 512 bytes; all else goes.
    const sheaves = heap.caches().reduce((n, c) => n + (c.geometry.sheafCapacity > 0 ? 2 : 0), 0);
    const holders = sheaves === 0 ? [] : ["kmalloc-64", "kmalloc-128", "kmalloc-256", "kmalloc-512"];
    const kept = heap.caches().filter((c) => c.counts.slabs > 0);
    expect(kept.map((c) => c.name).filter((name) => !holders.includes(name))).toEqual([]);
    const inUse = kept.reduce((n, c) => n + c.counts.active, 0);
    expect(inUse).toBeGreaterThanOrEqual(sheaves);
    expect(inUse).toBeLessThanOrEqual(sheaves + 8);
    if (sheaves === 0) expect(pages.held()).toBe(0);
  });
});

describe("when the page allocator has only single pages", () => {
  test("6.1 takes a smaller slab for kmalloc-2k, 2.6.24 fails", () => {
    const single = (order: number): boolean => order > 0;
    const young = world("6.1", {}, single).heap;
    const address = young.kmalloc(1976, 0);
    expect(address).toBeGreaterThan(0);
    expect(young.blockOf(address)).toMatchObject({ order: 0, slab: true });
    expect(world("2.6.24", {}, single).heap.kmalloc(1976, 0)).toBe(-1);
  });

  test("the silent first try carries NOWARN and NORETRY, the second is the caller's own", () => {
    const seen: [number, number][] = [];
    const journal = createJournal();
    const inner = createNaivePages(1024, 64);
    const pages: PageAllocator = {
      ...inner,
      allocPages(gfp, order) {
        seen.push([gfp, order]);
        return order > 0 ? -1 : inner.allocPages(gfp, order);
      },
    };
    const atomic = 0xa20; // GFP_ATOMIC of 6.1: HIGH | ATOMIC | KSWAPD_RECLAIM
    createHeap({
      release: parseRelease("6.1"),
      parts: slabPartsOf(parseRelease("6.1")),
      allocator: "slub",
      cpus: 2,
      pages,
      journal,
    }).kmalloc(2000, atomic);
    // __GFP_COMP 0x40000, __GFP_NOWARN 0x2000, __GFP_NORETRY 0x10000
    expect(seen).toEqual([
      [atomic | 0x40000 | 0x2000 | 0x10000, 3],
      [atomic | 0x40000, 0],
    ]);
  });

  test("2.6.24 asks once, with mode 0x4020 for GFP_ATOMIC: seed 001's line", () => {
    const seen: string[] = [];
    const pages: PageAllocator = {
      ...createNaivePages(16),
      allocPages(gfp, order) {
        seen.push(`order:${order}, mode:0x${gfp.toString(16)}`);
        return -1;
      },
    };
    const heap = createHeap({
      release: parseRelease("2.6.24"),
      parts: slabPartsOf(parseRelease("2.6.24")),
      allocator: "slub",
      cpus: 2,
      pages,
      journal: createJournal(),
    });
    expect(heap.kmalloc(1976, 0x20)).toBe(-1);
    expect(seen).toEqual(["order:1, mode:0x4020"]);
  });
});

describe("misuse is caught at the operation that did it", () => {
  test("a double free, a free inside an object, a free of nothing, a free to another cache", () => {
    const { heap } = world("6.1");
    const a = heap.kmalloc(100, 0);
    const cache = heap.cacheCreate("x", 100, 0);
    expect(() => heap.kfree(a + 8)).toThrow(/inside an object/);
    expect(() => heap.cacheFree(cache, a)).toThrow(/wrong cache/);
    heap.kfree(a);
    expect(() => heap.kfree(a)).toThrow(ModelBug);
    expect(() => heap.kfree(123 * 4096 * 1024)).toThrow(/did not give/);
    heap.kfree(zeroSizeAddress);
  });
});

describe("what observers see", () => {
  test("events carry the kernel's names and numbers", () => {
    const { heap, journal } = world("6.1");
    const heard: number[][] = [];
    journal.listen((_k, _n, _c, a, b, c) => heard.push([a, b, c]), "kmalloc");
    const a = heap.kmalloc(600, 0);
    const b = heap.kmalloc(9000, 0);
    expect(heard).toEqual([
      [a, 600, 1024],
      [b, 9000, 16384],
    ]);
  });

  test("slabinfo of the model has the kernel's shape: skbuff_head_cache is 256 bytes, 16 a slab, 1 page", () => {
    const { heap } = world("6.1");
    const cache = heap.cacheCreate("skbuff_head_cache", 224, 0);
    heap.cacheAlloc(cache, 0);
    expect(observeSlabInfo(heap).caches[0]).toMatchObject({
      name: "skbuff_head_cache",
      activeObjects: 16,
      objects: 16,
      objectBytes: 256,
      objectsPerSlab: 16,
      pagesPerSlab: 1,
      slabs: 1,
    });
  });

  test("a snapshot puts every list back", () => {
    const { heap } = world("6.1");
    const slub = heap.engine as CpuSlabs;
    const held = Array.from({ length: 50 }, () => heap.kmalloc(1000, 0));
    const cache = slub.cacheOf(held[0] as number);
    const before = slub.view(cache);
    const restore = slub.snapshot();
    for (const address of held.slice(0, 20)) heap.kfree(address);
    expect(slub.view(cache)).not.toEqual(before);
    restore();
    expect(slub.view(cache)).toEqual(before);
  });
});

test("a random freelist is one sequence a cache, started anywhere; a small slab skips what it has not", () => {
  const order = randomFreelists(prng(5));
  const take = (objects: number): number[] => {
    const into = new Uint16Array(32);
    order(0, objects, 16, into);
    return [...into.subarray(0, objects)];
  };
  const rotate = (list: number[], n: number): number[] => [...list.slice(n), ...list.slice(0, n)];
  const first = take(16);
  const second = take(16);
  expect(rotate(first, first.indexOf(second[0] as number))).toEqual(second);
  const small = take(8);
  expect([...small].sort((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
});
