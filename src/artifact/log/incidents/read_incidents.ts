// Reads every incident out of repaired log lines: finds the headlines, lets each kind's reader take its report, ties rate-limit lines to the
// reports that follow them. Linear in the number of lines: a line is offered to one report, and reports end at the next headline.
import { ourFault } from "../../../base/assert.ts";
import type { Incident, IncidentKind, IncidentsRead } from "../../../kernel/readings/incident.ts";
import type { LogLine, LogNote } from "../../../kernel/readings/log_line.ts";
import { readAllocFailure, readHeadlessFailure } from "./alloc_failure_read.ts";
import { readBadPage } from "./bad_page.ts";
import { BodyReader } from "./body.ts";
import type { Stretch } from "./builder.ts";
import { ReportBuilder, textOf } from "./builder.ts";
import type { Headless } from "./headless.ts";
import { framesAbove, headlessAt } from "./headless.ts";
import { headlineKind } from "./headline.ts";
import { opensMemInfo } from "./mem_info_read.ts";
import { readDriverLine, readStall, readSuppressedLine } from "./one_liners.ts";
import { readOom } from "./oom_read.ts";
import { checkAhead, isCheckMessage, readOops } from "./oops.ts";
import { readSkbPanic } from "./skb_panic.ts";
import { readSlabCorruption } from "./slab_corruption.ts";
import { SlabFailureBuilder } from "./slab_failure.ts";
import { withoutTorn } from "./torn.ts";

type Read = { readonly incident: Incident; readonly next: number };

/** Reads all incidents of the lines, in the order of their first line. */
export function readIncidents(all: readonly LogLine[]): IncidentsRead {
  const lines = withoutTorn(all);
  const notes: LogNote[] = [];
  const stretch: Stretch = { lines, taken: new Uint8Array(lines.length), notes };
  const incidents: Incident[] = [];
  for (let index = 0; index < lines.length; index++) {
    if (stretch.taken[index] === 1) continue;
    const line = lines[index];
    if (line === undefined) continue;
    try {
      const read = readAt(stretch, index, textOf(line));
      if (read !== undefined) incidents.push(read.incident);
    } catch (error) {
      // One report that breaks a reader costs that report alone.
      stretch.taken[index] = 1;
      notes.push({ line: line.line, sentence: ourFault("The report that begins here could not be read", error) });
    }
  }
  notes.sort((a, b) => a.line - b.line);
  return { incidents: tieSuppressed(incidents), notes };
}

/** Scripts that decode a stack repeat the headline for each function that was inlined; the last one is the kernel's own line. */
const inlinedHead = /^BUG: (?:KASAN|KFENCE|KMSAN): .{1,300}\[inline\]\s*$/;

function readAt(stretch: Stretch, index: number, text: string): Read | undefined {
  if (inlinedHead.test(text) && /^BUG: K(?:ASAN|FENCE|MSAN): /.test(stretch.lines[index + 1]?.text ?? ""))
    return undefined;
  const kind = headlineKind(text);
  // The words of a WARN() or BUG() may stand before its headline.
  if (kind === "driver_line" || isCheckMessage(text) || text.includes("[ cut here ]")) {
    const check = checkAhead(stretch, index);
    if (check !== undefined) return readOops(stretch, check.headline, check.message);
  }
  if (kind !== undefined) return readKind(kind, stretch, index);
  const headless = headlessAt(stretch, index, text);
  if (headless !== undefined) return readHeadless(headless, stretch, index);
  if (!opensMemInfo(text)) return undefined;
  const above = framesAbove(stretch, index);
  return above === undefined ? readLooseMemInfo(stretch, index) : readHeadless(above, stretch, index);
}

/** `found` stands in for the first line where a rule quotes one. */
function readHeadless(report: Headless, stretch: Stretch, found: number): Read | undefined {
  switch (report.kind) {
    case "alloc_failure":
      return readHeadlessFailure(stretch, report.start, found);
    case "bad_page":
      return readBadPage(stretch, report.start, found);
    case "oom":
      return readOom(stretch, report.start, found);
    case "slab_corruption":
      return readSlabCorruption(stretch, report.start, found);
  }
}

