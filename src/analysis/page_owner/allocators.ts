// Which allocator asked for a page, as page_owner_sort tells them apart (get_allocator() in tools/vm/page_owner_sort.c, 6.1).

/** Bits of "allocated by". */
export const allocatorBit = { cma: 2, slab: 4, vmalloc: 8, others: 16 } as const;

export const allocatorNames = ["cma", "slab", "vmalloc", "others"] as const;

/** Whether __vmalloc_node_range stands in the text with alloc_pages in the line before it. */
export function allocatedByVmalloc(text: string): boolean {
  const at = text.indexOf("__vmalloc_node_range");
  if (at < 0) return false;
  const lineStart = text.lastIndexOf("\n", at);
  const previous = text.lastIndexOf("\n", lineStart - 1) + 1;
  const found = text.indexOf("alloc_pages", previous);
  return found >= 0 && found < at;
}

/** "slab", "cma, vmalloc", …; "not said" for 0. */
export function allocatorText(bits: number): string {
  return allocatorNames.filter((name) => (bits & allocatorBit[name]) !== 0).join(", ") || "not said";
}
