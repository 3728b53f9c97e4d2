// What one host's inputs come to: its facts and its incidents, small enough that a hundred thousand of them stream through a program or a file.
// Nothing of one host is used for another; uptimes are not compared across hosts.
import type { InputRead } from "../diagnosis/diagnose.ts";
import { diagnose, isNotJudged } from "../diagnosis/diagnose.ts";
import type { DiagnosedIncident, Severity } from "../diagnosis/finding.ts";
import type { Year } from "../kernel/readings/date.ts";
import { dateOf, dayOf } from "../kernel/readings/date.ts";
import { withoutCopies } from "./copies.ts";
import type { Fingerprint } from "./fingerprint.ts";
import { fingerprintOf } from "./fingerprint.ts";

/** What the inputs state about a host, by name: a number, or words of which a host may have several (its releases, its drivers). */
export type HostFacts = Readonly<Record<string, number | readonly string[]>>;

export interface HostIncident {
  readonly print: Fingerprint;
  readonly title: string;
  readonly severity: Severity;
  readonly count: number;
  /** ISO 8601, where the log has a date; null where it has only uptimes. */
  readonly first: string | null;
  readonly last: string | null;
  /** Reports by day since 1970, as far as they have a date. */
  readonly days: readonly (readonly [day: number, reports: number])[];
  /** As a line states it, else as inferred; null where nothing is known. */
  readonly release: string | null;
  /** True when a line states the release. */
  readonly stated: boolean;
  readonly driver: string | null;
  readonly input: string;
  readonly line: number;
  /** The whole diagnosis; only where it may become the example of its cause. */
  readonly diagnosis?: DiagnosedIncident;
}

/** A line of a shard. */
export interface HostRecord {
  readonly schema: "skblab.fleet-host/2";
  readonly host: string;
  readonly facts: HostFacts;
  readonly incidents: readonly HostIncident[];
  /** Inputs that were read, and sentences about those that were not. */
  readonly inputs: number;
  /** True when not one line of the host could be read, or none of its reports judged: nothing is known of it. */
  readonly unread: boolean;
  readonly notes: readonly string[];
}

/** One host's inputs, diagnosed. `year` completes dates of syslog. */
export function recordOf(host: string, all: readonly InputRead[], year: Year): HostRecord {
  const inputs = withoutCopies(all, year);
  const diagnosis = inputs.some((i) => i.incidents.length > 0) ? diagnose(inputs) : undefined;
  const incidents = diagnosis?.incidents ?? [];
  const unjudged = (diagnosis?.inputs ?? []).flatMap((i) =>
    i.notes.filter((n) => isNotJudged(n.sentence)).map((n) => `${i.name}: ${n.sentence}`),
  );
  const days = daysByPlace(inputs, year);
  return {
    schema: "skblab.fleet-host/2",
    host,
    facts: factsOf(inputs, incidents),
    incidents: incidents.map((i) => incidentOf(i, days, year)),
    inputs: all.length,
    unread:
      (unjudged.length > 0 && incidents.length === 0) || all.every((i) => i.lines === 0 && i.incidents.length === 0),
    notes: unjudged,
  };
}

function factsOf(inputs: readonly InputRead[], incidents: readonly DiagnosedIncident[]): HostFacts {
  const facts: Record<string, number | readonly string[]> = {};
  const releases = new Set(inputs.flatMap((i) => [...(i.releases ?? [])]));
  for (const { kernel } of incidents)
    if (kernel.certainty === "stated" && kernel.release !== "") releases.add(kernel.release);
  if (releases.size > 0) facts["release"] = [...releases].sort();
  const drivers = new Set(inputs.flatMap((i) => [...(i.around.netDrivers ?? [])]));
  if (drivers.size > 0) facts["driver"] = [...drivers].sort();
  for (const { around } of inputs) {
    const minFree = Number(around.sysctls.get("vm.min_free_kbytes")?.value ?? Number.NaN);
    if (Number.isFinite(minFree)) facts["min_free_kbytes"] ??= minFree;
    if (around.memTotalKb !== undefined) facts["memory_mb"] ??= Math.round(around.memTotalKb.value / 1024);
  }
  const mtus = inputs.flatMap((i) => [...i.around.mtus.values()].map((m) => m.value));
  if (mtus.length > 0) facts["mtu"] = mtus.reduce((a, b) => Math.max(a, b));
  return facts;
}

/** Days of the reports that were only counted, by where the last of them stands. */
function daysByPlace(
  inputs: readonly InputRead[],
  year: Year,
): ReadonlyMap<string, readonly (readonly [number, number])[]> {
  const found = new Map<string, [number, number][]>();
  for (const input of inputs)
    for (const { last, days } of input.more ?? [])
      found.set(
        `${last.firstLine} ${input.name}`,
        [...(days ?? [])].flatMap(([text, n]) => {
          const date = dateOf(text, year);
          return date === null ? [] : [[dayOf(date), n] as [number, number]];
        }),
      );
  return found;
}

function incidentOf(
  i: DiagnosedIncident,
  counted: ReadonlyMap<string, readonly (readonly [number, number])[]>,
  year: Year,
): HostIncident {
  const days = new Map<number, number>();
  const add = (day: number, n: number): void => void days.set(day, (days.get(day) ?? 0) + n);
  const times: string[] = [];
  for (const o of i.occurrences) {
    const date = o.wallClock === undefined ? null : dateOf(o.wallClock, year);
    if (date !== null) times.push(date);
    const more = counted.get(`${o.firstLine} ${o.input}`);
    if (more !== undefined) for (const [day, n] of more) add(day, n);
    else if (date !== null) add(dayOf(date), 1);
  }
  times.sort();
  const [at] = i.occurrences;
  return {
    print: fingerprintOf(i),
    title: i.subject.title,
    severity: i.severity,
    count: i.count,
    first: times[0] ?? null,
    last: times.at(-1) ?? null,
    days: [...days].sort(([a], [b]) => a - b),
    release: i.kernel.release === "" ? null : i.kernel.release,
    stated: i.kernel.certainty === "stated" && i.kernel.release !== "",
    driver: i.driver,
    input: at?.input ?? "",
    line: at?.firstLine ?? 0,
    diagnosis: i,
  };
}
