// The doors of a machine's memory: page allocator, slab, page fragments, page pools, and what of mm/ a program may ask and set going.
import { boolean, callable, members, object, oneOf, type Shape, text, whole } from "../base/given.ts";
import type { PoolsOfMachine } from "../model/drivers/driver.ts";
import type { Journal } from "../model/journal.ts";
import type { BootedMemory as ModelMemory } from "../model/mm/booted.ts";
import type { Lru, LruOwner } from "../model/mm/lru.ts";
import type { PageAllocator } from "../model/mm/pages.ts";
import type { Reclaim } from "../model/mm/reclaim.ts";
import type { MmRules } from "../model/mm/rules.ts";
import type { PagePools } from "../model/net/pool/page_pool.ts";
import type { PoolParams } from "../model/net/pool/page_pool_params.ts";
import type { ReceiveCaches } from "../model/net/skb/napi_alloc_cache.ts";
import { type SlabHeap, zeroSizeAddress } from "../model/slab/kmalloc.ts";
import type { PageFragCache } from "../model/slab/page_frag.ts";
import { handOut } from "./hand_out.ts";
import { bytes, createHolds, known, type MemoryHolds, mask, nanos, type ObjectHolds, upTo } from "./holds.ts";
import { handJournal } from "./time_doors.ts";

const list = <T extends ArrayLike<number>>(must: string, is: (v: unknown) => v is T): Shape<T> => ({ must, is });
const pfns = list("an Int32Array", (v): v is Int32Array => v instanceof Int32Array);
const addresses = list("a Float64Array", (v): v is Float64Array => v instanceof Float64Array);
const bulkMost = 1 << 20;
const manyPages = upTo(bulkMost, "a number of pages");
const index = upTo(bulkMost, "an index");

export function handPages(pages: PageAllocator, holds: MemoryHolds): PageAllocator {
  const { page, heldPage, anyPfn, order } = holds;
  return handOut("pages.", pages, [], {
    allocPages: {
      takes: [
        ["gfp", mask],
        ["order", known("a whole number from 0 on", () => true)],
      ],
      after: holds.pages.got,
    },
    freePages: {
      takes: [
        ["pfn", heldPage],
        ["order", order],
      ],
      unless(pfn, order) {
        const was = pages.compoundOrder(pfn);
        if (pages.compoundHead(pfn) !== pfn) return `page ${pfn} is not the first of its block`;
        return was === order ? undefined : `page ${pfn} was allocated with order ${was}, not ${order}`;
      },
      before: (pfn) => holds.pages.add(pfn, -1),
    },
    getPage: { takes: [["pfn", page]], after: (_, pfn) => holds.pages.add(pfn) },
    putPage: { takes: [["pfn", heldPage]], before: (pfn) => holds.pages.add(pfn, -1) },
    pageCount: [["pfn", anyPfn]],
    addPageRefs: {
      takes: [
        ["pfn", page],
        ["n", whole],
      ],
      unless: (pfn, n) =>
        n < -holds.pages.of(pfn) || n + pages.pageCount(pfn) > 2 ** 30
          ? `n is ${n}, and this program holds ${holds.pages.of(pfn)} references of page ${pfn}`
          : undefined,
      before: (pfn, n) => holds.pages.add(pfn, n),
    },
    compoundHead: [["pfn", anyPfn]],
    compoundOrder: [["pfn", anyPfn]],
    allocPagesBulk: {
      takes: [
        ["gfp", mask],
        ["want", manyPages],
        ["into", pfns],
      ],
      unless: (_gfp, want, into) =>
        want > into.length ? `want is ${want}, and into has room for ${into.length}` : undefined,
      after(got, _gfp, _want, into) {
        for (const pfn of into.subarray(0, got)) holds.pages.got(pfn);
      },
    },
    isPfmemalloc: [["pfn", anyPfn]],
    nodeOf: [["pfn", anyPfn]],
  });
}

/** The cache of a name is made with whatever it is first asked for; objects beyond this have no slab. */
const objectMost = 1 << 15;
const namedCachesMost = 200;

export type Heap = Omit<SlabHeap, "engine" | "kmallocTable"> & {
  readonly kmallocTable: Omit<SlabHeap["kmallocTable"], "machine">;
};

