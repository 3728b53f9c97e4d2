// The skbs and page pools of each recorded kernel: random histories against a twin that only counts holders, every short history of a small
// world, and every allocation failed once. What the kernels do was recorded (src/verify); here nothing may be lost or given twice.

import { describe, expect, test } from "vitest";
import type { Prng } from "../../../base/prng.ts";
import { prng } from "../../../base/prng.ts";
import { oneIn } from "../../../base/size.testkit.ts";
import { failing } from "../../failing.ts";
import { createJournal } from "../../journal.ts";
import type { ExactKernel } from "../../kernels/kernel.ts";
import { exactKernels } from "../../kernels/parts_for.ts";
import { createNaivePages } from "../../mm/pages.ts";
import { createHeap } from "../../slab/kmalloc.ts";
import { headField, skbBit, skbField } from "../skb/skb_columns.ts";
import { skbConfigOf } from "../skb/skb_config.ts";
import { skbSizes61 } from "../skb/skb_config61.ts";
import { createSkbs } from "../skb/skbs.ts";
import { createPagePools, defaultPoolParams, PP_FLAG_PAGE_FRAG } from "./page_pool.ts";
import { attachPools, skbMarkForRecycle } from "./page_pool_hook.ts";
import { softirqState } from "./pool_context.ts";

const gfp = 0xcc0;
const pageSize = 4096;
const pfnMax = 512;

/** A pool, the skbs that carry its pages, and lists of what the caller holds; `nth` allocation of all is refused (0: none). */
function world(kernel: ExactKernel, nth = 0, cuts = true) {
  const faults = failing({ nth });
  const pages = faults.pages(createNaivePages(pfnMax, 1));
  const journal = createJournal();
  const context = { softirq: softirqState.none as 0 | 1 | 2, cpu: 0, node: 0 };
  const pools = createPagePools({
    ...kernel.parts.net.pool,
    pages,
    journal,
    context,
    pfnMax: pfnMax + 1,
    poolsMax: 1,
    ringSlots: 64,
  });
  const heap = faults.heap(
    createHeap({
      release: kernel.release,
      parts: kernel.parts.slab,
      allocator: "slub",
      cpus: 2,
      pages: createNaivePages(1 << 12),
      journal: createJournal(),
    }),
  );
  const skbs = createSkbs({ pages, heap, config: skbConfigOf(kernel.parts.net.skb, skbSizes61), skbsMax: 512 });
  const marks = skbs.config.recycleMarks;
  if (marks) attachPools(skbs, pools);
  const { fragments } = kernel.parts.net.pool ?? { fragments: "none" };
  // Where a pool says that it cuts fragments, it gives no whole pages.
  const flagged = fragments === "flagged pools" && cuts;
  const flags = flagged ? PP_FLAG_PAGE_FRAG : 0;
  const pool = pools.create({ ...defaultPoolParams, flags, poolSize: 8, napi: { listOwner: 1 } });
  /** Pool pages in the driver's hands: one entry a user. */
  const driver: number[] = [];
  const live: number[] = [];
  const whole = !flagged;
  const pieces = flagged || fragments === "any pool";
  return { pages, pools, pool, heap, skbs, marks, whole, pieces, context, driver, live, faults };
}
type World = ReturnType<typeof world>;

/** The twin: how often each page is held, from nothing but the lists of holders. */
function holders({ skbs, driver, live }: World): Map<number, number> {
  const counts = new Map<number, number>();
  const add = (pfn: number): void => void counts.set(pfn, (counts.get(pfn) ?? 0) + 1);
  const { S: rows, H, F, fragBase } = skbs.columns;
  const heads = new Set(live.map((skb) => rows[skb + skbField.HEAD] as number));
  for (const head of heads) {
    const owner = live.find((skb) => rows[skb + skbField.HEAD] === head) as number;
    if (((rows[owner + skbField.BITS] as number) & skbBit.headFrag) !== 0) add(H[head + headField.PFN] as number);
    for (let i = 0; i < (H[head + headField.NR_FRAGS] as number); i++) add(F[fragBase(head) + i * 4] as number);
  }
  for (const pfn of driver) add(pfn);
  return counts;
}

