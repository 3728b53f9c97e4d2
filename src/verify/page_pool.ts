// Replays a recorded page_pool: every operation on the model, every counter, index and page identity compared after it; the skbs that
// carry the pool's pages are the model's own. What the page allocator hands out is outside the pool: the model's pages start without a number
// and take the one that the record shows when the page is first seen. From then on, until the page is freed, the number must be that one.
import { BadInput } from "../base/bad_input.ts";
import { createJournal } from "../model/journal.ts";
import type { ExactKernel } from "../model/kernels/kernel.ts";
import { createNaivePages } from "../model/mm/pages.ts";
import type { PagePools } from "../model/net/pool/page_pool.ts";
import {
  createPagePools,
  PP_ALLOC_CACHE_REFILL,
  PP_ALLOC_CACHE_SIZE,
  PP_FLAG_DMA_MAP,
  PP_FLAG_PAGE_FRAG,
} from "../model/net/pool/page_pool.ts";
import { attachPools, skbMarkForRecycle } from "../model/net/pool/page_pool_hook.ts";
import type { SoftirqState } from "../model/net/pool/pool_context.ts";
import { softirqState } from "../model/net/pool/pool_context.ts";
import { headField, skbBit, skbField } from "../model/net/skb/skb_columns.ts";
import { skbConfigOf } from "../model/net/skb/skb_config.ts";
import { skbSizes61 } from "../model/net/skb/skb_config61.ts";
import type { Skbs } from "../model/net/skb/skbs.ts";
import { createSkbs } from "../model/net/skb/skbs.ts";
import { createHeap } from "../model/slab/kmalloc.ts";
import type { BoundPages } from "./page_pool_pages.ts";
import { boundPages } from "./page_pool_pages.ts";
import type { Difference, Replayed, Replayer, TranscriptInput } from "./replayer.ts";
import { objectAt } from "./replayer.ts";
import { kernelOfTranscript } from "./transcript_kernel.ts";

type Row = Readonly<Record<string, unknown>>;

const pageSize = 4096;
const kernelGfp = 0xcc0;
/** PP_SIGNATURE (include/linux/poison.h, page_pool/types.h): 0x40 behind where x86_64 puts pointers that are none. */
const signature = "dead000000000040";
/** What the recorder gave its skbs: room in the linear part, bytes of each fragment, more headroom when it expanded one. */
const recorderSkb = { room: 64, fragmentBytes: 1000, moreHeadroom: 64, pollBudget: 64 } as const;

