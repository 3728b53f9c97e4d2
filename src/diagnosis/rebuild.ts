// Rebuilds the zones of a report in the model and asks the model's own watermark test of that release's generation whether the request
// may be served. No rule derives a watermark; a wrong answer here is a bug of the model, with the report as the fixture.
import type { AllocatorGfp } from "../kernel/facts/allocator_gfp.ts";
import { allocatorGfpAt } from "../kernel/facts/allocator_gfp.ts";
import type { MigrateTypes } from "../kernel/facts/mm_types.ts";
import { migrateTypeFacts, migrateTypesOf } from "../kernel/facts/mm_types.ts";
import type { WatermarkGeneration } from "../kernel/facts/mm_watermark.ts";
import {
  boostRetryAt,
  boostSince,
  singleFromHighatomicAt,
  watermarkGenerationOf,
} from "../kernel/facts/mm_watermark.ts";
import type { MemInfo, MemZone } from "../kernel/readings/mem_info.ts";
import {
  blocksPart,
  listedPages,
  reservePart,
  zoneCmaKb,
  zoneKb,
  zoneName,
} from "../kernel/readings/mem_info_extent.ts";
import type { Absent, Lack } from "../kernel/readings/part.ts";
import { closedOf, isKnown, isLack, none, seenOf } from "../kernel/readings/part.ts";
import type { Architecture } from "../kernel/release.ts";
import { atLeast, factAt } from "../kernel/release.ts";
import { allocFlag } from "../model/mm/alloc_flags.ts";
import type { RightsRules } from "../model/mm/rights.ts";
import { plainTask, requestAtMin, reserveFlags } from "../model/mm/rights.ts";
import type { WatermarkRequest, WatermarkVerdict, ZoneState } from "../model/mm/watermark.ts";
import { zoneStateFromReport, zoneWatermarkOk } from "../model/mm/watermark.ts";
import type { Case } from "./case.ts";

/** A zone whose lines do not say enough to rebuild it. */
export interface UntoldZone {
  readonly node: number;
  readonly name: string;
  readonly eligible: boolean;
  /** The line or field that is missing. */
  readonly lacks: string;
  /** Free pages as the buddy line lists them, where that is whole. */
  readonly listed: number | undefined;
}

/** One zone of the report as the model judges it. */
export interface RebuiltZone {
  readonly node: number;
  readonly name: string;
  readonly state: ZoneState;
  /** The request may use this zone at all. */
  readonly eligible: boolean;
  /** The model's answer to the request. */
  readonly verdict: WatermarkVerdict;
  /** Would a single page with the same rights have been served? */
  readonly single: WatermarkVerdict;
  /** Would the same request have been served if every list were open to it? Letters C and H say what is closed. */
  readonly open: WatermarkVerdict;
  /** Would it have been served if no page belonged to CMA? */
  readonly withoutCma: WatermarkVerdict;
  /** The first number that the text does not tell; empty when all are there. Amounts of `state` that it decides are the least possible. */
  readonly unsure: string;
}

/**
 * A zone that would serve as printed and refuses within the report's own error: its zone line and its buddy line count the same free pages and
 * differ, because memory moves while a report is printed and because the counter of the zone line lags behind by the CPUs' own shares
 * (mm/vmstat.c).
 */
export interface WithinError {
  readonly zone: RebuiltZone;
  /** By how many pages the two lines differ. */
  readonly error: number;
  /** Pages taken out of the printed state until the model refused; at most `error`. */
  readonly taken: number;
  /** The test without them. */
  readonly verdict: WatermarkVerdict;
}

