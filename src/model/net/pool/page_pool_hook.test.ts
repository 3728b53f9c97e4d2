// Where a page goes when an sk_buff lets go of it, on every kernel that recycles: random histories against a twin that only asks who else
// holds the page, and that foretells the mark of each new sk_buff.
import { describe, expect, test } from "vitest";
import { prng } from "../../../base/prng.ts";
import { exactKernels } from "../../kernels/parts_for.ts";
import { skbConfigOf } from "../skb/skb_config.ts";
import { skbSizes61 } from "../skb/skb_config61.ts";
import { viewSkb } from "../skb/skb_view.ts";
import { liveSkbs } from "./page_pool_census.ts";
import type { Lab } from "./page_pool_lab.ts";
import { createLab } from "./page_pool_lab.ts";

const GFP = 0xa20;
const kernels = exactKernels.filter((kernel) => kernel.parts.net.skb.recycleMarks);

/** How often a page of the pool is held as the pool's (by a marked skb), and how often as a page. */
interface Held {
  asPools: number;
  asPage: number;
}

function holders(l: Lab, pipe: readonly number[]): Map<number, Held> {
  const held = new Map<number, Held>();
  const add = (pfn: number, as: keyof Held): void => {
    const so = held.get(pfn) ?? { asPools: 0, asPage: 0 };
    held.set(pfn, so);
    so[as]++;
  };
  const heads = new Set<number>();
  for (const skb of liveSkbs(l.skbs).map((each) => viewSkb(l.skbs, each))) {
    if (heads.has(skb.head)) continue;
    heads.add(skb.head);
    const as = skb.ppRecycle ? "asPools" : "asPage";
    if (skb.headFrag) add(Math.floor(skb.headAddress / 4096), as);
    for (const frag of skb.frags) add(frag.pfn, as);
  }
  for (const pfn of pipe) add(pfn, "asPage");
  return held;
}

/** What became of the pages that were out before a step, when the pool's ring was never full. */
function follow(l: Lab, before: ReadonlyMap<number, Held>, after: ReadonlyMap<number, Held>): string[] {
  const home = new Set([...l.pools.cacheContents(l.pool), ...l.pools.ringContents(l.pool)]);
  const wrong: string[] = [];
  for (const [pfn, { asPools }] of before) {
    if (asPools === 0) continue;
    const { asPools: still, asPage } = after.get(pfn) ?? { asPools: 0, asPage: 0 };
    const expected = still > 0 ? "out" : asPage > 0 ? "released" : "home";
    const is = home.has(pfn) ? "home" : l.pools.poolOf(pfn) === l.pool ? "out" : "released";
    if (is !== expected) wrong.push(`page ${pfn} is ${is}, not ${expected}`);
  }
  for (const [pfn, { asPools, asPage }] of after) {
    // Users that the pool counts share its one reference.
    const references = asPage + (asPools > 0 && l.pools.fragmentUsers(pfn) > 0 ? 1 : asPools);
    if (l.pages.pageCount(pfn) !== references)
      wrong.push(`page ${pfn} has ${l.pages.pageCount(pfn)} references, not ${references}`);
  }
  return wrong;
}

describe.each(kernels)("$name", ({ parts: { net } }) => {
  test.each([1, 2, 3, 4])(
    "seed %i: a page is home when the pool's last reference goes and nobody else has one, released when somebody has",
    (seed) => {
      const p = prng(seed);
      const l = createLab({
        kernel: { pool: net.pool ?? {}, skb: skbConfigOf(net.skb, skbSizes61) },
        ringSize: 4,
        poolSize: 1024,
      });
      const { skbs } = l;
      const all: number[] = [];
      const pipe: number[] = [];
      const marked = (skb: number): boolean => skbs.recycles(skb);
      const receivePaged = (n: number): void => {
        const skb = skbs.allocSkb(64, GFP);
        for (let i = 0; i < n; i++) skbs.skbAddRxFrag(skb, i, l.pools.allocPages(l.pool, GFP), 0, 1000, 4096);
        l.hook.mark(skb);
        all.push(skb);
      };
      for (let step = 0; step < 300; step++) {
        const before = holders(l, pipe);
        const what = all.length === 0 ? 0 : p.below(9);
        const skb = all.length === 0 ? 0 : p.pick(all);
        if (what === 0) all.push(l.receive(p.pick([60, 1500, 3000])));
        else if (what === 1) receivePaged(1 + p.below(4));
        else if (what === 2) {
          const clone = skbs.skbClone(skb, GFP);
          expect(marked(clone)).toBe(marked(skb));
          all.push(clone);
        } else if (what === 3) {
          const copy = skbs.pskbCopy(skb, GFP);
          expect(marked(copy)).toBe(false);
          all.push(copy);
        } else if (what === 4) {
          const expected = marked(skb) && !skbs.isCloned(skb);
          expect(skbs.pskbExpandHead(skb, 64, 0, GFP)).toBe(0);
          expect(marked(skb)).toBe(expected);
        } else if (what === 5) {
          const to = p.pick(all);
          const mark = marked(to);
          if (to !== skb && l.hook.coalesceQueued(to, skb)) all.splice(all.indexOf(skb), 1);
          expect(marked(to)).toBe(mark);
        } else if (what === 6) {
          if (p.chance(0.3)) pipe.push(...l.splice(skb));
        } else if (p.chance(0.2) && pipe.length > 0) {
          l.pages.putPage(pipe.splice(p.below(pipe.length), 1)[0] as number);
        } else {
          all.splice(all.indexOf(skb), 1);
          skbs.kfreeSkb(skb);
        }
        expect(follow(l, before, holders(l, pipe)), `seed ${seed} step ${step} op ${what}`).toEqual([]);
        expect(l.census({ name: "pipe", pfns: pipe }).faults, `seed ${seed} step ${step} op ${what}`).toEqual([]);
      }
      for (const pfn of pipe) l.pages.putPage(pfn);
      for (const skb of all) skbs.kfreeSkb(skb);
      expect([l.shutdown(3), l.dma.mappings(), l.heap.outstanding(), l.dma.reports]).toEqual([0, 0, 0, []]);
    },
  );
});
