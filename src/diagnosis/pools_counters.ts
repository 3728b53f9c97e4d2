// Judges the counters of page pools: rates, what is out, and the pattern; one rule a pattern.

import type { CounterSnapshot } from "../artifact/page_pool/shape.ts";
import { type PoolCounter, poolCounters } from "../kernel/facts/pool_counters.ts";
import type { Absent, Part } from "../kernel/readings/part.ts";
import { cut, isKnown, nothingMissing, whole } from "../kernel/readings/part.ts";
import type { PoolEvidence, PoolRates, PoolReason, PoolVerdict, Quote } from "./pools_verdict.ts";
import { holders } from "./pools_verdict.ts";

/** PP_ALLOC_CACHE_REFILL: pages that one slow allocation may take at once (net/core/page_pool.c; one up to 5.12). */
const pagesAtOnce = 64;

type Known = number | undefined;

const of = (s: CounterSnapshot, c: PoolCounter): Known => s.counters[c]?.value;

const difference = (a: Known, b: Known): Known => (a === undefined || b === undefined ? undefined : a - b);

/** A sum is known where every counter of it is. */
function total(s: CounterSnapshot, counters: readonly PoolCounter[]): Known {
  let sum = 0;
  for (const c of counters) {
    const value = of(s, c);
    if (value === undefined) return undefined;
    sum += value;
  }
  return sum;
}

const taking = ["alloc-fast", "alloc-refill", "alloc-slow", "alloc-slow-high-order"] as const;
const fromPages = ["alloc-slow", "alloc-slow-high-order"] as const;
const returning = ["recycle-cached", "recycle-ring", "recycle-ring-full", "recycle-released-refcnt"] as const;
const keeping = ["recycle-cached", "recycle-ring"] as const;

/** Pages that are out: taken and not come back. */
const outOf = (s: CounterSnapshot): Known => difference(total(s, taking), total(s, returning));

/** The counters that are there; page_pool_get_stats() has them all, and who prints some of them prints them all. */
function countersPart(s: CounterSnapshot): Part<readonly PoolCounter[]> {
  const [there, lacks] = [true, false].map((is) => poolCounters.filter((c) => (of(s, c) !== undefined) === is));
  return lacks === undefined || lacks.length === 0
    ? whole(poolCounters, "every counter of the pool is there")
    : cut(there ?? [], lacks.join(", "));
}

/** Last snapshot minus first, of what both have; undefined when a counter went backwards (the pool was made anew). */
function between(first: CounterSnapshot, last: CounterSnapshot): CounterSnapshot | undefined {
  const counters: Partial<Record<PoolCounter, { value: number; line: number }>> = {};
  for (const c of poolCounters) {
    const [a, b] = [first.counters[c], last.counters[c]];
    if (a === undefined || b === undefined) continue;
    if (b.value < a.value) return undefined;
    counters[c] = { value: b.value - a.value, line: b.line };
  }
  return { ...last, counters };
}

const share = (part: Known, all: Known): Known =>
  part !== undefined && all !== undefined && all > 0 ? part / all : undefined;
const percent = (x: number | undefined): string =>
  x === undefined ? "none" : x >= 0.9995 && x < 1 ? "more than 99.9 %" : `${(x * 100).toFixed(x < 0.0095 ? 2 : 1)} %`;

/** Rates of one snapshot, or of the time between two. */
export function ratesOf(span: CounterSnapshot, last: CounterSnapshot, interval: boolean): PoolRates {
  const allocations = total(span, taking);
  const returns = total(span, returning);
  const kept = total(span, keeping);
  const slow = total(span, fromPages);
  const again = usedAgain(span, allocations, slow, returns === undefined ? undefined : kept);
  return {
    allocations,
    hit: share(again, allocations),
    fresh: share(difference(allocations, again), allocations),
    fast: share(of(span, "alloc-fast"), allocations),
    refill: share(of(span, "alloc-refill"), allocations),
    slow: share(slow, allocations),
    returns,
    recycled: share(kept, returns),
    ringFull: share(of(span, "recycle-ring-full"), returns),
    released: share(of(span, "recycle-released-refcnt"), returns),
    out: outOf(last),
    interval,
  };
}

/** No page is used again that had not come back; without the counters of returns only the bulk of a slow allocation bounds it. */
function usedAgain(span: CounterSnapshot, allocations: Known, slow: Known, kept: Known): Known {
  if (allocations === undefined || slow === undefined) return undefined;
  if (kept !== undefined) return Math.min(allocations - slow, kept);
  const single = difference(slow, of(span, "alloc-slow"));
  return single === undefined ? undefined : Math.max(0, allocations - (slow - single) * pagesAtOnce - single);
}

/** A series of snapshots, with what the rules ask for. */
interface Look {
  readonly span: CounterSnapshot;
  readonly rates: PoolRates;
  /** Pages out at each complete snapshot. */
  readonly outs: readonly number[];
  /** Out at the end minus out at the beginning. */
  readonly growth: number;
  cite(...counters: PoolCounter[]): PoolEvidence[];
}