/** One replay: the model's side of the machine and the skbs by their recorded number. */
interface World {
  readonly row: Row;
  readonly kernel: ExactKernel;
  readonly pages: BoundPages;
  readonly pools: PagePools;
  readonly skbs: Skbs;
  readonly context: { softirq: SoftirqState; cpu: number; readonly node: number };
  readonly named: Map<number, number>;
  readonly order: number;
  /** The record lists the pages that came and went in each operation. */
  readonly listsPages: boolean;
  /** Pages that came and went in the present operation, in order. */
  readonly held: number[];
  readonly released: string[];
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

/** Numbers beyond 2^53 stand in the record as text: both sides are compared digit by digit. */
const expectEqual = (world: World, field: string, kernel: unknown, model: unknown): void => {
  if (`${kernel}` !== `${model}`) world.wrong.push([field, `${kernel}`, `${model}`]);
};

/** The same for a field that not every recorder writes. */
const expectWhere = (world: World, row: Row, field: string, model: () => unknown): void => {
  if (field in row) expectEqual(world, field, row[field], model());
};

/** The model's page for a pfn that the operation names; it must be one the caller can hold. */
function pageNamed(world: World, pfn: number): number {
  const page = world.pages.pageOf(pfn);
  if (page < 0) throw new RangeError(`pfn ${pfn} is not a page that the pool or an skb handed out`);
  return page;
}

function skbNamed(world: World, row: Row, key: string): number {
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

/** Runs `what` as the recorder did: in a process, with bottom halves off, or in a softirq, on a CPU. */
function inContext<T>(world: World, softirq: SoftirqState, cpu: number, what: () => T): T {
  world.context.softirq = softirq;
  world.context.cpu = cpu;
  const result = what();
  world.context.softirq = softirqState.none;
  world.context.cpu = 0;
  return result;
}

// --- looking at an skb --------------------------------------------------------------------------------------------------------

const bits = ({ skbs }: World, skb: number): number => skbs.columns.S[skb + skbField.BITS] as number;
const flag = (world: World, skb: number, bit: number): number => ((bits(world, skb) & bit) === 0 ? 0 : 1);
const recycled = (world: World, skb: number): number => flag(world, skb, skbBit.ppRecycle);
const isCloned = (world: World, skb: number): number => (world.skbs.isCloned(skb) ? 1 : 0);
const dataref = ({ skbs }: World, skb: number): number =>
  (skbs.columns.H[(skbs.columns.S[skb + skbField.HEAD] as number) + headField.DATAREF] as number) & 0xffff;

/** pp_recycle of two skbs, in kernels that have it. */
function expectMarks(world: World, row: Row, first: [string, number], second: [string, number]): void {
  if (!("pp_recycle" in row)) return;
  const [a, b] = list(row, "pp_recycle");
  expectEqual(world, `pp_recycle of ${first[0]}`, a, recycled(world, first[1]));
  expectEqual(world, `pp_recycle of ${second[0]}`, b, recycled(world, second[1]));
}

// --- what the recorder did for each operation -----------------------------------------------------------------------------------

type Step = (world: World, pool: number, row: Row) => void;

const put =
  (softirqOf: (row: Row) => SoftirqState, direct: boolean): Step =>
  (world, pool, row) => {
    const page = pageNamed(world, num(row, "pfn"));
    expectEqual(world, "count_before", row.count_before, world.pages.pageCount(page));
    expectWhere(world, row, "pp_ref_before", () => world.pools.fragCount(page));
    const cpu = typeof row.cpu === "number" ? row.cpu : 0;
    inContext(world, softirqOf(row), cpu, () => world.pools.putFullPage(pool, page, direct));
  };

const inProcess = (): SoftirqState => softirqState.none;
const inSoftirq = (): SoftirqState => softirqState.running;
const bottomHalvesOff = (): SoftirqState => softirqState.bottomHalvesOff;
const asRecorded = (row: Row): SoftirqState =>
  row.bh_disabled === 1 ? softirqState.bottomHalvesOff : softirqState.none;

const freeSkb =
  (softirq: SoftirqState, free: (skbs: Skbs, skb: number) => void): Step =>
  (world, _pool, row) => {
    const skb = skbNamed(world, row, "skb");
    expectWhere(world, row, "dataref", () => dataref(world, skb));
    expectWhere(world, row, "cloned", () => flag(world, skb, skbBit.cloned));
    expectWhere(world, row, "pp_recycle", () => recycled(world, skb));
    inContext(world, softirq, 0, () => free(world.skbs, skb));
    world.named.delete(num(row, "skb"));
  };

const copySkb =
  (make: (skbs: Skbs, skb: number) => number): Step =>
  (world, _pool, row) => {
    const from = skbNamed(world, row, "from");
    const copy = make(world.skbs, from);
    if (copy === 0) throw new RangeError("the copy got no memory");
    world.named.set(num(row, "skb"), copy);
    expectMarks(world, row, ["the old skb", from], ["the new skb", copy]);
  };

const fragment =
  (cut: (world: World, pool: number, size: number) => number): Step =>
  (world, pool, row) => {
    supplyFor(world, pool, row);
    const page = cut(world, pool, num(row, "size"));
    if (page < 0) return expectNoPage(world, row.pfn);
    expectPage(world, "pfn", row.pfn, page);
    expectEqual(world, "off", row.off, world.pools.lastFragOffset());
    expectWhere(world, row, "size_out", () => world.pools.lastFragBytes());
    for (const field of ["pp_frag_count", "pp_ref_count"])
      expectWhere(world, row, field, () => world.pools.fragCount(page));
  };

/** Kernels whose skbs cannot be marked: the recorder released the page from its pool first. */
function giveToStack(world: World, pool: number, page: number): void {
  if (!world.skbs.config.recycleMarks) world.pools.releasePage(pool, page);
}

function markWhereItCan(world: World, skb: number): void {
  if (world.skbs.config.recycleMarks) skbMarkForRecycle(world.skbs, skb);
}

const steps: Readonly<Record<string, Step>> = {
  nop: () => {},
  alloc(world, pool, row) {
    supplyFor(world, pool, row);
    const page = world.pools.allocPages(pool, 0);
    if (page < 0) return expectNoPage(world, row.pfn);
    expectPage(world, "pfn", row.pfn, page);
    expectEqual(world, "page_count", row.page_count, world.pages.pageCount(page));
    expectWhere(world, row, "pp_ref_count", () => world.pools.fragCount(page));
    const mapped = (world.pools.params(pool).flags & PP_FLAG_DMA_MAP) !== 0;
    expectEqual(world, "dma", row.dma, mapped ? (world.pools.dmaAddress(page) !== 0 ? 1 : 0) : -1);
  },
  alloc_frag: fragment((world, pool, size) => world.pools.allocFrag(pool, size, 0)),
  page_pool_alloc: fragment((world, pool, size) => world.pools.allocSized(pool, size, 0)),
  put_ring: put(inProcess, false),
  put_softirq: put(bottomHalvesOff, false),
  put_direct_softirq: put(inSoftirq, true),
  put_direct_process: put(asRecorded, true),
  put_bulk(world, pool, row) {
    const pfns = list(row, "pfns").map((pfn) => pageNamed(world, pfn));
    // A driver gives back in bulk from its poll.
    inContext(world, softirqState.bottomHalvesOff, 0, () =>
      world.pools.putPageBulk(pool, Int32Array.from(pfns), pfns.length),
    );
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
  skb_head(world, pool, row) {
    const page = pageNamed(world, num(row, "pfn"));
    expectEqual(world, "count", row.count, world.pages.pageCount(page));
    expectWhere(world, row, "pp_ref_count", () => world.pools.fragCount(page));
    giveToStack(world, pool, page);
    const skb = world.skbs.buildSkb(page * pageSize, pageSize << world.order);
    markWhereItCan(world, skb);
    world.named.set(num(row, "skb"), skb);
  },
  skb_frags(world, pool, row) {
    const { skbs } = world;
    const skb = skbs.allocSkb(recorderSkb.room, kernelGfp);
    if (skb === 0) throw new RangeError("the skb got no memory");
    for (const [i, pfn] of list(row, "pfns").entries()) {
      const page = pageNamed(world, pfn);
      giveToStack(world, pool, page);
      skbs.skbAddRxFrag(skb, i, page, 0, recorderSkb.fragmentBytes, pageSize << world.order);
    }
    markWhereItCan(world, skb);
    world.named.set(num(row, "skb"), skb);
  },
  kfree_skb: freeSkb(softirqState.none, (skbs, skb) => skbs.kfreeSkb(skb)),
  kfree_skb_softirq: freeSkb(softirqState.bottomHalvesOff, (skbs, skb) => skbs.kfreeSkb(skb)),
  consume_skb: freeSkb(softirqState.none, (skbs, skb) => skbs.consumeSkb(skb)),
  napi_consume_skb: freeSkb(softirqState.bottomHalvesOff, (skbs, skb) =>
    skbs.napiConsumeSkb(skb, recorderSkb.pollBudget),
  ),
  skb_clone: copySkb((skbs, skb) => skbs.skbClone(skb, kernelGfp)),
  pskb_copy: copySkb((skbs, skb) => skbs.pskbCopy(skb, kernelGfp)),
  pskb_expand_head(world, _pool, row) {
    const skb = skbNamed(world, row, "skb");
    expectWhere(world, row, "pp_recycle_before", () => recycled(world, skb));
    expectEqual(world, "cloned", row.cloned, isCloned(world, skb));
    const ret = world.skbs.pskbExpandHead(skb, recorderSkb.moreHeadroom, 0, kernelGfp);
    expectEqual(world, "ret", row.ret, ret);
    expectWhere(world, row, "pp_recycle", () => recycled(world, skb));
  },
  skb_try_coalesce(world, _pool, row) {
    const to = skbNamed(world, row, "to");
    const from = skbNamed(world, row, "from");
    const { skbs } = world;
    expectEqual(world, "to_tailroom", row.to_tailroom, skbs.tailroom(to));
    expectEqual(world, "from_len", row.from_len, skbs.columns.S[from + skbField.LEN]);
    expectEqual(world, "from_headlen", row.from_headlen, skbs.headlen(from));
    expectEqual(world, "to_nr_frags", row.to_nr_frags, skbs.nrFrags(to));
    expectEqual(world, "from_nr_frags", row.from_nr_frags, skbs.nrFrags(from));
    expectEqual(world, "to_cloned", row.to_cloned, isCloned(world, to));
    expectEqual(world, "from_cloned", row.from_cloned, isCloned(world, from));
    expectEqual(world, "from_head_frag", row.from_head_frag, flag(world, from, skbBit.headFrag));
    const { merged, headStolen } = skbs.skbTryCoalesce(to, from);
    expectEqual(world, "ret", row.ret, merged ? 1 : 0);
    expectEqual(world, "stolen", row.stolen, headStolen ? 1 : 0);
    expectMarks(world, row, ["to", to], ["from", from]);
    if (!merged) return;
    skbs.kfreeSkbPartial(from, headStolen);
    world.named.delete(num(row, "from"));
  },
  page_pool_destroy(world, pool, row) {
    expectEqual(world, "inflight_before", row.inflight_before, world.pools.inflight(pool));
    world.pools.destroy(pool);
  },
};

// --- comparing ------------------------------------------------------------------------------------------------------------------

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
function stateOf(world: World, pool: number): Readonly<Record<string, number | bigint>> {
  const { pools } = world;
  const { rings } = pools;
  const stats = pools.stats(pool);
  const frag = pools.fragPage(pool);
  const users = frag < 0 ? 0n : pools.fragCount(frag);
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
    frag_count: users,
    frag_ref: users,
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
      } else if (!(field in mine)) world.wrong.push([field, `${value}`, "does not know this field"]);
      else expectEqual(world, field, value, mine[field]);
    }
  }
  comparePages(world, "cache_pfns", row.cache_pfns, world.pools.cacheContents(pool));
  comparePages(
    world,
    "ring_pfns",
    row.ring_pfns,
    world.pools.rings.occupied(pool).map((value) => value - 1),
  );
  compareHeld(world, row.held);
}

