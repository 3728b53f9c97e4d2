// Dated facts of page_pool: what a release does differently. The model runs 6.1.192; these tables say where that is not the kernel in question.
// 6.1.192 was read in its source. The other entries name the change by its title and the release that first had it; they were not checked
// against a tagged tree.
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
  { since: [4, 18], value: 1, source: "4.18 net/core/page_pool.c" },
  {
    since: [5, 13],
    value: 64,
    source: "net: page_pool: use alloc_pages_bulk in refill code path (5.13)",
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

/** Slots of the ring at most, and what asking for more gives. 6.1.192 (a late stable release) already clamps. */
export const ringSlotsMax: readonly Fact<{ readonly slots: number; readonly beyond: "E2BIG" | "clamped" }>[] = [
  { since: [4, 18], value: { slots: 32768, beyond: "E2BIG" }, source: "4.18 net/core/page_pool.c page_pool_init()" },
  {
    since: [6, 1, 192],
    value: { slots: 16384, beyond: "clamped" },
    source: "6.1.192 net/core/page_pool.c page_pool_init()",
  },
];
