// The ladder of the watermark test, as this release computes it: how the mark came down to what had to be exceeded, how much of the free pages counted,
// and by how much it was short. Drawn from the comparison that the sentence tells.
import type { JSX } from "preact";
import type { DiagnosedIncident, MarkComparison } from "../../../diagnosis/finding.ts";
import { count } from "../../../diagnosis/words.ts";
import { inertLine } from "../../../report/escape.ts";
import { formatNumber } from "../../../report/text.ts";
import { Picture } from "../figure.tsx";
import { decidingOf } from "./case_view.ts";

type Zone = NonNullable<DiagnosedIncident["memory"]>["zones"][number];

const width = 640;
const left = 240;
const row = 24;

export function Ladders({ incident }: { incident: DiagnosedIncident }): JSX.Element | null {
  const zones = (incident.memory?.zones ?? []).filter((z) => z.eligible);
  const named = (z: Zone): string => (zones.some((o) => o.node !== z.node) ? `node ${z.node} ${z.zone}` : z.zone);
  if (zones.length === 0) return null;
  return (
    <>
      {zones.map((z) => (
        <ZoneLadder key={`${z.node} ${z.zone}`} zone={z} name={named(z)} />
      ))}
    </>
  );
}

/** What was short, in words; numbers are pages. */
export function shortBy(c: MarkComparison): string {
  if (c.usable === null || c.limit === null) return inertLine(c.text);
  return c.usable > c.limit
    ? `${formatNumber(c.usable)} is more than ${formatNumber(c.limit)}: enough`
    : `${formatNumber(c.usable)} had to exceed ${formatNumber(c.limit)}: short by ${count(c.limit + 1 - c.usable, "page")}`;
}

function ZoneLadder({ zone, name }: { zone: Zone; name: string }): JSX.Element {
  const { comparisons, deciding, refuses } = decidingOf(zone);
  const numeric =
    deciding?.ladder === null || deciding === undefined ? comparisons.findLast((c) => c.ladder !== null) : deciding;
  const rungs =
    numeric?.ladder === null || numeric === undefined
      ? []
      : [
          ...numeric.ladder.mark.map((r, i, all) => ({ ...r, side: "mark", last: i === all.length - 1 })),
          ...numeric.ladder.free.map((r, i, all) => ({ ...r, side: "free", last: i === all.length - 1 })),
        ];
  const [usable, limit] = [numeric?.usable ?? 0, numeric?.limit ?? 0];
  // A free count far above the marks tells nothing more: its bar is cut there and says so.
  const scale =
    Math.max(1, ...rungs.filter((r) => r.side === "mark").map((r) => r.pages), Math.min(usable, limit * 2)) * 1.05;
  const x = (pages: number): number => left + (Math.max(0, Math.min(pages, scale)) / scale) * (width - left - 90);
  const end =
    deciding === undefined ? "" : deciding === numeric || deciding.ladder !== null ? shortBy(deciding) : deciding.text;
  const word = refuses === undefined ? "the report does not say" : refuses ? "refused" : "would serve, as printed";
  const title = `Watermark test of ${name}: ${word}`;
  const within =
    zone.within === null
      ? undefined
      : `without ${count(zone.within.taken, "page")} of the ${zone.within.error} that the report's own lines differ by`;
  const height = rungs.length * row + 30 + (within === undefined ? 0 : 18);
  return (
    <Picture
      title={title}
      width={width}
      height={height}
      says={`${title}. ${rungs.map((r) => `${r.what} ${r.pages}`).join(", ")}. ${end}`}
    >
      {rungs.map((r, i) => (
        <g key={`${r.side} ${r.what}`}>
          <text x={left - 8} y={i * row + 16} text-anchor="end" class={r.last ? "name" : undefined}>
            {r.what}
          </text>
          <rect
            class={
              r.side === "mark"
                ? r.last
                  ? "rung-limit"
                  : "rung-mark"
                : r.last
                  ? usable > limit
                    ? "good-fill"
                    : "small"
                  : "rung-free"
            }
            x={left}
            y={i * row + 4}
            width={Math.max(1, x(r.pages) - left)}
            height={row - 9}
          />
          <text x={x(r.pages) + 6} y={i * row + 16} class={r.last ? "name" : undefined}>
            {formatNumber(r.pages)}
            {r.pages > scale ? " →" : ""}
          </text>
        </g>
      ))}
      {rungs.length === 0 ? null : (
        <line
          class={usable > limit ? "passed" : "refused"}
          x1={x(limit)}
          x2={x(limit)}
          y1={0}
          y2={rungs.length * row}
        />
      )}
      <text x="0" y={rungs.length * row + 20} class={refuses === true ? "verdict-bad" : "name"}>
        {refuses === true ? "✗" : refuses === false ? "✓" : "?"}{" "}
        {inertLine(end.length > 100 ? `${end.slice(0, 99)}…` : end)}
      </text>
      {within === undefined ? null : (
        <text x="0" y={rungs.length * row + 38}>
          {within}
        </text>
      )}
    </Picture>
  );
}
