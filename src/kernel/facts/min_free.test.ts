import { expect, test } from "vitest";
import { defaultMinFreeKb, hugePagesMinFreeKb, lowmemOfMinFree, mayLeaveCmaOut } from "./min_free.ts";

test("11495 is the default of 7.88 GiB of low memory in 2.6.24, and of no other amount", () => {
  const range = lowmemOfMinFree(11495, [2, 6, 24]);
  expect((range!.from / 1048576).toFixed(2)).toBe("7.88");
  expect(range!.to - range!.from).toBeLessThan(2000);
  for (const kb of [range!.from, range!.to]) expect(defaultMinFreeKb(kb, [2, 6, 24])).toBe(11495);
  for (const kb of [range!.from - 1, range!.to + 1]) expect(defaultMinFreeKb(kb, [2, 6, 24])).not.toBe(11495);
});

test("a clamped value is nobody's fingerprint", () => {
  expect(lowmemOfMinFree(65536, [3, 10])).toBeUndefined();
  expect(lowmemOfMinFree(67584, [6, 1])?.from).toBeGreaterThan(250e6);
});

test("what huge pages raise it to: 22,528 kB a zone, of up to 32, a sum of marks a little below; on pages of 4 KiB", () => {
  const zones = (kb: number, pageKb = 4) => hugePagesMinFreeKb(kb, pageKb);
  const one = 22_528;
  expect([zones(one), zones(one + 1), zones(one - 255), zones(one - 256)]).toEqual([1, undefined, 1, undefined]);
  expect([zones(32 * one), zones(33 * one), zones(0), zones(3 * one)]).toEqual([32, undefined, undefined, 3]);
  expect(zones(one, 16)).toBeUndefined();
});

test("CMA may be left out from 4.7 to 5.8", () => {
  const versions = [
    [4, 6],
    [4, 6, 99],
    [4, 7],
    [4, 19, 3],
    [5, 8, 18],
    [5, 9],
    [6, 1],
  ];
  expect(versions.map(mayLeaveCmaOut)).toEqual([false, false, true, true, true, false, false]);
});
