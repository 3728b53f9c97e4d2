// SLUB with sheaves for every cache (7.0 and later; read in mm/slub.c 7.2.12): no slab belongs to a CPU.
//
//   CPU 0               CPU 1               node
//   main   [A0 B3 A7>   main   [C1>         barn   full: [....] [....]   empty: [] []
//   spare  []           spare  [....]       partial list: F -> G -> H    (columns.ts)
//
// A sheaf is an array of ready objects of any slabs; the last one leaves first. Main and spare change places before anything else is asked,
// then the barn; only then slabs are opened (to fill a sheaf) or closed (when the barn has enough). Objects in sheaves count as in use.
// Not here: the third sheaf that gathers kfree_rcu(), and sheaves filled ahead for one caller (kmem_cache_prefill_sheaf()).
import { assert } from "../../../base/assert.ts";
import { freeDetached } from "./bulk.ts";
import { cachesMax, createSlabColumns } from "./columns.ts";
import { nodeSlabs } from "./node_slabs.ts";
import type { SheafView, Sheaves, SlubMaker } from "./shape.ts";
import { cacheField, mark, slabField } from "./shape.ts";
import { viewNodes } from "./view.ts";

const { PFN, CACHE, BASE, ORDER, NODE, RESERVE } = slabField;
const { SHEAF } = cacheField;
const { none, handedOut, inSheaf, slabShift, cacheShift } = mark;

/** A sheaf's objects are this far apart, as a shift: the most that a sheaf holds. */
const sheafShift = 6;
/** struct slab_sheaf before its array, with 8-byte pointers. */
const sheafHeadBytes = 32;
/** MAX_FULL_SHEAVES: full sheaves that a barn takes. */
const fullMax = 10;
/** PCS_BATCH_MAX: objects that leave a CPU's main sheaf in one step of a flush. */
const flushBatch = 32;

// A barn's row: [head, length] of its full sheaves, then of its empty ones.
const FULL = 0;
const EMPTY = 2;

