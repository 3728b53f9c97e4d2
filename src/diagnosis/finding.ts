// What a diagnosis says: incidents, and for each a list of findings that carry their evidence. This is the JSON of
// `skblab diagnose --format json`; schemas/diagnosis.schema.json publishes it.

import type { InputKind } from "../artifact/identify.ts";
import type { Place } from "../kernel/readings/incident.ts";
import type { Absent } from "../kernel/readings/part.ts";
import type { Change, MachineSaid } from "./machine_told.ts";
import type { SamplesCompared } from "./two_samples.ts";

/** `unknown` means that the report does not say; the claim or the advice names the line that would have said it. */
export type Answer = "yes" | "no" | "unknown";

/** A line of an input that carries a claim. `line` counts from 1. */
export interface Quote {
  readonly input: string;
  readonly line: number;
  readonly text: string;
}

/** Something to do, best first within a finding. */
export interface Advice {
  /** What it does to a machine, for a program; `--prove` runs it where a machine can be changed so. */
  readonly change: Change;
  readonly action: string;
  /** What becomes different. */
  readonly changes: string;
  /** What it takes away or risks. */
  readonly costs: string;
  /** The exact command, where there is one. */
  readonly command?: string;
}

/** One question that was put to the report, with its answer. */
export interface Finding {
  /** Stable name, `why.refused`: one of FindingId (rules/index.ts). */
  readonly id: string;
  /** As a person would put it; absent where the claim asks by itself, or where no question is shown. */
  readonly question?: string;
  /** What, who, where: the claim is the answer, a yes before it would be noise. */
  readonly open?: true;
  /** Of an incident's findings the one with the lowest rank tells most about why; absent where it tells nothing of that. */
  readonly rank?: number;
  /** What a no clears, as people name the suspect: `TSO`. */
  readonly clears?: string;
  /** The claim says by itself that the report does not say: the same in front of it would be said twice. */
  readonly silent?: true;
  readonly claim: string;
  readonly answer: Answer;
  readonly evidence: readonly Quote[];
  readonly advice: readonly Advice[];
}

export interface KernelSaid {
  /** As printed when stated; a version or a range when inferred. */
  readonly release: string;
  readonly certainty: "stated" | "inferred";
  readonly because: readonly string[];
}

/** One range of MTUs that needs the same memory. */
export interface MtuRow {
  readonly from: number;
  readonly to: number;
  /** The highest page order that one buffer of this range can fail with. */
  readonly order: number;
  /** The pieces of one buffer: `kmalloc-2048 (order-1 slab)`. */
  readonly needs: readonly string[];
}
export interface MtuTable {
  readonly driver: string;
  /** The largest MTU that stays at order 0; null when none does. */
  readonly orderZeroUpTo: number | null;
  readonly rows: readonly MtuRow[];
  /** Where its buffers come from, at any MTU. */
  readonly allocators: readonly ("kmalloc" | "page_frag" | "pages" | "page_pool")[];
  /** What the table takes for granted. */
  readonly assumes: readonly string[];
}

/** Free blocks of one order in a zone; `lists` are the letters of the migrate types that hold some, "" where they are not printed. */
export interface OrderPicture {
  readonly blocks: number;
  readonly lists: string;
}

/** One comparison of the kernel's watermark test, in words; in pages where it compared numbers: usable had to exceed limit. */
export interface MarkComparison {
  readonly text: string;
  readonly passed: boolean | null;
  readonly usable: number | null;
  readonly limit: number | null;
  /** How the two numbers came about, rung by rung: the last of `free` is usable, the last of `mark` is limit. */
  readonly ladder: LadderPicture | null;
}

export interface RungPicture {
  readonly what: string;
  readonly pages: number;
}
export interface LadderPicture {
  readonly free: readonly RungPicture[];
  readonly mark: readonly RungPicture[];
}

