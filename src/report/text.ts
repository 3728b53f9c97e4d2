// Document → terminal text. Colour is the caller's choice (a terminal without NO_COLOR); without it the same characters, no escapes.
import { grouped } from "../base/grouped.ts";
import type { Bar, Block, Document, Text, Tone } from "./document.ts";
import { plain } from "./document.ts";
import { inertLine } from "./escape.ts";

export interface TextStyle {
  readonly colour: boolean;
  /** Columns to wrap at. */
  readonly width: number;
  /** For a terminal whose locale is not UTF-8. */
  readonly ascii?: boolean;
}

const codes: Readonly<Record<Tone, string>> = {
  plain: "",
  strong: "1",
  dim: "2",
  good: "32",
  bad: "31",
  warn: "33",
  code: "36",
};

const asciiOf: Readonly<Record<string, string>> = {
  "·": ".",
  "×": "x",
  "–": "-",
  "“": '"',
  "”": '"',
  "‘": "'",
  "’": "'",
  "…": "...",
  "→": "->",
  "←": "<-",
  "≥": ">=",
  "≤": "<=",
  "─": "-",
  "│": "|",
  "└": "+",
  "▁": "_",
  "▂": ".",
  "▃": "-",
  "▄": "=",
  "▅": "+",
  "▆": "*",
  "▇": "%",
  "█": "#",
  "▉": "#",
  "▊": "#",
  "▋": "#",
  "▌": "=",
  "▍": "-",
  "▎": "-",
  "▏": "",
  "■": "#",
  "□": "=",
  "▲": "^",
  "△": "v",
  "○": "o",
  "●": "*",
  µ: "u",
  "°": "deg",
  "⚠": "!",
  "✓": "yes",
  "✗": "no",
};

/** The same in ASCII, for a terminal whose locale is not UTF-8; what has no likeness (a name in a log) becomes "?". */
export const toAscii = (text: string): string => text.replace(/[^\0-\x7f]/gu, (c) => asciiOf[c] ?? "?");

/** A document whose every text is ASCII: before it is drawn, because some likenesses are wider ("→" is "->"), and lines are broken by width. */
function inAscii<T>(part: T): T {
  if (typeof part === "string") return toAscii(inertWide(part)) as T;
  if (Array.isArray(part)) return part.map(inAscii) as T;
  if (typeof part !== "object" || part === null) return part;
  return Object.fromEntries(Object.entries(part).map(([key, value]) => [key, inAscii(value)])) as T;
}

/** What inertLine makes visible outside ASCII; the rest is left to the drawers. */
const inertWide = (text: string): string => text.replace(/[^\0-\x7f]/gu, inertLine);

/** Draws a document as lines, each ended by a newline. */
export function renderText(document: Document, style: TextStyle): string {
  if (style.ascii !== true) return drawDocument(document, style);
  // The marks of the drawers themselves are one column wide in both.
  return toAscii(drawDocument(inAscii(document), style));
}

function drawDocument(document: Document, style: TextStyle): string {
  const out: string[] = [];
  const ofLines = (block: Block | undefined): boolean => block?.kind === "text" && block.oneLine === true;
  for (const [i, block] of document.entries()) {
    if (out.length > 0 && block.kind !== "list" && !(ofLines(block) && ofLines(document[i - 1]))) out.push("");
    drawBlock(block, style, out);
  }
  return out.length === 0 ? "" : `${out.join("\n")}\n`;
}

function drawBlock(block: Block, style: TextStyle, out: string[]): void {
  switch (block.kind) {
    case "heading":
      if (displayWidth(inertLine(block.text)) <= style.width) out.push(paint(inertLine(block.text), "strong", style));
      else out.push(...wrap([{ text: block.text, tone: "strong" }], style, "", ""));
      if (block.level === 1) out.push(paint("=".repeat(Math.min(style.width, block.text.length)), "dim", style));
      return;
    case "text":
      out.push(
        ...wrap(block.text, block.oneLine === true ? { ...style, width: Number.POSITIVE_INFINITY } : style, "", ""),
      );
      return;
    case "list":
      for (const item of block.items) out.push(...wrap(item, style, "  - ", "    "));
      return;
    case "facts": {
      const width = Math.max(0, ...block.rows.map(([name]) => displayWidth(name)));
      const words = block.rows.flatMap(([, value]) => inertLine(plain(value)).split(" ").map(displayWidth));
      // A word that is too wide beside the names (a path, a mask) may have room below them.
      const tooWide = words.some((w) => w > style.width - width - 2 && w <= style.width - 4);
      if (width + 2 > style.width / 2 || tooWide) {
        for (const [name, value] of block.rows) out.push(inertLine(name), ...wrap(value, style, "    ", "    "));
        return;
      }
      for (const [name, value] of block.rows) {
        out.push(...wrap(value, style, `${padEnd(inertLine(name), width)}  `, " ".repeat(width + 2)));
      }
      return;
    }
    case "table":
      drawTable(block, style, out);
      return;
    case "quote":
      drawQuote(block, style, out);
      return;
    case "code":
      for (const line of block.text.split("\n")) out.push(`    ${inertLine(line)}`);
      return;
    case "bars":
      drawBars(block, style, out);
      return;
    case "lines":
      drawLines(block, style, out);
      return;
  }
}

