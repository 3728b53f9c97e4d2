// What the judges of page pools say, and what they share.

export type PoolPattern =
  | "leak"
  | "slow consumer"
  | "small ring"
  | "shared pages"
  | "wrong node"
  | "healthy"
  | "kernel bug"
  | "bad parameters"
  | "does not say";
export type Certainty = "shown" | "likely" | "possible";

/** A line that a statement rests on. */
export interface PoolEvidence {
  readonly input: string;
  readonly line: number;
  readonly text: string;
}

export interface PoolReason {
  readonly text: string;
  readonly evidence: readonly PoolEvidence[];
}

/** Shares of 0..1; undefined where nothing was counted, or where a counter that belongs to it is not in the text. */
export interface PoolRates {
  readonly allocations: number | undefined;
  /**
   * Served by pages that had come back. A slow allocation takes up to 64 pages of the page allocator at once and leaves the others in the
   * cache, where they count as fast (net/core/page_pool.c): fast alone does not say that a page was used again.
   */
  readonly hit: number | undefined;
  /** Served by pages fresh from the page allocator: the rest. */
  readonly fresh: number | undefined;
  readonly fast: number | undefined;
  readonly refill: number | undefined;
  readonly slow: number | undefined;
  readonly returns: number | undefined;
  /** Of the pages that came back: kept by the pool. */
  readonly recycled: number | undefined;
  readonly ringFull: number | undefined;
  readonly released: number | undefined;
  /** Pages with driver or stack at the end of the interval, by the counters; undefined without all of them. */
  readonly out: number | undefined;
  /** True when the rates are of the time between two snapshots, not since the pool's creation. */
  readonly interval: boolean;
}

export interface PoolVerdict {
  readonly subject: string;
  readonly pattern: PoolPattern;
  readonly certainty: Certainty;
  readonly summary: string;
  readonly rates: PoolRates | undefined;
  /** Pages that the pool has given out or holds at home and has not released. */
  readonly inFlight: number | undefined;
  readonly reasons: readonly PoolReason[];
  readonly mayHold: readonly string[];
  readonly next: readonly string[];
}

/** Who can have pages that are out, and where to look. */
export const holders = [
  "packets in socket receive queues: `ss -tmn` (skmem r), `ss -x`, /proc/net/udp",
  "packets on their way out after forwarding or a tee: `tc -s qdisc`, the other device's tx ring",
  "pages that splice, a clone, AF_PACKET or tcp zerocopy hold by reference: pipes and mappings of local programs",
  "frames that XDP queued in a cpumap or devmap: `bpftool map`",
  "the driver itself: pages left in a receive ring when it called page_pool_destroy()",
];

/** The text of a line of an input. */
export type Quote = (input: string, line: number) => PoolEvidence;

/** Items by key, in order. */
export function group<T>(items: readonly T[], key: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) groups.set(key(item), [...(groups.get(key(item)) ?? []), item]);
  return groups;
}

export type Trend = "rising" | "falling" | "steady" | "moving" | "unknown";

export function trendOf(numbers: readonly number[]): Trend {
  if (numbers.length < 2) return "unknown";
  const steps = numbers.slice(1).map((n, i) => n - (numbers[i] as number));
  if (steps.every((s) => s === 0)) return "steady";
  if (steps.every((s) => s > 0)) return "rising";
  if (steps.every((s) => s <= 0)) return "falling";
  return "moving";
}

/** What a pool that was destroyed with pages out looks like. */
export function stalled(
  inflight: number,
  trend: Trend,
  looks: number,
  began: string,
): Pick<PoolVerdict, "pattern" | "certainty" | "summary" | "mayHold" | "next"> {
  if (inflight === 0)
    return {
      pattern: "healthy",
      certainty: "shown",
      summary: `${began}, and every page is back.`,
      mayHold: [],
      next: [],
    };
  const still = `${began}; ${inflight} ${inflight === 1 ? "page is" : "pages are"} still out`;
  if (trend === "steady")
    return {
      pattern: "leak",
      certainty: "likely",
      summary: `${still}, and none came back in between: held for good, or by one consumer that sleeps.`,
      mayHold: holders,
      next: [
        "Close the sockets of the receiving programs one by one: pages that then come back were waiting there; if none does, a reference was lost.",
      ],
    };
  if (trend === "falling")
    return {
      pattern: "slow consumer",
      certainty: "likely",
      summary: `${still}, but pages do come back: a consumer holds them for a long time.`,
      mayHold: holders.slice(0, 3),
      next: [],
    };
  return {
    pattern: "does not say",
    certainty: "possible",
    summary: `${still}. ${looks < 2 ? "One number shows no trend" : "The numbers do not fall steadily"}.`,
    mayHold: holders,
    next: [
      "Wait for the next warning (every 60 s): the same number means held for good, a smaller one a slow consumer.",
    ],
  };
}
