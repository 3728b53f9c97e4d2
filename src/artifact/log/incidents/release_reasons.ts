// What the form of a report says about the release that wrote it: each reason is one observation with the bounds it sets.
import { gfpReadings, hex, previousRelease, sameNames } from "../../../kernel/facts/gfp.ts";
import { largestHeadOrder, pageFlagReadings } from "../../../kernel/facts/page_flags.ts";
import {
  cpuPagesForms,
  datedSymbols,
  nodeFields,
  slabFailureForms,
  totalsLines,
  zoneFields,
} from "../../../kernel/facts/report_formats.ts";
import type { AllocFailure } from "../../../kernel/readings/alloc_failure.ts";
import type { CallTrace } from "../../../kernel/readings/call_trace.ts";
import { framesOf } from "../../../kernel/readings/call_trace.ts";
import type { GfpText } from "../../../kernel/readings/gfp_text.ts";
import type { Incident, IncidentOf } from "../../../kernel/readings/incident.ts";
import { linesOf } from "../../../kernel/readings/incident.ts";
import type { LogLine } from "../../../kernel/readings/log_line.ts";
import type { MemInfo } from "../../../kernel/readings/mem_info.ts";
import type { ProcessLine } from "../../../kernel/readings/process_line.ts";
import type { ReleaseReason } from "../../../kernel/readings/release_verdict.ts";
import type { SlabFailure } from "../../../kernel/readings/slab_failure.ts";
import type { Fact } from "../../../kernel/release.ts";
import { compareVersions } from "../../../kernel/release.ts";

type Version = readonly number[];
interface Range {
  readonly since?: Version;
  readonly until?: Version;
}

const reason = (sentence: string, range: Range, lines: readonly LogLine[]): ReleaseReason => ({
  sentence,
  ...range,
  lines,
});
const before = (version: Version): Version => previousRelease(version).split(".").map(Number);

/** All reasons that one incident gives. */
export function reasonsOf(incident: Incident): ReleaseReason[] {
  const lines = (part: string): readonly LogLine[] => linesOf(incident, part);
  switch (incident.kind) {
    case "alloc_failure": {
      const r = incident.reading;
      return [
        ...failureLineReasons(r, lines("headline"), incident),
        ...maskReasons(r.gfp, lines("headline"), incident),
        ...processReasons(r.process, lines("process")),
        ...traceReasons(r.trace, lines("trace")),
        ...memInfoReasons(r.memInfo, incident),
        ...slabReasons(r.slab, lines("slab").slice(0, 1), incident),
      ];
    }
    case "oom": {
      const r = incident.reading;
      return [
        ...maskReasons(r.gfp, lines("headline"), incident),
        // dump_header() prints the nodemask since 4.9 (82e7d3abec86), warn_alloc() since 4.11.
        ...namesReasons(r.gfp, r.nodemask === undefined ? undefined : [4, 9], lines("headline"), incident),
        ...processReasons(r.process, lines("process")),
        ...traceReasons(r.trace, lines("trace")),
        ...memInfoReasons(r.memInfo, incident),
      ];
    }
    case "bad_page":
      return badPageReasons(incident);
    case "slab_failure":
      return slabReasons(incident.reading, lines("headline"), incident);
    case "oops":
    case "slab_corruption":
      return [
        ...processReasons(incident.reading.process, lines("process")),
        ...traceReasons(incident.reading.trace, lines("trace")),
      ];
    case "mem_info":
      return memInfoReasons(incident.reading.memInfo, incident);
    case "page_pool_stall":
      return lines("headline").some((l) => /\bid \d{1,9}, /.test(l.text))
        ? [reason("page_pool's line names the pool by its id, as since 6.8.", { since: [6, 8] }, lines("headline"))]
        : [reason("page_pool reports stalled shutdowns since 5.3.", { since: [5, 3] }, lines("headline"))];
    default:
      return [];
  }
}

/**
 * A headline that ends where nothing must follow may have been cut there. It was not when another line of the report is longer (whatever
 * cuts at a column cuts them all), nor when its kind of end is one that a cut does not make.
 */
