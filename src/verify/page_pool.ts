// Replays a recorded page_pool: every operation on the model, every counter, index and page identity compared after it.
// What the page allocator hands out is outside the pool: the model's pages start without a number and take the one that the
// record shows when the page is first seen. From then on, until the page is freed, the number must be that one.
import { BadInput } from "../base/bad_input.ts";
import { createJournal } from "../model/journal.ts";
import type { PageAllocator } from "../model/mm/pages.ts";
import type { PagePools } from "../model/net/pool/page_pool.ts";
import { createPagePools, PP_FLAG_DMA_MAP } from "../model/net/pool/page_pool.ts";
import type { PoolSkb, PoolSkbs } from "../model/net/pool/page_pool_skb.ts";
import { createPoolSkbs, policy61 } from "../model/net/pool/page_pool_skb.ts";
import type { Heap } from "../model/slab/heap.ts";
import type { Difference, Replayed, Replayer, TranscriptInput } from "./replayer.ts";
import { objectAt } from "./replayer.ts";

type Row = Readonly<Record<string, unknown>>;

/** Pages without a number: ids that the replay binds to recorded pfns. */
interface BoundPages extends PageAllocator {
  /** How many pages the next slow path may get; the record says it, the page allocator is not modelled here. */
  supply: number;
  /** True when the model's page may be the recorded pfn; binds it when neither was bound before. */
  same(page: number, pfn: number): boolean;
  /** The model's page for a recorded pfn, or -1. */
  pageOf(pfn: number): number;
  /** The recorded pfn of a page, or "?" while it was never seen. */
  name(page: number): string;
}

function boundPages(order: number): BoundPages {
  const counts = new Map<number, number>();
  const pfnOf = new Map<number, number>();
  const pageOf = new Map<number, number>();
  let next = 0;
  const take = (): number => {
    const page = next++;
    counts.set(page, 1);
    return page;
  };
  const add = (page: number, n: number): void => {
    const now = (counts.get(page) ?? Number.NaN) + n;
    if (Number.isNaN(now)) throw new RangeError(`page ${pages.name(page)} is used after it was freed`);
    counts.set(page, now);
    if (now > 0) return;
    counts.delete(page);
    // The number stays with the dead page: a taken slot of the ring still points there until it is zeroed.
    const pfn = pfnOf.get(page);
    if (pfn !== undefined) pageOf.delete(pfn);
  };
  const pages: BoundPages = {
    supply: 0,
    same(page, pfn) {
      const bound = pfnOf.get(page);
      if (bound !== undefined) return bound === pfn;
      if (pageOf.has(pfn) || !counts.has(page)) return false;
      pfnOf.set(page, pfn);
      pageOf.set(pfn, page);
      return true;
    },
    pageOf: (pfn) => pageOf.get(pfn) ?? -1,
    name: (page) => `${pfnOf.get(page) ?? "?"}`,
    allocPages: () => (pages.supply-- > 0 ? take() : -1),
    allocPagesBulk(_gfp, want, into) {
      let got = 0;
      for (; got < want && pages.supply > 0; pages.supply--) into[got++] = take();
      return got;
    },
    freePages: (page) => add(page, -1),
    getPage: (page) => add(page, 1),
    putPage: (page) => add(page, -1),
    addPageRefs: add,
    pageCount: (page) => counts.get(page) ?? 0,
    compoundHead: (page) => page,
    compoundOrder: () => order,
    isPfmemalloc: () => false,
    nodeOf: () => 0,
  };
  return pages;
}

/** kmalloc of skb heads: only the size that a request is rounded up to matters here. */
function headHeap(): Heap {
  const sizes = [8, 16, 32, 64, 96, 128, 192, 256, 512, 1024, 2048, 4096, 8192];
  const roundup = (size: number): number => {
    const bucket = sizes.find((s) => s >= size);
    if (bucket !== undefined) return bucket;
    let bytes = 16384;
    while (bytes < size) bytes *= 2;
    return bytes;
  };
  // Above every page of the replay, so that a head is never taken for a pool's page.
  let next = 2 ** 40;
  return {
    pageSize: 4096,
    kmalloc(size) {
      const at = next;
      next += roundup(size);
      return at;
    },
    kfree() {},
    ksize: () => 0,
    kmallocSizeRoundup: roundup,
    cacheCreate: () => 0,
    cacheAlloc: () => -1,
    cacheFree() {},
  };
}