function readKind(kind: IncidentKind, stretch: Stretch, index: number): Read | undefined {
  switch (kind) {
    case "alloc_failure":
      return readAllocFailure(stretch, index);
    case "slab_failure":
      return readSlabFailure(stretch, index);
    case "oom":
      return readOom(stretch, index);
    case "bad_page":
      return readBadPage(stretch, index);
    case "skb_panic":
      return readSkbPanic(stretch, index);
    case "slab_corruption":
      return readSlabCorruption(stretch, index);
    case "oops":
      return readOops(stretch, index);
    case "page_pool_stall":
      return readStall(stretch, index);
    case "suppressed":
      return readSuppressedLine(stretch, index);
    case "driver_line":
      return readDriverLine(stretch, index);
    case "mem_info":
      return readLooseMemInfo(stretch, index);
  }
}

/** SLUB's lines that no page-allocator report precedes: that report was rate-limited, forbidden by __GFP_NOWARN, or is missing. */
function readSlabFailure(stretch: Stretch, index: number): Read | undefined {
  const builder = new SlabFailureBuilder();
  const report = new ReportBuilder(stretch);
  let gap = 0;
  for (let i = index; i < stretch.lines.length && gap < 4; i++) {
    const line = stretch.lines[i];
    if (line === undefined || stretch.taken[i] === 1) continue;
    const text = textOf(line);
    if (i > index && headlineKind(text) !== undefined) break;
    if (builder.take(text)) {
      report.take(i, i === index ? "headline" : "slab");
      gap = 0;
    } else gap++;
  }
  const reading = builder.finish();
  if (reading === undefined) return undefined;
  if (reading.cache === undefined) report.missing.push("cache");
  return { incident: report.finish("slab_failure", reading), next: index + 1 };
}

/** A Mem-Info body without a headline: SysRq-m, or a report that lost its head. */
function readLooseMemInfo(stretch: Stretch, index: number): Read | undefined {
  const report = new ReportBuilder(stretch);
  const body = new BodyReader(stretch, report, () => "left").read(index);
  if (body.memInfo === undefined) return undefined;
  // drivers/tty/sysrq.c announces what was asked for directly above.
  const sysrq = stretch.lines
    .slice(Math.max(0, index - 4), index)
    .some((l) => /sysrq ?: ?show memory/i.test(textOf(l)));
  if (!sysrq) report.missing.push("headline");
  return {
    incident: report.finish("mem_info", { memInfo: body.memInfo, ...(sysrq ? { sysrq } : {}) }),
    next: index + 1,
  };
}

/** The kernel's name for the rate limit of a kind of report: the function that asked printk_ratelimit() or a limit of its own. */
const limiters: readonly (readonly [what: RegExp, kind: IncidentKind])[] = [
  // __alloc_pages_slowpath: 2.6.33 to 2.6.39, where printk_ratelimit() named the function that prints.
  [/^warn_alloc(?:_failed)?$|^nopage|^__alloc_pages_slowpath/, "alloc_failure"],
  [/^slab_out_of_memory$/, "slab_failure"],
  [/^Bad page state$/, "bad_page"],
  [/^oom_kill_process$|^dump_header$/, "oom"],
];
/** Limits that all messages share: their number belongs to the message that opens the next window, if a report follows at once. */
const shared = /^(?:__ratelimit|printk)$/;
const limited: readonly IncidentKind[] = ["alloc_failure", "slab_failure", "bad_page", "oom"];

function tieSuppressed(incidents: readonly Incident[]): Incident[] {
  const tied = [...incidents];
  const waiting = new Map<IncidentKind, { count: number; at: number[] }>();
  incidents.forEach((incident, i) => {
    if (incident.kind === "suppressed") {
      const { what, count } = incident.reading;
      const next = incidents[i + 1];
      const follows = next !== undefined && limited.includes(next.kind) && next.firstLine - incident.lastLine <= 2;
      const kind =
        limiters.find(([form]) => form.test(what))?.[1] ?? (shared.test(what) && follows ? next.kind : undefined);
      if (kind === undefined) return;
      const known = waiting.get(kind) ?? { count: 0, at: [] };
      waiting.set(kind, { count: known.count + count, at: [...known.at, i] });
      return;
    }
    const found = waiting.get(incident.kind);
    if (found === undefined) return;
    waiting.delete(incident.kind);
    tied[i] = { ...incident, suppressedBefore: found.count };
    for (const at of found.at) {
      const line = tied[at];
      if (line?.kind === "suppressed") tied[at] = { ...line, reading: { ...line.reading, addedTo: incident.kind } };
    }
  });
  return tied;
}
