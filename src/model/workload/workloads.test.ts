import { describe, expect, test } from "vitest";
import { gfpCombination } from "../../kernel/facts/gfp.ts";
import { parseRelease } from "../../kernel/release.ts";
import type { Machine } from "../machine.ts";
import { createMachine } from "../machine.ts";
import { freeBlocks } from "../mm/observe.ts";
import type { WorkloadSettings } from "./workload.ts";
import { createWorkloads } from "./workloads.ts";

const mixed: readonly WorkloadSettings[] = [
  { kind: "page-cache", pagesPerMilli: 60, dirtyShare: 0.3, hitShare: 0.2, dropShare: 0.1 },
  { kind: "writeback", pagesPerMilli: 30, ioMillis: 3 },
  { kind: "slab", objectsPerMilli: 100, maxObjects: 20_000, freeShare: 0.4 },
  { kind: "processes", jobs: 8, pagesPerMilli: 40, pagesMax: 600 },
  { kind: "pinned", pages: 500, holdMillis: 50, pagesPerMilli: 5 },
  { kind: "atomic", blocks: 30, everyMillis: 5, holdMillis: 2 },
];

function machine(release = "6.1.192-x86_64", memoryMb = 64, seed = 1): Machine {
  return createMachine({ release: parseRelease(release), memoryMb, seed });
}

const freePages = (m: Machine): number => {
  let free = 0;
  for (let z = 0; z < m.memory.memory.spec.zones.length; z++)
    freeBlocks(m.memory, z).forEach((count, order) => {
      free += count << order;
    });
  return free;
};

/** Of so many atomic requests of an order, each given back at once, the share that fails. */
function failureRate(m: Machine, order: number, want = 200): number {
  const mask = gfpCombination("GFP_ATOMIC", m.release.version) ?? 0;
  const got: number[] = [];
  for (let i = 0; i < want; i++) {
    const pfn = m.pages.allocPages(mask, order);
    if (pfn >= 0) got.push(pfn);
  }
  for (const pfn of got) m.pages.freePages(pfn, order);
  return 1 - got.length / want;
}

describe("workloads", () => {
  for (const release of ["6.1.192-x86_64", "2.6.24-x86_64", "2.6.10-i386"])
    test(`${release}: all of them together take and give, and in the end every page is back`, () => {
      const m = machine(release);
      const before = freePages(m);
      const w = createWorkloads(m, { loads: mixed });
      w.start();
      m.clock.run(400e6, 1e6);
      expect(w.loads.map((l) => l.held() > 0 || l.kind === "atomic" || l.kind === "writeback")).not.toContain(false);
      expect(freePages(m)).toBeLessThan(before / 2);
      w.stop();
      m.clock.run(10e9, 1e6);
      w.drain();
      expect(w.loads.map((l) => [l.kind, l.held()])).toEqual(mixed.map((s) => [s.kind, 0]));
      m.memory.reclaim.drainAll();
      // What is missing sits on caches that keep a few empty slabs.
      expect(before - freePages(m)).toBeLessThan(700);
    });

  test("the page cache grows until reclaim keeps it in bounds: nobody is refused", () => {
    const m = machine();
    const w = createWorkloads(m, { loads: [{ kind: "page-cache", pagesPerMilli: 200 }] });
    w.start();
    m.clock.run(300e6, 1e6);
    expect(w.user.counters().evicted).toBeGreaterThan(10_000);
    expect(w.refused()).toBe(0);
    expect(w.loads[0]!.held()).toBeGreaterThan(8000);
  });

  test("dirty pages stay until they are written back", () => {
    const evicted = (writeback: boolean): number => {
      const m = machine();
      const loads: WorkloadSettings[] = [{ kind: "page-cache", pagesPerMilli: 100, dirtyShare: 1, dirtyRatio: 0.8 }];
      if (writeback) loads.push({ kind: "writeback", pagesPerMilli: 200 });
      const w = createWorkloads(m, { loads });
      w.start();
      m.clock.run(300e6, 1e6);
      return w.user.counters().evicted;
    };
    expect(evicted(false)).toBe(0);
    expect(evicted(true)).toBeGreaterThan(5000);
  });

  test("mixed lifetimes fragment memory: large atomic requests fail while single pages do not", () => {
    const m = machine("2.6.29-x86_64", 128);
    expect([failureRate(m, 0), failureRate(m, 2)]).toEqual([0, 0]);
    const w = createWorkloads(m, {
      loads: [
        { kind: "page-cache", pagesPerMilli: 300, dropShare: 0.3 },
        { kind: "slab", objectsPerMilli: 600, maxObjects: 60_000, freeShare: 0.3 },
        { kind: "processes", jobs: 12, pagesPerMilli: 200, pagesMax: 2000 },
        { kind: "pinned", pages: 3000, pagesPerMilli: 20 },
      ],
    });
    w.warmUp(500);
    expect(failureRate(m, 0, 20)).toBe(0);
    expect(failureRate(m, 2)).toBeGreaterThan(0.3);
  });

  for (const order of [0, 1])
    test(`bursts in interrupt context empty the reserve: order ${order} is refused, less with a larger min_free_kbytes`, () => {
      const refused = (minFreeKb: number): number => {
        const m = createMachine({
          release: parseRelease("2.6.24-x86_64"),
          memoryMb: 64,
          memory: { marks: { minFreeKb } },
        });
        const w = createWorkloads(m, {
          loads: [
            { kind: "page-cache", pagesPerMilli: 200 },
            { kind: "atomic", blocks: 400, order, everyMillis: 3, holdMillis: 20 },
          ],
        });
        w.start();
        m.clock.run(200e6, 1e6);
        return w.loads[1]!.refused();
      };
      const [small, large] = [refused(1000), refused(12_000)];
      expect(small).toBeGreaterThan(500);
      expect(large).toBeLessThan(small / 2);
    });

  test("a run is a function of its seed", () => {
    const run = (seed: number): unknown => {
      const m = machine("6.1.192-x86_64", 64, seed);
      const w = createWorkloads(m, { loads: mixed });
      w.start();
      m.clock.run(200e6, 1e6);
      return [m.clock.events(), freePages(m), w.user.counters(), w.loads.map((l) => [l.held(), l.refused()])];
    };
    expect(run(1)).toEqual(run(1));
    expect(run(1)).not.toEqual(run(2));
  });
});
