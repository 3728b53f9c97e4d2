// Reads a recording of the page allocator (formats ora_buddy/0 to /2): header, zones before, steps, zones after, end. One JSON object a line.
// Shape and consistency are checked here, so that the replay can trust what it gets; anything wrong is BadInput with file and line.
import { BadInput } from "../base/bad_input.ts";
import type { TranscriptInput } from "./replayer.ts";
import { objectAt } from "./replayer.ts";

/** One version of the recorder: what a step samples (`s`), and which numbers it shows of a CPU's lists. */
interface BuddyFormat {
  readonly state: readonly string[];
  readonly lists: readonly string[];
  /** Per-CPU lists tell each page's cached type; else the type of its pageblock when the line was written. */
  readonly typesCached: boolean;
  readonly freeHighatomic: boolean;
}

/** /0 is of 5.10, /1 of 6.1, /2 of 6.12 and 7.2. */
const buddyFormats: Readonly<Record<string, BuddyFormat>> = {
  "ora_buddy/0": {
    state: ["nr_free_pages", "nr_free_diff", "pcp_count", "zone_flags", "watermark_boost"],
    lists: ["count", "high", "batch"],
    typesCached: true,
    freeHighatomic: false,
  },
  "ora_buddy/1": {
    state: ["nr_free_pages", "nr_free_diff", "pcp_count", "pcp_free_factor", "watermark_boost"],
    lists: ["count", "high", "batch", "free_factor"],
    typesCached: true,
    freeHighatomic: false,
  },
  "ora_buddy/2": {
    state: [
      "nr_free_pages",
      "nr_free_diff",
      "pcp_count",
      "pcp_free_count",
      "watermark_boost",
      "pcp_high",
      "pcp_alloc_factor",
      "pcp_flags",
      "zone_flags",
      "nr_free_highatomic",
    ],
    lists: ["count", "high", "batch", "high_min", "high_max", "alloc_factor", "free_count", "flags"],
    typesCached: false,
    freeHighatomic: true,
  },
};

/** Line 1. */
export interface BuddyHeader {
  readonly format: string;
  readonly release: string;
  /** uname -v */
  readonly version: string;
  /** Names of what `s` samples after each step. */
  readonly state: readonly string[];
  /** Names of the numbers of a CPU's lists. */
  readonly listFields: readonly string[];
  readonly typesCached: boolean;
  readonly freeHighatomic: boolean;
  readonly realtime: boolean;
  readonly scenario: string;
  readonly cpu: number;
  readonly orders: number;
  readonly pageblockOrder: number;
  readonly pageShift: number;
  readonly pcpLists: number;
  readonly migrateTypes: number;
  readonly boostFactor: number;
  readonly groupingDisabled: boolean;
  readonly refzone: number;
  readonly gfps: ReadonlyMap<string, number>;
}

export interface BuddyPcp {
  readonly cpu: number;
  readonly count: number;
  /** By the names of BuddyHeader.listFields. */
  readonly fields: ReadonlyMap<string, number>;
  readonly statThreshold: number;
  readonly freeDiff: number;
  /** 0 where the recorder does not show it. */
  readonly expire: number;
  /** list index → [pfn, cached type], head first */
  readonly lists: ReadonlyMap<number, readonly (readonly [number, number])[]>;
}

/** A zone line. */
export interface BuddyZone {
  readonly line: number;
  readonly name: string;
  readonly index: number;
  readonly start: number;
  readonly spanned: number;
  readonly present: number;
  readonly managed: number;
  readonly watermark: readonly number[];
  readonly boost: number;
  readonly reservedHighatomic: number;
  /** nr_free_highatomic; 0 where the format does not have it. */
  readonly freeHighatomic: number;
  readonly flags: number;
  readonly free: number;
  readonly driftMark: number;
  readonly lowmemReserve: readonly number[];
  readonly nrFree: readonly number[];
  /** order * 8 + type → pfns, head first */
  readonly lists: ReadonlyMap<number, readonly number[]>;
  readonly pcp: readonly BuddyPcp[];
  readonly pageblockFlags: readonly number[];
  readonly lruRanges: readonly (readonly [number, number])[];
  /** vm_stat_nr_free_pages_blocks and nr_free_cma, where the recorder shows them. */
  readonly freeInBlocks: number | undefined;
  readonly freeCma: number | undefined;
}

