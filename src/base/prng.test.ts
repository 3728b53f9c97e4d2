import { expect, test } from "vitest";
import { prng } from "./prng.ts";

test("the same seed gives the same numbers, another seed others", () => {
  const take = (seed: number): number[] =>
    Array.from(
      { length: 5 },
      (
        (p) => () =>
          p.u32()
      )(prng(seed)),
    );
  expect(take(7)).toEqual(take(7));
  expect(take(7)).not.toEqual(take(8));
});

test("a fork depends on seed and label only, not on what was drawn before", () => {
  const a = prng(3);
  a.u32();
  expect(a.fork("net").u32()).toBe(prng(3).fork("net").u32());
  expect(prng(3).fork("net").u32()).not.toBe(prng(3).fork("mm").u32());
});

test("below() is even over its range (chi-squared, 10 cells, 100,000 draws, seed 1)", () => {
  const p = prng(1);
  const seen = new Array<number>(10).fill(0);
  for (let i = 0; i < 100_000; i++) seen[p.below(10)]!++;
  const chi = seen.reduce((sum, n) => sum + (n - 10_000) ** 2 / 10_000, 0);
  expect(chi).toBeLessThan(27.9); // p = 0.001 at 9 degrees of freedom
});
