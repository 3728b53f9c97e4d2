// The same report in two texts of one host (dmesg and the journal, a console's log and syslog) is one report. It is the same when every line of it
// reads the same and the clocks do not speak against it: equal uptimes where both texts have them, dates at most a minute apart where both have
// dates. One report has at most one copy in a text.
import type { InputRead } from "../diagnosis/diagnose.ts";
import type { Year } from "../kernel/readings/date.ts";
import { dateOf } from "../kernel/readings/date.ts";
import type { Incident } from "../kernel/readings/incident.ts";

type Kept = InputRead["incidents"][number];

interface Known {
  readonly input: number;
  readonly at: number;
  readonly look: string | undefined;
  readonly seconds: number | undefined;
  readonly date: number | undefined;
  readonly copies: Set<number>;
}

const farApart = 60_000;

/** The inputs without the copies; a report takes over the date of its copy where its own text has none. */
export function withoutCopies(inputs: readonly InputRead[], year: Year): readonly InputRead[] {
  if (inputs.filter((i) => i.incidents.length > 0).length < 2) return inputs;
  const known = new Map<string, Known[]>();
  const kept: Kept[][] = inputs.map(() => []);
  /** Looks of an input that another input has too: what was only counted there was counted here. */
  const shared = inputs.map(() => new Map<string, Known>());
  inputs.forEach((input, n) => {
    for (const one of input.incidents) {
      const { incident } = one;
      const text = textOf(incident);
      const { seconds } = incident;
      const date = dateIn(incident, year);
      const list = known.get(text) ?? [];
      known.set(text, list);
      const original = list.find((k) => k.input !== n && !k.copies.has(n) && agree(k, seconds, date));
      if (original === undefined) {
        list.push({ input: n, at: (kept[n] as Kept[]).length, look: one.look, seconds, date, copies: new Set() });
        (kept[n] as Kept[]).push(one);
        continue;
      }
      original.copies.add(n);
      if (one.look !== undefined) shared[n]?.set(one.look, original);
      const own = (kept[original.input] as Kept[])[original.at] as Kept;
      if (own.incident.wallClock === undefined && incident.wallClock !== undefined)
        (kept[original.input] as Kept[])[original.at] = {
          ...own,
          incident: { ...own.incident, wallClock: incident.wallClock },
        };
    }
  });
  const countOf = ({ input, look }: Known): number =>
    (inputs[input]?.more ?? []).find((m) => m.look === look)?.count ?? 0;
  return inputs.map((input, n) => ({
    ...input,
    incidents: kept[n] as Kept[],
    ...(input.more === undefined
      ? {}
      : {
          more: input.more.flatMap((m) => {
            const other = shared[n]?.get(m.look);
            const count = m.count - (other === undefined ? 0 : countOf(other));
            return count <= 0 ? [] : [{ ...m, count }];
          }),
        }),
  }));
}

const textOf = (incident: Incident): string =>
  incident.carried.flatMap((part) => part.lines.map((l) => l.text.trim())).join("\n");

function dateIn(incident: Incident, year: Year): number | undefined {
  const date = incident.wallClock === undefined ? null : dateOf(incident.wallClock, year);
  return date === null ? undefined : Date.parse(date);
}

function agree(k: Known, seconds: number | undefined, date: number | undefined): boolean {
  if (k.seconds !== undefined && seconds !== undefined) return k.seconds === seconds;
  return k.date === undefined || date === undefined || Math.abs(k.date - date) <= farApart;
}