/** Every page's references are those of its holders, and nobody's page is at home. */
function audit(w: World): void {
  const { pools, pool, pages } = w;
  const held = holders(w);
  const home = [...pools.cacheContents(pool), ...pools.ringContents(pool)];
  const faults: string[] = [];
  if (new Set(home).size !== home.length) faults.push("a page is at home twice");
  for (const pfn of home)
    if (held.has(pfn) || pages.pageCount(pfn) !== 1 || pools.fragmentUsers(pfn) > 1)
      faults.push(`page ${pfn} is at home with ${held.get(pfn) ?? 0} holders, count ${pages.pageCount(pfn)}`);
  for (const [pfn, count] of held) {
    const users = pools.poolOf(pfn) >= 0 ? pools.fragmentUsers(pfn) : 0;
    // The users that the pool counts share its one page reference.
    const references = pages.pageCount(pfn) + (users > 0 ? users - 1 : 0);
    if (references !== count) faults.push(`page ${pfn}: ${references} references, ${users} users, ${count} holders`);
  }
  const out = new Set([...held.keys()].filter((pfn) => pools.poolOf(pfn) >= 0));
  const cutFrom = pools.fragPage(pool);
  if (cutFrom >= 0) out.add(cutFrom);
  if (pools.inflight(pool) !== out.size + home.length)
    faults.push(`${pools.inflight(pool)} in flight, ${out.size} out, ${home.length} at home`);
  expect(faults).toEqual([]);
}

/** One of the driver's pages goes into an skb's hands. */
function give(w: World): number {
  const pfn = w.driver.pop() as number;
  if (!w.marks) w.pools.releasePage(w.pool, pfn);
  return pfn;
}

function keep(w: World, skb: number): void {
  if (skb === 0) return;
  w.live.push(skb);
}

const pick = (p: Prng, from: readonly number[]): number => from[p.below(from.length)] as number;
const take = (p: Prng, from: number[]): number => from.splice(p.below(from.length), 1)[0] as number;

/** What can happen; each does nothing where it has nothing to work on. */
const steps: Readonly<Record<string, (w: World, p: Prng) => void>> = {
  alloc(w) {
    if (!w.whole) return;
    const pfn = w.pools.allocPages(w.pool, 0);
    if (pfn >= 0) w.driver.push(pfn);
  },
  fragment(w, p) {
    if (!w.pieces) return;
    const pfn = w.pools.allocFrag(w.pool, 1 + p.below(2000), 0);
    if (pfn >= 0) w.driver.push(pfn);
  },
  put(w, p) {
    if (w.driver.length > 0) w.pools.putFullPage(w.pool, take(p, w.driver), p.chance(0.5));
  },
  bulk(w) {
    const pfns = Int32Array.from(w.driver.splice(0, 3));
    w.pools.putPageBulk(w.pool, pfns, pfns.length);
  },
  build(w) {
    const pfn = w.driver.at(-1);
    // A head fills its page: no fragment of the page may be with somebody else.
    if (pfn === undefined || w.driver.indexOf(pfn) !== w.driver.length - 1) return;
    if (w.pools.fragPage(w.pool) === pfn || (holders(w).get(pfn) ?? 0) !== 1) return;
    const skb = w.skbs.buildSkb(pfn * pageSize, pageSize);
    if (skb === 0) return;
    give(w);
    w.skbs.skbPut(skb, 100);
    if (w.marks) skbMarkForRecycle(w.skbs, skb);
    keep(w, skb);
  },
  receive(w, p) {
    const skb = w.skbs.allocSkb(64, gfp);
    if (skb === 0) return;
    for (let i = 0; i < 1 + p.below(3) && w.driver.length > 0; i++) {
      const pfn = w.driver.at(-1) as number;
      // A page that leaves its pool has one owner.
      if (!w.marks && w.driver.indexOf(pfn) !== w.driver.length - 1) break;
      w.skbs.skbAddRxFrag(skb, i, give(w), 0, 500, pageSize);
    }
    if (w.marks) skbMarkForRecycle(w.skbs, skb);
    keep(w, skb);
  },
  clone(w, p) {
    if (w.live.length > 0) keep(w, w.skbs.skbClone(pick(p, w.live), gfp));
  },
  pskbCopy(w, p) {
    if (w.live.length > 0) keep(w, w.skbs.pskbCopy(pick(p, w.live), gfp));
  },
  copy(w, p) {
    if (w.live.length > 0) keep(w, w.skbs.skbCopy(pick(p, w.live), gfp));
  },
  expand(w, p) {
    if (w.live.length > 0) w.skbs.pskbExpandHead(pick(p, w.live), 64, 0, gfp);
  },
  coalesce(w, p) {
    if (w.live.length < 2) return;
    const to = pick(p, w.live);
    const from = pick(p, w.live);
    if (to === from) return;
    const { merged, headStolen } = w.skbs.skbTryCoalesce(to, from);
    if (!merged) return;
    w.live.splice(w.live.indexOf(from), 1);
    w.skbs.kfreeSkbPartial(from, headStolen);
  },
  free(w, p) {
    if (w.live.length > 0) w.skbs.kfreeSkb(take(p, w.live));
  },
  consume(w, p) {
    if (w.live.length > 0) w.skbs.napiConsumeSkb(take(p, w.live), 64);
  },
  elsewhere(w, p) {
    w.context.softirq = p.pick([softirqState.none, softirqState.bottomHalvesOff, softirqState.running]);
    w.context.cpu = p.below(2);
  },
};
const names = Object.keys(steps);

