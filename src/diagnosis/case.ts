// One incident with everything a rule may ask: the reading, its lines, the kernel it came from, what its stack says, what the
// machine's surroundings say. A Case is built once per incident; rules only read it.
import type { AllocFailure, GfpText } from "../kernel/readings/alloc_failure.ts";
import type { CallTrace } from "../kernel/readings/call_trace.ts";
import type { Incident, PartName } from "../kernel/readings/incident.ts";
import { linesOf } from "../kernel/readings/incident.ts";
import type { LogLine } from "../kernel/readings/log_line.ts";
import type { MemInfo, MemZone } from "../kernel/readings/mem_info.ts";
import { zonesPart } from "../kernel/readings/mem_info_extent.ts";
import type { Part } from "../kernel/readings/part.ts";
import { lost } from "../kernel/readings/part.ts";
import type { ProcessLine } from "../kernel/readings/process_line.ts";
import type { ReleaseVerdict } from "../kernel/readings/release_verdict.ts";
import type { SlabFailure } from "../kernel/readings/slab_failure.ts";
import type { Release } from "../kernel/release.ts";
import type { ArchitectureSaid } from "./architecture.ts";
import { architectureOf, pageSizeOf } from "./architecture.ts";
import type { KernelSaid, Quote, Shown, Witness } from "./finding.ts";
import { shown } from "./finding.ts";
import type { StackView } from "./stack.ts";
import { viewStack } from "./stack.ts";
import type { Surroundings } from "./surroundings.ts";

export interface Case {
  readonly incident: Incident;
  readonly input: string;
  readonly verdict: ReleaseVerdict;
  readonly said: KernelSaid;
  /** What to compute with: the likeliest version and the architecture. */
  readonly release: Release;
  readonly arch: ArchitectureSaid;
  readonly pageKb: number;
  /** False where the report does not tell the page size, and 4 KiB were taken. */
  readonly pageSizeShown: boolean;
  readonly stack: StackView;
  readonly memInfo: MemInfo | undefined;
  /** The machine's zones as far as they are printed. */
  readonly zones: Part<readonly MemZone[]>;
  readonly gfp: GfpText | undefined;
  readonly order: number | undefined;
  readonly slab: SlabFailure | undefined;
  readonly process: ProcessLine | undefined;
  readonly around: Surroundings;
}

/** Debian calls a whole series 6.1.0-56 and prints what it really is behind the build: `#1 SMP PREEMPT_DYNAMIC Debian 6.1.192-2`. */
function distributionVersion(process: ProcessLine | undefined, verdict: ReleaseVerdict): readonly number[] | undefined {
  const places = [process?.build, process?.packageId, ...verdict.because.flatMap((r) => r.lines.map((l) => l.text))];
  const text = /Debian (\d+\.\d+\.\d+)-/.exec(places.join(" "))?.[1];
  return text?.split(".").map(Number);
}

/** The newest layout that is well known: what to compute with when nothing at all tells the release. */
const fallbackVersion = [6, 1] as const;

export function buildCase(incident: Incident, input: string, verdict: ReleaseVerdict, around: Surroundings): Case {
  const { trace, memInfo, gfp, order, slab, process } = partsOf(incident);
  const version = distributionVersion(process, verdict) ?? verdict.version ?? verdict.since ?? fallbackVersion;
  const releaseText = verdict.certainty === "stated" ? verdict.release : process?.release;
  const registers = incident.kind === "oops" ? incident.reading.registers : undefined;
  const seen: CallTrace | undefined =
    registers === undefined
      ? trace
      : { form: trace?.form ?? "plain", heading: trace?.heading ?? "", items: [registers, ...(trace?.items ?? [])] };
  const page = incident.kind === "bad_page" ? incident.reading.page : undefined;
  const arch = architectureOf(releaseText, seen, memInfo, page);
  const pages = pageSizeOf(arch, memInfo, slab, releaseText);
  const pageKb = pages.kb;
  return {
    incident,
    input,
    verdict,
    said: {
      release: verdict.certainty === "unknown" ? "unknown" : verdict.release,
      certainty: verdict.certainty === "stated" ? "stated" : "inferred",
      because: verdict.because.map((r) => r.sentence),
    },
    release: { version, arch: arch.arch },
    arch,
    pageKb,
    pageSizeShown: pages.shown,
    stack: viewStack(trace, above(incident), incident.kind === "alloc_failure"),
    memInfo,
    zones: memInfo === undefined ? lost("Mem-Info") : zonesPart(memInfo, pageKb),
    gfp,
    order,
    slab,
    process,
    around,
  };
}