export const sheaves: SlubMaker = (options): Sheaves => {
  const { journal, cpus, gfp: bits, sheafMemory } = options;
  const pageSize = options.pageSize ?? 4096;
  const pageShift = Math.round(Math.log2(pageSize));
  const nodeOfCpu = options.nodeOfCpu ?? ((): number => 0);
  const columns = createSlabColumns(options);
  const { cacheRows, inverse, misuse, nodes } = columns;

  let slabs = columns.slabs;
  let links = columns.links;
  let rowOfPage = columns.rowOfPage;
  columns.whenMoved(() => {
    slabs = columns.slabs;
    links = columns.links;
    rowOfPage = columns.rowOfPage;
  });

  const { slabFree, refillObjects, allocFromSlab } = nodeSlabs(columns, {
    pageSize,
    memalloc: bits.memalloc,
    ownNode: () => nodeOfCpu(journal.cpu),
  });

  /** Objects ready in a sheaf; the sheaf without room and without objects is number 0 and belongs to nobody. */
  let sizes = new Int32Array(256);
  /** Addresses of a sheaf's objects, and where the links of the same objects are. */
  let ready = new Float64Array(256 << sheafShift);
  let places = new Int32Array(256 << sheafShift);
  /** The next sheaf in a barn's list, or in the list of unused numbers. */
  let after = new Int32Array(256);
  /** What kmalloc gave for the sheaf; -1 where sheaves cost nothing. */
  let memory = new Float64Array(256);
  let sheafCount = 1;
  let unused: number = none;
  // (cache, CPU) → sheaf; 0 in `mains` while the cache has no sheaves.
  const mains = new Int32Array(cachesMax * cpus);
  const spares = new Int32Array(cachesMax * cpus).fill(none);
  const barns = new Int32Array((cachesMax * nodes) << 2);
  /** What a sheaf of the cache holds; the cache's row says 0 until its CPUs have one each. */
  const capacities = new Int32Array(cachesMax);

  // ---- sheaves come and go ----

  /** alloc_empty_sheaf(): its number, or -1. */
  const newSheaf = (cache: number, gfp: number, recurse: boolean): number => {
    if (!recurse) return none;
    const bytes = sheafHeadBytes + 8 * (capacities[cache] as number);
    const address = sheafMemory === undefined ? none : sheafMemory.take(cache, bytes, gfp);
    if (address < 0 && sheafMemory !== undefined) return none;
    let sheaf = unused;
    if (sheaf !== none) unused = after[sheaf] as number;
    else {
      sheaf = sheafCount++;
      if (sheafCount > sizes.length) {
        sizes = moreOf(sizes, new Int32Array(sizes.length * 2));
        after = moreOf(after, new Int32Array(after.length * 2));
        memory = moreOf(memory, new Float64Array(memory.length * 2));
        ready = moreOf(ready, new Float64Array(ready.length * 2));
        places = moreOf(places, new Int32Array(places.length * 2));
      }
    }
    sizes[sheaf] = 0;
    memory[sheaf] = address;
    return sheaf;
  };

  const dropSheaf = (sheaf: number): void => {
    assert(sizes[sheaf] === 0, "a sheaf is given back with objects in it");
    after[sheaf] = unused;
    unused = sheaf;
    if (sheafMemory !== undefined) sheafMemory.give(memory[sheaf] as number);
  };

  const barnOf = (cache: number): number => (cache * nodes + nodeOfCpu(journal.cpu)) << 2;
  const barnPut = (barn: number, list: number, sheaf: number): void => {
    after[sheaf] = barns[barn + list] as number;
    barns[barn + list] = sheaf;
    barns[barn + list + 1] = (barns[barn + list + 1] as number) + 1;
  };
  /** The head of a barn's list, or -1. */
  const barnTake = (barn: number, list: number): number => {
    if (barns[barn + list + 1] === 0) return none;
    const sheaf = barns[barn + list] as number;
    barns[barn + list] = after[sheaf] as number;
    barns[barn + list + 1] = (barns[barn + list + 1] as number) - 1;
    return sheaf;
  };

  /** The top `count` objects of a sheaf go to their slabs. */
  const flush = (sheaf: number, count: number): void => {
    const left = (sizes[sheaf] as number) - count;
    const at = sheaf << sheafShift;
    const objects = ready.slice(at + left, at + left + count);
    sizes[sheaf] = left;
    freeDetached(columns, objects, 0, count, slabFree);
  };

  /** sheaf_flush_main(): in portions from the top, until nothing is left. */
  const flushMain = (k: number): void => {
    while ((sizes[mains[k] as number] as number) > 0)
      flush(mains[k] as number, Math.min(flushBatch, sizes[mains[k] as number] as number));
  };

  // ---- sheaves are emptied and filled ----

  /** Where the link of the live object at `address` is. */
  const placeOf = (address: number): number => {
    const row = columns.rowAt(address);
    return (slabs[(row << slabShift) + BASE] as number) + columns.objectAt(row, address);
  };

  /** refill_sheaf(): false when memory does not suffice; the sheaf then holds what there was. */
  const refillSheaf = (cache: number, gfp: number, sheaf: number): boolean => {
    const room = cacheRows[(cache << cacheShift) + SHEAF] as number;
    const start = sheaf << sheafShift;
    const size = sizes[sheaf] as number;
    const got = refillObjects(cache, gfp | bits.noMemalloc | bits.nowarn, room - size, ready, start + size);
    for (let i = start + size; i < start + size + got; i++) {
      const at = placeOf(ready[i] as number);
      places[i] = at;
      links[at] = inSheaf;
    }
    sizes[sheaf] = size + got;
    return got === room - size;
  };

  // ---- a CPU's two sheaves ----

  const swap = (k: number): void => {
    const main = mains[k] as number;
    mains[k] = spares[k] as number;
    spares[k] = main;
  };

  /** A spare with objects, or a full sheaf of the barn, becomes the main sheaf; false when there is neither. */
  const takeFullMain = (cache: number, k: number): boolean => {
    if (spares[k] !== none && (sizes[spares[k] as number] as number) > 0) {
      swap(k);
      return true;
    }
    const barn = barnOf(cache);
    const full = barnTake(barn, FULL);
    if (full === none) return false;
    barnPut(barn, EMPTY, mains[k] as number);
    mains[k] = full;
    return true;
  };

  /** __pcs_replace_empty_main(): true when the main sheaf has objects afterwards. */
  const replaceEmptyMain = (cache: number, k: number, gfp: number, recurse: boolean): boolean => {
    if (mains[k] === 0) return false;
    if (takeFullMain(cache, k)) return true;
    const barn = barnOf(cache);
    let fresh = spares[k] as number;
    if (fresh !== none) spares[k] = none;
    else fresh = barnTake(barn, EMPTY);
    if (fresh === none) fresh = newSheaf(cache, gfp, recurse);
    if (fresh === none) return false;
    if (!refillSheaf(cache, gfp, fresh)) {
      flush(fresh, sizes[fresh] as number);
      dropSheaf(fresh);
      return false;
    }
    if (spares[k] === none) spares[k] = mains[k] as number;
    else barnPut(barn, EMPTY, mains[k] as number);
    mains[k] = fresh;
    return true;
  };

  const pop = (k: number): number => {
    const sheaf = mains[k] as number;
    const size = (sizes[sheaf] as number) - 1;
    sizes[sheaf] = size;
    const i = (sheaf << sheafShift) + size;
    links[places[i] as number] = handedOut;
    return ready[i] as number;
  };
  const allocSlow = (cache: number, gfp: number, k: number, recurse: boolean): number =>
    replaceEmptyMain(cache, k, gfp, recurse) ? pop(k) : allocFromSlab(cache, gfp);

  const alloc = (cache: number, gfp: number): number => {
    const k = cache * cpus + journal.cpu;
    const sheaf = mains[k] as number;
    const size = (sizes[sheaf] as number) - 1;
    if (size < 0) return allocSlow(cache, gfp, k, true);
    sizes[sheaf] = size;
    const i = (sheaf << sheafShift) + size;
    links[places[i] as number] = handedOut;
    return ready[i] as number;
  };

  /** A main sheaf with room, as far as it comes from what is there already: an empty one of the barn, or the spare; false without one. */
  const takeRoomyMain = (cache: number, k: number, room: number): boolean => {
    const barn = barnOf(cache);
    const spare = spares[k] as number;
    if (spare !== none && (sizes[spare] as number) < room) {
      swap(k);
      return true;
    }
    if (spare !== none && (barns[barn + FULL + 1] as number) >= fullMax) return false;
    const empty = barnTake(barn, EMPTY);
    if (empty === none) return false;
    if (spare === none) spares[k] = mains[k] as number;
    else barnPut(barn, FULL, mains[k] as number);
    mains[k] = empty;
    return true;
  };

  /** __pcs_replace_full_main(): true when the main sheaf has room afterwards. */
  const replaceFullMain = (cache: number, k: number): boolean => {
    if (mains[k] === 0) return false;
    if (takeRoomyMain(cache, k, cacheRows[(cache << cacheShift) + SHEAF] as number)) return true;
    const barn = barnOf(cache);
    let empty: number;
    if (spares[k] !== none && (barns[barn + FULL + 1] as number) >= fullMax) {
      // The barn has enough: the spare's objects go to their slabs.
      empty = spares[k] as number;
      spares[k] = none;
      flush(empty, sizes[empty] as number);
    } else empty = newSheaf(cache, bits.nowarn, true);
    if (empty === none) {
      flushMain(k);
      return true;
    }
    if (spares[k] === none) spares[k] = mains[k] as number;
    else barnPut(barn, FULL, mains[k] as number);
    mains[k] = empty;
    return true;
  };

  const push = (k: number, address: number, at: number): void => {
    const sheaf = mains[k] as number;
    const size = sizes[sheaf] as number;
    const i = (sheaf << sheafShift) + size;
    ready[i] = address;
    places[i] = at;
    links[at] = inSheaf;
    sizes[sheaf] = size + 1;
  };

  const freeSlow = (cache: number, k: number, row: number, object: number, address: number): void => {
    const s = row << slabShift;
    const near = nodes === 1 || slabs[s + NODE] === nodeOfCpu(journal.cpu);
    const full = sizes[mains[k] as number] === cacheRows[(cache << cacheShift) + SHEAF];
    // can_free_to_pcs(): objects of another node or of the emergency reserve never lie ready.
    if (near && slabs[s + RESERVE] === 0 && (!full || replaceFullMain(cache, k)))
      push(k, address, (slabs[s + BASE] as number) + object);
    else slabFree(row, object, object, 1);
  };

  const free = (cache: number, address: number): void => {
    const S = slabs,
      L = links;
    const pfn = address < 0x80000000 ? address >> pageShift : Math.floor(address / pageSize);
    const row = pfn < rowOfPage.length ? (rowOfPage[pfn] as number) - 1 : none;
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
    const k = cache * cpus + journal.cpu;
    const sheaf = mains[k] as number;
    const size = sizes[sheaf] as number;
    if (nodes > 1 || S[s + RESERVE] === 1 || size === cacheRows[(cache << cacheShift) + SHEAF]) {
      freeSlow(cache, k, row, object, address);
      return;
    }
    const i = (sheaf << sheafShift) + size;
    ready[i] = address;
    places[i] = at;
    L[at] = inSheaf;
    sizes[sheaf] = size + 1;
  };

  // ---- many at once ----

  /** kmem_cache_alloc_bulk_noprof(): out of main, spare and full sheaves of the barn, the top of each in its order; the rest from slabs. */
  const allocBulk = (cache: number, gfp: number, into: Float64Array, from: number, to: number): boolean => {
    const k = cache * cpus + journal.cpu;
    let at = from;
    while (at < to && ((sizes[mains[k] as number] as number) > 0 || (mains[k] !== 0 && takeFullMain(cache, k)))) {
      const sheaf = mains[k] as number;
      const batch = Math.min(to - at, sizes[sheaf] as number);
      const left = (sizes[sheaf] as number) - batch;
      const start = (sheaf << sheafShift) + left;
      for (let i = 0; i < batch; i++) {
        into[at + i] = ready[start + i] as number;
        links[places[start + i] as number] = handedOut;
      }
      sizes[sheaf] = left;
      at += batch;
    }
    if (at === to) return true;
    const got = refillObjects(cache, gfp, to - at, into, at);
    if (at + got === to) return true;
    freeDetached(columns, into, at, at + got, slabFree);
    freeDetached(columns, into, from, at, slabFree);
    return false;
  };

  /** True when `addresses[i]` is a live object of the cache; else it is told as misuse. */
  const isLive = (cache: number, address: number): boolean => {
    const row = columns.rowAt(address);
    const mine = row !== none && slabs[(row << slabShift) + CACHE] === cache && columns.objectAt(row, address) !== none;
    if (mine && links[placeOf(address)] === handedOut) return true;
    misuse("bulk free of something that is no live object of the cache", address);
    return false;
  };

  /** free_to_pcs_bulk(): into main, spare and empty sheaves of the barn; when there is no more room, the rest goes to its slabs. */
  const freeBulk = (cache: number, addresses: Float64Array, from: number, to: number): void => {
    const k = cache * cpus + journal.cpu;
    const own = nodeOfCpu(journal.cpu);
    const away = new Float64Array(flushBatch);
    let awayCount = 0;
    let end = to;
    for (let i = from; i < end; ) {
      const address = addresses[i] as number;
      const live = isLive(cache, address);
      const s = live ? columns.rowAt(address) << slabShift : 0;
      if (live && slabs[s + RESERVE] === 0 && (nodes === 1 || slabs[s + NODE] === own)) {
        links[placeOf(address)] = inSheaf;
        i++;
        continue;
      }
      addresses[i] = addresses[--end] as number;
      if (!live) continue;
      links[placeOf(address)] = inSheaf;
      away[awayCount++] = address;
      if (awayCount === flushBatch) {
        freeDetached(columns, away, 0, flushBatch, slabFree);
        awayCount = 0;
      }
    }
    const room = cacheRows[(cache << cacheShift) + SHEAF] as number;
    let at = from;
    while (at < end && mains[k] !== 0) {
      if (sizes[mains[k] as number] === room && !takeRoomyMain(cache, k, room)) break;
      while (at < end && (sizes[mains[k] as number] as number) < room) {
        push(k, addresses[at] as number, placeOf(addresses[at] as number));
        at++;
      }
    }
    freeDetached(columns, addresses, at, end, slabFree);
    freeDetached(columns, away, 0, awayCount, slabFree);
  };

  // ---- the shrinker ----

  const flushSteps = (cache: number, cpu: number): number => {
    const k = cache * cpus + cpu;
    return (spares[k] === none ? 0 : 1) + Math.ceil((sizes[mains[k] as number] as number) / flushBatch);
  };

  /** One step of pcs_flush_all(): the spare sheaf first, then the main one in portions. */
  const flushStep = (k: number): void => {
    const spare = spares[k] as number;
    if (spare !== none) {
      spares[k] = none;
      flush(spare, sizes[spare] as number);
      dropSheaf(spare);
    } else flush(mains[k] as number, Math.min(flushBatch, sizes[mains[k] as number] as number));
  };

  const shrinkBarns = (cache: number): void => {
    for (let node = 0; node < nodes; node++) {
      const barn = (cache * nodes + node) << 2;
      for (const list of [FULL, EMPTY])
        for (let sheaf = barnTake(barn, list); sheaf !== none; sheaf = barnTake(barn, list)) {
          flush(sheaf, sizes[sheaf] as number);
          dropSheaf(sheaf);
        }
    }
  };

  const shrink = (cache: number, flushes?: readonly number[]): void => {
    if (flushes === undefined)
      for (let cpu = 0; cpu < cpus; cpu++)
        for (let left = flushSteps(cache, cpu); left > 0; left--) flushStep(cache * cpus + cpu);
    else for (const cpu of flushes) flushStep(cache * cpus + cpu);
    shrinkBarns(cache);
    columns.sortPartials(cache);
  };

  const startSheaves = (cache: number, gfp: number): boolean => {
    const started: number[] = [];
    for (let cpu = 0; cpu < cpus; cpu++) {
      const sheaf = newSheaf(cache, gfp, true);
      if (sheaf === none) {
        for (const made of started) dropSheaf(made);
        return false;
      }
      started.push(sheaf);
    }
    mains.set(started, cache * cpus);
    cacheRows[(cache << cacheShift) + SHEAF] = capacities[cache] as number;
    return true;
  };

  const viewSheaf = (sheaf: number): SheafView => {
    const start = sheaf << sheafShift;
    return { id: sheaf, objects: Array.from(ready.subarray(start, start + (sizes[sheaf] as number))) };
  };
  const viewBarnList = (barn: number, list: number): SheafView[] => {
    const found: SheafView[] = [];
    let sheaf = barns[barn + list] as number;
    for (let left = barns[barn + list + 1] as number; left > 0; left--) {
      found.push(viewSheaf(sheaf));
      sheaf = after[sheaf] as number;
    }
    return found;
  };

  return {
    kind: "sheaves",
    addCache(g, gfpBits) {
      assert(g.sheafCapacity <= 1 << sheafShift, () => `a sheaf of ${g.sheafCapacity} objects`);
      const cache = columns.addCache(g, gfpBits);
      capacities[cache] = g.sheafCapacity;
      if (sheafMemory === undefined && g.sheafCapacity > 0) startSheaves(cache, 0);
      return cache;
    },
    startSheaves,
    alloc,
    allocFlat(cache, gfp) {
      const k = cache * cpus + journal.cpu;
      return (sizes[mains[k] as number] as number) > 0 ? pop(k) : allocSlow(cache, gfp, k, false);
    },
    free,
    allocBulk,
    freeBulk,
    cacheOf(address) {
      const row = columns.rowAt(address);
      return row === none ? none : (slabs[(row << slabShift) + CACHE] as number);
    },
    blockAt(address) {
      const row = columns.rowAt(address);
      if (row === none) return undefined;
      return { pfn: slabs[(row << slabShift) + PFN] as number, order: slabs[(row << slabShift) + ORDER] as number };
    },
    slabAt(address) {
      const row = columns.rowAt(address);
      return row === none ? undefined : columns.viewOf(row);
    },
    indexOf: (address) => columns.objectAt(columns.rowAt(address), address),
    shrink,
    flushSteps,
    view: (cache) => ({
      cpus: Array.from({ length: cpus }, (_, cpu) => {
        const spare = spares[cache * cpus + cpu] as number;
        return {
          main: viewSheaf(mains[cache * cpus + cpu] as number),
          spare: spare === none ? undefined : viewSheaf(spare),
        };
      }),
      barns: Array.from({ length: nodes }, (_, node) => {
        const barn = (cache * nodes + node) << 2;
        return { full: viewBarnList(barn, FULL), empty: viewBarnList(barn, EMPTY) };
      }),
      nodes: viewNodes(columns, cache),
    }),
    counts: columns.counts,
    slabPages: columns.slabPages,
    snapshot() {
      const kept = [sizes, after, places, mains, spares, barns].map((a) => a.slice());
      const keptReady = ready.slice();
      const keptMemory = memory.slice();
      const keptCounts = [sheafCount, unused] as const;
      const restore = columns.snapshot();
      return () => {
        const [size, next, place, main, spare, barn] = kept as [
          Int32Array,
          Int32Array,
          Int32Array,
          Int32Array,
          Int32Array,
          Int32Array,
        ];
        sizes = size.slice();
        after = next.slice();
        places = place.slice();
        mains.set(main);
        spares.set(spare);
        barns.set(barn);
        ready = keptReady.slice();
        memory = keptMemory.slice();
        [sheafCount, unused] = keptCounts;
        restore();
      };
    },
  };
};

function moreOf<T extends Int32Array | Float64Array>(from: T, into: T): T {
  into.set(from);
  return into;
}
