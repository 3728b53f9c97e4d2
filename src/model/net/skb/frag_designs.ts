// Seed 002: where a per-fragment destructor could live. Each design is a choice of layouts (sizes by the layout engine), of memory for the
// head, and of rules about what may be attached where; the counting of references is the same for all (frag_destructors.ts).
//
//   plain pointer      frag { page, destructor, offset, size }                 the struct grows, the head moves to the next bucket
//   fitting caches     the same structs; heads from caches that are as much larger as the shared info
//   split info         the same structs; linear data and shared info are two allocations
//   stolen bit         frag.page with bit 0 set points to { refs, callback, page }       nothing grows
//   bitmap             the same, but which frags are so is told by 18 bits in the shared info
//   compressed         frag { page, offset:16, size:16, destructor:32 }                  nothing grows on 64 bits
//   ubuf per skb       what mainline did: destructor_arg points to one counted callback for all fragments

import { some } from "../../../base/assert.ts";
import { declarationsAt, structDeclarations } from "../../../kernel/facts/structs.ts";
import { abiOf } from "../../../kernel/layout/abi.ts";
import type { Declarations } from "../../../kernel/layout/engine.ts";
import { layoutOf } from "../../../kernel/layout/engine.ts";
import { parseFields } from "../../../kernel/layout/notation.ts";
import type { Release } from "../../../kernel/release.ts";
import { factAt } from "../../../kernel/release.ts";
import type { Heap } from "../../slab/heap.ts";
import { fragField, headField, sharedFlag } from "./skb_columns.ts";
import type { Skbs } from "./skbs.ts";

const { OFFSET: FRAG_OFFSET, SIZE: FRAG_SIZE } = fragField;

export const fragDesignNames = [
  "none",
  "plain-pointer",
  "fitting-caches",
  "split-info",
  "stolen-bit",
  "bitmap",
  "compressed-pointer",
  "ubuf-per-skb",
] as const;
export type FragDesignName = (typeof fragDesignNames)[number];

/** Bytes of the structs under a design. */
export interface FragLayout {
  readonly fragBytes: number;
  readonly sharedInfoBytes: number;
  readonly skBuffBytes: number;
  /** Bytes of the counted object itself. */
  readonly destructorBytes: number;
}

export interface FragDesign {
  readonly name: FragDesignName;
  readonly says: string;
  /** What it cannot express, in sentences. */
  readonly limits: readonly string[];
  /** A counted object for each page (true) or one for as many fragments as one likes. */
  readonly onePage: boolean;
  layout(release: Release): FragLayout;
  /** The heap as the head allocations of this design see it. */
  heap(heap: Heap, release: Release): Heap;
  /** A counted callback with one reference, the caller's. */
  create(skbs: Skbs, done: () => void): number;
  /** The caller's reference is given up. */
  release(skbs: Skbs, id: number): void;
  /** Hangs the callback on fragment `i`; a sentence when the design cannot. */
  attach(skbs: Skbs, skb: number, i: number, id: number): string | undefined;
}

/** Declarations of a release with some structs written anew. */
function declared(release: Release, changed: Readonly<Record<string, string>>): Declarations {
  const base = declarationsAt(release);
  return { ...base, fields: (name) => (changed[name] === undefined ? base.fields(name) : parseFields(changed[name])) };
}

/** Fields in the engine's notation. */
const pointerFrag =
  "page:struct{ p:*page destructor:*fn } ?64( page_offset:u32 size:u32 ) ?32( page_offset:u16 size:u16 )";
const compressedFrag = "page:*page page_offset:u16 size:u16 destructor:u32";

function layoutWith(release: Release, changed: Readonly<Record<string, string>>, onePage: boolean): FragLayout {
  const declarations = declared(release, changed);
  const abi = abiOf(release.arch);
  const bytes = (name: string): number => some(layoutOf(name, declarations, abi), name).sizeBytes;
  const pointer = abi.pointerBytes;
  // { atomic refs; callback } and, where it stands for the page, the page; padded to a pointer.
  const counted = pointer === 8 ? 16 : 8;
  return {
    fragBytes: bytes("skb_frag_struct"),
    sharedInfoBytes: bytes("skb_shared_info"),
    skBuffBytes: bytes("sk_buff"),
    destructorBytes: onePage ? counted + pointer : counted,
  };
}

