// `Bad page state` of every era: reads what the kernel found in the struct page, and prints it in the form of a given release.
import { badPageForms } from "../../../kernel/facts/report_formats.ts";
import type { BadPage, CompoundNote, PageOwnerNote } from "../../../kernel/readings/bad_page.ts";
import type { Frame } from "../../../kernel/readings/call_trace.ts";
import type { Incident } from "../../../kernel/readings/incident.ts";
import { factAt } from "../../../kernel/release.ts";
import type { OwnAnswer } from "./body.ts";
import { BodyReader } from "./body.ts";
import type { Stretch } from "./builder.ts";
import { decimal, field, ReportBuilder, textOf } from "./builder.ts";
import { printFrame, printTrace, readTraceLine } from "./call_trace.ts";
import { printProcess } from "./process_line.ts";
import { endOf } from "./torn.ts";

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

const headForms: readonly RegExp[] = [
  /Bad page state in process '(.{0,64})'(?:\s*$|, page)/,
  /Bad page state at \S{1,64} \(in process '(.{0,64})', page ([0-9a-f]{1,16})\)/,
  /Bad page state in process (.{0,64}?)(?: {2}| )pfn:\s{0,16}([0-9a-f]{1,16})/,
];
/** On the page's own line the flags have all their digits (%p, 0x%0*lx) and other fields follow. */
const pairs =
  /(?:^|\s)(?:(page):(\S*)|(flags(?=:(?:0x)?(?:[0-9a-f]{8}){1,2}\s)|count|refcount|mapcount|mapping|index|pfn):\s*(\(\w*\)|[^\s(]+)(?=(\s|$)))/g;
/** Words of 8 or 16 digits with one blank between: two words cannot share a digit. */
const rawLine = /^(raw|head): ((?:[0-9a-f]{8}){1,2}(?: (?:[0-9a-f]{8}){1,2}){0,15})$/;
/** Names in brackets stand behind the flags in every release (mm/debug.c, and mm/page_alloc.c before it): without them the number may be cut. */
const ofPage = /^\s{0,8}(?:page: ?|(?:page )?flags: 0x|raw: [0-9a-f]|page dumped because: |invalid mapping:)/;
const flagsLine = /^(?:(ksm|anon) )?(?:page )?flags: 0x([0-9a-f]{1,16})\((?:([^)]*)\))?/;

/** Reads the report that begins at `index`; without its first line, `found` is the line that told it. */
export function readBadPage(
  stretch: Stretch,
  index: number,
  found?: number,
): { readonly incident: Incident; readonly next: number } {
  const report = new ReportBuilder(stretch);
  const line = stretch.lines[index];
  const page = new BadPageBuilder(line === undefined || found !== undefined ? "" : textOf(line));
  if (found === undefined) report.take(index, "headline");
  else report.missing.push("headline");
  let traced = false;
  let begun = line?.seconds;
  const own = (text: string, at: number): OwnAnswer => {
    const seconds = stretch.lines[at]?.seconds;
    if (page.waits && /Bad page state in process/.test(text)) {
      // Two CPUs that print at once do so within moments; a page whose next line comes later was cut off there.
      if (seconds !== undefined && begun !== undefined && seconds - begun > atOnce) return "end";
    } else begun = seconds ?? begun;
    if (page.waits && /^\s*page:/.test(text) && dumpsAhead(stretch, at) < 2) page.doubted = true;
    if (page.doubted && ofDump.test(text)) {
      // Both pages wait for their flags, and only one has them: whose they are is not known.
      stretch.taken[at] = 1;
      return "another's";
    }
    if (page.doubted && !/^\s*(?:page:|BUG: Bad page)/.test(text)) return "end";
    // The stack comes last (mm/page_alloc.c bad_page(): 2.6.32, 3.0, 6.1, 6.12): what is said of a page behind it is said of another one.
    traced ||= readTraceLine(text)?.kind === "heading";
    if (page.isAnothers(text) || (traced && ofPage.test(text))) return "another's";
    const part = page.take(text);
    if (part === undefined) return "left";
    report.take(at, part);
    return "taken";
  };
  const body = new BodyReader(stretch, report, own).read(found === undefined ? index + 1 : index);
  if (found !== undefined) report.alsoCarries(found, "headline");
  const reading: BadPage = {
    ...page.finish(line !== undefined && endOf(stretch.lines, line) === "cut"),
    ...field("modules", body.modules),
    ...field("process", body.process),
    ...field("trace", body.trace),
    ...field("firstTaint", body.firstTaint ? true : undefined),
  };
  if (reading.flags === undefined) report.missing.push("flags");
  if (reading.pfn === undefined) report.missing.push("pfn");
  if (reading.trace === undefined) report.missing.push("trace");
  return { incident: report.finish("bad_page", reading), next: index + 1 };
}

