// Judges what was read about page pools: hit rates, what is out, who may hold it, and which pattern that is.
// The arithmetic is that of the counters themselves (net/core/page_pool.c, 6.1): every allocation counts once as fast, refill, slow or
// slow_high_order; every page that comes back counts once as cached, ring, ring_full or released_refcnt. Exceptions are said where they matter.
import type {
  CounterSnapshot,
  PoolCounter,
  PoolReading,
  PoolState,
  PoolWarning,
  TracedPool,
} from "../artifact/page_pool/shape.ts";
import { poolCounters } from "../artifact/page_pool/shape.ts";

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

/** Shares of 0..1; undefined where nothing was counted. */
export interface PoolRates {
  readonly allocations: number;
  /** Served without the page allocator: cache or ring. */
  readonly hit: number | undefined;
  readonly fast: number | undefined;
  readonly refill: number | undefined;
  readonly slow: number | undefined;
  readonly returns: number;
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

const holders = [
  "packets in socket receive queues: `ss -tmn` (skmem r), `ss -x`, /proc/net/udp",
  "packets on their way out after forwarding or a tee: `tc -s qdisc`, the other device's tx ring",
  "pages that splice, a clone, AF_PACKET or tcp zerocopy hold by reference: pipes and mappings of local programs",
  "frames parked by XDP in a cpumap or devmap: `bpftool map`",
  "the driver itself: pages left in a receive ring when it called page_pool_destroy()",
];

/** All verdicts: counters by name, netlink pools by id, traces, and the kernel log. Readings must be in the order of time. */
export function judgePools(readings: readonly PoolReading[]): PoolVerdict[] {
  const linesOf = new Map(readings.map((r) => [r.input, r.lines]));
  const quote = (input: string, line: number): PoolEvidence => ({
    input,
    line,
    text: linesOf.get(input)?.[line - 1]?.trimEnd() ?? "",
  });
  const series = group(
    readings.flatMap((r) => r.counters),
    (c) => c.name,
  );
  const states = group(
    readings.flatMap((r) => r.states),
    (s) => `pool ${s.id}`,
  );
  const verdicts: PoolVerdict[] = [];
  for (const [name, list] of series) verdicts.push(judgeCounters(name, list, quote));
  for (const [name, list] of states)
    verdicts.push(judgeStates(name, list, verdicts.find((v) => v.subject === name)?.rates?.out, quote));
  for (const trace of readings.flatMap((r) => r.traces)) verdicts.push(judgeTrace(trace, quote));
  for (const reading of readings) verdicts.push(...judgeWarnings(reading, quote));
  return verdicts;
}

type Quote = (input: string, line: number) => PoolEvidence;

function group<T>(items: readonly T[], key: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) groups.set(key(item), [...(groups.get(key(item)) ?? []), item]);
  return groups;
}

const of = (s: CounterSnapshot, c: PoolCounter): number => s.counters[c]?.value ?? 0;
const allocationsOf = (s: CounterSnapshot): number =>
  of(s, "alloc-fast") + of(s, "alloc-refill") + of(s, "alloc-slow") + of(s, "alloc-slow-high-order");
const returnsOf = (s: CounterSnapshot): number =>
  of(s, "recycle-cached") + of(s, "recycle-ring") + of(s, "recycle-ring-full") + of(s, "recycle-released-refcnt");
const complete = (s: CounterSnapshot): boolean =>
  (
    [
      "alloc-fast",
      "alloc-slow",
      "alloc-refill",
      "recycle-cached",
      "recycle-ring",
      "recycle-ring-full",
      "recycle-released-refcnt",
    ] as const
  ).every((c) => s.counters[c] !== undefined);

/** Last snapshot minus first; undefined when a counter went backwards (the pool was made anew). */
function difference(first: CounterSnapshot, last: CounterSnapshot): CounterSnapshot | undefined {
  const counters: Partial<Record<PoolCounter, { value: number; line: number }>> = {};
  for (const c of poolCounters) {
    const b = last.counters[c];
    if (b === undefined) continue;
    const value = b.value - of(first, c);
    if (value < 0) return undefined;
    counters[c] = { value, line: b.line };
  }
  return { ...last, counters };
}

const share = (part: number, whole: number): number | undefined => (whole > 0 ? part / whole : undefined);
const percent = (x: number | undefined): string =>
  x === undefined ? "none" : x > 0.9995 && x < 1 ? "more than 99.9 %" : `${(x * 100).toFixed(x < 0.0095 ? 2 : 1)} %`;

