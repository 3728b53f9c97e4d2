// Incidents on a time axis, and under it as a list: episodes worst first, what belongs to one moment in one frame.
import type { ComponentChildren, JSX } from "preact";
import type { Diagnosis } from "../../../diagnosis/finding.ts";
import { afterBoot, duration } from "../../../diagnosis/words.ts";
import { inertLine } from "../../../report/escape.ts";
import { formatNumber } from "../../../report/text.ts";
import { hrefOf, route } from "../route.ts";
import type { Episode } from "./case_view.ts";
import { severityWord, timeOf } from "./case_view.ts";

export function IncidentList({
  diagnosis,
  episodes,
  at,
  onPick,
  children,
}: {
  diagnosis: Diagnosis;
  episodes: readonly Episode[];
  /** Index of the incident that is shown. */
  at: number;
  onPick: (index: number) => void;
  children: ComponentChildren;
}): JSX.Element {
  const reports = diagnosis.incidents.reduce((n, i) => n + i.count, 0);
  return (
    <section class="incidents" aria-label="Incidents">
      <h2>
        {formatNumber(reports)} {reports === 1 ? "report" : "reports"}, {diagnosis.incidents.length}{" "}
        {diagnosis.incidents.length === 1 ? "cause" : "causes"}
      </h2>
      <TimeAxis diagnosis={diagnosis} at={at} />
      <ol>
        {episodes.map((e) => (
          <li key={e.incidents[0]?.index} class={e.incidents.length > 1 ? "episode several" : "episode"}>
            {e.incidents.length > 1 ? <span class="together">one moment</span> : null}
            {e.incidents.map(({ incident, index }) => (
              <button
                key={index}
                type="button"
                class={`pick ${incident.severity}`}
                aria-current={index === at ? "true" : undefined}
                onClick={() => onPick(index)}
              >
                <span class="badge">{severityWord[incident.severity]}</span>
                <span class="title">{inertLine(incident.title)}</span>
                <span class="when">
                  {incident.occurrences[0] === undefined ? "" : timeOf(incident.occurrences[0])}
                  {incident.count > 1 ? ` · ${formatNumber(incident.count)} times` : ""}
                </span>
              </button>
            ))}
          </li>
        ))}
      </ol>
      {children}
    </section>
  );
}

const width = 260;
const height = 40;

/** Seconds since boot where every report has them; else the place in the log. */
function TimeAxis({ diagnosis, at }: { diagnosis: Diagnosis; at: number }): JSX.Element | null {
  const marks = diagnosis.incidents.flatMap((incident, index) =>
    incident.occurrences.map((o) => ({ incident, index, o })),
  );
  if (marks.length < 2) return null;
  const timed = marks.every((m) => m.o.seconds !== undefined);
  const value = (m: (typeof marks)[number]): number => (timed ? (m.o.seconds ?? 0) : m.o.firstLine);
  const from = Math.min(...marks.map(value));
  const to = Math.max(...marks.map(value));
  const x = (v: number): number => 6 + (to === from ? 0.5 : (v - from) / (to - from)) * (width - 12);
  const words = timed ? `${duration(to - from)} from ${afterBoot(from, 0)}` : `lines ${from} to ${to}`;
  return (
    <svg
      class="axis drawn"
      viewBox={`0 0 ${width} ${height}`}
      role="group"
      aria-label={`${marks.length} reports over ${words}; the list below has them all`}
    >
      <line class="grid" x1="0" x2={width} y1={20} y2={20} />
      {marks.map((m, i) => (
        // For the hand: by keyboard the list below is shorter.
        <a
          key={`${i}`}
          href={hrefOf("diagnose", {
            ...route.value.query,
            at: String(m.index + 1),
            part: "incident",
            log: "",
            line: "",
          })}
          tabIndex={-1}
          aria-label={inertLine(`${m.incident.title}, ${timeOf(m.o)}`)}
        >
          <rect
            class={`mark-${m.incident.severity}${m.index === at ? " at" : ""}`}
            x={x(value(m)) - 3}
            y={m.index === at ? 6 : 10}
            width="6"
            height={m.index === at ? 22 : 14}
            rx="2"
          >
            <title>{inertLine(`${m.incident.title}, ${timeOf(m.o)}`)}</title>
          </rect>
        </a>
      ))}
      <text x="0" y={height - 1}>
        {words}
      </text>
    </svg>
  );
}
