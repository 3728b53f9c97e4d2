// May this zone serve this request? The test of each generation as a function of values, with the arithmetic it did.
// The allocator runs the same rules over its columns (zone_watermark.ts); a seeded test holds the two together.
// A report that leaves something out gets "unknown" and is told what was missing, never a guess.
import type { WatermarkGeneration } from "../../kernel/facts/mm_watermark.ts";

/** Free blocks of one order. */
export interface OrderState {
  readonly blocks: number;
  /** Letters of the lists that hold at least one (U M E H C I R); undefined when the report does not print them. */
  readonly letters: string | undefined;
}

/** A zone as the test sees it, in pages. */
export interface ZoneState {
  /** NR_FREE_PAGES, the global counter. */
  readonly free: number;
  /** Watermarks, boost included, as every report prints them. */
  readonly min: number;
  readonly low: number;
  readonly high: number;
  /** The part of the watermarks that is a temporary boost (since 5.0). */
  readonly boost: number;
  /** lowmem_reserve[] (protection[] in 2.6.9), by zone index; undefined when the report does not print it. */
  readonly lowmemReserve: readonly number[] | undefined;
  /** By order, from 0; undefined when the report has no buddy line for the zone. */
  readonly orders: readonly OrderState[] | undefined;
  readonly freeCma: number;
  readonly reservedHighatomic: number;
}

/** What a request may do. `rightsAtMin` in rights.ts derives it from a gfp mask. */
export interface WatermarkRequest {
  readonly order: number;
  readonly mark: "min" | "low" | "high";
  /** Index into lowmemReserve: the highest zone the request could use. */
  readonly highestZone: number;
  /** __GFP_HIGH: half of the mark. */
  readonly high: boolean;
  /** ALLOC_HARDER / ALLOC_NON_BLOCK: another quarter. */
  readonly harder: boolean;
  /** The task was chosen by the OOM killer. */
  readonly oom: boolean;
  /** Movable requests may use CMA pages. */
  readonly cma: boolean;
  /** ALLOC_HIGHATOMIC (W3): the high-order atomic reserve may be used. In W2 `harder` says it. */
  readonly highatomic: boolean;
}

/** One comparison that the kernel made. */
export interface WatermarkStep {
  /** In words, with the numbers. */
  readonly text: string;
  readonly passed: boolean | undefined;
  /** The two sides in pages, where numbers were compared: `usable` had to exceed `limit`. */
  readonly compared?: { readonly usable: number; readonly limit: number; readonly ladder: Ladder };
}

/** A number on the way to one side of a comparison: what was done to the one before it, and what came of it, in pages. */
export interface Rung {
  readonly what: string;
  readonly pages: number;
}

/** How both sides of a comparison came about; the last rung of `free` is `usable`, that of `mark` is `limit`. */
export interface Ladder {
  readonly free: readonly Rung[];
  readonly mark: readonly Rung[];
}

export interface WatermarkVerdict {
  readonly answer: "yes" | "no" | "unknown";
  /** True, false, or undefined when the report does not say. */
  readonly ok: boolean | undefined;
  readonly because: readonly WatermarkStep[];
  /** Which line of a report would have decided an "unknown". */
  readonly missing?: string;
}

/** Numbers as a failure report prints them: kB for amounts, pages for lowmem_reserve. */
export interface ReportedZone {
  readonly pageKb: number;
  readonly freeKb: number;
  readonly minKb: number;
  readonly lowKb: number;
  readonly highKb: number;
  readonly boostKb?: number | undefined;
  readonly freeCmaKb?: number | undefined;
  readonly reservedHighatomicKb?: number | undefined;
  readonly lowmemReserve?: readonly number[] | undefined;
  readonly orders?: readonly { readonly blocks: number; readonly letters?: string | undefined }[] | undefined;
}

/** A zone from a report's zone line, lowmem_reserve line and buddy line. */
export function zoneStateFromReport(zone: ReportedZone): ZoneState {
  const pages = (kb: number | undefined): number => Math.floor((kb ?? 0) / zone.pageKb);
  return {
    free: pages(zone.freeKb),
    min: pages(zone.minKb),
    low: pages(zone.lowKb),
    high: pages(zone.highKb),
    boost: pages(zone.boostKb),
    lowmemReserve: zone.lowmemReserve,
    orders: zone.orders?.map((o) => ({ blocks: o.blocks, letters: o.letters })),
    freeCma: pages(zone.freeCmaKb),
    reservedHighatomic: pages(zone.reservedHighatomicKb),
  };
}