export interface Rebuilt {
  readonly generation: WatermarkGeneration;
  readonly request: WatermarkRequest;
  readonly zones: readonly RebuiltZone[];
  readonly untold: readonly UntoldZone[];
  /** What would have said whether every zone refuses; undefined when all is there. */
  readonly lacks: string | undefined;
  /** The proof that no zone is missing, and that each that the request may use could be rebuilt. */
  readonly all: Absent | undefined;
  /** The marks did not apply: the task frees memory itself (PF_MEMALLOC) or carried __GFP_MEMALLOC. */
  readonly noWatermarks: boolean;
  /** __GFP_THISNODE on a machine with several nodes: only one node counted, and the report does not say which. */
  readonly oneNode: boolean;
  /** Every eligible zone refuses in the model, as the kernel did; undefined when a zone or a number is missing. */
  readonly refused: boolean | undefined;
  /** When `refused` is false: every zone that would serve, if each refuses within the report's own error; else undefined. */
  readonly within: readonly WithinError[] | undefined;
  /** A single page would have been refused by every eligible zone too. */
  readonly singleRefused: boolean | undefined;
}

/** Kernel zone types in rising order. */
const zoneOrder = ["DMA", "DMA32", "Normal", "HighMem", "Movable", "Device"] as const;

/** The zone types a kernel was built with, lowest first: those printed, and those that the length of lowmem_reserve[] still asks for. */
export function zoneTypesOf(
  m: { readonly zones: readonly { readonly name: string; readonly lowmemReserve?: readonly number[] | undefined }[] },
  arch: Architecture,
): readonly string[] {
  const printed = zoneOrder.filter((z) => m.zones.some((x) => x.name === z));
  const wanted = Math.max(printed.length, ...m.zones.flatMap((z) => z.lowmemReserve?.length ?? []));
  const wide = !["i386", "ppc32", "arm", "mips"].includes(arch);
  const likely = wide
    ? ["Normal", "Movable", "DMA32", "DMA", "Device"]
    : ["Normal", "HighMem", "Movable", "DMA", "DMA32", "Device"];
  const types = new Set<string>(printed);
  for (const z of likely) if (types.size < wanted) types.add(z);
  return zoneOrder.filter((z) => types.has(z));
}

/** gfp_zone(): the highest zone type that a mask allows, as an index into `types`. */
export function highestZoneOf(mask: number, bits: AllocatorGfp, types: readonly string[]): number {
  const has = (bit: number): boolean => bit !== 0 && (mask & bit) !== 0;
  const want = has(bits.dma)
    ? "DMA"
    : has(bits.dma32)
      ? "DMA32"
      : has(bits.highmem)
        ? has(bits.movable)
          ? "Movable"
          : "HighMem"
        : "Normal";
  const rank = zoneOrder.indexOf(want);
  return types.reduce((best, z, i) => (zoneOrder.indexOf(z as (typeof zoneOrder)[number]) <= rank ? i : best), 0);
}

const hasCma = (m: MemInfo): boolean =>
  m.zones.some(
    (z) => isKnown(z.kb.free_cma, (n) => n > 0) || z.freeLists?.blocks.some((b) => b.types?.includes("C")) === true,
  );

function typesAt(version: readonly number[], m: MemInfo): MigrateTypes {
  return migrateTypesOf(factAt(migrateTypeFacts, version)?.value ?? "2.6.24", hasCma(m));
}

const done = new WeakMap<Case, { readonly rebuilt: Rebuilt | undefined }>();

/** Rebuilds the zones of a case's report and asks the model, once a case; undefined without zones, mask and order. */
export function rebuild(c: Case): Rebuilt | undefined {
  const known = done.get(c) ?? { rebuilt: rebuildOnce(c) };
  done.set(c, known);
  return known.rebuilt;
}