/** A zone of the report as it was judged; amounts in pages. */
export interface ZonePicture {
  readonly node: number;
  readonly zone: string;
  /** The request may use this zone at all. */
  readonly eligible: boolean;
  readonly answer: Answer;
  readonly free: number;
  readonly min: number;
  readonly low: number;
  readonly high: number;
  /** By order, from 0; empty when the report has no buddy line for the zone. */
  readonly orders: readonly OrderPicture[];
  readonly comparisons: readonly MarkComparison[];
  /** The zone would serve as printed and refuses within the report's own error: without `taken` pages of `error`; null otherwise. */
  readonly within: {
    readonly taken: number;
    readonly error: number;
    readonly comparisons: readonly MarkComparison[];
  } | null;
}

/** What the pictures of a shortage are drawn from. */
export interface MemoryPicture {
  readonly pageKb: number;
  readonly order: number;
  readonly zones: readonly ZonePicture[];
}

/** A process of the OOM killer's table; amounts in bytes, null where that release does not print the column. */
export interface OomProcess {
  readonly pid: number;
  readonly name: string;
  readonly rssBytes: number | null;
  readonly swapBytes: number | null;
  readonly pageTablesBytes: number | null;
  readonly scoreAdj: number | null;
  readonly killed: boolean;
}

/** What memory consisted of when the OOM killer ran. */
export interface OomPicture {
  /** Parts that do not overlap, and what is left of `totalBytes`; empty without totals. */
  readonly parts: readonly { readonly what: string; readonly bytes: number; readonly reclaimable: boolean }[];
  /** All memory ("pages RAM"); null where it is not printed. */
  readonly totalBytes: number | null;
  readonly processes: readonly OomProcess[];
}

/** When and where one of the grouped reports stands. */
export interface Occurrence extends Place {
  readonly input: string;
}

/**
 * How bad it is, for a person who wants one word; worst first. `unknown`: the text is cut where it would have said whether memory was corrupted,
 * or only leaked, or whether nothing broke at all.
 */
export const severities = ["corruption", "unknown", "act", "watch", "harmless"] as const;
export type Severity = (typeof severities)[number];

/** Below zero when `a` is worse. */
export const bySeverity = (a: Severity, b: Severity): number => severities.indexOf(a) - severities.indexOf(b);

/** What a report is about, without what is its own (pages, processes, hosts): alike on every machine that has the same trouble. */
export interface Subject {
  readonly title: string;
  /** The function that asked for memory, and its module; null where the report does not show it. */
  readonly asker: { readonly function: string; readonly module: string | null } | null;
  /** Which of its kind: a request that was refused or waits, the field of a bad page, the scope of the OOM killer, the cache that could not grow; null where the report does not say. */
  readonly which: string | null;
}

/** All reports with the same cause. */
export interface DiagnosedIncident {
  readonly kind: string;
  /** One line to recognise it by. */
  readonly title: string;
  readonly subject: Subject;
  readonly kernel: KernelSaid;
  readonly order: number | null;
  readonly bytes: number | null;
  readonly gfp: { readonly mask: string; readonly names: readonly string[] } | null;
  readonly driver: string | null;
  readonly direction: string | null;
  readonly wanted: string | null;
  readonly cause: string;
  readonly severity: Severity;
  readonly findings: readonly Finding[];
  /** The advice of all findings, best first, each once. */
  readonly advice: readonly Advice[];
  /** Reports of this cause, those included that the kernel's rate limit did not print. */
  readonly count: number;
  /** How many of `count` were only counted by a rate-limit line. */
  readonly suppressed: number;
  readonly occurrences: readonly Occurrence[];
  /** Causes of one moment have the same number; null where nothing else happened then. */
  readonly episode: number | null;
  readonly mtuTable: MtuTable | null;
  /** What the inputs say of the machine. */
  readonly machine: MachineSaid;
  /** The zones as rebuilt from the fullest report; null without Mem-Info, mask and order. */
  readonly memory: MemoryPicture | null;
  /** What filled memory; null but for reports of the OOM killer. */
  readonly oom: OomPicture | null;
}