/** Everything is given back; the pool ends and every page and object with it. */
function wind(w: World): void {
  w.faults.arm(0);
  for (const skb of w.live.splice(0)) w.skbs.kfreeSkb(skb);
  for (const pfn of w.driver.splice(0)) w.pools.putFullPage(w.pool, pfn, false);
  w.pools.destroy(w.pool);
  expect(w.pools.isLive(w.pool), `${w.pools.inflight(w.pool)} pages in flight`).toBe(false);
  expect([w.skbs.columns.skbsLive(), w.skbs.columns.headsLive()]).toEqual([0, 0]);
  expect(w.heap.live()).toBe(w.skbs.spares.kept());
  // The naive allocator hands out its lowest free page last: when all came back, all can be had again.
  let back = 0;
  while (w.pages.allocPages(0, 0) > 0) back++;
  expect(back).toBe(pfnMax);
}

describe.each(exactKernels)("$name", (kernel) => {
  test.each(oneIn(4, [1, 2, 3, 4]))("seed %i: 400 random steps; no reference is lost or given twice", (seed) => {
    const w = world(kernel, 0, seed % 2 === 0);
    const p = prng(seed);
    for (let i = 0; i < 400; i++) {
      const name = names[p.below(names.length)] as string;
      steps[name]?.(w, p);
      audit(w);
    }
    wind(w);
  });

  test("every history of three steps in a small world", () => {
    const few = ["alloc", "put", "build", "clone", "coalesce", "consume"];
    for (let n = 0; n < few.length ** 3; n++) {
      const w = world(kernel, 0, false);
      const p = prng(n);
      steps.alloc?.(w, p);
      steps.build?.(w, p);
      for (let k = 0, rest = n; k < 3; k++, rest = Math.floor(rest / few.length)) {
        steps[few[rest % few.length] as string]?.(w, p);
      }
      audit(w);
      for (const skb of w.live.splice(0)) w.skbs.kfreeSkb(skb);
      for (const pfn of w.driver.splice(0)) w.pools.putFullPage(w.pool, pfn, false);
      w.pools.destroy(w.pool);
      expect(w.pools.isLive(w.pool), `history ${n}`).toBe(false);
    }
  });

  test("every allocation of a history fails once, and nothing is lost", () => {
    const history = (nth: number): number => {
      const w = world(kernel, nth, false);
      const p = prng(7);
      for (let i = 0; i < 80; i++) steps[names[p.below(names.length)] as string]?.(w, p);
      audit(w);
      const asked = w.faults.asked();
      wind(w);
      return asked;
    };
    const asked = history(0);
    expect(asked).toBeGreaterThan(20);
    for (let nth = 1; nth <= asked; nth++) history(nth);
  });
});
