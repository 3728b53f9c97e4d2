// Two censuses and what grew between them; several in a row, and which stacks only ever grow (a leak) rather than rise and fall (a cache).
import type { Census } from "./census.ts";
import type { GroupOptions } from "./group_by.ts";
import { groupCensus } from "./group_by.ts";

export interface Change {
  readonly labels: readonly string[];
  readonly before: number;
  readonly after: number;
  /** Pages; after - before. */
  readonly delta: number;
}

/** Changes by group, most grown first; groups without change are left out. */
export function diffCensus(before: Census, after: Census, options: GroupOptions): Change[] {
  const old = new Map(groupCensus(before, options).map((g) => [g.labels.join("\0"), g]));
  const changes: Change[] = [];
  for (const g of groupCensus(after, options)) {
    const id = g.labels.join("\0");
    const was = old.get(id)?.pages ?? 0;
    old.delete(id);
    if (g.pages !== was) changes.push({ labels: g.labels, before: was, after: g.pages, delta: g.pages - was });
  }
  for (const g of old.values()) changes.push({ labels: g.labels, before: g.pages, after: 0, delta: -g.pages });
  return changes.sort((a, b) => b.delta - a.delta || (a.labels.join() < b.labels.join() ? -1 : 1));
}

export interface Trend {
  readonly labels: readonly string[];
  /** Pages in each dump, in the order given. */
  readonly pages: readonly number[];
  /** Median of the slopes between all pairs (Theil and Sen), pages a dump. */
  readonly slope: number;
  /** One-sided chance to see so much rise by luck (Mann and Kendall, exact up to 9 dumps, normal beyond). */
  readonly p: number;
  /** Part of the rise that came in the last third of the dumps; a filling cache slows down, a leak does not. */
  readonly lateShare: number;
  readonly verdict: "leak-like" | "grew then levelled" | "cache-like" | "no trend" | "too few dumps";
}

/** Trends by group over three or more dumps, steepest first. With fewer than four the chance cannot fall below 5 % and no verdict is given. */
export function seriesOf(series: readonly Census[], options: GroupOptions): Trend[] {
  const byId = new Map<string, { labels: readonly string[]; pages: number[] }>();
  series.forEach((census, i) => {
    for (const g of groupCensus(census, options)) {
      const id = g.labels.join("\0");
      let entry = byId.get(id);
      if (entry === undefined) {
        entry = { labels: g.labels, pages: new Array<number>(series.length).fill(0) };
        byId.set(id, entry);
      }
      entry.pages[i] = g.pages;
    }
  });
  return [...byId.values()]
    .map(({ labels, pages }) => trend(labels, pages))
    .sort((a, b) => b.slope - a.slope || Math.max(...b.pages) - Math.max(...a.pages));
}

function trend(labels: readonly string[], pages: readonly number[]): Trend {
  const n = pages.length;
  const slopes: number[] = [];
  let s = 0;
  for (let i = 0; i < n; i++) {
    for (let j = i + 1; j < n; j++) {
      const d = pages[j]! - pages[i]!;
      s += Math.sign(d);
      slopes.push(d / (j - i));
    }
  }
  slopes.sort((a, b) => a - b);
  const mid = slopes.length >> 1;
  const slope =
    slopes.length === 0 ? 0 : slopes.length % 2 === 1 ? slopes[mid]! : (slopes[mid - 1]! + slopes[mid]!) / 2;
  const p = kendallChance(n, s, pages);
  const rise = pages[n - 1]! - pages[0]!;
  const lateFrom = n - Math.max(2, Math.ceil(n / 3));
  const lateShare = rise > 0 ? (pages[n - 1]! - pages[lateFrom]!) / rise : 0;
  const fell = pages.some((v, i) => i > 0 && v < pages[i - 1]!);
  const evenShare = (n - 1 - lateFrom) / (n - 1);
  let verdict: Trend["verdict"];
  if (n < 4) verdict = "too few dumps";
  else if (p <= 0.05 && rise > 0) verdict = lateShare >= evenShare / 4 ? "leak-like" : "grew then levelled";
  else verdict = fell && rise >= 0 && Math.max(...pages) > pages[0]! ? "cache-like" : "no trend";
  return { labels, pages, slope, p, lateShare, verdict };
}

/** Chance that n numbers in random order have a Kendall score of s or more. */
export function kendallChance(n: number, s: number, values: readonly number[]): number {
  const pairs = (n * (n - 1)) / 2;
  const ties = new Map<number, number>();
  for (const v of values) ties.set(v, (ties.get(v) ?? 0) + 1);
  const tied = [...ties.values()].some((t) => t > 1);
  if (n <= 9 && !tied) {
    // Orders with k inversions, built up one number at a time.
    let counts = [1];
    for (let m = 2; m <= n; m++) {
      const next = new Array<number>(counts.length + m - 1).fill(0);
      counts.forEach((c, k) => {
        for (let j = 0; j < m; j++) next[k + j]! += c;
      });
      counts = next;
    }
    const total = counts.reduce((a, b) => a + b, 0);
    const inversionsMax = (pairs - s) / 2;
    return counts.slice(0, Math.floor(inversionsMax) + 1).reduce((a, b) => a + b, 0) / total;
  }
  let variance = n * (n - 1) * (2 * n + 5);
  for (const t of ties.values()) variance -= t * (t - 1) * (2 * t + 5);
  variance /= 18;
  if (variance <= 0) return 1;
  const z = s > 0 ? (s - 1) / Math.sqrt(variance) : s < 0 ? (s + 1) / Math.sqrt(variance) : 0;
  return upperTail(z);
}

// Abramowitz and Stegun 26.2.17; error below 7.5e-8.
function upperTail(z: number): number {
  const t = 1 / (1 + 0.2316419 * Math.abs(z));
  const poly = t * (0.31938153 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429))));
  const tail = (Math.exp((-z * z) / 2) / Math.sqrt(2 * Math.PI)) * poly;
  return z >= 0 ? tail : 1 - tail;
}
