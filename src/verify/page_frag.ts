// Replays a recorded page_frag_cache: every page_frag_alloc_align() and page_frag_free() on the model, the cache's fields compared after it.
// Which page the page allocator gave is outside the cache and is taken from the record, with its order.
import { BadInput } from "../base/bad_input.ts";
import type { ExactKernel } from "../model/kernels/kernel.ts";
import type { PageAllocator } from "../model/mm/pages.ts";
import type { PageFragCache } from "../model/slab/page_frag.ts";
import type { Replayed, Replayer, TranscriptInput } from "./replayer.ts";
import { objectAt } from "./replayer.ts";
import type { Numbering } from "./said_twice.ts";
import { numbering, requireEnd } from "./said_twice.ts";
import { kernelOfTranscript } from "./transcript_kernel.ts";

type Row = Readonly<Record<string, unknown>>;
type Wrong = readonly [field: string, kernel: string, model: string];

const pageSize = 4096;

/** Gives the granted block at its order; counts references. */
interface GrantedPages extends PageAllocator {
  grant: { readonly pfn: number; readonly order: number } | undefined;
}

function grantedPages(): GrantedPages {
  const held = new Map<number, { order: number; count: number }>();
  const headOf = (pfn: number): number => {
    for (const [head, { order }] of held) if (pfn >= head && pfn < head + (1 << order)) return head;
    throw new RangeError(`pfn ${pfn} is used after it was freed`);
  };
  const add = (pfn: number, n: number): void => {
    const head = headOf(pfn);
    const block = held.get(head) as { order: number; count: number };
    block.count += n;
    if (block.count < 0) throw new RangeError(`pfn ${head} has a reference count of ${block.count}`);
    if (block.count === 0) held.delete(head);
  };
  const pages: GrantedPages = {
    grant: undefined,
    allocPages(_gfp, order) {
      const { grant } = pages;
      if (grant === undefined || grant.order !== order || held.has(grant.pfn)) return -1;
      held.set(grant.pfn, { order, count: 1 });
      return grant.pfn;
    },
    freePages: (pfn) => add(pfn, -1),
    getPage: (pfn) => add(pfn, 1),
    putPage: (pfn) => add(pfn, -1),
    addPageRefs: add,
    pageCount: (pfn) => held.get(headOf(pfn))?.count ?? 0,
    compoundHead: headOf,
    compoundOrder: (pfn) => held.get(headOf(pfn))?.order ?? 0,
    allocPagesBulk: () => 0,
    isPfmemalloc: () => false,
    nodeOf: () => 0,
  };
  return pages;
}

interface World {
  readonly pages: GrantedPages;
  readonly cache: PageFragCache;
  readonly pieces: Map<unknown, number>;
  readonly ids: Numbering;
  /** Line of the present operation. */
  line: number;
  wrong: Wrong[];
}

const same = (world: World, field: string, kernel: unknown, model: unknown): void => {
  if (kernel !== model) world.wrong.push([field, `${kernel}`, `${model}`]);
};

function compareCache(world: World, row: Row): void {
  const nc = row.nc as Row | undefined;
  if (nc === undefined) return;
  const s = world.cache.state();
  same(world, "nc.pfn", nc.pfn ?? -1, s.pfn);
  same(world, "nc.offset", nc.offset, s.offset);
  same(world, "nc.size", nc.size, s.sizeBytes);
  same(world, "nc.pagecnt_bias", nc.pagecnt_bias, s.bias);
  same(world, "nc.pfmemalloc", nc.pfmemalloc, s.pfmemalloc ? 1 : 0);
  if (typeof nc.page_count === "number" && s.pfn >= 0)
    same(world, "nc.page_count", nc.page_count, world.pages.pageCount(s.pfn));
}