/** The bits of up to 24 fragments are three bytes, and behind tx_flags (3.2) there is a hole of three. */
function bitmapStructs(release: Release): Readonly<Record<string, string>> {
  const text = some(factAt(structDeclarations["skb_shared_info"] ?? [], release.version), "skb_shared_info").value;
  return { skb_shared_info: text.replace("tx_flags:u8", "tx_flags:u8 frag_kinds:u8[3]") };
}

const sameHeap = (heap: Heap): Heap => heap;

/** kmalloc buckets that heads of packets come from. */
const headBuckets = [256, 512, 1024, 2048, 4096, 8192];

/** Caches as much larger than the buckets as the shared info has grown: a packet keeps the bucket's linear room. */
function fittingHeap(heap: Heap, grown: number): Heap {
  const caches = headBuckets.map((bytes) => ({
    bytes: bytes + grown,
    id: heap.cacheCreate(`skbuff_data_${bytes + grown}`, bytes + grown, 64),
  }));
  const owner = new Map<number, (typeof caches)[number]>();
  const cacheFor = (bytes: number): (typeof caches)[number] | undefined => caches.find((c) => c.bytes >= bytes);
  return {
    ...heap,
    kmalloc(bytes, gfp) {
      const cache = cacheFor(bytes);
      if (cache === undefined) return heap.kmalloc(bytes, gfp);
      const address = heap.cacheAlloc(cache.id, gfp);
      if (address >= 0) owner.set(address, cache);
      return address;
    },
    kfree(address) {
      const cache = owner.get(address);
      if (cache === undefined) return heap.kfree(address);
      owner.delete(address);
      heap.cacheFree(cache.id, address);
    },
    ksize: (address) => owner.get(address)?.bytes ?? heap.ksize(address),
    kmallocSizeRoundup: (bytes) => cacheFor(bytes)?.bytes ?? heap.kmallocSizeRoundup(bytes),
  };
}

/** Every head is two objects: linear data from kmalloc, the shared info from a cache of its own. */
function splitHeap(heap: Heap, infoBytes: number): Heap {
  const room = Math.ceil(infoBytes / 64) * 64;
  const cache = heap.cacheCreate("skb_shared_info", infoBytes, 64);
  const infoOf = new Map<number, number>();
  const linear = (bytes: number): number => Math.max(64, bytes - room);
  return {
    ...heap,
    kmalloc(bytes, gfp) {
      const info = heap.cacheAlloc(cache, gfp);
      if (info < 0) return -1;
      const data = heap.kmalloc(linear(bytes), gfp);
      if (data < 0) heap.cacheFree(cache, info);
      else infoOf.set(data, info);
      return data;
    },
    kfree(address) {
      const info = infoOf.get(address);
      infoOf.delete(address);
      heap.kfree(address);
      if (info !== undefined) heap.cacheFree(cache, info);
    },
    ksize: (address) => heap.ksize(address) + (infoOf.has(address) ? room : 0),
    kmallocSizeRoundup: (bytes) => heap.kmallocSizeRoundup(linear(bytes)) + room,
  };
}

interface Made {
  readonly name: FragDesignName;
  readonly says: string;
  readonly limits: readonly string[];
  readonly onePage?: boolean;
  readonly structs?: (release: Release) => Readonly<Record<string, string>>;
  readonly heap?: (heap: Heap, now: FragLayout, before: FragLayout) => Heap;
  /** A sentence when fragment (pfn, offset, size) cannot carry the callback; `pageOf` is the page it serves already, or -1. */
  readonly refuses?: (pfn: number, offset: number, size: number, pageOf: number) => string | undefined;
}

function perFragment(made: Made): FragDesign {
  const { onePage = false } = made;
  const structs = made.structs ?? (() => ({}));
  const pages = new Map<number, number>();
  return {
    name: made.name,
    says: made.says,
    limits: made.limits,
    onePage,
    layout: (release) => layoutWith(release, structs(release), onePage),
    heap: (heap, release) =>
      made.heap?.(heap, layoutWith(release, structs(release), onePage), layoutWith(release, {}, false)) ??
      sameHeap(heap),
    create: (skbs, done) => {
      const id = skbs.fragDestructors.create(() => {
        pages.delete(id);
        done();
      });
      return id;
    },
    release: (skbs, id) => skbs.fragDestructors.put(id),
    attach(skbs, skb, i, id) {
      const f = skbs.fragAt(skb, i);
      const { F } = skbs.columns;
      const pfn = F[f] as number;
      const refused = made.refuses?.(
        pfn,
        F[f + FRAG_OFFSET] as number,
        F[f + FRAG_SIZE] as number,
        pages.get(id) ?? -1,
      );
      if (refused !== undefined) return refused;
      pages.set(id, pfn);
      skbs.fragSetDestructor(skb, i, id);
      return undefined;
    },
  };
}