/** One replay: the model's side of the machine and the skbs by their recorded number. */
interface World {
  readonly row: Row;
  readonly pages: BoundPages;
  readonly pools: PagePools;
  readonly skbs: PoolSkbs;
  readonly context: { inSoftirq: boolean; node: number };
  readonly named: Map<number, PoolSkb>;
  readonly order: number;
  /** What differed in the present operation: [field, kernel, model]. */
  wrong: [string, string, string][];
}

const num = (row: Row, key: string): number => {
  const value = row[key];
  if (typeof value !== "number") throw new RangeError(`this operation has no number "${key}"`);
  return value;
};

const list = (row: Row, key: string): number[] => {
  const value = row[key];
  if (!Array.isArray(value) || !value.every((v) => typeof v === "number"))
    throw new RangeError(`this operation has no list "${key}"`);
  return value as number[];
};

const expectEqual = (world: World, field: string, kernel: unknown, model: unknown): void => {
  if (kernel !== model) world.wrong.push([field, `${kernel}`, `${model}`]);
};

/** The model's page for a pfn that the operation names; it must be one the caller can hold. */
function pageNamed(world: World, pfn: number): number {
  const page = world.pages.pageOf(pfn);
  if (page < 0) throw new RangeError(`pfn ${pfn} is not a page that the pool or an skb handed out`);
  return page;
}

function skbNamed(world: World, row: Row, key: string): PoolSkb {
  const skb = world.named.get(num(row, key));
  if (skb === undefined) throw new RangeError(`skb ${num(row, key)} is not alive`);
  return skb;
}

/** Pages that the slow path got, by the recorded hold counter: outside the pool, so followed. */
function supplyFor(world: World, pool: number, row: Row): void {
  const state = row.s;
  const hold = typeof state === "object" && state !== null ? (state as Row).hold : undefined;
  world.pages.supply = typeof hold === "number" ? (hold - world.pools.holdCount(pool)) >>> 0 : 0;
}

type Step = (world: World, pool: number, row: Row) => void;

const put =
  (softirq: boolean, direct: boolean): Step =>
  (world, pool, row) => {
    const page = pageNamed(world, num(row, "pfn"));
    expectEqual(world, "count_before", row.count_before, world.pages.pageCount(page));
    world.context.inSoftirq = softirq;
    world.pools.putFullPage(pool, page, direct);
    world.context.inSoftirq = false;
  };

const freeSkb: Step = (world, _pool, row) => {
  const skb = skbNamed(world, row, "skb");
  if ("dataref" in row) expectEqual(world, "dataref", row.dataref, skb.data.dataref);
  if ("cloned" in row) expectEqual(world, "cloned", row.cloned, skb.cloned ? 1 : 0);
  expectEqual(world, "pp_recycle", row.pp_recycle, skb.ppRecycle ? 1 : 0);
  world.skbs.free(skb);
  world.named.delete(num(row, "skb"));
};

const copySkb =
  (make: (skbs: PoolSkbs, skb: PoolSkb) => PoolSkb | undefined): Step =>
  (world, _pool, row) => {
    const from = skbNamed(world, row, "from");
    const copy = make(world.skbs, from);
    if (copy === undefined) throw new RangeError("the copy got no memory");
    world.named.set(num(row, "skb"), copy);
    const [a, b] = list(row, "pp_recycle");
    expectEqual(world, "pp_recycle of the old skb", a, from.ppRecycle ? 1 : 0);
    expectEqual(world, "pp_recycle of the new skb", b, copy.ppRecycle ? 1 : 0);
  };