/**
 * Quoted lines stand whole, so that they can be copied and searched for; a terminal breaks what is too long for it. The input's name is said once,
 * above them, where it would push a line out of the terminal.
 */
function drawQuote(block: Extract<Block, { kind: "quote" }>, style: TextStyle, out: string[]): void {
  const [first] = block.lines;
  const named = (l: { input: string; line: number }): string => `${l.input}:${l.line}`;
  const tooWide = block.lines.some((l) => 6 + displayWidth(named(l)) + displayWidth(l.text) > style.width);
  const once = first !== undefined && tooWide && block.lines.every((l) => l.input === first.input);
  if (once) out.push(`    ${paint(inertLine(`${first.input}:`), "dim", style)}`);
  const place = once ? (l: { line: number }): string => `${l.line}` : named;
  const width = Math.max(0, ...block.lines.map((l) => place(l).length));
  for (const l of block.lines)
    out.push(
      `    ${paint(padEnd(inertLine(place(l)), width), "dim", style)}  ${paint(inertLine(l.text), "code", style)}`,
    );
}

function drawTable(block: Extract<Block, { kind: "table" }>, style: TextStyle, out: string[]): void {
  if (block.title !== undefined) out.push(...wrap([{ text: block.title, tone: "strong" }], style, "", ""));
  const natural = block.columns.map((c, i) =>
    Math.max(displayWidth(c.title), ...block.rows.map((row) => displayWidth(inertLine(plain(row[i] ?? ""))))),
  );
  // Numbers stay whole; their titles may be broken at words.
  const narrowest = block.columns.map((c, i) =>
    c.align === "right"
      ? Math.max(
          ...c.title.split(" ").map(displayWidth),
          ...block.rows.map((row) => displayWidth(inertLine(plain(row[i] ?? "")))),
        )
      : Math.min(natural[i] ?? 0, leastColumn),
  );
  const widths = fitColumns(natural, narrowest, style.width - 2 * (natural.length - 1));
  if (widths.reduce((a, b) => a + b, 2 * (widths.length - 1)) > style.width) {
    drawRecords(block, style, out);
    return;
  }
  const drawRow = (row: readonly Text[]): void => {
    const cells = widths.map((w, i) => wrapCell(row[i] ?? "", { ...style, width: w }));
    for (let l = 0; l < Math.max(1, ...cells.map((c) => c.length)); l++)
      out.push(
        cells
          .map((lines, i) => {
            const { drawn, used } = lines[l] ?? { drawn: "", used: 0 };
            const gap = " ".repeat(Math.max(0, (widths[i] ?? 0) - used));
            return block.columns[i]?.align === "right" ? gap + drawn : drawn + gap;
          })
          .join("  ")
          .trimEnd(),
      );
  };
  drawRow(block.columns.map((c) => [{ text: c.title, tone: "strong" }]));
  out.push(paint(widths.map((w) => "-".repeat(w)).join("  "), "dim", style));
  for (const row of block.rows) drawRow(row);
}

/** A table with more columns than the terminal has room for: a row below the other, each value behind the title of its column. */
function drawRecords(block: Extract<Block, { kind: "table" }>, style: TextStyle, out: string[]): void {
  const width = Math.max(0, ...block.columns.map((c) => displayWidth(c.title)));
  const rest = " ".repeat(width + 2);
  for (const [n, row] of block.rows.entries()) {
    if (n > 0) out.push("");
    for (const [i, column] of block.columns.entries()) {
      const lines = wrapCell(row[i] ?? "", { ...style, width: Math.max(leastColumn, style.width - width - 2) });
      for (const [l, { drawn }] of lines.entries())
        if (drawn !== "") out.push(`${l === 0 ? `${padEnd(column.title, width)}  ` : rest}${drawn}`.trimEnd());
    }
  }
}

