// The pool's rules, each named with the function it belongs to (net/core/page_pool.c, 6.1.192). Recorded histories are in verify/.
import { describe, expect, test } from "vitest";
import { createJournal } from "../../journal.ts";
import type { PageAllocator } from "../../mm/pages.ts";
import { createNaivePages } from "../../mm/pages.ts";
import type { PagePoolOptions, PoolParams } from "./page_pool.ts";
import {
  createPagePools,
  defaultPoolParams,
  EINVAL,
  PP_ALLOC_CACHE_SIZE,
  PP_FLAG_DMA_MAP,
  PP_FLAG_DMA_SYNC_DEV,
  PP_FLAG_PAGE_FRAG,
} from "./page_pool.ts";
import { takeCensus, watchPages } from "./page_pool_census.ts";
import { poolContext, softirqState } from "./pool_context.ts";
import { createPtrRings, ringBatch } from "./ptr_ring.ts";

function machine(params: Partial<PoolParams> = {}, options: Partial<PagePoolOptions> = {}, inner?: PageAllocator) {
  const pages = watchPages(inner ?? createNaivePages(4096));
  const journal = createJournal();
  const context = poolContext(softirqState.running);
  const said: string[] = [];
  journal.listen((_kind, _nanos, _cpu, text) => said.push(journal.text(text)), "warning");
  const pools = createPagePools({ pages, journal, context, pfnMax: 4096, poolsMax: 4, ...options });
  pages.ownedBy = pools.poolOf;
  const pool = pools.create({ ...defaultPoolParams, ...params });
  return { pages, journal, context, pools, pool, said };
}

const take = (m: ReturnType<typeof machine>, n: number): number[] =>
  Array.from({ length: n }, () => m.pools.allocPages(m.pool, 0));

describe("ptr_ring", () => {
  test("is full for the producer while taken entries are not zeroed: two cache lines of pointers at a time", () => {
    expect([4, 16, 31, 32, 64, 1024].map((size) => ringBatch(size))).toEqual([1, 1, 1, 16, 16, 16]);
    const rings = createPtrRings(1);
    rings.init(0, 64, 16);
    for (let i = 1; i <= 64; i++) expect(rings.produce(0, i)).toBe(true);
    for (let i = 1; i <= 15; i++) expect(rings.consume(0)).toBe(i);
    expect([rings.count(0), rings.full(0), rings.produce(0, 99)]).toEqual([49, true, false]);
    expect(rings.occupied(0)).toHaveLength(64);
    expect(rings.consume(0)).toBe(16);
    expect([rings.consumerTail(0), rings.produce(0, 99)]).toEqual([16, true]);
  });

  test("zeroes what is left at the end of the queue and starts over", () => {
    const rings = createPtrRings(1);
    rings.init(0, 40, 16);
    for (let i = 1; i <= 40; i++) rings.produce(0, i);
    for (let i = 1; i <= 39; i++) rings.consume(0);
    expect([rings.consumerHead(0), rings.consumerTail(0)]).toEqual([39, 32]);
    rings.consume(0);
    expect([rings.consumerHead(0), rings.consumerTail(0), rings.empty(0)]).toEqual([0, 0, true]);
  });
});

describe("allocation", () => {
  test("the slow path takes 64 pages at once and hands out the last of them", () => {
    const m = machine();
    expect(take(m, 1)).toEqual([63]);
    expect(m.pools.cacheCount(m.pool)).toBe(63);
    expect(m.pools.stats(m.pool)).toMatchObject({ slow: 1, empty: 1, fast: 0 });
  });

  test("an order above 0 goes page by page and its pages are compound", () => {
    const m = machine({ order: 2 });
    expect(take(m, 2)).toEqual([0, 4]);
    expect(m.pages.compoundOrder(5)).toBe(2);
    expect(m.pools.stats(m.pool)).toMatchObject({ slowHighOrder: 2, slow: 0 });
  });

  test("a refill takes 64 from the ring, and the last one taken is handed out first", () => {
    const m = machine();
    const pfns = take(m, 128);
    for (const pfn of pfns) m.pools.putFullPage(m.pool, pfn, false);
    expect(take(m, 1)).toEqual([pfns[63]]);
    expect(m.pools.cacheCount(m.pool)).toBe(63);
    expect(m.pools.stats(m.pool)).toMatchObject({ refill: 1, ring: 128 });
  });

  test("a page of another node is waived: it goes home to the page allocator, and the refill ends there", () => {
    const inner = createNaivePages(4096);
    const m = machine({}, {}, { ...inner, nodeOf: (pfn) => (pfn === 60 ? 1 : 0) });
    const pfns = take(m, 64);
    for (const pfn of pfns) m.pools.putFullPage(m.pool, pfn, false);
    expect(pfns.indexOf(60)).toBe(3);
    expect(take(m, 1)).toEqual([pfns[2]]);
    expect(m.pools.stats(m.pool)).toMatchObject({ waive: 1, refill: 1 });
    expect([m.pools.cacheCount(m.pool), m.pages.allocated(60), m.pools.poolOf(60)]).toEqual([2, false, -1]);
  });

  test("page_pool_update_nid() flushes the cache, not the ring", () => {
    const m = machine();
    const [a] = take(m, 1) as [number];
    m.pools.putFullPage(m.pool, a, false);
    m.pools.updateNid(m.pool, 1);
    expect([m.pools.cacheCount(m.pool), m.pools.ringContents(m.pool), m.pools.inflight(m.pool)]).toEqual([0, [a], 1]);
  });

  test("no memory is a result, and nothing is counted", () => {
    const m = machine({}, {}, createNaivePages(0));
    expect(take(m, 1)).toEqual([-1]);
    expect([m.pools.inflight(m.pool), m.pools.stats(m.pool).slow]).toEqual([0, 0]);
  });

  test("an allocation for NAPI is silent: GFP_ATOMIC gets __GFP_NOWARN, GFP_KERNEL does not", () => {
    const seen: number[] = [];
    const inner = createNaivePages(4096);
    const spy = {
      ...inner,
      allocPages(gfp: number, order: number) {
        seen.push(gfp);
        return inner.allocPages(gfp, order);
      },
    };
    const m = machine({ order: 1 }, {}, spy);
    m.pools.allocPages(m.pool, 0xa20);
    m.pools.allocPages(m.pool, 0xcc0);
    expect(seen.map((gfp) => gfp & 0x2000)).toEqual([0x2000, 0]);
  });
});

