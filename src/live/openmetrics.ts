// A sample as metrics: names and units as Prometheus' conventions want them. Room is a gauge, what the kernel counts since boot are counters, what is
// unknown is left out, never 0. The text is written by Prometheus' own client library (cli/watch/exposition.ts).
import type { CounterName } from "../analysis/counters.ts";
import { severities } from "../diagnosis/finding.ts";
import type { IncidentKind } from "../kernel/readings/incident.ts";
import type { History } from "./history.ts";
import type { Sample } from "./sample.ts";

/** What a watch has seen, beside the kernel's own numbers. */
export interface WatchCounts {
  readonly incidents: readonly { readonly kind: string; readonly severity: string; readonly count: number }[];
  /** Seconds of the watch's own time on a CPU. */
  readonly cpuSeconds?: number;
}

/** Kinds that are trouble; the compiler misses none. */
const kinds: Readonly<Record<Exclude<IncidentKind, "mem_info" | "suppressed">, true>> = {
  alloc_failure: true,
  slab_failure: true,
  bad_page: true,
  oops: true,
  skb_panic: true,
  slab_corruption: true,
  page_pool_stall: true,
  oom: true,
  driver_line: true,
};

export type Labels = Readonly<Record<string, string | number>>;

/** One metric with its points; a counter's name is without `_total`. */
export interface Family {
  readonly name: string;
  readonly type: "gauge" | "counter";
  readonly help: string;
  readonly points: readonly (readonly [labels: Labels, value: number])[];
}

/** A metric before there is a sample: what the reference lists, and how its points come of one. */
export interface FamilyKind extends Omit<Family, "points"> {
  readonly points: (last: Sample, history: History) => Family["points"];
}

const roomLabels = (r: Sample["rooms"][number]): Labels => ({
  node: r.node,
  zone: r.zone,
  order: r.order,
  context: r.context.replace(" ", "_"),
});

/** The counters of a sample whose name fits. */
const countersOf = (s: Sample, form: RegExp): [RegExpExecArray, number][] =>
  [...s.counters].flatMap(([name, value]: readonly [CounterName, number]): [RegExpExecArray, number][] => {
    const m = form.exec(name);
    return m === null ? [] : [[m, value]];
  });

const incidents: Omit<Family, "points"> = {
  name: "skblab_incidents",
  type: "counter",
  help: "Reports of memory trouble in the kernel's log since the watch began, by kind and severity.",
};

const ofSamples: readonly FamilyKind[] = [
  {
    name: "skblab_room_requests",
    type: "gauge",
    help: "Requests of this order that would be granted now, before anybody frees or reclaims a page.",
    points: (last) =>
      last.rooms.flatMap((r) => (r.requests === undefined ? [] : [[roomLabels(r), r.requests] as const])),
  },
  {
    name: "skblab_room_exhaustion_seconds",
    type: "gauge",
    help: "Time until no room is left at the present rate; absent while room does not fall.",
    points: (last, history) =>
      last.rooms.flatMap((r) => {
        if (r.kept === true || r.requests === undefined) return [];
        const f = history.forecast(r);
        return f.trend === "falling"
          ? [[roomLabels(r), f.seconds] as const]
          : f.trend === "gone"
            ? [[roomLabels(r), 0] as const]
            : [];
      }),
  },
  {
    name: "skblab_zone_free_pages",
    type: "gauge",
    help: "Free pages of a zone (NR_FREE_PAGES).",
    points: (s) => s.zones.map((z) => [{ node: z.node, zone: z.name }, z.state.free]),
  },
  {
    name: "skblab_zone_min_pages",
    type: "gauge",
    help: "The min mark of a zone in pages, boost included.",
    points: (s) => s.zones.map((z) => [{ node: z.node, zone: z.name }, z.state.min]),
  },
  {
    name: "skblab_packet_cache_bytes",
    type: "gauge",
    help: "Memory of slab caches that packets and sockets live in.",
    points: (s) => s.caches.map((c) => [{ cache: c.name }, c.bytes]),
  },
  {
    name: "skblab_socket_memory_bytes",
    type: "gauge",
    help: "Memory charged to sockets, by protocol.",
    points: (s) => s.sockets.map((x) => [{ protocol: x.protocol }, x.bytes]),
  },
  {
    name: "skblab_page_pool_inflight_pages",
    type: "gauge",
    help: "Pages that a page pool holds and has not released, cached or in use (page-pool-get).",
    points: (s) => poolPoints(s, (p) => p.inflight),
  },
  {
    name: "skblab_page_pool_inflight_bytes",
    type: "gauge",
    help: "Memory of the pages that a page pool holds and has not released.",
    points: (s) => poolPoints(s, (p) => p.inflightBytes),
  },
  {
    name: "skblab_vm_events",
    type: "counter",
    help: "Events of /proc/vmstat that tell of trouble with memory.",
    points: (s) => countersOf(s, /^vmstat (\w+)$/).map(([m, v]) => [{ event: m[1] ?? "" }, v]),
  },
  {
    name: "skblab_device_events",
    type: "counter",
    help: "Drops and errors that an interface counts (/proc/net/dev).",
    points: (s) =>
      countersOf(s, /^(\S+) (rx|tx) (drop|errs|fifo)$/).map(([m, v]) => [
        { device: m[1] ?? "", direction: m[2] ?? "", event: m[3] ?? "" },
        v,
      ]),
  },
  {
    name: "skblab_net_events",
    type: "counter",
    help: "Drops for lack of memory or room that the network stack counts (softnet_stat, snmp, netstat).",
    points: (s) =>
      countersOf(s, /^(softnet|[A-Z]\w*) (\w+)$/).map(([m, v]) => [{ source: m[1] ?? "", event: m[2] ?? "" }, v]),
  },
];

/** Every metric that can be told, in the order told. */
export const familyKinds: readonly Omit<Family, "points">[] = [...ofSamples, incidents];

/** A pool whose driver has let go of it is leaving: what is in flight then, somebody still has. */
const poolPoints = (
  s: Sample,
  value: (pool: NonNullable<Sample["pools"]>[number]) => number | undefined,
): Family["points"] =>
  (s.pools ?? []).flatMap((p) => {
    const v = value(p);
    return v === undefined
      ? []
      : [[{ pool: p.id, ifindex: p.ifindex ?? "", leaving: p.detachTime === undefined ? "no" : "yes" }, v] as const];
  });

/** Everything that is told of a machine now; families without a point are left out. */
export function metricFamilies(history: History, counts: WatchCounts): Family[] {
  const last = history.samples.at(-1);
  const families: Family[] =
    last === undefined ? [] : ofSamples.map((f) => ({ ...f, points: f.points(last, history) }));
  // A counter that appears with its first event has no increase: all of them begin at 0.
  const seen = new Map(counts.incidents.map((i) => [`${i.kind} ${i.severity}`, i]));
  for (const kind of Object.keys(kinds))
    for (const severity of severities) {
      const key = `${kind} ${severity}`;
      if (!seen.has(key)) seen.set(key, { kind, severity, count: 0 });
    }
  families.push({
    ...incidents,
    points: [...seen.values()].map((i) => [{ kind: i.kind, severity: i.severity }, i.count]),
  });
  return families.filter((f) => f.points.length > 0);
}
