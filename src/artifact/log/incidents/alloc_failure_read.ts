// Reads a failed allocation: 2.4's line, `COMM: page allocation failure …` of every later era, stalls and the vmalloc variants.
import { gfpNamesSince, isCommonMask, mayBeMask } from "../../../kernel/facts/gfp.ts";
import { datedSymbols } from "../../../kernel/facts/report_formats.ts";
import type { AllocFailure } from "../../../kernel/readings/alloc_failure.ts";
import { framesOf } from "../../../kernel/readings/call_trace.ts";
import type { GfpText } from "../../../kernel/readings/gfp_text.ts";
import type { Incident } from "../../../kernel/readings/incident.ts";
import type { LogLine } from "../../../kernel/readings/log_line.ts";
import type { SlabFailure } from "../../../kernel/readings/slab_failure.ts";
import { compareVersions } from "../../../kernel/release.ts";
import type { Body, OwnAnswer } from "./body.ts";
import { BodyReader } from "./body.ts";
import type { Stretch } from "./builder.ts";
import { decimal, field, ReportBuilder, textOf } from "./builder.ts";
import { SlabFailureBuilder } from "./slab_failure.ts";
import type { LineEnd } from "./torn.ts";
import { endOf } from "./torn.ts";

const oldLine = /^(.*?)__alloc_pages: (\d+)-order allocation failed(?: \((?:gfp=0x([0-9a-f]{1,8})\/([0-9a-f-]+))?)?/;
const modeAndMore =
  /mode:\s*0x([0-9a-f]{1,8})(?:\((?:([^)]*)\)|[^)]*$))?(?:, ?nodemask=(\([^)]*\)|\d[\d-]*(?:,\d[\d-]*)*))?(?:, ?cpuset=([^,]+)(?=,))?(?:, ?mems_allowed=([\d,-]+))?/;
const cpusetLine = /^(.{0,80}?) ?cpuset=(\S+) mems_allowed=([\d,-]+)\s*$/;

/** `0x40a20(GFP_ATOMIC|__GFP_COMP)` after `mode:` or `gfp=`. */
export function gfpText(digits: string | undefined, names: string | undefined): GfpText | undefined {
  // A word that no kernel has for a flag: the list was torn and joined again.
  const whole =
    names?.split("|").every((n) => /^(?:(?:__)?GFP_[A-Z0-9_]{2,40}|0x[0-9a-f]{1,8}|none|)$/.test(n)) === true;
  return digits === undefined
    ? undefined
    : { mask: Number.parseInt(digits, 16), ...field("names", whole ? names : undefined) };
}

/** The mask and what stands behind it, as far as the end of the line can be trusted; `index` is where it begins. */
function modeOf(
  text: string,
  end: LineEnd,
): (Pick<AllocFailure, "gfp" | "nodemask" | "cpuset" | "memsAllowed"> & { readonly index: number }) | undefined {
  const mode = modeAndMore.exec(text);
  if (mode === null) return undefined;
  const [printed, digits, names, nodemask, cpuset, memsAllowed] = mode;
  const torn = end !== "sure" && mode.index + printed.length >= text.trimEnd().length;
  const bare = !printed.includes("(");
  // A word behind bare digits was joined to what had lost its end.
  if (bare && /^\s*\w/.test(text.slice(mode.index + printed.length))) return undefined;
  if (torn && bare && (end === "cut" || !mayBeMask(Number.parseInt(digits ?? "", 16)))) return undefined;
  return {
    index: mode.index,
    ...field("gfp", gfpText(digits, names)),
    // Of what stands behind the mask the last one may lack its end.
    ...(torn && end === "cut"
      ? {}
      : { ...field("nodemask", nodemask), ...field("cpuset", cpuset), ...field("memsAllowed", memsAllowed) }),
  };
}

/** The fields of a first line, or undefined when it is none. */
function readFailureLine(text: string, end: LineEnd): AllocFailure | undefined {
  const old = oldLine.exec(text);
  if (old !== null) {
    return {
      variant: "2.4",
      order: Number(old[2]),
      ...field("gfp", gfpText(old[3], undefined)),
      ...field("memalloc", old[4] === undefined ? undefined : Number.parseInt(old[4], 16)),
    };
  }
  const page = /page allocation failure([.:])? ?(?:order:(\d{1,2})(?=\D))?/.exec(text);
  const stall = page === null ? /page allocation stalls for (\d{1,9})ms, order:(\d{1,2})(?=\D)/.exec(text) : null;
  const vm =
    page === null && stall === null
      ? /(?:vmalloc: allocation failure|vmalloc error: size|vmap allocation for size)/.exec(text)
      : null;
  const found = page ?? stall ?? vm;
  if (found === null) return undefined;
  const before = text.slice(0, found.index).replace(/: ?$/, "");
  const mode = modeOf(text.slice(found.index), end);
  const { index, ...rest } = mode ?? { index: undefined };
  const middle = text.slice(found.index, index === undefined ? undefined : found.index + index).replace(/, *$/, "");
  return {
    variant: page !== null ? "page" : stall !== null ? "stall" : "vmalloc",
    ...field("comm", before === "" ? undefined : before),
    ...field("reason", vm === null ? undefined : middle.trimEnd()),
    ...field("separator", page?.[1] as "." | ":" | undefined),
    ...field("order", decimal(page?.[2] ?? stall?.[2] ?? /page order (\d{1,2})/.exec(vm === null ? "" : text)?.[1])),
    ...field("bytes", vm === null ? undefined : vmallocBytes(text)),
    ...field("stalledMs", decimal(stall?.[1])),
    ...rest,
  };
}

