// Replays recorded SLUB caches: every allocation and free on the model, every list of the cache compared after it.
// Outside the cache and therefore taken from the record: which pages the page allocator gave and whether the full order could be had,
// where in the random sequence a new slab starts (SLAB_FREELIST_RANDOM), and in which order the CPUs' work of kmem_cache_shrink ran.
import { BadInput } from "../base/bad_input.ts";
import type { Release } from "../kernel/release.ts";
import { createJournal } from "../model/journal.ts";
import type { PageAllocator } from "../model/mm/pages.ts";
import type { CacheGeometry } from "../model/slab/geometry.ts";
import { cacheGeometry } from "../model/slab/geometry.ts";
import type { FreelistOrder, Slub } from "../model/slab/slub/shape.ts";
import type { Difference, Replayed, Replayer, TranscriptInput } from "./replayer.ts";
import { objectAt } from "./replayer.ts";
import type { Numbering } from "./said_twice.ts";
import { numbering, requireEnd } from "./said_twice.ts";
import type { Recorded, Row, StateLine, StateReader, Wrong } from "./slub_state.ts";
import { cpuSlabStates, modelLines, sheafStates, sheavesOf } from "./slub_state.ts";
import { kernelOfTranscript } from "./transcript_kernel.ts";

const pageSize = 4096;

/** A slab that the page allocator gave in the present operation, by the record. */
interface NewSlab {
  readonly pfn: number;
  readonly order: number;
  /** Its objects in the order in which they lay, as far as the record shows them. */
  readonly seen: readonly number[];
}

interface World {
  readonly input: TranscriptInput;
  readonly slub: Slub;
  readonly cache: number;
  readonly geometry: CacheGeometry;
  readonly journal: { cpu: number };
  /** Object number of the record → address. */
  readonly live: Map<number, number>;
  readonly ids: Numbering;
  /** Line of the present operation. */
  line: number;
  /** Slabs that the page allocator may give in the present operation, in their order. */
  grants: NewSlab[];
  /** The model's state when it was looked at last. */
  after: readonly StateLine[];
  readonly pagesHeld: Map<number, number>;
  /** Numbers that the record gives the model's sheaves. */
  sheaves: ReadonlyMap<number, number>;
}

const num = (row: Row, key: string, input: TranscriptInput, line: number): number => {
  const value = row[key];
  if (typeof value !== "number")
    throw new BadInput(`This line has no number "${key}".`, { file: input.path, line }, "Is this a SLUB transcript?");
  return value;
};

