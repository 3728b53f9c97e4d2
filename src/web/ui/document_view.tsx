// A Document drawn as HTML. Every string goes in as text, never as markup; what a log says cannot become a tag.
import type { JSX } from "preact";
import { createContext } from "preact";
import { useContext, useState } from "preact/hooks";
import type { Block, Document, QuotedLine, Text } from "../../report/document.ts";
import { plain } from "../../report/document.ts";
import { inertLine } from "../../report/escape.ts";
import { barText, formatNumber } from "../../report/text.ts";
import { TableExports } from "./exports.tsx";
import { Picture } from "./figure.tsx";
import type { TableData } from "./table_files.ts";

/** A word that views share: rows of tables that have it are lit, and a row that is chosen gives its own. */
export const Shared = createContext<
  { readonly word: string; readonly pick: (row: readonly string[]) => void } | undefined
>(undefined);

/** Draws the blocks; `onQuote` is told when a quoted line is chosen. */
export function DocumentView({
  document: blocks,
  onQuote,
}: {
  document: Document;
  onQuote?: (line: QuotedLine) => void;
}): JSX.Element {
  return (
    <div class="document">
      {blocks.map((block, i) => (
        // Blocks have no identity of their own; the document is drawn anew as a whole.
        <BlockView key={`${i}`} block={block} onQuote={onQuote} />
      ))}
    </div>
  );
}

export function TextView({ text }: { text: Text }): JSX.Element {
  if (typeof text === "string") return <>{inertLine(text)}</>;
  return (
    <>
      {text.map((s, i) => (
        <span key={`${i}`} class={`tone-${s.tone}`}>
          {inertLine(s.text)}
        </span>
      ))}
    </>
  );
}

function BlockView({
  block,
  onQuote,
}: {
  block: Block;
  onQuote: ((line: QuotedLine) => void) | undefined;
}): JSX.Element {
  switch (block.kind) {
    case "heading":
      return block.level === 1 ? (
        <h2>{inertLine(block.text)}</h2>
      ) : block.level === 2 ? (
        <h3>{inertLine(block.text)}</h3>
      ) : (
        <h4>{inertLine(block.text)}</h4>
      );
    case "text":
      return (
        <p>
          <TextView text={block.text} />
        </p>
      );
    case "list":
      return (
        <ul>
          {block.items.map((item, i) => (
            <li key={`${i}`}>
              <TextView text={item} />
            </li>
          ))}
        </ul>
      );
    case "facts":
      return (
        <dl class="facts">
          {block.rows.map(([name, value], i) => (
            <div key={`${i}`}>
              <dt>{inertLine(name)}</dt>
              <dd>
                <TextView text={value} />
              </dd>
            </div>
          ))}
        </dl>
      );
    case "table":
      return <TableView block={block} />;
    case "quote":
      return (
        // Scrolled by keys where nothing in it can be chosen.
        <ul class="quote" {...(onQuote === undefined ? { tabIndex: 0 } : {})}>
          {block.lines.map((l, i) => (
            <li key={`${i}`}>
              <button type="button" class="place" disabled={onQuote === undefined} onClick={() => onQuote?.(l)}>
                {inertLine(`${l.input}:${l.line}`)}
              </button>
              <code>{inertLine(lineShown(l.text))}</code>
            </li>
          ))}
        </ul>
      );
    case "code":
      return (
        // A scrolling region must be reachable by keyboard.
        <pre tabIndex={0}>{block.text.split("\n").map(inertLine).join("\n")}</pre>
      );
    case "bars":
      return <Bars block={block} />;
    case "lines":
      return <Lines block={block} />;
  }
}

const lineMax = 2000;

/** A line of megabytes would not be drawn; its beginning is what tells. */
export const lineShown = (text: string): string =>
  text.length <= lineMax
    ? text
    : `${text.slice(0, lineMax)} … (${formatNumber(text.length - lineMax)} more characters)`;

const rowsFirst = 200;

/** A share drawn in characters, which must all be as wide. */
const isShare = (title: string, cell: Text | undefined): boolean => title === "" && /[█·]/.test(plain(cell ?? ""));

