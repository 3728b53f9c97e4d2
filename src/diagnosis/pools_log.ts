// Judges the sentences of page_pool.c in a kernel log: stalled pools above all.
import type { PoolReading, PoolWarning } from "../artifact/page_pool/shape.ts";
import { replayStall } from "./pools_rebuild.ts";
import type { PoolEvidence, PoolReason, PoolVerdict, Quote } from "./pools_verdict.ts";
import { group, holders, stalled, trendOf } from "./pools_verdict.ts";
import { afterBoot } from "./words.ts";

const WARN_SECONDS = 60;

/** A verdict for each pool that does not end, and for each error. */
export function judgeWarnings(reading: PoolReading, quote: Quote): PoolVerdict[] {
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
            ? "A driver asked for a pool with parameters that the kernel rejects (errno -22): an unknown flag, DMA sync without DMA map or without a length, a wrong direction, or fragments where the DMA address takes the field that counts them."
            : `A pool could not be created (errno ${w.number}).`,
        reasons: [{ text: "page_pool_create() returned an error; no pool exists.", evidence }],
        next: [],
      });
    else if (w.kind === "negative inflight")
      verdicts.push({
        ...base,
        pattern: "kernel bug",
        inFlight: w.number,
        summary: "More pages were released than taken: one page was released twice, or to the wrong pool.",
        reasons: [{ text: "hold - release is negative.", evidence }],
        next: ["Look for a driver that both releases a page and lets the skb recycle it."],
      });
    else if (w.kind === "refcnt violation")
      verdicts.push({
        ...base,
        pattern: "kernel bug",
        inFlight: undefined,
        summary: `A page in the pool's ring had ${w.number} references: another user still holds it.`,
        reasons: [{ text: "A page in the ring has exactly one reference.", evidence }],
        next: [],
      });
  }
  return verdicts;
}

/**
 * Warnings of one dying pool belong together: the same id (6.8 and newer), or the same moment of destroy. A driver destroys the pools of all
 * its queues at once; they then warn in turns, so a warning goes to the first that was not heard since and had no fewer pages.
 */
function episodes(stalls: readonly PoolWarning[]): { readonly episode: string; readonly warning: PoolWarning }[] {
  const open: { readonly name: string; last: PoolWarning }[] = [];
  const begunAt = (w: PoolWarning): number | undefined =>
    w.at === undefined || w.stalledSeconds === undefined ? undefined : w.at - w.stalledSeconds;
  const follows = (before: PoolWarning, now: PoolWarning): boolean => {
    const later = (now.stalledSeconds ?? Number.NaN) - (before.stalledSeconds ?? Number.NaN);
    if (!(later > 0) || now.number > before.number) return false;
    const [a, b] = [begunAt(before), begunAt(now)];
    // Retries drift by one or two per cent: the moment seems to move on by as much of the time between.
    const drift = 1 + 0.02 * later;
    return a === undefined || b === undefined || Math.abs(b - a) <= drift;
  };
  return stalls.map((warning) => {
    if (warning.poolId !== undefined) return { episode: `pool ${warning.poolId}`, warning };
    const like = open.filter((e) => follows(e.last, warning));
    const quietest = Math.min(...like.flatMap((e) => e.last.stalledSeconds ?? []));
    const known = like.find((e) => e.last.stalledSeconds === quietest);
    if (known !== undefined) {
      known.last = warning;
      return { episode: known.name, warning };
    }
    const name = open.length === 0 ? "stalled pool" : `stalled pool ${open.length + 1}`;
    open.push({ name, last: warning });
    return { episode: name, warning };
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
        text: `What the log says around the time when the pool was destroyed (about ${afterBoot(destroyed, 1)}):`,
        evidence: near,
      });
  }
  const asked = askModel(list);
  if (asked !== undefined) reasons.push(asked);
  const judged = stalled(
    last.number,
    trendOf(numbers),
    list.length,
    `A destroyed pool has waited ${last.stalledSeconds} s for its pages`,
  );
  const next = [...judged.next];
  if (last.at !== undefined && reading.logEnd !== undefined) {
    const due = last.at + WARN_SECONDS * 1.02;
    const after = loglines(reading, last.at + 0.001, due).filter((e) => /pool|page/i.test(e.text));
    if (after.length > 0)
      reasons.push({ text: "What the log says about pages after the last warning:", evidence: after });
    if (reading.logEnd.at > due + 1) {
      reasons.push({
        text: `The next warning was due at ${due.toFixed(0)} s and is not in this log, which goes on: the last page came back before then, unless the line was lost.`,
        evidence: [quote(reading.input, reading.logEnd.line)],
      });
      return {
        subject: name,
        rates: undefined,
        inFlight: 0,
        reasons,
        pattern: "slow consumer",
        certainty: "likely",
        summary: `A destroyed pool waited more than ${last.stalledSeconds} s for its pages, and no later warning is in the log, as when it was freed: then they were held for a long time, not lost.`,
        mayHold: holders.slice(0, 3),
        next: [],
      };
    }
    reasons.push({
      text: `The log does not say whether it was freed: the kernel prints nothing when it is, and the next warning was due at ${due.toFixed(0)} s, after the last line (${reading.logEnd.at.toFixed(0)} s).`,
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

/** What the model does with the same numbers. */
function askModel(list: readonly PoolWarning[]): PoolReason | undefined {
  const log = list.flatMap((w) =>
    w.stalledSeconds === undefined ? [] : [{ inflight: w.number, seconds: w.stalledSeconds }],
  );
  if (log.length < list.length) return undefined;
  const replay = replayStall(log);
  if (replay === undefined) return undefined;
  const show = (of: readonly { readonly inflight: number; readonly seconds: number }[]): string =>
    of.map((w) => `${w.inflight} after ${w.seconds} s`).join(", ");
  const same = show(replay.warnings) === show(log);
  return {
    text: same
      ? `A model pool destroyed with these pages out prints the same warnings: ${show(log)}. It is freed ${replay.endsAfter} s after its last page comes back.`
      : `A model pool destroyed with these pages out would print: ${show(replay.warnings) || "nothing"}. The log has ${show(log)}: lines are missing, or they belong to different pools.`,
    evidence: [],
  };
}