function comparePages(world: World, field: string, recorded: unknown, mine: readonly number[]): void {
  if (!Array.isArray(recorded)) return;
  expectEqual(world, `${field}.length`, recorded.length, mine.length);
  for (let i = 0; i < Math.min(recorded.length, mine.length); i++)
    expectPage(world, `${field}[${i}]`, recorded[i], mine[i] as number);
}

/** Pages that the recorder's driver holds: number, page count, pool users. */
function compareHeld(world: World, recorded: unknown): void {
  if (!Array.isArray(recorded)) return;
  for (const [pfn, count, users] of recorded as [number, number, unknown][]) {
    const page = pageNamed(world, pfn);
    expectEqual(world, `held ${pfn} page count`, count, world.pages.pageCount(page));
    expectEqual(world, `held ${pfn} pool users`, users, world.pools.fragCount(page));
  }
}

/** The pages that came to the pool and left it in this operation, by the trace events of the recording. */
function compareTraffic(world: World, row: Row): void {
  if (!world.listsPages) return;
  comparePages(world, "held_pfns", row.held_pfns ?? [], world.held);
  expectEqual(world, "released_pfns", String(row.released_pfns ?? []), String(world.released));
}

/** Numbers that no double holds become texts. */
const exactly = (line: string): string => line.replace(/([:,])(\d{16,})(?=[,\]}])/g, '$1"$2"');

