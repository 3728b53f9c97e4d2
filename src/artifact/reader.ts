// What a reader of a kernel text is: how its text begins and goes on, what it means, how it is printed. readers.ts lists them all.
import type { LogNote } from "../kernel/readings/log_line.ts";
import type { ProcKind, ProcReading } from "../kernel/readings/proc.ts";

/** A line with its number in the input it came from, prefix and quoting already off. */
export interface SourceLine {
  readonly line: number;
  readonly text: string;
  /** The machine that its prefix names. */
  readonly host?: string;
}

/** What was read, and what in it was not understood. */
export interface Read<R> {
  readonly reading: R;
  readonly notes: readonly LogNote[];
}

/** Reader and printer of one kind of text, side by side. */
export interface TextReader<R extends ProcReading = ProcReading> {
  readonly kind: ProcKind;
  /** For people: `/proc/buddyinfo`. */
  readonly title: string;
  /** True when the text can begin with this line; `next` is the line after it, undefined when not known. */
  starts(text: string, next: string | undefined): boolean;
  /** True when this line can stand behind the first. A blank one may only stand between others. */
  continues(text: string): boolean;
  /** Reads lines that start and continue; a line of another form is skipped with a note. */
  read(lines: readonly SourceLine[]): Read<R>;
  /** The kernel's own text; equal to what was read wherever no note says otherwise. */
  print(reading: R): string;
}

/** A reading and where it stood. */
export interface FoundReading extends Read<ProcReading> {
  readonly firstLine: number;
  readonly lastLine: number;
  /** What it was read from; not kept of all where there are very many. */
  readonly lines: readonly SourceLine[];
  /** The machine that its lines name. */
  readonly host?: string;
}

/** A note for a line that does not belong where it stands. */
export function skipped({ line, text }: SourceLine, title: string): LogNote {
  const shown = text.length > 60 ? `${text.slice(0, 60)}...` : text;
  return { line, sentence: `Line ${line}: "${shown}" is not a line of ${title} and was skipped.` };
}

/** Lines joined as the kernel ends them. */
export const asText = (lines: readonly string[]): string => lines.map((l) => `${l}\n`).join("");

/** A note for a number that JavaScript cannot hold exactly, as a counter that fell below zero prints (18446744073709551615). */
export function rounded({ line, text }: SourceLine): LogNote[] {
  const long = /\d{16,}/.exec(text)?.[0];
  if (long === undefined || Number.isSafeInteger(Number(long))) return [];
  return [{ line, sentence: `Line ${line}: ${long.slice(0, 40)} is too large to be held exactly and was rounded.` }];
}
