// What a proof says of a change, from the difference that it makes in every set of runs.
import { meanInterval } from "../analysis/statistics.ts";
import type { ProofRow } from "./proof.ts";

export interface Judged {
  readonly verdict: ProofRow["verdict"];
  /** What the verdict rests on where the interval of the mean alone would not give it; else null. */
  readonly note: string | null;
}

/** Less than this share of the failures is no difference to anybody, and few runs could not tell it from chance. */
export const leastEffect = 0.1;

/**
 * A sign test beside Student's t: so many sets that all differ in the same direction come by chance in 2 of 2^6 cases, 3.1 % (eight sets: 0.8 %); five
 * would in 6.3 %. It finds what t misses where one machine of several carries the mean. The two together are wrong in 8.1 % at most.
 */
const agreeLeast = 6;

/** `each`: the difference of every set, after less before; `before`: the mean without the change. */
export function judge(before: number, each: readonly number[]): Judged {
  const { estimate, low, high } = meanInterval(each);
  const fewer = estimate < 0;
  const verdict = fewer ? "lowers" : "raises";
  if (Math.abs(estimate) >= before * leastEffect) {
    if (high < 0 || low > 0) return { verdict, note: null };
    if (each.length >= agreeLeast && each.every((d) => d * estimate > 0))
      return {
        verdict,
        note: `${fewer ? "fewer" : "more"} in each of the ${each.length} sets; the interval of the mean includes no change`,
      };
  }
  return { verdict: "no clear difference", note: null };
}
