// The same question to the pools of several releases.
import { describe, expect, test } from "vitest";
import { parseRelease } from "../../../kernel/release.ts";
import { createJournal } from "../../journal.ts";
import { poolPartsOf } from "../../kernels/pool_parts.ts";
import { createNaivePages } from "../../mm/pages.ts";
import { createPagePools, defaultPoolParams, E2BIG, EINVAL, PP_FLAG_DMA_MAP, PP_FLAG_PAGE_FRAG } from "./page_pool.ts";
import { createDmaChecker } from "./page_pool_dma.ts";

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

test("fragments on such a machine: refused in 6.1, allowed from 6.7 on", () => {
  const ask = (release: string): number =>
    machine(release, 0x8_0000_0000).pools.create({ ...defaultPoolParams, flags: PP_FLAG_PAGE_FRAG });
  expect([ask("6.1-arm"), ask("6.7-arm") >= 0, ask("6.1-arm64") >= 0]).toEqual([-EINVAL, true, true]);
});

test("a drained fragment page counts one user since 6.8, what the pool gave up before: page_pool_unref_page(), page_pool_defrag_page()", () => {
  const countAfterDrain = (release: string): bigint => {
    const { pages, pools } = machine(release, 0);
    const pool = pools.create({ ...defaultPoolParams, flags: PP_FLAG_PAGE_FRAG });
    const pfn = pools.allocFrag(pool, 2048, 0);
    expect(pools.allocFrag(pool, 2048, 0)).toBe(pfn);
    for (let i = 0; i < 2; i++) pools.putFullPage(pool, pfn, true);
    // Somebody outside still reads it: the next fragment drains the page, and it leaves the pool.
    pages.getPage(pfn);
    expect(pools.allocFrag(pool, 2048, 0)).not.toBe(pfn);
    expect(pools.poolOf(pfn)).toBe(-1);
    return pools.fragCount(pfn);
  };
  expect(countAfterDrain("6.8")).toBe(1n);
  expect(countAfterDrain("6.1.192")).toBe(2n ** 63n - 1n - 2n);
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
