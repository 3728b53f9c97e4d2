// Incidents of one line: a page_pool that cannot shut down, lines that count what was not printed, and drivers' complaints.
import { messageOf } from "../../../kernel/facts/messages.ts";
import type { Incident, ReferenceHolder } from "../../../kernel/readings/incident.ts";
import type { PagePoolStall } from "../../../kernel/readings/page_pool_stall.ts";
import type { Stretch } from "./builder.ts";
import { decimal, field, ReportBuilder, textOf } from "./builder.ts";
import { readTraceLine, TraceBuilder } from "./call_trace.ts";

const stall =
  /(page_pool_release_retry)\(\):? (?:(\S{1,32}) )?stalled pool shutdown:? (?:id (\d+), )?(-?\d+) inflight(?: (\d+) sec)?/;

/** `page_pool_release_retry() stalled pool shutdown 7 inflight 60 sec`, from 6.6 with `id 12,`. */
function readStallLine(text: string): PagePoolStall | undefined {
  const m = stall.exec(text);
  if (m?.[1] === undefined) return undefined;
  return {
    function: m[1],
    inflight: Number(m[4]),
    ...field("seconds", decimal(m[5])),
    ...field("poolId", decimal(m[3])),
    ...field("device", m[2]),
  };
}

/** The line as a release prints it (net/core/page_pool.c). */
export function printStallLine(s: PagePoolStall): string {
  return `${s.function}() stalled pool shutdown${s.poolId === undefined ? "" : `: id ${s.poolId},`} ${s.inflight} inflight${s.seconds === undefined ? "" : ` ${s.seconds} sec`}`;
}

export function readStall(
  stretch: Stretch,
  index: number,
): { readonly incident: Incident; readonly next: number } | undefined {
  const line = stretch.lines[index];
  const reading = line === undefined ? undefined : readStallLine(textOf(line));
  if (reading === undefined) return undefined;
  const report = new ReportBuilder(stretch);
  report.take(index, "headline");
  return { incident: report.finish("page_pool_stall", reading), next: index + 1 };
}

const suppressedForms: readonly RegExp[] = [
  /(?:BUG: )?(Bad page state): (\d{1,12}) messages suppressed/,
  /([\w.]{1,64}): (\d{1,12}) callbacks suppressed/,
  /(__ratelimit): (\d{1,12}) (?:messages|callbacks) suppressed/,
  /(printk|net_ratelimit)(?:\(\))?: (\d{1,12}) (?:messages|callbacks) suppressed/,
  /(?:^|: )()(\d{1,12}) messages suppressed/,
];

/** What was suppressed and how often, or undefined. */
function readSuppressed(text: string): { readonly what: string; readonly count: number } | undefined {
  for (const form of suppressedForms) {
    const m = form.exec(text);
    if (m?.[2] !== undefined) return { what: m[1] === "" || m[1] === undefined ? "printk" : m[1], count: Number(m[2]) };
  }
  return undefined;
}

export function readSuppressedLine(
  stretch: Stretch,
  index: number,
): { readonly incident: Incident; readonly next: number } | undefined {
  const line = stretch.lines[index];
  const reading = line === undefined ? undefined : readSuppressed(textOf(line));
  if (reading === undefined) return undefined;
  const report = new ReportBuilder(stretch);
  report.take(index, "headline");
  return { incident: report.finish("suppressed", reading), next: index + 1 };
}

/** A message of one line: which, the device or module before the first colon or blank, and the size where it is named. */
export function readDriverLine(
  stretch: Stretch,
  index: number,
): { readonly incident: Incident; readonly next: number } | undefined {
  const line = stretch.lines[index];
  const text = line === undefined ? "" : textOf(line).trim();
  const message = messageOf(text)?.id;
  if (message === undefined) return undefined;
  if (message === "swiotlb full" && repeatsAbove(stretch, index, text)) {
    stretch.taken[index] = 1;
    return undefined;
  }
  const report = new ReportBuilder(stretch);
  report.take(index, "headline");
  if (message === "unreferenced object") return readUnreferenced(stretch, report, index, text);
  const holders = message === "netdevice waiting" ? readHolders(stretch, report, index + 1) : [];
  const source = /^([\w.-]{1,32}(?: [\w:.-]{4,16})?)(?: \w[\w-]*)?: /.exec(text)?.[1];
  const bytes = decimal(/(?:of size|size) (\d{1,9})/.exec(text)?.[1]);
  return {
    incident: report.finish("driver_line", {
      message,
      ...field("source", source),
      ...field("bytes", bytes),
      text,
      ...field("holders", holders.length === 0 ? undefined : holders),
    }),
    next: index + 1,
  };
}

