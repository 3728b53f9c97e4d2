// DMA ownership of pool pages, and DaveM's question of 2018: where does a 64-bit DMA address fit?
import { describe, expect, test } from "vitest";
import { createJournal } from "../../journal.ts";
import { createNaivePages } from "../../mm/pages.ts";
import type { PagePoolOptions, PoolParams } from "./page_pool.ts";
import { createPagePools, defaultPoolParams, PP_FLAG_DMA_MAP, PP_FLAG_DMA_SYNC_DEV } from "./page_pool.ts";
import type { DmaOptions } from "./page_pool_dma.ts";
import { createDmaChecker, failingMap } from "./page_pool_dma.ts";
import { poolContext, softirqState } from "./pool_context.ts";

const HIGH_BUS = 0x12_0000_0000;

function machine(
  params: Partial<PoolParams>,
  options: Partial<PagePoolOptions> = {},
  dmaOptions: Partial<DmaOptions> = {},
) {
  const dma = createDmaChecker({ pfnMax: 1024, ...dmaOptions });
  const pages = createNaivePages(1024);
  const pools = createPagePools({
    pages,
    journal: createJournal(),
    context: poolContext(softirqState.running),
    pfnMax: 1024,
    dma,
    ...options,
  });
  const pool = pools.create({ ...defaultPoolParams, flags: PP_FLAG_DMA_MAP, maxLen: 4096, ...params });
  return { dma, pages, pools, pool };
}
const faults = (m: ReturnType<typeof machine>): string[] => m.dma.reports.map((r) => r.fault);
const both = PP_FLAG_DMA_MAP | PP_FLAG_DMA_SYNC_DEV;

describe("where the address is kept", () => {
  test("page->private of a 32-bit kernel loses the upper half of a 64-bit DMA address", () => {
    const m = machine({}, { wordBits: 32, dmaBits: 64, dmaAddressHome: "private" }, { busBase: HIGH_BUS });
    const pfn = m.pools.allocPages(m.pool, 0);
    expect(m.dma.addressIsWhole(pfn, m.pools.dmaAddress(pfn))).toBe(false);
    expect(m.pools.dmaAddress(pfn)).toBe((HIGH_BUS % 2 ** 32) + pfn * 4096);
    m.pools.releasePage(m.pool, pfn);
    expect(faults(m)).toEqual(["address lost", "unmap of an unknown address"]);
    expect(m.dma.mappings()).toBe(64);
  });

  test.each([
    ["the field in struct page, 32-bit words", { wordBits: 32, dmaBits: 64, dmaAddressHome: "field" }],
    ["page->private, 64-bit words", { wordBits: 64, dmaBits: 64, dmaAddressHome: "private" }],
  ] as const)("%s holds it", (_where, options) => {
    const m = machine({}, options, { busBase: HIGH_BUS });
    const pfn = m.pools.allocPages(m.pool, 0);
    expect(m.dma.addressIsWhole(pfn, m.pools.dmaAddress(pfn))).toBe(true);
    m.pools.releasePage(m.pool, pfn);
    expect([faults(m), m.dma.mappings()]).toEqual([[], 63]);
  });

  test("a 32-bit address space fits page->private on every machine", () => {
    const m = machine({}, { wordBits: 32, dmaBits: 32, dmaAddressHome: "private" });
    const pfn = m.pools.allocPages(m.pool, 0);
    expect(m.dma.addressIsWhole(pfn, m.pools.dmaAddress(pfn))).toBe(true);
  });
});

describe("mapped once, kept mapped", () => {
  test("a page that comes home keeps its mapping; one that leaves loses it", () => {
    const m = machine({});
    const pfn = m.pools.allocPages(m.pool, 0);
    const address = m.pools.dmaAddress(pfn);
    m.pools.recycleDirect(m.pool, pfn);
    expect([m.pools.allocPages(m.pool, 0), m.pools.dmaAddress(pfn), m.dma.mappings()]).toEqual([pfn, address, 64]);
    m.pages.getPage(pfn);
    m.pools.putFullPage(m.pool, pfn, false);
    expect([m.pools.dmaAddress(pfn), m.dma.mappings()]).toEqual([0, 63]);
  });

  test.each([1, 2, 33, 64])("mapping number %i fails: that page goes back, the others stay", (nth) => {
    const dma = createDmaChecker({ pfnMax: 1024 });
    const m = machine({}, { dma: failingMap(dma, nth) });
    expect(m.pools.allocPages(m.pool, 0)).toBeGreaterThanOrEqual(0);
    expect([m.pools.inflight(m.pool), dma.mappings()]).toEqual([63, 63]);
    m.pools.recycleDirect(m.pool, m.pools.allocPages(m.pool, 0));
  });

  test("a high order pool gives the page back when it cannot be mapped", () => {
    const dma = createDmaChecker({ pfnMax: 1024 });
    const m = machine({ order: 1 }, { dma: failingMap(dma, 1) });
    expect([m.pools.allocPages(m.pool, 0), m.pools.inflight(m.pool), m.pages.allocPages(0, 1)]).toEqual([-1, 0, 0]);
  });
});

