// Judges what was read about page pools: hit rates, what is out, who may hold it, and which pattern that is.
// The arithmetic is that of the counters themselves (net/core/page_pool.c, 6.1): every allocation counts once as fast, refill, slow or
// slow_high_order; every page that comes back counts once as cached, ring, ring_full or released_refcnt. Exceptions are said where they matter.
import type { PoolReading, PoolState, TracedPool } from "../artifact/page_pool/shape.ts";
import { judgeCounters } from "./pools_counters.ts";
import { judgeWarnings } from "./pools_log.ts";
import type { PoolEvidence, PoolReason, PoolVerdict, Quote } from "./pools_verdict.ts";
import { group, holders, stalled, trendOf } from "./pools_verdict.ts";

export type { PoolEvidence, PoolRates, PoolReason, PoolVerdict } from "./pools_verdict.ts";

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
  for (const [name, list] of states) {
    const at = verdicts.findIndex((v) => v.subject === name);
    const counted = verdicts[at];
    const seen = judgeStates(name, list, counted?.rates?.out, quote);
    if (counted === undefined) verdicts.push(seen);
    else verdicts[at] = oneOf(counted, seen);
  }
  for (const trace of readings.flatMap((r) => r.traces)) verdicts.push(judgeTrace(trace, quote));
  for (const reading of readings) verdicts.push(...judgeWarnings(reading, quote));
  return verdicts;
}

/** One pool, told by its counters and by page-pool-get: the pattern of whichever has one, the reasons of both. */
function oneOf(counted: PoolVerdict, seen: PoolVerdict): PoolVerdict {
  const silent = seen.pattern === "does not say" || seen.pattern === "healthy";
  const [first, second] = silent ? [counted, seen] : [seen, counted];
  const { pattern, certainty, summary } = first;
  return {
    subject: counted.subject,
    pattern,
    certainty,
    summary,
    rates: counted.rates,
    inFlight: seen.inFlight,
    reasons: [...first.reasons, ...second.reasons],
    mayHold: [...new Set([...first.mayHold, ...second.mayHold])],
    next: [...new Set([...first.next, ...second.next])],
  };
}

function judgeStates(name: string, list: readonly PoolState[], out: number | undefined, quote: Quote): PoolVerdict {
  const last = list.at(-1) as PoolState;
  const inflights = list.map((s) => s.inflight).filter((n) => n !== undefined);
  const evidence = list.map((s) => quote(s.input, s.line));
  const trend = trendOf(inflights);
  const reasons: PoolReason[] = [
    { text: `In flight, by page-pool-get: ${inflights.join(", ") || "not given"}.`, evidence },
  ];
  if (out !== undefined)
    reasons.push({
      text: `By the counters ${out} were out when those were taken; what was in flight beyond that then lay in cache and ring.`,
      evidence: [],
    });
  const base = { subject: name, rates: undefined, inFlight: last.inflight, reasons };

  if (last.detachTime !== undefined && last.inflight === undefined)
    return {
      ...base,
      pattern: "does not say",
      certainty: "possible",
      summary: `The driver let go of this pool ${last.detachTime} s after boot; its inflight is not in the text, so it is not known whether pages are still out.`,
      mayHold: [],
      next: ["Query the pool again with page-pool-get, all attributes."],
    };
  if (last.detachTime !== undefined && last.inflight !== undefined)
    return {
      ...base,
      ...stalled(
        last.inflight,
        trend,
        inflights.length,
        `The driver let go of this pool ${last.detachTime} s after boot`,
      ),
    };
  if (trend === "rising" && inflights.length > 2 && (inflights.at(-1) as number) - (inflights[0] as number) >= 64)
    return {
      ...base,
      pattern: "leak",
      certainty: "possible",
      summary: `In flight grows from snapshot to snapshot: ${inflights.join(", ")}; pages cached in the pool are counted in it.`,
      mayHold: holders,
      next: [
        "Take page-pool-stats-get at the same moments: taken minus returned leaves out the pages cached in the pool.",
      ],
    };
  return {
    ...base,
    pattern: trend === "falling" || trend === "steady" ? "healthy" : "does not say",
    certainty: "possible",
    summary: `${last.inflight ?? "?"} pages belong to this pool, cached or in use.`,
    mayHold: [],
    next:
      inflights.length < 2
        ? ["Query again after some seconds, and add page-pool-stats-get: one number shows no trend."]
        : [],
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
        text: `${trace.holds} pages taken from the page allocator, ${trace.releases} released to it.`,
        evidence: [quote(trace.input, trace.firstLine), quote(trace.input, trace.lastLine)],
      },
      ...(trace.unknownReleases > 0
        ? [{ text: `${trace.unknownReleases} releases are of pages taken before the trace began.`, evidence: [] }]
        : []),
      ...(out.length > 0 ? [{ text: "Taken and not released, oldest first:", evidence: oldest }] : []),
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
    summary: `${out.length} traced pages still belong to the pool; the tracepoints do not say whether they are cached or in use.`,
    mayHold: [],
    next: ["Recycling has no tracepoint: add `ethtool -S` or page-pool-stats-get of the same time."],
  };
}