function mayBeCut(lines: readonly LogLine[], incident: Incident): boolean {
  const [head] = lines;
  if (head === undefined || head.repairs?.includes("cut") === true) return true;
  const others = incident.carried.flatMap((c) => c.lines).filter((l) => l !== head);
  return others.length > 0 && !others.some((l) => l.raw.length > head.raw.length);
}

/** The forms of the node line that fit. Fields stand behind its last word since 6.16: where nothing is longer, they may be cut off. */
function nodeReasons(info: MemInfo, incident: Incident): ReleaseReason[] {
  const [node] = info.nodes;
  if (node === undefined) return [];
  const lines = linesOf(incident, `node:${node.node}`);
  const as = (whole: boolean): Range | undefined =>
    matching(nodeFields, (v) => printedBy(v, Object.keys(node.kb), whole));
  const told = (range: Range | undefined): ReleaseReason[] =>
    range === undefined || Object.keys(range).length === 0
      ? []
      : [reason(`The node line has the fields of ${rangeWords(range)}.`, range, lines.slice(0, 3))];
  const ends = node.allUnreclaimable !== undefined;
  if (!ends || !mayBeCut(lines, incident)) return told(as(ends));
  return [...told(as(false)), ...told(as(true)).map((r) => ({ ...r, soft: true as const }))];
}

/** SLAB prints its failures since 3.4 ("SLAB Out-of-memory diagnostics", taken in March 2012), SLUB since 2.6.31; form and bounds from report_formats.ts. */
function slabReasons(slab: SlabFailure | undefined, lines: readonly LogLine[], incident: Incident): ReleaseReason[] {
  if (slab === undefined) return [];
  const what =
    slab.allocator === "SLAB"
      ? "SLAB prints its failures, as since 3.4."
      : "SLUB prints its failures, as since 2.6.31.";
  const form = slabFailureForms.find((f) => f.value === slab.form);
  const next = slabFailureForms[slabFailureForms.findIndex((f) => f.value === slab.form) + 1]?.since;
  const words = slab.form === "comma" ? "behind a comma" : "in brackets";
  return [
    reason(what, { since: slab.allocator === "SLAB" ? [3, 4] : [2, 6, 31] }, lines),
    ...(form === undefined
      ? []
      : [
          reason(
            `The mask of the slab line stands ${words}${next === undefined ? `, as since ${form.since.join(".")}` : `, as up to ${previousRelease(next)}`}.`,
            next === undefined ? { since: form.since } : { since: form.since, until: before(next) },
            lines,
          ),
        ]),
    ...(slab.cpu === undefined
      ? []
      : [reason("The slab line names the CPU, as since 6.12.", { since: [6, 12] }, lines)]),
    ...maskReasons(slab.gfp, lines, incident),
  ];
}

function failureLineReasons(r: AllocFailure, lines: readonly LogLine[], incident: Incident): ReleaseReason[] {
  if (r.variant === "2.4")
    return [reason("Only 2.4 wrote a failed allocation as one such line.", { since: [2, 4], until: [2, 4] }, lines)];
  if (r.variant === "stall")
    return [reason("Stalled allocations were reported from 4.10 to 4.14.", { since: [4, 10], until: [4, 14] }, lines)];
  const reasons: ReleaseReason[] = [];
  if (r.separator === ".") {
    reasons.push(
      reason('A full stop stands before "order", as up to 2.6.39.', { since: [2, 6], until: [2, 6, 39] }, lines),
    );
  }
  if (r.separator === ":")
    reasons.push(reason('A colon stands before "order", as since 3.0.', { since: [3, 0] }, lines));
  const nodemask: Version | undefined = r.nodemask === undefined ? undefined : [4, 11];
  return [...reasons, ...namesReasons(r.gfp, nodemask, lines, incident), ...cpusetReasons(r, lines)];
}

/** Names stood behind the mask, though their end is lost. */
const opensNames = (gfp: GfpText, lines: readonly LogLine[]): boolean =>
  lines.some((l) => l.text.includes(`${hex(gfp.mask)}(`));

/** The line goes on behind the digits, so no names were cut off there. */
const goesOn = (gfp: GfpText, lines: readonly LogLine[]): boolean =>
  lines.some((l) => l.text.includes(`${hex(gfp.mask)}, `));

