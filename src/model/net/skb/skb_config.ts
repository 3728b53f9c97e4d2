// What one kernel's sk_buffs are made of: sizes, paddings and gfp bits as numbers, and the parts that behave otherwise from release to
// release. Nothing here reads a release: model/kernels picks.

import { assert } from "../../../base/assert.ts";
import type { ReceiveHeads, SpareSkbs } from "../../../kernel/facts/skb_heads.ts";
import { smallHeadObject } from "../../../kernel/facts/skb_heads.ts";
import type { Journal } from "../../journal.ts";
import type { PageAllocator } from "../../mm/pages.ts";
import type { Heap } from "../../slab/heap.ts";
import type { Socks } from "../tcp/sock.ts";
import type { ReceiveCaches } from "./napi_alloc_cache.ts";
import type { Memory } from "./skb_memory.ts";

export interface ReservedHead {
  /** Shared info included. */
  bytes: number;
  /** It came out of the emergency reserve. */
  fromReserve: boolean;
}

/** The memory of heads, as one kernel takes it (kmalloc_reserve()). */
export interface HeadStore {
  /** Address of an object with at least `size` bytes before its shared info, or -1. */
  reserve(size: number, mask: number): number;
  /** The object reserved last. */
  readonly given: ReservedHead;
}

/** How a head is sized and what it is charged. */
export interface HeadsPart {
  readonly name: string;
  /** Bytes behind `end`. */
  sharedInfoRoom(sizes: SkbSizes): number;
  /** SKB_TRUESIZE: what a head with `end` usable bytes is charged. */
  truesize(sizes: SkbSizes, end: number): number;
  create(heap: Heap, config: SkbConfig): HeadStore;
}

/** The sk_buff objects that a CPU keeps for its next packets (napi_alloc_cache.skb_cache). */
export interface SkbSpares {
  /** The object for __alloc_skb(); `poll`: asked for inside a NAPI poll (SKB_ALLOC_NAPI). -1 without memory. */
  take(mask: number, poll: boolean): number;
  /** The object for napi_build_skb(). */
  takeInPoll(): number;
  /** napi_consume_skb() is done with the object. */
  put(object: number): void;
  /** Objects that this CPU keeps. */
  kept(): number;
}

export interface SparesPart {
  readonly name: string;
  /** The function that a failed takeInPoll() returns through. */
  readonly builtBy: "build_skb" | "napi_build_skb";
  create(heap: Heap, skbCache: number, config: SkbConfig, journal: Journal | undefined): SkbSpares;
}

/** Sizes in bytes. */
export interface SkbSizes {
  /** SMP_CACHE_BYTES: what SKB_DATA_ALIGN rounds to. */
  readonly cacheLineBytes: number;
  readonly skBuffBytes: number;
  readonly sharedInfoBytes: number;
}

/** gfp masks and bits of one release. */
export interface SkbGfp {
  readonly atomic: number;
  readonly kernel: number;
  readonly dma: number;
  readonly directReclaim: number;
  readonly nowarn: number;
  readonly nomemalloc: number;
  readonly memalloc: number;
  readonly comp: number;
}

/** What a release picks of sk_buffs: the parts, and the numbers that its code has of them. */
export interface SkbParts {
  readonly heads: HeadsPart;
  readonly spares: SparesPart;
  readonly receiveHeads: ReceiveHeads;
  /** Bytes of data that an object of the cache for small heads holds at least; 0 when there is no such cache. */
  readonly smallHeadRoom: number;
  readonly spareSkbs: SpareSkbs;
  /** skbs can be marked for recycling (pp_recycle). */
  readonly recycleMarks: boolean;
  /** skb_try_coalesce() of a clone whose fragments are a pool's. */
  readonly clonedPoolFragments: "refused" | "counted";
  /** skb_segment() clones members of a frag_list. */
  readonly segmentClones: "gathering devices" | "any device";
  /** sk_buffs for received data are asked for without a report when memory is short. */
  readonly quietReceive: boolean;
  /** Sockets refuse packets whose memory came out of the emergency reserve. */
  readonly reserveRefused: boolean;
}

