// Replays recorded SLUB caches: every allocation and free on the model, every list of the cache compared after it.
// Outside the cache and therefore taken from the record: which pages the page allocator gave and whether the full order could be had,
// where in the random sequence a new slab starts (SLAB_FREELIST_RANDOM), and in which order the CPUs' work of kmem_cache_shrink ran.
import { BadInput } from "../base/bad_input.ts";
import { parseRelease } from "../kernel/release.ts";
import { createJournal } from "../model/journal.ts";
import type { PageAllocator } from "../model/mm/pages.ts";
import type { CacheGeometry } from "../model/slab/geometry.ts";
import { createSlub } from "../model/slab/slub.ts";
import type { CpuView, SlabView, Slub } from "../model/slab/slub_shape.ts";
import type { Difference, Replayed, Replayer, TranscriptInput } from "./replayer.ts";
import { objectAt } from "./replayer.ts";

type Row = Readonly<Record<string, unknown>>;

interface RecordedSlab {
  readonly pfn: number;
  readonly inuse: number;
  readonly objects: number;
  readonly frozen: number;
  readonly slabs?: number;
  readonly freelist: readonly number[];
}

interface RecordedState {
  readonly cpus: readonly {
    readonly slab: RecordedSlab | null;
    readonly freelist: readonly number[];
    readonly partial: readonly RecordedSlab[];
  }[];
  readonly node: {
    readonly nr_partial: number;
    readonly nr_slabs: number;
    readonly partial: readonly RecordedSlab[];
  };
}

const pageSize = 4096;

interface World {
  readonly slub: Slub;
  readonly cache: number;
  readonly journal: { cpu: number };
  readonly size: number;
  readonly live: Map<number, number>;
  /** What the page allocator may give in the present operation. */
  grant: { pfn: number; order: number } | undefined;
  /** The index that the present operation's object has by the record: where a new slab's random order starts. */
  firstIndex: number;
  readonly pagesHeld: Map<number, number>;
}

const num = (row: Row, key: string, input: TranscriptInput, line: number): number => {
  const value = row[key];
  if (typeof value !== "number")
    throw new BadInput(`This line has no number "${key}".`, { file: input.path, line }, "Is this a SLUB transcript?");
  return value;
};

/** The page allocator of a replay: gives the recorded block at the recorded order, and nothing else. */
function recordedPages(world: () => World): PageAllocator {
  const pages: PageAllocator = {
    allocPages(_gfp, order) {
      const { grant, pagesHeld } = world();
      if (grant === undefined || grant.order !== order || pagesHeld.has(grant.pfn)) return -1;
      pagesHeld.set(grant.pfn, order);
      return grant.pfn;
    },
    freePages(pfn) {
      world().pagesHeld.delete(pfn);
    },
    getPage() {},
    putPage(pfn) {
      world().pagesHeld.delete(pfn);
    },
    pageCount: () => 1,
    addPageRefs() {},
    compoundHead: (pfn) => pfn,
    compoundOrder: (pfn) => world().pagesHeld.get(pfn) ?? 0,
    allocPagesBulk: () => 0,
    isPfmemalloc: () => false,
    nodeOf: () => 0,
  };
  return pages;
}

/** Orders of new slabs: ascending, or rotations of one random sequence that the first full slab reveals. */
function observedOrder(random: boolean, world: () => World, seen: () => readonly number[] | undefined) {
  let sequence: readonly number[] | undefined;
  if (!random) return undefined;
  return (_cache: number, objects: number, fullObjects: number, into: Uint16Array): void => {
    const first = world().firstIndex;
    const observed = seen();
    if (sequence === undefined && observed?.length === fullObjects) sequence = observed;
    if (sequence === undefined) {
      // A smaller slab came first: its order is a part of the sequence, not all of it.
      const order = observed ?? Array.from({ length: objects }, (_, i) => i);
      for (let i = 0; i < objects; i++) into[i] = order[i] ?? i;
      return;
    }
    let at = Math.max(0, sequence.indexOf(first));
    for (let i = 0; i < objects; at = (at + 1) % sequence.length) {
      const index = sequence[at] as number;
      if (index < objects) into[i++] = index;
    }
  };
}

function geometryOf(header: Row, input: TranscriptInput): CacheGeometry {
  const n = (key: string): number => num(header, key, input, 1);
  return {
    objectSize: n("object_size"),
    size: n("size"),
    align: n("align"),
    linkOffset: n("offset"),
    inuse: n("inuse"),
    order: n("oo_order"),
    objects: n("oo_objects"),
    minOrder: n("min_order"),
    minObjects: n("min_objects"),
    mayFallBack: n("min_order") < n("oo_order"),
    cpuPartial: n("cpu_partial"),
    cpuPartialSlabs: n("cpu_partial_slabs"),
    minPartial: n("min_partial"),
    offSlab: false,
  };
}

