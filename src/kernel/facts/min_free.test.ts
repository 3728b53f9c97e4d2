import { expect, test } from "vitest";
import { defaultMinFreeKb, lowmemOfMinFree } from "./min_free.ts";

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