/** A statement, how bad it is, and the lines that carry it. */
export interface StateFinding {
  /** Stable name: `state.room`. */
  readonly id: string;
  readonly claim: string;
  readonly severity: Exclude<Severity, "corruption" | "unknown">;
  readonly evidence: readonly Quote[];
  readonly advice: readonly Advice[];
}

/** Room of a zone for one kind of request. A range where the release is not stated and the releases that fit differ. */
export interface StateRoom {
  readonly node: number;
  readonly zone: string;
  /** Who asks: an interrupt or a lock holder; a task, before it reclaims; user space. */
  readonly context: "atomic" | "may wait" | "movable";
  /** By order: requests that would be granted one after the other; null where the files do not say. */
  readonly orders: readonly { readonly least: number | null; readonly most: number | null }[];
  /** The zone is kept for requests that can use no other. */
  readonly kept: boolean;
}

/** What /proc says of a machine without a report of trouble. */
export interface MachineState {
  readonly host: string | null;
  readonly inputs: readonly string[];
  /** The worst statement, or that these files show no shortage; never more than they say. */
  readonly summary: string;
  readonly severity: StateFinding["severity"];
  readonly findings: readonly StateFinding[];
  readonly room: readonly StateRoom[];
  /** What room was computed with: a stated release, or the rules of which releases fit. */
  readonly computedFor: string | null;
  /** Questions that these files leave open, each with the file that would answer. */
  readonly open: readonly string[];
}

export interface DiagnosedInput {
  readonly name: string;
  /** What it was taken for. */
  readonly kind?: InputKind;
  readonly bytes: number | null;
  readonly lines: number | null;
  /** What was skipped, cut or repaired, with its line where it has one. */
  readonly notes: readonly { readonly line: number | null; readonly sentence: string }[];
}

export interface Diagnosis {
  readonly schema: "skblab.diagnosis/1";
  readonly inputs: readonly DiagnosedInput[];
  readonly incidents: readonly DiagnosedIncident[];
  /** What /proc and its like say of each machine; absent where no such file was given. */
  readonly states?: readonly MachineState[];
  /** Only reports from this moment on were asked for, as it is told; reports without a time that can be compared are among the incidents. */
  readonly since?: string;
  /** What moved between the two samples of each machine that `skblab collect` was run on; absent without such samples. */
  readonly samples?: readonly SamplesCompared[];
}

/** The lines that carry an answer. */
export type Witness = readonly Quote[];

/** A proof that something is not there, with the lines of the part that was searched. */
export interface Missed {
  readonly absent: Absent;
  readonly near: Witness;
}

/** What was read in lines: it is there, and so it is whole, for no reader takes a number or a word without what its form puts behind it. */
export interface Shown {
  readonly shown: string | number | bigint;
  readonly lines: Witness;
}

/** What a no rests on: lines that say it, or the proof that what would say otherwise is not there. */
export type Ground = Shown | Missed;

/** A value that was read, not a word of our own: a literal is none. */
type Read<T> = T &
  (string extends T
    ? unknown
    : number extends T
      ? unknown
      : bigint extends T
        ? unknown
        : "a word of our own proves nothing");

/**
 * The ground of what lines say by themselves. What may be missing (undefined) is no ground, nor is the truth of a search: that nothing was found
 * takes the proof that nothing is missing (`missed`).
 */
export const shown = <T extends string | number | bigint>(what: Read<T>, lines: Witness): Shown => ({
  shown: what,
  lines,
});

/** The ground of what is not there; `near` are lines of the part that was searched. */
export const missed = (absent: Absent, near: Witness): Missed => ({ absent, near });

/** What one line of the kernel or of a driver says by itself. */
export interface MessageSaid {
  /** Messages with the same key are the same trouble. */
  readonly key: string;
  readonly title: string;
  readonly cause: string;
  /** What the line says beyond its words, one or two sentences. */
  readonly meaning: string;
  readonly severity: Severity;
  readonly consequence: string;
  /** Whether memory is what it is about: asked or refused. */
  readonly memory: "refused" | "limit" | "held" | "none" | "not said";
  readonly advice: readonly Advice[];
}
