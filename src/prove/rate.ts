// How often a report's cause failed, from what its occurrences say of time: seconds after boot, else dates.
import type { ProveInput } from "../diagnosis/machine_told.ts";
import { dateOf } from "../kernel/readings/date.ts";

export interface Rate {
  readonly perSecond: number;
  /** `212 in 49 days after boot`. */
  readonly words: string;
}

const secondsPerDay = 86_400;
/** For dates without a year: only their distance counts, and a leap year has every day. */
const someYear = { year: 2024 };

/** Undefined where nothing says it. `count` knows those too that the rate limit left out. */
export function rateOf({ count, occurrences = [] }: ProveInput): Rate | undefined {
  if (count === undefined || count < 1) return undefined;
  // Clocks of two boots, or of two machines, each tell a time of their own.
  const clocks = new Map<string, number>();
  for (const { seconds, boot, host } of occurrences) {
    const clock = `${host ?? ""} ${boot ?? 1}`;
    clocks.set(clock, Math.max(clocks.get(clock) ?? 0, seconds ?? 0));
  }
  const up = [...clocks.values()].reduce((n, s) => n + s, 0);
  if (up > 0) return told(count, up, clocks.size === 1 ? " after boot" : ` of ${clocks.size} boots`);
  const dates = occurrences.flatMap(({ wallClock }) => {
    const date = wallClock === undefined ? null : dateOf(wallClock, someYear);
    return date === null ? [] : [Date.parse(date) / 1000];
  });
  const span = Math.max(...dates) - Math.min(...dates);
  // From the first to the last: as many times as lie between them.
  return dates.length < 2 || !(span > 0) ? undefined : told(count - 1, span, " from the first to the last");
}

function told(times: number, seconds: number, more: string): Rate {
  const time = seconds >= 2 * secondsPerDay ? `${Math.round(seconds / secondsPerDay)} days` : `${short(seconds)} s`;
  return { perSecond: times / seconds, words: `${times.toLocaleString("en-US")} in ${time}${more}` };
}

const short = (x: number): string =>
  x >= 100 ? Math.round(x).toLocaleString("en-US") : String(Number(x.toPrecision(2)));