/** Rates of one snapshot, or of the time between two. */
export function ratesOf(span: CounterSnapshot, last: CounterSnapshot, interval: boolean): PoolRates {
  const allocations = allocationsOf(span);
  const returns = returnsOf(span);
  const kept = of(span, "recycle-cached") + of(span, "recycle-ring");
  const slow = of(span, "alloc-slow") + of(span, "alloc-slow-high-order");
  return {
    allocations,
    hit: share(allocations - slow, allocations),
    fast: share(of(span, "alloc-fast"), allocations),
    refill: share(of(span, "alloc-refill"), allocations),
    slow: share(slow, allocations),
    returns,
    recycled: share(kept, returns),
    ringFull: share(of(span, "recycle-ring-full"), returns),
    released: share(of(span, "recycle-released-refcnt"), returns),
    out: complete(last) ? allocationsOf(last) - returnsOf(last) : undefined,
    interval,
  };
}

function judgeCounters(name: string, list: readonly CounterSnapshot[], quote: Quote): PoolVerdict {
  const first = list[0] as CounterSnapshot;
  const last = list.at(-1) as CounterSnapshot;
  const delta = list.length > 1 ? difference(first, last) : undefined;
  const span = delta ?? last;
  const rates = ratesOf(span, last, delta !== undefined);
  const cite = (...counters: PoolCounter[]): PoolEvidence[] =>
    (list.length > 1 && delta !== undefined ? [first, last] : [last]).flatMap((s) =>
      counters.flatMap((c) => {
        const at = s.counters[c];
        return at === undefined ? [] : [quote(s.input, at.line)];
      }),
    );
  const outs = list.filter(complete).map((s) => allocationsOf(s) - returnsOf(s));
  const reasons: PoolReason[] = [];
  if (list.length > 1 && delta === undefined)
    reasons.push({
      text: "A counter went backwards: the pool was made anew in between, so only the last snapshot counts.",
      evidence: [],
    });
  const verdict = (
    pattern: PoolPattern,
    certainty: Certainty,
    summary: string,
    extra: Partial<PoolVerdict> = {},
  ): PoolVerdict => ({
    subject: name,
    pattern,
    certainty,
    summary,
    rates,
    inFlight: undefined,
    mayHold: [],
    next: [],
    ...extra,
    reasons: [...reasons, ...(extra.reasons ?? [])],
  });

  if (rates.allocations === 0)
    return verdict("does not say", "shown", "No page was taken from this pool in that time.", {
      next: ["Take the counters while packets arrive."],
    });
  const grows = outs.length > 2 && outs.every((n, i) => i === 0 || n > (outs[i - 1] as number));
  const growth = outs.length > 1 ? (outs.at(-1) as number) - (outs[0] as number) : 0;
  const swing = outs.length > 2 ? Math.max(...outs) - Math.min(...outs) : 0;
  const slowPages = of(span, "alloc-slow") + of(span, "alloc-slow-high-order");
  const ringFull = of(span, "recycle-ring-full");
  const toRing = of(span, "recycle-ring") + ringFull;
  const waived = of(span, "alloc-waive");

  if (waived > 0 && waived / Math.max(1, waived + of(span, "alloc-refill")) > 0.01)
    return verdict("wrong node", "shown", `${waived} refills met a page of another NUMA node and gave it away.`, {
      reasons: [
        {
          text: "alloc-waive counts refills that ended at a page of the wrong node.",
          evidence: cite("alloc-waive", "alloc-refill"),
        },
      ],
      next: ["Bind the receive interrupt to the node of the NIC, or let the driver call page_pool_nid_changed()."],
    });
  if (grows && growth >= 64)
    return verdict(
      "leak",
      "likely",
      `Pages out grow at every look: ${outs.join(", ")}. Nothing that is merely slow grows without a pause.`,
      {
        reasons: [
          {
            text: "Taken minus come back, by the counters of each snapshot.",
            evidence: cite("alloc-fast", "alloc-refill", "alloc-slow", "recycle-cached", "recycle-ring"),
          },
        ],
        mayHold: holders,
        next: ["Take one more snapshot with the traffic stopped: what is then still out is held, not in use."],
      },
    );
  if ((rates.released ?? 0) > 0.05)
    return verdict(
      "shared pages",
      "shown",
      `${percent(rates.released)} of the pages that came back had another reference and were given up.`,
      {
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
      },
    );
  if (toRing > 0 && ringFull / toRing > 0.01 && slowPages > 0)
    return verdict(
      "small ring",
      "shown",
      `${percent(ringFull / toRing)} of the pages that came back by the ring found it full, while the pool took new ones from the page allocator.`,
      {
        reasons: [
          {
            text: "Pages were thrown away for want of room and fetched again: the ring is smaller than the packets in flight.",
            evidence: cite("recycle-ring", "recycle-ring-full", "alloc-slow"),
          },
          ...(of(span, "alloc-empty") > 0
            ? [
                {
                  text: "At other moments the ring was empty: the traffic comes in bursts larger than the ring.",
                  evidence: cite("alloc-empty"),
                },
              ]
            : []),
        ],
        next: [
          "Raise the receive ring (`ethtool -G DEV rx N`): most drivers size the pool by it. ring_full counts a bulk return once, so the true loss may be larger.",
        ],
      },
    );
  if (swing >= 64 && swing > Math.abs(growth))
    return verdict("slow consumer", "likely", `Pages out go up and down: ${outs.join(", ")}. They come back, late.`, {
      reasons: [
        {
          text: "Taken minus come back, by the counters of each snapshot.",
          evidence: cite("alloc-empty", "alloc-slow", "recycle-ring"),
        },
      ],
      mayHold: holders.slice(0, 3),
      next: ["Compare with the receive queues of the sockets at the same moments (`ss -tmn`)."],
    });
  if (delta !== undefined && growth >= 64)
    return verdict(
      "does not say",
      "possible",
      `${growth} more pages are out than at the first look: a leak or a slow consumer.`,
      {
        reasons: [{ text: "Two snapshots cannot tell the two apart.", evidence: cite("alloc-slow", "alloc-empty") }],
        mayHold: holders,
        next: ["Take a third snapshot: a leak goes on growing, a slow consumer gives back."],
      },
    );
  if ((rates.slow ?? 0) > 0.01 && of(span, "alloc-empty") > 0)
    return delta === undefined
      ? verdict(
          "does not say",
          "possible",
          `${percent(rates.slow)} of the allocations went to the page allocator because the ring was empty: pages out for long, or a pool still young.`,
          {
            reasons: [
              {
                text: "One snapshot counts from the pool's creation: its first fill is in it.",
                evidence: cite("alloc-slow", "alloc-empty"),
              },
            ],
            next: ["Take the counters twice, some seconds apart."],
          },
        )
      : verdict(
          "slow consumer",
          "possible",
          `${percent(rates.slow)} of the allocations found cache and ring empty although nothing was thrown away: the pages were still out.`,
          {
            reasons: [
              {
                text: "The ring was empty, not full, and no page was given up for a reference.",
                evidence: cite("alloc-empty", "alloc-slow", "recycle-ring-full"),
              },
            ],
            mayHold: holders.slice(0, 3),
          },
        );
  return verdict(
    "healthy",
    "shown",
    `${percent(rates.hit)} of the allocations were served by cache or ring${rates.recycled === undefined ? "" : `, ${percent(rates.recycled)} of the returns were kept`}.`,
    {
      reasons: [
        {
          text: "Next to nothing went to or came from the page allocator.",
          evidence: cite("alloc-fast", "alloc-slow"),
        },
      ],
    },
  );
}

