// Rare events by importance sampling: what happens once a week in bursts that are seldom so long is met by drawing long bursts on purpose, each
// counted by how much likelier it was drawn than it comes. Pure functions on lists of numbers.
//
//   bursts come with an exponential length of mean m; lengths b are drawn log-uniformly from [low, high], one from each of n strata:
//   mean of f(b) = 1/n · Σ f(b_i) · p_m(b_i) / q(b_i),   p_m(b) = e^(-b/m) / m,   q(b) = 1 / (b · ln(high / low))
//
// Unbiased for whatever happens in bursts between low and high; what lies outside is left out.
import { exp, log } from "../base/exact_math.ts";
import type { Prng } from "../base/prng.ts";

/** Lengths to run: `replicates` sets of `strata` each, every set a sample of its own. */
export interface Lengths {
  readonly low: number;
  readonly high: number;
  readonly sets: readonly (readonly number[])[];
}

export function drawLengths(low: number, high: number, strata: number, replicates: number, random: Prng): Lengths {
  const span = log(high / low);
  const sets = Array.from({ length: replicates }, () =>
    Array.from({ length: strata }, (_, i) => low * exp((span * (i + random.unit())) / strata)),
  );
  return { low, high, sets };
}

/** By how much a length's outcome counts, for a mean of all bursts. */
export const weightOf = ({ low, high }: Lengths, mean: number, length: number): number =>
  (exp(-length / mean) / mean) * length * log(high / low);

/** The mean outcome of a burst, by each set of lengths; `outcome[set][i]` belongs to `lengths.sets[set][i]`. */
export function meansOf(lengths: Lengths, mean: number, outcome: readonly (readonly number[])[]): number[] {
  return lengths.sets.map(
    (set, s) => set.reduce((n, b, i) => n + weightOf(lengths, mean, b) * (outcome[s]?.[i] ?? 0), 0) / set.length,
  );
}
