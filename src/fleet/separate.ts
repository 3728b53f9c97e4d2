// What separates hosts that have a cause from hosts that have not: for each fact that is known of enough hosts of both kinds, the best split by
// value or threshold, tested by Fisher's exact test with Holm's correction over every split that was tried. A fact that is not known of a host
// counts for neither side.
import type { HostFacts } from "./host_record.ts";

export interface Separator {
  /** `release`, `driver`, `mtu`, `min_free_kbytes`, `memory_mb`. */
  readonly factor: string;
  /** In words: "release 6.1.90", "mtu above 1500". */
  readonly split: string;
  /** Of the hosts that have the cause: how many are on this side of the split, of how many of which the fact is known. */
  readonly having: readonly [number, number];
  /** The same of the hosts that have not. */
  readonly others: readonly [number, number];
  /** Two-sided, corrected for every split that was tried. */
  readonly p: number;
}

/** No separator is named above this. */
export const separatorLevel = 0.01;
/** Facts known of fewer hosts on either side are not tested. */
const leastHosts = 3;

export function separatorsOf(having: ReadonlySet<string>, facts: ReadonlyMap<string, HostFacts>): Separator[] {
  const names = new Set([...facts.values()].flatMap((f) => Object.keys(f)));
  const tried: Separator[] = [...names].sort().flatMap((factor) => splitsOf(factor, having, facts));
  // Holm: the smallest p is multiplied by the number of tests, the next by one less, and none gets smaller than the one before it.
  // Of splits that say the same the one that names the hosts that have the cause.
  const share = (s: Separator): number => s.having[0] / s.having[1];
  tried.sort((a, b) => a.p - b.p || share(b) - share(a) || (a.split < b.split ? -1 : 1));
  let least = 0;
  const corrected = tried.map((s, i) => {
    least = Math.max(least, Math.min(1, s.p * (tried.length - i)));
    return { ...s, p: least };
  });
  const best = new Map<string, Separator>();
  for (const s of corrected) if (s.p <= separatorLevel && !best.has(s.factor)) best.set(s.factor, s);
  return [...best.values()];
}

function splitsOf(factor: string, having: ReadonlySet<string>, facts: ReadonlyMap<string, HostFacts>): Separator[] {
  const values: { readonly has: boolean; readonly value: string | number }[] = [];
  for (const [host, f] of facts) {
    const value = f[factor];
    if (value !== undefined) values.push({ has: having.has(host), value });
  }
  const withCause = values.filter((v) => v.has).length;
  if (withCause < leastHosts || values.length - withCause < leastHosts) return [];
  const distinct = [...new Set(values.map((v) => v.value))];
  if (distinct.length < 2) return [];
  const test = (split: string, side: (value: string | number) => boolean): Separator => {
    const a = values.filter((v) => v.has && side(v.value)).length;
    const b = values.filter((v) => !v.has && side(v.value)).length;
    return {
      factor,
      split,
      having: [a, withCause],
      others: [b, values.length - withCause],
      p: fisher(a, withCause - a, b, values.length - withCause - b),
    };
  };
  const words = distinct.filter((v) => typeof v === "string");
  const numbers = distinct.filter((v): v is number => typeof v === "number").sort((a, b) => a - b);
  return [
    ...words.map((w) => test(`${factor} ${w}`, (v) => v === w)),
    ...thinned(numbers.slice(0, -1), 32).map((n) =>
      test(`${factor} above ${n}`, (v) => typeof v === "number" && v > n),
    ),
  ];
}

const thinned = (numbers: readonly number[], most: number): readonly number[] =>
  numbers.length <= most
    ? numbers
    : Array.from({ length: most }, (_, i) => numbers[Math.floor((i * numbers.length) / most)] as number);

/** Fisher's exact test, two-sided: the chance of a table at least as unlikely as this one, the margins given. */
export function fisher(a: number, b: number, c: number, d: number): number {
  const [row, other, column] = [a + b, c + d, a + c];
  const total = row + other;
  const constant =
    logFactorial(row) + logFactorial(other) + logFactorial(column) + logFactorial(total - column) - logFactorial(total);
  const logP = (x: number): number =>
    constant - logFactorial(x) - logFactorial(row - x) - logFactorial(column - x) - logFactorial(other - column + x);
  const seen = logP(a);
  let p = 0;
  for (let x = Math.max(0, column - other); x <= Math.min(row, column); x++)
    if (logP(x) <= seen + 1e-9) p += Math.exp(logP(x));
  return Math.min(1, p);
}

const factorials: number[] = [0];
function logFactorial(n: number): number {
  for (let k = factorials.length; k <= n; k++) factorials.push((factorials[k - 1] as number) + Math.log(k));
  return factorials[n] as number;
}