/** The flags that the kernel got. Where the header cannot say that the recorder cut fragments, 7.2's says it with a flag that is gone. */
function flagsOf(row: Row, kernel: ExactKernel): number {
  const flags = row.flags as number;
  return kernel.parts.net.pool?.fragments === "any pool" && !("frag_api" in row) ? flags & ~PP_FLAG_PAGE_FRAG : flags;
}

/** The pool that the header asks for; -errno and the comparison of the header itself. */
function begin(input: TranscriptInput, row: Row): { world: World; pool: number } {
  const place = { file: input.path, line: 1 };
  for (const key of ["flags", "order", "pool_size", "err"])
    if (typeof row[key] !== "number") throw new BadInput(`The header of this transcript has no "${key}".`, place);
  const kernel = kernelOfTranscript(input, row);
  const order = row.order as number;
  const pages = boundPages(order);
  const context = { softirq: softirqState.none as SoftirqState, cpu: 0, node: 0 };
  const journal = createJournal();
  const pools = createPagePools({
    ...kernel.parts.net.pool,
    pages,
    journal,
    context,
    pfnMax: Math.max(4096, input.lines.length * 66),
    poolsMax: 1,
    // Page 0 must not have the address 0, which says "not mapped".
    dma: { map: (page) => (page + 1) * pageSize, unmap() {}, syncForDevice() {} },
  });
  const world: World = {
    row,
    kernel,
    pages,
    pools,
    skbs: skbsOver(kernel, pages, pools),
    context,
    named: new Map(),
    order,
    listsPages: input.lines.some((line) => line.includes('"held_pfns"')),
    held: [],
    released: [],
    wrong: [],
  };
  if (world.listsPages) {
    journal.listen((_kind, _nanos, _cpu, _pool, page) => world.held.push(page), "page_pool_state_hold");
    journal.listen(
      (_kind, _nanos, _cpu, _pool, page) => world.released.push(pages.name(page)),
      "page_pool_state_release",
    );
  }
  const pool = pools.create({
    flags: flagsOf(row, kernel),
    order,
    poolSize: row.pool_size as number,
    nid: -1,
    dmaDir: "from_device",
    // The recorder gives the whole page; no counter shows it.
    maxLen: pageSize << order,
    offset: 0,
    cpu: typeof row.cpuid === "number" ? row.cpuid : -1,
    ...(row.napi === 1 ? { napi: { listOwner: row.napi_list_owner as number } } : {}),
  });
  expectEqual(world, "err", row.err, Math.min(pool, 0));
  expectWhere(world, row, "PP_ALLOC_CACHE_SIZE", () => PP_ALLOC_CACHE_SIZE);
  expectWhere(world, row, "PP_ALLOC_CACHE_REFILL", () => PP_ALLOC_CACHE_REFILL);
  expectWhere(world, row, "PP_SIGNATURE", () => signature);
  if (pool < 0) return { world, pool };
  if ("ring_size" in row) expectEqual(world, "ring_size", row.ring_size, pools.rings.size(pool));
  if ("ring_batch" in row) expectEqual(world, "ring_batch", row.ring_batch, pools.rings.batch(pool));
  compareState(world, pool, row);
  return { world, pool };
}

