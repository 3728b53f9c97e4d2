// What was taken for transport and what for the kernel's own words, line by line: the answer to "did you read my log right?".
import type { LogLine } from "../kernel/readings/log_line.ts";
import type { Document } from "./document.ts";
import { heading, paragraph, span, table } from "./document.ts";

/** A line of an input, taken apart. */
export interface ExplainedLine {
  readonly input: string;
  readonly line: number;
  /** What stood before the kernel's text; the whole line where the text was put together anew. */
  readonly transport: string;
  readonly text: string;
  /** What was done beyond taking the transport off. */
  readonly repairs: readonly string[];
}

/** Takes a repaired line apart. */
export function explainLine(input: string, line: LogLine): ExplainedLine {
  const at = line.raw.lastIndexOf(line.text);
  return {
    input,
    line: line.line,
    transport: at < 0 ? line.raw : line.raw.slice(0, at),
    text: line.text,
    repairs: line.repairs ?? [],
  };
}

/** The lines of every stretch that was read, for people. */
export function explainDocument(lines: readonly ExplainedLine[]): Document {
  if (lines.length === 0)
    return [paragraph("No line was read: the input is empty, or contains nothing that belongs to a kernel report.")];
  return [
    heading(1, "What was read"),
    paragraph(
      "To the left of the kernel's text is what was read as transport: time stamps, hosts, quoting, indentation.",
    ),
    table(
      [">line", "transport", "the kernel's text", "repaired"],
      lines.map((l) => [String(l.line), [span(l.transport, "dim")], [span(l.text, "code")], l.repairs.join(", ")]),
    ),
  ];
}