function namesReasons(
  gfp: GfpText | undefined,
  nodemaskSince: Version | undefined,
  lines: readonly LogLine[],
  incident: Incident,
): ReleaseReason[] {
  if (gfp === undefined) return [];
  if (gfp.names === undefined && !opensNames(gfp, lines))
    return mayBeCut(lines, incident) && !goesOn(gfp, lines)
      ? []
      : [reason("The mask is a bare number, as up to 4.5.", { until: [4, 5] }, lines)];
  const named = reason("Names stand behind the mask, as since 4.6.", { since: [4, 6] }, lines);
  return nodemaskSince === undefined
    ? [named]
    : [named, reason(`A nodemask is printed, as since ${nodemaskSince.join(".")}.`, { since: nodemaskSince }, lines)];
}

function cpusetReasons(r: AllocFailure, lines: readonly LogLine[]): ReleaseReason[] {
  if (r.cpuset === undefined) return [];
  return r.cpusetOnOwnLine === true
    ? [reason("The cpuset has a line of its own, as from 3.10 to 4.20.", { since: [3, 10], until: [4, 20] }, lines)]
    : [reason("The cpuset stands on the first line, as since 5.0.", { since: [5, 0] }, lines)];
}

/** The eras in which a mask is one that a caller makes. */
function maskReasons(gfp: GfpText | undefined, lines: readonly LogLine[], incident: Incident): ReleaseReason[] {
  if (gfp === undefined || gfp.mask === 0) return [];
  // A cut number or a cut list of names is another mask, or none.
  const closed = lines.some((l) => l.text.includes(`=${hex(gfp.mask)})`));
  if (
    gfp.names === undefined
      ? opensNames(gfp, lines) || (!closed && !goesOn(gfp, lines) && mayBeCut(lines, incident))
      : !lines.some((l) => l.text.includes(`${gfp.names})`))
  )
    return [];
  const readings = gfpReadings(gfp.mask);
  const best = readings[0]?.score ?? 0;
  if (best < 2) return [];
  const fits = readings.filter((r) => r.score === best && (gfp.names === undefined || sameNames(r.text, gfp.names)));
  const first = fits[0];
  if (first === undefined) return [];
  const since = fits.map((r) => r.since).reduce((a, b) => (compareVersions(a, b) <= 0 ? a : b));
  const open = fits.some((r) => r.before === undefined);
  const until = open
    ? undefined
    : before(fits.map((r) => r.before ?? since).reduce((a, b) => (compareVersions(a, b) >= 0 ? a : b)));
  const where = fits.map((r) => `${r.kernels} (${r.text})`).join(", ");
  return [
    reason(
      `The mask ${hex(gfp.mask)} is one that callers make in kernels ${where}.`,
      { since, ...(until === undefined ? {} : { until }) },
      lines,
    ),
  ];
}

function processReasons(ran: ProcessLine | undefined, lines: readonly LogLine[]): ReleaseReason[] {
  if (ran === undefined || lines.length === 0) return [];
  if (ran.uid !== undefined) return [reason("The process line names a UID, as since 6.11.", { since: [6, 11] }, lines)];
  if (ran.cpu !== undefined)
    return [reason("The process line begins with the CPU, as since 3.10.", { since: [3, 10] }, lines)];
  return [reason('The process line begins with "Pid:", as up to 3.9.', { until: [3, 9] }, lines)];
}

function traceReasons(trace: CallTrace | undefined, lines: readonly LogLine[]): ReleaseReason[] {
  if (trace === undefined) return [];
  const x86 = framesOf(trace).find((f) => f.address?.startsWith("ffffffff"));
  const line = lines.slice(0, 2);
  if (trace.form === "braced")
    return [
      reason("Frames stand in braces with decimal offsets, as on x86_64 up to 2.6.17.", { until: [2, 6, 17] }, line),
    ];
  const reasons = symbolReasons(trace, lines);
  if (trace.form !== "bracketed" || x86 === undefined || !isX86(trace)) return reasons;
  return [
    reason(
      "Frames carry their addresses, as on x86_64 from 2.6.18 to 4.9.",
      { since: [2, 6, 18], until: [4, 9] },
      line,
    ),
    ...reasons,
  ];
}

