// The same question to the pools of several releases.
import { describe, expect, test } from "vitest";
import { parseRelease } from "../../../kernel/release.ts";
import { createJournal } from "../../journal.ts";
import { poolPartsOf } from "../../kernels/pool_parts.ts";
import { createNaivePages } from "../../mm/pages.ts";
import { createPagePools, defaultPoolParams, E2BIG, EINVAL, PP_FLAG_DMA_MAP, PP_FLAG_PAGE_FRAG } from "./page_pool.ts";
import { createDmaChecker } from "./page_pool_dma.ts";

import type { SoftirqState } from "./pool_context.ts";
import { poolContext, softirqState } from "./pool_context.ts";

/** A pool of that release under a device with 64-bit DMA addresses that begin at `busBase`. */
function machine(release: string, busBase: number) {
  const rules = poolPartsOf(parseRelease(release));
  if (rules === undefined) throw new Error(`${release} has no page_pool`);
  const dma = createDmaChecker({ pfnMax: 1024, busBase });
  const pages = createNaivePages(1024);
  const pools = createPagePools({
    ...rules,
    pages,
    journal: createJournal(),
    context: poolContext(softirqState.running),
    pfnMax: 1024,
    dma,
  });
  return { dma, pages, pools, pool: pools.create({ ...defaultPoolParams, flags: PP_FLAG_DMA_MAP }) };
}

describe("a DMA address above 4 GiB on a 32-bit machine", () => {
  test.each([
    ["4.18-arm", false],
    ["5.0-arm", false],
    ["5.1-arm", true],
    ["6.1-arm", true],
    ["6.12-arm", true],
    ["4.18-arm64", true],
  ])("%s: held is %s", (release, holds) => {
    const { dma, pools, pool } = machine(release, 0x8_0000_0000);
    const pfn = pools.allocPages(pool, 0);
    expect(dma.addressIsWhole(pfn, pools.dmaAddress(pfn))).toBe(holds);
  });

  test("above 16 TiB a page number no longer fits 32 bits: 6.12 notices and takes no page", () => {
    const { dma, pools, pool } = machine("6.12-arm", 2 ** 45);
    expect([pools.allocPages(pool, 0), pools.inflight(pool), dma.mappings(), dma.reports]).toEqual([-1, 0, 0, []]);
  });
});

test("fragments on such a machine: refused in 6.1, allowed from 6.7 on, where any pool may cut them and the flag is gone", () => {
  const ask = (release: string): number =>
    machine(release, 0x8_0000_0000).pools.create({ ...defaultPoolParams, flags: PP_FLAG_PAGE_FRAG });
  expect([ask("6.1-arm"), ask("6.1-arm64") >= 0, ask("6.7-arm")]).toEqual([-EINVAL, true, -EINVAL]);
  const { pools, pool } = machine("6.7-arm", 0);
  expect(pools.allocFrag(pool, 1000, 0)).toBeGreaterThanOrEqual(0);
});

describe("which flags a pool may ask for: PP_FLAG_ALL of net/core/page_pool.c", () => {
  test.each([
    ["5.10.223", 3],
    ["6.1.192", 7],
    ["6.12.117", 15],
    ["7.2.12", 15],
  ])("%s: %i and no other bit", (release, all) => {
    const { pools } = machine(release, 0);
    const ask = (flags: number): number => pools.create({ ...defaultPoolParams, flags, maxLen: 64 });
    expect(ask(all)).toBeGreaterThanOrEqual(0);
    expect(ask(all + 1)).toBe(-EINVAL);
  });
});

describe("which puts go straight into the cache", () => {
  const none = softirqState.none;
  const off = softirqState.bottomHalvesOff;
  const inside = softirqState.running;
  /** Pages in the cache after a put from CPU `cpu`, of a pool whose NAPI is polled on CPU 1. */
  function cached(release: string, softirq: SoftirqState, direct: boolean, cpu = 0): number {
    const pages = createNaivePages(1024);
    const context = { softirq, cpu, node: 0 };
    const parts = poolPartsOf(parseRelease(release));
    const pools = createPagePools({ ...parts, pages, journal: createJournal(), context, pfnMax: 1024 });
    const pool = pools.create({ ...defaultPoolParams, napi: { listOwner: 1 } });
    const pfn = pools.allocPages(pool, 0);
    const before = pools.cacheCount(pool);
    pools.putFullPage(pool, pfn, direct);
    return pools.cacheCount(pool) - before;
  }
  test.each([
    // release, direct in: process, bottom halves off, softirq; not direct in softirq on another CPU, on the consumer's
    ["5.10.223", [0, 0, 1], [0, 0]],
    ["6.1.192", [0, 1, 1], [0, 0]],
    ["6.12.117", [1, 1, 1], [0, 1]],
    ["7.2.12", [1, 1, 1], [0, 1]],
  ])("%s", (release, direct, notDirect) => {
    expect([none, off, inside].map((s) => cached(release, s, true))).toEqual(direct);
    expect([cached(release, off, false, 0), cached(release, off, false, 1)]).toEqual(notDirect);
    expect(cached(release, none, false, 1)).toBe(0);
  });

  test("a pool that is being destroyed is nobody's: no put goes direct", () => {
    const parts = poolPartsOf(parseRelease("6.12.117"));
    const context = { softirq: inside, cpu: 1, node: 0 };
    const pages = createNaivePages(1024);
    const pools = createPagePools({ ...parts, pages, journal: createJournal(), context, pfnMax: 1024 });
    const pool = pools.create({ ...defaultPoolParams, cpu: 1 });
    const pfn = pools.allocPages(pool, 0);
    pools.destroy(pool);
    pools.putFullPage(pool, pfn, false);
    expect([pools.cacheCount(pool), pools.inflight(pool)]).toEqual([0, 1]);
  });
});

