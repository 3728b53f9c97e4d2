// What memory consisted of when the OOM killer ran, as one bar; and its processes as a table that can be sorted.
import type { JSX } from "preact";
import { useState } from "preact/hooks";
import type { OomPicture, OomProcess } from "../../../diagnosis/finding.ts";
import { size } from "../../../diagnosis/words.ts";
import { inertLine } from "../../../report/escape.ts";
import { formatNumber } from "../../../report/text.ts";
import { TableExports } from "../exports.tsx";
import { Picture } from "../figure.tsx";

const width = 640;

export function Composition({ oom }: { oom: OomPicture }): JSX.Element | null {
  const all = oom.parts.reduce((n, p) => n + p.bytes, 0);
  if (all === 0) return null;
  const title = `What ${oom.totalBytes === null ? "memory" : size(oom.totalBytes)} consisted of`;
  let x = 0;
  const parts = oom.parts.map((p, i) => {
    const own = (p.bytes / all) * width;
    const part = { ...p, x, own, tone: i };
    x += own;
    return part;
  });
  return (
    <Picture
      title={title}
      width={width}
      height={44}
      says={`${title}: ${oom.parts.map((p) => `${p.what} ${size(p.bytes)}`).join(", ")}`}
      below={
        <ul class="legend">
          {parts.map((p) => (
            <li key={p.what}>
              <svg viewBox="0 0 12 12" width="12" height="12" aria-hidden="true" class="drawn">
                <rect class={`part-${p.tone}`} width="12" height="12" />
              </svg>{" "}
              {p.what} <strong>{size(p.bytes)}</strong>
              {p.reclaimable && p.what !== "free" ? ", could be reclaimed" : ""}
            </li>
          ))}
        </ul>
      }
    >
      {parts.map((p) => (
        <rect key={p.what} class={`part-${p.tone}`} x={p.x} y="4" width={Math.max(1, p.own - 1)} height="34">
          <title>{`${p.what}: ${size(p.bytes)}`}</title>
        </rect>
      ))}
    </Picture>
  );
}

const columns = [
  ["name", "process"],
  ["pid", "pid"],
  ["rssBytes", "resident"],
  ["swapBytes", "in swap"],
  ["pageTablesBytes", "page tables"],
  ["scoreAdj", "oom_score_adj"],
] as const satisfies readonly (readonly [keyof OomProcess, string])[];

type Column = (typeof columns)[number][0];
const rowsFirst = 50;

export function Processes({ processes }: { processes: readonly OomProcess[] }): JSX.Element | null {
  const [by, setBy] = useState<Column>("rssBytes");
  const [down, setDown] = useState(true);
  const [all, setAll] = useState(false);
  if (processes.length === 0) return null;
  const known = columns.filter(([key]) => processes.some((p) => p[key] !== null));
  const order = (a: OomProcess, b: OomProcess): number => {
    const [x, y] = [a[by], b[by]];
    if (typeof x === "string" && typeof y === "string") return x < y ? -1 : x > y ? 1 : 0;
    return Number(x ?? -1) - Number(y ?? -1);
  };
  const sorted = [...processes].sort((a, b) => (down ? order(b, a) : order(a, b)));
  const cell = (p: OomProcess, key: Column): string => {
    const value = p[key];
    if (value === null) return "";
    if (typeof value === "string") return inertLine(value);
    return key.endsWith("Bytes") ? size(value) : formatNumber(value);
  };
  return (
    <div class="table processes">
      <div class="scroller" tabIndex={0} role="group" aria-label="Processes of the OOM killer's table">
        <table>
          <caption>{formatNumber(processes.length)} processes, as the killer saw them; a title sorts</caption>
          <thead>
            <tr>
              {known.map(([key, title]) => (
                <th
                  key={key}
                  scope="col"
                  class={key === "name" ? undefined : "right"}
                  aria-sort={by === key ? (down ? "descending" : "ascending") : undefined}
                >
                  <button
                    type="button"
                    class="plain"
                    onClick={() => {
                      setDown(by === key ? !down : key !== "name");
                      setBy(key);
                    }}
                  >
                    {title}
                    {by === key ? (down ? " ↓" : " ↑") : ""}
                  </button>
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {sorted.slice(0, all ? undefined : rowsFirst).map((p) => (
              <tr key={p.pid} class={p.killed ? "killed" : undefined}>
                {known.map(([key]) => (
                  <td key={key} class={key === "name" ? undefined : "right"}>
                    {cell(p, key)}
                    {key === "name" && p.killed ? <strong class="tone-bad"> killed</strong> : null}
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      <TableExports
        table={() => ({
          title: "processes",
          columns: known.map(([, title]) => title),
          rows: sorted.map((p) => known.map(([key]) => String(p[key] ?? ""))),
        })}
      >
        {sorted.length > rowsFirst && !all ? (
          <button type="button" onClick={() => setAll(true)}>
            Show all {formatNumber(sorted.length)}
          </button>
        ) : null}
      </TableExports>
    </div>
  );
}