function allocate(world: World, row: Row): void {
  const nc = row.nc as Row | undefined;
  const { size, align } = row;
  // Some recorders number what failed as well.
  if (typeof row.id === "number") world.ids.next(row.id, world.line);
  if (typeof size !== "number" || typeof align !== "number")
    throw new RangeError("this operation has no size and align");
  const pfn = typeof row.pfn === "number" ? row.pfn : nc?.pfn;
  const order = typeof row.order === "number" ? row.order : nc?.size === pageSize ? 0 : 3;
  world.pages.grant = typeof pfn === "number" && pfn >= 0 ? { pfn, order } : undefined;
  const address = world.cache.alloc(size, 0, align === 0 ? -1 : -align);
  world.pages.grant = undefined;
  if (address < 0 || typeof row.pfn !== "number") {
    same(world, "got memory", typeof row.pfn === "number" && row.pfn >= 0, address >= 0);
    return;
  }
  const head = world.pages.compoundHead(Math.floor(address / pageSize));
  same(world, "pfn", row.pfn, head);
  same(world, "off", row.off, address - head * pageSize);
  same(world, "order", row.order, world.pages.compoundOrder(head));
  same(world, "page_count", row.page_count, world.pages.pageCount(head));
  world.pieces.set(row.id, address);
}

function release(world: World, row: Row): void {
  const address = world.pieces.get(row.id);
  if (address === undefined) throw new RangeError(`piece ${row.id} is not held`);
  world.pieces.delete(row.id);
  const pfn = Math.floor(address / pageSize);
  same(world, "pfn", row.pfn, world.pages.compoundHead(pfn));
  same(world, "count_before", row.count_before, world.pages.pageCount(pfn));
  world.pages.putPage(pfn);
}

/**
 * The recorded kernel. Recorders of page_frag do not name it; where nothing else does, the first piece shows which way pages are cut, and every
 * kernel that cuts this way does it alike.
 */
function kernelOf(input: TranscriptInput): ExactKernel {
  const header = objectAt(input, 0);
  if (header.release !== undefined || input.kernel !== undefined) return kernelOfTranscript(input, header);
  const first = input.lines.length > 1 ? objectAt(input, 1) : {};
  const end = (first.nc as Row | undefined)?.offset;
  const upwards = typeof end === "number" && typeof first.off === "number" && first.off < end;
  return kernelOfTranscript({ ...input, kernel: upwards ? "7.2.12" : "6.1.192" }, header);
}

function replay(input: TranscriptInput): Replayed {
  const pages = grantedPages();
  const cache = kernelOf(input).parts.slab.pageFrag({ pages, pageSize });
  const world: World = { pages, cache, pieces: new Map(), ids: numbering(input), line: 1, wrong: [] };
  let operations = 0;
  let exact = 0;
  let firstDifference: Replayed["firstDifference"];
  for (let i = 1; i < input.lines.length; i++) {
    if (input.lines[i]?.trim() === "") continue;
    const row = objectAt(input, i);
    if (row.t === "end") break;
    if (row.t !== "fa" && row.t !== "ff")
      throw new BadInput(
        `Unknown line kind "${row.t}".`,
        { file: input.path, line: i + 1 },
        "Is this a page_frag transcript?",
      );
    operations++;
    world.line = i + 1;
    world.wrong = [];
    try {
      if (row.t === "fa") allocate(world, row);
      else release(world, row);
      compareCache(world, row);
    } catch (error) {
      // Something that the record names and the model does not have: it went another way before.
      if (!(error instanceof RangeError)) throw error;
      world.wrong.push(["step", "done", error.message]);
    }
    if (world.wrong.length === 0) exact++;
    else
      firstDifference ??= {
        line: i + 1,
        operation: `${row.t === "fa" ? "page_frag_alloc_align" : "page_frag_free"} i=${row.i} size=${row.size ?? "-"}`,
        kernel: world.wrong.map(([f, k]) => `${f}=${k}`).join(" "),
        model: world.wrong.map(([f, , m]) => `${f}=${m}`).join(" "),
        reasons: [`The first field that differs is ${world.wrong[0]?.[0]}.`],
      };
  }
  if (firstDifference === undefined) requireEnd(input, operations);
  return { operations, exact, firstDifference };
}

/** page_frag transcripts: the header line has "t":"frag". */
export const pageFragReplayer: Replayer = {
  kind: "page_frag",
  formats: ["skblab_frag/1"],
  sniff: (firstLine) => /^\s*\{"t"\s*:\s*"frag"/.test(firstLine),
  replay,
};