const x86Functions =
  /^(?:apic_timer_interrupt|smp_apic_timer_interrupt|system_call_fastpath|entry_SYSCALL_64\w{0,40}|child_rip|ret_from_intr|common_interrupt|call_softirq|do_softirq_own_stack|x86_64_start_kernel|i386_start_kernel|sysenter_\w{1,30}|syscall_call|start_secondary|mwait_idle|default_idle|kernel_thread_helper|sysret_\w{1,30}|tracesys)$/;

/** Other architectures (mips, riscv) print addresses in every release: what dates them on x86 says nothing there. */
const isX86 = (trace: CallTrace): boolean =>
  trace.items.some(
    (i) =>
      (i.kind === "marker" && /^(?:IRQ|EOI|NMI|TASK)$/.test(i.name.replace("/", ""))) ||
      (i.kind === "frame" && (!i.reliable || x86Functions.test(i.function) || (i.marks?.length ?? 0) > 0)),
  );

/** Functions whose name tells the time. `__alloc_pages` itself had this name up to 2.6.25 and has it again since 5.13. */
function symbolReasons(trace: CallTrace, lines: readonly LogLine[]): ReleaseReason[] {
  const names = new Set(
    framesOf(trace)
      .filter((f) => f.reliable)
      .map((f) => f.function),
  );
  const at = (name: string): readonly LogLine[] => lines.filter((l) => l.text.includes(name)).slice(0, 1);
  const reasons = datedSymbols
    .filter((s) => names.has(s.name))
    .map((s) => {
      const range: Range = { ...(s.since && { since: s.since }), ...(s.until && { until: s.until }) };
      return reason(`${s.name} is on the stack, a function of ${rangeWords(range)}.`, range, at(s.name));
    });
  if (names.has("__alloc_pages") && trace.form === "bracketed" && isX86(trace)) {
    reasons.push(
      reason(
        "__alloc_pages is on a stack with addresses, as up to 2.6.25.",
        { until: [2, 6, 25] },
        at("__alloc_pages"),
      ),
    );
  }
  return reasons;
}

/**
 * Releases whose form can have printed these fields in this order: each is in the form, and nothing stands out of its place. A line that may
 * have lost its end is a beginning of the form's line; a whole one is all of it. `?` marks what depends on the configuration.
 */
function printedBy(form: string, read: readonly string[], whole: boolean): boolean {
  let at = 0;
  for (const word of form.split(" ")) {
    const name = word.replace("?", "");
    if (read[at] === name) at++;
    else if (at === read.length && !whole) return true;
    else if (!word.endsWith("?")) return false;
  }
  return at === read.length;
}

/** The joint range of the rows that fit. */
function matching<T>(facts: readonly Fact<T>[], fits: (value: T) => boolean): Range | undefined {
  let found: { since: Version; until?: Version } | undefined;
  for (const [i, fact] of facts.entries()) {
    if (!fits(fact.value)) continue;
    const next = facts[i + 1]?.since;
    found = { since: found?.since ?? fact.since, ...(next === undefined ? {} : { until: before(next) }) };
  }
  return found;
}

/** The names of the counters of each totals line, in printed order. A line that is lost says nothing; a cut one is a beginning. */
const totalsRead = (lines: readonly LogLine[]): string[][] =>
  lines
    .map((l) => [...l.text.matchAll(/([A-Za-z_]{2,40}):\d/g)].map((m) => m[1]!.toLowerCase()))
    .filter((l) => l.length > 0);

