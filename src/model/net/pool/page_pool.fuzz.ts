// Random histories of pools, skbs, clones and contexts against a twin that only counts; and every short history of a small world.

import { describe, expect, test } from "vitest";
import type { Prng } from "../../../base/prng.ts";
import { prng } from "../../../base/prng.ts";
import { sized } from "../../../base/size.testkit.ts";
import { createJournal } from "../../journal.ts";
import { createNaivePages } from "../../mm/pages.ts";
import { skbField } from "../skb/skb_columns.ts";
import { viewSkb } from "../skb/skb_view.ts";
import { createPagePools, defaultPoolParams, PP_FLAG_PAGE_FRAG } from "./page_pool.ts";
import { liveSkbs, takeCensus, watchPages } from "./page_pool_census.ts";
import { segmentPaged, throughGro } from "./page_pool_lab.testkit.ts";
import type { Lab } from "./page_pool_lab.ts";
import { createLab } from "./page_pool_lab.ts";
import { poolContext, softirqState } from "./pool_context.ts";
import { createPtrRings, ringBatch } from "./ptr_ring.ts";

/** The twin: who must hold how many references, from nothing but the list of holders. */
function countReferences(l: Lab, pipes: readonly number[]): Map<number, number> {
  const counts = new Map<number, number>();
  const add = (pfn: number): void => void counts.set(pfn, (counts.get(pfn) ?? 0) + 1);
  const seen = new Set<number>();
  for (const skb of liveSkbs(l.skbs).map((each) => viewSkb(l.skbs, each))) {
    if (seen.has(skb.head)) continue;
    seen.add(skb.head);
    if (skb.headFrag) add(Math.floor(skb.headAddress / 4096));
    for (const frag of skb.frags) add(frag.pfn);
  }
  for (const pfn of pipes) add(pfn);
  return counts;
}

const GFP = 0xa20;

type Step = (l: Lab, p: Prng, all: number[], pipes: number[]) => void;
const steps: readonly (readonly [string, Step])[] = [
  ["receive", (l, p, all) => keep(all, l.receive(p.pick([60, 1500, 3700, 9000])))],
  ["receive", (l, p, all) => keep(all, l.receive(p.pick([60, 1500, 3700, 9000])))],
  ["xdp", (l) => (l.receiveForXdp(60) >= 0 ? undefined : undefined)],
  ["clone", (l, p, all) => keep(all, l.skbs.skbClone(p.pick(all), GFP))],
  ["copy", (l, p, all) => keep(all, l.skbs.skbCopy(p.pick(all), GFP))],
  ["pskb_copy", (l, p, all) => keep(all, l.skbs.pskbCopy(p.pick(all), GFP))],
  ["expand", (l, p, all) => void l.skbs.pskbExpandHead(p.pick(all), 64, 0, GFP)],
  [
    "segment",
    (l, p, all) => {
      const skb = p.pick(all);
      if (viewSkb(l.skbs, skb).frags.length > 0 && !listed(l, skb)) all.push(...segmentPaged(l.skbs, skb, 900));
    },
  ],
  [
    "coalesce",
    (l, p, all) => {
      const two = pair(p, all);
      if (two !== undefined && l.hook.coalesceQueued(...two)) all.splice(all.indexOf(two[1]), 1);
    },
  ],
  [
    "gro",
    (l, p, all) => {
      const two = pair(p, all);
      if (two === undefined || two.some((skb) => l.skbs.isCloned(skb) || !carriesTcp(l, skb)) || listed(l, two[1]))
        return;
      for (const skb of two) all.splice(all.indexOf(skb), 1);
      all.push(...throughGro(l.skbs, two));
    },
  ],
  ["splice", (l, p, all, pipes) => void pipes.push(...l.splice(p.pick(all)))],
  [
    "pipe",
    (l, p, _all, pipes) => {
      if (pipes.length > 0) l.pages.putPage(pipes.splice(p.below(pipes.length), 1)[0] as number);
    },
  ],
  ["free", (l, p, all) => l.skbs.kfreeSkb(all.splice(p.below(all.length), 1)[0] as number)],
  ["free", (l, p, all) => l.skbs.kfreeSkb(all.splice(p.below(all.length), 1)[0] as number)],
  [
    "context",
    (l, p) => {
      l.context.softirq = p.chance(0.5) ? softirqState.running : softirqState.none;
    },
  ],
  ["node", (l, p) => l.pools.updateNid(l.pool, p.chance(0.9) ? 0 : 1)],
];

function keep(all: number[], skb: number): void {
  if (skb !== 0) all.push(skb);
}

/** Two different ones, or undefined. */
function pair(p: Prng, all: readonly number[]): readonly [number, number] | undefined {
  if (all.length < 2) return undefined;
  const from = p.below(all.length);
  const to = (from + 1 + p.below(all.length - 1)) % all.length;
  return [all[to] as number, all[from] as number];
}

const listed = (l: Lab, skb: number): boolean => viewSkb(l.skbs, skb).fragList.length > 0;
/** Headers in the linear part, and payload. */
const carriesTcp = (l: Lab, skb: number): boolean =>
  l.skbs.headlen(skb) >= 66 && (l.skbs.columns.S[skb + skbField.LEN] as number) > 66;

