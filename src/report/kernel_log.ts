// A simulated kernel's log and files as text, in the forms of their release: what `dmesg` and `cat` would print.
import { printAllocFailure } from "../artifact/log/incidents/alloc_failure_print.ts";
import { printBadPage } from "../artifact/log/incidents/bad_page.ts";
import { completeMemInfo } from "../artifact/log/incidents/complete_mem_info.ts";
import { printSkbPanicLine } from "../artifact/log/incidents/skb_panic.ts";
import { textReaders } from "../artifact/readers.ts";
import type { AllocFailure } from "../kernel/readings/alloc_failure.ts";
import type { ProcReading } from "../kernel/readings/proc.ts";
import { parseRelease } from "../kernel/release.ts";
import type { Logged } from "../scenario/kernel_log.ts";

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
    case "skb_panic":
      return [printSkbPanicLine(entry.reading)];
    case "line":
      return [entry.text];
  }
}

/** A file of /proc as the kernel prints it. */
export function fileText(reading: ProcReading): string {
  const printer = textReaders.find((r) => r.kind === reading.kind);
  return printer?.print(reading) ?? "";
}
