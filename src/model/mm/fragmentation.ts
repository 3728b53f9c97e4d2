// The kernel's two numbers about fragmentation, from free blocks by order: fragmentation_index() and unusable_free_index(), mm/vmstat.c, 6.1.192.

interface Contig {
  readonly blocks: number;
  readonly pages: number;
  /** Blocks of the wanted order that could be cut from what is free. */
  readonly suitable: number;
}

/** fill_contig_page_info(). `free[order]` are blocks. */
function contigOf(free: readonly number[], order: number): Contig {
  let blocks = 0;
  let pages = 0;
  let suitable = 0;
  free.forEach((n, o) => {
    blocks += n;
    pages += n * 2 ** o;
    if (o >= order) suitable += n * 2 ** (o - order);
  });
  return { blocks, pages, suitable };
}

/** Thousandths: -1000 a block is free; towards 0 a failure is for lack of memory, towards 1000 for fragmentation. */
export function fragmentationIndex(free: readonly number[], order: number): number {
  const { blocks, pages, suitable } = contigOf(free, order);
  if (order >= free.length || blocks === 0) return 0;
  if (suitable > 0) return -1000;
  return 1000 - Math.floor((1000 + Math.floor((pages * 1000) / 2 ** order)) / blocks);
}

/** Thousandths of the free memory that lie in blocks too small for the order. */
export function unusableIndex(free: readonly number[], order: number): number {
  const { pages, suitable } = contigOf(free, order);
  return pages === 0 ? 1000 : Math.floor(((pages - suitable * 2 ** order) * 1000) / pages);
}

/**
 * fragmentation_score_node(), mm/compaction.c, 6.1.192 (since 5.9): 0 to 100, the share of free memory in blocks too small for a huge page, each
 * zone with the weight of its present pages.
 */
export function fragmentationScore(
  zones: readonly { readonly presentPages: number; readonly free: readonly number[] }[],
  hugeOrder: number,
): number {
  const present = zones.reduce((n, z) => n + z.presentPages, 0);
  return zones.reduce(
    (n, z) => n + Math.floor((z.presentPages * Math.floor(unusableIndex(z.free, hugeOrder) / 10)) / (present + 1)),
    0,
  );
}
