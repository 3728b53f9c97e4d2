// SLUB whose CPUs work on a slab each (2.6.22 .. 6.17): objects come from and go to the CPU's own slab without a lock.
//
//   CPU 0        CPU 1                    node
//   slab A       slab C                   partial list: F -> G -> H      (columns.ts)
//   freelist     freelist                 full slabs are on no list
//   chain        chain                    a slab has a second freelist of its own: what others freed into it
//    D -> E       (none)                  (lists_none.ts, lists_frozen.ts, lists_plain.ts)
//
// The chain is the part that differs between kernels; the hot path is here. Nothing is allocated once the columns have grown to the working set.
import type { FreeDetached } from "./bulk.ts";
import { reverse } from "./bulk.ts";
import type { SlabColumns } from "./columns.ts";
import { cachesMax, createSlabColumns } from "./columns.ts";
import type { CpuListsMaker } from "./lists.ts";
import type { CpuSlabs, SlubMaker } from "./shape.ts";
import { cacheField, cpuField, mark, slabField } from "./shape.ts";
import { viewCache } from "./view.ts";

const { PFN, CACHE, INUSE, OBJECTS, FROZEN, FREE, NEXT, BASE, ORDER, RESERVE } = slabField;
const { CPU_PARTIAL, MIN_PARTIAL } = cacheField;
const { C_SLAB, C_FREE, C_PARTIAL } = cpuField;
const { none, noObject, handedOut, slabShift, cacheShift } = mark;

/** Gives a CPU's objects, `head` first, back to slab `row` in front of its own; says how many they were. */
type GiveBack = (columns: SlabColumns, row: number, head: number) => number;

/** deactivate_slab() before 5.12 (mm/slub.c 2.6.24 .. 5.10.223): one object after the other, so that their order turns round. */
export const giveBackReversed: GiveBack = ({ slabs: S, links: L }, row, head) => {
  const s = row << slabShift;
  const base = S[s + BASE] as number;
  let returned = 0;
  for (let o = head; o !== noObject; returned++) {
    const next = L[base + o] as number;
    L[base + o] = S[s + FREE] as number;
    S[s + FREE] = o;
    o = next;
  }
  return returned;
};

/** deactivate_slab() since 5.12 (mm/slub.c 6.1.192, 6.12.117): the whole list as it is. */
export const giveBackSpliced: GiveBack = ({ slabs: S, links: L }, row, head) => {
  const s = row << slabShift;
  const base = S[s + BASE] as number;
  let last = noObject;
  let returned = 0;
  for (let o = head; o !== noObject; o = L[base + o] as number) {
    last = o;
    returned++;
  }
  if (last !== noObject) {
    L[base + last] = S[s + FREE] as number;
    S[s + FREE] = head;
  }
  return returned;
};

/** What a kernel chooses of this part. */
export interface CpuSlabRules {
  readonly giveBack: GiveBack;
  /** Where a slab goes that a CPU lets go: to the tail of its node's list, or to the head. */
  readonly toTail: (othersFreedIntoIt: boolean, empty: boolean) => boolean;
  readonly lists: CpuListsMaker;
  /** What frees of many hand over as a list comes back to front: its last object is the next to be given out. */
  readonly bulkReversed: boolean;
  readonly freeDetached: FreeDetached;
}

/** 2.6.22 .. 2.6.24: only an empty slab goes to the tail. */
export const toTailWhenEmpty: CpuSlabRules["toTail"] = (_others, empty) => empty;
/** Since 2.6.25: a slab that others freed into goes to the tail. */
export const toTailAfterRemoteFrees: CpuSlabRules["toTail"] = (others) => others;

