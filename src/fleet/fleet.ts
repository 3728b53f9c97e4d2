// Many hosts' records as causes: how many hosts, since when, on which kernels and drivers, whether it gets worse, and what separates the hosts that
// have it from those that have not. Memory grows with hosts and causes, not with logs. The order in which records come changes nothing.
import type { DiagnosedIncident, Severity } from "../diagnosis/finding.ts";
import { bySeverity } from "../diagnosis/finding.ts";
import { dayOf } from "../kernel/readings/date.ts";
import type { Fingerprint } from "./fingerprint.ts";
import { familyOf, fits, nameOf, unknownsOf } from "./fingerprint.ts";
import type { HostFacts, HostIncident, HostRecord } from "./host_record.ts";
import type { Separator, Sides } from "./separate.ts";
import { separatorsOf } from "./separate.ts";

export interface Counted {
  readonly name: string;
  readonly hosts: number;
}

/** How many hosts report it a day: the later half of the covered days against the earlier half. */
export type Trend = "rising" | "falling" | "steady" | "unknown";

export interface Cause {
  /** Its fingerprint as a word; `?` stands for what no report says. */
  readonly id: string;
  readonly title: string;
  readonly severity: Severity;
  readonly kind: string;
  readonly hosts: number;
  readonly incidents: number;
  readonly first: string | null;
  readonly last: string | null;
  /** Incidents a day between first and last; null where no dates are known. */
  readonly perDay: number | null;
  readonly trend: Trend;
  /** Most hosts first. */
  readonly releases: readonly Counted[];
  readonly drivers: readonly Counted[];
  /** The host with most reports: where in its inputs, and its whole diagnosis as `skblab diagnose` tells it. */
  readonly example: {
    readonly host: string;
    readonly input: string;
    readonly line: number;
    readonly diagnosis: DiagnosedIncident | null;
  };
  readonly separators: readonly Separator[];
  /** What nearly all hosts of the cause have in common, and how many have not. */
  readonly outliers: readonly string[];
}

export interface FleetAnswer {
  readonly schema: "skblab.fleet/1";
  readonly hosts: number;
  readonly hostsWithTrouble: number;
  /** Hosts of which not one line could be read: they are neither well nor ill. */
  readonly hostsUnread: number;
  readonly inputs: number;
  /** Worst first: severity, then hosts. */
  readonly causes: readonly Cause[];
  readonly notes: readonly string[];
}

/** What one host has of one cause. */
interface Share {
  title: string;
  severity: Severity;
  count: number;
  first: string | null;
  last: string | null;
  days: readonly (readonly [number, number])[];
  /** Releases that lines state; without one what was inferred. */
  readonly releases: Set<string>;
  inferred: string | null;
  driver: string | null;
  readonly input: string;
  readonly line: number;
}

interface Host {
  facts: HostFacts;
  unread: boolean;
}

interface Example {
  readonly host: string;
  readonly input: string;
  readonly line: number;
  readonly title: string;
  readonly count: number;
  readonly diagnosis: DiagnosedIncident | null;
}

interface Gathered {
  readonly print: Fingerprint;
  readonly shares: Map<string, Share>;
  example: Example;
}

const mostNotes = 100;

export interface Fleet {
  add(record: HostRecord): void;
  /** The best example of each fingerprint so far; that of every cause of the answer is among them. */
  examples(): readonly Cause["example"][];
  answer(): FleetAnswer;
}

export function createFleet(): Fleet {
  const causes = new Map<string, Gathered>();
  const hosts = new Map<string, Host>();
  const notes: string[] = [];
  let [inputs, unsaid] = [0, 0];
  return {
    add(record) {
      inputs += record.inputs;
      const known = hosts.get(record.host);
      hosts.set(record.host, {
        facts: known === undefined ? record.facts : mergedFacts(known.facts, record.facts),
        unread: record.unread && known?.unread !== false,
      });
      for (const note of record.notes) {
        if (notes.length < mostNotes) notes.push(`${record.host}: ${note}`);
        else unsaid++;
      }
      for (const i of record.incidents) take(causes, record.host, i);
    },
    examples: () =>
      [...causes.values()].map(({ example: { host, input, line, diagnosis } }) => ({ host, input, line, diagnosis })),
    answer() {
      const named = withLongNames(causes, hosts);
      const joined = joinedCauses(named.causes);
      const troubled = new Set(joined.flatMap((c) => [...c.shares.keys()]));
      const clocks = wrongClocks(joined);
      const all = conclude(joined, named.hosts, clocks.hosts);
      return {
        schema: "skblab.fleet/1",
        hosts: named.hosts.size,
        hostsWithTrouble: troubled.size,
        hostsUnread: [...named.hosts.values()].filter((h) => h.unread).length,
        inputs,
        causes: all,
        notes: [
          ...clocks.notes,
          ...notes.toSorted(),
          ...(unsaid === 0 ? [] : [`${unsaid} more inputs could not be read.`]),
        ],
      };
    },
  };
}