/** A step line as it stands in the file; `t` tells which fields it has. */
export interface BuddyStep {
  readonly t: "a" | "f" | "b" | "bp";
  readonly i: number;
  readonly g?: string;
  readonly o?: number;
  readonly id?: number;
  readonly pfn?: number | null;
  readonly z?: number;
  readonly pb?: number;
  readonly want?: number;
  readonly got?: number;
  readonly s?: readonly number[];
  readonly ev?: readonly (readonly [string, ...number[]])[];
}

export interface BuddyTranscript {
  readonly header: BuddyHeader;
  readonly before: readonly BuddyZone[];
  readonly after: readonly BuddyZone[];
  /** Index of the first step in `input.lines`, and one past the last. */
  readonly firstStep: number;
  readonly endStep: number;
}

/** What a line can be asked for; every miss is a BadInput that names file, line and field. */
export interface Fields {
  readonly bad: (sentence: string, advice?: string) => BadInput;
  has(name: string): boolean;
  number(name: string): number;
  text(name: string): string;
  numbers(name: string): readonly number[];
  record(name: string): Readonly<Record<string, unknown>>;
  list(name: string): readonly unknown[];
}

function fieldsOf(input: TranscriptInput, index: number, value: Readonly<Record<string, unknown>>): Fields {
  const bad = (sentence: string, advice?: string): BadInput =>
    new BadInput(sentence, { file: input.path, line: index + 1 }, advice);
  const list = (name: string): readonly unknown[] => {
    const v = value[name];
    if (!Array.isArray(v)) throw bad(`"${name}" is not a list.`);
    return v;
  };
  return {
    bad,
    list,
    has: (name) => value[name] !== undefined,
    number(name) {
      const v = value[name];
      if (typeof v !== "number" || !Number.isSafeInteger(v)) throw bad(`"${name}" is not a whole number.`);
      return v;
    },
    text(name) {
      const v = value[name];
      if (typeof v !== "string") throw bad(`"${name}" is not a text.`);
      return v;
    },
    numbers(name) {
      const v = list(name);
      if (!v.every((x) => typeof x === "number" && Number.isSafeInteger(x)))
        throw bad(`"${name}" holds something that is not a whole number.`);
      return v as readonly number[];
    },
    record(name) {
      const v = value[name];
      if (typeof v !== "object" || v === null || Array.isArray(v)) throw bad(`"${name}" is not an object.`);
      return v as Readonly<Record<string, unknown>>;
    },
  };
}

/** Reads everything but the steps, which the replay parses as it goes. */
export function readBuddyTranscript(input: TranscriptInput): BuddyTranscript {
  const { lines } = input;
  const header = readHeader(fieldsOf(input, 0, objectAt(input, 0)));
  const before: BuddyZone[] = [];
  let at = 1;
  for (; at < lines.length && lines[at]?.startsWith('{"t":"zone"'); at++)
    before.push(readZone(input, at, header, "before"));
  const here = (line: number): { file: string; line: number } => ({ file: input.path, line });
  if (before.length === 0) throw new BadInput("No zone is described before the first step.", here(at + 1));
  const last = lines.length - 1;
  const end = objectAt(input, last);
  if (end.t !== "end")
    throw new BadInput("The transcript has no end line: it is cut off.", here(last + 1), "Copy it again, whole.");
  const truncated = end.truncated ?? end.out_truncated;
  if (truncated !== 0)
    throw new BadInput(
      truncated === undefined
        ? "The end line does not say whether the recorder ran out of room."
        : "The recorder itself ran out of room (truncated).",
      here(last + 1),
      "Record it again.",
    );
  let endStep = last;
  while (endStep > at && lines[endStep - 1]?.startsWith('{"t":"zone"')) endStep--;
  const after: BuddyZone[] = [];
  for (let i = endStep; i < last; i++) after.push(readZone(input, i, header, "after"));
  if (after.length !== before.length)
    throw new BadInput(`${before.length} zones before the run, but ${after.length} after it.`, here(endStep + 1));
  return { header, before, after, firstStep: at, endStep };
}