type Judged = Pick<PoolVerdict, "pattern" | "certainty" | "summary"> &
  Partial<Pick<PoolVerdict, "reasons" | "mayHold" | "next">>;
type Rule = (look: Look) => Judged | undefined;

const idle: Rule = ({ rates }) =>
  rates.allocations !== 0
    ? undefined
    : {
        pattern: "does not say",
        certainty: "shown",
        summary: `No page was taken from this pool ${rates.interval ? "between the snapshots" : "since it was created"}.`,
        next: ["Take the counters while packets arrive."],
      };

const wrongNode: Rule = ({ span, cite }) => {
  const waived = of(span, "alloc-waive");
  const met = share(waived, total(span, ["alloc-waive", "alloc-refill"]));
  if (waived === undefined || met === undefined || met <= 0.01) return undefined;
  return {
    pattern: "wrong node",
    certainty: "shown",
    summary: `${waived} refills met a page of another NUMA node and released it.`,
    reasons: [
      {
        text: "alloc-waive counts refills that ended at a page of the wrong node.",
        evidence: cite("alloc-waive", "alloc-refill"),
      },
    ],
    next: ["Bind the receive interrupt to the node of the NIC, or let the driver call page_pool_nid_changed()."],
  };
};

const leak: Rule = ({ outs, growth, cite }) => {
  const grows = outs.length > 2 && outs.every((n, i) => i === 0 || n > (outs[i - 1] as number));
  if (!grows || growth < 64) return undefined;
  return {
    pattern: "leak",
    certainty: "likely",
    summary: `Pages in use grow from snapshot to snapshot: ${outs.join(", ")}. A queue that fills up looks the same until it is full.`,
    reasons: [
      {
        text: "Taken minus returned, by the counters of each snapshot.",
        evidence: cite("alloc-fast", "alloc-refill", "alloc-slow", "recycle-cached", "recycle-ring"),
      },
    ],
    mayHold: holders,
    next: [
      "Take one more snapshot with the traffic stopped: pages that are still out then are held, not passing through.",
    ],
  };
};

const sharedPages: Rule = ({ rates, cite }) =>
  rates.released === undefined || rates.released <= 0.05
    ? undefined
    : {
        pattern: "shared pages",
        certainty: "shown",
        summary: `${percent(rates.released)} of the pages that came back had another reference and were released.`,
        reasons: [
          {
            text: "recycle-released-refcnt counts pages that came back while somebody else held a page reference: the pool unmaps them and takes new ones.",
            evidence: cite("recycle-released-refcnt", "recycle-ring", "recycle-cached"),
          },
        ],
        mayHold: holders.slice(2, 3),
        next: [
          "Look for splice, tee, AF_PACKET, pskb_copy or tcp zerocopy readers of this traffic: each takes page references.",
        ],
      };

const smallRing: Rule = ({ span, cite }) => {
  const full = of(span, "recycle-ring-full");
  const turnedAway = share(full, total(span, ["recycle-ring", "recycle-ring-full"]));
  const slow = fromPages.some((c) => isKnown(of(span, c), (n) => n > 0));
  if (turnedAway === undefined || turnedAway <= 0.01 || !slow) return undefined;
  const reasons: PoolReason[] = [
    {
      text: "Pages were released for lack of room and allocated again: the ring is smaller than the number of packets in flight.",
      evidence: cite("recycle-ring", "recycle-ring-full", "alloc-slow"),
    },
  ];
  if (isKnown(of(span, "alloc-empty"), (n) => n > 0))
    reasons.push({
      text: "At other moments the ring was empty: the traffic comes in bursts larger than the ring.",
      evidence: cite("alloc-empty"),
    });
  return {
    pattern: "small ring",
    certainty: "shown",
    summary: `${percent(turnedAway)} of the pages that came back through the ring found it full, while the pool took new ones from the page allocator.`,
    reasons,
    next: [
      "Raise the receive ring (`ethtool -G DEV rx N`): most drivers size the pool by it. ring_full counts a bulk return once, so the true loss may be larger.",
    ],
  };
};

const swinging: Rule = ({ outs, growth, cite }) => {
  const swing = outs.length > 2 ? Math.max(...outs) - Math.min(...outs) : 0;
  if (swing < 64 || swing <= Math.abs(growth)) return undefined;
  return {
    pattern: "slow consumer",
    certainty: "likely",
    summary: `Pages in use go up and down: ${outs.join(", ")}. They do come back, but late.`,
    reasons: [
      {
        text: "Taken minus returned, by the counters of each snapshot.",
        evidence: cite("alloc-empty", "alloc-slow", "recycle-ring"),
      },
    ],
    mayHold: holders.slice(0, 3),
    next: ["Compare with the receive queues of the sockets at the same moments (`ss -tmn`)."],
  };
};

