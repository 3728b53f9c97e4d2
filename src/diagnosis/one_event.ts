// The same report in several inputs is one event: dmesg.txt, /var/log/messages and the journal of one machine hold each report once each.
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
          !differ(hostOf(k.incident), hostOf(own.incident)),
      );
    if (known !== undefined) return false;
    for (const key of keys) if (!seen.has(key)) seen.set(key, own);
    return true;
  });
}