function judgeStates(name: string, list: readonly PoolState[], out: number | undefined, quote: Quote): PoolVerdict {
  const last = list.at(-1) as PoolState;
  const inflights = list.map((s) => s.inflight).filter((n) => n !== undefined);
  const evidence = list.map((s) => quote(s.input, s.line));
  const trend = trendOf(inflights);
  const reasons: PoolReason[] = [
    { text: `In flight, by page-pool-get: ${inflights.join(", ") || "not given"}.`, evidence },
  ];
  if (out !== undefined && last.inflight !== undefined && last.inflight >= out)
    reasons.push({
      text: `By the counters ${out} of them were out when those were taken: the other ${last.inflight - out} in cache and ring.`,
      evidence: [],
    });
  const base = { subject: name, rates: undefined, inFlight: last.inflight, reasons };

  if (last.detachTime !== undefined)
    return {
      ...base,
      ...stalled(
        last.inflight ?? 0,
        trend,
        inflights.length,
        `The driver let go of this pool ${last.detachTime} s after boot`,
      ),
    };
  if (trend === "rising" && inflights.length > 2 && (inflights.at(-1) as number) - (inflights[0] as number) >= 64)
    return {
      ...base,
      pattern: "leak",
      certainty: "likely",
      summary: `In flight grows at every look: ${inflights.join(", ")}.`,
      mayHold: holders,
      next: ["A pool's pages at home are in this number too: compare with page-pool-stats-get of the same moment."],
    };
  return {
    ...base,
    pattern: trend === "falling" || trend === "steady" ? "healthy" : "does not say",
    certainty: "possible",
    summary: `${last.inflight ?? "?"} pages belong to this pool, at home or out.`,
    mayHold: [],
    next:
      inflights.length < 2
        ? ["Ask again after some seconds, and for page-pool-stats-get: one number has no direction."]
        : [],
  };
}