function rebuildOnce(c: Case): Rebuilt | undefined {
  const { memInfo, gfp, order } = c;
  const bits = allocatorGfpAt(c.release.version);
  if (memInfo === undefined || gfp === undefined || order === undefined || bits === undefined) return undefined;
  if (memInfo.zones.length === 0) return undefined;
  const generation = watermarkGenerationOf(c.release);
  const rules: RightsRules = { gfp: bits, types: typesAt(c.release.version, memInfo), generation };
  const types = zoneTypesOf(memInfo, c.arch.arch);
  const highest = highestZoneOf(gfp.mask, bits, types);
  const inInterrupt = c.stack.context === "softirq" || c.stack.context === "interrupt";
  const task = {
    ...plainTask(),
    inInterrupt,
    memalloc: !inInterrupt && (/^kswapd\d/.test(c.process?.comm ?? "") || c.stack.reclaimFrame !== undefined),
  };
  const asked = requestAtMin(rules, gfp.mask, order, highest, task);
  // Before it kills, the OOM killer looks once more, at the high mark and without any right to the reserves (__alloc_pages_may_oom).
  const request: WatermarkRequest =
    c.incident.kind === "oom" ? { ...asked, mark: "high", high: false, harder: false, highatomic: false } : asked;
  const nodes = allowedNodes(c);
  const zones: RebuiltZone[] = [];
  const untold: UntoldZone[] = [];
  const ask: Asking = { c, memInfo, generation };
  for (const z of memInfo.zones) {
    const eligible = types.indexOf(z.name) <= highest && types.includes(z.name) && (nodes?.has(z.node) ?? true);
    const states = zoneStates(ask, z, request);
    if (isLack(states))
      untold.push({
        node: z.node,
        name: z.name,
        eligible,
        lacks: states.lacks,
        listed: listedWhole(memInfo, z, c.pageKb),
      });
    else zones.push(rebuiltZone(ask, z, eligible, states, request));
  }
  const gap = untold.find((z) => z.eligible);
  const all = none(c.zones, (z) => gap !== undefined && z.node === gap.node && z.name === gap.name);
  const complete = all !== undefined;
  const refused = (of: (z: RebuiltZone) => WatermarkVerdict): boolean | undefined => {
    const answer = refuses(zones, of, bound);
    return answer === true && !complete ? undefined : answer;
  };
  const bound = bits.thisnode !== 0 && (gfp.mask & bits.thisnode) !== 0;
  return {
    generation,
    request,
    zones,
    untold,
    all,
    lacks: gap?.lacks ?? (c.zones.state === "cut" || c.zones.state === "lost" ? c.zones.lacks : undefined),
    oneNode: bound && new Set(zones.map((z) => z.node)).size > 1,
    noWatermarks: (reserveFlags(rules, gfp.mask, task) & allocFlag.noWatermarks) !== 0,
    refused: refused((z) => z.verdict),
    within:
      complete && refused((z) => z.verdict) === false
        ? withinError(generation, request, zones, boostRetryAt(c.release))
        : undefined,
    singleRefused: refused((z) => z.single),
  };
}

interface Asking {
  readonly c: Case;
  readonly memInfo: MemInfo;
  readonly generation: WatermarkGeneration;
}

const listedWhole = (m: MemInfo, z: MemZone, pageKb: number): number | undefined =>
  closedOf(blocksPart(m, z, pageKb)) === undefined ? undefined : listedPages(z.freeLists);

/** A value that is not printed lies between these two; both are the same where it is. `lacks` names the line. */
interface Between {
  readonly least: number;
  readonly most: number;
  readonly lacks?: string;
}
const exactly = (value: number): Between => ({ least: value, most: value });

interface ZoneStates {
  /** The state that serves most, and the one that serves least, of all that the text allows. */
  readonly best: ZoneState;
  readonly worst: ZoneState;
  /** The first number that is not known; empty when all are. */
  readonly unsure: string;
}