/** The skbs of that kernel: fragments are the pool's pages, heads lie in a heap of their own. */
function skbsOver(kernel: ExactKernel, pages: BoundPages, pools: PagePools): Skbs {
  const { release } = kernel;
  const heap = createHeap({
    release,
    allocator: "slub",
    parts: kernel.parts.slab,
    cpus: 2,
    pages: createNaivePages(1 << 16),
    journal: createJournal(),
  });
  const skbs = createSkbs({ pages, heap, config: skbConfigOf(kernel.parts.net.skb, skbSizes61), skbsMax: 4096 });
  if (skbs.config.recycleMarks) attachPools(skbs, pools);
  return skbs;
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

function replay(recording: TranscriptInput): Replayed {
  const input = { ...recording, lines: recording.lines.map(exactly) };
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
  // A pool that the kernel made and the model refuses has no state to compare.
  if (pool < 0 && header.err === 0) return { operations: input.lines.length, exact, firstDifference: first };
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
    world.held.length = 0;
    world.released.length = 0;
    try {
      step(world, pool, row);
      compareTraffic(world, row);
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
  formats: ["ora_pp/0", "ora_pp/1", "ora_pp/2"],
  sniff: (firstLine) => /^\s*\{"t"\s*:\s*"pool"/.test(firstLine) && firstLine.includes('"pool_size"'),
  replay,
};