const vmallocBytes = (text: string): number | undefined =>
  decimal(/(?:failure: |error: size |for size |allocated \d+ of )(\d{1,15})(?=[ ,])/.exec(text)?.[1]);

/** Reads the report that begins at `index`. */
export function readAllocFailure(
  stretch: Stretch,
  index: number,
): { readonly incident: Incident; readonly next: number } {
  const report = new ReportBuilder(stretch);
  const line = stretch.lines[index];
  let head = line === undefined ? undefined : readFailureLine(textOf(line), endOf(stretch.lines, line));
  report.take(index, "headline");
  let next = index + 1;
  if (head?.variant === "vmalloc" && head.gfp === undefined) {
    // Up to 4.8 the caller's words stand alone, and the page allocator's line follows.
    const follower = followingLine(stretch, next);
    const second =
      follower === undefined ? undefined : readFailureLine(follower.text, endOf(stretch.lines, follower.line));
    if (follower !== undefined && second?.variant === "page") {
      report.take(follower.index, "headline");
      next = follower.index + 1;
      head = {
        ...second,
        variant: "vmalloc",
        ...field("reason", head.reason),
        ...field("bytes", head.bytes),
        reasonOnOwnLine: true,
      };
    }
  }
  if (head?.variant === "page") {
    const follower = followingLine(stretch, next);
    const words =
      follower === undefined ? undefined : readFailureLine(follower.text, endOf(stretch.lines, follower.line));
    // A whole report stands between the lines of two requests: directly behind, they are of one.
    if (follower !== undefined && words?.variant === "vmalloc" && words.gfp === undefined) {
      report.take(follower.index, "headline");
      next = follower.index + 1;
      head = {
        ...head,
        variant: "vmalloc",
        ...field("reason", words.reason),
        ...field("bytes", words.bytes),
        reasonOnOwnLine: true,
      };
    }
  }
  if (head?.variant === "2.4") {
    const addresses = bareTrace(stretch, report, next);
    const reading = addresses === 0 ? head : { ...head, addresses };
    return { incident: report.finish("alloc_failure", reading), next };
  }
  return readRest(stretch, report, head ?? { variant: "page" }, next);
}

/** The call trace of 2.4: stack words and addresses in brackets, without a name (arch/i386/kernel/traps.c show_trace()). The number of addresses. */
function bareTrace(stretch: Stretch, report: ReportBuilder, from: number): number {
  let addresses = 0;
  let heading = false;
  for (let i = from; i < Math.min(from + 16, stretch.lines.length); i++) {
    const line = stretch.lines[i];
    if (line === undefined || stretch.taken[i] === 1) break;
    const text = textOf(line);
    const found = text.match(/\[<[0-9a-f]{8,16}>\]/g)?.length ?? 0;
    heading ||= /^Call Trace:/.test(text);
    const own = heading ? found > 0 : /^\s{0,8}(?:[0-9a-f]{4,8} ){3,11}[0-9a-f]{4,8}\s*$/.test(text);
    if (!own) break;
    addresses += found;
    report.take(i, found > 0 ? "trace" : "stack_words");
  }
  return addresses;
}

/** Reads a report without its first line: order and mask are not in the text. `found` is the line that told it. */
export function readHeadlessFailure(
  stretch: Stretch,
  start: number,
  found: number,
): { readonly incident: Incident; readonly next: number } {
  const report = new ReportBuilder(stretch);
  report.missing.push("headline");
  return readRest(stretch, report, { variant: "not said" }, start, found);
}

function followingLine(
  stretch: Stretch,
  from: number,
): { readonly line: LogLine; readonly text: string; readonly index: number } | undefined {
  for (let i = from; i < Math.min(from + 3, stretch.lines.length); i++) {
    const line = stretch.lines[i];
    if (line !== undefined && line.text.trim() !== "") return { line, text: textOf(line), index: i };
  }
  return undefined;
}