/** Every state of a zone that its lines allow; a lack where free or min is missing. */
function zoneStates({ c, memInfo: m, generation }: Asking, z: MemZone, request: WatermarkRequest): ZoneStates | Lack {
  const free = zoneKb(m, z, "free");
  const min = zoneKb(m, z, "min");
  if (isLack(free)) return free;
  if (isLack(min)) return min;
  // The OOM killer's last look is at the high mark: no other mark stands in for it.
  const high = request.mark === "high" ? zoneKb(m, z, "high") : min;
  if (isLack(high)) return high;
  const cma = request.cma ? exactly(0) : cmaBetween(m, z, free, c.pageKb);
  const reserved = highatomicBetween(c, m, z, free);
  const reserve = closedOf(reservePart(m, z));
  const boost = boostBetween(c, z, min);
  const blocks = blocksSeen(m, z, c.pageKb, request.order, generation);
  const of = (end: "least" | "most"): ZoneState =>
    zoneStateFromReport({
      pageKb: c.pageKb,
      freeKb: free,
      minKb: min,
      lowKb: z.kb.low ?? min,
      highKb: z.kb.high ?? high,
      boostKb: boost[end === "least" ? "most" : "least"],
      freeCmaKb: cma[end],
      reservedHighatomicKb: reserved[end],
      lowmemReserve: reserve ?? (end === "least" ? [] : undefined),
      orders: blocks,
    });
  const best = of("least");
  const unsure =
    cma.lacks ??
    reserved.lacks ??
    boost.lacks ??
    (reserve === undefined ? `lowmem_reserve[] of ${zoneName(m, z)}` : "");
  // Whatever the reserve is, it takes away: what refuses without it refuses.
  const zeros = Array.from({ length: request.highestZone + 1 }, () => 0);
  return { best: reserve === undefined ? { ...best, lowmemReserve: zeros } : best, worst: of("most"), unsure };
}

function cmaBetween(m: MemInfo, z: MemZone, free: number, pageKb: number): Between {
  const told = zoneCmaKb(m, z);
  if (!isLack(told)) return exactly(told);
  const total = m.totals.free_cma;
  const only = m.zones.length === 1 && total !== undefined;
  const most = total === undefined ? free : Math.min(free, total * pageKb);
  return { least: only ? most : 0, most, lacks: told.lacks };
}

/** Printed since 5.5; before, at most one hundredth of the zone (and a block) could be reserved, and the letters H show it. */
function highatomicBetween(c: Case, m: MemInfo, z: MemZone, free: number): Between {
  const told = z.kb.reserved_highatomic;
  if (told !== undefined) return exactly(told);
  if (z.kb.active_anon !== undefined || !atLeast(c.release, [5, 5])) return exactly(0);
  return { least: 0, most: free, lacks: `reserved_highatomic in the line of ${zoneName(m, z)}` };
}

/**
 * The boost within the marks. From 5.0 to 5.15 it is not printed, and later a part of the line may be lost; low lies at least a quarter of the
 * unboosted mark above min (__setup_per_zone_wmarks), so that mark is at most four times the difference.
 */
function boostBetween(c: Case, z: MemZone, min: number): Between {
  if (z.kb.boost !== undefined) return exactly(z.kb.boost);
  if (!atLeast(c.release, boostSince)) return exactly(0);
  const hidden = hiddenBoostKb(z, min);
  if (hidden === undefined) return { least: 0, most: min, lacks: "the low mark, which shows a boost" };
  return hidden === 0 ? exactly(0) : { least: 0, most: hidden, lacks: "the boost, which the report does not print" };
}

/** Marks rise from min to high and stay below the zone's memory: another number was joined from the halves of a broken line. */
const isMark = (z: MemZone, low: number, min: number): boolean =>
  low >= min && low <= (z.kb.managed ?? z.kb.present ?? Number.POSITIVE_INFINITY);

/** By how much the min mark is above anything that low allows it to be without a boost; undefined when low is not printed. */
export function hiddenBoostKb(z: MemZone, min: number): number | undefined {
  if (z.kb.low === undefined || !isMark(z, z.kb.low, min)) return undefined;
  const plain = 4 * (z.kb.low - min);
  return min > plain + 64 ? min - plain : 0;
}

