import { expect, test } from "vitest";
import { prng } from "../base/prng.ts";
import { mean } from "./statistics.ts";
import { drawLengths, meansOf } from "./tail.ts";

/** Standard error of a mean. */
function errorOf(values: readonly number[]): number {
  const centre = mean(values);
  return Math.sqrt(mean(values.map((x) => (x - centre) ** 2)) / values.length);
}

/** Nothing below a threshold, then more the longer: what an allocator does with a burst. */
const outcome = (b: number): number => Math.max(0, b - 1000) / 10;

test("drawn lengths give the mean that a long plain run gives, within its error, where the event is one in 150 bursts", () => {
  const seed = 20_261_129;
  const random = prng(seed);
  const m = 200;
  const plain = Array.from({ length: 400_000 }, () => outcome(-m * Math.log(1 - random.unit())));
  const error = errorOf(plain);
  const estimates = Array.from({ length: 400 }, (_, i) => {
    const lengths = drawLengths(125, 8000, 6, 5, prng(seed + i));
    return mean(
      meansOf(
        lengths,
        m,
        lengths.sets.map((set) => set.map(outcome)),
      ),
    );
  });
  const own = errorOf(estimates);
  expect(mean(plain), `seed ${seed}`).toBeGreaterThan(0);
  expect(Math.abs(mean(estimates) - mean(plain)), `seed ${seed}`).toBeLessThan(4 * Math.hypot(error, own));
  // The exact value: (m / 10) · e^(-1000 / m), as far as 8000 reaches.
  expect(Math.abs(mean(estimates) - (m / 10) * Math.exp(-1000 / m))).toBeLessThan(4 * own);
});

test("an event of one burst in ten million is met by thirty runs", () => {
  const m = 62;
  const exact = (m / 10) * Math.exp(-1000 / m);
  const estimates = Array.from({ length: 300 }, (_, i) => {
    const lengths = drawLengths(500, 4000, 6, 5, prng(i));
    return mean(
      meansOf(
        lengths,
        m,
        lengths.sets.map((set) => set.map(outcome)),
      ),
    );
  });
  const own = errorOf(estimates);
  expect(Math.exp(-1000 / m)).toBeLessThan(1.1e-7);
  expect(Math.abs(mean(estimates) - exact)).toBeLessThan(4 * own);
  expect(estimates.filter((x) => x > 0).length).toBeGreaterThan(290);
});