type Trend = "rising" | "falling" | "steady" | "moving" | "unknown";

function trendOf(numbers: readonly number[]): Trend {
  if (numbers.length < 2) return "unknown";
  const steps = numbers.slice(1).map((n, i) => n - (numbers[i] as number));
  if (steps.every((s) => s === 0)) return "steady";
  if (steps.every((s) => s > 0)) return "rising";
  if (steps.every((s) => s <= 0)) return "falling";
  return "moving";
}

/** What a pool that was destroyed with pages out looks like. */
function stalled(
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
      summary: `${still}, and not one came back between the looks: held for good, or by one holder that sleeps.`,
      mayHold: holders,
      next: [
        "Close the sockets of the receiving programs one by one: pages that then come back were waiting there; if none does, a reference was lost.",
      ],
    };
  if (trend === "falling")
    return {
      pattern: "slow consumer",
      certainty: "likely",
      summary: `${still}, and they do come back: a consumer holds them for long.`,
      mayHold: holders.slice(0, 3),
      next: [],
    };
  return {
    pattern: "does not say",
    certainty: "possible",
    summary: `${still}. ${looks < 2 ? "One look has no direction" : "The numbers go both ways"}.`,
    mayHold: holders,
    next: [
      "Wait for the next warning (every 60 s): the same number means held for good, a smaller one a slow consumer.",
    ],
  };
}

function judgeTrace(trace: TracedPool, quote: Quote): PoolVerdict {
  const { out, ended } = trace;
  const oldest = out.slice(0, 5).map((p) => quote(trace.input, p.line));
  const base = {
    subject: `${trace.pool} in ${trace.input}`,
    rates: undefined,
    inFlight: ended?.inflight ?? out.length,
    reasons: [
      {
        text: `${trace.holds} pages taken from the page allocator, ${trace.releases} given up.`,
        evidence: [quote(trace.input, trace.firstLine), quote(trace.input, trace.lastLine)],
      },
      ...(trace.unknownReleases > 0
        ? [{ text: `${trace.unknownReleases} releases are of pages taken before the trace began.`, evidence: [] }]
        : []),
      ...(out.length > 0 ? [{ text: "Taken and not given up, oldest first:", evidence: oldest }] : []),
    ],
  };
  if (ended !== undefined) {
    const verdict = stalled(ended.inflight, "unknown", 1, "The pool was asked to end");
    const proof = {
      text: "page_pool_release says what was in flight at the end.",
      evidence: [quote(trace.input, ended.line)],
    };
    return { ...base, ...verdict, reasons: [...base.reasons, proof] };
  }
  return {
    ...base,
    pattern: "does not say",
    certainty: "possible",
    summary: `${out.length} traced pages still belong to the pool; the tracepoints do not say whether they are at home or out.`,
    mayHold: [],
    next: ["Recycling has no tracepoint: add `ethtool -S` or page-pool-stats-get of the same time."],
  };
}

const WARN_SECONDS = 60;

function judgeWarnings(reading: PoolReading, quote: Quote): PoolVerdict[] {
  const verdicts: PoolVerdict[] = [];
  const stalls = reading.warnings.filter((w) => w.kind === "stalled");
  for (const [id, list] of group(episodes(stalls), (e) => `${e.episode}`))
    verdicts.push(
      judgeStall(
        id,
        list.map((e) => e.warning),
        reading,
        quote,
      ),
    );
  for (const w of reading.warnings) {
    const evidence = [quote(w.input, w.line)];
    const base = { subject: `${reading.input}:${w.line}`, rates: undefined, certainty: "shown" as const, mayHold: [] };
    if (w.kind === "create failed")
      verdicts.push({
        ...base,
        pattern: "bad parameters",
        inFlight: undefined,
        summary:
          w.number === -22
            ? "A driver asked for a pool that cannot be: an unknown flag, DMA sync without DMA map or without a length, a wrong direction, or fragments where the DMA address needs their place."
            : `A pool could not be made (errno ${w.number}).`,
        reasons: [{ text: "page_pool_create() returned an error; no pool exists.", evidence }],
        next: [],
      });
    else if (w.kind === "negative inflight")
      verdicts.push({
        ...base,
        pattern: "kernel bug",
        inFlight: w.number,
        summary: "More pages were released than taken: one page was given back twice, or to the wrong pool.",
        reasons: [{ text: "hold - release is negative.", evidence }],
        next: ["Look for a driver that both releases a page and lets the skb recycle it."],
      });
    else if (w.kind === "refcnt violation")
      verdicts.push({
        ...base,
        pattern: "kernel bug",
        inFlight: undefined,
        summary: `A page lay in the pool's ring with ${w.number} references: somebody still uses it.`,
        reasons: [{ text: "Pages at home have exactly one reference.", evidence }],
        next: [],
      });
  }
  return verdicts;
}