export function handHeap(heap: SlabHeap, objects: ObjectHolds): Heap {
  const { address, cache } = objects;
  const part = [
    ["from", index],
    ["to", index],
  ] as const;
  const outside = (all: Float64Array, from: number, to: number): string | undefined =>
    from <= to && to <= all.length ? undefined : `from ${from} to ${to} is not a part of ${all.length} addresses`;
  return handOut(
    "heap.",
    heap,
    ["engine"],
    {
      kmalloc: {
        takes: [
          ["size", bytes],
          ["gfp", mask],
        ],
        after: (at) => objects.got(at, -1),
      },
      kfree: { takes: [["address", address]], before: (at) => void objects.cacheOf.delete(at) },
      ksize: [["address", address]],
      kmallocSizeRoundup: [["size", bytes]],
      cacheCreate: {
        takes: [
          ["name", text],
          ["size", upTo(objectMost, "bytes of an object")],
          ["align", oneOf(...[0, ...Array.from({ length: 13 }, (_, i) => 2 ** i)])],
        ],
        unless: (name, size) => {
          if (size === 0) return "an object has 1 byte at least";
          if (name === "") return "a cache has a name";
          return heap.caches().length >= namedCachesMost ? `there are ${namedCachesMost} caches already` : undefined;
        },
      },
      cacheAlloc: {
        takes: [
          ["cache", cache],
          ["gfp", mask],
        ],
        after: (at, of) => objects.got(at, of),
      },
      cacheAllocBulk: {
        takes: [["cache", cache], ["gfp", mask], ["into", addresses], ...part],
        unless: (_cache, _gfp, into, from, to) => outside(into, from, to),
        after(got, of, _gfp, into, from) {
          for (const at of into.subarray(from, from + (got ?? 0))) objects.got(at, of);
        },
      },
      cacheFreeBulk: {
        takes: [["cache", cache], ["addresses", addresses], ...part],
        unless(of, all, from, to) {
          const some = all.subarray(from, to);
          const other = some.find((at, i) => objects.cacheOf.get(at) !== of || some.indexOf(at) !== i);
          return (
            outside(all, from, to) ?? (other === undefined ? undefined : `${other} is not an object of this cache`)
          );
        },
        before(_cache, all, from, to) {
          for (const at of all.subarray(from, to)) objects.cacheOf.delete(at);
        },
      },
      cacheFree: {
        takes: [
          ["cache", cache],
          ["address", address],
        ],
        unless: (of, at) => (objects.cacheOf.get(at) === of ? undefined : `${at} is not an object of this cache`),
        before: (_cache, at) => void objects.cacheOf.delete(at),
      },
      blockOf: {
        takes: [["address", address]],
        unless: (at) => (at === zeroSizeAddress ? "an object of 0 bytes lies in no block" : undefined),
      },
      live: [],
      caches: [],
      shrink: [["cache", cache]],
    },
    { kmallocTable: (table) => handOut("heap.kmallocTable.", table, ["machine"], { forSize: [["bytes", bytes]] }) },
  );
}

/** Pieces of pages are references to them. */
const pieceGot =
  (holds: MemoryHolds, pageSize: number) =>
  (address: number): void =>
    holds.pages.got(Math.floor(address / pageSize));
/** -1 is no mask; others clear low bits of an offset. */
const alignMask: Shape<number> = {
  must: "-1, or minus a power of two",
  is: (v) => typeof v === "number" && v < 0 && v >= -65_536 && Number.isInteger(Math.log2(-v)),
};

const pieceAsked = (holds: MemoryHolds, pageSize: number) =>
  ({
    takes: [
      ["bytes", bytes],
      ["gfp", mask],
      ["alignMask", alignMask],
    ],
    after: pieceGot(holds, pageSize),
  }) as const;

export function handFrag(name: string, frag: PageFragCache, holds: MemoryHolds, pageSize: number): PageFragCache {
  return handOut(name, frag, [], {
    alloc: pieceAsked(holds, pageSize),
    pfmemalloc: [],
    state: [],
    drain: [],
  });
}

