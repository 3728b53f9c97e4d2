// Numbers of sk_buff heads by release: which receive heads come from kmalloc, from 1 KiB slices and from page fragments, how large the
// objects of the cache for small heads are, how many sk_buffs a CPU keeps. What is done with them is model/net/skb; a driver's
// request for memory (drivers/rx_path.ts) asks the same table.
import type { Fact } from "../release.ts";

/**
 * Where the heads of received packets come from. Bytes are of the whole object, shared info included; larger heads than the numbers
 * here, up to a page, are cut from page fragments, and what exceeds a page is kmalloc's.
 */
export interface ReceiveHeads {
  /** netdev_alloc_skb and napi_alloc_skb take kmalloc up to this (or up to what fits a small head). Infinity: always; 0: never. */
  readonly kmallocUpTo: number | "a small head";
  /** napi_alloc_skb takes a slice of an order-0 page up to this, before it thinks of kmalloc; only with pages of 4 KiB. 0: never. */
  readonly napiSlicesUpTo: number;
}

export const receiveHeads: readonly Fact<ReceiveHeads>[] = [
  {
    since: [2, 6, 0],
    value: { kmallocUpTo: Number.POSITIVE_INFINITY, napiSlicesUpTo: 0 },
    source: "net/core/skbuff.c __netdev_alloc_skb, 2.6.24",
  },
  {
    since: [3, 5],
    value: { kmallocUpTo: 0, napiSlicesUpTo: 0 },
    source: "net/core/skbuff.c __netdev_alloc_skb, 3.13, 4.19",
  },
  {
    since: [5, 11],
    stable: { "5.10": 9 },
    value: { kmallocUpTo: 1024, napiSlicesUpTo: 0 },
    source: "net/core/skbuff.c __netdev_alloc_skb, __napi_alloc_skb, 5.10.223; 5.11 and the point release from history",
    read: "tree",
  },
  {
    since: [6, 1],
    value: { kmallocUpTo: 1024, napiSlicesUpTo: 1024 },
    source: "net/core/skbuff.c __napi_alloc_skb, page_frag_alloc_1k, 6.1.192",
    read: "tree",
  },
  {
    since: [6, 14],
    stable: { "6.12": 17 },
    value: { kmallocUpTo: "a small head", napiSlicesUpTo: 1024 },
    source:
      "net/core/skbuff.c __netdev_alloc_skb, napi_alloc_skb, 6.12.117: not in 6.13.2, in 6.14; the point release from history",
    read: "tree",
  },
  {
    since: [6, 14],
    value: { kmallocUpTo: "a small head", napiSlicesUpTo: 0 },
    source: "net/core/skbuff.c napi_alloc_skb, 7.2.12: not in 6.13.2, in 6.14",
    read: "tree",
  },
];

/** Bytes of data, pads included, up to which a receive head is of each kind; beyond all of them it is kmalloc's. */
export interface ReceiveRooms {
  /** napi_alloc_skb(): a slice. Asked first. */
  readonly slice: number;
  /** kmalloc. */
  readonly kmalloc: number;
  /** A page fragment. */
  readonly fragment: number;
}

/** Bytes of a slice. */
export const sliceBytes = 1024;

/** NAPI_HAS_SMALL_PAGE_FRAG: only pages of this size are sliced. */
const slicedPageBytes = 4096;

/** The rooms of a machine: `smallHeadBytes` is an object of the cache for small heads, `infoRoom` what shared info takes of each object. */
export function receiveRooms(
  { kmallocUpTo, napiSlicesUpTo }: ReceiveHeads,
  smallHeadBytes: number,
  infoRoom: number,
  pageSize: number,
): ReceiveRooms {
  return {
    slice: pageSize === slicedPageBytes ? napiSlicesUpTo - infoRoom : Number.NEGATIVE_INFINITY,
    kmalloc: (kmallocUpTo === "a small head" ? smallHeadBytes : kmallocUpTo) - infoRoom,
    fragment: pageSize - infoRoom,
  };
}

/** SKB_SMALL_HEAD_CACHE_SIZE: `room` bytes of data and the shared info; never a power of two, by which such a head was known until 6.12. */
export function smallHeadObject(room: number, infoRoom: number, cacheLineBytes: number): number {
  if (room === 0) return 0;
  const bytes = Math.ceil(room / cacheLineBytes) * cacheLineBytes + infoRoom;
  return (bytes & (bytes - 1)) === 0 ? bytes + cacheLineBytes : bytes;
}

/**
 * Bytes of data that an object of skbuff_small_head must hold, before alignment and shared info (SKB_SMALL_HEAD_SIZE); 0 before there was
 * such a cache. MAX_TCP_HEADER is that of distributions, with tunnels and wireless.
 */
