// A simulated kernel's log and files as text, in the forms of their release: what `dmesg` and `cat` would print.
import { printAllocFailure } from "../artifact/log/incidents/alloc_failure_print.ts";
import { printBadPage } from "../artifact/log/incidents/bad_page.ts";
import { printTrace } from "../artifact/log/incidents/call_trace.ts";
import { completeMemInfo } from "../artifact/log/incidents/complete_mem_info.ts";
import { printProcess } from "../artifact/log/incidents/process_line.ts";
import { printSkbPanicLine } from "../artifact/log/incidents/skb_panic.ts";
import { textReaders } from "../artifact/readers.ts";
import type { AllocFailure } from "../kernel/readings/alloc_failure.ts";
import type { Oops } from "../kernel/readings/oops.ts";
import type { ProcReading } from "../kernel/readings/proc.ts";
import { compareVersions, parseRelease } from "../kernel/release.ts";
import type { Logged } from "../observe/kernel_log.ts";

/** A failure report in the words of its release. */
export function reportLines(report: AllocFailure, version: readonly number[]): string[] {
  const memInfo = report.memInfo === undefined ? undefined : completeMemInfo(report.memInfo, version);
  return printAllocFailure({ ...report, ...(memInfo === undefined ? {} : { memInfo }) }, version);
}

/** The whole log, each line with its time as CONFIG_PRINTK_TIME prints it. */
export function logText(log: readonly Logged[], release: string): string {
  const { version } = parseRelease(release);
  return log
    .flatMap((entry) => {
      const micros = Math.floor(entry.nanos / 1000);
      const time = `[${String(Math.floor(micros / 1e6)).padStart(5)}.${String(micros % 1e6).padStart(6, "0")}]`;
      return linesOf(entry, version).map((line) => `${time} ${line}\n`);
    })
    .join("");
}

function linesOf(entry: Logged, version: readonly number[]): string[] {
  switch (entry.kind) {
    case "alloc_failure":
      return reportLines(entry.reading, version);
    case "bad_page":
      return printBadPage(entry.reading, version);
    case "skb_panic": {
      const line = printSkbPanicLine(entry.reading);
      // printk has put the file's name in front since 3.5 (pr_fmt in net/core/skbuff.c; first release from history).
      const own = compareVersions(version, [3, 5]) < 0 ? line.replace(/^skbuff: /, "") : line;
      return [own, ...(entry.reading.oops === undefined ? [] : faultLines(entry.reading.oops, version))];
    }
    case "oops":
      return faultLines(entry.reading, version);
    case "line":
      return [entry.text];
  }
}

/** A BUG or a WARNING from the line above it to the one that ends it. */
function faultLines(oops: Oops, version: readonly number[]): string[] {
  return [
    "------------[ cut here ]------------",
    oops.headline,
    ...(oops.oops === undefined ? [] : [oops.oops]),
    ...(oops.process === undefined ? [] : printProcess(oops.process, version)),
    ...(oops.registers?.text ?? []),
    ...(oops.trace === undefined ? [] : printTrace(oops.trace)),
    ...[oops.endTrace, oops.panic].filter((line) => line !== undefined),
  ];
}

/** A file of /proc as the kernel prints it. */
export function fileText(reading: ProcReading | string): string {
  if (typeof reading === "string") return reading;
  const printer = textReaders.find((r) => r.kind === reading.kind);
  return printer?.print(reading) ?? "";
}
