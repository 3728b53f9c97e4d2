// An incident of a kernel log: what was read, where it stands, and which line carries which part of it.
import type { MessageId } from "../facts/messages.ts";
import type { AllocFailure } from "./alloc_failure.ts";
import type { BadPage } from "./bad_page.ts";
import type { CallTrace } from "./call_trace.ts";
import type { LogLine, LogNote } from "./log_line.ts";
import type { MemInfo } from "./mem_info.ts";
import type { Oom } from "./oom.ts";
import type { Oops } from "./oops.ts";
import type { PagePoolStall } from "./page_pool_stall.ts";
import type { SkbPanic } from "./skb_panic.ts";
import type { SlabCorruption } from "./slab_corruption.ts";
import type { SlabFailure } from "./slab_failure.ts";

/** A line that says how many messages of a kind were not printed. */
export interface Suppressed {
  /** `warn_alloc`, `warn_alloc_failed`, `Bad page state`, `printk`, … as printed. */
  readonly what: string;
  readonly count: number;
  /** The kind of the report that followed and that the number was added to (`suppressedBefore`). */
  readonly addedTo?: IncidentKind;
}

/** One line of a driver, of a protocol or of the memory management that is a report of its own (facts/messages.ts). */
/** Where references to a device were taken that nobody has dropped (lib/ref_tracker.c). */
export interface ReferenceHolder {
  /** How many; absent before the kernel counted them by stack ("leaked reference."). */
  readonly references?: number;
  /** The frames it printed, innermost first. */
  readonly functions: readonly string[];
}

export interface DriverLine {
  readonly message: MessageId;
  /** `ath`, `eth0`, … where the line names it. */
  readonly source?: string;
  readonly bytes?: number;
  readonly text: string;
  /** kmemleak's record of one object: who allocated it. */
  readonly trace?: CallTrace;
  /** What a kernel with CONFIG_NET_DEV_REFCNT_TRACKER prints behind a device that cannot be unregistered. */
  readonly holders?: readonly ReferenceHolder[];
}

/** Mem-Info that no report owns: SysRq-m, or a report whose head is missing. */
export interface LooseMemInfo {
  readonly memInfo: MemInfo;
  /** `SysRq : Show Memory` stands above it: somebody asked for it. */
  readonly sysrq?: boolean;
}

export interface IncidentReadings {
  readonly alloc_failure: AllocFailure;
  readonly slab_failure: SlabFailure;
  readonly bad_page: BadPage;
  readonly oops: Oops;
  readonly skb_panic: SkbPanic;
  readonly slab_corruption: SlabCorruption;
  readonly page_pool_stall: PagePoolStall;
  readonly oom: Oom;
  readonly mem_info: LooseMemInfo;
  readonly suppressed: Suppressed;
  readonly driver_line: DriverLine;
}
export type IncidentKind = keyof IncidentReadings;

/**
 * Names of the parts of a report: `headline`, `process`, `workqueue`, `hardware`, `trace`, `frame:3` (index in framesOf), `registers`,
 * `totals`, `cpu_pages:0:Normal`, `node:0`, `zone:0:DMA32`, `lowmem_reserve:0:DMA32`, `free_lists:0:DMA32`, `huge_pages`, `tail`, `slab`,
 * `cache`, `flags`, `raw`, `reason`, `owner`, `modules`, `code`, `panic`, `tasks`, `memcg`, `summary`, `victim`.
 */
export type PartName = string;

/** Which lines carry a part. */
export interface Carried {
  readonly part: PartName;
  readonly lines: readonly LogLine[];
}

export interface IncidentOf<K extends IncidentKind> {
  readonly kind: K;
  readonly reading: IncidentReadings[K];
  /** First and last line in the input that belong to it, counted from 1. */
  readonly firstLine: number;
  readonly lastLine: number;
  /** When: seconds since boot and the transport's clock, of its first line. */
  readonly seconds?: number;
  readonly wallClock?: string;
  /**
   * Which boot of its machine, as far as the input shows: one more where a kernel begins to boot and where uptime falls back; absent for the first.
   * `seconds` of two boots do not compare.
   */
  readonly boot?: number;
  readonly carried: readonly Carried[];
  /** Reports of the same kind that the kernel's rate limit swallowed just before this one. */
  readonly suppressedBefore?: number;
  /** Parts that a report of this kind has and this one lacks, because the input is cut or damaged. */
  readonly missing: readonly PartName[];
}

/** A closed union over the kinds. */
export type Incident = { readonly [K in IncidentKind]: IncidentOf<K> }[IncidentKind];

/** What reading a piece of a log gives. */
export interface IncidentsRead {
  readonly incidents: readonly Incident[];
  readonly notes: readonly LogNote[];
}

/** The lines that carry a part of an incident; empty when the report does not have it. */
export function linesOf(incident: { readonly carried: readonly Carried[] }, part: PartName): readonly LogLine[] {
  return incident.carried.find((c) => c.part === part)?.lines ?? [];
}

/** The machine that the lines of an incident name, as in a central log. */
export const hostOf = (incident: Pick<Incident, "carried">): string | undefined => incident.carried[0]?.lines[0]?.host;

/** Whether the uptimes of two incidents of one input are of one clock. */
export const oneClock = (a: Incident, b: Incident): boolean => a.boot === b.boot && hostOf(a) === hostOf(b);

/** Where an incident stands, and when it was. */
export interface Place {
  readonly firstLine: number;
  readonly lastLine: number;
  readonly seconds?: number;
  readonly wallClock?: string;
  /** The machine that its lines name. */
  readonly host?: string;
  /** As Incident has it: `seconds` of two boots do not compare. */
  readonly boot?: number;
}

export function placeOf(
  incident: Pick<Incident, "firstLine" | "lastLine" | "seconds" | "wallClock" | "boot" | "carried">,
): Place {
  const { firstLine, lastLine, seconds, wallClock, boot } = incident;
  const host = hostOf(incident);
  return {
    firstLine,
    lastLine,
    ...(seconds === undefined ? {} : { seconds }),
    ...(wallClock === undefined ? {} : { wallClock }),
    ...(host === undefined ? {} : { host }),
    ...(boot === undefined ? {} : { boot }),
  };
}
