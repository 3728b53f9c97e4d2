// What only several reports of one cause tell together: whether it is harmless, whether a pool drains, what a driver said beside them.
import { grouped } from "../base/grouped.ts";
import { oneClock } from "../kernel/readings/incident.ts";
import type { Case } from "./case.ts";
import { quote } from "./case.ts";
import type { Finding, Occurrence, Quote, Severity } from "./finding.ts";
import { shown } from "./finding.ts";
import { defineQuestions } from "./question.ts";
import { duration } from "./words.ts";

const { questions, answering, no, yes } = defineQuestions({
  "page_pool.draining": { question: "Do pages come back?" },
  "page_pool.together": { question: "Are these the pools of one restart?" },
  "judgement.harmless": {},
  "driver_line.beside": { question: "What does the driver say?", open: true },
});
export const groupQuestions = questions;

interface JudgedCase {
  readonly c: Case;
}

/** The driver's own line beside a report of the allocator, so many times. */
export const driverSaysToo = (text: string, times: number, lines: readonly Quote[]): Finding =>
  yes("driver_line.beside", `The driver says so too${times === 1 ? "" : ` (${times} times)`}: "${text}".`, lines);

/** Whether a stalled pool gets its pages back, as its own lines tell over time. */
export function poolTrend(group: readonly JudgedCase[]): readonly Finding[] {
  const all = group.flatMap(({ c }) => {
    const stall = c.incident.kind === "page_pool_stall" ? c.incident.reading : undefined;
    return stall?.seconds === undefined ? [] : [{ c, ...stall, seconds: stall.seconds }];
  });
  // Another boot, or another text, has other pools by the same numbers.
  const lines = all.filter(({ c }) => c.input === all[0]?.c.input && oneClock(c.incident, all[0].c.incident));
  const ids = [...new Set(lines.map((l) => l.poolId))];
  if (ids.length > 1) return poolsTogether(lines, ids.length);
  const [first, ...later] = lines;
  const last = later.at(-1);
  if (first === undefined || last === undefined) return [];
  const evidence = [first, last].flatMap((l) => quote(l.c, "headline", 1));
  const from = `${first.inflight} after ${first.seconds} s, ${last.inflight} after ${last.seconds} s`;
  return [
    last.inflight < first.inflight
      ? yes(
          "page_pool.draining",
          `The pages come back slowly: ${from}. A slow consumer holds them: wait, or find it.`,
          evidence,
        )
      : no(
          "page_pool.draining",
          `No page came back in that time: ${from}. A leak, or a consumer that never reads.`,
          shown(last.inflight, evidence),
        ),
  ];
}

/** Several pools with the same age and the same number of pages: one restart. */
function poolsTogether(
  lines: readonly { readonly c: Case; readonly inflight: number; readonly seconds: number }[],
  pools: number,
): readonly Finding[] {
  const first = lines[0];
  if (first === undefined) return [];
  return [
    yes(
      "page_pool.together",
      `${pools} pools have waited for the same time with the same number of pages each (${first.inflight}): they were torn down in one moment, as when an interface is restarted. Equal numbers point to the buffers in the driver's rings, not to sockets.`,
      lines.slice(0, 3).flatMap((l) => quote(l.c, "headline", 1)),
    ),
  ];
}

/** Harmless, or the start of something? It takes all reports of a cause to say; `words` tell how bad it is. */
export function judgement(
  group: readonly JudgedCase[],
  severity: Severity,
  words: string,
  count: number,
  occurrences: readonly Occurrence[],
): Finding {
  const first = group[0] as JudgedCase;
  const last = group.at(-1) as JudgedCase;
  const [at] = occurrences;
  const oneUptime = occurrences.every((o) => o.input === at?.input && o.boot === at.boot && o.host === at.host);
  const [from, to] = oneUptime ? [at?.seconds, occurrences.at(-1)?.seconds] : [];
  const span =
    count > 1 && from !== undefined && to !== undefined && to > from
      ? ` ${grouped(count)} times within ${duration(to - from)}.`
      : "";
  const heads = [first, ...(last === first ? [] : [last])].flatMap((j) => quote(j.c, "headline", 1));
  const answer = severity === "harmless" ? "yes" : severity === "watch" || severity === "unknown" ? "unknown" : "no";
  const judged: string = severity;
  return answering(answer)("judgement.harmless", `${words}${span}`, shown(judged, heads));
}
