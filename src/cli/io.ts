// The real world behind Io: stdout, stderr, terminal or not. Exit codes are set here and in main.ts only.

import type { Document } from "../report/document.ts";
import { inertLine } from "../report/escape.ts";
import { renderMarkdown } from "../report/markdown.ts";
import { renderText, toAscii } from "../report/text.ts";
import type { Answer, Io } from "./command.ts";

export type Format = "text" | "json" | "markdown";

/** Nothing is drawn for what is done within this; and where standard error is no terminal, a line is written this often. */
const firstMillis = 1000;
const quietMillis = 10_000;

/** Columns to wrap at: the terminal's, else COLUMNS, else 80; 40 at least, and 120 at most where nobody asked for more. */
export function widthOf(terminal: number | undefined, asked: string | undefined): number {
  const columns = /^[1-9]\d{0,3}$/.test(asked ?? "") ? Number(asked) : undefined;
  return Math.max(40, columns ?? Math.min(terminal ?? 80, 120));
}

/** Whether the locale (LC_ALL before LC_CTYPE before LANG) says UTF-8; a machine without any of them, as in a container, is taken for one that does. */
export function isUtf8(env: Readonly<Record<string, string | undefined>>): boolean {
  const locale = env["LC_ALL"] || env["LC_CTYPE"] || env["LANG"] || "";
  return locale === "" || /utf-?8/i.test(locale);
}

export function createIo(format: () => Format): Io {
  const { stdout, stderr, env } = process;
  const colour = stdout.isTTY === true && (env.NO_COLOR ?? "") === "" && env.TERM !== "dumb";
  const width = widthOf(stdout.columns, env.COLUMNS);
  const utf8 = isUtf8(env);
  const interactive = stderr.isTTY === true;
  const started = Date.now();
  let drawn = 0;
  let last = interactive ? 0 : started;
  const clear = (): void => {
    if (drawn > 0) stderr.write(`\r${" ".repeat(drawn)}\r`);
    drawn = 0;
  };
  const write = (data: string | Uint8Array): Promise<void> =>
    new Promise((resolve, reject) => {
      stdout.write(data, (error) => (error ? reject(error) : resolve()));
    });
  const shown = (text: string): string => (utf8 ? text : toAscii(text));
  const textOf = (document: Document): string => renderText(document, { colour, width, ascii: !utf8 });
  return {
    colour,
    width,
    write,
    async answer(answer: Answer) {
      clear();
      process.exitCode = answer.exit;
      const kind = format();
      if (kind === "json") return write(`${JSON.stringify(answer.json, null, 2)}\n`);
      if (kind === "markdown") return write(renderMarkdown(answer.document));
      return write(textOf(answer.document));
    },
    show: (document, after = "") => write(`${textOf(document)}${after}`),
    progress(label, done, note = "") {
      const now = Date.now();
      if (!interactive) {
        // A log of a batch job: a line every ten seconds, and none for what is quick.
        if (now - last < quietMillis || done === 1) return;
        last = now;
        stderr.write(
          shown(inertLine(`${label}${done === undefined ? "" : ` ${Math.floor(Math.min(1, done) * 100)}%`} ${note}`))
            .trimEnd()
            .concat("\n"),
        );
        return;
      }
      if (now - started < firstMillis) return;
      if (now - last < 50 && done !== 1) return;
      last = now;
      const cells = 24;
      const full = done === undefined ? 0 : Math.round(Math.min(1, Math.max(0, done)) * cells);
      const [block, gap] = utf8 ? ["█", "·"] : ["#", "."];
      const bar =
        done === undefined
          ? ""
          : ` [${block.repeat(full)}${gap.repeat(cells - full)}] ${Math.floor(Math.min(1, done) * 100)}%`;
      // A line that reached the last column could not be drawn over; a terminal that does not say its width says 0.
      const line = shown(inertLine(`${label}${bar} ${note}`)).slice(0, Math.min(width, stderr.columns || width) - 1);
      stderr.write(`\r${line}${" ".repeat(Math.max(0, drawn - line.length))}`);
      drawn = line.length;
      if (done === 1) clear();
    },
    async live(document) {
      if (stdout.isTTY !== true) return false;
      const lines = textOf(document).split("\n");
      // Home, each line with the rest of it cleared, then what is left of the last picture.
      await write(`\u001b[H${lines.map((l) => `${l}\u001b[K`).join("\n")}\u001b[J`);
      return true;
    },
    note(text) {
      clear();
      stderr.write(`${shown(text)}\n`);
    },
  };
}
