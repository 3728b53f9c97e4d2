// What every SLUB has, whatever it puts between a CPU and its slabs: slabs as rows, objects as links in them, the nodes' partial lists.
//
//   node    partial list: F -> G -> H        (head first; slabs with free objects that nobody holds)
//           full slabs are on no list
//   slab    freelist: 3 -> 0 -> 7            what is not handed out and not taken over by a CPU
//
// A slab is a row of `slabs`, an object an index in it; a free object's link is one 16-bit number in `links`.
// Slabs are real blocks of the page allocator; an object's address is pfn * pageSize + index * size.
// cpu_slab.ts and sheaves.ts stand on this; each keeps its hot path to itself and copies the arrays when they move (`whenMoved`).
import { assert, ModelBug } from "../../../base/assert.ts";
import type { CacheGeometry } from "../geometry.ts";
import type { CacheCounts, SlabView, SlubOptions } from "./shape.ts";
import { cacheField, mark, nodeField, slabField } from "./shape.ts";
import { countCache, viewSlab } from "./view.ts";

const { PFN, CACHE, INUSE, OBJECTS, FROZEN, FREE, NEXT, PREV, CHAIN, BASE, ORDER, NODE, RESERVE, LISTED } = slabField;
const { SIZE, OO_ORDER, OO_OBJECTS, MIN_ORDER, MIN_OBJECTS, MIN_PARTIAL, GFP, POOL } = cacheField;
const { N_HEAD, N_TAIL, N_PARTIAL, N_SLABS, N_OBJECTS } = nodeField;
const { none, noObject, slabShift, cacheShift } = mark;

/** Slabs, links and node lists of one machine. Arrays may be replaced when they grow: ask again, or listen with `whenMoved`. */
export interface SlabColumns {
  readonly slabs: Int32Array;
  /** The next free object behind each free one; {@link mark}.handedOut while it belongs to somebody. */
  readonly links: Uint16Array;
  /** pfn → slab row + 1; 0 elsewhere. */
  readonly rowOfPage: Int32Array;
  readonly cacheRows: Int32Array;
  readonly nodeRows: Int32Array;
  /** One over the distance of objects, by cache. */
  readonly inverse: Float64Array;
  readonly nodes: number;
  /** Calls `tell` now and after every replacement of an array. */
  whenMoved(tell: () => void): void;
  /** A cache's row and its nodes; its number. */
  addCache(geometry: CacheGeometry, gfpBits: number): number;
  /** allocate_slab(): a slab with every object on its own freelist and on no list; its row, or -1. */
  newSlab(cache: number, callerGfp: number): number;
  /** discard_slab(): the pages go back. The slab is on no list. */
  discard(row: number): void;
  addPartial(row: number, tail: boolean): void;
  removePartial(row: number): void;
  /** Slabs on the partial list of the slab's node. */
  partials(cache: number, node: number): number;
  /** True when an empty slab of this node is one too many. */
  tooMany(row: number): boolean;
  /** __kmem_cache_do_shrink() of all nodes: empty slabs go, the fullest come first. */
  sortPartials(cache: number): void;
  /** Row of the slab at `address`, or -1. */
  rowAt(address: number): number;
  /** The object at `address` of slab `row`; -1 when the address is inside one. */
  objectAt(row: number, address: number): number;
  addressOf(row: number, object: number): number;
  viewOf(row: number): SlabView;
  counts(cache: number): CacheCounts;
  slabPages(): number;
  misuse(what: string, address: number): void;
  /** Copies the columns; the returned function puts them back. */
  snapshot(): () => void;
}