describe("coming home", () => {
  test("direct only in softirq; outside it goes to the ring", () => {
    const m = machine();
    const [a, b] = take(m, 2) as [number, number];
    m.pools.recycleDirect(m.pool, a);
    m.context.softirq = softirqState.none;
    m.pools.recycleDirect(m.pool, b);
    expect(m.pools.cacheContents(m.pool).at(-1)).toBe(a);
    expect(m.pools.ringContents(m.pool)).toEqual([b]);
  });

  test("a full cache sends the page to the ring, and both are counted", () => {
    const m = machine();
    const pfns = take(m, 192);
    for (const pfn of pfns.slice(0, 129)) m.pools.recycleDirect(m.pool, pfn);
    expect(m.pools.cacheCount(m.pool)).toBe(PP_ALLOC_CACHE_SIZE);
    expect(m.pools.stats(m.pool)).toMatchObject({ cached: 128, cacheFull: 1, ring: 1 });
  });

  test("a page that somebody else holds is released, and is nobody's the moment he lets go", () => {
    const m = machine();
    const [a] = take(m, 1) as [number];
    m.pages.getPage(a);
    m.pools.putFullPage(m.pool, a, true);
    expect([m.pools.poolOf(a), m.pages.pageCount(a), m.pools.stats(m.pool).releasedRefcnt]).toEqual([-1, 1, 1]);
    m.pages.putPage(a);
    expect(m.pages.allocated(a)).toBe(false);
  });

  test("a page of the emergency reserve is never recycled", () => {
    const inner = createNaivePages(4096);
    const m = machine({}, {}, { ...inner, isPfmemalloc: () => true });
    const [a] = take(m, 1) as [number];
    m.pools.recycleDirect(m.pool, a);
    expect([m.pools.poolOf(a), m.pages.allocated(a)]).toEqual([-1, false]);
  });

  test("put_bulk counts ring_full once, however many did not fit", () => {
    const m = machine({ poolSize: 4 });
    const pfns = take(m, 10);
    m.pools.putPageBulk(m.pool, Int32Array.from(pfns), 10);
    expect(m.pools.stats(m.pool)).toMatchObject({ ring: 4, ringFull: 1 });
    expect(m.pools.releaseCount(m.pool)).toBe(6);
  });
});

describe("fragments", () => {
  test("a page starts over when only the pool is left, and is left alone while somebody uses it", () => {
    const m = machine({ flags: PP_FLAG_PAGE_FRAG });
    const frag = (): [number, number] => [m.pools.allocFrag(m.pool, 2000, 0), m.pools.lastFragOffset()];
    const [a] = frag();
    expect(frag()).toEqual([a, 2000]);
    expect(m.pools.fragCount(a)).toBe(2n ** 63n - 1n);
    m.pools.putFullPage(m.pool, a, false);
    m.pools.putFullPage(m.pool, a, false);
    expect(m.pools.fragCount(a)).toBe(2n ** 63n - 3n);
    expect(frag()).toEqual([a, 0]);
    const [b] = [frag()[0], frag()[0]].slice(1) as [number];
    expect(b).not.toBe(a);
    expect(m.pools.fragCount(a)).toBe(2n);
    m.pools.putFullPage(m.pool, a, false);
    expect(m.pools.ringContents(m.pool)).toEqual([]);
    m.pools.putFullPage(m.pool, a, false);
    expect(m.pools.ringContents(m.pool)).toEqual([a]);
  });

  test("without the flag, or for more than a page, there is a warning and no fragment", () => {
    const m = machine();
    expect(m.pools.allocFrag(m.pool, 100, 0)).toBe(-1);
    expect(m.said).toHaveLength(1);
  });
});