function TableView({ block }: { block: Extract<Block, { kind: "table" }> }): JSX.Element {
  const [all, setAll] = useState(false);
  const shared = useContext(Shared);
  const lit = (row: readonly Text[]): boolean =>
    shared !== undefined && shared.word !== "" && row.some((c) => plain(c).toLowerCase().includes(shared.word));
  const rows = all ? block.rows : block.rows.slice(0, rowsFirst);
  const data = (): TableData => ({
    title: block.title ?? "table",
    columns: block.columns.map((c) => c.title),
    rows: block.rows.map((row) => row.map(plain)),
  });
  return (
    <div class="table">
      <div class="scroller" tabIndex={0} role="group" aria-label={inertLine(block.title ?? "Table")}>
        <table>
          {block.title === undefined ? null : <caption>{inertLine(block.title)}</caption>}
          <thead>
            <tr>
              {block.columns.map((c, i) => (
                <th key={`${i}`} scope="col" class={c.align}>
                  {c.title === "" ? <span class="hidden">share</span> : inertLine(c.title)}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {rows.map((row, r) => (
              <tr
                key={`${r}`}
                class={lit(row) ? "lit" : undefined}
                {...(shared === undefined ? {} : { onClick: () => shared.pick(row.map(plain)) })}
              >
                {block.columns.map((c, i) => (
                  <td key={`${i}`} class={isShare(c.title, row[i]) ? "share" : c.align}>
                    <TextView text={row[i] ?? ""} />
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      <TableExports table={data}>
        {block.rows.length > rows.length ? (
          <button type="button" onClick={() => setAll(true)}>
            Show all {formatNumber(block.rows.length)} rows
          </button>
        ) : null}
      </TableExports>
    </div>
  );
}

function Bars({ block }: { block: Extract<Block, { kind: "bars" }> }): JSX.Element {
  const most = Math.max(...block.bars.map((b) => Math.max(b.value, b.range?.[1] ?? 0)), 0);
  const width = 720;
  // As wide as the longest label, within reason: the letters of a small sans are some 7 points wide.
  const left = Math.min(320, Math.max(120, ...block.bars.map((b) => b.label.length * 6.8 + 16)));
  const row = 24;
  const said = (b: (typeof block.bars)[number]): string => `${barText(b, block.unit)} ${b.note ?? ""}`.trim();
  const long = (value: number): number => (most <= 0 ? 0 : Math.max(0, (value / most) * (width - left - 200)));
  return (
    <Picture
      title={block.title}
      width={width}
      height={block.bars.length * row + 4}
      says={`${block.title}: ${block.bars.map((b) => `${b.label} ${said(b)}`).join(", ")}`}
    >
      {block.bars.map((b, i) => (
        <g key={`${i}`}>
          <text x={left - 8} y={i * row + 16} text-anchor="end">
            {inertLine(b.label)}
          </text>
          <rect class="fits" x={left} y={i * row + 4} width={long(b.value)} height={row - 8} />
          {b.range === undefined ? null : (
            <path
              class="whisker"
              d={`M${left + long(b.range[0])} ${i * row + 8}v8m0 -4H${left + long(b.range[1])}m0 -4v8`}
            />
          )}
          <text x={left + long(Math.max(b.value, b.range?.[1] ?? 0)) + 6} y={i * row + 16}>
            {inertLine(said(b))}
          </text>
        </g>
      ))}
    </Picture>
  );
}

const lineColours = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"];
const dashes = ["", "6 3", "2 2", "8 2 2 2", "4 4", "1 3"];

/** A series in words: where it begins and ends. */
function ends(values: readonly (number | null)[]): string {
  const known = values.filter((v): v is number => v !== null);
  return known.length === 0
    ? "has no values"
    : `from ${formatNumber(known[0] as number)} to ${formatNumber(known.at(-1) as number)}`;
}

/** A small line chart in SVG: colour and dash both tell the series apart. */
function Lines({ block }: { block: Extract<Block, { kind: "lines" }> }): JSX.Element {
  const width = 720;
  const height = 260;
  const left = 64;
  const bottom = 34;
  const values = block.series.flatMap((s) => s.values.filter((v): v is number => v !== null));
  const top = Math.max(...values, 0);
  const low = Math.min(...values, 0);
  const x0 = Math.min(...block.x);
  const x1 = Math.max(...block.x);
  const px = (x: number): number => left + (x1 === x0 ? 0 : ((x - x0) / (x1 - x0)) * (width - left - 12));
  const py = (v: number): number => 12 + (top === low ? 0 : ((top - v) / (top - low)) * (height - bottom - 12));
  const ticks = [low, (low + top) / 2, top];
  return (
    <Picture
      title={block.title}
      width={width}
      height={height}
      says={`${block.title}: ${block.series.map((s) => `${s.name} ${ends(s.values)}`).join("; ")}`}
      below={
        <ul class="legend">
          {block.series.map((s, i) => (
            <li key={s.name}>
              <svg viewBox="0 0 30 8" width="30" height="8" aria-hidden="true">
                <line
                  x1="0"
                  x2="30"
                  y1="4"
                  y2="4"
                  stroke={lineColours[i % lineColours.length]}
                  stroke-width="2"
                  stroke-dasharray={dashes[i % dashes.length]}
                />
              </svg>
              {inertLine(s.name)}
            </li>
          ))}
        </ul>
      }
    >
      {ticks.map((t) => (
        <g key={t}>
          <line class="grid" x1={left} x2={width - 12} y1={py(t)} y2={py(t)} />
          <text x={left - 6} y={py(t) + 4} text-anchor="end">
            {formatNumber(t)}
          </text>
        </g>
      ))}
      {[x0, x1].map((x, i) => (
        <text key={`${i}`} x={px(x)} y={height - 16} text-anchor={i === 0 ? "start" : "end"}>
          {formatNumber(x)}
        </text>
      ))}
      <text x={(left + width) / 2} y={height - 4} text-anchor="middle">
        {inertLine(block.xTitle)}
      </text>
      {block.series.map((s, i) => (
        <path
          key={s.name}
          fill="none"
          stroke={lineColours[i % lineColours.length]}
          stroke-width="2"
          stroke-dasharray={dashes[i % dashes.length]}
          d={s.values
            .map((v, k) =>
              v === null
                ? ""
                : `${k === 0 || s.values[k - 1] === null ? "M" : "L"}${px(block.x[k] ?? 0).toFixed(1)} ${py(v).toFixed(1)}`,
            )
            .join("")}
        />
      ))}
    </Picture>
  );
}