describe("whose turn it is", () => {
  test("mapping with DMA_ATTR_SKIP_CPU_SYNC gives the device nothing: without the pool's sync the write is out of turn", () => {
    const m = machine({ flags: PP_FLAG_DMA_MAP });
    const address = m.pools.dmaAddress(m.pools.allocPages(m.pool, 0));
    m.dma.deviceWrite(address, 0, 1500);
    expect(faults(m)).toEqual(["device out of turn"]);
  });

  test("PP_FLAG_DMA_SYNC_DEV gives it max_len bytes, and not one line more", () => {
    const m = machine({ flags: both, maxLen: 1536 });
    const address = m.pools.dmaAddress(m.pools.allocPages(m.pool, 0));
    m.dma.deviceWrite(address, 0, 1536);
    expect(faults(m)).toEqual([]);
    m.dma.deviceWrite(address, 0, 1537);
    expect(faults(m)).toEqual(["device out of turn"]);
  });

  test("the driver must sync for the CPU what it reads: the pool never does", () => {
    const m = machine({ flags: both });
    const pfn = m.pools.allocPages(m.pool, 0);
    m.dma.deviceWrite(m.pools.dmaAddress(pfn), 0, 1500);
    m.dma.cpuRead(pfn, 0, 1500);
    expect(faults(m)).toEqual(["cpu read out of turn"]);
    m.dma.syncForCpu(m.pools.dmaAddress(pfn), 0, 1500);
    m.dma.cpuRead(pfn, 0, 1500);
    expect(faults(m)).toHaveLength(1);
  });

  test("a driver that says how much was touched has to count what the CPU wrote behind the frame", () => {
    const run = (syncSize: number): string[] => {
      const m = machine({ flags: both });
      const pfn = m.pools.allocPages(m.pool, 0);
      m.dma.syncForCpu(m.pools.dmaAddress(pfn), 0, 4096);
      m.dma.cpuWrite(pfn, 0, 1024);
      m.pools.putPage(m.pool, pfn, syncSize, true);
      const again = m.pools.allocPages(m.pool, 0);
      m.dma.deviceWrite(m.pools.dmaAddress(again), 0, 1024);
      return faults(m);
    };
    expect(run(1024)).toEqual([]);
    expect(run(512)).toEqual(["device out of turn"]);
  });

  test("an offset moves the window that the pool syncs", () => {
    const m = machine({ flags: both, maxLen: 1024, offset: 256 });
    const address = m.pools.dmaAddress(m.pools.allocPages(m.pool, 0));
    m.dma.deviceWrite(address, 256, 1024);
    expect(faults(m)).toEqual([]);
    m.dma.deviceWrite(address, 0, 64);
    expect(faults(m)).toEqual(["device out of turn"]);
  });

  test("the CPU writes into what is the device's: its cache line can fall on received data", () => {
    const m = machine({ flags: both });
    m.dma.cpuWrite(m.pools.allocPages(m.pool, 0), 0, 8);
    expect(faults(m)).toEqual(["cpu write out of turn"]);
  });

  test("a released page is gone from the device, but unsynced bytes stay stale for the CPU", () => {
    const m = machine({ flags: both });
    const pfn = m.pools.allocPages(m.pool, 0);
    const address = m.pools.dmaAddress(pfn);
    m.dma.deviceWrite(address, 0, 1500);
    m.pools.releasePage(m.pool, pfn);
    m.dma.deviceWrite(address, 0, 64);
    m.dma.cpuRead(pfn, 0, 64);
    expect(faults(m)).toEqual(["device without a mapping", "cpu read out of turn"]);
  });

  test("XDP_TX needs a bidirectional mapping", () => {
    const run = (dmaDir: "from_device" | "bidirectional"): string[] => {
      const m = machine({ flags: both, dmaDir });
      m.dma.deviceRead(m.pools.dmaAddress(m.pools.allocPages(m.pool, 0)), 0, 60);
      return faults(m);
    };
    expect([run("from_device"), run("bidirectional")]).toEqual([["wrong direction"], []]);
  });

  test("a coherent machine forgives every missing sync, but no missing mapping", () => {
    const m = machine({ flags: PP_FLAG_DMA_MAP }, {}, { coherent: true });
    const pfn = m.pools.allocPages(m.pool, 0);
    m.dma.deviceWrite(m.pools.dmaAddress(pfn), 0, 1500);
    m.dma.cpuRead(pfn, 0, 1500);
    expect(faults(m)).toEqual([]);
    m.dma.deviceWrite(4, 0, 1);
    expect(faults(m)).toEqual(["device without a mapping"]);
  });
});
