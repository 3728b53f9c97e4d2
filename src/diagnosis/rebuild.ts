// Rebuilds the zones of a report in the model and asks the model's own watermark test of that release's generation whether the request
// may be served. No rule derives a watermark; a wrong answer here is a bug of the model, with the report as the fixture.
import type { AllocatorGfp } from "../kernel/facts/allocator_gfp.ts";
import { allocatorGfpAt } from "../kernel/facts/allocator_gfp.ts";
import type { MigrateTypes } from "../kernel/facts/mm_types.ts";
import { migrateTypeFacts, migrateTypesOf } from "../kernel/facts/mm_types.ts";
import type { WatermarkGeneration } from "../kernel/facts/mm_watermark.ts";
import { watermarkGenerationOf } from "../kernel/facts/mm_watermark.ts";
import type { MemInfo, MemZone } from "../kernel/readings/mem_info.ts";
import type { Architecture } from "../kernel/release.ts";
import { factAt } from "../kernel/release.ts";
import { allocFlag } from "../model/mm/alloc_flags.ts";
import type { RightsRules } from "../model/mm/rights.ts";
import { plainTask, requestAtMin, reserveFlags } from "../model/mm/rights.ts";
import type { WatermarkRequest, WatermarkVerdict, ZoneState } from "../model/mm/watermark.ts";
import { zoneStateFromReport, zoneWatermarkOk } from "../model/mm/watermark.ts";
import type { Case } from "./case.ts";

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
  /** The marks did not apply: the task frees memory itself (PF_MEMALLOC) or carried __GFP_MEMALLOC. */
  readonly noWatermarks: boolean;
  /** __GFP_THISNODE on a machine with several nodes: only one node counted, and the report does not say which. */
  readonly oneNode: boolean;
  /** Every eligible zone refuses in the model, as the kernel did; undefined when a zone's line is missing. */
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
  const wanted = Math.max(printed.length, ...m.zones.map((z) => z.lowmemReserve?.length ?? 0));
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
  m.zones.some((z) => (z.kb.free_cma ?? 0) > 0 || z.freeLists?.blocks.some((b) => b.types?.includes("C")) === true);

function typesAt(version: readonly number[], m: MemInfo): MigrateTypes {
  return migrateTypesOf(factAt(migrateTypeFacts, version)?.value ?? "2.6.24", hasCma(m));
}

function stateOf(z: MemZone, pageKb: number): ZoneState {
  return zoneStateFromReport({
    pageKb,
    freeKb: z.kb.free ?? 0,
    minKb: z.kb.min ?? 0,
    lowKb: z.kb.low ?? 0,
    highKb: z.kb.high ?? 0,
    boostKb: z.kb.boost,
    freeCmaKb: z.kb.free_cma,
    reservedHighatomicKb: z.kb.reserved_highatomic,
    lowmemReserve: z.lowmemReserve,
    orders: z.freeLists?.blocks.map((b) => ({ blocks: b.count, letters: b.types })),
  });
}

/** Rebuilds the zones of a case's report and asks the model; undefined without Mem-Info, mask and order. */
export function rebuild(c: Case): Rebuilt | undefined {
  const { memInfo, gfp, order } = c;
  const bits = allocatorGfpAt(c.release.version);
  if (memInfo === undefined || gfp === undefined || order === undefined || bits === undefined) return undefined;
  if (memInfo.zones.length === 0) return undefined;
  const generation = watermarkGenerationOf(c.release);
  const rules: RightsRules = { gfp: bits, types: typesAt(c.release.version, memInfo), generation };
  const types = zoneTypesOf(memInfo, c.arch.arch);
  const highest = highestZoneOf(gfp.mask, bits, types);
  const task = {
    ...plainTask(),
    inInterrupt: c.stack.context === "softirq" || c.stack.context === "interrupt",
    memalloc: /^kswapd\d/.test(c.process?.comm ?? "") && c.stack.context !== "softirq",
  };
  const asked = requestAtMin(rules, gfp.mask, order, highest, task);
  // Before it kills, the OOM killer looks once more, at the high mark and without any right to the reserves (__alloc_pages_may_oom).
  const request: WatermarkRequest =
    c.incident.kind === "oom" ? { ...asked, mark: "high", high: false, harder: false, highatomic: false } : asked;
  const nodes = allowedNodes(c);
  const zones = memInfo.zones.map((z): RebuiltZone => {
    const state = stateOf(z, c.pageKb);
    return {
      node: z.node,
      name: z.name,
      state,
      eligible: types.indexOf(z.name) <= highest && types.includes(z.name) && (nodes?.has(z.node) ?? true),
      verdict: zoneWatermarkOk(generation, state, request),
      single: zoneWatermarkOk(generation, state, { ...request, order: 0, highatomic: false }),
      open: zoneWatermarkOk(
        generation,
        { ...state, freeCma: 0, reservedHighatomic: 0 },
        { ...request, cma: true, oom: false, highatomic: true, harder: true },
      ),
    };
  });
  const refused = (of: (z: RebuiltZone) => WatermarkVerdict): boolean | undefined => refuses(zones, of, bound);
  const bound = bits.thisnode !== 0 && (gfp.mask & bits.thisnode) !== 0;
  return {
    generation,
    request,
    zones,
    oneNode: bound && new Set(zones.map((z) => z.node)).size > 1,
    noWatermarks: (reserveFlags(rules, gfp.mask, task) & allocFlag.noWatermarks) !== 0,
    refused: refused((z) => z.verdict),
    within: refused((z) => z.verdict) === false ? withinError(generation, request, zones) : undefined,
    singleRefused: refused((z) => z.single),
  };
}

/** Takes the least out of each zone that would serve, never more than its two lines differ by; undefined unless all of them then refuse. */
function withinError(
  generation: WatermarkGeneration,
  request: WatermarkRequest,
  zones: readonly RebuiltZone[],
): readonly WithinError[] | undefined {
  const all: WithinError[] = [];
  for (const zone of zones) {
    if (!zone.eligible || zone.verdict.ok !== true) continue;
    const { free, orders } = zone.state;
    if (orders === undefined) return undefined;
    const error = Math.abs(free - orders.reduce((n, o, order) => n + o.blocks * 2 ** order, 0));
    const left = orders.map((o) => ({ ...o }));
    const ask = (taken: number): WatermarkVerdict =>
      zoneWatermarkOk(generation, { ...zone.state, free: free - taken, orders: left }, request);
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
