// Many hosts' records as causes: how many hosts, since when, on which kernels and drivers, whether it gets worse, and what separates the hosts that
// have it from those that have not. Memory grows with hosts and causes, not with logs.
import type { Severity } from "../diagnosis/finding.ts";
import type { HostFacts, HostRecord } from "./host_record.ts";
import type { Separator } from "./separate.ts";
import { separatorsOf } from "./separate.ts";

export interface Counted {
  readonly name: string;
  readonly hosts: number;
}

/** How the rate of incidents changed: by day, over the time that the logs cover. */
export type Trend = "rising" | "falling" | "steady" | "unknown";

export interface Cause {
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
  /** A host to look at, and where in its inputs. */
  readonly example: { readonly host: string; readonly input: string; readonly line: number };
  readonly separators: readonly Separator[];
  /** What nearly all hosts of the cause have in common, and how many have not. */
  readonly outliers: readonly string[];
}

export interface FleetAnswer {
  readonly schema: "skblab.fleet/1";
  readonly hosts: number;
  readonly hostsWithTrouble: number;
  readonly inputs: number;
  /** Worst first: severity, then hosts. */
  readonly causes: readonly Cause[];
  readonly notes: readonly string[];
}

interface Gathered {
  title: string;
  severity: Severity;
  kind: string;
  incidents: number;
  readonly hosts: Map<string, { count: number; release: string | null; driver: string | null }>;
  first: string | null;
  last: string | null;
  /** Incidents by day since 1970. */
  readonly days: Map<number, number>;
  example: { host: string; input: string; line: number; count: number };
}

const rank: Readonly<Record<Severity, number>> = { corruption: 0, act: 1, watch: 2, harmless: 3 };
const mostNotes = 100;

export interface Fleet {
  add(record: HostRecord): void;
  answer(): FleetAnswer;
}

export function createFleet(): Fleet {
  const causes = new Map<string, Gathered>();
  const facts = new Map<string, HostFacts>();
  const troubled = new Set<string>();
  const notes: string[] = [];
  let inputs = 0;
  const add = (record: HostRecord): void => {
    inputs += record.inputs;
    facts.set(record.host, { ...(facts.get(record.host) ?? {}), ...record.facts });
    for (const note of record.notes) if (notes.length < mostNotes) notes.push(`${record.host}: ${note}`);
    for (const i of record.incidents) {
      troubled.add(record.host);
      const known = causes.get(i.cause) ?? emptyCause(record.host, i);
      causes.set(i.cause, known);
      known.incidents += i.count;
      if (rank[i.severity] < rank[known.severity]) known.severity = i.severity;
      const host = known.hosts.get(record.host) ?? { count: 0, release: i.release, driver: i.driver };
      host.count += i.count;
      known.hosts.set(record.host, host);
      known.first = earliest(known.first, i.first);
      known.last = latest(known.last, i.last);
      for (const [at, n] of i.first === null || i.first === i.last || i.last === null
        ? [[i.first, i.count] as const]
        : ([
            [i.first, 1],
            [i.last, i.count - 1],
          ] as const))
        if (at !== null) known.days.set(dayOf(at), (known.days.get(dayOf(at)) ?? 0) + n);
      // The example is the host with most reports; of equals the first by name, so that the order of the files does not matter.
      const better =
        host.count > known.example.count || (host.count === known.example.count && record.host < known.example.host);
      if (better) known.example = { host: record.host, input: i.input, line: i.line, count: host.count };
    }
  };
  return {
    add,
    answer() {
      const all = [...causes].map(([id, g]) => causeOf(id, g, facts));
      all.sort(
        (a, b) =>
          rank[a.severity] - rank[b.severity] ||
          b.hosts - a.hosts ||
          b.incidents - a.incidents ||
          (a.id < b.id ? -1 : 1),
      );
      return {
        schema: "skblab.fleet/1",
        hosts: facts.size,
        hostsWithTrouble: troubled.size,
        inputs,
        causes: all,
        notes: [...notes].sort(),
      };
    },
  };
}

const emptyCause = (host: string, i: HostRecord["incidents"][number]): Gathered => ({
  title: i.title,
  severity: i.severity,
  kind: i.kind,
  incidents: 0,
  hosts: new Map(),
  first: null,
  last: null,
  days: new Map(),
  example: { host, input: i.input, line: i.line, count: 0 },
});

const dayOf = (iso: string): number => Math.floor(Date.parse(iso) / 86_400_000);
const earliest = (a: string | null, b: string | null): string | null => (a === null || (b !== null && b < a) ? b : a);
const latest = (a: string | null, b: string | null): string | null => (a === null || (b !== null && b > a) ? b : a);

function causeOf(id: string, g: Gathered, facts: ReadonlyMap<string, HostFacts>): Cause {
  const counted = (pick: (h: { release: string | null; driver: string | null }) => string | null): Counted[] => {
    const counts = new Map<string, number>();
    for (const h of g.hosts.values()) {
      const name = pick(h);
      if (name !== null) counts.set(name, (counts.get(name) ?? 0) + 1);
    }
    return [...counts]
      .map(([name, hosts]) => ({ name, hosts }))
      .sort((a, b) => b.hosts - a.hosts || (a.name < b.name ? -1 : 1));
  };
  const days = g.first === null || g.last === null ? null : Math.max(1, dayOf(g.last) - dayOf(g.first) + 1);
  const dated = [...g.days.values()].reduce((a, b) => a + b, 0);
  const releases = counted((h) => h.release);
  return {
    id,
    title: g.title,
    severity: g.severity,
    kind: g.kind,
    hosts: g.hosts.size,
    incidents: g.incidents,
    first: g.first,
    last: g.last,
    perDay: days === null ? null : dated / days,
    trend: trendOf(g.days),
    releases,
    drivers: counted((h) => h.driver),
    example: { host: g.example.host, input: g.example.input, line: g.example.line },
    separators: separatorsOf(new Set(g.hosts.keys()), facts),
    outliers: outliersOf(releases, g.hosts.size),
  };
}

/** "All but 3 of 120 run 6.1.90": where nine of ten or more agree and not all. */
function outliersOf(releases: readonly Counted[], hosts: number): string[] {
  const [most] = releases;
  if (most === undefined || hosts < 10 || most.hosts === hosts || most.hosts < hosts * 0.9) return [];
  return [`All but ${hosts - most.hosts} of ${hosts} hosts run ${most.name}.`];
}

/**
 * Incidents of the later half of the covered days against those of the earlier half: with no change each falls into either half with equal chance,
 * so the difference is tested as a coin's (normal approximation, 95 %). Fewer than ten dated incidents or two days say nothing.
 */
function trendOf(days: ReadonlyMap<number, number>): Trend {
  const [from, to] = [Math.min(...days.keys()), Math.max(...days.keys())];
  const total = [...days.values()].reduce((a, b) => a + b, 0);
  if (days.size === 0 || to - from < 1 || total < 10) return "unknown";
  const middle = (from + to) / 2;
  let early = 0;
  let late = 0;
  for (const [day, n] of days) {
    if (day < middle) early += n;
    else if (day > middle) late += n;
  }
  const z = (late - early) / Math.sqrt(Math.max(1, late + early));
  return z > 1.96 ? "rising" : z < -1.96 ? "falling" : "steady";
}