describe("creation", () => {
  test.each([
    ["an unknown flag", { flags: 8 }],
    ["sync without map", { flags: PP_FLAG_DMA_SYNC_DEV, maxLen: 4096 }],
    ["sync of nothing", { flags: PP_FLAG_DMA_MAP | PP_FLAG_DMA_SYNC_DEV }],
    ["a mapping only for sending", { flags: PP_FLAG_DMA_MAP, dmaDir: "to_device" as const }],
  ])("%s gives -EINVAL and the kernel's sentence", (_what, params) => {
    const m = machine();
    expect(m.pools.create({ ...defaultPoolParams, ...params })).toBe(-EINVAL);
    expect(m.said).toEqual(["page_pool_create() gave up with errno -22"]);
  });

  test("fragments are refused where a DMA address needs the fragment count's place", () => {
    const m = machine({}, { wordBits: 32, dmaBits: 64 });
    expect(m.pools.create({ ...defaultPoolParams, flags: PP_FLAG_PAGE_FRAG })).toBe(-EINVAL);
  });

  test("the ring has 1024 slots unless asked, and never more than 16384", () => {
    const m = machine();
    const big = m.pools.create({ ...defaultPoolParams, poolSize: 100000 });
    expect([m.pools.rings.size(m.pool), m.pools.rings.size(big)]).toEqual([1024, 16384]);
  });
});

describe("the end of a pool", () => {
  test("counts cross the 32-bit wrap unharmed", () => {
    const m = machine();
    m.pools.setCounters(m.pool, 0xfffffff0);
    take(m, 64);
    expect([m.pools.holdCount(m.pool), m.pools.inflight(m.pool)]).toEqual([48, 64]);
  });

  test("seven pages out: a sentence after 60 s and after 120 s, free when the last one is back", () => {
    const m = machine();
    const pfns = take(m, 7);
    m.pools.destroy(m.pool);
    expect([m.pools.inflight(m.pool), m.pages.outstanding()]).toEqual([7, 7]);
    m.pools.runDelayed(130e9);
    expect(m.said).toEqual([
      "page_pool_release_retry() stalled pool shutdown 7 inflight 60 sec",
      "page_pool_release_retry() stalled pool shutdown 7 inflight 120 sec",
    ]);
    for (const pfn of pfns) m.pools.putFullPage(m.pool, pfn, false);
    expect(m.pools.isLive(m.pool)).toBe(true);
    m.pools.runDelayed(132e9);
    expect([m.pools.isLive(m.pool), m.pages.outstanding()]).toEqual([false, 0]);
  });

  test("a pool that XDP also uses ends with the second destroy", () => {
    const m = machine();
    m.pools.useXdpMem(m.pool);
    m.pools.destroy(m.pool);
    expect(m.pools.isLive(m.pool)).toBe(true);
    m.pools.destroy(m.pool);
    expect(m.pools.isLive(m.pool)).toBe(false);
  });

  test("a page given back twice makes the count negative: a warning, and no more retries", () => {
    const m = machine();
    const [a, b] = take(m, 2) as [number, number];
    m.pools.releasePage(m.pool, a);
    m.pools.releasePage(m.pool, a);
    m.pools.releasePage(m.pool, b);
    m.pools.destroy(m.pool);
    expect(m.said).toEqual(["Negative(-1) inflight packet-pages"]);
    m.pools.runDelayed(5e9);
    m.pools.runDelayed(200e9);
    expect(m.said).toHaveLength(2);
  });

  test("a page in the ring with another reference is a violation that the kernel prints", () => {
    const m = machine();
    const [a] = take(m, 1) as [number];
    m.pools.putFullPage(m.pool, a, false);
    m.pages.getPage(a);
    m.pools.destroy(m.pool);
    expect(m.said).toEqual(["page_pool_empty_ring() page_pool refcnt 2 violation"]);
  });
});

describe("the census", () => {
  test("names the holder of every page that is out, and finds the one that nobody has", () => {
    const m = machine();
    const [a, b, c] = take(m, 3) as [number, number, number];
    m.pools.putFullPage(m.pool, c, false);
    const census = takeCensus(m.pools, m.pages, [{ name: "rx ring", pfns: [a] }]);
    expect(census.pools[0]).toMatchObject({ cache: 61, ring: 1, inFlight: 2 });
    expect(census.pools[0]?.heldBy).toEqual(new Map([["rx ring", 1]]));
    expect(census.faults.map((f) => [f.fault, f.pfn])).toEqual([["leaked", b]]);
  });

  test("sees a page in two places, a stranger and one freed behind the pool's back", () => {
    const m = machine({ flags: PP_FLAG_DMA_MAP });
    const [a, b, c] = take(m, 3) as [number, number, number];
    m.pools.putFullPage(m.pool, a, false);
    const stranger = m.pages.allocPages(0, 0);
    m.pages.putPage(b);
    m.pools.putFullPage(m.pool, stranger, false);
    const faults = takeCensus(m.pools, m.pages, [{ name: "skb 1", pfns: [a, c] }]).faults;
    expect(faults.map((f) => `${f.fault} ${f.pfn}`).sort()).toEqual(
      [`freed while the pool's ${b}`, `stranger ${stranger}`, `two places ${a}`].sort(),
    );
  });
});