/**
 * The watermark test of a generation on one zone: yes, no, or what the report does not say; with every comparison. `boostRetry`: an atomic
 * request for one page is tried again without the boost (kernel/facts/mm_watermark.ts, boostRetryAt).
 */
export function zoneWatermarkOk(
  generation: WatermarkGeneration,
  zone: ZoneState,
  request: WatermarkRequest,
  boostRetry: boolean = generation === 3,
): WatermarkVerdict {
  return inWords(judge(generation, zone, request, boostRetry));
}

/** The answer of zoneWatermarkOk alone. */
export const watermarkAnswer = (
  generation: WatermarkGeneration,
  zone: ZoneState,
  request: WatermarkRequest,
): WatermarkAnswer => judge(generation, zone, request, generation === 3);

function judge(
  generation: WatermarkGeneration,
  zone: ZoneState,
  request: WatermarkRequest,
  boostRetry: boolean,
): Judged {
  const reserve = zone.lowmemReserve?.[request.highestZone];
  if (reserve === undefined)
    return { ok: undefined, spare: 0, steps: () => [], missing: "the zone's lowmem_reserve[] line" };
  const judged =
    generation === 0
      ? testW0(zone, request, reserve)
      : generation === 1
        ? testW1(zone, request, reserve)
        : testSince44(generation, zone, request, reserve);
  if (!boostRetry || judged.ok !== false || !mayIgnoreBoost(zone, request)) return judged;
  const without = testSince44(generation, zone, request, reserve, zone.boost);
  return {
    ...without,
    steps: () => [
      ...judged.steps(),
      { text: "an atomic request for one page ignores the boost", passed: undefined },
      ...without.steps(),
    ],
  };
}

const mayIgnoreBoost = (zone: ZoneState, request: WatermarkRequest): boolean =>
  request.order === 0 && request.mark === "min" && request.high && request.harder && zone.boost > 0;

/** What the test answers, without the words. */
export interface WatermarkAnswer {
  /** True, false, or undefined when the report does not say. */
  readonly ok: boolean | undefined;
  /** By how many pages the first comparison was passed; below 1 where it was not. */
  readonly spare: number;
  readonly missing?: string;
}

/** An answer, and its steps when somebody wants to read them: who only counts grants asks a thousand times. */
interface Judged extends WatermarkAnswer {
  readonly steps: () => readonly WatermarkStep[];
}

const inWords = ({ ok, steps, missing }: Judged): WatermarkVerdict => ({
  answer: ok === undefined ? "unknown" : ok ? "yes" : "no",
  ok,
  because: steps(),
  ...(missing === undefined ? {} : { missing }),
});

/** The mark after the request's cuts, and how it came about. */
interface CutMark {
  readonly value: number;
  readonly text: () => string;
  readonly rungs: () => readonly Rung[];
}

/** `boost`: pages of boost that were taken off the printed mark before the test began. */
function startOf(mark: number, name: string, boost = 0): CutMark {
  return {
    value: mark,
    text: () => `${name} ${mark}`,
    rungs: () => [
      { what: name, pages: mark + boost },
      ...(boost === 0 ? [] : [{ what: "without the boost", pages: mark }]),
    ],
  };
}

function lowered({ value, text, rungs }: CutMark, by: number, what: string, words: (pages: number) => string): CutMark {
  const pages = value - Math.floor(value / by);
  return { value: pages, text: () => `${text()}, ${words(pages)}`, rungs: () => [...rungs(), { what, pages }] };
}

function cutOld(start: CutMark, request: Pick<WatermarkRequest, "high" | "harder">): CutMark {
  let cut = start;
  if (request.high) cut = lowered(cut, 2, "halved for __GFP_HIGH", (n) => `halved for __GFP_HIGH to ${n}`);
  if (request.harder)
    cut = lowered(cut, 4, "less a quarter for trying harder", (n) => `less a quarter for trying harder: ${n}`);
  return cut;
}