export function handReceiveCaches(caches: ReceiveCaches, holds: MemoryHolds, pageSize: number): ReceiveCaches {
  const piece = known("a piece of a page that this program holds", (at) => {
    const pfn = Math.floor(at / pageSize);
    return holds.inMachine(pfn) && holds.pages.of(pfn) > 0;
  });
  return handOut(
    "caches.",
    caches,
    [],
    { free: { takes: [["address", piece]], before: (at) => holds.pages.add(Math.floor(at / pageSize), -1) } },
    {
      frags: (frags) =>
        handOut("caches.frags.", frags, [], {
          alloc: pieceAsked(holds, pageSize),
          pfmemalloc: [],
        }),
      slices: (slices) =>
        handOut("caches.slices.", slices, [], {
          alloc: { takes: [["gfp", mask]], after: pieceGot(holds, pageSize) },
          pfmemalloc: [],
        }),
    },
  );
}

const poolsOwn = [
  "returnSkbPage",
  "shareSkbPage",
  "rings",
  "fragmentPage",
  "pieceGiven",
  "pieceKept",
  "unrefFragments",
  "addFragmentUser",
] as const;
/** Page pools as a program has them: those that drivers cut pages of themselves with are drivers'. */
export type Pools = Omit<
  PagePools,
  | "returnSkbPage"
  | "shareSkbPage"
  | "rings"
  | "fragmentPage"
  | "pieceGiven"
  | "pieceKept"
  | "unrefFragments"
  | "addFragmentUser"
>;

export function handPools(all: PoolsOfMachine, holds: MemoryHolds, cpus: number) {
  const { pools } = all;
  const held = createHolds();
  const pool = known("a page pool that is alive", (p) => p < pools.poolsMax && pools.isLive(p));
  const page: Shape<number> = {
    must: "a page of a pool that this program holds",
    is: (v) => typeof v === "number" && held.of(v) > 0 && pools.poolOf(v) >= 0,
  };
  const u32 = upTo(2 ** 32 - 1, "a number of 32 bits");
  const others = (of: number, pfn: number): string | undefined =>
    pools.poolOf(pfn) === of ? undefined : `page ${pfn} is one of pool ${pools.poolOf(pfn)}, not of ${of}`;
  const gives = (_pool: number, pfn: number): void => held.add(pfn, -1);
  const got = (pfn: number): void => held.got(pfn);
  const ofPool = [["pool", pool]] as const;
  const { anyPfn } = holds;
  const params = members<PoolParams>({
    flags: u32,
    order: holds.order,
    poolSize: u32,
    nid: { must: "a node, or -1", is: (v) => v === -1 || holds.node.is(v) },
    dmaDir: oneOf("from_device", "bidirectional", "to_device"),
    maxLen: u32,
    offset: u32,
    "cpu?": { must: "a CPU, or -1", is: (v) => v === -1 || upTo(cpus - 1, "").is(v) },
    "napi?": object(),
  });
  return handOut(
    "pools().",
    all,
    [],
    {},
    {
      pools: (real) =>
        handOut("pools().pools.", real, poolsOwn, {
          create: [["params", params]],
          destroy: ofPool,
          runDelayed: [["nanos", nanos]],
          nextDelayed: [],
          allocPages: { takes: [...ofPool, ["gfp", mask]], after: got },
          allocFrag: { takes: [...ofPool, ["sizeBytes", bytes], ["gfp", mask]], after: got },
          lastFragOffset: [],
          allocSized: { takes: [...ofPool, ["sizeBytes", bytes], ["gfp", mask]], after: got },
          lastFragBytes: [],
          putPage: {
            takes: [...ofPool, ["pfn", page], ["syncSize", bytes], ["allowDirect", boolean]],
            unless: others,
            before: gives,
          },
          putPageBulk: {
            takes: [...ofPool, ["pfns", pfns], ["count", manyPages]],
            unless(of, all, count) {
              const some = all.subarray(0, count);
              const bad = some.find(
                (pfn) => !page.is(pfn) || pools.poolOf(pfn) !== of || held.of(pfn) < times(some, pfn),
              );
              if (count > all.length) return `count is ${count}, and pfns has ${all.length}`;
              return bad === undefined ? undefined : `${bad} is not a page of pool ${of} that this program holds`;
            },
            before(_pool, all, count) {
              for (const pfn of all.subarray(0, count)) held.add(pfn, -1);
            },
          },
          putFullPage: { takes: [...ofPool, ["pfn", page], ["allowDirect", boolean]], unless: others, before: gives },
          recycleDirect: { takes: [...ofPool, ["pfn", page]], unless: others, before: gives },
          releasePage: {
            takes: [...ofPool, ["pfn", page]],
            unless: others,
            before(of, pfn) {
              gives(of, pfn);
              holds.pages.add(pfn);
            },
          },
          updateNid: [...ofPool, ["node", holds.node]],
          useXdpMem: ofPool,
          inflight: ofPool,
          dmaAddress: [["pfn", page]],
          setCounters: [...ofPool, ["start", u32]],
          isLive: [["pool", upTo(real.poolsMax - 1, "a page pool")]],
          poolOf: [["pfn", anyPfn]],
          fragmentUsers: [["pfn", anyPfn]],
          fragCount: [["pfn", anyPfn]],
          fragPage: ofPool,
          fragOffset: ofPool,
          fragUsers: ofPool,
          cacheCount: ofPool,
          cacheContents: ofPool,
          ringContents: ofPool,
          holdCount: ofPool,
          releaseCount: ofPool,
          params: ofPool,
          stats: ofPool,
        }),
      context: (real) => handOut("pools().context.", real, [], {}),
    },
  ) as { readonly pools: Pools; readonly context: PoolsOfMachine["context"] };
}
const times = (all: Int32Array, pfn: number): number => all.reduce((n, other) => (other === pfn ? n + 1 : n), 0);

