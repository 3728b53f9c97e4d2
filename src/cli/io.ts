// The real world behind Io: stdout, stderr, terminal or not. Exit codes are set here and in main.ts only.
import { renderMarkdown } from "../report/markdown.ts";
import { renderText } from "../report/text.ts";
import type { Answer, Io } from "./command.ts";

export type Format = "text" | "json" | "markdown";

export function createIo(format: () => Format): Io {
  const { stdout, stderr, env } = process;
  const colour = stdout.isTTY === true && (env.NO_COLOR ?? "") === "" && env.TERM !== "dumb";
  const width = Math.max(40, Math.min(stdout.columns ?? 100, 120));
  const interactive = stderr.isTTY === true;
  let drawn = 0;
  let last = 0;
  const clear = (): void => {
    if (drawn > 0) stderr.write(`\r${" ".repeat(drawn)}\r`);
    drawn = 0;
  };
  const write = (data: string | Uint8Array): Promise<void> =>
    new Promise((resolve, reject) => {
      stdout.write(data, (error) => (error ? reject(error) : resolve()));
    });
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
      return write(renderText(answer.document, { colour, width }));
    },
    progress(label, done, note = "") {
      if (!interactive) return;
      const now = Date.now();
      if (now - last < 50 && done !== 1) return;
      last = now;
      const cells = 24;
      const full = done === undefined ? 0 : Math.round(Math.min(1, Math.max(0, done)) * cells);
      const bar =
        done === undefined ? "" : ` [${"█".repeat(full)}${"·".repeat(cells - full)}] ${Math.floor((done ?? 0) * 100)}%`;
      const line = `${label}${bar} ${note}`.slice(0, (stderr.columns ?? 100) - 1);
      stderr.write(`\r${line}${" ".repeat(Math.max(0, drawn - line.length))}`);
      drawn = line.length;
      if (done === 1) clear();
    },
    note(text) {
      clear();
      stderr.write(`${text}\n`);
    },
  };
}
