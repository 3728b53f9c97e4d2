// Functions on the ways of a page, by what their name on a stack says of it: mm/page_alloc.c, mm/swap.c, mm/slub.c, net/core/skbuff.c from 2.6.24 to
// 7.2. A name stands for all that begin so (`free_unref_page_list`, `.isra.0`, `.part.0`).
import type { Row } from "./known.ts";

const beginning = (...names: readonly string[]): readonly Row<true>[] => names.map((name) => [name, true, true]);

/** A fragment of a page is given back. */
export const fragmentFrees = beginning("page_frag_free", "__page_frag_free", "skb_free_frag");
/** A packet's head or data goes. */
export const packetDataFrees = beginning("skb_free_head", "skb_release_data");
/** A packet gives its pages back. */
export const packetReleases = beginning(
  "skb_free_head",
  "skb_release_data",
  "skb_frag_unref",
  "__kfree_skb",
  "kfree_skb",
);
/** A packet is let go of, by whichever way. */
export const packetFrees = beginning(
  "skb_release_data",
  "__kfree_skb",
  "kfree_skb",
  "skb_free_head",
  "consume_skb",
  "skb_free_frag",
  "napi_consume_skb",
);
/** A block of several pages is given back as one. */
export const compoundFrees = beginning(
  "put_compound_page",
  "free_compound_page",
  "__put_compound_page",
  "free_large_kmalloc",
);
/** free_pages_prepare() looks at each page of a block that these give back. */
export const wholeBlockFrees = [...compoundFrees, ...beginning("__free_pages_ok", "destroy_large_folio")];
/** Pages of a CPU's list go back to the free lists: some time after they were freed. */
export const lateChecks = beginning(
  "free_pcppages_bulk",
  "drain_pages",
  "drain_zone_pages",
  "__drain_all_pages",
  "free_unref_page_list",
);
/** A page is looked at when it is handed out. */
export const handOutChecks = beginning(
  "prep_new_page",
  "check_new_page",
  "get_page_from_freelist",
  "rmqueue",
  "buffered_rmqueue",
  "__rmqueue",
);
/** What stands in front of whoever allocated a page in what page_owner saved. */
export const ownerAllocates = beginning(
  "get_page_from_freelist",
  "_alloc_pages",
  "__alloc_pages",
  "alloc_pages",
  "prep_new_page",
  "post_alloc_hook",
  "set_page_owner",
  "__set_page_owner",
  "alloc_frozen_pages",
  "__alloc_frozen_pages",
);
/** The same where it was freed. */
export const ownerFrees = beginning(
  "free_",
  "__free_",
  "save_stack",
  "reset_page_owner",
  "__reset_page_owner",
  "put_page",
);
/** The slab allocator reads the next free object, which is kept inside a free one. */
export const freelistReaders = beginning(
  "kmem_cache_alloc",
  "__kmalloc",
  "kmalloc",
  "slab_alloc",
  "_slab_alloc",
  "__slab_alloc",
  "___slab_alloc",
  "get_freepointer",
);
/** A packet's fragments are read, which stand behind its data. */
export const fragmentReaders = beginning("skb_release_data");
/**
 * Code that follows pointers which the kernel keeps inside memory of others: the list of free objects or pages, and a packet's fragments behind its
 * data. They are always set; a wild one was written there by somebody else.
 */
export const pointersInside = [
  ...freelistReaders,
  ...fragmentReaders,
  ...beginning("rmqueue", "get_page_from_freelist"),
];