/** What the recorder did for each operation. */
const steps: Readonly<Record<string, Step>> = {
  nop: () => {},
  alloc(world, pool, row) {
    supplyFor(world, pool, row);
    const page = world.pools.allocPages(pool, 0);
    if (page < 0) return expectNoPage(world, row.pfn);
    expectPage(world, "pfn", row.pfn, page);
    expectEqual(world, "page_count", row.page_count, world.pages.pageCount(page));
    const mapped = (world.pools.params(pool).flags & PP_FLAG_DMA_MAP) !== 0;
    expectEqual(world, "dma", row.dma, mapped ? (world.pools.dmaAddress(page) !== 0 ? 1 : 0) : -1);
  },
  alloc_frag(world, pool, row) {
    supplyFor(world, pool, row);
    const page = world.pools.allocFrag(pool, num(row, "size"), 0);
    if (page < 0) return expectNoPage(world, row.pfn);
    expectPage(world, "pfn", row.pfn, page);
    expectEqual(world, "off", row.off, world.pools.lastFragOffset());
    expectEqual(world, "pp_frag_count", Number(row.pp_frag_count), Number(world.pools.fragCount(page)));
  },
  put_ring: put(false, false),
  put_direct_softirq: put(true, true),
  put_direct_process: put(false, true),
  put_bulk(world, pool, row) {
    const pfns = list(row, "pfns").map((pfn) => pageNamed(world, pfn));
    world.pools.putPageBulk(pool, Int32Array.from(pfns), pfns.length);
  },
  release_and_put(world, pool, row) {
    const page = pageNamed(world, num(row, "pfn"));
    expectEqual(world, "count_before", row.count_before, world.pages.pageCount(page));
    world.pools.releasePage(pool, page);
    world.pages.putPage(page);
  },
  get_page(world, _pool, row) {
    const page = pageNamed(world, num(row, "pfn"));
    world.pages.getPage(page);
    expectEqual(world, "count", row.count, world.pages.pageCount(page));
  },
  put_page(world, _pool, row) {
    const page = pageNamed(world, num(row, "pfn"));
    expectEqual(world, "count_before", row.count_before, world.pages.pageCount(page));
    world.pages.putPage(page);
  },
  skb_head(world, _pool, row) {
    const page = pageNamed(world, num(row, "pfn"));
    expectEqual(world, "count", row.count, world.pages.pageCount(page));
    const skb = world.skbs.buildSkb(page, world.order);
    world.skbs.markForRecycle(skb, 0);
    world.named.set(num(row, "skb"), skb);
  },
  skb_frags(world, _pool, row) {
    const skb = world.skbs.allocSkb(64);
    if (skb === undefined) throw new RangeError("the skb got no memory");
    for (const pfn of list(row, "pfns")) world.skbs.addRxFrag(skb, pageNamed(world, pfn), 0, 1000);
    world.skbs.markForRecycle(skb, 0);
    world.named.set(num(row, "skb"), skb);
  },
  kfree_skb: freeSkb,
  consume_skb: freeSkb,
  napi_consume_skb: freeSkb,
  skb_clone: copySkb((skbs, skb) => skbs.clone(skb)),
  pskb_copy: copySkb((skbs, skb) => skbs.pskbCopy(skb)),
  pskb_expand_head(world, _pool, row) {
    const skb = skbNamed(world, row, "skb");
    expectEqual(world, "pp_recycle_before", row.pp_recycle_before, skb.ppRecycle ? 1 : 0);
    expectEqual(world, "cloned", row.cloned, world.skbs.isCloned(skb) ? 1 : 0);
    expectEqual(world, "ret", row.ret, world.skbs.expandHead(skb, 64, 0) ? 0 : -12);
    expectEqual(world, "pp_recycle", row.pp_recycle, skb.ppRecycle ? 1 : 0);
  },
  skb_try_coalesce(world, _pool, row) {
    const to = skbNamed(world, row, "to");
    const from = skbNamed(world, row, "from");
    const { skbs } = world;
    expectEqual(world, "to_tailroom", row.to_tailroom, skbs.tailroom(to));
    expectEqual(world, "from_len", row.from_len, skbs.lengthOf(from));
    expectEqual(world, "from_headlen", row.from_headlen, from.headLen);
    expectEqual(world, "to_nr_frags", row.to_nr_frags, to.data.frags.length);
    expectEqual(world, "from_nr_frags", row.from_nr_frags, from.data.frags.length);
    expectEqual(world, "to_cloned", row.to_cloned, skbs.isCloned(to) ? 1 : 0);
    expectEqual(world, "from_cloned", row.from_cloned, skbs.isCloned(from) ? 1 : 0);
    expectEqual(world, "from_head_frag", row.from_head_frag, from.headFrag ? 1 : 0);
    const { merged, stolen } = skbs.tryCoalesce(to, from);
    expectEqual(world, "ret", row.ret, merged ? 1 : 0);
    expectEqual(world, "stolen", row.stolen, stolen ? 1 : 0);
    const [a, b] = list(row, "pp_recycle");
    expectEqual(world, "pp_recycle of to", a, to.ppRecycle ? 1 : 0);
    expectEqual(world, "pp_recycle of from", b, from.ppRecycle ? 1 : 0);
    if (!merged) return;
    if (stolen) skbs.freeStolen(from);
    else skbs.free(from);
    world.named.delete(num(row, "from"));
  },
  page_pool_destroy(world, pool, row) {
    expectEqual(world, "inflight_before", row.inflight_before, world.pools.inflight(pool));
    world.pools.destroy(pool);
  },
};

