import { expect, test } from "vitest";
import { exp, log } from "./exact_math.ts";
import { prng } from "./prng.ts";

test("exp and log are those of Math to fifteen digits, over all that a number can be", () => {
  const random = prng(7);
  for (let i = 0; i < 20_000; i++) {
    const x = (random.unit() - 0.5) * 1400;
    const [own, theirs] = [exp(x), Math.exp(x)];
    // Below 2^-1022 digits are lost.
    if (theirs > 1e-300 && theirs < 1e300) expect(Math.abs(own / theirs - 1), `exp ${x}`).toBeLessThan(1e-14);
    const y = 2 ** (x / 1.4) * (1 + random.unit());
    expect(Math.abs(log(y) - Math.log(y)), `log ${y}`).toBeLessThan(1e-15 * Math.max(1, Math.abs(Math.log(y))) * 4);
  }
});

test("their ends", () => {
  expect([exp(0), exp(-1000), exp(1000), exp(Number.NaN)]).toEqual([1, 0, Number.POSITIVE_INFINITY, Number.NaN]);
  expect([log(1), log(0), log(-1), log(Number.POSITIVE_INFINITY)]).toEqual([
    0,
    Number.NEGATIVE_INFINITY,
    Number.NaN,
    Number.POSITIVE_INFINITY,
  ]);
});