const onePageOnly = (pfn: number, _offset: number, _size: number, pageOf: number): string | undefined =>
  pageOf < 0 || pageOf === pfn
    ? undefined
    : `one destructor stands for one page: it stands for page ${pageOf} and cannot take page ${pfn}`;

const none: FragDesign = {
  name: "none",
  says: "no destructors: the owner learns nothing",
  limits: ["nobody is told when the stack is done with a page"],
  onePage: false,
  layout: (release) => layoutWith(release, {}, false),
  heap: sameHeap,
  create: () => 0,
  release: () => undefined,
  attach: () => "this kernel has no destructors for pages",
};

const ubufPerSkb: FragDesign = {
  name: "ubuf-per-skb",
  says: "mainline's ubuf_info: one counted callback for all fragments of an skb, in destructor_arg",
  limits: [
    "one owner an skb: pages of two owners cannot ride in one packet",
    "skb_try_coalesce, skb_shift and appending to it are refused",
    "a clone for a local receiver copies the pages first, unless the owner forbids it (SKBFL_DONT_ORPHAN)",
  ],
  onePage: false,
  layout: (release) => layoutWith(release, {}, false),
  heap: sameHeap,
  create: (skbs, done) => skbs.ubufs.create(done),
  release: (skbs, id) => skbs.ubufs.put(id, true),
  attach(skbs, skb, _i, id) {
    const has = skbs.zcopy(skb);
    if (has !== 0 && has !== id) return `the skb already belongs to ubuf ${has}: one owner an skb`;
    skbs.zcopySet(skb, id);
    const head = skbs.columns.S[skb] as number;
    skbs.columns.H[head + headField.FLAGS] = (skbs.columns.H[head + headField.FLAGS] as number) | sharedFlag.dontOrphan;
    return undefined;
  },
};

/** All designs, the present state first. */
export const fragDesigns: readonly FragDesign[] = [
  none,
  perFragment({
    name: "plain-pointer",
    says: "the pointer of the series: every fragment has room for one",
    limits: ["every head pays for 17 or 18 pointers, used or not"],
    structs: () => ({ skb_frag_struct: pointerFrag }),
  }),
  perFragment({
    name: "fitting-caches",
    says: "the same structs, heads from caches that are larger by what the shared info has grown",
    limits: ["six more caches, whose free objects nobody else can use"],
    structs: () => ({ skb_frag_struct: pointerFrag }),
    heap: (heap, now, before) => fittingHeap(heap, now.sharedInfoBytes - before.sharedInfoBytes),
  }),
  perFragment({
    name: "split-info",
    says: "the same structs, linear data and shared info allocated apart",
    limits: ["one more allocation and one more page touched a packet; build_skb and page fragments lose their point"],
    structs: () => ({ skb_frag_struct: pointerFrag }),
    heap: (heap, now) => splitHeap(heap, now.sharedInfoBytes),
  }),
  perFragment({
    name: "stolen-bit",
    says: "bit 0 of the page pointer: set, it points to a destructor that holds the page",
    limits: ["a destructor serves one page", "every reader of frag.page must know the bit"],
    onePage: true,
    refuses: onePageOnly,
  }),
  perFragment({
    name: "bitmap",
    says: "a bit a fragment in the shared info tells which kind its pointer is",
    limits: ["a destructor serves one page", "whoever copies fragments must copy the bits too"],
    onePage: true,
    structs: bitmapStructs,
    refuses: onePageOnly,
  }),
  perFragment({
    name: "compressed-pointer",
    says: "offset and size in 16 bits each, a 32-bit number of the destructor in what is left",
    limits: [
      "a fragment is at most 65535 bytes and begins below 65536: no whole order-4 page",
      "nothing is gained on 32 bits, where offset and size have 16 bits already",
      "the number needs a table: one more cache line read a fragment",
    ],
    structs: () => ({ skb_frag_struct: compressedFrag }),
    refuses: (_pfn, offset, size) =>
      offset > 0xffff || size > 0xffff ? `offset ${offset} and size ${size} do not fit 16 bits each` : undefined,
  }),
  ubufPerSkb,
];

export const fragDesignNamed = (name: FragDesignName): FragDesign =>
  some(
    fragDesigns.find((d) => d.name === name),
    `fragment design ${name}`,
  );