/** A SLUB with these rules. */
export function cpuSlabs(rules: CpuSlabRules): SlubMaker {
  return (options): CpuSlabs => {
    const { journal, cpus, gfp: bits } = options;
    const pageSize = options.pageSize ?? 4096;
    const pageShift = Math.round(Math.log2(pageSize));
    const nodeOfCpu = options.nodeOfCpu ?? ((): number => 0);
    const columns = createSlabColumns(options);
    const { cacheRows, inverse, misuse, nodes } = columns;
    const cpuRows = new Int32Array((cachesMax * cpus) << 2);
    const lists = rules.lists(columns, cpuRows);
    const { giveBack, toTail } = rules;

    let slabs = columns.slabs;
    let links = columns.links;
    let rowOfPage = columns.rowOfPage;
    columns.whenMoved(() => {
      slabs = columns.slabs;
      links = columns.links;
      rowOfPage = columns.rowOfPage;
    });

    /** deactivate_slab(): the CPU's objects go in front of the slab's own; then the slab goes to its node, or back to the page allocator. */
    const deactivate = (row: number, head: number): void => {
      const s = row << slabShift;
      const remote = slabs[s + FREE] !== noObject;
      slabs[s + INUSE] = (slabs[s + INUSE] as number) - giveBack(columns, row, head);
      slabs[s + FROZEN] = 0;
      const empty = slabs[s + INUSE] === 0;
      if (empty && columns.tooMany(row)) columns.discard(row);
      else if (slabs[s + FREE] !== noObject) columns.addPartial(row, toTail(remote, empty));
    };

    const getPartial = (cache: number, node: number, k: number, reserveAllowed: boolean): number => {
      const own = lists.take(cache, node, k, reserveAllowed);
      if (own !== none || nodes === 1) return own;
      const min = cacheRows[(cache << cacheShift) + MIN_PARTIAL] as number;
      for (let other = 0; other < nodes; other++) {
        if (other === node || columns.partials(cache, other) <= min) continue;
        const row = lists.take(cache, other, k, reserveAllowed);
        if (row !== none) return row;
      }
      return none;
    };

    /** The slab becomes the CPU's: its whole freelist is taken over, and the first object leaves. */
    const takeOver = (cache: number, k: number, row: number): number => {
      const s = row << slabShift;
      const object = slabs[s + FREE] as number;
      const at = (slabs[s + BASE] as number) + object;
      slabs[s + FREE] = noObject;
      slabs[s + INUSE] = slabs[s + OBJECTS] as number;
      slabs[s + FROZEN] = 1;
      cpuRows[k + C_SLAB] = row;
      cpuRows[k + C_FREE] = links[at] as number;
      links[at] = handedOut;
      return (slabs[s + PFN] as number) * pageSize + object * (cacheRows[cache << cacheShift] as number);
    };

    /** One object of a slab of the reserve for a caller who may have it once; the slab goes to its node. */
    const oneOfReserve = (cache: number, row: number): number => {
      const s = row << slabShift;
      const object = slabs[s + FREE] as number;
      const at = (slabs[s + BASE] as number) + object;
      const rest = links[at] as number;
      links[at] = handedOut;
      slabs[s + FREE] = noObject;
      slabs[s + INUSE] = slabs[s + OBJECTS] as number;
      deactivate(row, rest);
      return (slabs[s + PFN] as number) * pageSize + object * (cacheRows[cache << cacheShift] as number);
    };

    /** ___slab_alloc(): the CPU's own slab, its chain, its node, a new slab. */
    const allocSlow = (cache: number, gfp: number, k: number): number => {
      const reserveAllowed = bits.memalloc !== 0 && (gfp & bits.memalloc) !== 0;
      const own = cpuRows[k + C_SLAB] as number;
      if (own !== none) {
        const s = own << slabShift;
        if (slabs[s + RESERVE] === 1 && !reserveAllowed) {
          const head = cpuRows[k + C_FREE] as number;
          cpuRows[k + C_SLAB] = none;
          cpuRows[k + C_FREE] = noObject;
          deactivate(own, head);
        } else if (slabs[s + FREE] !== noObject) return takeOver(cache, k, own);
        else {
          // Nothing came back to it: the slab is full and leaves without a list.
          slabs[s + FROZEN] = 0;
          cpuRows[k + C_SLAB] = none;
        }
      }
      for (let row = cpuRows[k + C_PARTIAL] as number; row !== none; row = cpuRows[k + C_PARTIAL] as number) {
        const s = row << slabShift;
        cpuRows[k + C_PARTIAL] = slabs[s + NEXT] as number;
        if (slabs[s + RESERVE] === 0 || reserveAllowed) return takeOver(cache, k, row);
        slabs[s + NEXT] = none;
        lists.putBack(row);
      }
      const found = getPartial(cache, nodeOfCpu(journal.cpu), k, reserveAllowed);
      if (found !== none) return takeOver(cache, k, found);
      const fresh = columns.newSlab(cache, gfp);
      if (fresh === none) return -1;
      return slabs[(fresh << slabShift) + RESERVE] === 1 && !reserveAllowed
        ? oneOfReserve(cache, fresh)
        : takeOver(cache, k, fresh);
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

    const free = (cache: number, address: number): void => {
      const S = slabs,
        L = links,
        K = cpuRows;
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
      const k = (cache * cpus + journal.cpu) << 2;
      if (K[k + C_SLAB] === row) {
        L[at] = K[k + C_FREE] as number;
        K[k + C_FREE] = object;
      } else lists.free(row, object, object, 1, k);
    };

    /** do_slab_free() of a list: in front of the CPU's own, or into its slab. */
    const freeList = (row: number, head: number, tail: number, count: number): void => {
      const s = row << slabShift;
      const k = ((slabs[s + CACHE] as number) * cpus + journal.cpu) << 2;
      if (cpuRows[k + C_SLAB] !== row) {
        lists.free(row, head, tail, count, k);
        return;
      }
      links[(slabs[s + BASE] as number) + tail] = cpuRows[k + C_FREE] as number;
      cpuRows[k + C_FREE] = head;
    };

    /** True when all are live objects of the cache, each once; they are then marked as free. */
    const takeBack = (cache: number, addresses: Float64Array, from: number, to: number): boolean => {
      const placeOf = (address: number): number => {
        const row = columns.rowAt(address);
        if (row === none || slabs[(row << slabShift) + CACHE] !== cache) return none;
        const object = columns.objectAt(row, address);
        return object === none ? none : (slabs[(row << slabShift) + BASE] as number) + object;
      };
      for (let i = from; i < to; i++) {
        const at = placeOf(addresses[i] as number);
        if (at !== none && links[at] === handedOut) {
          links[at] = noObject;
          continue;
        }
        for (let undo = from; undo < i; undo++) links[placeOf(addresses[undo] as number)] = handedOut;
        return false;
      }
      return true;
    };

    /** slab_free_freelist_hook() builds the list anew, object by object, in front of each other (5.10.265, 6.1.192, 6.12.117). */
    const gathered = (row: number, head: number, tail: number, count: number): void => {
      if (rules.bulkReversed) reverse(links, slabs[(row << slabShift) + BASE] as number, head, tail);
      freeList(row, rules.bulkReversed ? tail : head, rules.bulkReversed ? head : tail, count);
    };

    const freeBulk = (cache: number, addresses: Float64Array, from: number, to: number): void => {
      if (takeBack(cache, addresses, from, to)) rules.freeDetached(columns, addresses, from, to, gathered);
      // One of them is wrong: one by one it is told which.
      else for (let i = from; i < to; i++) free(cache, addresses[i] as number);
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
          lists.putBack(chain);
        }
        done[cpu] = 1;
      }
      columns.sortPartials(cache);
    };

    return {
      kind: "cpu slabs",
      addCache(g, gfpBits) {
        const cache = columns.addCache(g, gfpBits);
        cacheRows[(cache << cacheShift) + CPU_PARTIAL] = lists.limit(g);
        for (let cpu = 0; cpu < cpus; cpu++) {
          const k = (cache * cpus + cpu) << 2;
          cpuRows[k + C_SLAB] = none;
          cpuRows[k + C_FREE] = noObject;
          cpuRows[k + C_PARTIAL] = none;
        }
        return cache;
      },
      alloc,
      free,
      allocBulk(cache, gfp, into, from, to) {
        for (let i = from; i < to; i++) {
          const address = alloc(cache, gfp);
          if (address < 0) {
            freeBulk(cache, into, from, i);
            return false;
          }
          into[i] = address;
        }
        return true;
      },
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
      view: (cache) => viewCache(columns, cpuRows, cache, cpus),
      counts: columns.counts,
      slabPages: columns.slabPages,
      snapshot() {
        const kept = cpuRows.slice();
        const restore = columns.snapshot();
        return () => {
          cpuRows.set(kept);
          restore();
        };
      },
    };
  };
}
