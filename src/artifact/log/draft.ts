// A log line while it is being repaired (lines.ts, interleaved.ts).
import type { LineRepair, LogLine } from "../../kernel/readings/log_line.ts";

/** A LogLine that can still change. */
export type Draft = { -readonly [K in keyof Omit<LogLine, "repairs" | "width">]: LogLine[K] } & {
  repairs: LineRepair[];
  /** Characters of the last input line without what lay round all lines. */
  columns: number;
  /** Something stood before the text. */
  readonly prefixed: boolean;
};
