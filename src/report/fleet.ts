// A fleet's answer for people: one screen, worst first; and as a table for spreadsheets and databases.
import type { Cause, FleetAnswer } from "../fleet/fleet.ts";
import type { HostIncident, HostRecord } from "../fleet/host_record.ts";
import type { Document, Text, Tone } from "./document.ts";
import { formatNumber } from "./text.ts";

const toneOf: Readonly<Record<Cause["severity"], Tone>> = {
  corruption: "bad",
  act: "warn",
  watch: "plain",
  harmless: "dim",
};

/** Causes shown in the table; the rest are counted. */
const shown = 20;

export function fleetDocument(a: FleetAnswer): Document {
  const day = (iso: string | null): string => (iso === null ? "-" : iso.slice(0, 16).replace("T", " "));
  const few = (names: Cause["releases"]): string =>
    names.length === 0
      ? "-"
      : `${names
          .slice(0, 2)
          .map((n) => `${n.name} (${n.hosts})`)
          .join(", ")}${names.length > 2 ? `, ${names.length - 2} more` : ""}`;
  const head = `${formatNumber(a.hosts)} hosts, ${formatNumber(a.hostsWithTrouble)} with trouble, ${a.causes.length} cause${a.causes.length === 1 ? "" : "s"}`;
  if (a.causes.length === 0)
    return [
      { kind: "heading", level: 1, text: head },
      { kind: "text", text: `No report of memory trouble was found in ${formatNumber(a.inputs)} inputs.` },
      ...notesOf(a),
    ];
  const left = (title: string) => ({ title, align: "left" as const });
  const right = (title: string) => ({ title, align: "right" as const });
  return [
    { kind: "heading", level: 1, text: head },
    {
      kind: "table",
      columns: [right("hosts"), right("reports"), left("how bad"), left("last"), left("trend"), left("cause")],
      rows: a.causes
        .slice(0, shown)
        .map((c): Text[] => [
          formatNumber(c.hosts),
          formatNumber(c.incidents),
          [{ text: c.severity, tone: toneOf[c.severity] }],
          day(c.last),
          c.trend === "unknown" ? "-" : c.trend,
          c.title,
        ]),
    },
    ...(a.causes.length > shown
      ? [{ kind: "text" as const, text: `${a.causes.length - shown} more causes: --format json has all of them.` }]
      : []),
    ...a.causes.slice(0, 5).flatMap((c) => causeDetails(c, day, few)),
    ...notesOf(a),
  ];
}

function causeDetails(
  c: Cause,
  day: (iso: string | null) => string,
  few: (names: Cause["releases"]) => string,
): Document {
  const sides = c.separators.map(
    (s): Text =>
      `${s.split}: ${s.having[0]} of ${s.having[1]} hosts that have it, ${s.others[0]} of ${s.others[1]} that have not (p ${s.p < 0.0001 ? "below 0.0001" : s.p.toPrecision(2)})`,
  );
  const rate = c.perDay === null ? "" : `, ${formatNumber(c.perDay)} a day`;
  return [
    { kind: "heading", level: 2, text: c.title },
    {
      kind: "facts",
      rows: [
        ["Hosts", `${formatNumber(c.hosts)} of ${few(c.releases) === "-" ? "unknown releases" : few(c.releases)}`],
        ...(c.drivers.length === 0 ? [] : [["Drivers", few(c.drivers)] as [string, Text]]),
        ...(c.first === null ? [] : [["Seen", `${day(c.first)} to ${day(c.last)}${rate}`] as [string, Text]]),
        ["Start with", `host ${c.example.host}: skblab diagnose ${c.example.input} (line ${c.example.line})`],
        ...c.outliers.map((o): [string, Text] => ["Outliers", o]),
        ...sides.map((s): [string, Text] => ["Separates", s]),
      ],
    },
  ];
}

const notesOf = (a: FleetAnswer): Document => (a.notes.length === 0 ? [] : [{ kind: "list", items: a.notes }]);

/** A row an incident, for spreadsheets and databases: the same columns in CSV, Parquet and NDJSON. */
export const incidentRow = (
  host: string,
  facts: HostRecord["facts"],
  i: HostIncident,
): Readonly<Record<string, string | number>> => ({
  host,
  cause: i.cause,
  title: i.title,
  kind: i.kind,
  severity: i.severity,
  count: i.count,
  first: i.first ?? "",
  last: i.last ?? "",
  release: i.release ?? "",
  driver: i.driver ?? "",
  input: i.input,
  line: i.line,
  memory_mb: facts["memory_mb"] ?? "",
  min_free_kbytes: facts["min_free_kbytes"] ?? "",
  mtu: facts["mtu"] ?? "",
});