/** The blocks as far as they decide: a whole line, a line of which too little is missing for one block, or the part below the order. */
function blocksSeen(
  m: MemInfo,
  z: MemZone,
  pageKb: number,
  order: number,
  generation: WatermarkGeneration,
): readonly { readonly blocks: number; readonly letters: string | undefined }[] | undefined {
  const part = blocksPart(m, z, pageKb);
  const rows = (seenOf(part) ?? []).map((b) => ({ blocks: b.count, letters: b.types }));
  if (part.state === "whole") return rows;
  if (part.state !== "cut" || z.kb.free === undefined) return undefined;
  // Up to 4.3 only the blocks below the order count.
  if (generation < 2 && rows.length >= order) return rows;
  const listed = listedPages(z.freeLists);
  if (listed === undefined) return undefined;
  const rest = z.kb.free / pageKb - listed;
  return rows.length > 0 && rest >= 0 && rest < 2 ** order ? rows : undefined;
}

/** Asks the model with the best and with the worst state that the text allows: only where both agree it is an answer. */
function rebuiltZone(
  ask: Asking,
  z: MemZone,
  eligible: boolean,
  states: ZoneStates,
  request: WatermarkRequest,
): RebuiltZone {
  const { c, generation } = ask;
  const retry = boostRetryAt(c.release);
  const judge = (change: Partial<ZoneState>, asked: WatermarkRequest): WatermarkVerdict => {
    const best = withLists(
      c,
      { ...states.best, ...change },
      asked,
      zoneWatermarkOk(generation, { ...states.best, ...change }, asked, retry),
    );
    if (states.unsure === "" || best.ok === false) return best;
    const worst = zoneWatermarkOk(generation, { ...states.worst, ...change }, asked, retry);
    return worst.ok === best.ok
      ? best
      : { answer: "unknown", ok: undefined, because: best.because, missing: states.unsure };
  };
  return {
    node: z.node,
    name: z.name,
    state: states.best,
    eligible,
    verdict: judge({}, request),
    single: judge({}, { ...request, order: 0, highatomic: false }),
    withoutCma: judge({ freeCma: 0 }, { ...request, cma: true }),
    open: judge(
      { freeCma: 0, reservedHighatomic: 0 },
      { ...request, cma: true, oom: false, highatomic: true, harder: true },
    ),
    unsure: states.unsure,
  };
}

/**
 * A single page passes by the count of pages alone (zone_watermark_fast), but it must lie on a list that is open to the request: rmqueue()
 * gives one page from the atomic reserve since 6.12 only. Pages on per-CPU lists were tried before and are not in the buddy line.
 */
function withLists(c: Case, state: ZoneState, request: WatermarkRequest, verdict: WatermarkVerdict): WatermarkVerdict {
  if (verdict.ok !== true || request.order > 0 || request.oom) return verdict;
  if (state.orders === undefined)
    return atLeast(c.release, listLettersSince)
      ? {
          answer: "unknown",
          ok: undefined,
          because: verdict.because,
          missing: "the buddy line, which shows on whose lists the free pages are",
        }
      : verdict;
  const open = `UMER${request.cma ? "C" : ""}${request.harder && singleFromHighatomicAt(c.release) ? "H" : ""}`;
  const rows = state.orders.filter((o) => o.blocks > 0);
  if (rows.length === 0 || rows.some((o) => o.letters === undefined || [...o.letters].some((l) => open.includes(l))))
    return verdict;
  const letters = [...new Set(rows.flatMap((o) => [...(o.letters ?? "")]))].join("");
  const text = `every free block is on a list of ${letters}, none on a list of ${open.replace("R", "")}`;
  return { answer: "no", ok: false, because: [...verdict.because, { text, passed: false }] };
}

/** From here on a buddy line says of which types its blocks are (mm/page_alloc.c show_migration_types(), commit 377e4f167664 of December 2012). */
const listLettersSince: readonly number[] = [3, 8];

