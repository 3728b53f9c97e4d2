// What a proof says of a change, from what every set of runs gave without it and with it.
import { mean, meanInterval, tTail } from "../analysis/statistics.ts";
import type { ProofRow } from "./proof.ts";

export interface Judged {
  readonly verdict: ProofRow["verdict"];
  /** What the verdict rests on where the interval of the mean alone would not give it; else null. */
  readonly note: string | null;
}

/** Less than this share of the failures is no difference to anybody, and few runs could not tell it from chance. */
export const leastEffect = 0.1;

/** Chance that any row of a proof is told to make a difference although none does. */
const wrongMost = 0.05;

/**
 * Machines fail more or less often, and one that fails often carries the mean and its interval: what a change does is judged by the share that it
 * takes from each, from -1 (no failure is left) to 1, by Student's t. A proof tries many changes: the level is shared among its rows (Bonferroni).
 * Every set has a machine of its own, or t would have fewer degrees of freedom than sets.
 */
export function judge(before: readonly number[], after: readonly number[], rows: number): Judged {
  const was = mean(before);
  const effect = mean(after) - was;
  const verdict = effect < 0 ? "lowers" : "raises";
  if (effect === 0 || Math.abs(effect) < was * leastEffect || before.length < 2)
    return { verdict: "no clear difference", note: null };
  const shares = before.map((b, i) => {
    const a = after[i] as number;
    return a === b ? 0 : (a - b) / (a + b);
  });
  const share = mean(shares);
  if (share * effect <= 0 || chanceOf(shares) * rows > wrongMost) return { verdict: "no clear difference", note: null };
  const { low, high } = meanInterval(before.map((b, i) => (after[i] as number) - b));
  if (high < 0 || low > 0) return { verdict, note: null };
  const those = shares.filter((s) => s * effect > 0).length;
  return {
    verdict,
    note: `${verdict === "lowers" ? "fewer" : "more"} in ${those === shares.length ? "each" : those} of the ${shares.length} sets; the interval of the mean includes no change`,
  };
}

/** Of a mean as far from 0 as theirs, where it is 0. */
function chanceOf(values: readonly number[]): number {
  const free = values.length - 1;
  const centre = mean(values);
  const variance = values.reduce((n, x) => n + (x - centre) ** 2, 0) / free;
  return variance === 0 ? 0 : tTail(centre / Math.sqrt(variance / values.length), free);
}