function readHeader(f: Fields): BuddyHeader {
  const format = f.text("format");
  const shape = Object.hasOwn(buddyFormats, format) ? buddyFormats[format] : undefined;
  if (shape === undefined)
    throw f.bad(
      `Format "${format}" is not one that skblab replays: ${Object.keys(buddyFormats).join(", ")}.`,
      "Record it with the matching recorder.",
    );
  if (f.has("s_fields") && f.list("s_fields").join(" ") !== shape.state.join(" "))
    throw f.bad(`The steps sample ${f.list("s_fields").join(", ")}, which ${format} does not have.`);
  for (const [name, only] of [
    ["defrag_mode", 0],
    ["pcp_batch_scale_max", 5],
  ] as const)
    if (f.has(name) && f.number(name) !== only)
      throw f.bad(`The kernel ran with ${name} ${f.number(name)}; the model has ${only} only.`);
  for (const lost of ["events_lost", "snap_lost"])
    if (f.number(lost) !== 0)
      throw f.bad(`The recorder lost something (${lost} ${f.number(lost)}).`, "Record it again.");
  const gfps = new Map<string, number>();
  for (const [name, mask] of Object.entries(f.record("gfps"))) {
    if (typeof mask !== "number") throw f.bad(`The gfp mask of ${name} is not a number.`);
    gfps.set(name, mask);
  }
  const orders = f.number("max_order");
  const pageblockOrder = f.number("pageblock_order");
  if (!(f.number("migrate_types") >= 4 && f.number("migrate_types") <= 6))
    throw f.bad(`No kernel of these formats has ${f.number("migrate_types")} migrate types.`);
  if (orders < 2 || orders > 16 || pageblockOrder < 1 || pageblockOrder >= orders)
    throw f.bad(`max_order ${orders} with pageblock_order ${pageblockOrder} is not a configuration of any kernel.`);
  return {
    format,
    release: f.text("release"),
    version: f.has("version") ? f.text("version") : "",
    state: shape.state,
    listFields: shape.lists,
    typesCached: shape.typesCached,
    freeHighatomic: shape.freeHighatomic,
    realtime: f.has("rt_task") && f.number("rt_task") !== 0,
    scenario: f.text("scenario"),
    cpu: f.number("cpu"),
    orders,
    pageblockOrder,
    pageShift: f.number("page_shift"),
    pcpLists: f.number("nr_pcp_lists"),
    migrateTypes: f.number("migrate_types"),
    boostFactor: f.number("watermark_boost_factor"),
    groupingDisabled: f.number("page_group_by_mobility_disabled") !== 0,
    refzone: f.number("refzone"),
    gfps,
  };
}

function readZone(input: TranscriptInput, index: number, header: BuddyHeader, when: "before" | "after"): BuddyZone {
  const value = objectAt(input, index);
  const f = fieldsOf(input, index, value);
  if (f.text("when") !== when) throw f.bad(`A zone line "${f.text("when")}" stands where "${when}" belongs.`);
  const lists = new Map<number, readonly number[]>();
  const free = f.record("free");
  for (const key of Object.keys(free)) {
    const match = /^(\d+)\/(\d+)$/.exec(key);
    const order = Number(match?.[1] ?? -1);
    const type = Number(match?.[2] ?? -1);
    if (match === null || order >= header.orders || type >= header.migrateTypes)
      throw f.bad(`"${key}" is not an order/type of this kernel.`);
    lists.set(order * 8 + type, fieldsOf(input, index, free).numbers(key));
  }
  const zone: BuddyZone = {
    line: index + 1,
    name: f.text("zone"),
    index: f.number("idx"),
    start: f.number("start_pfn"),
    spanned: f.number("spanned"),
    present: f.number("present"),
    managed: f.number("managed"),
    watermark: f.numbers("watermark"),
    boost: f.number("watermark_boost"),
    reservedHighatomic: f.number("nr_reserved_highatomic"),
    freeHighatomic: header.freeHighatomic ? f.number("nr_free_highatomic") : 0,
    flags: f.number("flags"),
    free: f.number("vm_stat_nr_free_pages"),
    driftMark: f.number("percpu_drift_mark"),
    lowmemReserve: f.numbers("lowmem_reserve"),
    nrFree: f.numbers("nr_free"),
    lists,
    pcp: f.list("pcp").map((p) => readPcp(input, index, p, header)),
    pageblockFlags: f.numbers("pageblock_flags"),
    lruRanges: f.list("lru_or_movable_ranges").map((r) => pairOf(f, r)),
    freeInBlocks: f.has("vm_stat_nr_free_pages_blocks") ? f.number("vm_stat_nr_free_pages_blocks") : undefined,
    freeCma: f.has("nr_free_cma") ? f.number("nr_free_cma") : undefined,
  };
  checkZone(zone, header, f);
  return zone;
}

function pairOf(f: Fields, value: unknown): readonly [number, number] {
  if (!Array.isArray(value) || value.length !== 2 || !value.every((x) => Number.isSafeInteger(x)))
    throw f.bad("A pair of whole numbers is expected.");
  return value as unknown as readonly [number, number];
}