test("page_pool_alloc() since 6.7: whole pages for more than half, and the rest of the page where no other would fit", () => {
  const { pools, pool } = machine("6.12.117", 0);
  const ask = (bytes: number): number[] => {
    const pfn = pools.allocSized(pool, bytes, 0);
    return [pfn >= 0 ? 1 : 0, pools.lastFragOffset(), pools.lastFragBytes()];
  };
  expect(ask(2049)).toEqual([1, 0, 4096]);
  expect(ask(2048)).toEqual([1, 0, 2048]);
  expect(ask(1500)).toEqual([1, 2048, 2048]);
});

test("a pool of 6.12.117 that ends unmaps what is still out at once, one of 6.1.192 when it comes back", () => {
  const mapped = (release: string): number[] => {
    const { dma, pools, pool } = machine(release, 0);
    const pfn = pools.allocPages(pool, 0);
    pools.destroy(pool);
    const during = dma.mappings();
    pools.putFullPage(pool, pfn, false);
    pools.runDelayed(2e9);
    return [during, dma.mappings(), dma.reports.length, pools.isLive(pool) ? 1 : 0];
  };
  expect(mapped("6.12.117")).toEqual([0, 0, 0, 0]);
  expect(mapped("6.1.192")).toEqual([1, 0, 0, 0]);
});

test.each([
  ["6.1.192", "page_pool_release_retry() stalled pool shutdown 1 inflight 60 sec"],
  ["6.12.117", "page_pool_release_retry() stalled pool shutdown: id 1, 1 inflight 60 sec"],
])("%s says %s", (release, sentence) => {
  const journal = createJournal();
  const said: string[] = [];
  journal.listen((_kind, _nanos, _cpu, text) => said.push(journal.text(text)), "warning");
  const parts = poolPartsOf(parseRelease(release));
  const pools = createPagePools({
    ...parts,
    pages: createNaivePages(1024),
    journal,
    context: poolContext(softirqState.running),
    pfnMax: 1024,
  });
  const pool = pools.create(defaultPoolParams);
  pools.allocPages(pool, 0);
  pools.destroy(pool);
  pools.runDelayed(60e9);
  expect(said).toEqual([sentence]);
});

test("a drained fragment page counts one user since 6.8, what the pool gave up before: page_pool_unref_page(), page_pool_defrag_page()", () => {
  const countAfterDrain = (release: string, flags: number): bigint => {
    const { pages, pools } = machine(release, 0);
    const pool = pools.create({ ...defaultPoolParams, flags });
    const pfn = pools.allocFrag(pool, 2048, 0);
    expect(pools.allocFrag(pool, 2048, 0)).toBe(pfn);
    for (let i = 0; i < 2; i++) pools.putFullPage(pool, pfn, true);
    // Somebody outside still reads it: the next fragment drains the page, and it leaves the pool.
    pages.getPage(pfn);
    expect(pools.allocFrag(pool, 2048, 0)).not.toBe(pfn);
    expect(pools.poolOf(pfn)).toBe(-1);
    return pools.fragCount(pfn);
  };
  expect(countAfterDrain("6.8", 0)).toBe(1n);
  expect(countAfterDrain("6.1.192", PP_FLAG_PAGE_FRAG)).toBe(2n ** 63n - 1n - 2n);
});

test("before 5.13 the slow path takes one page at a time", () => {
  for (const [release, held] of [
    ["5.12", 1],
    ["5.13", 64],
  ] as const) {
    const { pools, pool } = machine(release, 0);
    pools.allocPages(pool, 0);
    expect(pools.holdCount(pool)).toBe(held);
  }
});

test("a ring of 40000: refused with -E2BIG in 5.10, clamped to 16384 in 6.1.192", () => {
  const ask = (release: string): number => machine(release, 0).pools.create({ ...defaultPoolParams, poolSize: 40000 });
  expect(ask("5.10")).toBe(-E2BIG);
  expect(ask("6.1.192")).toBeGreaterThanOrEqual(0);
});

test("4.17 has no page_pool", () => {
  expect(poolPartsOf(parseRelease("4.17"))).toBeUndefined();
});
