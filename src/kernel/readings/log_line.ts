// One line of a kernel log after repair: what it says, where it stood, and when it was printed. Shapes only;
// artifact/log/lines.ts makes them, artifact/log/scan.ts cuts the windows, artifact/log/incidents/* reads them.

/** A line of a log without what its transport put around it. Several LogLines may share one `line` (records glued by `#012`). */
export interface LogLine {
  /** Number of the input line it comes from, counted from 1; of the first one where several were joined. */
  readonly line: number;
  /** The input line as it stood (cut where it was too long); joined pieces are separated by a newline. */
  readonly raw: string;
  /** What the kernel printed: prefixes, quoting and damage removed. Inner leading blanks are kept. */
  readonly text: string;
  /** Seconds since boot from the `[  12.345678]` prefix. */
  readonly seconds?: number;
  /** Seconds since the line before, from a `[  +0.000004]` prefix. */
  readonly deltaSeconds?: number;
  /** Wall clock as printed by syslog, journald or dmesg -T, never converted: it has no zone and often no year. */
  readonly wallClock?: string;
  /** printk level 0..7 from `<4>`. */
  readonly level?: number;
  /** Who printed it, with CONFIG_PRINTK_CALLER: `T123` a task, `C1` a cpu. */
  readonly caller?: string;
  /** Host name from a syslog or journald prefix. */
  readonly host?: string;
  /** Characters of its last input line as it was before a transport put something round it, trailing blanks apart; absent where `raw` has as many. */
  readonly width?: number;
  /** What was done to the line beyond cutting a prefix, in the order it was done. */
  readonly repairs?: readonly LineRepair[];
}

/** A wall clock without the part of a second that some loggers write. */
export const wholeSecond = (wallClock: string | undefined): string | undefined => wallClock?.replace(/[.,]\d{1,9}/, "");

/** Kinds of damage that are undone. */
export type LineRepair =
  /** mail quoting `> ` was removed */
  | "unquoted"
  /** a line that a mailer or a terminal wrapped was joined with the next */
  | "rejoined"
  /** pieces of one printk that stood on lines of their own were joined (KERN_CONT) */
  | "continued"
  /** the log was printed newest line first and was turned round */
  | "newest first"
  /** `#012`, `&lt;`, `=3D` and the like were turned back into what they stand for */
  | "unescaped"
  /** a U+00D7 between digits was turned back into x */
  | "times sign"
  /** terminal control sequences (colours) were dropped */
  | "terminal codes"
  /** pieces of two reports printed at the same time were sorted apart */
  | "deinterleaved"
  /** NUL bytes were dropped */
  | "nul bytes"
  /** bytes that are not UTF-8 were replaced by U+FFFD */
  | "invalid utf-8"
  /** the line was cut because it was longer than the limit */
  | "cut"
  /** the line stood on one line with another record and was separated from it */
  | "split"
  /** the line ends where a terminal's 80 columns end: its tail may be missing */
  | "may be truncated";

/** Something skipped, cut or repaired, in plain words. */
export interface LogNote {
  /** Line of the input it is about, counted from 1. */
  readonly line: number;
  readonly sentence: string;
}

/** The lines around one or more anchors of a log. */
export interface LogWindow {
  /** Line number of its first and its last line in the input. */
  readonly firstLine: number;
  readonly lastLine: number;
  readonly lines: readonly LogLine[];
  /** Lines where an anchor of the registry (artifact/log/anchors.ts) was found, in order; `name` is the anchor's. */
  readonly anchors: readonly { readonly name: string; readonly line: number }[];
  /** True when lines that belonged to the window were left out (its limit was reached): a note says which. */
  readonly cut: boolean;
}