function memInfoReasons(info: MemInfo | undefined, incident: Incident): ReleaseReason[] {
  if (info === undefined) return [];
  const reasons: ReleaseReason[] = [];
  const add = (what: string, range: Range | undefined, part: string): void => {
    if (range === undefined || Object.keys(range).length === 0) return;
    reasons.push(reason(`${what}${rangeWords(range)}.`, range, linesOf(incident, part).slice(0, 3)));
  };
  const protections = info.zones
    .flatMap((z) => linesOf(incident, `lowmem_reserve:${z.node}:${z.name}`))
    .filter((l) => l.text.includes("protections[]"));
  if (protections.length > 0) {
    const range = { since: [2, 6], until: [2, 6, 10] };
    reasons.push(reason("The reserves are called protections, as up to 2.6.10.", range, protections.slice(0, 1)));
  }
  const [zone] = info.zones;
  if (zone !== undefined && zone.kb.free !== undefined) {
    const read = Object.keys(zone.kb);
    if (zone.pagesScanned !== undefined) read.push("pages_scanned");
    if (zone.allUnreclaimable !== undefined) read.push("all_unreclaimable");
    const whole = zone.allUnreclaimable !== undefined || read.at(-1) === "free_cma";
    add(
      whole ? "The zone line has exactly the fields of " : "The zone line has fields as those of ",
      matching(zoneFields, (v) => printedBy(v, read, whole)),
      `zone:${zone.node}:${zone.name}`,
    );
  }
  const totals = totalsRead(linesOf(incident, "totals"));
  if (totals.length > 0)
    add(
      "The totals have the lines of ",
      matching(totalsLines, (v) => totals.every((read) => v.some((form) => printedBy(form, read, false)))),
      "totals",
    );
  const exact = matching(totalsLines, (v) => v.join(" ") === totals.map((l) => l.join(" ")).join(" "));
  if (exact !== undefined)
    reasons.push({
      ...reason(
        `The totals are exactly those of ${rangeWords(exact)}.`,
        exact,
        linesOf(incident, "totals").slice(0, 3),
      ),
      soft: true,
    });
  return [...reasons, ...nodeReasons(info, incident), ...listReasons(info, incident), ...perCpuReasons(info, incident)];
}

function rangeWords({ since, until }: Range): string {
  if (since === undefined) return until === undefined ? "" : `kernels up to ${until.join(".")}`;
  return until === undefined ? `${since.join(".")} and later` : `${since.join(".")} to ${until.join(".")}`;
}

function listReasons(info: MemInfo, incident: Incident): ReleaseReason[] {
  const lists = info.zones.filter((z) => z.freeLists?.blocks.some((b) => b.count > 0));
  const [zone] = lists;
  if (zone === undefined) return [];
  const lines = linesOf(incident, `free_lists:${zone.node}:${zone.name}`);
  const letters = lists.flatMap((z) => z.freeLists?.blocks.map((b) => b.types ?? "") ?? []).join("");
  // Only a whole line shows that there are none.
  if (letters === "" && !lists.some((z) => z.freeLists?.totalKb !== undefined)) return [];
  if (letters === "")
    return [reason("Free blocks carry no migratetype letters, as up to 3.7.", { until: [3, 7] }, lines)];
  const reasons = [reason("Free blocks carry migratetype letters, as since 3.8.", { since: [3, 8] }, lines)];
  if (letters.includes("R"))
    reasons.push(reason("A free list of the reserve (R) exists, as up to 4.3.", { until: [4, 3] }, lines));
  if (letters.includes("H"))
    reasons.push(reason("A free list of highatomic blocks (H) exists, as since 4.4.", { since: [4, 4] }, lines));
  return reasons;
}

function perCpuReasons(info: MemInfo, incident: Incident): ReleaseReason[] {
  const [zone] = info.perCpu;
  const cpu = zone?.cpus[0];
  if (zone === undefined || cpu === undefined) return [];
  const form = cpu.hot.low !== undefined ? "low high batch" : cpu.cold === undefined ? "one list" : "Hot Cold";
  const index = cpuPagesForms.findIndex(
    (f) => f.value === form || (form === "Hot Cold" && f.value === "hot cold used"),
  );
  const next = cpuPagesForms.find((f, i) => i > index && f.value !== "Hot Cold")?.since;
  const fact = cpuPagesForms[index];
  if (fact === undefined) return [];
  const range: Range = { since: fact.since, ...(next === undefined ? {} : { until: before(next) }) };
  return [
    reason(
      `The lists of each CPU are printed as in ${rangeWords(range)}.`,
      range,
      linesOf(incident, `cpu_pages:${zone.node}:${zone.zone}`).slice(0, 2),
    ),
  ];
}