function mergedFacts(a: HostFacts, b: HostFacts): HostFacts {
  const out: Record<string, number | readonly string[]> = { ...a };
  for (const [name, value] of Object.entries(b)) {
    const known = out[name];
    out[name] =
      typeof value === "number"
        ? typeof known === "number"
          ? Math.max(known, value)
          : value
        : [...new Set([...(Array.isArray(known) ? (known as string[]) : []), ...value])].sort();
  }
  return out;
}

/**
 * Leaves a diagnosis only to the incidents that are the best example of their cause so far. The best of all was the best when it came, whatever was
 * left out before it: records can go through such filters in any parts and any order.
 */
export function createExampleFilter(): (record: HostRecord) => HostRecord {
  const best = new Map<string, Example>();
  return (record) => ({
    ...record,
    incidents: record.incidents.map((i) => {
      const example = exampleOf(record.host, i);
      const known = best.get(nameOf(i.print));
      if (known === undefined || better(example, known)) {
        best.set(nameOf(i.print), { ...example, diagnosis: null });
        return i;
      }
      const { diagnosis: _, ...rest } = i;
      return rest;
    }),
  });
}

const exampleOf = (host: string, { input, line, title, count, diagnosis }: HostIncident): Example => ({
  host,
  input,
  line,
  title,
  count,
  diagnosis: diagnosis ?? null,
});

function take(causes: Map<string, Gathered>, host: string, i: HostIncident): void {
  const id = nameOf(i.print);
  const example = exampleOf(host, i);
  const { input, line, title, count } = i;
  const cause = causes.get(id) ?? {
    print: i.print,
    shares: new Map<string, Share>(),
    example: { ...example, count: -1 },
  };
  causes.set(id, cause);
  const share: Share = {
    title,
    severity: i.severity,
    count,
    first: i.first,
    last: i.last,
    days: i.days,
    releases: new Set(i.stated && i.release !== null ? [i.release] : []),
    inferred: i.release,
    driver: i.driver,
    input,
    line,
  };
  const known = cause.shares.get(host);
  if (known === undefined) cause.shares.set(host, share);
  else mergeShare(known, share);
  if (better(example, cause.example)) cause.example = example;
}

/** Most reports, then the first host by name. */
const better = (a: Example, b: Example): boolean =>
  a.count !== b.count
    ? a.count > b.count
    : a.host !== b.host
      ? a.host < b.host
      : `${a.input}${a.line}` < `${b.input}${b.line}`;

function mergeShare(into: Share, from: Share): void {
  into.count += from.count;
  if (bySeverity(from.severity, into.severity) < 0) into.severity = from.severity;
  into.first = earliest(into.first, from.first);
  into.last = latest(into.last, from.last);
  const days = new Map(into.days);
  for (const [day, n] of from.days) days.set(day, (days.get(day) ?? 0) + n);
  into.days = [...days].sort(([a], [b]) => a - b);
  for (const r of from.releases) into.releases.add(r);
  into.inferred ??= from.inferred;
  into.driver ??= from.driver;
}

const earliest = (a: string | null, b: string | null): string | null => (a === null || (b !== null && b < a) ? b : a);
const latest = (a: string | null, b: string | null): string | null => (a === null || (b !== null && b > a) ? b : a);

/** `web1` of one text is `web1.example.com` of another, where only one host is called so. */
function withLongNames(
  causes: ReadonlyMap<string, Gathered>,
  hosts: ReadonlyMap<string, Host>,
): { readonly causes: readonly Gathered[]; readonly hosts: ReadonlyMap<string, Host> } {
  const long = new Map<string, string | null>();
  for (const name of hosts.keys()) {
    const dot = name.indexOf(".");
    if (dot <= 0 || !hosts.has(name.slice(0, dot))) continue;
    long.set(name.slice(0, dot), long.has(name.slice(0, dot)) ? null : name);
  }
  const called = (name: string): string => long.get(name) ?? name;
  if (long.size === 0) return { causes: [...causes.values()], hosts };
  const merged = new Map<string, Host>();
  for (const [name, host] of hosts) {
    const known = merged.get(called(name));
    merged.set(
      called(name),
      known === undefined ? host : { facts: mergedFacts(known.facts, host.facts), unread: known.unread && host.unread },
    );
  }
  return {
    hosts: merged,
    causes: [...causes.values()].map((c) => ({
      ...c,
      shares: renamed(c.shares, called),
      example: { ...c.example, host: called(c.example.host) },
    })),
  };
}