function cutSince44(generation: WatermarkGeneration, start: CutMark, request: WatermarkRequest): CutMark {
  // W2: the extra quarter not for an OOM victim; W3: only together with __GFP_HIGH.
  const harder = request.harder && (generation === 2 ? !request.oom : request.high);
  const cut = cutOld(start, { high: request.high, harder });
  return request.oom ? lowered(cut, 2, "halved for an OOM victim", (n) => `halved for an OOM victim to ${n}`) : cut;
}

/** The limit: the cut mark and what is kept for requests that have only this zone. */
const withReserve = (mark: CutMark, reserve: number): readonly Rung[] =>
  reserve === 0
    ? mark.rungs()
    : [...mark.rungs(), { what: `plus lowmem_reserve ${reserve}`, pages: mark.value + reserve }];

/** Free pages, and what is taken off before they are compared; amounts of 0 are left out. */
function takenOff(free: number, parts: readonly (readonly [what: string, pages: number])[]): readonly Rung[] {
  const rungs: Rung[] = [{ what: "free", pages: free }];
  let left = free;
  for (const [what, pages] of parts) {
    if (pages === 0) continue;
    left -= pages;
    rungs.push({ what, pages: left });
  }
  return rungs;
}

const restOf = (order: number): readonly [string, number] => {
  const rest = 2 ** order - 1;
  return [`less the other ${rest} of order ${order}`, rest];
};

/** 2.6.9: no look at the orders; the free lists decide afterwards. */
function testW0(zone: ZoneState, request: WatermarkRequest, reserve: number): Judged {
  const mark = cutOld(startOf(zone[request.mark], request.mark), request);
  const need = mark.value + (1 << request.order) + reserve;
  const ok = zone.free >= need;
  const text = `free ${zone.free} must reach ${mark.text()} + 2^${request.order} + protection ${reserve} = ${need}`;
  const rungs = [
    ...withReserve(mark, reserve),
    { what: `plus ${2 ** request.order} pages, which free may just reach`, pages: need - 1 },
  ];
  const ladder = { free: takenOff(zone.free, []), mark: rungs };
  return {
    ok,
    spare: zone.free - (need - 1),
    steps: () => [{ text, passed: ok, compared: { usable: zone.free, limit: need - 1, ladder } }],
  };
}

/** 2.6.11 to 4.3: blocks too small for the request are taken off order by order, against a mark that halves. */
function testW1(zone: ZoneState, request: WatermarkRequest, reserve: number): Judged {
  const because: WatermarkStep[] = [];
  const mark = cutOld(startOf(zone[request.mark], request.mark), request);
  let left = zone.free - ((1 << request.order) - 1);
  const cma = request.cma ? 0 : zone.freeCma;
  const usable = left - cma;
  const first = usable > mark.value + reserve;
  const spare = usable - (mark.value + reserve);
  const steps = (): readonly WatermarkStep[] => because;
  because.push({
    text:
      `free ${zone.free} - ${(1 << request.order) - 1}${cma > 0 ? ` - ${cma} CMA` : ""} = ${usable} ` +
      `must exceed ${mark.text()} + lowmem_reserve ${reserve} = ${mark.value + reserve}`,
    passed: first,
    compared: {
      usable,
      limit: mark.value + reserve,
      ladder: {
        free: takenOff(zone.free, [restOf(request.order), ["less CMA", cma]]),
        mark: withReserve(mark, reserve),
      },
    },
  });
  if (!first || request.order === 0) return { ok: first, spare, steps };
  if (zone.orders === undefined)
    return { ok: undefined, spare, steps, missing: "the zone's buddy line (blocks by order)" };
  let min = mark.value;
  for (let order = 0; order < request.order; order++) {
    const blocks = zone.orders[order]?.blocks ?? 0;
    const before = { free: { what: "free", pages: left }, mark: { what: "mark", pages: min } };
    left -= blocks * 2 ** order;
    min = Math.floor(min / 2);
    const without = `without the ${blocks} block${blocks === 1 ? "" : "s"} of order ${order}`;
    const ladder = {
      free: [before.free, { what: without, pages: left }],
      mark: [before.mark, { what: `halved for order ${order}`, pages: min }],
    };
    const passed = left > min;
    because.push({
      text: `${without}: ${left} must exceed ${min}`,
      passed,
      compared: { usable: left, limit: min, ladder },
    });
    if (!passed) return { ok: false, spare, steps };
  }
  return { ok: true, spare, steps };
}