function readRest(
  stretch: Stretch,
  report: ReportBuilder,
  head: AllocFailure,
  from: number,
  found?: number,
): { readonly incident: Incident; readonly next: number } {
  const open = endsOpen(stretch, stretch.lines[from - 1]);
  const named = open && namesIn(stretch);
  let cpuset: { readonly cpuset: string; readonly memsAllowed: string; readonly cpusetOnOwnLine: true } | undefined;
  const slab = new SlabFailureBuilder();
  const own = (text: string, index: number): OwnAnswer => {
    const m = text.includes("cpuset=") ? cpusetLine.exec(text) : null;
    if (m?.[2] !== undefined && m[3] !== undefined && cpuset === undefined) {
      cpuset = { cpuset: m[2], memsAllowed: m[3], cpusetOnOwnLine: true };
      report.take(index, "cpuset");
      return "taken";
    }
    if (slabOfAnother(text, head)) return "another's";
    if (!slab.take(text)) return "left";
    report.take(index, "slab");
    return "taken";
  };
  const body = new BodyReader(stretch, report, own).read(from);
  const companion: SlabFailure | undefined = slab.finish();
  const { gfp, ...unmasked } = head;
  const lost =
    gfp !== undefined && (named || lacksNames(gfp, body) || (open && !isOld(head, body) && !isCommonMask(gfp.mask)));
  const reading: AllocFailure = {
    ...(lost ? unmasked : head),
    ...cpuset,
    ...field("process", body.process),
    ...field("trace", body.trace),
    ...field("memInfo", body.memInfo),
    ...field("slab", companion),
  };
  if (found !== undefined) report.alsoCarries(found, "headline");
  const digits = /mode:\s{0,2}0x[0-9a-f]/.test(stretch.lines[from - 1]?.text ?? "");
  report.missing.push(...missingOf(reading).map((part) => (part === "gfp mask" && digits ? "mask end" : part)));
  return { incident: report.finish("alloc_failure", reading), next: from };
}

/**
 * SLUB's own message inside the report of a page failure that it cannot belong to: an interrupt printed it. new_slab() hands the caller's
 * __GFP_HIGH on unchanged (0x20 in every layout), so a mask with it and one without are two requests. Nothing ties it to a report whose mask is lost.
 */
function slabOfAnother(text: string, head: AllocFailure): boolean {
  const mask = /SL[AU]B: Unable to allocate memory on .{0,60}gfp=0x([0-9a-f]{1,8})/.exec(text)?.[1];
  if (mask === undefined) return false;
  if (head.gfp === undefined) return true;
  return ((Number.parseInt(mask, 16) ^ head.gfp.mask) & 0x20) !== 0;
}

/** Where names would stand behind the mask and do not, its last digits may be lost as well. */
function lacksNames(gfp: GfpText, { process, trace }: Body): boolean {
  if (gfp.names !== undefined) return false;
  const stated = /^(\d{1,3})\.(\d{1,3})/.exec(process?.release ?? "");
  if (stated !== null) return compareVersions([Number(stated[1]), Number(stated[2])], gfpNamesSince) >= 0;
  const names = new Set(trace === undefined ? [] : framesOf(trace).map((f) => f.function.replace(/\..*/, "")));
  return datedSymbols.some((s) => names.has(s.name) && compareVersions(s.since ?? [2, 4], gfpNamesSince) >= 0);
}

/** Whether the report shows a release that prints no names behind a mask: a full stop before "order" up to 2.6.39, "Pid:" up to 3.9. */
function isOld(head: AllocFailure, { process: ran }: Body): boolean {
  const stated = /^(\d{1,3})\.(\d{1,3})/.exec(ran?.release ?? "");
  if (stated !== null) return compareVersions([Number(stated[1]), Number(stated[2])], gfpNamesSince) < 0;
  return head.separator === "." || (ran?.pid !== undefined && ran.cpu === undefined);
}

/** A bare mask ends the longest line of the text: whatever cut that line at a column may have taken its names and digits. */
function endsOpen(stretch: Stretch, line: LogLine | undefined): boolean {
  return (
    line !== undefined &&
    endOf(stretch.lines, line) === "open" &&
    /mode:\s?0x[0-9a-f]{1,8}$/.test(textOf(line).trimEnd())
  );
}

/** A stretch may hold thousands of reports: it is searched once. */
const printsNames = new WeakMap<readonly LogLine[], boolean>();

/** A mask with names stands in the stretch: that kernel prints them. */
function namesIn({ lines }: Stretch): boolean {
  const known = printsNames.get(lines) ?? lines.some((l) => /(?:mode:|gfp_mask=)0x[0-9a-f]{1,8}\(/.test(textOf(l)));
  printsNames.set(lines, known);
  return known;
}

/** What a report of this kind has and this one lacks. `Mem-Info` may be missing by rate limit or option, not only by damage. */
function missingOf(reading: AllocFailure): string[] {
  const missing: string[] = [];
  if (reading.gfp === undefined) missing.push("gfp mask");
  if (reading.comm === undefined) missing.push("comm");
  if (reading.process === undefined) missing.push("process");
  if (reading.trace === undefined) missing.push("trace");
  const { memInfo } = reading;
  if (memInfo === undefined) missing.push("mem_info");
  for (const zone of memInfo?.zones ?? []) {
    const name = `${zone.node}:${zone.name}`;
    if (zone.kb.free === undefined) missing.push(`zone:${name}`);
    if (zone.lowmemReserve === undefined) missing.push(`lowmem_reserve:${name}`);
    if (zone.freeLists?.totalKb === undefined) missing.push(`free_lists:${name}`);
  }
  return missing;
}