/** Seconds within which two CPUs print into each other; a slow console makes a line wait for some tenths. */
const atOnce = 0.5;

const ofDump = /^\s{0,8}(?:(?:page )?flags: 0x|raw: [0-9a-f]|page dumped because: |bad because of )/;

/** Lines with flags from `index` to the stack or to another page's report but one. */
function dumpsAhead({ lines }: Stretch, index: number): number {
  let found = 0;
  for (const line of lines.slice(index, index + 24)) {
    const text = textOf(line);
    if (readTraceLine(text)?.kind === "heading" || /Bad page state in process/.test(text)) break;
    if (/^\s{0,8}(?:page )?flags: 0x/.test(text)) found++;
  }
  return found;
}

class BadPageBuilder {
  private readonly page: Mutable<BadPage> = { raw: [] };
  private readonly raw: string[] = [];
  private readonly ownerParts: Mutable<Partial<PageOwnerNote>> = {};
  private readonly allocatedBy: Frame[] = [];
  private readonly freedBy: Frame[] = [];
  private stack: Frame[] | undefined;
  private ownerSeen = false;
  private stackSeen = false;
  /** The page's own line gives the number of the first line again. */
  private numbered = false;
  pageSeen = false;
  /** What follows of a page's dump may be another one's. */
  doubted = false;

  /** The page's own line stood there, and its flags did not yet. */
  get waits(): boolean {
    return this.pageSeen && this.page.flags === undefined;
  }

  constructor(headline: string) {
    for (const form of headForms) {
      const m = form.exec(headline);
      if (m?.[1] === undefined) continue;
      this.page.comm = m[1].trim();
      if (form === headForms[1]) this.page.page = m[2] as string;
      if (form === headForms[2] && m[2] !== undefined) this.page.pfn = Number.parseInt(m[2], 16);
      return;
    }
  }

  /**
   * Two CPUs print at once: dump_page() prints page:, flags: and raw: in this order, so a second headline, page: or flags: line is the other
   * report's while this one still waits for what comes next, and the lines behind those are too.
   */
  isAnothers(text: string): boolean {
    // bad_page() prints the stack behind everything that dump_page() says, before it the modules (6.1, 6.12; 2.6.32 and 3.0 print no modules): an
    // owner behind those is another page's.
    this.stackSeen ||= /^(?:Modules linked in:|CPU: \d|Call [Tt]race:)/.test(text);
    if (this.stackSeen && /^page(?:_owner| last| allocated)/.test(text)) return true;
    if (/Bad page state in process/.test(text)) return this.waits;
    if (/^\s*page:/.test(text)) return this.pageSeen && this.page.reason === undefined;
    if (/^\s*(?:page )?flags: 0x/.test(text)) return this.page.flags !== undefined;
    return false;
  }

  take(text: string): string | undefined {
    return this.takeOwner(text) ?? this.takePage(text) ?? this.takeFlags(text) ?? this.takeReason(text);
  }

  private takePage(text: string): string | undefined {
    const trimmed = text.trim();
    if (!/^(?:page:|flags:0x[0-9a-f]+ mapping:|index:|mapping:|mapcount:|count:|refcount:)/.test(trimmed))
      return undefined;
    this.pageSeen = true;
    for (const m of trimmed.matchAll(pairs)) {
      const [name, value] = [m[1] ?? m[3] ?? "", m[2] ?? m[4] ?? ""];
      // What ends the line may have lost digits; up to 2.6.28 the count does end it.
      const ends = m[5] === "";
      const mayEnd = /^(?:page|index|pfn)$/.test(name) || (name === "count" && trimmed.includes("mapcount:"));
      if (!ends || mayEnd || /^(?:\(.*\)|(?:[0-9a-f]{8}){1,2})$/.test(value)) {
        const wide = this.page.page?.length === 16 && value.length === 8 && ends;
        if (!wide && (value.startsWith("(") ? value.endsWith(")") : true)) this.setPair(name, value);
      }
    }
    const compound = /(?:^|\s)compound_mapcount: (\d+)/.exec(trimmed);
    if (compound !== null) this.page.compound = { text: compound[0].trim() };
    return "page";
  }

