import { describe, expect, test } from "vitest";
import { prng } from "../base/prng.ts";
import {
  bootstrap,
  cliffsDelta,
  deltaWord,
  differences,
  hodgesLehmann,
  mean,
  meanInterval,
  median,
  medianInterval,
  quantile,
  tTail,
} from "./statistics.ts";

describe("statistics", () => {
  test("quantiles interpolate as R's type 7 does", () => {
    const v = [3, 1, 4, 1, 5, 9, 2, 6];
    expect([0, 0.1, 0.25, 0.5, 0.9, 1].map((p) => Number(quantile(v, p).toFixed(9)))).toEqual([
      1, 1, 1.75, 3.5, 6.9, 9,
    ]);
    expect(median([7])).toBe(7);
  });

  test("Student's tails are those of the printed tables", () => {
    const table = [
      [1, 12.706, 0.05],
      [2, 4.303, 0.05],
      [2, 9.925, 0.01],
      [3, 3.182, 0.05],
      [7, 2.365, 0.05],
      [7, 3.499, 0.01],
      [8, 5.041, 0.001],
      [20, 2.845, 0.01],
    ] as const;
    for (const [free, t, chance] of table) expect(tTail(t, free) / chance, `t ${t}, ${free}`).toBeCloseTo(1, 2);
    expect([tTail(0, 7), tTail(-2.365, 7) - tTail(2.365, 7), tTail(Number.POSITIVE_INFINITY, 3)]).toEqual([1, 0, 0]);
    expect(tTail(1e9, 1)).toBeLessThan(1e-8);
  });

  test("Hodges and Lehmann's shift of {1, 2, 10} is the median of its six averages", () => {
    expect(hodgesLehmann([1, 2, 10])).toBe((2 + 5.5) / 2);
    expect(hodgesLehmann(differences([1, 2, 3], [2, 3, 4]))).toBe(1);
  });

  test("Cliff's delta is 1 where every value is above, 0 for the same values, and its words follow the bounds", () => {
    expect(cliffsDelta([1, 2], [3, 4])).toBe(1);
    expect(cliffsDelta([1, 2, 3], [1, 2, 3])).toBe(0);
    expect([0.1, -0.2, 0.4, -1].map(deltaWord)).toEqual(["negligible", "small", "medium", "large"]);
  });

  test("a bootstrap interval is the same for the same seed and holds the truth about as often as it says", () => {
    const one = medianInterval([1, 5, 2, 8, 3, 9, 4], { seed: 4 });
    expect(medianInterval([1, 5, 2, 8, 3, 9, 4], { seed: 4 })).toEqual(one);
    let held = 0;
    for (let seed = 0; seed < 200; seed++) {
      const random = prng(seed);
      const sample = Array.from({ length: 40 }, () => random.unit());
      const { low, high } = bootstrap(sample, mean, { rounds: 300, seed });
      if (low <= 0.5 && high >= 0.5) held++;
    }
    expect(held).toBeGreaterThan(175);
    expect(held).toBeLessThan(200);
  });

  test.each([3, 4, 6, 30])(
    "Student's interval of %i values holds the truth as often as it says; a bootstrap of so few does not",
    (n) => {
      const rounds = 4000;
      const holds = (interval: (sample: readonly number[], seed: number) => { low: number; high: number }): number => {
        let held = 0;
        for (let seed = 0; seed < rounds; seed++) {
          const random = prng(seed);
          // Near enough to normal: what is averaged in a set of runs is a sum of many as well.
          const sample = Array.from({ length: n }, () =>
            Array.from({ length: 12 }, () => random.unit()).reduce((a, b) => a + b),
          );
          const { low, high } = interval(sample, seed);
          if (low <= 6 && high >= 6) held++;
        }
        return held / rounds;
      };
      const share = holds(meanInterval);
      expect(share).toBeGreaterThan(0.935);
      expect(share).toBeLessThan(0.965);
      if (n < 5) expect(holds((sample, seed) => bootstrap(sample, mean, { rounds: 100, seed }))).toBeLessThan(0.9);
    },
  );

  test("Student's interval by hand, and of one value: no bound", () => {
    // Mean 2, standard deviation 1, three values: 4.303 / sqrt(3).
    const { estimate, low, high } = meanInterval([1, 2, 3]);
    expect(estimate).toBe(2);
    expect([low, high].map((x) => Number(x.toFixed(3)))).toEqual([-0.484, 4.484]);
    expect(meanInterval([5])).toEqual({ estimate: 5, low: Number.NEGATIVE_INFINITY, high: Number.POSITIVE_INFINITY });
  });
});