/** What a machine and its configuration add: sizes, pads, gfp bits. */
export interface SkbMachineSizes extends SkbSizes {
  readonly pageSize: number;
  readonly fclonesBytes: number;
  /** MAX_SKB_FRAGS */
  readonly fragsMax: number;
  /** NET_SKB_PAD: headroom that netdev_alloc_skb and napi_alloc_skb reserve. */
  readonly netSkbPad: number;
  readonly netIpAlign: number;
  readonly gfp: SkbGfp;
}

export interface SkbConfig extends SkbParts, SkbMachineSizes {
  /** SKB_SMALL_HEAD_CACHE_SIZE: bytes of an object of the cache for small heads; 0 when there is none. */
  readonly smallHeadBytes: number;
  /** GFP_ATOMIC as sk_buffs for received data are asked for. */
  readonly receiveGfp: number;
}

/** One machine's sk_buffs. */
export function skbConfigOf(parts: SkbParts, sizes: SkbMachineSizes): SkbConfig {
  assert(
    sizes.skBuffBytes > 0 && sizes.sharedInfoBytes > 0 && sizes.fragsMax > 0,
    () =>
      `an sk_buff of ${sizes.skBuffBytes} bytes with ${sizes.sharedInfoBytes} bytes of shared info and ${sizes.fragsMax} fragments`,
  );
  const { atomic, nowarn } = sizes.gfp;
  return {
    ...parts,
    ...sizes,
    smallHeadBytes: smallHeadObject(parts.smallHeadRoom, parts.heads.sharedInfoRoom(sizes), sizes.cacheLineBytes),
    receiveGfp: parts.quietReceive ? atomic | nowarn : atomic,
  };
}

/** SKB_DATA_ALIGN */
export function dataAlign(sizes: Pick<SkbSizes, "cacheLineBytes">, bytes: number): number {
  const mask = sizes.cacheLineBytes - 1;
  return (bytes + mask) & ~mask;
}

/** Bytes behind `end`: skb_shared_info. */
export const sharedInfoRoom = (config: SkbConfig): number => config.heads.sharedInfoRoom(config);

/** SKB_TRUESIZE */
export const truesizeOf = (config: SkbConfig, end: number): number => config.heads.truesize(config, end);

/** What a design of the page_pool return hook that no release has does otherwise (pool/recycle_designs.ts). */
export interface SkbRecycling {
  /** skb_free_head() of a marked skb with these bits, before it asks what the head at H[head] is: true when its memory went to a pool. */
  freeHead(head: number, bits: number): boolean;
  /** __copy_skb_header() for a copy that is no clone: what goes along beside what every kernel copies. */
  headerCopied(to: number, from: number): void;
}

export interface SkbOptions {
  readonly pages: PageAllocator;
  readonly heap: Heap;
  /** One entry a CPU; without them receive heads come from kmalloc. */
  readonly receive?: readonly ReceiveCaches[];
  readonly journal?: Journal;
  readonly memory?: Memory;
  readonly config?: SkbConfig;
  readonly socks?: Socks;
  /** sk_buffs that may be alive at once; default 65536. */
  readonly skbsMax?: number;
  /** Freed rows that wait before one is used again; 0 (the default) is fastest, the ownership checker wants some. */
  readonly quarantineRows?: number;
  /** sk_memalloc_socks(): some socket serves swap over the network. */
  readonly memallocSocks?: boolean;
  /** Left out: marked memory goes home as the release does it. */
  readonly recycling?: SkbRecycling;
  /** A BUG() in the skb code: it is announced as an `oops` event too. The operation has not happened. */
  readonly onBug?: (what: string, skb: number) => void;
}