  private setPair(name: string, value: string): void {
    const { page } = this;
    if (name === "page" && value !== "") page.page = value;
    else if (name === "flags") Object.assign(page, { flags: value.replace(/^0x/, ""), flagsOnPageLine: true });
    else if (name === "count" || name === "refcount") Object.assign(page, field("refcount", decimal(value)));
    else if (name === "mapcount") Object.assign(page, field("mapcount", decimal(value)));
    else if (name === "mapping") page.mapping = value;
    else if (name === "index") page.index = value;
    else if (name === "pfn") {
      const pfn = Number.parseInt(value.replace(/^0x/, ""), 16);
      this.numbered ||= page.pfn === pfn;
      page.pfn ??= pfn;
    }
  }

  private takeFlags(text: string): string | undefined {
    const m = flagsLine.exec(text);
    if (m?.[2] !== undefined) {
      this.page.flags = m[2];
      if (m[3] !== undefined) this.page.flagNames = m[3];
      return "flags";
    }
    const head = /^head:(\S*) order:(\d+) (.*)$/.exec(text);
    if (head?.[1] !== undefined) {
      this.page.compound = compoundOf(head[1], Number(head[2]), head[3] ?? "");
      return "compound";
    }
    const raw = rawLine.exec(text.trimEnd());
    if (raw?.[2] === undefined) return undefined;
    // Words of one record have one width: a shorter one at the line's end was cut.
    const words = raw[2].trim().split(" ");
    if (raw[1] === "raw") this.raw.push(...words.filter((w) => w.length === words[0]?.length));
    return raw[1] === "raw" ? "raw" : "head";
  }

  private takeReason(text: string): string | undefined {
    const { page } = this;
    const because = /^page dumped because: (.*)$/.exec(text)?.[1];
    if (because !== undefined) {
      page.reason = because.trimEnd();
      return "reason";
    }
    const bad = /^bad because of (?:flags|compound flags): ?(?:0x)?([0-9a-f]+)\((.*)\)/.exec(text);
    if (bad?.[1] !== undefined) {
      page.badFlags = { flags: bad[1], ...field("names", bad[2]) };
      return "reason";
    }
    const other = /^(invalid mapping|page_type|aops|memcg|page->mem_cgroup): ?(.*)$/.exec(text);
    if (other?.[1] === "invalid mapping") page.invalidMapping = other[2] ?? "";
    else if (other?.[1] === "page_type") page.pageType = other[2] ?? "";
    else if (other?.[1] === "aops") page.aops = other[2] ?? "";
    else if (other?.[1] === "page->mem_cgroup") page.memcg = (other[2] ?? "").trim();
    if (other !== null) return "page";
    if (!text.startsWith("Trying to fix it up")) return undefined;
    page.triesToFix = true;
    return "reason";
  }

  private takeOwner(text: string): string | undefined {
    const state = /^page_owner tracks the page as (freed|allocated)/.exec(text)?.[1];
    const absent = /^page_owner (?:info is not (?:present|active)|free stack trace missing|info is not).*$/.exec(
      text,
    )?.[0];
    const allocated = /^page (?:last )?allocated via (.*)$/.exec(text)?.[1];
    const freed = /^page last free (.*?)stack trace:/.exec(text);
    if (state !== undefined) this.ownerParts.state = state === "freed" ? "freed" : "allocated";
    else if (absent !== undefined) this.ownerParts.absent = absent;
    else if (allocated !== undefined) {
      this.ownerParts.allocated = allocated;
      this.stack = this.allocatedBy;
    } else if (freed !== null) {
      if (freed[1] !== undefined && freed[1] !== "") this.ownerParts.freed = freed[1].trim();
      this.stack = this.freedBy;
    } else return this.takeOwnerFrame(text);
    this.ownerSeen = true;
    return "owner";
  }

  private takeOwnerFrame(text: string): string | undefined {
    if (this.stack === undefined) return undefined;
    const line = readTraceLine(text);
    if (line?.kind !== "items") {
      this.stack = undefined;
      return undefined;
    }
    for (const item of line.items) if (item.kind === "frame") this.stack.push(item);
    return "owner";
  }

  /** `torn`: lines of several forms end where the first line does, and the page's number ends it. */
  finish(torn: boolean): BadPage {
    if (torn && !this.numbered) delete this.page.pfn;
    const owner: PageOwnerNote = { ...this.ownerParts, allocatedBy: this.allocatedBy, freedBy: this.freedBy };
    return { ...this.page, raw: this.raw, ...field("owner", this.ownerSeen ? owner : undefined) };
  }
}