const lruOwn = ["add", "remove", "release", "replace"] as const;
const reclaimOwn = ["rescue", "compaction"] as const;
const memoryOwn = ["setRescue", "area", "placement", "pcp", "watermarks", "alloc", "parts"] as const;

/** A booted machine's memory as a program has it: its columns to read, its allocator, and what sets reclaim and compaction going. */
export interface BootedMemory
  extends Omit<
    ModelMemory,
    "setRescue" | "area" | "placement" | "pcp" | "watermarks" | "alloc" | "parts" | "lru" | "reclaim"
  > {
  readonly lru: Omit<Lru, "add" | "remove" | "release" | "replace">;
  readonly reclaim: Omit<Reclaim, "rescue" | "compaction">;
}

export const handRules = (rules: MmRules): MmRules =>
  handOut(
    "rules.",
    rules,
    [],
    {},
    {
      boot: (boot) => handOut("rules.boot.", boot, [], { minFreeKb: [["lowmemKb", bytes]] }),
    },
  );

export function handMemory(memory: ModelMemory, holds: MemoryHolds, journal: Journal): BootedMemory {
  const { userPage, zone, node, order } = holds;
  handJournal(journal);
  return handOut(
    "memory.",
    memory,
    memoryOwn,
    {
      allocUser: {
        takes: [["gfp", mask]],
        unless: (gfp) =>
          memory.rules.policy === "classic" || (gfp & memory.rules.gfp.movable) !== 0
            ? undefined
            : "gfp has no __GFP_MOVABLE, which pages of user space have",
      },
      freeUser: [["pfn", userPage]],
    },
    {
      pages: (pages) => handPages(pages, holds),
      journal: handJournal,
      rules: handRules,
      lru: (lru) =>
        handOut("memory.lru.", lru, lruOwn, {
          setOwner: [["to", members<LruOwner>({ evict: callable(), migrate: callable() })]],
          touch: [["pfn", userPage]],
          evict: [["pfn", userPage]],
          shrink: [
            ["z", zone],
            ["scan", manyPages],
            ["want", manyPages],
          ],
          isLru: [["pfn", holds.anyPfn]],
          count: [["z", zone]],
          coldest: [["z", zone]],
          warmer: [["pfn", userPage]],
          hottest: [["z", zone]],
        }),
      reclaim: (reclaim) =>
        handOut("memory.reclaim.", reclaim, reclaimOwn, {
          wake: [
            ["node", node],
            ["order", order],
          ],
          drainAll: [],
          compactAll: [],
          woken: [],
          runKswapd: [],
        }),
    },
  ) as BootedMemory;
}