export const smallHeadRoom: readonly Fact<number>[] = [
  { since: [2, 6, 0], value: 0, source: "net/core/skbuff.c __alloc_skb, 6.1.192" },
  { since: [6, 3], value: 320, source: "net/core/skbuff.c SKB_SMALL_HEAD_SIZE, not in 6.2, in 6.4: MAX_TCP_HEADER" },
  {
    since: [6, 14],
    stable: { "6.12": 17 },
    value: 368,
    source:
      "net/core/skbuff.c GRO_MAX_HEAD_PAD, 6.12.117, 7.2.12: GRO_MAX_HEAD and NET_SKB_PAD; the point release from history",
    read: "tree",
  },
];

/** NAPI_SKB_CACHE_*: sk_buffs that a CPU may keep, takes at once when it has none, and gives back when it has too many. */
export interface SpareSkbs {
  readonly most: number;
  readonly taken: number;
  readonly givenBack: number;
}

export const spareSkbs: readonly Fact<SpareSkbs>[] = [
  {
    since: [4, 6],
    value: { most: 64, taken: 0, givenBack: 64 },
    source: "net/core/skbuff.c _kfree_skb_defer, 5.10.223; 4.6 from history",
    read: "tree",
  },
  {
    since: [5, 12],
    value: { most: 64, taken: 16, givenBack: 32 },
    source:
      "net/core/skbuff.c napi_skb_cache_get, napi_skb_cache_put, 6.1.192, 6.12.117: not in 5.11, in 5.14.2; 5.12 from history",
    read: "tree",
  },
  {
    since: [6, 19],
    value: { most: 128, taken: 32, givenBack: 32 },
    source: "net/core/skbuff.c NAPI_SKB_CACHE_SIZE, _BULK, _FREE, 7.2.12: not in 6.14, in 6.19",
    read: "tree",
  },
];

/** skbs carry a mark that their pages are a page_pool's (skb->pp_recycle). */
export const recycleMarks: readonly Fact<boolean>[] = [
  { since: [2, 6, 0], value: false, source: "include/linux/skbuff.h, 5.10.223", read: "tree" },
  {
    since: [5, 14],
    value: true,
    source: "include/linux/skbuff.h, 6.1.192: not in 5.11, in 5.14.2; 5.14 from history",
    read: "tree",
  },
];

/**
 * Pages of slabs and of large kmalloc objects have no reference count of their own ("frozen"): a look at the page finds 0.
 */
export const frozenSlabPages: readonly Fact<boolean>[] = [
  { since: [2, 6, 0], value: false, source: "mm/slub.c alloc_slab_page, 6.12.117", read: "tree" },
  {
    since: [6, 15],
    value: true,
    source:
      "mm/slub.c alloc_slab_page, ___kmalloc_large_node, 7.2.12: slabs are frozen in 6.14 already (not in 6.13.2), large objects in 6.19",
    read: "tree",
  },
];

/** Fragments of a cloned skb that is marked for recycling: skb_try_coalesce() refuses them, or counts a user of the pool for each. */
export const clonedPoolFragments: readonly Fact<"refused" | "counted">[] = [
  { since: [2, 6, 0], value: "refused", source: "net/core/skbuff.c skb_try_coalesce, 6.1.192" },
  {
    since: [6, 8],
    value: "counted",
    source: "net/core/skbuff.c skb_pp_frag_ref, 6.12.117, 7.2.12: not in 6.7.3, in 6.8",
  },
];

/** Members of a frag_list that are one segment each: skb_segment() clones them only for a device that gathers, or for any. */
export const segmentClones: readonly Fact<"gathering devices" | "any device">[] = [
  { since: [2, 6, 0], value: "gathering devices", source: "net/core/skbuff.c skb_segment, 5.10.223" },
  { since: [5, 12], value: "any device", source: "net/core/skbuff.c skb_segment, 6.1.192; 5.12 from history" },
];

/** A socket without SOCK_MEMALLOC refuses a packet whose memory came out of the emergency reserve. */
export const reserveRefused: readonly Fact<boolean>[] = [
  { since: [2, 6, 0], value: false, source: "no skb->pfmemalloc before 3.6; from history", read: "history" },
  {
    since: [3, 6],
    value: true,
    source: "net/core/filter.c sk_filter_trim_cap, 6.1.192; 3.6 from history",
    read: "tree",
  },
];

/** What an sk_buff for received data is asked for with: plainly, or without a report when memory is short. */
export const quietReceive: readonly Fact<boolean>[] = [
  { since: [2, 6, 0], value: false, source: "net/core/skbuff.c __build_skb, napi_skb_cache_get, 6.1.192" },
  {
    since: [6, 12],
    value: true,
    source: "net/core/skbuff.c __build_skb, napi_skb_cache_get, napi_alloc_skb, 6.12.117; 6.12 from history",
    read: "tree",
  },
];