/** A failed allocation: recorded as null, or as no page frame number. */
function expectNoPage(world: World, pfn: unknown): void {
  if (typeof pfn === "number" && pfn > 0) world.wrong.push(["pfn", `${pfn}`, "no page"]);
}

function expectPage(world: World, field: string, pfn: unknown, page: number): void {
  if (typeof pfn !== "number" || !world.pages.same(page, pfn))
    world.wrong.push([
      field,
      `${pfn}`,
      `another page${world.pages.name(page) === "?" ? "" : ` (${world.pages.name(page)})`}`,
    ]);
}

/** Everything that "s" may hold, as the model has it. */
function stateOf(world: World, pool: number): Readonly<Record<string, number>> {
  const { pools } = world;
  const { rings } = pools;
  const stats = pools.stats(pool);
  const frag = pools.fragPage(pool);
  return {
    cache: pools.cacheCount(pool),
    // The recorder counts the slots that are not zero, taken ones too.
    ring: rings.occupied(pool).length,
    prod: rings.producer(pool),
    cons_head: rings.consumerHead(pool),
    cons_tail: rings.consumerTail(pool),
    hold: pools.holdCount(pool),
    release: pools.releaseCount(pool),
    inflight: pools.inflight(pool),
    fast: stats.fast,
    slow: stats.slow,
    slow_high_order: stats.slowHighOrder,
    empty: stats.empty,
    refill: stats.refill,
    waive: stats.waive,
    cached: stats.cached,
    cache_full: stats.cacheFull,
    ringed: stats.ring,
    ring_full: stats.ringFull,
    released_refcnt: stats.releasedRefcnt,
    frag_off: pools.fragOffset(pool),
    frag_users: pools.fragUsers(pool),
    frag_count: frag < 0 ? 0 : Number(pools.fragCount(frag)),
  };
}

function compareState(world: World, pool: number, row: Row): void {
  const recorded = row.s;
  if (typeof recorded === "object" && recorded !== null) {
    const mine = stateOf(world, pool);
    for (const [field, value] of Object.entries(recorded)) {
      if (field === "frag_pfn") {
        const page = world.pools.fragPage(pool);
        if (page >= 0 || value !== -1) expectPage(world, field, value, page);
      } else if (mine[field] !== value)
        world.wrong.push([field, `${value}`, `${mine[field] ?? "does not know this field"}`]);
    }
  }
  comparePages(world, "cache_pfns", row.cache_pfns, world.pools.cacheContents(pool));
  comparePages(
    world,
    "ring_pfns",
    row.ring_pfns,
    world.pools.rings.occupied(pool).map((value) => value - 1),
  );
}

function comparePages(world: World, field: string, recorded: unknown, mine: readonly number[]): void {
  if (!Array.isArray(recorded)) return;
  expectEqual(world, `${field}.length`, recorded.length, mine.length);
  for (let i = 0; i < Math.min(recorded.length, mine.length); i++)
    expectPage(world, `${field}[${i}]`, recorded[i], mine[i] as number);
}