function badPageReasons(incident: IncidentOf<"bad_page">): ReleaseReason[] {
  const page = incident.reading;
  const head = linesOf(incident, "headline");
  const lines = linesOf(incident, "page");
  const text = lines.map((l) => l.text).join(" ");
  const reasons: ReleaseReason[] = [
    ...(head.some((l) => /pfn:/.test(l.text))
      ? [reason("The headline names the page frame, as since 2.6.29.", { since: [2, 6, 29] }, head)]
      : head.some((l) => /in process '/.test(l.text))
        ? [reason("The headline has the form of kernels up to 2.6.28.", { until: [2, 6, 28] }, head)]
        : []),
    ...processReasons(page.process, linesOf(incident, "process")),
    ...traceReasons(page.trace, linesOf(incident, "trace")),
  ];
  if (/\brefcount:/.test(text)) reasons.push(reason('"refcount" is printed, as since 5.0.', { since: [5, 0] }, lines));
  else if (/\bcount:/.test(text)) reasons.push(reason('"count" is printed, as up to 4.20.', { until: [4, 20] }, lines));
  if (/\bpfn:/.test(text))
    reasons.push(reason("The page line names the page frame, as since 5.7.", { since: [5, 7] }, lines));
  if (page.index !== undefined && !page.index.startsWith("0x") && /^page:\S{1,20} flags:/.test(text)) {
    reasons.push(
      reason(
        "The index has no 0x before it and the flags stand on the page line, as up to 2.6.33.",
        { until: [2, 6, 33] },
        lines,
      ),
    );
  }
  if (page.raw.length > 0)
    reasons.push(
      reason("The words of struct page are dumped, as since 4.10.", { since: [4, 10] }, linesOf(incident, "raw")),
    );
  return [...reasons, ...flagReasons(incident)];
}

/** Releases in which the flags make sense on that page frame: a head must be aligned, and something must have been bad. */
function flagReasons(incident: IncidentOf<"bad_page">): ReleaseReason[] {
  const page = incident.reading;
  // Names that were printed and cut are names: the layout is not to be guessed.
  if (linesOf(incident, "flags").some((l) => l.text.includes("(") && !l.text.includes(")"))) return [];
  if (page.flags === undefined || page.flagNames !== undefined || !/^[0-9a-f]{1,16}$/.test(page.flags)) return [];
  const clean = page.refcount === 0 && (page.mapcount ?? 0) === 0 && /^(?:\(null\)|0+)$/.test(page.mapping ?? "(null)");
  const frames = page.trace === undefined ? [] : framesOf(page.trace).map((f) => f.function);
  const freeing =
    frames.some((f) => /free/.test(f)) && !frames.some((f) => /prep_new_page|get_page_from_freelist|rmqueue/.test(f));
  const excluded: string[] = [];
  // Only 2.6.29 and later name the page frame.
  const possible = pageFlagReadings(BigInt(`0x${page.flags}`)).filter(
    (r) => page.pfn === undefined || r.before === undefined || compareVersions(r.before, [2, 6, 29]) > 0,
  );
  const fits = possible.filter((r) => {
    if (r.unknown.length > 0) return false;
    if (r.names.includes("head") && page.pfn !== undefined && largestHeadOrder(page.pfn) === 0) {
      excluded.push(
        `${r.text} (${r.kernels}) is impossible, because page 0x${page.pfn.toString(16)} cannot head a compound`,
      );
      return false;
    }
    if (clean && freeing && r.badAtFree.length === 0) {
      excluded.push(`${r.text} (${r.kernels}) would not have been bad`);
      return false;
    }
    return true;
  });
  // Several separate ranges bound little; the joint range of the readings before 4.0, where flags were printed without names.
  const old = fits.filter((r) => compareVersions(r.since, [4, 0]) < 0);
  const first = old[0];
  const last = old.at(-1);
  if (first === undefined || last === undefined) return [];
  const until = last.before === undefined ? undefined : before(last.before);
  const words = old.map((r) => `${r.text} in ${r.kernels}`).join(", ");
  const sentence = `The flags ${page.flags} read ${words}${excluded.length === 0 ? "" : `; ${excluded.slice(0, 3).join("; ")}`}.`;
  const lines = [...linesOf(incident, "flags"), ...linesOf(incident, "page").filter((l) => l.text.includes("flags:"))];
  return [reason(sentence, { since: first.since, ...(until === undefined ? {} : { until }) }, lines)];
}
