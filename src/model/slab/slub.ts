// SLUB's objects and slabs, as mm/slub.c of 6.1 moves them, with the older list rules as dated facts. Geometry is geometry.ts.
//
//   CPU 0        CPU 1                    node
//   slab A       slab C                   partial list: F -> G -> H      (head first; slabs of nobody)
//   freelist     freelist                 full slabs are on no list
//   partial      partial
//    D -> E       (none)                  a slab has a second freelist of its own: what others freed into it
//
// A slab is a row of `slabs`, an object an index in it; a free object's link is one 16-bit number in `links`.
// Slabs are real blocks of the page allocator; the object's address is pfn * pageSize + index * size.
// One instance serves the whole machine; nothing is allocated once the columns have grown to the working set.
import { assert, ModelBug } from "../../base/assert.ts";
import type { CpuPartialRule, SlubListRules } from "../../kernel/facts/slab.ts";
import { slubCpuPartial, slubListRules, slubMayFallBack } from "../../kernel/facts/slab.ts";
import { factAt } from "../../kernel/release.ts";
import type { SlabGfp } from "./slab_gfp.ts";
import { slabGfp } from "./slab_gfp.ts";
import type { Slub, SlubOptions } from "./slub_shape.ts";
import { cacheField, cpuField, mark, nodeField, slabField } from "./slub_shape.ts";
import { countCache, viewCache, viewSlab } from "./slub_view.ts";

const { PFN, CACHE, INUSE, OBJECTS, FROZEN, FREE, NEXT, PREV, CHAIN, BASE, ORDER, NODE, RESERVE } = slabField;
const { SIZE, OO_ORDER, OO_OBJECTS, MIN_ORDER, MIN_OBJECTS, CPU_PARTIAL, MIN_PARTIAL, GFP, POOL } = cacheField;
const { C_SLAB, C_FREE, C_PARTIAL } = cpuField;
const { N_HEAD, N_TAIL, N_PARTIAL, N_SLABS, N_OBJECTS } = nodeField;
const { none, noObject, handedOut, slabShift, cacheShift } = mark;