export function createSlabColumns(options: SlubOptions): SlabColumns {
  const { pages, journal, gfp: bits, mayFallBack, alwaysCompound } = options;
  const pageSize = options.pageSize ?? 4096;
  const pageShift = Math.round(Math.log2(pageSize));
  const nodes = options.nodes ?? 1;
  const slack = options.emptySlack;
  const refusedIn = journal.textId("new_slab");
  const misuse = (what: string, address: number): void => {
    if (options.onMisuse === undefined) throw new ModelBug(`${what} at address 0x${address.toString(16)}`);
    options.onMisuse(what, address);
  };

  let slabs = new Int32Array(64 << slabShift);
  let slabCount = 0;
  let links = new Uint16Array(4096);
  let linkCount = 0;
  let rowOfPage = new Int32Array(1024);
  // These never grow: what is constant here is constant in the machine code.
  const cacheRows = new Int32Array(cachesMax << cacheShift);
  let cacheCount = 0;
  const nodeRows = new Int32Array((cachesMax * nodes) << 3);
  const inverse = new Float64Array(cachesMax);
  const order = new Uint16Array(32768);
  const listeners: (() => void)[] = [];
  const moved = (): void => {
    for (const tell of listeners) tell();
  };

  // ---- slabs come and go ----

  /** A row for a slab of `cache` with room for its links; rows of the same cache are used again. */
  const takeRow = (cache: number): number => {
    const c = cache << cacheShift;
    const pooled = cacheRows[c + POOL] as number;
    if (pooled !== none) {
      cacheRows[c + POOL] = slabs[(pooled << slabShift) + NEXT] as number;
      return pooled;
    }
    const row = slabCount++;
    if (slabCount << slabShift > slabs.length) slabs = grown(slabs, new Int32Array(slabs.length * 2));
    slabs[(row << slabShift) + BASE] = linkCount;
    linkCount += cacheRows[c + OO_OBJECTS] as number;
    if (linkCount > links.length) links = grown(links, new Uint16Array(Math.max(links.length * 2, linkCount)));
    moved();
    return row;
  };

  const ownPages = (pfn: number, count: number, value: number): void => {
    if (pfn + count > rowOfPage.length) {
      rowOfPage = grown(rowOfPage, new Int32Array(Math.max(rowOfPage.length * 2, pfn + count)));
      moved();
    }
    rowOfPage.fill(value, pfn, pfn + count);
  };

  /** The whole freelist of a new slab: ascending, or as the option shuffles it. */
  const linkAll = (cache: number, s: number, objects: number): void => {
    const base = slabs[s + BASE] as number;
    if (options.freelistOrder === undefined) {
      slabs[s + FREE] = 0;
      for (let i = 0; i < objects; i++) links[base + i] = i + 1;
      links[base + objects - 1] = noObject;
      return;
    }
    options.freelistOrder(cache, objects, cacheRows[(cache << cacheShift) + OO_OBJECTS] as number, order);
    slabs[s + FREE] = order[0] as number;
    for (let i = 1; i < objects; i++) links[base + (order[i - 1] as number)] = order[i] as number;
    links[base + (order[objects - 1] as number)] = noObject;
  };

  const countSlab = (cache: number, node: number, slabsMore: number, objectsMore: number): void => {
    const n = (cache * nodes + node) << 3;
    nodeRows[n + N_SLABS] = (nodeRows[n + N_SLABS] as number) + slabsMore;
    nodeRows[n + N_OBJECTS] = (nodeRows[n + N_OBJECTS] as number) + objectsMore;
  };

  /** allocate_slab(): at the full order without noise, then at the smallest order as the caller asked; the slab's row, or -1. */
  const newSlab = (cache: number, callerGfp: number): number => {
    const c = cache << cacheShift;
    const gfp = (callerGfp & bits.passed) | (cacheRows[c + GFP] as number);
    let slabOrder = cacheRows[c + OO_ORDER] as number;
    const minOrder = cacheRows[c + MIN_ORDER] as number;
    let objects = cacheRows[c + OO_OBJECTS] as number;
    const comp = slabOrder > 0 || alwaysCompound ? bits.comp : 0;
    let first = gfp | comp;
    // Releases without a fall-back have no silent attempt either: then minOrder is the full order.
    if (mayFallBack) first = (first | bits.silent) & ~bits.noFail;
    if (mayFallBack && slabOrder > minOrder && bits.reclaim !== 0 && (gfp & bits.mayReclaim) !== 0)
      first = (first | bits.noMemalloc) & ~bits.reclaim;
    let pfn = pages.allocPages(first, slabOrder);
    if (pfn < 0 && mayFallBack) {
      slabOrder = minOrder;
      objects = cacheRows[c + MIN_OBJECTS] as number;
      pfn = pages.allocPages(gfp | comp, slabOrder);
    }
    if (pfn < 0) {
      journal.refused(refusedIn, cache, callerGfp);
      return none;
    }
    const row = takeRow(cache);
    const s = row << slabShift;
    slabs[s + PFN] = pfn;
    slabs[s + CACHE] = cache;
    slabs[s + INUSE] = 0;
    slabs[s + OBJECTS] = objects;
    slabs[s + FROZEN] = 0;
    slabs[s + LISTED] = 0;
    slabs[s + ORDER] = slabOrder;
    slabs[s + CHAIN] = 0;
    slabs[s + RESERVE] = pages.isPfmemalloc(pfn) ? 1 : 0;
    const node = pages.nodeOf(pfn);
    slabs[s + NODE] = node < nodes ? node : 0;
    linkAll(cache, s, objects);
    ownPages(pfn, 1 << slabOrder, row + 1);
    countSlab(cache, slabs[s + NODE] as number, 1, objects);
    return row;
  };

  const discard = (row: number): void => {
    const s = row << slabShift;
    if (slabs[s + LISTED] !== 0) broken("is given back while it is on a partial list", row);
    if (slabs[s + INUSE] !== 0) broken("is given back with objects in use", row);
    const cache = slabs[s + CACHE] as number;
    countSlab(cache, slabs[s + NODE] as number, -1, -(slabs[s + OBJECTS] as number));
    const pfn = slabs[s + PFN] as number;
    const slabOrder = slabs[s + ORDER] as number;
    ownPages(pfn, 1 << slabOrder, 0);
    slabs[s + NEXT] = cacheRows[(cache << cacheShift) + POOL] as number;
    cacheRows[(cache << cacheShift) + POOL] = row;
    slabs[s + PFN] = none;
    pages.freePages(pfn, slabOrder);
  };

  // ---- the node's partial list ----

  const addPartial = (row: number, tail: boolean): void => {
    const s = row << slabShift;
    if (slabs[s + LISTED] !== 0) broken("is put on a partial list twice", row);
    const n = ((slabs[s + CACHE] as number) * nodes + (slabs[s + NODE] as number)) << 3;
    const other = nodeRows[n + (tail ? N_TAIL : N_HEAD)] as number;
    slabs[s + NEXT] = tail ? none : other;
    slabs[s + PREV] = tail ? other : none;
    slabs[s + LISTED] = 1;
    if (other === none) {
      nodeRows[n + N_HEAD] = row;
      nodeRows[n + N_TAIL] = row;
    } else {
      slabs[(other << slabShift) + (tail ? NEXT : PREV)] = row;
      nodeRows[n + (tail ? N_TAIL : N_HEAD)] = row;
    }
    nodeRows[n + N_PARTIAL] = (nodeRows[n + N_PARTIAL] as number) + 1;
  };

  const removePartial = (row: number): void => {
    const s = row << slabShift;
    if (slabs[s + LISTED] !== 1) broken("is taken off a partial list that it is not on", row);
    const n = ((slabs[s + CACHE] as number) * nodes + (slabs[s + NODE] as number)) << 3;
    const next = slabs[s + NEXT] as number;
    const prev = slabs[s + PREV] as number;
    if (prev === none) nodeRows[n + N_HEAD] = next;
    else slabs[(prev << slabShift) + NEXT] = next;
    if (next === none) nodeRows[n + N_TAIL] = prev;
    else slabs[(next << slabShift) + PREV] = prev;
    slabs[s + LISTED] = 0;
    nodeRows[n + N_PARTIAL] = (nodeRows[n + N_PARTIAL] as number) - 1;
  };

  const partials = (cache: number, node: number): number =>
    nodeRows[((cache * nodes + node) << 3) + N_PARTIAL] as number;

  const tooMany = (row: number): boolean => {
    const s = row << slabShift;
    const cache = slabs[s + CACHE] as number;
    return (
      partials(cache, slabs[s + NODE] as number) >= (cacheRows[(cache << cacheShift) + MIN_PARTIAL] as number) + slack
    );
  };

  /** Equally full slabs end in reversed order; those with more than 32 free objects stay where they are. */
  const sortPartial = (cache: number, node: number): void => {
    const n = (cache * nodes + node) << 3;
    const doomed: number[] = [];
    const promoted: number[][] = [];
    for (let row = nodeRows[n + N_HEAD] as number; row !== none; ) {
      const s = row << slabShift;
      const next = slabs[s + NEXT] as number;
      const freeObjects = (slabs[s + OBJECTS] as number) - (slabs[s + INUSE] as number);
      if (slabs[s + INUSE] === 0) {
        removePartial(row);
        doomed.unshift(row);
      } else if (freeObjects <= shrinkPromoteMax) {
        removePartial(row);
        promoted[freeObjects] ??= [];
        promoted[freeObjects]?.push(row);
      }
      row = next;
    }
    for (let freeObjects = shrinkPromoteMax; freeObjects > 0; freeObjects--)
      for (const row of promoted[freeObjects] ?? []) addPartial(row, false);
    for (const row of doomed) discard(row);
  };

  // ---- addresses ----

  const pfnOf = (address: number): number =>
    address < 0x80000000 ? address >> pageShift : Math.floor(address / pageSize);
  const rowAt = (address: number): number => {
    const pfn = pfnOf(address);
    return pfn >= 0 && pfn < rowOfPage.length ? (rowOfPage[pfn] as number) - 1 : none;
  };
  const sizeOf = (row: number): number =>
    cacheRows[((slabs[(row << slabShift) + CACHE] as number) << cacheShift) + SIZE] as number;

  const addCache = (g: CacheGeometry, gfpBits: number): number => {
    const cache = cacheCount++;
    assert(cache < cachesMax, () => `more than ${cachesMax} slab caches`);
    assert(g.objects > 0 && g.objects < mark.inSheaf, () => `${g.objects} objects a slab`);
    assert(
      g.objects * g.size <= pageSize << g.order,
      () => `${g.objects} objects of ${g.size} bytes at order ${g.order}`,
    );
    inverse[cache] = 1 / g.size;
    const c = cache << cacheShift;
    cacheRows[c + SIZE] = g.size;
    cacheRows[c + OO_ORDER] = g.order;
    cacheRows[c + OO_OBJECTS] = g.objects;
    cacheRows[c + MIN_ORDER] = g.minOrder;
    cacheRows[c + MIN_OBJECTS] = g.minObjects;
    cacheRows[c + MIN_PARTIAL] = g.minPartial;
    cacheRows[c + GFP] = gfpBits;
    cacheRows[c + POOL] = none;
    for (let node = 0; node < nodes; node++) {
      const n = (cache * nodes + node) << 3;
      nodeRows.fill(0, n, n + 8);
      nodeRows[n + N_HEAD] = none;
      nodeRows[n + N_TAIL] = none;
    }
    return cache;
  };

  const columns: SlabColumns = {
    get slabs() {
      return slabs;
    },
    get links() {
      return links;
    },
    get rowOfPage() {
      return rowOfPage;
    },
    cacheRows,
    nodeRows,
    inverse,
    nodes,
    whenMoved(tell) {
      listeners.push(tell);
      tell();
    },
    addCache,
    newSlab,
    discard,
    addPartial,
    removePartial,
    partials,
    tooMany,
    sortPartials(cache) {
      for (let node = 0; node < nodes; node++) sortPartial(cache, node);
    },
    rowAt,
    objectAt(row, address) {
      const object = (address - (slabs[(row << slabShift) + PFN] as number) * pageSize) / sizeOf(row);
      return Number.isInteger(object) ? object : none;
    },
    addressOf: (row, object) => (slabs[(row << slabShift) + PFN] as number) * pageSize + object * sizeOf(row),
    viewOf: (row) => viewSlab(columns, row),
    counts: (cache) => countCache(columns, cache),
    slabPages: () => rowOfPage.reduce((n, row) => (row === 0 ? n : n + 1), 0),
    misuse,
    snapshot() {
      const kept = {
        slabs: slabs.slice(),
        links: links.slice(),
        pages: rowOfPage.slice(),
        caches: cacheRows.slice(),
        nodes: nodeRows.slice(),
        counts: [slabCount, linkCount, cacheCount] as const,
      };
      return () => {
        slabs = kept.slabs.slice();
        links = kept.links.slice();
        rowOfPage = kept.pages.slice();
        cacheRows.set(kept.caches);
        nodeRows.set(kept.nodes);
        [slabCount, linkCount, cacheCount] = kept.counts;
        moved();
      };
    },
  };
  return columns;
}

/** Caches of one machine; a distribution's kernel has some 300. */
export const cachesMax = 1024;
/** SHRINK_PROMOTE_MAX. */
const shrinkPromoteMax = 32;

/** An assertion of the hot path: assert() would make a function of its message each time. */
export function broken(what: string, row: number): never {
  throw new ModelBug(`slab row ${row} ${what}`);
}

function grown<T extends Int32Array | Uint16Array>(from: T, into: T): T {
  into.set(from);
  return into;
}