function stateOf(row: Row, input: TranscriptInput, line: number): RecordedState {
  const { cpus, node } = row;
  if (!Array.isArray(cpus) || typeof node !== "object" || node === null)
    throw new BadInput('This line has no "cpus" and "node".', { file: input.path, line }, "Is this a SLUB transcript?");
  return row as unknown as RecordedState;
}

const slabText = (s: RecordedSlab, chain: boolean): string =>
  `${s.pfn}[${s.inuse}/${s.objects}${s.frozen ? " frozen" : ""}${chain ? ` slabs ${s.slabs}` : ""}: ${s.freelist.join(" ")}]`;

const recordedSlab = (s: SlabView & { readonly slabs?: number }): RecordedSlab => ({
  pfn: s.pfn,
  inuse: s.inuse,
  objects: s.objects,
  frozen: s.frozen ? 1 : 0,
  ...(s.slabs === undefined ? {} : { slabs: s.slabs }),
  freelist: s.freelist,
});

/** The model's state in the record's shape. */
function modelState(world: World): RecordedState {
  const { cpus, nodes } = world.slub.view(world.cache);
  const node = nodes[0] ?? { nrSlabs: 0, partial: [] };
  return {
    cpus: cpus.map((c: CpuView) => ({
      slab: c.slab === undefined ? null : recordedSlab(c.slab),
      freelist: c.freelist,
      partial: c.partial.map(recordedSlab),
    })),
    node: { nr_partial: node.partial.length, nr_slabs: node.nrSlabs, partial: node.partial.map(recordedSlab) },
  };
}

/** Every list as a named line of text, so that states compare and differences read. */
function stateLines(state: RecordedState): [string, string][] {
  return [
    ...state.cpus.flatMap((c, i): [string, string][] => [
      [`cpu${i} slab`, c.slab === null ? "none" : slabText(c.slab, false)],
      [`cpu${i} freelist`, c.freelist.join(" ")],
      [`cpu${i} partial`, c.partial.map((s) => slabText(s, true)).join(" -> ")],
    ]),
    ["node nr_slabs", `${state.node.nr_slabs}`],
    ["node nr_partial", `${state.node.nr_partial}`],
    ["node partial", state.node.partial.map((s) => slabText(s, false)).join(" -> ")],
  ];
}

type Wrong = readonly [field: string, kernel: string, model: string];

function compareState(world: World, recorded: RecordedState): Wrong[] {
  const mine = new Map(stateLines(modelState(world)));
  return stateLines(recorded)
    .map(([field, kernel]): Wrong => [field, kernel, mine.get(field) ?? "no such CPU"])
    .filter(([, kernel, model]) => kernel !== model);
}

/** Every order in which `cpus` CPUs can do their two steps; CPU by CPU comes first. */
export function* flushOrders(cpus: readonly number[]): Generator<number[]> {
  const left = new Map(cpus.map((cpu) => [cpu, 2]));
  const order: number[] = [];
  function* next(): Generator<number[]> {
    if (order.length === cpus.length * 2) {
      yield [...order];
      return;
    }
    for (const cpu of cpus) {
      const n = left.get(cpu) ?? 0;
      if (n === 0) continue;
      left.set(cpu, n - 1);
      order.push(cpu);
      yield* next();
      order.pop();
      left.set(cpu, n);
    }
  }
  yield* next();
}

/** kmem_cache_shrink: the flush works of the CPUs race; the model must end as recorded for one of their orders. */
function shrink(world: World, recorded: RecordedState): Wrong[] {
  const { slub, cache } = world;
  const restore = slub.snapshot();
  const held = new Map(world.pagesHeld);
  const reset = (): void => {
    restore();
    world.pagesHeld.clear();
    for (const [pfn, order] of held) world.pagesHeld.set(pfn, order);
  };
  const busy = slub.view(cache).cpus.flatMap((c, i) => (c.slab !== undefined || c.partial.length > 0 ? [i] : []));
  for (const order of flushOrders(busy)) {
    slub.shrink(cache, order);
    if (compareState(world, recorded).length === 0) return [];
    reset();
  }
  slub.shrink(
    cache,
    busy.flatMap((cpu) => [cpu, cpu]),
  );
  return compareState(world, recorded);
}

