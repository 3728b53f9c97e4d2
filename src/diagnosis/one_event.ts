// The same report in several inputs is one event: dmesg.txt, /var/log/messages and the journal of one machine hold each report once each.
import { dateOf } from "../kernel/readings/date.ts";
import type { Incident } from "../kernel/readings/incident.ts";
import { hostOf, linesOf } from "../kernel/readings/incident.ts";
import { wholeSecond } from "../kernel/readings/log_line.ts";

/** A report and the input it stands in. */
export interface Reported {
  readonly input: string;
  readonly incident: Incident;
}

/** Two reports of so many lines that are the same to the letter hold the same addresses and amounts: they are one. */
const fewestLines = 8;

/** By what a report may be known again; another input's report with one of them is the same, unless the two contradict each other. */
function keysOf(incident: Incident): readonly string[] {
  const headline = linesOf(incident, "headline")[0]?.text ?? "";
  const { kind, seconds } = incident;
  const wall = wholeSecond(incident.wallClock);
  // Two machines may complain alike in one second: only a text that names its machine is known by the clock on the wall.
  const host = hostOf(incident);
  const texts = new Map(incident.carried.flatMap((c) => c.lines.map((l) => [l.line, l.text.trim()] as const)));
  const whole = [...texts].sort(([a], [b]) => a - b).map(([, text]) => text);
  return [
    ...(seconds === undefined ? [] : [`${kind} at ${seconds} ${headline}`]),
    ...(wall === undefined || host === undefined ? [] : [`${kind} on ${host} at ${wall} ${headline}`]),
    ...(whole.length < fewestLines ? [] : [whole.join("\n")]),
  ];
}

const differ = <T>(a: T | undefined, b: T | undefined): boolean => a !== undefined && b !== undefined && a !== b;

/** Two loggers of one machine stamp a report at most so many milliseconds apart. */
const loggersApart = 60_000;

/** Whether two wall clocks of the same form name different moments; clocks of different forms may be of different time zones. */
function daysApart(a: string | undefined, b: string | undefined): boolean {
  const form = (wall: string): string => (wholeSecond(wall) ?? "").replace(/[a-z]/gi, "a").replace(/\d/g, "0");
  if (a === undefined || b === undefined || form(a) !== form(b)) return false;
  // Any leap year will do where neither names one.
  const [x = Number.NaN, y = Number.NaN] = [a, b].map((wall) => Date.parse(String(dateOf(wall, { year: 2024 }))));
  return Math.abs(x - y) > loggersApart;
}

/** Without the reports that another input holds too; a report that one input holds twice was printed twice. */
export function distinct<T>(items: readonly T[], of: (item: T) => Reported): readonly T[] {
  const seen = new Map<string, Reported>();
  return items.filter((item) => {
    const own = of(item);
    const keys = keysOf(own.incident);
    const known = keys
      .flatMap((key) => seen.get(key) ?? [])
      .find(
        (k) =>
          k.input !== own.input &&
          !differ(k.incident.seconds, own.incident.seconds) &&
          !daysApart(k.incident.wallClock, own.incident.wallClock) &&
          !differ(hostOf(k.incident), hostOf(own.incident)),
      );
    if (known !== undefined) return false;
    for (const key of keys) if (!seen.has(key)) seen.set(key, own);
    return true;
  });
}
