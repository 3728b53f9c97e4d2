// LogLines out of a clean text: one per line, with the kernel's own `[  12.345678] ` stamp taken off. No other transport is undone here; a log
// from the world goes through artifact/log/lines.ts. For text that our printers wrote, and for tests.
import type { LogLine } from "../../../kernel/readings/log_line.ts";

const stamp = /^\[ {0,8}(\d{1,9}\.\d{1,6})\] ?/;

/** The lines of a text, numbered from 1. */
export function plainLines(text: string): LogLine[] {
  const rows = text.split("\n");
  if (rows.at(-1) === "") rows.pop();
  return rows.map((row, i) => {
    const raw = row.endsWith("\r") ? row.slice(0, -1) : row;
    const m = stamp.exec(raw);
    if (m?.[1] === undefined) return { line: i + 1, raw, text: raw };
    return { line: i + 1, raw, text: raw.slice(m[0].length), seconds: Number(m[1]) };
  });
}
