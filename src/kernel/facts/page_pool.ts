// Dated facts of page_pool: numbers that a release has otherwise. What it does otherwise are parts (model/net/pool/direct, users), which
// model/kernels picks. Entries with `read: "tree"` were read in net/core/page_pool.c of the releases that they name; the date between two
// such releases is the history's.
import type { Fact } from "../release.ts";

/** Where struct page keeps the DMA address of a pool's page. */
export type DmaAddressPlace =
  /** page->private: one unsigned long, too small for 64-bit DMA addresses on 32-bit machines. */
  | "private"
  /** A dma_addr_t of its own in struct page. */
  | "field"
  /** An unsigned long plus, where needed, the word that counts fragments: such machines may not use fragments. */
  | "two words"
  /** One unsigned long that holds the address without its page offset. */
  | "page number";

export const dmaAddressPlace: readonly Fact<DmaAddressPlace>[] = [
  { since: [4, 18], value: "private", source: "4.18 net/core/page_pool.c: set_page_private()" },
  { since: [5, 1], value: "field", source: "mm: add dma_addr_t to struct page (5.1)" },
  { since: [5, 13], value: "two words", source: "mm: fix struct page layout on 32-bit systems (5.13)" },
  {
    since: [6, 7],
    value: "page number",
    source: "page_pool: fragment API support for 32-bit arch with 64-bit DMA (6.7)",
  },
];

/** Pages that the slow path asks of the page allocator at once (order 0). */
export const slowPathPages: readonly Fact<number>[] = [
  { since: [4, 18], value: 1, source: "4.18, 5.10.223 net/core/page_pool.c", read: "tree" },
  {
    since: [5, 13],
    value: 64,
    source: "net: page_pool: use alloc_pages_bulk in refill code path (5.13); 6.1.192, 6.12.117, 7.2.12",
    read: "tree",
  },
];

/** Slots of the ring at most, and what asking for more gives. */
export const ringSlotsMax: readonly Fact<{ readonly slots: number; readonly beyond: "E2BIG" | "clamped" }>[] = [
  {
    since: [4, 18],
    value: { slots: 32768, beyond: "E2BIG" },
    source: "4.18, 5.10.223 net/core/page_pool.c page_pool_init()",
    read: "tree",
  },
  {
    since: [6, 18],
    stable: { "5.10": 262, "6.1": 176, "6.12": 117 },
    value: { slots: 16384, beyond: "clamped" },
    source:
      "6.1.176, 6.12.117, 7.2.12 net/core/page_pool.c page_pool_init(); 5.10.262 by a recording (5.10.223 refuses); first point releases not known",
    read: "tree",
  },
];

/** PP_FLAG_ALL: flags that page_pool_create() knows; others are -EINVAL. */
export const knownPoolFlags: readonly Fact<number>[] = [
  { since: [4, 18], value: 1, source: "4.18: PP_FLAG_DMA_MAP" },
  { since: [5, 6], value: 3, source: "5.10.223 include/net/page_pool.h: PP_FLAG_DMA_SYNC_DEV", read: "tree" },
  { since: [5, 15], value: 7, source: "6.1.192 include/net/page_pool.h: PP_FLAG_PAGE_FRAG", read: "tree" },
  {
    since: [6, 7],
    value: 3,
    source: "include/net/page_pool/types.h: PP_FLAG_PAGE_FRAG is in 6.6.9, not in 6.7.3",
    read: "tree",
  },
  {
    since: [6, 12],
    value: 15,
    source: "6.12.117, 7.2.12 include/net/page_pool/types.h: PP_FLAG_SYSTEM_POOL, PP_FLAG_ALLOW_UNREADABLE_NETMEM",
    read: "tree",
  },
];

/** Which pools cut fragments: those that asked for it (PP_FLAG_PAGE_FRAG), or any. */
export const poolFragments: readonly Fact<"none" | "flagged pools" | "any pool">[] = [
  { since: [4, 18], value: "none", source: "5.10.223 net/core/page_pool.c", read: "tree" },
  {
    since: [5, 15],
    value: "flagged pools",
    source: "6.1.192 net/core/page_pool.c page_pool_alloc_frag()",
    read: "tree",
  },
  {
    since: [6, 7],
    value: "any pool",
    source: "page_pool: remove PP_FLAG_PAGE_FRAG (6.7); 6.12.117, 7.2.12",
    read: "tree",
  },
];

/** Alignment of a fragment on machines whose DMA needs none, bytes. */
export const fragmentAlign: readonly Fact<number>[] = [
  {
    since: [5, 15],
    value: 8,
    source: "6.1.192, 6.12.117 net/core/page_pool.c page_pool_alloc_frag(): that of skb_shared_info",
    read: "tree",
  },
  {
    since: [6, 13],
    value: 1,
    source: "7.2.12 net/core/page_pool.c page_pool_alloc_frag_netmem(); when between 6.12.117 and 7.2.12 is not known",
    read: "tree",
  },
  {
    since: [7, 3],
    value: 8,
    source: "7.3.4 net/core/page_pool.c page_pool_alloc_frag_netmem(): that of skb_shared_info again; not in 7.2.12",
    read: "tree",
  },
];

/** What page_pool_alloc_frag() counts: a fast allocation for each fragment, or one for each page, and a page cut anew as recycled. */
export const fragmentStats: readonly Fact<"each fragment" | "each page">[] = [
  { since: [5, 15], value: "each fragment", source: "6.1.192, 6.12.117 net/core/page_pool.c", read: "tree" },
  {
    since: [6, 13],
    value: "each page",
    source: "7.2.12 net/core/page_pool.c; when between 6.12.117 and 7.2.12 is not known",
    read: "tree",
  },
];

/** page_pool_destroy() unmaps every page that is still out. */
export const unmapsAtDestroy: readonly Fact<boolean>[] = [
  { since: [4, 18], value: false, source: "5.10.223, 6.1.192 net/core/page_pool.c page_pool_scrub()", read: "tree" },
  {
    since: [6, 16],
    stable: { "6.12": 117 },
    value: true,
    source: "6.12.117, 7.2.12 net/core/page_pool.c page_pool_scrub(); 6.16 from history, its first 6.12 not known",
    read: "tree",
  },
];

/** The report of a pool that cannot be ended names the pool. */
export const stallNamesPool: readonly Fact<boolean>[] = [
  { since: [4, 18], value: false, source: "5.10.223, 6.1.192 net/core/page_pool.c", read: "tree" },
  {
    since: [6, 8],
    value: true,
    source: "6.12.117, 7.2.12 net/core/page_pool.c page_pool_release_retry(): not in 6.7.3, in 6.8",
    read: "tree",
  },
];
