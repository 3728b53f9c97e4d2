// A log line while it is being repaired (lines.ts, interleaved.ts).
import type { LineRepair, LogLine } from "../../kernel/readings/log_line.ts";

/** A LogLine that can still change. */
export type Draft = { -readonly [K in keyof Omit<LogLine, "repairs">]: LogLine[K] } & { repairs: LineRepair[] };