function readPcp(input: TranscriptInput, index: number, value: unknown, header: BuddyHeader): BuddyPcp {
  if (typeof value !== "object" || value === null)
    throw new BadInput("A pcp entry is not an object.", { file: input.path, line: index + 1 });
  const f = fieldsOf(input, index, value as Readonly<Record<string, unknown>>);
  const lists = new Map<number, readonly (readonly [number, number])[]>();
  const raw = f.record("lists");
  for (const key of Object.keys(raw)) {
    if (!/^\d+$/.test(key) || Number(key) >= header.pcpLists)
      throw f.bad(`"${key}" is not a per-CPU list of this kernel.`);
    const inner = fieldsOf(input, index, raw).list(key);
    lists.set(
      Number(key),
      inner.map((pair) => pairOf(f, pair)),
    );
  }
  return {
    cpu: f.number("cpu"),
    count: f.number("count"),
    fields: new Map(header.listFields.map((name) => [name, f.number(name)] as const)),
    statThreshold: f.number("stat_threshold"),
    freeDiff: f.number("nr_free_diff"),
    expire: f.has("expire") ? f.number("expire") : 0,
    lists,
  };
}

/** Blocks inside the zone, aligned, not overlapping, as many as nr_free says; per-CPU counts that add up. */
function checkZone(zone: BuddyZone, header: BuddyHeader, f: Fields): void {
  if (zone.spanned <= 0 || zone.start < 0) throw f.bad(`Zone ${zone.name} spans nothing.`);
  if (zone.watermark.length !== 3) throw f.bad(`Zone ${zone.name} has ${zone.watermark.length} watermarks, not 3.`);
  const blocks = ((zone.start + zone.spanned - 1) >> header.pageblockOrder) - (zone.start >> header.pageblockOrder) + 1;
  if (zone.pageblockFlags.length !== blocks)
    throw f.bad(`Zone ${zone.name} has ${blocks} pageblocks, but flags of ${zone.pageblockFlags.length}.`);
  const seen = new Uint8Array(zone.spanned);
  const claim = (pfn: number, pages: number, what: string): void => {
    if (pfn < zone.start || pfn + pages > zone.start + zone.spanned)
      throw f.bad(`${what} at pfn ${pfn} lies outside zone ${zone.name}.`);
    for (let p = pfn - zone.start; p < pfn - zone.start + pages; p++) {
      if (seen[p] !== 0) throw f.bad(`${what} at pfn ${pfn} overlaps another free block of zone ${zone.name}.`);
      seen[p] = 1;
    }
  };
  const counts = new Array<number>(header.orders).fill(0);
  for (const [key, pfns] of zone.lists) {
    const order = key >> 3;
    counts[order] = (counts[order] ?? 0) + pfns.length;
    for (const pfn of pfns) {
      if (pfn % (1 << order) !== 0) throw f.bad(`The block at pfn ${pfn} is not aligned to its order ${order}.`);
      claim(pfn, 1 << order, `The free block of order ${order}`);
    }
  }
  counts.forEach((n, order) => {
    if (n !== zone.nrFree[order])
      throw f.bad(`nr_free says ${zone.nrFree[order]} blocks of order ${order}, the lists hold ${n}.`);
  });
  for (const p of zone.pcp) {
    let pages = 0;
    for (const [list, entries] of p.lists) {
      const order = orderOfPcpList(list, header);
      pages += entries.length << order;
      for (const [pfn, type] of entries) {
        if (pfn % (1 << order) !== 0 || type < 0 || type >= header.migrateTypes)
          throw f.bad(`The per-CPU block at pfn ${pfn} has order ${order} and type ${type}, which cannot be.`);
        const block = zone.pageblockFlags[(pfn >> header.pageblockOrder) - (zone.start >> header.pageblockOrder)];
        if (!header.typesCached && type !== ((block ?? 0) & 7))
          throw f.bad(`The per-CPU block at pfn ${pfn} has type ${type}, its pageblock ${(block ?? 0) & 7}.`);
        claim(pfn, 1 << order, `The per-CPU block of CPU ${p.cpu}`);
      }
    }
    if (pages !== p.count) throw f.bad(`CPU ${p.cpu} counts ${p.count} pages, its lists hold ${pages}.`);
  }
  for (const [pfn, length] of zone.lruRanges) claim(pfn, length, "The range of LRU pages");
}

/** Order of the blocks on a per-CPU list: three types an order, then the two lists of the huge order. */
function orderOfPcpList(list: number, header: BuddyHeader): number {
  return list < 12 ? Math.floor(list / 3) : header.pageblockOrder;
}