function allocate(world: World, row: Row, recorded: RecordedState, geometry: CacheGeometry): Wrong[] {
  const pfn = typeof row.pfn === "number" ? row.pfn : -1;
  const cpu = recorded.cpus[world.journal.cpu];
  const slab = cpu?.slab ?? undefined;
  const objects = slab !== undefined && slab.pfn === pfn ? slab.objects : geometry.objects;
  world.firstIndex = typeof row.idx === "number" ? row.idx : 0;
  world.grant = pfn < 0 ? undefined : { pfn, order: objects === geometry.objects ? geometry.order : geometry.minOrder };
  const address = world.slub.alloc(world.cache, 0);
  world.grant = undefined;
  if (address >= 0 && typeof row.id === "number") world.live.set(row.id, address);
  const mine = address < 0 ? "no memory" : `${Math.floor(world.slub.slabAt(address)?.pfn ?? -1)}`;
  const wrong: Wrong[] = [];
  if (mine !== (pfn < 0 ? "no memory" : `${pfn}`)) wrong.push(["pfn", `${pfn}`, mine]);
  if (address >= 0 && pfn >= 0 && world.slub.indexOf(address) !== row.idx)
    wrong.push(["idx", `${row.idx}`, `${world.slub.indexOf(address)}`]);
  return [...wrong, ...compareState(world, recorded)];
}

function release(world: World, row: Row, recorded: RecordedState): Wrong[] {
  const address = typeof row.id === "number" ? world.live.get(row.id) : undefined;
  if (address === undefined) return [["id", `${row.id} is freed`, "no such object is held"]];
  world.live.delete(row.id as number);
  world.slub.free(world.cache, address);
  return compareState(world, recorded);
}

function difference(row: Row, line: number, wrong: readonly Wrong[], before: readonly Wrong[] | undefined): Difference {
  const what = ["cpu", "id", "pfn", "idx"].filter((k) => k in row).map((k) => `${k} ${row[k]}`);
  return {
    line,
    operation: [`${row.op}`, `i=${row.i}`, ...what].join(" "),
    kernel: wrong.map(([field, kernel]) => `${field}: ${kernel}`).join("; "),
    model: wrong.map(([field, , model]) => `${field}: ${model}`).join("; "),
    reasons: [
      `The first field that differs is ${wrong[0]?.[0]}.`,
      ...(before ?? []).map(([field, , model]) => `Before the operation ${field} was ${model || "empty"}.`),
    ],
  };
}

function replay(input: TranscriptInput): Replayed {
  const header = objectAt(input, 0);
  const geometry = geometryOf(header, input);
  if (typeof header.release !== "string")
    throw new BadInput('The header has no "release".', { file: input.path, line: 1 });
  const start = stateOf(header, input, 1);
  const journal = createJournal();
  let present: RecordedState = start;
  const seen = (): readonly number[] | undefined => {
    const cpu = present.cpus[journal.cpu];
    return cpu === undefined ? undefined : [world.firstIndex, ...cpu.freelist];
  };
  const slub = createSlub({
    release: parseRelease(header.release),
    pages: recordedPages(() => world),
    journal,
    cpus: start.cpus.length,
    pageSize,
    ...((): { freelistOrder?: NonNullable<ReturnType<typeof observedOrder>> } => {
      const freelistOrder = observedOrder(header.freelist_random === 1, () => world, seen);
      return freelistOrder === undefined ? {} : { freelistOrder };
    })(),
  });
  const cache = slub.addCache(geometry, 0);
  const world: World = {
    slub,
    cache,
    journal,
    size: geometry.size,
    live: new Map(),
    grant: undefined,
    firstIndex: 0,
    pagesHeld: new Map(),
  };
  if (start.node.nr_slabs !== 0)
    throw new BadInput("This cache was not empty when the recording began.", { file: input.path, line: 1 });

  let operations = 0;
  let exact = 0;
  let first: Difference | undefined;
  for (let i = 1; i < input.lines.length; i++) {
    if (input.lines[i]?.trim() === "") continue;
    const row = objectAt(input, i);
    if (row.t === "end") break;
    present = stateOf(row, input, i + 1);
    journal.cpu = typeof row.cpu === "number" ? row.cpu : 0;
    const before = first === undefined ? stateLines(modelState(world)) : [];
    let wrong: Wrong[];
    if (row.op === "alloc") wrong = allocate(world, row, present, geometry);
    else if (row.op === "free") wrong = release(world, row, present);
    else if (row.op === "kmem_cache_shrink") wrong = shrink(world, present);
    else
      throw new BadInput(
        `Unknown operation "${row.op}".`,
        { file: input.path, line: i + 1 },
        "Is this a SLUB transcript?",
      );
    operations++;
    if (wrong.length === 0) exact++;
    else
      first ??= difference(
        row,
        i + 1,
        wrong,
        before.filter(([field]) => wrong.some(([w]) => w === field)).map(([f, text]): Wrong => [f, "", text]),
      );
  }
  return { operations, exact, firstDifference: first };
}

/** SLUB transcripts: the header line has "t":"cache". */
export const slubReplayer: Replayer = {
  kind: "slub",
  sniff: (firstLine) => /^\s*\{"t"\s*:\s*"cache"/.test(firstLine),
  replay,
};