/** The page allocator of a replay: gives the recorded blocks at their recorded orders, and nothing else. */
function recordedPages(world: () => World): PageAllocator {
  /** Pages that no slab of the model has: two slabs in one place come of a changed number only. */
  const isFree = (pfn: number, order: number): boolean =>
    [...world().pagesHeld].every(([held, size]) => held + 2 ** size <= pfn || pfn + 2 ** order <= held);
  return {
    allocPages(_gfp, order) {
      const { grants, pagesHeld } = world();
      const grant = grants[0];
      if (grant === undefined || grant.order !== order || !isFree(grant.pfn, order)) return -1;
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
}

/** Orders of new slabs: rotations of one random sequence that the first whole slab reveals. */
function observedOrder(world: () => World): FreelistOrder {
  let sequence: readonly number[] | undefined;
  return (_cache, objects, fullObjects, into) => {
    const seen = world().grants.shift()?.seen ?? [];
    if (sequence === undefined && seen.length === fullObjects) sequence = seen;
    if (sequence === undefined) {
      // A smaller slab came first, or only a part of it shows: that part is all that is known of the sequence.
      const order = [...seen, ...Array.from({ length: objects }, (_, i) => i).filter((i) => !seen.includes(i))];
      for (let i = 0; i < objects; i++) into[i] = order[i] ?? i;
      return;
    }
    let at = Math.max(0, sequence.indexOf(seen[0] ?? 0));
    for (let i = 0; i < objects; at = (at + 1) % sequence.length) {
      const index = sequence[at] as number;
      if (index < objects) into[i++] = index;
    }
  };
}

/** Ascending order; takes note that the slab was made. */
function ascendingOrder(world: () => World): FreelistOrder {
  return (_cache, objects, _fullObjects, into) => {
    world().grants.shift();
    for (let i = 0; i < objects; i++) into[i] = i;
  };
}

function geometryOf(header: Row, input: TranscriptInput): CacheGeometry {
  const n = (key: string): number => num(header, key, input, 1);
  const ifThere = (key: string): number => (header[key] === undefined ? 0 : n(key));
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
    cpuPartial: ifThere("cpu_partial"),
    cpuPartialSlabs: ifThere("cpu_partial_slabs"),
    minPartial: n("min_partial"),
    sheafCapacity: ifThere("sheaf_capacity"),
    offSlab: false,
  };
}

function compareState(world: World, recorded: Recorded): Wrong[] {
  const after = modelLines(world.slub, world.cache);
  world.after = after;
  const mine = new Map(after);
  const wrong = recorded.lines
    .map(([field, kernel]): Wrong => [field, kernel, mine.get(field) ?? "not in the model"])
    .filter(([, kernel, model]) => kernel !== model);
  return wrong.length > 0 ? wrong : compareSheaves(world, recorded);
}

/** A sheaf keeps its number as long as it lives, and no other has it. */
function compareSheaves(world: World, recorded: Recorded): Wrong[] {
  const own = sheavesOf(world.slub, world.cache);
  const named = new Map<number, number>();
  const wrong: Wrong[] = [];
  for (const [i, sheaf] of own.entries()) {
    const number = recorded.sheaves[i] ?? -1;
    const before = world.sheaves.get(sheaf) ?? number;
    if (before !== number || [...named.values()].includes(number)) wrong.push(["sheaf", `${number}`, `${before}`]);
    named.set(sheaf, number);
  }
  world.sheaves = named;
  return wrong;
}

/** Every order in which CPUs can do their steps, `steps[cpu]` of each; CPU by CPU comes first. */
export function* flushOrders(steps: readonly number[]): Generator<number[]> {
  const left = [...steps];
  const all = steps.reduce((n, s) => n + s, 0);
  const order: number[] = [];
  function* next(): Generator<number[]> {
    if (order.length === all) {
      yield [...order];
      return;
    }
    for (let cpu = 0; cpu < left.length; cpu++) {
      const n = left[cpu] as number;
      if (n === 0) continue;
      left[cpu] = n - 1;
      order.push(cpu);
      yield* next();
      order.pop();
      left[cpu] = n;
    }
  }
  yield* next();
}

/** Steps of each CPU in a shrink: its slab and its chain, or its sheaves; none of a CPU that holds nothing. */
function stepsOf({ slub, cache }: World): number[] {
  if (slub.kind === "sheaves") return slub.view(cache).cpus.map((_, cpu) => slub.flushSteps(cache, cpu));
  return slub.view(cache).cpus.map((c) => (c.slab !== undefined || c.partial.length > 0 ? 2 : 0));
}

/** kmem_cache_shrink: the flush works of the CPUs race; the model must end as recorded for one of their orders. */
function shrink(world: World, recorded: Recorded): Wrong[] {
  const { slub, cache } = world;
  const restore = slub.snapshot();
  const held = new Map(world.pagesHeld);
  let first: Wrong[] | undefined;
  for (const order of flushOrders(stepsOf(world))) {
    slub.shrink(cache, order);
    const wrong = compareState(world, recorded);
    if (wrong.length === 0) return [];
    first ??= wrong;
    restore();
    world.pagesHeld.clear();
    for (const [pfn, pages] of held) world.pagesHeld.set(pfn, pages);
  }
  slub.shrink(cache);
  return first ?? [];
}

/** The slabs that are new after an operation, in the order in which their objects were handed out; `given` are those objects. */
function newSlabs(
  world: World,
  recorded: Recorded,
  given: readonly (readonly [pfn: number, index: number])[],
): NewSlab[] {
  const { geometry, journal, pagesHeld } = world;
  const active = recorded.active(journal.cpu);
  const found = new Map<number, number[]>();
  const see = (pfn: number, objects: readonly number[]): void => {
    if (pagesHeld.has(pfn)) return;
    const seen = found.get(pfn) ?? [];
    found.set(pfn, seen);
    seen.push(...objects);
  };
  // A CPU's slab hands out from the head; a sheaf is filled bottom first, and the object handed out was its last.
  const ready = recorded.ready(journal.cpu);
  for (const [pfn, index] of ready.length > 0 && given.length === 1 ? [...ready, ...given] : [...given, ...ready])
    see(pfn, [index]);
  if (active !== undefined) see(active.pfn, active.freelist);
  for (const { pfn, freelist } of recorded.node.partial) see(pfn, freelist);
  const sizes = new Map(recorded.node.partial.map((s) => [s.pfn, s.objects]));
  if (active !== undefined) sizes.set(active.pfn, active.objects);
  return [...found].map(([pfn, seen]) => {
    const objects = sizes.get(pfn) ?? geometry.objects;
    return { pfn, order: objects === geometry.objects ? geometry.order : geometry.minOrder, seen };
  });
}

function comparePlace(world: World, address: number, pfn: number, index: number): Wrong[] {
  const mine = address < 0 ? "no memory" : `${world.slub.slabAt(address)?.pfn ?? -1}`;
  const wrong: Wrong[] = [];
  if (mine !== (pfn < 0 ? "no memory" : `${pfn}`)) wrong.push(["pfn", `${pfn}`, mine]);
  if (address >= 0 && pfn >= 0 && world.slub.indexOf(address) !== index)
    wrong.push(["idx", `${index}`, `${world.slub.indexOf(address)}`]);
  return wrong;
}

function allocate(world: World, row: Row, recorded: Recorded): Wrong[] {
  const pfn = typeof row.pfn === "number" ? row.pfn : -1;
  const index = typeof row.idx === "number" ? row.idx : 0;
  world.grants = newSlabs(world, recorded, pfn < 0 ? [] : [[pfn, index]]);
  const address = world.slub.alloc(world.cache, 0);
  if (pfn >= 0) world.ids.next(row.id, world.line);
  if (address >= 0 && typeof row.id === "number") world.live.set(row.id, address);
  return [...comparePlace(world, address, pfn, index), ...unused(world), ...compareState(world, recorded)];
}

/** Slabs that the kernel made in an operation and the model did not. */
const unused = (world: World): Wrong[] => world.grants.map((grant): Wrong => ["new slab", `${grant.pfn}`, "none"]);

function release(world: World, row: Row, recorded: Recorded): Wrong[] {
  const address = typeof row.id === "number" ? world.live.get(row.id) : undefined;
  if (address === undefined) return [["id", `${row.id} is freed`, "no such object is held"]];
  world.live.delete(row.id as number);
  const wrong = comparePlace(
    world,
    address,
    num(row, "pfn", world.input, world.line),
    num(row, "idx", world.input, world.line),
  );
  world.slub.free(world.cache, address);
  return [...wrong, ...compareState(world, recorded)];
}

type BulkObject = readonly [id: number, pfn: number, index: number];

function allocateBulk(world: World, row: Row, recorded: Recorded): Wrong[] {
  const objects = row.objs as readonly BulkObject[];
  world.grants = newSlabs(
    world,
    recorded,
    objects.map(([, pfn, index]) => [pfn, index]),
  );
  const into = new Float64Array(objects.length);
  const wrong: Wrong[] = [];
  // The recorder's numbers go on whether the model has memory or not.
  for (const [id] of objects) world.ids.next(id, world.line);
  if (world.slub.allocBulk(world.cache, 0, into, 0, into.length))
    objects.forEach(([id, pfn, index], i) => {
      world.live.set(id, into[i] as number);
      wrong.push(...comparePlace(world, into[i] as number, pfn, index));
    });
  else wrong.push(["objects", `${objects.length}`, "no memory"]);
  return [...wrong, ...unused(world), ...compareState(world, recorded)];
}

function releaseBulk(world: World, row: Row, recorded: Recorded): Wrong[] {
  const objects = row.objs as readonly BulkObject[];
  const addresses = Float64Array.from(objects, ([id]) => world.live.get(id) ?? -1);
  const unknown = addresses.indexOf(-1);
  if (unknown >= 0) return [["id", `${objects[unknown]?.[0]} is freed`, "no such object is held"]];
  for (const [id] of objects) world.live.delete(id);
  const wrong = objects.flatMap(([, pfn, index], i) => comparePlace(world, addresses[i] as number, pfn, index));
  world.slub.freeBulk(world.cache, addresses, 0, addresses.length);
  return [...wrong, ...compareState(world, recorded)];
}

function operate(world: World, row: Row, recorded: Recorded, place: { file: string; line: number }): Wrong[] {
  const { op } = row;
  if (op === "alloc") return allocate(world, row, recorded);
  if (op === "free") return release(world, row, recorded);
  if (op === "kmem_cache_shrink") return shrink(world, recorded);
  if (op === "alloc_bulk" || op === "free_bulk") {
    if (!Array.isArray(row.objs)) throw new BadInput('This bulk operation has no "objs".', place);
    return op === "alloc_bulk" ? allocateBulk(world, row, recorded) : releaseBulk(world, row, recorded);
  }
  throw new BadInput(`Unknown operation "${op}".`, place, "Is this a SLUB transcript?");
}

/** The same; once both sides have parted, the model may be asked for what it cannot do. */
function performed(
  world: World,
  row: Row,
  recorded: Recorded,
  place: { file: string; line: number },
  parted: boolean,
): Wrong[] {
  try {
    return operate(world, row, recorded, place);
  } catch (error) {
    if (!parted || error instanceof BadInput) throw error;
    return [["operation", "done", "cannot be done"]];
  }
}

function difference(row: Row, line: number, wrong: readonly Wrong[], before: readonly Wrong[] | undefined): Difference {
  const what = ["cpu", "id", "pfn", "idx"].filter((k) => k in row).map((k) => `${k} ${row[k]}`);
  return {
    line,
    operation: [`${row.op}`, ...(row.i === undefined ? [] : [`i=${row.i}`]), ...what].join(" "),
    kernel: wrong.map(([field, kernel]) => `${field}: ${kernel}`).join("; "),
    model: wrong.map(([field, , model]) => `${field}: ${model}`).join("; "),
    reasons: [
      `The first field that differs is ${wrong[0]?.[0]}.`,
      ...(before ?? []).map(([field, , model]) => `Before the operation ${field} was ${model || "empty"}.`),
    ],
  };
}

/** Fields of line 1 that the kernel worked out from the object's size and alignment. */
const worked: readonly (readonly [field: string, of: (g: CacheGeometry) => number])[] = [
  ["size", (g) => g.size],
  ["offset", (g) => g.linkOffset],
  ["inuse", (g) => g.inuse],
  ["oo_order", (g) => g.order],
  ["oo_objects", (g) => g.objects],
  ["min_order", (g) => g.minOrder],
  ["min_objects", (g) => g.minObjects],
  ["min_partial", (g) => g.minPartial],
  ["cpu_partial", (g) => g.cpuPartial],
  ["cpu_partial_slabs", (g) => g.cpuPartialSlabs],
  ["sheaf_capacity", (g) => g.sheafCapacity],
];

/** Where line 1 has another geometry than the model for an object of that size; with and without a constructor, as one of kmalloc's or not. */
function geometryDiffers(release: Release, header: Row, cpus: number): Wrong[] {
  const wish = { objectSize: header.object_size as number, align: header.align as number };
  const answers = [{}, { keepsContents: true }, { kmalloc: true }].map((more) => {
    const g = cacheGeometry({ release, allocator: "slub", cpus }, { ...wish, ...more });
    return worked
      .filter(([field]) => header[field] !== undefined)
      .map(([field, of]): Wrong => [field, `${header[field]}`, `${of(g)}`])
      .filter(([, kernel, model]) => kernel !== model);
  });
  return answers.reduce((a, b) => (b.length < a.length ? b : a));
}

/** An empty cache like the recorded one, on the recorded kernel's parts; where it would have another geometry there, what differs. */
function emptyWorld(input: TranscriptInput, header: Row, states: StateReader): World | readonly Wrong[] {
  const geometry = geometryOf(header, input);
  const kernel = kernelOfTranscript(input, header);
  const { slub: make, rules } = kernel.parts.slab;
  if (make === undefined) throw new BadInput(`${kernel.name} has no SLUB.`, { file: input.path, line: 1 });
  const journal = createJournal();
  const self = (): World => world;
  const slub = make({
    ...rules,
    pages: recordedPages(self),
    journal,
    cpus: states.cpus,
    pageSize,
    freelistOrder: header.freelist_random === 1 ? observedOrder(self) : ascendingOrder(self),
  });
  if ((slub.kind === "sheaves") !== (header.sheaf_capacity !== undefined))
    throw new BadInput(
      `The header ${header.sheaf_capacity === undefined ? "has no" : "has a"} "sheaf_capacity", and ${kernel.name} ${slub.kind === "sheaves" ? "has" : "has no"} sheaves.`,
      { file: input.path, line: 1 },
    );
  const shape = geometryDiffers(kernel.release, header, states.cpus);
  if (shape.length > 0) return shape;
  const cache = slub.addCache(geometry, 0);
  const world: World = {
    input,
    slub,
    cache,
    geometry,
    journal,
    live: new Map(),
    ids: numbering(input),
    line: 1,
    grants: [],
    after: [],
    pagesHeld: new Map(),
    sheaves: new Map(),
  };
  return world;
}

/** What line 1 says of the cache besides its geometry, where it can be told to be wrong. */
function requireCache(input: TranscriptInput, header: Row): void {
  const place = { file: input.path, line: 1 };
  const align = num(header, "align", input, 1);
  if (align < 8 || (align & (align - 1)) !== 0)
    throw new BadInput(`No kernel aligns objects to ${align} bytes.`, place);
  for (const flag of ["hardened", "freelist_random"])
    if (header[flag] !== undefined && header[flag] !== 0 && header[flag] !== 1)
      throw new BadInput(`"${flag}" is ${header[flag]}, neither 0 nor 1.`, place);
}

/** The CPU that ran an operation; the first where the recorder does not say. */
function cpuOf({ cpu = 0 }: Row, cpus: number, place: { file: string; line: number }): number {
  if (typeof cpu !== "number" || !Number.isInteger(cpu) || cpu < 0 || cpu >= cpus)
    throw new BadInput(`There is no CPU ${cpu}: line 1 shows ${cpus}.`, place, "Copy the transcript again, whole.");
  return cpu;
}

function replay(input: TranscriptInput): Replayed {
  const header = objectAt(input, 0);
  num(header, "object_size", input, 1);
  const states = (header.sheaf_capacity === undefined ? cpuSlabStates : sheafStates)(input, header);
  const start = states.read(header, 1);
  requireCache(input, header);
  const world = emptyWorld(input, header, states);
  if (!("slub" in world)) {
    const operations = input.lines.filter((line) => line.includes('"op":')).length;
    return { operations, exact: 0, firstDifference: difference({ op: "the cache's geometry" }, 1, world, undefined) };
  }
  if (start.node.nr_slabs !== 0)
    throw new BadInput("This cache was not empty when the recording began.", { file: input.path, line: 1 });

  const empty = compareState(world, start);
  let operations = 0;
  let exact = 0;
  let first = empty.length === 0 ? undefined : difference({ op: "the empty cache" }, 1, empty, undefined);
  for (let i = 1; i < input.lines.length; i++) {
    if (input.lines[i]?.trim() === "") continue;
    const row = objectAt(input, i);
    if (row.t === "end") break;
    const recorded = states.read(row, i + 1);
    world.line = i + 1;
    world.journal.cpu = cpuOf(row, states.cpus, { file: input.path, line: i + 1 });
    const before = world.after;
    const wrong = performed(world, row, recorded, { file: input.path, line: i + 1 }, first !== undefined);
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
  if (first === undefined) requireEnd(input, operations);
  return { operations, exact, firstDifference: first };
}

/** SLUB transcripts: the header line has "t":"cache". */
export const slubReplayer: Replayer = {
  kind: "slub",
  formats: ["ora_slub/0", "ora_slub/1", "ora_slub/2"],
  sniff: (firstLine) => /^\s*\{"t"\s*:\s*"cache"/.test(firstLine),
  replay,
};