/** Newer kernels print no pointer: `head: order:2 mapcount:1 …`. */
const compoundOf = (head: string, order: number, text: string): CompoundNote => ({
  ...field("head", head === "" ? undefined : head),
  order,
  text,
});

/** The report as lines (mm/page_alloc.c bad_page; mm/debug.c __dump_page). */
export function printBadPage(p: BadPage, version: readonly number[]): string[] {
  const form = factAt(badPageForms, version)?.value ?? "dump_page pfn";
  const tail = [
    ...(p.modules === undefined ? [] : [`Modules linked in: ${p.modules}`]),
    ...(p.process === undefined ? [] : printProcess(p.process, version)),
    ...(p.trace === undefined ? [] : printTrace(p.trace)),
    ...(p.firstTaint === true ? ["Disabling lock debugging due to kernel taint"] : []),
  ];
  const hexPfn = (p.pfn ?? 0).toString(16);
  const common = `mapcount:${p.mapcount ?? 0} mapping:${p.mapping ?? "(null)"}`;
  const head = `BUG: Bad page state in process ${p.comm ?? ""}  pfn:${hexPfn.padStart(5, "0")}`;
  switch (form) {
    case "count last":
      return [
        `Bad page state in process '${p.comm ?? ""}'`,
        `page:${p.page ?? ""} flags:0x${p.flags ?? "0"} mapping:${p.mapping ?? ""} mapcount:${p.mapcount ?? 0} count:${p.refcount ?? 0}`,
        "Trying to fix it up, but a reboot is needed",
        "Backtrace:",
        ...tail,
      ];
    case "count first":
      return [
        head,
        `page:${p.page ?? ""} flags:${p.flags ?? "0"} count:${p.refcount ?? 0} ${common} index:${p.index ?? "0"}`,
        ...tail,
      ];
    case "dump_page":
      return [
        head,
        `page:${p.page ?? ""} count:${p.refcount ?? 0} ${common} index:${p.index ?? "0x0"}`,
        ...dumpRest(p, version),
        ...tail,
      ];
    case "dump_page refcount":
      return [
        head,
        `page:${p.page ?? ""} refcount:${p.refcount ?? 0} ${common} index:${p.index ?? "0x0"}`,
        ...dumpRest(p, version),
        ...tail,
      ];
    case "dump_page pfn":
      return [
        head,
        `page:${p.page ?? ""} refcount:${p.refcount ?? 0} ${common} index:${p.index ?? "0x0"} pfn:0x${hexPfn}`,
        ...(p.compound?.order === undefined
          ? []
          : [`head:${p.compound.head ?? ""} order:${p.compound.order} ${p.compound.text}`]),
        ...dumpRest(p, version),
        ...tail,
      ];
  }
}

function dumpRest(p: BadPage, version: readonly number[]): string[] {
  const label = (version[0] ?? 0) < 4 ? "page flags" : "flags";
  const lines = p.invalidMapping === undefined ? [] : [`invalid mapping:${p.invalidMapping}`];
  if (p.aops !== undefined) lines.push(`aops:${p.aops}`);
  if (p.flags !== undefined) lines.push(`${label}: 0x${p.flags}(${p.flagNames ?? ""})`);
  if (p.pageType !== undefined) lines.push(`page_type: ${p.pageType}`);
  for (let i = 0; i < p.raw.length; i += 4) lines.push(`raw: ${p.raw.slice(i, i + 4).join(" ")}`);
  if (p.reason !== undefined) lines.push(`page dumped because: ${p.reason}`);
  if (p.badFlags !== undefined) lines.push(`bad because of flags: 0x${p.badFlags.flags}(${p.badFlags.names ?? ""})`);
  return [...lines, ...ownerLines(p.owner)];
}

function ownerLines(owner: PageOwnerNote | undefined): string[] {
  if (owner === undefined) return [];
  const frames = (list: readonly Frame[]): string[] => list.map((f) => printFrame(f, "plain"));
  return [
    ...(owner.state === undefined ? [] : [`page_owner tracks the page as ${owner.state}`]),
    ...(owner.allocated === undefined
      ? []
      : [`page last allocated via ${owner.allocated}`, ...frames(owner.allocatedBy)]),
    ...(owner.absent === undefined ? [] : [owner.absent]),
    ...(owner.freedBy.length === 0
      ? []
      : [`page last free ${owner.freed === undefined ? "" : `${owner.freed} `}stack trace:`, ...frames(owner.freedBy)]),
  ];
}
