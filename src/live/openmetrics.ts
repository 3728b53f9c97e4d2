// A sample as OpenMetrics text (version 1.0.0 of the exposition format), or in the older text format that node_exporter reads from files: names and units as Prometheus' conventions want them. Room is a gauge,
// what the kernel counts since boot are counters, what is unknown is left out, never 0.
import type { Severity } from "../diagnosis/finding.ts";
import type { IncidentKind } from "../kernel/readings/incident.ts";
import type { History } from "./history.ts";
import { roomSeries } from "./history.ts";
import type { CounterName, Sample } from "./sample.ts";

/** What a watch has seen, beside the kernel's own numbers. */
export interface WatchCounts {
  readonly incidents: readonly { readonly kind: string; readonly severity: string; readonly count: number }[];
  /** Seconds of the watch's own time on a CPU. */
  readonly cpuSeconds?: number;
}

const kinds: readonly IncidentKind[] = [
  "alloc_failure",
  "slab_failure",
  "bad_page",
  "oops",
  "skb_panic",
  "slab_corruption",
  "page_pool_stall",
  "oom",
  "driver_line",
];
const severities: readonly Severity[] = ["harmless", "watch", "act", "corruption"];

type Labels = Readonly<Record<string, string | number>>;

interface Family {
  readonly name: string;
  readonly type: "gauge" | "counter";
  readonly unit?: string;
  readonly help: string;
  readonly points: readonly (readonly [labels: Labels, value: number])[];
}

/** The text; OpenMetrics ends with `# EOF`. Families without a point are left out. */
export function openMetrics(
  history: History,
  counts: WatchCounts,
  form: "openmetrics" | "text" = "openmetrics",
): string {
  const last = history.samples.at(-1);
  const families = last === undefined ? [] : [...roomFamilies(last, history), ...sampleFamilies(last)];
  // A counter that appears with its first event has no increase: all of them begin at 0.
  const seen = new Map(counts.incidents.map((i) => [`${i.kind} ${i.severity}`, i]));
  for (const kind of kinds)
    for (const severity of severities) {
      const key = `${kind} ${severity}`;
      if (!seen.has(key)) seen.set(key, { kind, severity, count: 0 });
    }
  families.push({
    name: "skblab_incidents",
    type: "counter",
    help: "Reports of memory trouble in the kernel's log since the watch began, by kind and severity.",
    points: [...seen.values()].map((i) => [{ kind: i.kind, severity: i.severity }, i.count]),
  });
  const lines = families.flatMap((f) => familyLines(f, form));
  return [...lines, ...(form === "openmetrics" ? ["# EOF"] : []), ""].join("\n");
}

function roomFamilies(last: Sample, history: History): Family[] {
  const labels = (r: Sample["rooms"][number]): Labels => ({
    node: r.node,
    zone: r.zone,
    order: r.order,
    context: r.context.replace(" ", "_"),
  });
  return [
    {
      name: "skblab_room_requests",
      type: "gauge",
      help: "Requests of this order that would be granted now, before anybody frees or reclaims a page.",
      points: last.rooms.flatMap((r) => (r.requests === undefined ? [] : [[labels(r), r.requests] as const])),
    },
    {
      name: "skblab_room_exhaustion_seconds",
      type: "gauge",
      unit: "seconds",
      help: "Time until room is gone at the present rate; absent while it does not fall.",
      points: last.rooms.flatMap((r) => {
        if (r.kept === true || roomSeries(history.samples.slice(-2), r).length === 0) return [];
        const f = history.forecast(r);
        return f.trend === "falling"
          ? [[labels(r), f.seconds] as const]
          : f.trend === "gone"
            ? [[labels(r), 0] as const]
            : [];
      }),
    },
  ];
}

function sampleFamilies(s: Sample): Family[] {
  const of = (form: RegExp): [RegExpExecArray, number][] =>
    [...s.counters].flatMap(([name, value]: readonly [CounterName, number]): [RegExpExecArray, number][] => {
      const m = form.exec(name);
      return m === null ? [] : [[m, value]];
    });
  return [
    {
      name: "skblab_zone_free_pages",
      type: "gauge",
      help: "Free pages of a zone (NR_FREE_PAGES).",
      points: s.zones.map((z) => [{ node: z.node, zone: z.name }, z.state.free]),
    },
    {
      name: "skblab_zone_min_pages",
      type: "gauge",
      help: "The min mark of a zone in pages, boost included.",
      points: s.zones.map((z) => [{ node: z.node, zone: z.name }, z.state.min]),
    },
    {
      name: "skblab_packet_cache_bytes",
      type: "gauge",
      unit: "bytes",
      help: "Memory of slab caches that packets and sockets live in.",
      points: s.caches.map((c) => [{ cache: c.name }, c.bytes]),
    },
    {
      name: "skblab_socket_memory_bytes",
      type: "gauge",
      unit: "bytes",
      help: "Memory charged to sockets, by protocol.",
      points: s.sockets.map((x) => [{ protocol: x.protocol }, x.bytes]),
    },
    {
      name: "skblab_vm_events",
      type: "counter",
      help: "Events of /proc/vmstat that tell of trouble with memory.",
      points: of(/^vmstat (\w+)$/).map(([m, v]) => [{ event: m[1] ?? "" }, v]),
    },
    {
      name: "skblab_device_events",
      type: "counter",
      help: "Drops and errors that an interface counts (/proc/net/dev).",
      points: of(/^(\S+) (rx|tx) (drop|errs|fifo)$/).map(([m, v]) => [
        { device: m[1] ?? "", direction: m[2] ?? "", event: m[3] ?? "" },
        v,
      ]),
    },
    {
      name: "skblab_net_events",
      type: "counter",
      help: "Drops for want of memory or room that the network stack counts (softnet_stat, snmp, netstat).",
      points: of(/^(softnet|[A-Z]\w*) (\w+)$/).map(([m, v]) => [{ source: m[1] ?? "", event: m[2] ?? "" }, v]),
    },
  ];
}

/** The older format types a counter by its whole name and knows no units. */
function familyLines(f: Family, form: "openmetrics" | "text"): string[] {
  if (f.points.length === 0) return [];
  const whole = f.type === "counter" ? `${f.name}_total` : f.name;
  const typed = form === "openmetrics" ? f.name : whole;
  return [
    `# HELP ${typed} ${f.help}`,
    `# TYPE ${typed} ${f.type}`,
    ...(f.unit === undefined || form === "text" ? [] : [`# UNIT ${typed} ${f.unit}`]),
    ...f.points.map(([labels, value]) => `${whole}${labelText(labels)} ${value}`),
  ];
}

const labelText = (labels: Labels): string =>
  `{${Object.entries(labels)
    .map(([name, value]) => `${name}="${String(value).replace(/[\\"\n]/g, (c) => (c === "\n" ? "\\n" : `\\${c}`))}"`)
    .join(",")}}`;
