// Statistics for experiments: quantiles, intervals by a seeded bootstrap, shifts and effect sizes. Pure functions on lists of numbers;
// nothing but `meanInterval` assumes a distribution. The same data and seed give the same interval on every machine.
import { assert } from "../base/assert.ts";
import type { Prng } from "../base/prng.ts";
import { prng } from "../base/prng.ts";

/** An estimate between two bounds. */
export interface Interval {
  readonly estimate: number;
  readonly low: number;
  readonly high: number;
}

const rising = (values: readonly number[]): Float64Array => Float64Array.from(values).sort();

/** The p-quantile (0..1) with linear interpolation between order statistics (type 7 of Hyndman and Fan). */
export function quantile(values: readonly number[], p: number): number {
  assert(values.length > 0 && p >= 0 && p <= 1, () => `quantile ${p} of ${values.length} values`);
  return quantileOfSorted(rising(values), p);
}

function quantileOfSorted(sorted: Float64Array, p: number): number {
  const at = (sorted.length - 1) * p;
  const below = Math.floor(at);
  const low = sorted[below] as number;
  const high = sorted[Math.min(below + 1, sorted.length - 1)] as number;
  return low + (high - low) * (at - below);
}

export const median = (values: readonly number[]): number => quantile(values, 0.5);

export function mean(values: readonly number[]): number {
  assert(values.length > 0, "mean of nothing");
  let sum = 0;
  for (const v of values) sum += v;
  return sum / values.length;
}

export interface BootstrapOptions {
  /** Resamples. */
  readonly rounds?: number;
  /** Coverage, 0..1. */
  readonly level?: number;
  readonly seed?: number;
}

/** Percentile bootstrap of a statistic: the sample is drawn again with replacement, `rounds` times. */
export function bootstrap(
  values: readonly number[],
  statistic: (sample: readonly number[]) => number,
  options: BootstrapOptions = {},
): Interval {
  const { rounds = 2000, level = 0.95, seed = 1 } = options;
  const random: Prng = prng(seed);
  const sample = [...values];
  const seen = new Float64Array(rounds);
  for (let r = 0; r < rounds; r++) {
    for (let i = 0; i < sample.length; i++) sample[i] = values[random.below(values.length)] as number;
    seen[r] = statistic(sample);
  }
  seen.sort();
  return {
    estimate: statistic(values),
    low: quantileOfSorted(seen, (1 - level) / 2),
    high: quantileOfSorted(seen, (1 + level) / 2),
  };
}

/** Student's t at 97.5 % by degrees of freedom from 1. */
const studentT = [
  12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.16, 2.145, 2.131, 2.12, 2.11,
  2.101, 2.093, 2.086,
];

/**
 * The mean of a few values with its 95 % interval by Student's t. A bootstrap of three to six values is far too sure of itself: three differences
 * of the same sign come by chance once in four times. One value has no interval: it is unbounded.
 */
export function meanInterval(values: readonly number[]): Interval {
  const estimate = mean(values);
  const free = values.length - 1;
  if (free < 1) return { estimate, low: Number.NEGATIVE_INFINITY, high: Number.POSITIVE_INFINITY };
  const variance = values.reduce((n, x) => n + (x - estimate) ** 2, 0) / free;
  const reach = (studentT[free - 1] ?? 1.96 + 2.4 / free) * Math.sqrt(variance / values.length);
  return { estimate, low: estimate - reach, high: estimate + reach };
}

/**
 * The chance that Student's t with so many degrees of freedom lies further from 0 than `t`, on both sides: Abramowitz and Stegun 26.7.3 and 26.7.4.
 * From square roots and the four operations alone, which every engine rounds alike.
 */
export function tTail(t: number, free: number): number {
  assert(Number.isInteger(free) && free > 0, () => `${free} degrees of freedom`);
  if (!Number.isFinite(t)) return 0;
  const x = Math.abs(t) / Math.sqrt(free);
  const [sin, cos] = [x / Math.sqrt(1 + x * x), 1 / Math.sqrt(1 + x * x)];
  const odd = free % 2 === 1;
  let term = odd ? sin * cos : sin;
  let sum = free === 1 ? 0 : term;
  for (let k = odd ? 3 : 2; k <= free - 2; k += 2) {
    term *= (cos * cos * (k - 1)) / k;
    sum += term;
  }
  return Math.max(0, 1 - (odd ? (2 / Math.PI) * (arctan(x) + sum) : sum));
}

/** Halved four times, then as a series: a fifteenth power of 0.1 is beyond the last digit. */
function arctan(x: number): number {
  let y = x;
  for (let i = 0; i < 4; i++) y /= 1 + Math.sqrt(1 + y * y);
  let sum = 0;
  for (let k = 15; k >= 1; k -= 2) sum = (k % 4 === 1 ? 1 : -1) / k + sum * y * y;
  return 16 * y * sum;
}

/** The median with its bootstrap interval. */
export const medianInterval = (values: readonly number[], options?: BootstrapOptions): Interval =>
  bootstrap(values, median, options);

/** Paired differences b - a, one for each seed. */
export function differences(a: readonly number[], b: readonly number[]): number[] {
  assert(a.length === b.length, () => `${a.length} and ${b.length} runs are no pairs`);
  return b.map((v, i) => v - (a[i] as number));
}

/** Hodges and Lehmann's shift of paired data: the median of all averages of two differences, a difference with itself included. */
export function hodgesLehmann(paired: readonly number[]): number {
  const walsh: number[] = [];
  for (let i = 0; i < paired.length; i++)
    for (let j = i; j < paired.length; j++) walsh.push(((paired[i] as number) + (paired[j] as number)) / 2);
  return median(walsh);
}

/** Cliff's delta: how much more often a value of `b` is above one of `a` than below, -1 .. 1. */
export function cliffsDelta(a: readonly number[], b: readonly number[]): number {
  assert(a.length > 0 && b.length > 0, "Cliff's delta of nothing");
  let sum = 0;
  for (const x of a) for (const y of b) sum += Math.sign(y - x);
  return sum / (a.length * b.length);
}

/** Words for a delta, at the bounds of Romano et al. (2006). */
export function deltaWord(delta: number): "negligible" | "small" | "medium" | "large" {
  const d = Math.abs(delta);
  return d < 0.147 ? "negligible" : d < 0.33 ? "small" : d < 0.474 ? "medium" : "large";
}
