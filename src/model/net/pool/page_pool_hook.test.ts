// The full sk_buff model and the pools' own view of an skb must send every page the same way: the same history on both, compared step by step.
import { expect, test } from "vitest";
import { prng } from "../../../base/prng.ts";
import { createJournal } from "../../journal.ts";
import { createNaivePages } from "../../mm/pages.ts";
import { createNaiveHeap } from "../skb/naive_heap.ts";
import { viewSkb } from "../skb/skb_view.ts";
import { createSkbs } from "../skb/skbs.ts";
import { createPagePools, defaultPoolParams } from "./page_pool.ts";
import { attachPools, skbMarkForRecycle } from "./page_pool_hook.ts";
import type { PoolSkb } from "./page_pool_skb.ts";
import { createPoolSkbs, policy61 } from "./page_pool_skb.ts";
import { poolContext, softirqState } from "./pool_context.ts";

const GFP = 0xa20;

function world() {
  const pages = createNaivePages(4096, 1);
  const heap = createNaiveHeap({ pages: createNaivePages(1 << 16, 1 << 20) });
  const context = poolContext(softirqState.running);
  const pools = createPagePools({ pages, journal: createJournal(), context, pfnMax: 4097, poolsMax: 1 });
  const pool = pools.create({ ...defaultPoolParams, poolSize: 32 });
  const state = (): unknown => [
    pools.stats(pool),
    pools.cacheContents(pool),
    pools.ringContents(pool),
    pools.inflight(pool),
  ];
  return { pages, heap, pools, pool, state };
}

test.each([1, 2, 3, 4, 5, 6])(
  "seed %i: the sk_buff model and the pools' view agree on every page, count and mark",
  (seed) => {
    const p = prng(seed);
    const a = world();
    const small = createPoolSkbs({ pools: a.pools, pages: a.pages, heap: a.heap, policy: policy61 });
    const b = world();
    const full = createSkbs({ pages: b.pages, heap: b.heap, skbsMax: 4096 });
    attachPools(full, b.pools);
    const pairs: [PoolSkb, number][] = [];

    const receive = (bytes: number): void => {
      const pfn = a.pools.allocPages(a.pool, GFP);
      expect(b.pools.allocPages(b.pool, GFP)).toBe(pfn);
      const one = small.buildSkb(pfn, 0, 64, bytes);
      small.markForRecycle(one, a.pool);
      const two = full.buildSkb(pfn * 4096, 4096);
      full.skbReserve(two, 64);
      full.skbPut(two, bytes);
      skbMarkForRecycle(full, two);
      pairs.push([one, two]);
    };
    const receivePaged = (n: number): void => {
      const one = small.allocSkb(64) as PoolSkb;
      const two = full.allocSkb(64, GFP, 0);
      for (let i = 0; i < n; i++) {
        const pfn = a.pools.allocPages(a.pool, GFP);
        expect(b.pools.allocPages(b.pool, GFP)).toBe(pfn);
        small.addRxFrag(one, pfn, 0, 1000);
        full.skbAddRxFrag(two, i, pfn, 0, 1000, 4096);
      }
      small.markForRecycle(one, a.pool);
      skbMarkForRecycle(full, two);
      pairs.push([one, two]);
    };
    const at = (): [PoolSkb, number] => p.pick(pairs);
    for (let step = 0; step < 600; step++) {
      const what = pairs.length === 0 ? 0 : p.below(9);
      if (what === 0) receive(p.pick([60, 1500, 3000]));
      else if (what === 1) receivePaged(1 + p.below(4));
      else if (what === 2) {
        const [one, two] = at();
        pairs.push([small.clone(one) as PoolSkb, full.skbClone(two, GFP)]);
      } else if (what === 3) {
        const [one, two] = at();
        pairs.push([small.pskbCopy(one) as PoolSkb, full.pskbCopy(two, GFP)]);
      } else if (what === 4) {
        const [one, two] = at();
        expect(full.pskbExpandHead(two, 64, 0, GFP) === 0).toBe(small.expandHead(one, 64, 0));
      } else if (what === 5 && pairs.length > 1) {
        const i = p.below(pairs.length);
        const [from] = pairs.splice(i, 1) as [[PoolSkb, number]];
        const to = at();
        const mine = small.tryCoalesce(to[0], from[0]);
        const theirs = full.skbTryCoalesce(to[1], from[1]);
        expect([theirs.merged, theirs.headStolen], `step ${step}`).toEqual([mine.merged, mine.stolen]);
        if (!mine.merged) pairs.push(from);
        else {
          full.kfreeSkbPartial(from[1], theirs.headStolen);
          if (mine.stolen) small.freeStolen(from[0]);
          else small.free(from[0]);
        }
      } else if (what === 6 && p.chance(0.3)) {
        const [one] = at();
        const pfn = one.data.frags[0]?.pfn;
        if (pfn !== undefined) for (const w of [a, b]) w.pages.getPage(pfn);
      } else {
        const [[one, two]] = pairs.splice(p.below(pairs.length), 1) as [[PoolSkb, number]];
        small.free(one);
        full.kfreeSkb(two, 2);
      }
      expect(b.state(), `seed ${seed} step ${step} op ${what}`).toEqual(a.state());
      for (const [one, two] of pairs) {
        const v = viewSkb(full, two);
        if (v.ppRecycle !== one.ppRecycle || v.frags.length !== one.data.frags.length)
          expect([v.ppRecycle, v.frags.length], `step ${step}`).toEqual([one.ppRecycle, one.data.frags.length]);
        for (const frag of one.data.frags) expect(b.pages.pageCount(frag.pfn)).toBe(a.pages.pageCount(frag.pfn));
      }
    }
    for (const [one, two] of pairs) {
      small.free(one);
      full.kfreeSkb(two, 2);
    }
    expect(b.state()).toEqual(a.state());
  },
);