export function createSlub(options: SlubOptions): Slub {
  const { pages, journal, cpus } = options;
  const pageSize = options.pageSize ?? 4096;
  const pageShift = Math.round(Math.log2(pageSize));
  const nodes = options.nodes ?? 1;
  const nodeOfCpu = options.nodeOfCpu ?? ((): number => 0);
  const bits: SlabGfp = slabGfp(options.release);
  const lists = factAt(slubListRules, options.release.version)?.value as SlubListRules | undefined;
  assert(lists !== undefined, () => `SLUB does not exist in ${options.release.version.join(".")}`);
  const chains: CpuPartialRule | undefined = factAt(slubCpuPartial, options.release.version)?.value;
  const chainCounts = chains?.counted;
  const hasFallBack = factAt(slubMayFallBack, options.release.version)?.value === true;
  const spliced = lists.giveBack === "spliced";
  const toTail = lists.letGo === "tail after remote frees";
  const keepsEmptied = lists.emptied === "kept below min_partial";
  const slack = lists.manyMeans === "more" ? 1 : 0;
  const refusedIn = journal.textId("new_slab");
  const misuse = (what: string, address: number): void => {
    if (options.onMisuse === undefined) throw new ModelBug(`${what} at address 0x${address.toString(16)}`);
    options.onMisuse(what, address);
  };

  let slabs = new Int32Array(64 << slabShift);
  let slabCount = 0;
  /** The next free object behind each free one; handedOut while it belongs to somebody. */
  let links = new Uint16Array(4096);
  let linkCount = 0;
  /** pfn → slab row + 1; 0 elsewhere. */
  let rowOfPage = new Int32Array(1024);
  // These never grow: what is constant here is constant in the machine code.
  const cacheRows = new Int32Array(cachesMax << cacheShift);
  let cacheCount = 0;
  const cpuRows = new Int32Array((cachesMax * cpus) << 2);
  const nodeRows = new Int32Array((cachesMax * nodes) << 3);
  /** One over the distance of objects, by cache. */
  const inverse = new Float64Array(cachesMax);
  const order = new Uint16Array(32768);

  const pfnOf = (address: number): number =>
    address < 0x80000000 ? address >> pageShift : Math.floor(address / pageSize);
  const rowAt = (address: number): number => {
    const pfn = pfnOf(address);
    return pfn < rowOfPage.length ? (rowOfPage[pfn] as number) - 1 : none;
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
    if (linkCount > links.length) {
      const room = Math.max(links.length * 2, linkCount);
      links = grown(links, new Uint16Array(room));
    }
    return row;
  };

  const ownPages = (pfn: number, count: number, value: number): void => {
    if (pfn + count > rowOfPage.length)
      rowOfPage = grown(rowOfPage, new Int32Array(Math.max(rowOfPage.length * 2, pfn + count)));
    rowOfPage.fill(value, pfn, pfn + count);
  };

  /** allocate_slab(): at the full order without noise, then at the smallest order as the caller asked; the slab's row, or -1. */
  const newSlab = (cache: number, callerGfp: number): number => {
    const c = cache << cacheShift;
    const gfp = (callerGfp & bits.passed) | (cacheRows[c + GFP] as number);
    let slabOrder = cacheRows[c + OO_ORDER] as number;
    const minOrder = cacheRows[c + MIN_ORDER] as number;
    let objects = cacheRows[c + OO_OBJECTS] as number;
    const comp = slabOrder > 0 ? bits.comp : 0;
    const higher = slabOrder > minOrder;
    let first = gfp | comp;
    // Releases without a fall-back have no silent attempt either: then minOrder is the full order.
    if (hasFallBack) first = (first | bits.silent) & ~bits.noFail;
    if (hasFallBack && higher && bits.reclaim !== 0 && (gfp & bits.mayReclaim) !== 0)
      first = (first | bits.noMemalloc) & ~bits.reclaim;
    let pfn = pages.allocPages(first, slabOrder);
    if (pfn < 0 && hasFallBack) {
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
    const base = slabs[s + BASE] as number;
    slabs[s + PFN] = pfn;
    slabs[s + CACHE] = cache;
    slabs[s + INUSE] = 0;
    slabs[s + OBJECTS] = objects;
    slabs[s + FROZEN] = 0;
    slabs[s + ORDER] = slabOrder;
    slabs[s + CHAIN] = 0;
    slabs[s + RESERVE] = pages.isPfmemalloc(pfn) ? 1 : 0;
    const node = pages.nodeOf(pfn);
    slabs[s + NODE] = node < nodes ? node : 0;
    if (options.freelistOrder === undefined) {
      slabs[s + FREE] = 0;
      for (let i = 0; i < objects; i++) links[base + i] = i + 1;
      links[base + objects - 1] = noObject;
    } else {
      options.freelistOrder(cache, objects, cacheRows[c + OO_OBJECTS] as number, order);
      slabs[s + FREE] = order[0] as number;
      for (let i = 1; i < objects; i++) links[base + (order[i - 1] as number)] = order[i] as number;
      links[base + (order[objects - 1] as number)] = noObject;
    }
    ownPages(pfn, 1 << slabOrder, row + 1);
    const n = (cache * nodes + (slabs[s + NODE] as number)) << 3;
    nodeRows[n + N_SLABS] = (nodeRows[n + N_SLABS] as number) + 1;
    nodeRows[n + N_OBJECTS] = (nodeRows[n + N_OBJECTS] as number) + objects;
    return row;
  };
  /** discard_slab(). */
  const discard = (row: number): void => {
    const s = row << slabShift;
    const cache = slabs[s + CACHE] as number;
    const n = (cache * nodes + (slabs[s + NODE] as number)) << 3;
    nodeRows[n + N_SLABS] = (nodeRows[n + N_SLABS] as number) - 1;
    nodeRows[n + N_OBJECTS] = (nodeRows[n + N_OBJECTS] as number) - (slabs[s + OBJECTS] as number);
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
    const n = ((slabs[s + CACHE] as number) * nodes + (slabs[s + NODE] as number)) << 3;
    const other = nodeRows[n + (tail ? N_TAIL : N_HEAD)] as number;
    slabs[s + NEXT] = tail ? none : other;
    slabs[s + PREV] = tail ? other : none;
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
    const n = ((slabs[s + CACHE] as number) * nodes + (slabs[s + NODE] as number)) << 3;
    const next = slabs[s + NEXT] as number;
    const prev = slabs[s + PREV] as number;
    if (prev === none) nodeRows[n + N_HEAD] = next;
    else slabs[(prev << slabShift) + NEXT] = next;
    if (next === none) nodeRows[n + N_TAIL] = prev;
    else slabs[(next << slabShift) + PREV] = prev;
    nodeRows[n + N_PARTIAL] = (nodeRows[n + N_PARTIAL] as number) - 1;
  };

  /** True when an empty slab of this node is one too many. */
  const tooMany = (row: number): boolean => {
    const s = row << slabShift;
    const cache = slabs[s + CACHE] as number;
    const n = (cache * nodes + (slabs[s + NODE] as number)) << 3;
    return (nodeRows[n + N_PARTIAL] as number) >= (cacheRows[(cache << cacheShift) + MIN_PARTIAL] as number) + slack;
  };

  // ---- what a CPU lets go ----

  /** deactivate_slab(): the CPU's objects go in front of the slab's own; then the slab goes to its node, or back to the page allocator. */
  const deactivate = (row: number, head: number): void => {
    const s = row << slabShift;
    const base = slabs[s + BASE] as number;
    const remote = slabs[s + FREE] !== noObject;
    let returned = 0;
    if (spliced) {
      let last = noObject;
      for (let o = head; o !== noObject; o = links[base + o] as number) {
        last = o;
        returned++;
      }
      if (last !== noObject) {
        links[base + last] = slabs[s + FREE] as number;
        slabs[s + FREE] = head;
      }
    } else {
      for (let o = head; o !== noObject; ) {
        const next = links[base + o] as number;
        links[base + o] = slabs[s + FREE] as number;
        slabs[s + FREE] = o;
        o = next;
        returned++;
      }
    }
    slabs[s + INUSE] = (slabs[s + INUSE] as number) - returned;
    slabs[s + FROZEN] = 0;
    const empty = slabs[s + INUSE] === 0;
    if (empty && tooMany(row)) discard(row);
    else if (slabs[s + FREE] !== noObject) addPartial(row, toTail ? remote : empty);
  };

  /** __unfreeze_partials(): the whole chain, in its order, to the tail of the node's list. */
  const unfreeze = (chain: number): void => {
    let doomed = none;
    for (let row = chain; row !== none; ) {
      const s = row << slabShift;
      const next = slabs[s + NEXT] as number;
      slabs[s + FROZEN] = 0;
      if (slabs[s + INUSE] === 0 && tooMany(row)) {
        slabs[s + NEXT] = doomed;
        doomed = row;
      } else addPartial(row, true);
      row = next;
    }
    while (doomed !== none) {
      const next = slabs[(doomed << slabShift) + NEXT] as number;
      discard(doomed);
      doomed = next;
    }
  };

  /** put_cpu_partial(): the slab becomes the head of the CPU's chain; a full chain goes to the node first when `drain`. */
  const putCpuPartial = (k: number, row: number, drain: boolean): void => {
    const S = slabs,
      K = cpuRows;
    const s = row << slabShift;
    const cache = S[s + CACHE] as number;
    let old = K[k + C_PARTIAL] as number;
    let full = none;
    let chain = 0;
    if (old !== none) {
      const held = S[(old << slabShift) + CHAIN] as number;
      const limit = cacheRows[(cache << cacheShift) + CPU_PARTIAL] as number;
      if (drain && (chainCounts === "slabs" ? held >= limit : held > limit)) {
        full = old;
        old = none;
      } else chain = held;
    }
    S[s + CHAIN] = chain + (chainCounts === "slabs" ? 1 : (S[s + OBJECTS] as number) - (S[s + INUSE] as number));
    S[s + NEXT] = old;
    K[k + C_PARTIAL] = row;
    if (full !== none) unfreeze(full);
  };

  /** get_partial_node(): the first slab of the list for the CPU, and some more for its chain; the slab's row, or -1. `taken` gets its list. */
  let taken = noObject;
  const getPartialNode = (cache: number, node: number, k: number, reserveAllowed: boolean): number => {
    const S = slabs;
    const n = (cache * nodes + node) << 3;
    const limit = cacheRows[(cache << cacheShift) + CPU_PARTIAL] as number;
    let found = none;
    let more = 0;
    let available = 0;
    for (let row = nodeRows[n + N_HEAD] as number; row !== none; ) {
      const s = row << slabShift;
      const next = S[s + NEXT] as number;
      if (S[s + RESERVE] === 0 || reserveAllowed) {
        removePartial(row);
        S[s + FROZEN] = 1;
        available += (S[s + OBJECTS] as number) - (S[s + INUSE] as number);
        if (found === none) {
          found = row;
          taken = S[s + FREE] as number;
          S[s + FREE] = noObject;
          S[s + INUSE] = S[s + OBJECTS] as number;
        } else {
          putCpuPartial(k, row, false);
          more++;
        }
        if (chainCounts === undefined) break;
        if (chainCounts === "slabs" ? more > limit >> 1 : available > limit >> 1) break;
      }
      row = next;
    }
    return found;
  };

  const getPartial = (cache: number, node: number, k: number, reserveAllowed: boolean): number => {
    const own = getPartialNode(cache, node, k, reserveAllowed);
    if (own !== none || nodes === 1) return own;
    const min = cacheRows[(cache << cacheShift) + MIN_PARTIAL] as number;
    for (let other = 0; other < nodes; other++) {
      if (other === node || (nodeRows[((cache * nodes + other) << 3) + N_PARTIAL] as number) <= min) continue;
      const row = getPartialNode(cache, other, k, reserveAllowed);
      if (row !== none) return row;
    }
    return none;
  };

  /** The object leaves the CPU's list. */
  const handOut = (cache: number, k: number, row: number, object: number): number => {
    const S = slabs,
      L = links,
      K = cpuRows;
    const s = row << slabShift;
    const at = (S[s + BASE] as number) + object;
    K[k + C_SLAB] = row;
    K[k + C_FREE] = L[at] as number;
    L[at] = handedOut;
    return (S[s + PFN] as number) * pageSize + object * (cacheRows[cache << cacheShift] as number);
  };

  /** ___slab_alloc(): the CPU's own slab, its chain, its node, a new slab. */
  const allocSlow = (cache: number, gfp: number, k: number): number => {
    const S = slabs,
      K = cpuRows;
    const reserveAllowed = bits.memalloc !== 0 && (gfp & bits.memalloc) !== 0;
    for (let row = K[k + C_SLAB] as number; ; ) {
      if (row === none) {
        row = K[k + C_PARTIAL] as number;
        if (row === none) break;
        K[k + C_PARTIAL] = S[(row << slabShift) + NEXT] as number;
        K[k + C_SLAB] = row;
      }
      const s = row << slabShift;
      if (S[s + RESERVE] === 1 && !reserveAllowed) {
        const head = K[k + C_FREE] as number;
        K[k + C_SLAB] = none;
        K[k + C_FREE] = noObject;
        deactivate(row, head);
        row = none;
        continue;
      }
      const own = S[s + FREE] as number;
      if (own !== noObject) {
        S[s + FREE] = noObject;
        S[s + INUSE] = S[s + OBJECTS] as number;
        return handOut(cache, k, row, own);
      }
      // Nothing came back to it: the slab is full and leaves without a list.
      S[s + FROZEN] = 0;
      K[k + C_SLAB] = none;
      row = none;
    }
    const found = getPartial(cache, nodeOfCpu(journal.cpu), k, reserveAllowed);
    if (found !== none) return handOut(cache, k, found, taken);
    const fresh = newSlab(cache, gfp);
    if (fresh === none) return -1;
    const s = fresh << slabShift;
    const head = slabs[s + FREE] as number;
    slabs[s + FREE] = noObject;
    slabs[s + INUSE] = slabs[s + OBJECTS] as number;
    slabs[s + FROZEN] = 1;
    if (slabs[s + RESERVE] === 1 && !reserveAllowed) {
      const at = (slabs[s + BASE] as number) + head;
      const rest = links[at] as number;
      links[at] = handedOut;
      deactivate(fresh, rest);
      return (slabs[s + PFN] as number) * pageSize + head * (cacheRows[cache << cacheShift] as number);
    }
    return handOut(cache, k, fresh, head);
  };

  const alloc = (cache: number, gfp: number): number => {
    const S = slabs,
      L = links,
      K = cpuRows;
    const k = (cache * cpus + journal.cpu) << 2;
    const object = K[k + C_FREE] as number;
    if (object === noObject) return allocSlow(cache, gfp, k);
    const s = (K[k + C_SLAB] as number) << slabShift;
    const at = (S[s + BASE] as number) + object;
    K[k + C_FREE] = L[at] as number;
    L[at] = handedOut;
    return (S[s + PFN] as number) * pageSize + object * (cacheRows[cache << cacheShift] as number);
  };

  /** __slab_free(): the object goes to its slab; a full slab enters this CPU's chain, an empty one may leave its node. */
  const freeSlow = (row: number, object: number, k: number): void => {
    const S = slabs;
    const s = row << slabShift;
    const prior = S[s + FREE] as number;
    links[(S[s + BASE] as number) + object] = prior;
    S[s + FREE] = object;
    S[s + INUSE] = (S[s + INUSE] as number) - 1;
    if (S[s + FROZEN] === 1) return;
    const empty = S[s + INUSE] === 0;
    if (prior === noObject && chainCounts !== undefined) {
      S[s + FROZEN] = 1;
      putCpuPartial(k, row, true);
    } else if (empty && (!keepsEmptied || tooMany(row))) {
      if (prior !== noObject) removePartial(row);
      discard(row);
    } else if (prior === noObject) addPartial(row, true);
  };

  const free = (cache: number, address: number): void => {
    const S = slabs,
      L = links,
      K = cpuRows;
    const row = rowAt(address);
    if (row === none || S[(row << slabShift) + CACHE] !== cache) {
      misuse(row === none ? "free of an address in no slab" : "free to the wrong cache", address);
      return;
    }
    const s = row << slabShift;
    const offset = (address - (S[s + PFN] as number) * pageSize) | 0;
    // Exact for every offset within a slab: the half keeps the product away from whole numbers.
    const object = ((offset + 0.5) * (inverse[cache] as number)) | 0;
    const at = (S[s + BASE] as number) + object;
    if (L[at] !== handedOut || object * (cacheRows[cache << cacheShift] as number) !== offset) {
      misuse(L[at] === handedOut ? "free of an address inside an object" : "double free of an object", address);
      return;
    }
    const k = (cache * cpus + journal.cpu) << 2;
    if (K[k + C_SLAB] === row) {
      L[at] = K[k + C_FREE] as number;
      K[k + C_FREE] = object;
    } else freeSlow(row, object, k);
  };

  /** __kmem_cache_do_shrink(): empty slabs go, the fullest come first; equally full ones end in reversed order. */
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

  const shrink = (cache: number, flushes?: readonly number[]): void => {
    const done = new Uint8Array(cpus);
    for (const cpu of flushes ?? Array.from({ length: cpus * 2 }, (_, i) => i >> 1)) {
      const k = (cache * cpus + cpu) << 2;
      if (done[cpu] === 0) {
        const row = cpuRows[k + C_SLAB] as number;
        const head = cpuRows[k + C_FREE] as number;
        cpuRows[k + C_SLAB] = none;
        cpuRows[k + C_FREE] = noObject;
        if (row !== none) deactivate(row, head);
      } else {
        const chain = cpuRows[k + C_PARTIAL] as number;
        cpuRows[k + C_PARTIAL] = none;
        unfreeze(chain);
      }
      done[cpu] = 1;
    }
    for (let node = 0; node < nodes; node++) sortPartial(cache, node);
  };

  const columns = () => ({ slabs, links, cpuRows, nodeRows });

  return {
    addCache(g, gfpBits) {
      const cache = cacheCount++;
      assert(cache < cachesMax, () => `more than ${cachesMax} slab caches`);
      inverse[cache] = 1 / g.size;
      assert(g.objects < handedOut, () => `${g.objects} objects a slab`);
      const c = cache << cacheShift;
      cacheRows[c + SIZE] = g.size;
      cacheRows[c + OO_ORDER] = g.order;
      cacheRows[c + OO_OBJECTS] = g.objects;
      cacheRows[c + MIN_ORDER] = g.minOrder;
      cacheRows[c + MIN_OBJECTS] = g.minObjects;
      cacheRows[c + CPU_PARTIAL] = chainCounts === "slabs" ? g.cpuPartialSlabs : g.cpuPartial;
      cacheRows[c + MIN_PARTIAL] = g.minPartial;
      cacheRows[c + GFP] = gfpBits;
      cacheRows[c + POOL] = none;
      for (let cpu = 0; cpu < cpus; cpu++) {
        const k = (cache * cpus + cpu) << 2;
        cpuRows[k + C_SLAB] = none;
        cpuRows[k + C_FREE] = noObject;
        cpuRows[k + C_PARTIAL] = none;
      }
      for (let node = 0; node < nodes; node++) {
        const n = (cache * nodes + node) << 3;
        nodeRows.fill(0, n, n + 8);
        nodeRows[n + N_HEAD] = none;
        nodeRows[n + N_TAIL] = none;
      }
      return cache;
    },
    alloc,
    free,
    cacheOf(address) {
      const row = rowAt(address);
      return row === none ? none : (slabs[(row << slabShift) + CACHE] as number);
    },
    blockAt(address) {
      const row = rowAt(address);
      if (row === none) return undefined;
      return { pfn: slabs[(row << slabShift) + PFN] as number, order: slabs[(row << slabShift) + ORDER] as number };
    },
    slabAt(address) {
      const row = rowAt(address);
      return row === none ? undefined : viewSlab(columns(), row);
    },
    indexOf(address) {
      const s = rowAt(address) << slabShift;
      const size = cacheRows[(slabs[s + CACHE] as number) << cacheShift] as number;
      return Math.floor((address - (slabs[s + PFN] as number) * pageSize) / size);
    },
    shrink,
    view: (cache) => viewCache(columns(), cache, cpus, nodes),
    counts: (cache) => countCache(columns(), cache, nodes),
    slabPages: () => rowOfPage.reduce((n, row) => (row === 0 ? n : n + 1), 0),
    snapshot() {
      const kept = {
        slabs: slabs.slice(),
        links: links.slice(),
        pages: rowOfPage.slice(),
        caches: cacheRows.slice(),
        cpus: cpuRows.slice(),
        nodes: nodeRows.slice(),
        counts: [slabCount, linkCount, cacheCount] as const,
      };
      return () => {
        slabs = kept.slabs.slice();
        links = kept.links.slice();
        rowOfPage = kept.pages.slice();
        cacheRows.set(kept.caches);
        cpuRows.set(kept.cpus);
        nodeRows.set(kept.nodes);
        [slabCount, linkCount, cacheCount] = kept.counts;
      };
    },
  };
}

/** Caches of one machine; a distribution's kernel has some 300. */
const cachesMax = 1024;
/** SHRINK_PROMOTE_MAX. */
const shrinkPromoteMax = 32;

function grown<T extends Int32Array | Uint16Array>(from: T, into: T): T {
  into.set(from);
  return into;
}