/** The caller says again what swiotlb_tbl_map_single() said of the same bytes (lib/swiotlb.c swiotlb_full(), up to 4.20). */
function repeatsAbove(stretch: Stretch, index: number, text: string): boolean {
  const bytes = /Out of SW-IOMMU space for (\d{1,12}) bytes/.exec(text)?.[1];
  return (
    bytes !== undefined &&
    stretch.lines[index - 1]?.text.includes(`swiotlb buffer is full (sz: ${bytes} bytes)`) === true
  );
}

/** Ten stacks of sixteen frames at most (net/core/dev.c and lib/ref_tracker.c of 6.1.192 and 6.12.117). */
const mostTracked = 200;

/** `ref_tracker: eth0@ffff… has 1/2 users at`, or `ref_tracker: leaked reference.` as 6.1 has it, each with its stack. */
function readHolders(stretch: Stretch, report: ReportBuilder, from: number): ReferenceHolder[] {
  const holders: { references?: number; functions: string[] }[] = [];
  for (let i = from; i < Math.min(from + mostTracked, stretch.lines.length); i++) {
    const line = stretch.lines[i];
    if (line === undefined || stretch.taken[i] === 1) break;
    const text = textOf(line);
    const head = /^ref_tracker: (?:\S{1,64}@\S{1,40} has (\d{1,9})\/\d{1,9} users at|leaked reference\.)/.exec(text);
    const frame = head === null ? readTraceLine(text) : undefined;
    if (head !== null) holders.push({ ...field("references", decimal(head[1])), functions: [] });
    else if (frame?.kind === "items" && holders.length > 0)
      holders.at(-1)?.functions.push(...frame.items.flatMap((f) => (f.kind === "frame" ? [f.function] : [])));
    else if (text.trim() !== "" && !text.startsWith("ref_tracker: ")) break;
    report.take(i, "trace");
  }
  return holders;
}

/** Lines of one record of kmemleak at most: a stack has up to 16 frames, the dump two lines. */
const mostLines = 40;

/** One record of kmemleak: the object, and the stack that allocated it. */
function readUnreferenced(
  stretch: Stretch,
  report: ReportBuilder,
  index: number,
  text: string,
): { readonly incident: Incident; readonly next: number } {
  const trace = new TraceBuilder();
  for (let i = index + 1; i < Math.min(index + mostLines, stretch.lines.length); i++) {
    const line = stretch.lines[i];
    if (line === undefined || stretch.taken[i] === 1) break;
    const own = textOf(line);
    const frame = readTraceLine(own);
    if (frame?.kind === "items") {
      frame.items.forEach((item, k) => {
        if (item.kind === "frame") report.alsoCarries(i, `frame:${trace.frames + k}`);
      });
      trace.add(frame.items, frame.form);
      report.take(i, "trace");
    } else if (/^\s{0,8}backtrace(?: \(crc [0-9a-f]{1,8}\))?:/.test(own)) {
      trace.setHeading(own.trim());
      report.take(i, "trace");
    } else if (/^\s{0,8}(?:comm "|hex dump|(?:[0-9a-f]{2} ){4,})/.test(own)) report.take(i);
    else break;
  }
  const bytes = decimal(/\(size (\d{1,12})\)/.exec(text)?.[1]);
  const reading = {
    message: "unreferenced object",
    ...field("bytes", bytes),
    text,
    ...field("trace", trace.finish()),
  } as const;
  return { incident: report.finish("driver_line", reading), next: index + 1 };
}