function renamed(shares: ReadonlyMap<string, Share>, called: (name: string) => string): Map<string, Share> {
  const out = new Map<string, Share>();
  for (const [name, share] of shares) putShare(out, called(name), share);
  return out;
}

function putShare(shares: Map<string, Share>, host: string, share: Share): void {
  const known = shares.get(host);
  if (known === undefined) shares.set(host, { ...share, releases: new Set(share.releases) });
  else mergeShare(known, share);
}

/**
 * Causes of which a report did not say all (its stack was cut, its release unknown) become the fuller cause that they fit: the only one that the
 * same host has, else the only one there is. Where several fit they stay apart.
 */
function joinedCauses(causes: readonly Gathered[]): Gathered[] {
  const sorted = causes
    .map((c): Gathered => ({ ...c, shares: renamed(c.shares, (n) => n) }))
    .sort((a, b) => unknownsOf(a.print) - unknownsOf(b.print) || (nameOf(a.print) < nameOf(b.print) ? -1 : 1));
  const done: Gathered[] = [];
  for (const cause of sorted) {
    const fuller = done.filter((c) => fits(cause.print, c.print));
    const left = new Map<string, Share>();
    const moves: [Gathered, string, Share][] = [];
    for (const [host, share] of cause.shares) {
      const here = fuller.filter((c) => c.shares.has(host));
      const to = here.length === 1 ? here[0] : here.length === 0 && fuller.length === 1 ? fuller[0] : undefined;
      if (to === undefined) left.set(host, share);
      else moves.push([to, host, share]);
    }
    for (const [to, host, share] of moves) putShare(to.shares, host, share);
    if (left.size > 0) done.push({ ...cause, shares: left, example: exampleAmong(left, cause.example) });
  }
  return done;
}

/** The example, where its host still has the cause; else the host with most reports, whose diagnosis nobody kept. */
function exampleAmong(shares: ReadonlyMap<string, Share>, example: Example): Example {
  if (shares.has(example.host)) return example;
  return [...shares]
    .map(([host, { input, line, title, count }]): Example => ({ host, input, line, title, count, diagnosis: null }))
    .reduce((a, b) => (better(b, a) ? b : a));
}

/** Dates this far behind those of the other hosts are a clock's mistake. */
const daysAhead = 400;

/** Hosts whose clock runs years ahead of the others', which would make every cause last until then. */
function wrongClocks(causes: readonly Gathered[]): { readonly hosts: ReadonlySet<string>; readonly notes: string[] } {
  const last = new Map<string, number>();
  for (const { shares } of causes)
    for (const [host, { last: at }] of shares)
      if (at !== null) last.set(host, Math.max(last.get(host) ?? 0, dayOf(at)));
  const middle = [...last.values()].sort((a, b) => a - b)[last.size >> 1] ?? 0;
  const wrong = last.size < 5 ? [] : [...last].filter(([, day]) => day > middle + daysAhead);
  if (wrong.length * 10 > last.size) return { hosts: new Set(), notes: [] };
  const names = wrong.map(([host]) => host).sort();
  return {
    hosts: new Set(names),
    notes: names
      .slice(0, 10)
      .map((h) => `${h}: its clock runs more than a year ahead of the other hosts': its dates were left out.`),
  };
}

function conclude(
  causes: readonly Gathered[],
  hosts: ReadonlyMap<string, Host>,
  wrong: ReadonlySet<string>,
): readonly Cause[] {
  const facts = new Map([...hosts].filter(([, h]) => !h.unread).map(([name, h]) => [name, h.facts]));
  const separators = separatorsOf(
    causes.map((c) => sidesOf(c, facts)),
    facts,
  );
  const days = causes.flatMap((c) =>
    [...c.shares].flatMap(([host, s]) => (wrong.has(host) ? [] : s.days.map(([day]) => day))),
  );
  const covered = days.length === 0 ? undefined : ([least(days), most(days)] as const);
  const all = causes.map((c, i) => causeOf(c, wrong, covered, separators[i] ?? []));
  return all.sort(
    (a, b) =>
      bySeverity(a.severity, b.severity) || b.hosts - a.hosts || b.incidents - a.incidents || (a.id < b.id ? -1 : 1),
  );
}

