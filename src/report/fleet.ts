// A fleet's answer for people: one screen, worst first; and as a table for spreadsheets and databases.
import type { Cause, FleetAnswer } from "../fleet/fleet.ts";
import type { Document, Text, Tone } from "./document.ts";
import { formatNumber } from "./text.ts";

const toneOf: Readonly<Record<Cause["severity"], Tone>> = {
  corruption: "bad",
  unknown: "bad",
  act: "warn",
  watch: "plain",
  harmless: "dim",
};

/** One screen: causes in the table, and causes that are told in full. */
const shown = 12;
const told = 3;

export function fleetDocument(a: FleetAnswer): Document {
  const unread = a.hostsUnread === 0 ? "" : `, ${formatNumber(a.hostsUnread)} not read`;
  const count = `${formatNumber(a.causes.length)} cause${a.causes.length === 1 ? "" : "s"}`;
  const head = `${formatNumber(a.hosts)} ${a.hosts === 1 ? "host" : "hosts"}, ${formatNumber(a.hostsWithTrouble)} with trouble${unread}, ${count}`;
  if (a.causes.length === 0)
    return [
      { kind: "heading", level: 1, text: head },
      {
        kind: "text",
        text:
          a.hostsUnread === 0
            ? `No report of memory trouble was found in ${formatNumber(a.inputs)} inputs.`
            : a.hostsUnread === a.hosts
              ? "No host could be read and judged, so nothing is known about trouble."
              : `No report of memory trouble was found on the ${formatNumber(a.hosts - a.hostsUnread)} of ${formatNumber(a.hosts)} hosts that could be read and judged.`,
      },
      ...notesOf(a),
    ];
  const left = (title: string) => ({ title, align: "left" as const });
  const right = (title: string) => ({ title, align: "right" as const });
  return [
    { kind: "heading", level: 1, text: head },
    {
      kind: "table",
      columns: [
        right("hosts"),
        right("reports"),
        left("how bad"),
        left("first"),
        left("last"),
        left("trend"),
        left("kernel"),
        left("cause"),
      ],
      rows: a.causes
        .slice(0, shown)
        .map((c): Text[] => [
          formatNumber(c.hosts),
          formatNumber(c.incidents),
          [{ text: c.severity, tone: toneOf[c.severity] }],
          c.first?.slice(0, 10) ?? "-",
          c.last?.slice(0, 10) ?? "-",
          c.trend === "unknown" ? "-" : c.trend,
          c.releases.length === 0
            ? "?"
            : `${c.releases[0]?.name}${c.releases.length > 1 ? ` +${c.releases.length - 1}` : ""}`,
          c.title,
        ]),
    },
    ...(a.causes.length > shown
      ? [{ kind: "text" as const, text: `${a.causes.length - shown} more causes: --format json has all of them.` }]
      : []),
    ...a.causes.slice(0, told).flatMap((c) => causeDetails(c, a.hosts)),
    ...notesOf(a),
  ];
}

const minute = (iso: string | null): string => (iso === null ? "-" : iso.slice(0, 16).replace("T", " "));

const few = (names: Cause["releases"]): string =>
  `${names
    .slice(0, 3)
    .map((n) => `${n.name} (${n.hosts})`)
    .join(", ")}${names.length > 3 ? `, ${names.length - 3} more` : ""}`;

/** A cause with what an operator asks: what, where, since when, what sets its hosts apart, where to start. */
export function causeDetails(c: Cause, all: number): Document {
  const sides = c.separators.map(
    (s): Text =>
      `${s.split}: ${s.having[0]} of ${s.having[1]} hosts that have it, ${s.others[0]} of ${s.others[1]} that do not (p ${s.p < 0.0001 ? "below 0.0001" : s.p.toPrecision(2)})`,
  );
  const rate =
    c.perDay === null
      ? ""
      : `, ${formatNumber(Number(c.perDay.toPrecision(2)))} a day, ${c.trend === "unknown" ? "too few for a trend" : c.trend}`;
  const { diagnosis } = c.example;
  const advice = diagnosis?.advice[0];
  return [
    { kind: "heading", level: 2, text: c.title },
    {
      kind: "facts",
      rows: [
        ...(diagnosis === null ? [] : [["What", diagnosis.cause] as [string, Text]]),
        [
          "Hosts",
          `${formatNumber(c.hosts)} of ${formatNumber(all)}; ${c.releases.length === 0 ? "their releases are not known" : few(c.releases)}`,
        ],
        ...(c.drivers.length === 0 ? [] : [["Drivers", few(c.drivers)] as [string, Text]]),
        ...(c.first === null ? [] : [["Seen", `${minute(c.first)} to ${minute(c.last)}${rate}`] as [string, Text]]),
        ...c.outliers.map((o): [string, Text] => ["Outliers", o]),
        ...sides.map((s): [string, Text] => ["Separates", s]),
        [
          "Start with",
          `host ${c.example.host}: skblab diagnose ${shellWord(c.example.input)} (line ${c.example.line})`,
        ],
        ...(advice === undefined
          ? []
          : [
              ["Then", advice.command === undefined ? advice.action : `${advice.action}: ${advice.command}`] as [
                string,
                Text,
              ],
            ]),
      ],
    },
  ];
}

/** A path inside an archive is no argument: the archive is. */
const shellWord = (input: string): string => {
  const file = /^(.*?\.(?:tar(?:\.\w{1,5})?|t[gx]z|tbz2?)):/.exec(input)?.[1] ?? input;
  return /^[\w./@%+=:-]+$/.test(file) ? file : `'${file.replaceAll("'", "'\\''")}'`;
};

const notesOf = (a: FleetAnswer): Document =>
  a.notes.length === 0 ? [] : [{ kind: "list", items: a.notes.slice(0, 10) }];