/** Since 4.4: one comparison, then any one block of sufficient order on a list the request may use. */
function testSince44(
  generation: WatermarkGeneration,
  zone: ZoneState,
  request: WatermarkRequest,
  reserve: number,
  boost = 0,
): Judged {
  const mayReserves = request.harder || request.oom || (generation === 3 && (request.high || request.highatomic));
  const highatomic = mayReserves ? 0 : zone.reservedHighatomic;
  const cma = request.cma ? 0 : zone.freeCma;
  const usable = zone.free - ((1 << request.order) - 1) - highatomic - cma;
  const start = startOf(zone[request.mark] - boost, request.mark, boost);
  const mark = cutSince44(generation, start, request);
  const spare = usable - (mark.value + reserve);
  const first = spare > 0;
  const comparison = (): WatermarkStep => {
    const taken = [
      `free ${zone.free} - ${(1 << request.order) - 1}`,
      ...(highatomic > 0 ? [`${highatomic} reserved for high-order atomic`] : []),
      ...(cma > 0 ? [`${cma} CMA`] : []),
    ].join(" - ");
    return {
      text: `${taken} = ${usable} must exceed ${mark.text()} + lowmem_reserve ${reserve} = ${mark.value + reserve}`,
      passed: first,
      compared: {
        usable,
        limit: mark.value + reserve,
        ladder: {
          free: takenOff(zone.free, [
            restOf(request.order),
            ["less what is reserved for high-order atomic", highatomic],
            ["less CMA", cma],
          ]),
          mark: withReserve(mark, reserve),
        },
      },
    };
  };
  if (!first || request.order === 0) return { ok: first, spare, steps: () => [comparison()] };
  return blockTest(generation, zone, request, spare, comparison);
}

function blockTest(
  generation: WatermarkGeneration,
  zone: ZoneState,
  request: WatermarkRequest,
  spare: number,
  comparison: () => WatermarkStep,
): Judged {
  const { orders } = zone;
  if (orders === undefined)
    return { ok: undefined, spare, steps: () => [comparison()], missing: "the zone's buddy line (blocks by order)" };
  const reserveList = request.oom || (generation === 3 ? request.highatomic : request.harder);
  const allowed = `UME${request.cma ? "C" : ""}${reserveList ? "H" : ""}`;
  let unsure = false;
  // A damaged report may name an order below 0.
  let order = request.order;
  for (; order < orders.length; order++) {
    const { blocks, letters } = orders[order] ?? { blocks: 0, letters: "" };
    if (blocks === 0) continue;
    if (letters === undefined) unsure = true;
    else if ([...letters].some((letter) => allowed.includes(letter))) break;
  }
  const has = order < orders.length;
  const found = (): string[] =>
    Array.from({ length: Math.max(0, Math.min(order + 1, orders.length) - request.order) }, (_, i) => request.order + i)
      .filter((o) => (orders[o]?.blocks ?? 0) !== 0)
      .map((o) => {
        const { blocks, letters } = orders[o]!;
        return `${blocks} of order ${o}${letters === undefined ? "" : ` (${letters})`}`;
      });
  if (has)
    return {
      ok: true,
      spare,
      steps: () => [comparison(), { text: `${found().at(-1)}: a list of ${allowed} has a block`, passed: true }],
    };
  if (unsure)
    return {
      ok: undefined,
      spare,
      steps: () => [comparison(), { text: `${found().join(", ")}: on which lists?`, passed: undefined }],
      missing: "the letters after each count of the zone's buddy line, as (UME)",
    };
  const steps = (): readonly WatermarkStep[] => {
    const all = found();
    const text =
      all.length === 0
        ? `no free block of order ${request.order} or above`
        : `only ${all.join(", ")}, none on a list of ${allowed}`;
    return [comparison(), { text, passed: false }];
  };
  return { ok: false, spare, steps };
}