describe("random histories", () => {
  test.each(Array.from({ length: sized(4, 12) }, (_, i) => i + 1))(
    "seed %i: after every step each page is in one place and has as many references as holders",
    (seed) => {
      const p = prng(seed);
      const l = createLab({
        jumbo: p.chance(0.5) ? "keep" : "release",
        ringSize: p.pick([4, 16, 64]),
        pagesMax: 2048,
      });
      const all: number[] = [];
      const pipes: number[] = [];
      const frames: number[] = [];
      for (let i = 0; i < 250; i++) {
        const [name, step] = p.pick(steps);
        if (name === "xdp") {
          if (frames.length > 0 && p.chance(0.6)) l.returnFrame(frames.pop() as number);
          else {
            const pfn = l.receiveForXdp(60);
            if (pfn >= 0) frames.push(pfn);
          }
        } else if (all.length > 0 || name === "receive") step(l, p, all, pipes);
        const faults = l.census({ name: "pipes", pfns: pipes }, { name: "xdp", pfns: frames }).faults;
        expect(faults, `seed ${seed} step ${i} ${name}`).toEqual([]);
        for (const [pfn, references] of countReferences(l, pipes))
          if (l.pages.pageCount(pfn) !== references)
            throw new Error(
              `seed ${seed} step ${i} ${name} page ${pfn}: ${l.pages.pageCount(pfn)} references, ${references} holders`,
            );
      }
      expect([l.hook.strays, l.pages.usedAfterFree, l.dma.reports]).toEqual([[], [], []]);
      for (const pfn of frames) l.returnFrame(pfn);
      for (const pfn of pipes) l.pages.putPage(pfn);
      for (const skb of all) l.skbs.kfreeSkb(skb);
      expect(l.skbs.columns.skbsLive()).toBe(0);
      expect([l.shutdown(3), l.dma.mappings(), l.heap.outstanding(), l.heap.overrun]).toEqual([0, 0, 0, []]);
    },
  );
});

test.each([1, 2, 3])("ptr_ring, seed %i: first in first out, and full only while every slot stands", (seed) => {
  const p = prng(seed);
  const size = p.pick([3, 16, 33, 64]);
  const rings = createPtrRings(2);
  rings.init(1, size, ringBatch(size));
  const twin: number[] = [];
  let next = 1;
  for (let i = 0; i < 5000; i++) {
    if (p.chance(p.chance(0.5) ? 0.8 : 0.3)) {
      const standing = rings.occupied(1).length;
      const took = rings.produce(1, next);
      expect(took, `step ${i}`).toBe(standing < size);
      if (took) twin.push(next++);
    } else if (p.chance(0.1)) {
      const into = new Int32Array(8);
      const n = rings.consumeWhile(1, into, 0, 8, (v) => v % 7 !== 0);
      const taken = [...into.subarray(0, n), ...(rings.refused() === 0 ? [] : [rings.refused()])];
      expect(taken, `step ${i}`).toEqual(twin.splice(0, taken.length));
      if (rings.refused() !== 0) expect(rings.refused() % 7).toBe(0);
    } else expect(rings.consume(1), `step ${i}`).toBe(twin.shift() ?? 0);
    expect([rings.count(1), rings.empty(1)]).toEqual([twin.length, twin.length === 0]);
  }
});

/** In the long run six. */
const longest = sized(4, 6);

describe(`small worlds: every history of ${longest} steps on eight pages`, () => {
  const doings = ["alloc", "direct", "ring", "reference", "release", "frag"] as const;

  test.each([false, true])(
    "fragments %s: what is held is what was taken and not given up, and no page is in two places",
    (fragments) => {
      let histories = 0;
      const run = (history: readonly number[]): void => {
        histories++;
        const pages = watchPages(createNaivePages(8));
        const pools = createPagePools({
          pages,
          journal: createJournal(),
          context: poolContext(softirqState.running),
          pfnMax: 8,
          poolsMax: 1,
          ringSlots: 2,
        });
        pages.ownedBy = pools.poolOf;
        const pool = pools.create({ ...defaultPoolParams, poolSize: 2, flags: fragments ? PP_FLAG_PAGE_FRAG : 0 });
        const out: number[] = [];
        let given = 0;
        for (const n of history) {
          const what = doings[n] as (typeof doings)[number];
          if (what === "alloc" || (what === "frag" && fragments)) {
            const pfn = what === "frag" ? pools.allocFrag(pool, 2000, 0) : fragments ? -1 : pools.allocPages(pool, 0);
            if (pfn >= 0) out.push(pfn);
            continue;
          }
          const pfn = out.pop();
          if (pfn === undefined) continue;
          given++;
          if (what === "direct") pools.recycleDirect(pool, pfn);
          else if (what === "ring") pools.putFullPage(pool, pfn, false);
          else if (what === "reference") {
            pages.getPage(pfn);
            pools.putFullPage(pool, pfn, true);
            pages.putPage(pfn);
          } else if (!fragments) {
            pools.releasePage(pool, pfn);
            pages.putPage(pfn);
          } else out.push(pfn);
        }
        const { faults } = takeCensus(pools, pages, [{ name: "driver", pfns: out }]);
        // A reference taken and dropped around a fragment's return is no fault; whoever held the page last decided.
        if (faults.length > 0) expect(faults, history.map((n) => doings[n]).join(" ")).toEqual([]);
        const { fast, refill, slow } = pools.stats(pool);
        if (!fragments && fast + refill + slow !== given + out.length)
          throw new Error(`${history}: taken ${fast + refill + slow}, given ${given}, out ${out.length}`);
        if (pages.outstanding() !== pools.inflight(pool))
          throw new Error(`${history}: ${pages.outstanding()} pages allocated, ${pools.inflight(pool)} in flight`);
      };
      const all = (history: number[]): void => {
        run(history);
        if (history.length < longest) for (let n = 0; n < doings.length; n++) all([...history, n]);
      };
      all([]);
      expect(histories).toBe((6 ** (longest + 1) - 1) / 5);
    },
  );
});
