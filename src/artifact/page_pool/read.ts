// Reads one text for everything it says about page pools: counters, netlink answers, traces and warnings may stand in one file.
import { readConsole } from "./console.ts";
import { readEthtool } from "./ethtool.ts";
import { readNetlink } from "./netlink.ts";
import type { PoolReading } from "./shape.ts";
import { readTrace } from "./trace.ts";

/** The lines of a text; a byte order mark and carriage returns go. */
export function linesOf(text: string): string[] {
  const lines = text.replace(/^\ufeff/, "").split(/\r?\n/);
  if (lines.at(-1) === "") lines.pop();
  return lines;
}

/** Empty lists where the text says nothing; `notes` where it says something that cannot be read. */
export function readPools(input: string, text: string): PoolReading {
  const lines = linesOf(text);
  const notes: string[] = [];
  const netlink = /["'](alloc-fast|inflight|napi-id|detach-time)["']\s*:/.test(text)
    ? readNetlink(input, lines, notes)
    : { counters: [], states: [] };
  const { warnings, logEnd } = readConsole(input, lines);
  return {
    input,
    counters: [...readEthtool(input, lines, notes), ...netlink.counters],
    states: netlink.states,
    traces: readTrace(input, lines, notes),
    warnings,
    ...(logEnd === undefined ? {} : { logEnd }),
    notes,
    lines,
  };
}

/** True when nothing about page pools was found. */
export function isEmptyReading(reading: PoolReading): boolean {
  return reading.counters.length + reading.states.length + reading.traces.length + reading.warnings.length === 0;
}