/** No column of words is made narrower than this. */
const leastColumn = 10;

/** Widths that add up to `room`, taken from the widest columns first; wider where the narrowest do not fit. */
function fitColumns(natural: readonly number[], narrowest: readonly number[], room: number): number[] {
  const widths = [...natural];
  for (let over = widths.reduce((a, b) => a + b, 0) - room; over > 0; over--) {
    let widest = -1;
    widths.forEach((w, i) => {
      if (w > (narrowest[i] ?? 0) && (widest < 0 || w > (widths[widest] ?? 0))) widest = i;
    });
    if (widest < 0) break;
    widths[widest] = (widths[widest] ?? 0) - 1;
  }
  return widths;
}

/** A cell as lines of at most `style.width` columns, broken at blanks, and within a word that is longer than the column. */
function wrapCell(text: Text, style: TextStyle): { readonly drawn: string; readonly used: number }[] {
  const lines: { drawn: string; used: number }[] = [];
  let line = { drawn: "", used: 0 };
  // Blanks behind a word are drawn only when another word follows on the line: a number's title ends where its column does.
  let blanks = 0;
  const next = (): void => {
    lines.push(line);
    line = { drawn: "", used: 0 };
    blanks = 0;
  };
  const spans = typeof text === "string" ? [{ text, tone: "plain" as Tone }] : text;
  for (const { text: run, tone } of spans)
    for (const word of inertLine(run).split(/(?<= )/))
      for (const piece of pieces(word, style.width)) {
        const bare = piece.trimEnd();
        const width = displayWidth(bare);
        if (line.used + blanks + width > style.width) {
          if (line.used > 0) next();
          blanks = 0;
        }
        if (width > 0) {
          line.drawn += " ".repeat(blanks) + paint(bare, tone, style);
          line.used += blanks + width;
          blanks = 0;
        }
        blanks += piece.length - bare.length;
      }
  next();
  return lines;
}

function pieces(word: string, width: number): string[] {
  if (displayWidth(word.trimEnd()) <= width) return [word];
  const out: string[] = [];
  let piece = "";
  for (const c of word) {
    if (piece !== "" && displayWidth(piece + c) > width) {
      out.push(piece);
      piece = "";
    }
    piece += c;
  }
  return [...out, piece];
}

/** `19.7 (15 to 25)`: a mean with the least and the most of its runs. */
export const barText = ({ value, range }: Bar, unit: string): string =>
  `${formatNumber(value)}${range === undefined || range[0] === range[1] ? "" : ` (${formatNumber(range[0])} to ${formatNumber(range[1])})`} ${unit}`.trimEnd();

/** Bars beside their labels; where a label, ten cells and the number are wider than the terminal, the bar stands below them. */
function drawBars(block: Extract<Block, { kind: "bars" }>, style: TextStyle, out: string[]): void {
  out.push(...wrap([{ text: block.title, tone: "strong" }], style, "", ""));
  const rows = block.bars.map((bar) => ({
    label: inertLine(bar.label),
    value: bar.value,
    says: `${barText(bar, block.unit)}${bar.note === undefined ? "" : `  ${inertLine(bar.note)}`}`,
  }));
  const label = Math.max(0, ...rows.map((r) => displayWidth(r.label)));
  const says = Math.max(0, ...rows.map((r) => displayWidth(r.says)));
  const most = Math.max(0, ...rows.map((r) => r.value));
  const beside = label + 2 + 10 + 1 + says <= style.width;
  const room = beside ? Math.max(10, style.width - label - Math.max(24, says + 3)) : Math.max(10, style.width - 4);
  for (const row of rows) {
    const cells = most === 0 ? 0 : (row.value / most) * room;
    const full = "█".repeat(Math.floor(cells)) + ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"][Math.floor((cells % 1) * 8)];
    const bar = paint(full, "code", style);
    if (beside) out.push(`${padEnd(row.label, label)}  ${bar} ${row.says}`.trimEnd());
    else out.push(...wrap(`${row.label}  ${row.says}`, style, "", "    "), `    ${bar}`.trimEnd());
  }
}

const marks = ["●", "○", "▲", "△", "■", "□"];

