import { expect, test } from "vitest";
import { exp } from "../base/exact_math.ts";
import { prng } from "../base/prng.ts";
import { judge } from "./verdict.ts";

const flat = (n: number, value: number): number[] => Array.from({ length: n }, () => value);

test("the same share of the failures in every set is enough, from a tenth on", () => {
  expect(judge([100, 110, 90], [50, 56, 44], 1)).toEqual({ verdict: "lowers", note: null });
  expect(judge([50, 56, 44], [100, 110, 90], 1)).toEqual({ verdict: "raises", note: null });
  expect(judge(flat(3, 1000), [950, 952, 948], 1).verdict).toBe("no clear difference");
  expect(judge(flat(6, 0), flat(6, 0), 1).verdict).toBe("no clear difference");
  expect(judge([100], [0], 1).verdict).toBe("no clear difference");
});

test("where one machine carries the mean and its interval, the shares of all decide, and the row says so", () => {
  const before = [1000, 4, 2, 3, 5, 2, 4, 3];
  const third = before.map((b, i) => b * (i % 2 === 0 ? 0.3 : 0.35));
  const note = "fewer in each of the 8 sets; the interval of the mean includes no change";
  expect(judge(before, third, 10)).toEqual({ verdict: "lowers", note });
  expect(judge(third, before, 10).note).toMatch(/^more in each of the 8 sets/);
  // The one that carries it goes one way and the others the other: neither.
  expect(judge(before, [300, 6, 3, 4, 7, 3, 6, 4], 10).verdict).toBe("no clear difference");
});

test("what is enough for one row is not for one of ten", () => {
  const before = flat(8, 100);
  const after = [60, 110, 70, 95, 60, 105, 75, 90];
  expect(judge(before, after, 1).verdict).toBe("lowers");
  expect(judge(before, after, 10).verdict).toBe("no clear difference");
});

const rows = 10;
test.each([3, 8])(
  "of ten changes that do nothing, on machines that differ ten times over, any is told to do something in about 1 of 20 proofs: %i sets (seed 20261201)",
  (sets) => {
    const random = prng(20_261_201);
    const normal = (): number => Math.sqrt(-2 * Math.log(1 - random.unit())) * Math.cos(2 * Math.PI * random.unit());
    const proofs = 4000;
    let wrong = 0;
    for (let i = 0; i < proofs; i++) {
      const machines = Array.from({ length: sets }, () => exp(1.2 * normal()));
      const run = (): number[] => machines.map((m) => m * exp(0.4 * normal()));
      const before = run();
      const told = Array.from({ length: rows }, () => judge(before, run(), rows).verdict);
      if (told.some((v) => v !== "no clear difference")) wrong++;
    }
    expect(wrong / proofs).toBeLessThan(0.06);
    // It is not that nothing is ever told.
    expect(wrong).toBeGreaterThan(0);
  },
);