const least = (values: readonly number[]): number => values.reduce((a, b) => Math.min(a, b));
const most = (values: readonly number[]): number => values.reduce((a, b) => Math.max(a, b));

/** A cause of one release family and one driver is compared with hosts of that family, and with hosts that have that driver where these are known. */
function sidesOf(cause: Gathered, facts: ReadonlyMap<string, HostFacts>): Sides {
  const [, , , driver, , , family] = cause.print;
  const having = new Set(cause.shares.keys());
  const words = (f: HostFacts, name: string): readonly string[] => {
    const value = f[name];
    return typeof value === "object" ? value : [];
  };
  const has = (f: HostFacts): boolean => words(f, "driver").includes(driver ?? "");
  const named = driver !== null && driver !== undefined && driver !== "";
  const rivals = named ? [...facts].filter(([host, f]) => !having.has(host) && has(f)).length : 0;
  return {
    having,
    within: named ? ["driver"] : [],
    leftOut: (f) => {
      const releases = words(f, "release");
      const other = family !== null && releases.length > 0 && !releases.some((r) => familyOf(r) === family);
      return other || (rivals >= 3 && !has(f));
    },
  };
}

function causeOf(
  { print, shares, example }: Gathered,
  wrong: ReadonlySet<string>,
  covered: readonly [number, number] | undefined,
  separators: readonly Separator[],
): Cause {
  const counted = (pick: (s: Share) => readonly string[]): Counted[] => {
    const counts = new Map<string, number>();
    for (const s of shares.values()) for (const name of pick(s)) counts.set(name, (counts.get(name) ?? 0) + 1);
    return [...counts]
      .map(([name, hosts]) => ({ name, hosts }))
      .sort((a, b) => b.hosts - a.hosts || (a.name < b.name ? -1 : 1));
  };
  const releases = counted((s) => (s.releases.size > 0 ? [...s.releases] : s.inferred === null ? [] : [s.inferred]));
  const dated = [...shares].filter(([host]) => !wrong.has(host)).map(([, s]) => s);
  const first = dated.reduce<string | null>((at, s) => earliest(at, s.first), null);
  const last = dated.reduce<string | null>((at, s) => latest(at, s.last), null);
  const reports = dated.reduce((n, s) => n + s.days.reduce((m, [, k]) => m + k, 0), 0);
  const severity = [...shares.values()].map((s) => s.severity).sort(bySeverity)[0] ?? "watch";
  return {
    id: nameOf(print),
    title: example.title,
    severity,
    kind: print[0] ?? "",
    hosts: shares.size,
    incidents: [...shares.values()].reduce((n, s) => n + s.count, 0),
    first,
    last,
    perDay: first === null || last === null ? null : reports / Math.max(1, dayOf(last) - dayOf(first) + 1),
    trend: trendOf(dated, covered),
    releases,
    drivers: counted((s) => (s.driver === null ? [] : [s.driver])),
    example: { host: example.host, input: example.input, line: example.line, diagnosis: example.diagnosis },
    separators,
    outliers: outliersOf(releases, shares.size),
  };
}

/** "All but 3 of 120 hosts run 6.1.90": where nine of ten or more agree and not all. */
function outliersOf(releases: readonly Counted[], hosts: number): string[] {
  const [most] = releases;
  if (most === undefined || hosts < 10 || most.hosts === hosts || most.hosts < hosts * 0.9) return [];
  const others = releases
    .slice(1, 4)
    .map((r) => `${r.name} (${r.hosts})`)
    .join(", ");
  return [
    `All but ${hosts - most.hosts} of ${hosts} hosts run ${most.name}${others === "" ? "" : `; the others: ${others}`}.`,
  ];
}

/**
 * Hosts that report it on a day, each once a day (a host's reports come in bursts), of the later half of the days that all causes cover against
 * those of the earlier half: with no change each falls into either half with equal chance, so the difference is tested as a coin's (normal
 * approximation, 95 %). Fewer than ten such host-days or two days say nothing.
 */
function trendOf(shares: readonly Share[], covered: readonly [number, number] | undefined): Trend {
  if (covered === undefined || covered[1] === covered[0]) return "unknown";
  const middle = (covered[0] + covered[1]) / 2;
  let [early, late, total] = [0, 0, 0];
  for (const { days } of shares)
    for (const [day] of days) {
      total++;
      if (day < middle) early++;
      else if (day > middle) late++;
    }
  if (total < 10) return "unknown";
  const z = (late - early) / Math.sqrt(Math.max(1, late + early));
  return z > 1.96 ? "rising" : z < -1.96 ? "falling" : "steady";
}
