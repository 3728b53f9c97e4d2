// What separates hosts that have a cause from hosts that have not: for each fact that is known of enough hosts of both kinds, the best split by
// value or threshold, tested by Fisher's exact test with Holm's correction over every split that was tried, of all causes together: of a hundred
// answers without a separating fact at most one names any. A fact that is not known of a host counts for neither side.
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

/** A cause's hosts, and which of the others it is fair to compare them with. */
export interface Sides {
  readonly having: ReadonlySet<string>;
  /** Facts that the cause is made of: its driver, when it names one. They separate by definition. */
  readonly within: readonly string[];
  /** Others that are left out: of another release family, without its driver. */
  readonly leftOut: (facts: HostFacts) => boolean;
}

/** No separator is named above this. */
export const separatorLevel = 0.01;
/** Facts known of fewer hosts on either side are not tested. */
const leastHosts = 3;

/** For each cause the best split of each fact, most certain first. */
export function separatorsOf(causes: readonly Sides[], facts: ReadonlyMap<string, HostFacts>): Separator[][] {
  const names = [...new Set([...facts.values()].flatMap((f) => Object.keys(f)))].sort();
  const tried = causes.flatMap((sides, cause) =>
    names.flatMap((factor) =>
      sides.within.includes(factor) ? [] : splitsOf(factor, sides, facts).map((s) => ({ ...s, cause })),
    ),
  );
  // Holm: the smallest p is multiplied by the number of tests, the next by one less, and none gets smaller than the one before it.
  // Of splits that say the same the one that names the hosts that have the cause.
  const share = (s: Separator): number => s.having[0] / s.having[1];
  tried.sort((a, b) => a.p - b.p || share(b) - share(a) || (a.split < b.split ? -1 : 1));
  let least = 0;
  const best = causes.map(() => new Map<string, Separator>());
  tried.forEach(({ cause, ...s }, i) => {
    least = Math.max(least, Math.min(1, s.p * (tried.length - i)));
    const own = best[cause] as Map<string, Separator>;
    if (least <= separatorLevel && !own.has(s.factor)) own.set(s.factor, { ...s, p: least });
  });
  return best.map((own) => [...own.values()]);
}

type Value = number | readonly string[];

function splitsOf(factor: string, { having, leftOut }: Sides, facts: ReadonlyMap<string, HostFacts>): Separator[] {
  const sides: [Value[], Value[]] = [[], []];
  for (const [host, f] of facts) {
    const value = f[factor];
    if (value === undefined) continue;
    if (having.has(host)) sides[0].push(value);
    else if (!leftOut(f)) sides[1].push(value);
  }
  const [has, others] = sides;
  if (has.length < leastHosts || others.length < leastHosts) return [];
  const split = (words: string, a: number, b: number): Separator[] =>
    a + b === has.length + others.length
      ? []
      : [
          {
            factor,
            split: words,
            having: [a, has.length],
            others: [b, others.length],
            p: fisher(a, has.length - a, b, others.length - b),
          },
        ];
  const counts = sides.map((values) => {
    const n = new Map<string, number>();
    for (const value of values) if (typeof value !== "number") for (const w of value) n.set(w, (n.get(w) ?? 0) + 1);
    return n;
  }) as [Map<string, number>, Map<string, number>];
  const words = [...new Set([...counts[0].keys(), ...counts[1].keys()])].sort();
  const numbers = sides.map((values) => values.filter((v) => typeof v === "number").sort((a, b) => a - b));
  const distinct = [...new Set(numbers.flat())].sort((a, b) => a - b);
  const above = (side: number, n: number): number => {
    const list = numbers[side] as number[];
    return list.length - upperBound(list, n);
  };
  return [
    ...words.flatMap((w) => split(`${factor} ${w}`, counts[0].get(w) ?? 0, counts[1].get(w) ?? 0)),
    ...thinned(distinct.slice(0, -1), 32).flatMap((n) => split(`${factor} above ${n}`, above(0, n), above(1, n))),
  ];
}

/** How many of a sorted list are at most `n`. */
function upperBound(list: readonly number[], n: number): number {
  let [low, high] = [0, list.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((list[middle] as number) <= n) low = middle + 1;
    else high = middle;
  }
  return low;
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
  const limit = logP(a) + 1e-9;
  const [from, to] = [Math.max(0, column - other), Math.min(row, column)];
  // Outwards from the likeliest table, until nothing that a number can hold is left.
  const mode = Math.min(to, Math.max(from, Math.floor(((row + 1) * (column + 1)) / (total + 2))));
  let p = 0;
  for (const step of [-1, 1])
    for (let x = step < 0 ? mode : mode + 1; x >= from && x <= to; x += step) {
      const log = logP(x);
      if (log < -745) break;
      if (log <= limit) p += Math.exp(log);
    }
  return Math.min(1, p);
}

const factorials: number[] = [0];
function logFactorial(n: number): number {
  for (let k = factorials.length; k <= n; k++) factorials.push((factorials[k - 1] as number) + Math.log(k));
  return factorials[n] as number;
}
