// Checks of the kernel that packet memory runs into, by where they stand: what it means that one of them came true. The functions are the
// kernel's own names; a line number moves with every release and is used only as "near the top of the file".
import type { Severity } from "./finding.ts";

export interface KnownCheck {
  readonly key: string;
  /** A whole sentence. */
  readonly meaning: string;
  readonly severity: Severity;
  readonly doubleFree?: true;
}

interface Site {
  /** The function in which the kernel stopped; without it every check of the file is meant. */
  readonly functions?: RegExp;
  readonly file: RegExp;
  /** The check stands above this line. */
  readonly above?: number;
  /** The check's own words; a file with several checks does not say which one came true. */
  readonly words?: RegExp;
  readonly check: KnownCheck;
}

const pageHeaders = /include\/linux\/(?:mm|page_ref)\.h$/;

const sites: readonly Site[] = [
  {
    functions: /^skb_(?:panic|over_panic|under_panic)\b/,
    file: /./,
    check: {
      key: "skb_panic",
      meaning:
        "It is the end of skb_over_panic or skb_under_panic, whose line with the numbers is missing: a length or a header did not fit the packet's buffer.",
      severity: "act",
    },
  },
  {
    functions: /^(?:__)?skb_put\b/,
    file: /skbuff/,
    check: {
      key: "skb_put nonlinear",
      meaning:
        "skb_put() begins with the check that the packet is linear (SKB_LINEAR_ASSERT, include/linux/skbuff.h): the caller appended to a packet that has page fragments.",
      severity: "act",
    },
  },
  {
    functions: /^(?:__)?(?:skb_pull|pskb_pull)/,
    file: /skbuff/,
    check: {
      key: "skb_pull",
      meaning:
        "The packet is shorter than what was taken off its front: its length fields do not agree (skb->len below skb->data_len, include/linux/skbuff.h).",
      severity: "act",
    },
  },
  {
    functions: /^skb_segment/,
    file: /skbuff/,
    check: {
      key: "skb_segment",
      meaning:
        "The checks in skb_segment() are about the shape of a merged packet: its gso_size no longer fits the lengths of its fragments, as when a packet of GRO is changed or forwarded on a path that does not expect it.",
      severity: "act",
    },
  },
  {
    functions: /^(?:__skb_checksum|skb_checksum|skb_copy_and_csum_bits|skb_copy_and_csum_dev|csum_)/,
    file: /skbuff|checksum/,
    check: {
      key: "skb_checksum",
      meaning:
        "The packet ended before the length that it claims: the checksum ran out of data (BUG_ON(len), net/core/skbuff.c).",
      severity: "act",
    },
  },
  {
    functions: /^pskb_expand_head/,
    file: /skbuff/,
    check: {
      key: "pskb_expand_head",
      meaning:
        "pskb_expand_head() was called for a packet with more than one user (BUG_ON(skb_shared(skb)), net/core/skbuff.c): the caller has to unshare it first.",
      severity: "act",
    },
  },
  {
    // set_freepointer() is inlined into the functions that free; it stands among the first functions of the file.
    functions:
      /^(?:__slab_free|___?cache_free|kfree|kmem_cache_free|do_slab_free|slab_free|__kmem_cache_free|free_to_partial)/,
    file: /mm\/slub\.c$/,
    above: 700,
    check: {
      key: "double free",
      meaning:
        "set_freepointer() of mm/slub.c found that the object which is being freed is already the first of its free list: it was freed twice (CONFIG_SLAB_FREELIST_HARDENED, since 4.14).",
      severity: "corruption",
      doubleFree: true,
    },
  },
  {
    functions: /^(?:kfree|free_large_kmalloc|free_nonslab_page|__free_slab)/,
    file: /mm\/(?:slub|slab_common|slab)\.c$/,
    check: {
      key: "kfree of no object",
      meaning: "kfree() was given a pointer that no kmalloc() returned: it points into no slab and to no large block.",
      severity: "act",
    },
  },
  {
    file: /lib\/list_debug\.c$/,
    check: {
      key: "list damaged",
      meaning:
        "A list was damaged: an entry's neighbors do not point back to it, as when it was removed twice or its memory was reused.",
      severity: "corruption",
    },
  },
  {
    file: pageHeaders,
    words: /_(?:ref_)?count\(|->_count|->_refcount|ref_zero/,
    check: {
      key: "page refcount",
      meaning:
        "A page was taken or released whose reference count was zero already: it had been freed (VM_BUG_ON_PAGE, include/linux/mm.h).",
      severity: "corruption",
    },
  },
];

/** With the function in which it stopped a check of this file and line might be one of damaged memory. */
export const mayBeCorruption = (source: { readonly file: string; readonly line: number }): boolean =>
  sites.some(
    ({ functions, file, above, check }) =>
      functions !== undefined &&
      check.severity === "corruption" &&
      file.test(source.file) &&
      (above === undefined || source.line < above),
  );

/** Headers of which many functions have checks of pages: which one came true only its own words say. */
export const isPageHeader = (source: { readonly file: string } | undefined): boolean =>
  source !== undefined && pageHeaders.test(source.file);

/** The check that stands in a function and a file, where it is one that is known; a file that is not printed is taken from the function. */
export function knownCheck(
  inFunction: string | undefined,
  source: { readonly file: string; readonly line: number } | undefined,
  words?: string,
): KnownCheck | undefined {
  return sites.find(({ functions, file, above, words: form }) => {
    if (form !== undefined && !form.test(words ?? "")) return false;
    if (functions !== undefined && !functions.test(inFunction ?? "")) return false;
    if (source === undefined) return functions !== undefined && above === undefined;
    return file.test(source.file) && (above === undefined || source.line < above);
  })?.check;
}
