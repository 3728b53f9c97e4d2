// What a face shows: a list of plain blocks. A Document knows no kernel; text.ts, markdown.ts and the web page draw it.
// All strings are untrusted (they may quote a hostile log): the drawers escape them, nobody else does.

/** How a piece of text is meant; drawers map tones to colours or leave them out. */
export type Tone = "plain" | "strong" | "dim" | "good" | "bad" | "warn" | "code";

/** A run of text with one tone. */
export interface Span {
  readonly text: string;
  readonly tone: Tone;
}

/** Text is either plain or a list of spans. */
export type Text = string | readonly Span[];

/** One quoted line of an input; `line` counts from 1. */
export interface QuotedLine {
  readonly input: string;
  readonly line: number;
  readonly text: string;
}

export interface Column {
  readonly title: string;
  /** Numbers stand right. */
  readonly align: "left" | "right";
}

/** One named row of values over the shared x axis of a chart. */
export interface Series {
  readonly name: string;
  readonly values: readonly (number | null)[];
}

export interface Bar {
  readonly label: string;
  readonly value: number;
  /** Least and most of the runs whose mean `value` is. */
  readonly range?: readonly [least: number, most: number];
  readonly note?: string;
}

export type Block =
  | { readonly kind: "heading"; readonly level: 1 | 2 | 3; readonly text: string }
  | {
      readonly kind: "text";
      readonly text: Text;
      /** One line of a list that programs count: never wrapped, and no blank line before the next. */
      readonly oneLine?: true;
    }
  | { readonly kind: "list"; readonly items: readonly Text[] }
  | { readonly kind: "facts"; readonly rows: readonly (readonly [name: string, value: Text])[] }
  | {
      readonly kind: "table";
      readonly columns: readonly Column[];
      readonly rows: readonly (readonly Text[])[];
      readonly title?: string;
    }
  | { readonly kind: "quote"; readonly lines: readonly QuotedLine[] }
  | { readonly kind: "code"; readonly text: string }
  | {
      readonly kind: "bars";
      readonly title: string;
      readonly unit: string;
      readonly bars: readonly Bar[];
    }
  | {
      readonly kind: "lines";
      readonly title: string;
      readonly xTitle: string;
      readonly yTitle: string;
      readonly x: readonly number[];
      readonly series: readonly Series[];
    };

export type Document = readonly Block[];

export const span = (text: string, tone: Tone = "plain"): Span => ({ text, tone });
export const heading = (level: 1 | 2 | 3, text: string): Block => ({ kind: "heading", level, text });
export const paragraph = (text: Text): Block => ({ kind: "text", text });
export const oneLine = (text: Text): Block => ({ kind: "text", text, oneLine: true });
export const list = (items: readonly Text[]): Block => ({ kind: "list", items });
export const facts = (rows: readonly (readonly [string, Text])[]): Block => ({ kind: "facts", rows });
/** A table; a column title that starts with ">" stands right. */
export const table = (titles: readonly string[], rows: readonly (readonly Text[])[], title?: string): Block => ({
  kind: "table",
  columns: titles.map((t) => (t.startsWith(">") ? { title: t.slice(1), align: "right" } : { title: t, align: "left" })),
  rows,
  ...(title === undefined ? {} : { title }),
});

/** The characters of a Text without its tones. */
export function plain(text: Text): string {
  return typeof text === "string" ? text : text.map((s) => s.text).join("");
}
