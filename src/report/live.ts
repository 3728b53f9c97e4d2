// A running machine in words: room now, where it is going, what rose, and the minutes before an incident.
import type { Forecast, History, RoomKey, RoomPoint } from "../live/history.ts";
import type { Document, Text } from "./document.ts";
import { formatNumber } from "./text.ts";

/** Orders that receive buffers and slabs ask for; higher ones are shown when somebody asks. */
const shownOrders = 4;
const bars = "▁▂▃▄▅▆▇█";

/** Values as small bars, scaled to the largest. */
export function sparkline(values: readonly number[]): string {
  const most = Math.max(1, ...values);
  return values
    .map((v) => bars[Math.min(bars.length - 1, Math.floor((Math.max(0, v) / most) * (bars.length - 1) + 0.5))])
    .join("");
}

/** `90` → 90 s, `5400` → 90 min; what a person would say. */
export function duration(seconds: number): string {
  if (seconds < 120) return `${Math.round(seconds)} s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
  if (seconds < 172_800) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86_400)} days`;
}

export function forecastText(f: Forecast): Text {
  switch (f.trend) {
    case "gone":
      return [{ text: "none left", tone: "bad" }];
    case "falling":
      return [
        {
          text: `gone in ${duration(f.seconds)} (${duration(f.from)} to ${duration(f.to)})`,
          tone: f.seconds < 3600 ? "bad" : "warn",
        },
      ];
    case "not falling":
      return "not falling";
    case "unknown":
      return [{ text: f.why, tone: "dim" }];
  }
}

/** Requests as a column of the table has room for them: 94,060, 752k, 2.37M. */
const requestsText = (n: number): string =>
  n < 100_000 ? formatNumber(n) : n < 999_500 ? `${Math.round(n / 1000)}k` : `${(n / 1e6).toPrecision(3)}M`;

/** The table of room: a row a zone and context, a column an order, the forecast of the tightest order. */
export function roomDocument(history: History, columns = 24): Document {
  const last = history.samples.at(-1);
  if (last === undefined) return [{ kind: "text", text: "No sample yet." }];
  const zones = last.zones.filter((z) => z.managed > 0);
  const rows = zones.flatMap((z) =>
    (["atomic", "may wait"] as const).flatMap((context): Text[][] => {
      const rooms = last.rooms.filter(
        (r) => r.node === z.node && r.zone === z.name && r.context === context && r.order < shownOrders,
      );
      if (rooms.length === 0) return [];
      const key: RoomKey = { node: z.node, zone: z.name, order: Math.min(shownOrders, rooms.length) - 1, context };
      const series = history.series(key);
      return [
        [
          `${z.node} ${z.name}`,
          context,
          ...rooms.map(
            (r): Text =>
              r.requests === undefined
                ? [{ text: "?", tone: "dim" }]
                : [{ text: requestsText(r.requests), tone: r.requests === 0 && r.kept !== true ? "bad" : "plain" }],
          ),
          sparkline(series.slice(-columns).map((p) => p.requests)),
          rooms.every((r) => r.kept === true)
            ? [{ text: "kept for others", tone: "dim" }]
            : forecastText(history.forecast(key)),
        ],
      ];
    }),
  );
  const orders = Array.from({ length: shownOrders }, (_, o) => ({ title: `order ${o}`, align: "right" as const }));
  const left = (title: string) => ({ title, align: "left" as const });
  return [
    {
      kind: "table",
      title: "Room: requests that would be granted now",
      columns: [left("zone"), left("asked by"), ...orders, left(`order ${shownOrders - 1} lately`), left("forecast")],
      rows,
    },
    ...missingText(last.missing),
  ];
}

/** Room for atomic requests of the highest shown order over the minutes that are kept, a line a zone that is open to all. */
export function roomChart(history: History): Document {
  const { samples } = history;
  const last = samples.at(-1);
  if (last === undefined || samples.length < 2) return [];
  const open = last.rooms.filter(
    (r) => r.context === "atomic" && r.order === shownOrders - 1 && r.kept !== true && r.requests !== undefined,
  );
  if (open.length === 0) return [];
  const every = Math.ceil(samples.length / 240);
  const shown = samples.filter((_, i) => (samples.length - 1 - i) % every === 0);
  return [
    {
      kind: "lines",
      title: `Room for atomic requests of order ${shownOrders - 1}`,
      xTitle: "minutes ago",
      yTitle: "requests",
      x: shown.map((s) => (s.seconds - last.seconds) / 60),
      series: open.map((key) => ({
        name: `${key.node} ${key.zone}`,
        values: valuesAt(
          history.series(key),
          shown.map((s) => s.seconds),
        ),
      })),
    },
  ];
}

/** The points' values at these moments; null where there is none. */
function valuesAt(points: readonly RoomPoint[], moments: readonly number[]): (number | null)[] {
  const at = new Map(points.map((p) => [p.seconds, p.requests]));
  return moments.map((m) => at.get(m) ?? null);
}

const missingText = (missing: readonly string[]): Document =>
  missing.length === 0
    ? []
    : [
        {
          kind: "text",
          text: [
            { text: `Not read: ${missing.map((f) => `/proc/${f}`).join(", ")} (not there, or not root).`, tone: "dim" },
          ],
        },
      ];

/** What the minutes before now show: room at their start and now, and the counters that rose. */
export function minutesBefore(history: History, seconds = 300): Document {
  const last = history.samples.at(-1);
  const first = last === undefined ? undefined : history.samples.find((s) => s.seconds >= last.seconds - seconds);
  if (last === undefined || first === undefined || first === last)
    return [{ kind: "text", text: "The minutes before are not known: the watch had only begun." }];
  const fell = last.rooms.flatMap((r): Text[][] => {
    const before = history.roomBefore(r, seconds);
    if (r.requests === undefined || before === undefined || r.requests >= before || r.order >= shownOrders) return [];
    return [[`${r.node} ${r.zone}`, r.context, String(r.order), formatNumber(before), formatNumber(r.requests)]];
  });
  const rises = history.rises(seconds).slice(0, 12);
  const pools = history.poolGrowth(seconds).slice(0, 8);
  const column = (title: string) =>
    title.startsWith(">") ? { title: title.slice(1), align: "right" as const } : { title, align: "left" as const };
  return [
    { kind: "heading", level: 3, text: `The ${duration(last.seconds - first.seconds)} before` },
    ...(fell.length === 0
      ? [{ kind: "text" as const, text: `Room for orders 0 to ${shownOrders - 1} did not fall.` }]
      : [
          {
            kind: "table" as const,
            title: "Room that fell",
            columns: ["zone", "asked by", ">order", ">then", ">now"].map(column),
            rows: fell,
          },
        ]),
    ...(pools.length === 0
      ? []
      : [
          {
            kind: "table" as const,
            title: "Page pools that grew",
            columns: ["pool", "interface", ">pages then", ">now"].map(column),
            rows: pools.map((p): Text[] => [
              String(p.pool),
              p.ifindex === undefined ? "" : `index ${p.ifindex}`,
              formatNumber(p.earlier),
              formatNumber(p.inflight),
            ]),
          },
        ]),
    ...(rises.length === 0
      ? []
      : [
          {
            kind: "table" as const,
            title: "Counters that rose",
            columns: ["counter", ">by", ">per second"].map(column),
            rows: rises.map((r): Text[] => [r.name, formatNumber(r.by), formatNumber(r.rate)]),
          },
        ]),
  ];
}