const grownOnce: Rule = ({ rates, growth, cite }) =>
  !rates.interval || growth < 64
    ? undefined
    : {
        pattern: "does not say",
        certainty: "possible",
        summary: `${growth} more pages are in use than in the first snapshot: a leak or a slow consumer.`,
        reasons: [{ text: "Two snapshots cannot tell the two apart.", evidence: cite("alloc-slow", "alloc-empty") }],
        mayHold: holders,
        next: ["Take a third snapshot: a leak keeps growing, a slow consumer returns its pages."],
      };

const emptyRing: Rule = ({ span, rates, cite }) => {
  if (rates.slow === undefined || rates.slow <= 0.01) return undefined;
  const slow = percent(rates.slow);
  if (span.counters["alloc-empty"] === undefined)
    return {
      pattern: "does not say",
      certainty: "possible",
      summary: `The text does not say why ${slow} of the allocations went to the page allocator: it lacks alloc-empty.`,
      reasons: [
        { text: "alloc-empty counts refills that found the ring empty.", evidence: cite("alloc-slow", "alloc-refill") },
      ],
      next: ["Take all counters of the pool at once."],
    };
  if (of(span, "alloc-empty") === 0) return undefined;
  if (!rates.interval)
    return {
      pattern: "does not say",
      certainty: "possible",
      summary: `${slow} of the allocations went to the page allocator because the ring was empty: pages stay out for a long time, or the pool is young.`,
      reasons: [
        {
          text: "One snapshot counts from the pool's creation: its first fill is in it.",
          evidence: cite("alloc-slow", "alloc-empty"),
        },
      ],
      next: ["Take the counters twice, some seconds apart."],
    };
  return {
    pattern: "slow consumer",
    certainty: "possible",
    summary: `${slow} of the allocations found cache and ring empty: the pages were still out.`,
    reasons: [
      {
        text:
          rates.returns !== undefined
            ? `${of(span, "alloc-empty")} refills found the ring empty; ${of(span, "recycle-ring-full")} returns found it full, and ${of(span, "recycle-released-refcnt")} pages were released because of another reference.`
            : `${of(span, "alloc-empty")} refills found the ring empty.`,
        evidence: cite("alloc-empty", "alloc-slow", "recycle-ring-full", "recycle-released-refcnt"),
      },
    ],
    mayHold: holders.slice(0, 3),
  };
};

/** That nothing is wrong takes every counter: what would show trouble may be in those that are missing. */
const healthy = ({ rates, cite }: Look, _all: Absent): Judged => ({
  pattern: "healthy",
  certainty: "shown",
  summary: `${percent(rates.hit)} of the allocations were served by cache or ring${rates.recycled === undefined ? "" : `, ${percent(rates.recycled)} of the returns were kept`}.`,
  reasons: [
    {
      text: `${percent(rates.slow)} of the allocations went to the page allocator.`,
      evidence: cite("alloc-fast", "alloc-slow"),
    },
  ],
});

/** Counters of a cut text: of what is not printed nothing is said. */
const notSaid = ({ span }: Look, lacks: string): Judged => ({
  pattern: "does not say",
  certainty: "possible",
  summary: `The text does not say ${taking.some((c) => isKnown(of(span, c), (n) => n > 0)) ? "how well the pool serves" : "whether pages were taken"}: it lacks ${lacks}.`,
  next: ["Take all counters of the pool at once."],
});

/** The first that has something to say wins: what is shown by counters before what is likely. */
const rules: readonly Rule[] = [idle, wrongNode, leak, sharedPages, smallRing, swinging, grownOnce, emptyRing];

/** Judges all snapshots of one name, in order of time. */
export function judgeCounters(name: string, list: readonly CounterSnapshot[], quote: Quote): PoolVerdict {
  const first = list[0] as CounterSnapshot;
  const last = list.at(-1) as CounterSnapshot;
  const delta = list.length > 1 ? between(first, last) : undefined;
  const shown = delta === undefined ? [last] : [first, last];
  const outs = list.map(outOf).filter((n) => n !== undefined);
  const look: Look = {
    span: delta ?? last,
    rates: ratesOf(delta ?? last, last, delta !== undefined),
    outs,
    growth: outs.length > 1 ? (outs.at(-1) as number) - (outs[0] as number) : 0,
    cite: (...counters) =>
      shown.flatMap((s) =>
        counters.flatMap((c) => {
          const at = s.counters[c];
          return at === undefined ? [] : [quote(s.input, at.line)];
        }),
      ),
  };
  let judged: Judged | undefined;
  for (const rule of rules) judged ??= rule(look);
  const counters = countersPart(look.span);
  const all = nothingMissing(counters);
  judged ??=
    all === undefined ? notSaid(look, counters.state === "cut" ? counters.lacks : "its counters") : healthy(look, all);
  const anew: PoolReason[] =
    list.length > 1 && delta === undefined
      ? [
          {
            text: "A counter went backwards: the pool was created anew in between, so only the last snapshot counts.",
            evidence: [],
          },
        ]
      : [];
  return {
    subject: name,
    rates: look.rates,
    inFlight: undefined,
    mayHold: [],
    next: [],
    ...judged,
    reasons: [...anew, ...(judged.reasons ?? [])],
  };
}