/** The pool that the header asks for; -errno and the comparison of the header itself. */
function begin(input: TranscriptInput, row: Row): { world: World; pool: number } {
  const place = { file: input.path, line: 1 };
  for (const key of ["flags", "order", "pool_size", "err"])
    if (typeof row[key] !== "number") throw new BadInput(`The header of this transcript has no "${key}".`, place);
  const order = row.order as number;
  const pages = boundPages(order);
  const context = { inSoftirq: false, node: 0 };
  const pools = createPagePools({
    pages,
    journal: createJournal(),
    context,
    pfnMax: Math.max(4096, input.lines.length * 66),
    poolsMax: 1,
    // Page 0 must not have the address 0, which says "not mapped".
    dma: { map: (page) => (page + 1) * 4096, unmap() {}, syncForDevice() {} },
  });
  const skbs = createPoolSkbs({ pools, pages, heap: headHeap(), policy: policy61 });
  const world: World = { row, pages, pools, skbs, context, named: new Map(), order, wrong: [] };
  const pool = pools.create({
    flags: row.flags as number,
    order,
    poolSize: row.pool_size as number,
    nid: -1,
    dmaDir: "from_device",
    // The recorder gives the whole page; no counter shows it.
    maxLen: 4096 << order,
    offset: 0,
  });
  expectEqual(world, "err", row.err, Math.min(pool, 0));
  if (pool < 0) return { world, pool };
  if ("ring_size" in row) expectEqual(world, "ring_size", row.ring_size, pools.rings.size(pool));
  if ("ring_batch" in row) expectEqual(world, "ring_batch", row.ring_batch, pools.rings.batch(pool));
  compareState(world, pool, row);
  return { world, pool };
}

function difference(world: World, row: Row, line: number): Difference {
  const [first] = world.wrong as [[string, string, string], ...[string, string, string][]];
  const what = ["pfn", "skb", "from", "to", "size"].filter((k) => k in row).map((k) => `${k} ${row[k]}`);
  return {
    line,
    operation: [row.op ?? row.t, "i" in row ? `i=${row.i}` : "", ...what].filter((x) => x !== "").join(" "),
    kernel: world.wrong.map(([field, kernel]) => `${field}=${kernel}`).join(" "),
    model: world.wrong.map(([field, , model]) => `${field}=${model}`).join(" "),
    reasons: [`The first field that differs is ${first[0]}.`],
  };
}

function replay(input: TranscriptInput): Replayed {
  const header = objectAt(input, 0);
  const { world, pool } = begin(input, header);
  let operations = 1;
  let exact = 0;
  let first: Difference | undefined;
  const settle = (row: Row, line: number): void => {
    if (world.wrong.length === 0) exact++;
    else first ??= difference(world, row, line);
    world.wrong = [];
  };
  settle(header, 1);
  for (let i = 1; i < input.lines.length; i++) {
    if (input.lines[i]?.trim() === "") continue;
    const row = objectAt(input, i);
    if (row.t === "end") break;
    const step = typeof row.op === "string" ? steps[row.op] : undefined;
    if (step === undefined)
      throw new BadInput(
        `Unknown operation "${row.op}".`,
        { file: input.path, line: i + 1 },
        "Is this a page_pool transcript?",
      );
    operations++;
    try {
      step(world, pool, row);
      if (row.op !== "page_pool_destroy") compareState(world, pool, row);
    } catch (error) {
      // A page or skb that the record names and the model does not have: the model went another way before.
      if (!(error instanceof RangeError)) throw error;
      world.wrong.push(["step", "done", error.message]);
    }
    settle(row, i + 1);
  }
  return { operations, exact, firstDifference: first };
}

/** page_pool transcripts: the header line has "t":"pool". */
export const pagePoolReplayer: Replayer = {
  kind: "page_pool",
  sniff: (firstLine) => /^\s*\{"t"\s*:\s*"pool"/.test(firstLine) && firstLine.includes('"pool_size"'),
  replay,
};
