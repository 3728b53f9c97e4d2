// Pools of the model, judged by what `ethtool -S` would have printed of them: the pattern is known, so the judge can be checked.
import { describe, expect, test } from "vitest";
import { printEthtool, readEthtool } from "../artifact/page_pool/ethtool.ts";
import { readPools } from "../artifact/page_pool/read.ts";
import type { Lab } from "../model/net/pool/page_pool_lab.ts";
import { createLab } from "../model/net/pool/page_pool_lab.ts";
import type { HookDesign } from "../model/net/pool/recycle_designs.ts";
import { judgePools } from "./pools.ts";

/** `ethtool -S` of the lab's pool. */
function shot(l: Lab): string {
  const s = l.pools.stats(l.pool);
  return printEthtool("rx", {
    "alloc-fast": s.fast,
    "alloc-slow": s.slow,
    "alloc-slow-high-order": s.slowHighOrder,
    "alloc-empty": s.empty,
    "alloc-refill": s.refill,
    "alloc-waive": s.waive,
    "recycle-cached": s.cached,
    "recycle-cache-full": s.cacheFull,
    "recycle-ring": s.ring,
    "recycle-ring-full": s.ringFull,
    "recycle-released-refcnt": s.releasedRefcnt,
  });
}

/** Runs `step` 600 times and looks three times (after the pool has filled). */
function watch(l: Lab, step: (i: number) => void): string {
  const shots: string[] = [];
  for (let i = 0; i < 800; i++) {
    step(i);
    if (i === 199 || i === 499 || i === 799) shots.push(shot(l));
  }
  return shots.join("");
}

const pattern = (text: string): string[] => judgePools([readPools("model", text)]).map((v) => v.pattern);
const rx = (l: Lab): number => l.receive(1500);
const lab = (ringSize: number, design?: HookDesign): Lab =>
  createLab({ ringSize, ...(design === undefined ? {} : { design }) });

test("printed counters read back equal", () => {
  const l = lab(16);
  for (let i = 0; i < 50; i++) l.skbs.kfreeSkb(rx(l));
  const [snapshot] = readEthtool("x", shot(l).split("\n"), []);
  expect(snapshot?.counters["recycle-ring"]?.value).toBe(l.pools.stats(l.pool).ring);
  expect(Object.keys(snapshot?.counters ?? {})).toHaveLength(11);
});

describe("the judge names what the model did", () => {
  test("packets freed at once: healthy", () => {
    const l = lab(64);
    expect(pattern(watch(l, () => l.skbs.kfreeSkb(rx(l))))).toEqual(["healthy"]);
  });

  test("heads lost by a coalesce that knows nothing of pools: a leak", () => {
    const l = lab(64, { mark: "after head_frag", coalesce: "unaware" });
    const text = watch(l, () => {
      const [to, from, third] = [rx(l), rx(l), rx(l)];
      for (const s of [from, third]) if (!l.hook.coalesceQueued(to, s)) l.skbs.kfreeSkb(s);
      l.skbs.kfreeSkb(to);
    });
    expect(l.pages.freedWhileOwned.length).toBeGreaterThan(100);
    expect(pattern(text)).toEqual(["leak"]);
  });

  test("a socket that is read seldom: a slow consumer", () => {
    const l = lab(1024);
    let queue: number[] = [];
    const text = watch(l, (i) => {
      queue.push(rx(l));
      if (i % 250 === 249) {
        for (const s of queue) l.skbs.kfreeSkb(s);
        queue = [];
      }
    });
    expect(pattern(text)).toEqual(["slow consumer"]);
  });

  test("bursts larger than the ring: a small ring", () => {
    const l = lab(32);
    let queue: number[] = [];
    const text = watch(l, (i) => {
      queue.push(rx(l));
      if (i % 100 === 99) {
        for (const s of queue) l.skbs.kfreeSkb(s);
        queue = [];
      }
    });
    expect(pattern(text)).toEqual(["small ring"]);
  });

  test("every packet spliced to a slow pipe: shared pages", () => {
    const l = lab(64);
    const pipe: number[] = [];
    const text = watch(l, () => {
      const skb = rx(l);
      pipe.push(...l.splice(skb));
      l.skbs.kfreeSkb(skb);
      if (pipe.length > 20) l.pages.putPage(pipe.shift() as number);
    });
    expect(pattern(text)).toEqual(["shared pages"]);
  });
});