/** Where a fault stood and who called it, as far as registers say. */
function above(incident: Incident): string[] {
  const oops =
    incident.kind === "oops" ? incident.reading : incident.kind === "skb_panic" ? incident.reading.oops : undefined;
  return [oops?.at?.function, oops?.link?.function].filter((name) => name !== undefined);
}

interface Parts {
  readonly trace?: CallTrace | undefined;
  readonly memInfo?: MemInfo | undefined;
  readonly gfp?: GfpText | undefined;
  readonly order?: number | undefined;
  readonly slab?: SlabFailure | undefined;
  readonly process?: ProcessLine | undefined;
}

function partsOf(incident: Incident): Parts {
  switch (incident.kind) {
    case "alloc_failure":
      return incident.reading satisfies AllocFailure;
    case "oom":
      return incident.reading;
    case "slab_failure":
      return {
        gfp: incident.reading.gfp,
        order: incident.reading.minOrder ?? incident.reading.order,
        slab: incident.reading,
      };
    case "bad_page":
    case "oops":
    case "slab_corruption":
      return { trace: incident.reading.trace, process: incident.reading.process };
    case "driver_line":
      return { trace: incident.reading.trace };
    case "skb_panic":
      return { trace: incident.reading.oops?.trace, process: incident.reading.oops?.process };
    case "mem_info":
      return { memInfo: incident.reading.memInfo };
    default:
      return {};
  }
}

/** The work item that the `Workqueue:` line names, with its module: `kg_check_integrity of the module kguard`. */
export function workOf(c: Case): string | undefined {
  const m = /^\S{1,64} ([\w.]{1,100})(?: \[([\w-]{1,60})\])?/.exec(c.process?.workqueue ?? "");
  if (m?.[1] === undefined) return undefined;
  return `the work item ${m[1]}${m[2] === undefined ? "" : ` of the module ${m[2]}`}`;
}

/** Lines of the input as quotes. */
export const quotesOf = (input: string, lines: readonly LogLine[]): readonly Quote[] =>
  // A line that was rejoined from several is quoted as it stands in the input: one quote a line.
  lines.flatMap((l) =>
    l.raw.split("\n").map((text, i) => ({ input, line: l.line + i, text: text.replace(/\r$/, "") })),
  );

/** The lines that carry a part of the case's incident; at most `most` of them. */
export function quote(c: Case, part: PartName, most = 3): readonly Quote[] {
  return quotesOf(c.input, linesOf(c.incident, part).slice(0, most));
}

/** The ground of what the kind of a report says by itself: a page that was in a bad state is no request that was refused. */
export function byKind(c: Case, lines: Witness): Shown {
  const kind: string = c.incident.kind;
  return shown(kind, lines);
}

/** The line of a frame; ARM names two on one line, and the last caller stands on the line of its callee. */
const frameLine = (c: Case, index: number): readonly Quote[] => {
  if (index < 0) return aboveLine(c, above(c.incident).at(index));
  const own = quote(c, `frame:${index}`, 1);
  return own.length > 0 ? own : quote(c, `frame:${index - 1}`, 1);
};

/** The line of a fault that names the function it stood in, or that called it. */
const aboveLine = (c: Case, name: string | undefined): readonly Quote[] =>
  name === undefined
    ? []
    : [...quote(c, "registers", 40), ...quote(c, "headline", 4)].filter((q) => q.text.includes(name)).slice(0, 1);

/** The lines of several frames of the stack, by index. */
export function quoteFrames(c: Case, frames: readonly (number | undefined)[]): readonly Quote[] {
  return [...new Set(frames)].flatMap((f) => (f === undefined ? [] : frameLine(c, f)));
}

/** The name that the report prints for a frame, without damage: `tg3_alloc_rx_skb`. */
export const frameName = (c: Case, index: number | undefined): string | undefined =>
  index === undefined ? undefined : index < 0 ? above(c.incident).at(index) : c.stack.frames[index]?.function;