/** Pages by which a zone's two lines may differ: what its CPUs count apart (at most 125 each, mm/vmstat.c), and what others took between them. */
const mostDrift = 1 << 14;

/** Takes the least out of each zone that would serve, never more than its two lines differ by; undefined unless all of them then refuse. */
function withinError(
  generation: WatermarkGeneration,
  request: WatermarkRequest,
  zones: readonly RebuiltZone[],
  retry: boolean,
): readonly WithinError[] | undefined {
  const all: WithinError[] = [];
  for (const zone of zones) {
    if (!zone.eligible || zone.verdict.ok !== true) continue;
    const { free, orders } = zone.state;
    if (orders === undefined) return undefined;
    const error = Math.abs(free - orders.reduce((n, o, order) => n + o.blocks * 2 ** order, 0));
    if (error > mostDrift) return undefined;
    const left = orders.map((o) => ({ ...o }));
    const ask = (taken: number): WatermarkVerdict =>
      zoneWatermarkOk(generation, { ...zone.state, free: free - taken, orders: left }, request, retry);
    let taken = 0;
    for (let order = request.order; order < left.length && ask(taken).ok === true; ) {
      const row = left[order];
      if (row === undefined || row.blocks === 0) order++;
      else if (taken + 2 ** order > error) break;
      else {
        row.blocks--;
        if (row.blocks === 0) row.letters = "";
        taken += 2 ** order;
      }
    }
    const verdict = ask(taken);
    if (verdict.ok !== false) return undefined;
    all.push({ zone, error, taken, verdict });
  }
  return all;
}

/** A request bound to one node was refused when any single node refuses it. */
function refuses(
  zones: readonly RebuiltZone[],
  of: (z: RebuiltZone) => WatermarkVerdict,
  bound: boolean,
): boolean | undefined {
  if (!bound) return everyRefuses(zones, of);
  const verdicts = [...new Set(zones.map((z) => z.node))].map((node) =>
    everyRefuses(
      zones.filter((z) => z.node === node),
      of,
    ),
  );
  return verdicts.includes(true) ? true : verdicts.includes(undefined) ? undefined : false;
}

/** The nodes that nodemask and cpuset leave; undefined when they say nothing. Atomic requests do not ask the cpuset. */
function allowedNodes(c: Case): ReadonlySet<number> | undefined {
  const reading = c.incident.kind === "alloc_failure" || c.incident.kind === "oom" ? c.incident.reading : undefined;
  const lists = [reading?.nodemask, c.stack.context === "process" ? reading?.memsAllowed : undefined];
  let allowed: Set<number> | undefined;
  for (const list of lists) {
    const nodes = nodesOf(list);
    if (nodes === undefined) continue;
    const before = allowed;
    allowed = before === undefined ? nodes : new Set([...nodes].filter((n) => before.has(n)));
  }
  return allowed;
}

/** `0-1,3`; undefined for `(null)` and for anything else. */
export function nodesOf(list: string | undefined): Set<number> | undefined {
  if (list === undefined || !/^\d{1,4}(-\d{1,4})?(,\d{1,4}(-\d{1,4})?)*$/.test(list)) return undefined;
  const nodes = new Set<number>();
  for (const part of list.split(",")) {
    const [from = 0, to = from] = part.split("-").map(Number);
    for (let n = from; n <= Math.min(to, 4095); n++) nodes.add(n);
  }
  return nodes;
}

function everyRefuses(zones: readonly RebuiltZone[], of: (z: RebuiltZone) => WatermarkVerdict): boolean | undefined {
  const eligible = zones.filter((z) => z.eligible);
  if (eligible.some((z) => of(z).ok === true)) return false;
  if (eligible.length === 0 || eligible.some((z) => of(z).ok === undefined)) return undefined;
  return true;
}
