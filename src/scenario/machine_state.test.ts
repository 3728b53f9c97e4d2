import { expect, test } from "vitest";
import { BadInput } from "../base/bad_input.ts";
import { runMachine } from "./machine_run.ts";
import { machineSchema } from "./machine_settings.ts";

/** The first report of fixtures/logs/failures_6.1.txt: order 1 refused among 14 MiB of single pages. */
const zones = [
  {
    zone: "DMA",
    managed: 3840,
    pages: 3840,
    free: [{ order: 0, count: 1589, types: "U" }],
    marks: { min: 74, low: 92, high: 110, reserve: [0, 26, 26, 26] },
  },
  {
    zone: "DMA32",
    managed: 8191,
    pages: 10_239,
    free: [
      { order: 0, count: 1994, types: "UM" },
      { order: 1, count: 1, types: "U" },
    ],
    file: 8,
    anon: 519,
    marks: { min: 130, low: 162, high: 194 },
  },
];
const mask = 0x40a20;
const ran = (state: object, more: object = {}) =>
  runMachine(
    machineSchema.parse({
      release: "6.1-x86_64",
      millis: 2,
      traffic: [],
      state: { zoneTypes: ["DMA", "DMA32", "Normal", "Movable"], zones, ...state },
      ...more,
    }),
  );

test("the report's own request fails there as it did: one block of order 1 was left, the next is refused and printed", () => {
  const run = ran({ asks: { order: 1, mask, blocks: 3 } });
  expect(run.printed).toEqual([{ order: 1, count: 2 }]);
  const report = run.reports[0]?.memInfo?.zones.map((z) => z.freeLists?.blocks.slice(1).every((b) => b.count === 0));
  expect(report).toEqual([true, true]);
});

test("a single page is had there until the part of the reserve that GFP_ATOMIC leaves is reached", () => {
  expect(ran({ asks: { order: 0, mask, blocks: 3000 } }).printed).toEqual([]);
  const all = ran({ asks: { order: 0, mask, blocks: 4000 } });
  const left = all.buddyinfo.zones.reduce(
    (n, z) => n + z.free.reduce((m, count, order) => m + count * 2 ** order, 0),
    0,
  );
  // Half of min, and a quarter of the rest (ALLOC_HIGH and ALLOC_HARDER): 3/8 of 204 pages, and DMA's 26 of lowmem_reserve.
  expect(left).toBeGreaterThan(100);
  expect(left).toBeLessThan(140);
  expect(all.printed[0]?.count).toBeGreaterThan(300);
});

test("memory at rest stands at the high mark of the reserve that is set, whatever was printed", () => {
  const empty = zones.map((z) => ({ ...z, free: [], file: 3000 }));
  const at = (kb: number) =>
    ran(
      { zones: empty, rest: "high", under: { min_free_kbytes: 816 } },
      { sysctl: { min_free_kbytes: kb }, millis: 1 },
    );
  const free = (kb: number): number =>
    at(kb).buddyinfo.zones.reduce((n, z) => n + z.free.reduce((m, count, order) => m + count * 2 ** order, 0), 0);
  expect(free(816)).toBeGreaterThanOrEqual(110 + 194);
  expect(free(4000)).toBeGreaterThan(free(816) * 2);
});

test("pages on other CPUs' lists are out of reach; a small vm.percpu_pagelist_high_fraction gives back what the lists may not keep", () => {
  const onOther = [zones[0], { ...zones[1], onOtherCpus: 400 }];
  const left = (fraction?: number): number =>
    ran(
      { zones: onOther },
      { cpus: 2, sysctl: fraction === undefined ? {} : { percpu_pagelist_high_fraction: fraction }, millis: 1 },
    ).buddyinfo.zones.reduce((n, z) => n + z.free.reduce((m, count, order) => m + count * 2 ** order, 0), 0);
  const printed = 1589 + 1994 + 2;
  // high is half of the low mark, 81 pages: the rest came back.
  const usual = left();
  expect(usual).toBeGreaterThan(printed + 250);
  expect(usual).toBeLessThan(printed + 400);
  // A thousandth of the zone, but four batches at least.
  expect(left(1000)).toBeGreaterThan(usual);
  // An eighth of it: all 400 stay.
  expect(left(8)).toBeLessThan(printed + 40);
});

test("at rest a boost of the marks is worked off, as kswapd leaves a zone; as printed it refuses", () => {
  const boosted = zones.map((z) => ({
    ...z,
    free: [...z.free.filter((b) => b.order === 0), { order: 1, count: 20, types: "U" }],
    marks: { ...z.marks, min: z.marks.min + 9000, low: z.marks.low + 9000, high: z.marks.high + 9000, boost: 9000 },
  }));
  const failed = (rest: "printed" | "high"): number =>
    ran({ zones: boosted, rest, asks: { order: 1, mask, blocks: 5 } }).printed[0]?.count ?? 0;
  expect([failed("printed"), failed("high")]).toEqual([5, 0]);
});

test("beyond the report's high mark only what can be reclaimed comes free: programs without swap and the kernel's pages stay", () => {
  const free = (more: object): number =>
    ran(
      { zones: zones.map((z) => ({ ...z, ...more })), rest: "high", under: { min_free_kbytes: 816 } },
      { sysctl: { min_free_kbytes: 30_000 }, millis: 1 },
    ).buddyinfo.zones.reduce((n, z) => n + z.free.reduce((m, count, order) => m + count * 2 ** order, 0), 0);
  // 7,500 pages of min, 9,375 of high; what is cached reaches it, the rest is kept out up to min.
  const kept = free({ file: 0, anon: 5000 });
  expect(kept).toBeLessThan(7700);
  expect(free({ file: 3500, anon: 0 })).toBeGreaterThan(kept + 500);
});

test("the same settings give the same bytes", () => {
  const once = (): string => JSON.stringify(ran({ asks: { order: 1, mask, blocks: 3 }, rest: "high" }));
  expect(once()).toBe(once());
});

test("a state and a load do not go together, and a sysctl that the release does not have is refused", () => {
  expect(() => ran({}, { load: {} })).toThrow(BadInput);
  expect(() => ran({}, { release: "4.19-x86_64", sysctl: { watermark_boost_factor: 0 } })).toThrow(
    /does not exist in 4\.19/,
  );
});