function drawLines(block: Extract<Block, { kind: "lines" }>, style: TextStyle, out: string[]): void {
  out.push(...wrap([{ text: block.title, tone: "strong" }], style, "", ""));
  const all = block.series.flatMap((s) => s.values.filter((v): v is number => v !== null));
  if (all.length === 0 || block.x.length === 0) return void out.push("(no data)");
  const top = Math.max(...all);
  const bottom = Math.min(0, ...all);
  const rows = 12;
  const axis = Math.max(formatNumber(top).length, formatNumber(bottom).length);
  const columns = Math.max(10, Math.min(style.width - axis - 3, 100));
  const x0 = Math.min(...block.x);
  const x1 = Math.max(...block.x);
  const grid = Array.from({ length: rows }, () => Array<string>(columns).fill(" "));
  block.series.forEach((series, s) => {
    series.values.forEach((v, i) => {
      if (v === null) return;
      const c = x1 === x0 ? 0 : Math.round((((block.x[i] ?? x0) - x0) / (x1 - x0)) * (columns - 1));
      const r = top === bottom ? rows - 1 : rows - 1 - Math.round(((v - bottom) / (top - bottom)) * (rows - 1));
      const line = grid[r];
      if (line !== undefined) line[c] = marks[s % marks.length] ?? "*";
    });
  });
  grid.forEach((line, r) => {
    const value = r === 0 ? formatNumber(top) : r === rows - 1 ? formatNumber(bottom) : "";
    out.push(`${value.padStart(axis)} ${paint("│", "dim", style)}${line.join("")}`.trimEnd());
  });
  out.push(`${" ".repeat(axis)} ${paint(`└${"─".repeat(columns)}`, "dim", style)}`);
  const left = formatNumber(x0);
  const right = formatNumber(x1);
  out.push(
    `${" ".repeat(axis + 2)}${left}${`${block.xTitle} `.padStart(Math.max(1, columns - left.length - right.length))}${right}`,
  );
  const legend = block.series.map((s, i) => `${marks[i % marks.length]} ${s.name}`);
  if (block.yTitle !== "") legend.push(`(y: ${block.yTitle})`);
  const beside = legend.map(inertLine).join("   ");
  if (displayWidth(beside) <= style.width) out.push(beside);
  else for (const entry of legend) out.push(...wrap(entry, style, "", "  "));
}

/** Three significant digits at most after the point; thousands are grouped. */
export function formatNumber(n: number): string {
  if (Number.isInteger(n)) return grouped(n);
  const digits = Math.abs(n) >= 100 ? 0 : Math.abs(n) >= 10 ? 1 : Math.abs(n) >= 1 ? 2 : 3;
  return n.toLocaleString("en-US", { maximumFractionDigits: digits });
}

function paint(text: string, tone: Tone, style: TextStyle): string {
  const code = codes[tone];
  return style.colour && code !== "" && text !== "" ? `\u001b[${code}m${text}\u001b[0m` : text;
}

function wrap(text: Text, style: TextStyle, first: string, rest: string): string[] {
  const lines: string[] = [];
  let line = first;
  let used = displayWidth(first);
  let empty = true;
  const spans = typeof text === "string" ? [{ text, tone: "plain" as Tone }] : text;
  for (const { text: run, tone } of spans) {
    for (const piece of inertLine(run).split(/(?<= )/)) {
      const width = displayWidth(piece.trimEnd());
      if (!empty && used + width > style.width) {
        lines.push(line.trimEnd());
        line = rest;
        used = displayWidth(rest);
      }
      line += paint(piece, tone, style);
      used += displayWidth(piece);
      empty = false;
    }
  }
  lines.push(line.trimEnd());
  return lines;
}

/** A sentence in lines of at most `width` columns, each behind `indent`. */
export const indented = (text: string, width: number, indent: string): string =>
  wrap(text, { colour: false, width }, indent, indent).join("\n");

function padEnd(text: string, width: number): string {
  return text + " ".repeat(Math.max(0, width - displayWidth(text)));
}

// Combining marks take no column, wide East Asian characters two: enough for names in logs.
function displayWidth(text: string): number {
  let width = 0;
  for (const c of text) {
    const code = c.codePointAt(0) ?? 0;
    if (code >= 0x300 && code <= 0x36f) continue;
    width +=
      (code >= 0x1100 && code <= 0x115f) ||
      (code >= 0x2e80 && code <= 0xa4cf) ||
      (code >= 0xac00 && code <= 0xd7a3) ||
      (code >= 0xf900 && code <= 0xfaff) ||
      (code >= 0xff00 && code <= 0xff60) ||
      code >= 0x1f300
        ? 2
        : 1;
  }
  return width;
}