/** Warnings of one dying pool belong together: same id, or (without ids) seconds that go on growing. */
function episodes(stalls: readonly PoolWarning[]): { readonly episode: string; readonly warning: PoolWarning }[] {
  let run = 0;
  let before = -1;
  return stalls.map((warning) => {
    if (warning.poolId !== undefined) return { episode: `pool ${warning.poolId}`, warning };
    if ((warning.stalledSeconds ?? 0) <= before) run++;
    before = warning.stalledSeconds ?? 0;
    return { episode: run === 0 ? "stalled pool" : `stalled pool ${run + 1}`, warning };
  });
}

function judgeStall(name: string, list: readonly PoolWarning[], reading: PoolReading, quote: Quote): PoolVerdict {
  const last = list.at(-1) as PoolWarning;
  const numbers = list.map((w) => w.number);
  const reasons: PoolReason[] = [
    {
      text: `Pages in flight, warning by warning: ${numbers.join(", ")}.`,
      evidence: list.map((w) => quote(w.input, w.line)),
    },
  ];
  const [first] = list as [PoolWarning, ...PoolWarning[]];
  if (first.at !== undefined && first.stalledSeconds !== undefined) {
    const destroyed = first.at - first.stalledSeconds;
    // Retries come about every second and a little late, so the destroy lies up to two per cent before.
    const slack = 1 + first.stalledSeconds * 0.015;
    const near = loglines(reading, destroyed - slack, destroyed + 0.5);
    if (near.length > 0)
      reasons.push({
        text: `What the log says around the destroy (about ${destroyed.toFixed(1)} s after boot):`,
        evidence: near,
      });
  }
  const judged = stalled(
    last.number,
    trendOf(numbers),
    list.length,
    `A destroyed pool waits for its pages since ${last.stalledSeconds} s`,
  );
  const next = [...judged.next];
  if (last.at !== undefined && reading.logEnd !== undefined) {
    const due = last.at + WARN_SECONDS * 1.02;
    const after = loglines(reading, last.at + 0.001, due).filter((e) => /pool|page/i.test(e.text));
    if (after.length > 0)
      reasons.push({ text: "What the log says about pages after the last warning:", evidence: after });
    if (reading.logEnd.at > due + 1) {
      reasons.push({
        text: `The next warning was due at ${due.toFixed(0)} s and did not come: the last page came back before.`,
        evidence: [quote(reading.input, reading.logEnd.line)],
      });
      return {
        subject: name,
        rates: undefined,
        inFlight: 0,
        reasons,
        pattern: "slow consumer",
        certainty: "likely",
        summary: `A destroyed pool waited more than ${last.stalledSeconds} s for its pages, then it ended: they were held for long, not lost.`,
        mayHold: holders.slice(0, 3),
        next: [],
      };
    }
    reasons.push({
      text: `Whether it ended the log does not say: the kernel prints nothing then, and the next warning was due at ${due.toFixed(0)} s, after the last line (${reading.logEnd.at.toFixed(0)} s).`,
      evidence: [quote(reading.input, reading.logEnd.line)],
    });
  }
  return { subject: name, rates: undefined, inFlight: last.number, reasons, ...judged, next };
}

/** Stamped lines of a log between two times, at most six, without the stall warnings themselves. */
function loglines(reading: PoolReading, from: number, to: number): PoolEvidence[] {
  const found: PoolEvidence[] = [];
  reading.lines.forEach((text, i) => {
    const at = Number(/^(?:<\d+>)?\s*\[\s*(\d+\.\d+)\]/.exec(text)?.[1] ?? Number.NaN);
    if (at >= from && at <= to && !text.includes("stalled pool shutdown"))
      found.push({ input: reading.input, line: i + 1, text });
  });
  const about = found.filter((e) => /page_pool|pages|\bpool\b/.test(e.text));
  return (about.length > 0 ? about : found).slice(-6);
}
