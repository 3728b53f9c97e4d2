// Dated facts of page_pool: what a release does differently. The model runs 6.1.192; these tables say where that is not the kernel in question.
// 6.1.192 was read in its source. The other entries name the change by its title and the release that first had it; they were not checked
// against a tagged tree.
import type { Fact } from "../release.ts";
import { factAt } from "../release.ts";

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
  { since: [4, 18], value: 1, source: "4.18 net/core/page_pool.c" },
  {
    since: [5, 13],
    value: 64,
    source: "net: page_pool: use alloc_pages_bulk in refill code path (5.13)",
  },
];

/** Whether a mapping leaves the cache maintenance to the driver (DMA_ATTR_SKIP_CPU_SYNC). */
export const skipsCpuSync: readonly Fact<boolean>[] = [
  { since: [4, 18], value: false, source: "4.18 net/core/page_pool.c: dma_map_page()" },
  { since: [5, 1], value: true, source: "page_pool: use DMA_ATTR_SKIP_CPU_SYNC for DMA mappings (5.1)" },
];

/** Whether the pool can sync for the device itself (PP_FLAG_DMA_SYNC_DEV). */
export const syncsForDevice: readonly Fact<boolean>[] = [
  { since: [4, 18], value: false, source: "4.18 include/net/page_pool.h" },
  { since: [5, 5], value: true, source: "net: page_pool: Add PP_FLAG_DMA_SYNC_DEV (5.5)" },
];

/** What page_pool_destroy() does while pages are out. */
export const destroyWithPagesOut: readonly Fact<
  "frees the pool" | "waits and warns every 60 s" | "waits, warns, unmaps at once"
>[] = [
  { since: [4, 18], value: "frees the pool", source: "4.18 net/core/page_pool.c" },
  {
    since: [5, 3],
    value: "waits and warns every 60 s",
    source: "xdp: tracking page_pool resources and safe removal (5.3)",
  },
  {
    since: [6, 16],
    value: "waits, warns, unmaps at once",
    source: "page_pool: Track DMA-mapped pages and unmap them when destroying the pool (6.16)",
  },
];

/** How a page finds home from an skb. */
export const skbReturn: readonly Fact<
  "not at all" | "pp_recycle bit, by the ring" | "pp_recycle bit, into the cache of the same NAPI"
>[] = [
  {
    since: [4, 18],
    value: "not at all",
    source: "4.18: drivers call page_pool_release_page() before the stack sees the page",
  },
  {
    since: [5, 14],
    value: "pp_recycle bit, by the ring",
    source: "page_pool: Allow drivers to hint on SKB recycling (5.14)",
  },
  {
    since: [6, 4],
    value: "pp_recycle bit, into the cache of the same NAPI",
    source: "page_pool: allow caching from safely localized NAPI (6.4)",
  },
];

/** Which pages may have several pool users. */
export const poolUsers: readonly Fact<"one" | "pages of fragment pools" | "any page">[] = [
  { since: [4, 18], value: "one", source: "4.18" },
  {
    since: [5, 15],
    value: "pages of fragment pools",
    source: "page_pool: add frag page recycling support in page pool (5.15)",
  },
  {
    since: [6, 8],
    value: "any page",
    source: "page_pool: transition to reference count management after page draining (6.8)",
  },
];

/** What a second reference to a pool's fragment is: it is always dropped as a pool's where the skb is marked. */
export const fragReference: readonly Fact<"page_reference" | "mirrored">[] = [
  {
    since: [5, 14],
    value: "page_reference",
    source: "include/linux/skbuff.h __skb_frag_ref(): get_page(), read in 6.1.192",
  },
  { since: [6, 10], value: "mirrored", source: "net: mirror skb frag ref/unref helpers (6.10)" },
];

/** Counters for people. */
export const poolStatistics: readonly Fact<"none" | "driver's ethtool" | "netlink too">[] = [
  { since: [4, 18], value: "none", source: "4.18" },
  { since: [5, 18], value: "driver's ethtool", source: "page_pool: Add allocation stats (5.18)" },
  { since: [6, 8], value: "netlink too", source: "Documentation/netlink/specs/netdev.yaml page-pool-stats-get (6.8)" },
];

/** Slots of the ring at most, and what asking for more gives. 6.1.192 (a late stable release) already clamps. */
export const ringSlotsMax: readonly Fact<{ readonly slots: number; readonly beyond: "E2BIG" | "clamped" }>[] = [
  { since: [4, 18], value: { slots: 32768, beyond: "E2BIG" }, source: "4.18 net/core/page_pool.c page_pool_init()" },
  {
    since: [6, 1, 192],
    value: { slots: 16384, beyond: "clamped" },
    source: "6.1.192 net/core/page_pool.c page_pool_init()",
  },
];

/** A line for each way in which two releases differ, for people. */
export function poolDifferences(
  a: readonly number[],
  b: readonly number[],
): { readonly what: string; readonly a: string; readonly b: string }[] {
  const tables: readonly (readonly [string, readonly Fact<unknown>[]])[] = [
    ["DMA address in struct page", dmaAddressPlace],
    ["pages per slow allocation", slowPathPages],
    ["mapping skips the CPU sync", skipsCpuSync],
    ["pool syncs for the device", syncsForDevice],
    ["destroy with pages out", destroyWithPagesOut],
    ["return from an skb", skbReturn],
    ["pool users of a page", poolUsers],
    ["second reference to a fragment", fragReference],
    ["statistics", poolStatistics],
    ["ring", ringSlotsMax],
  ];
  const show = (facts: readonly Fact<unknown>[], version: readonly number[]): string => {
    const value = factAt(facts, version)?.value;
    return value === undefined ? "no page_pool" : typeof value === "object" ? JSON.stringify(value) : String(value);
  };
  return tables
    .map(([what, facts]) => ({ what, a: show(facts, a), b: show(facts, b) }))
    .filter((row) => row.a !== row.b);
}
