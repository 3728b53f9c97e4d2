// /proc/buddyinfo: free blocks of each zone by order (mm/vmstat.c frag_show, since 2.6.0).

/** Free blocks of one zone. */
export interface BuddyInfoZone {
  readonly node: number;
  /** DMA, DMA32, Normal, HighMem, Movable, Device. */
  readonly zone: string;
  /** free[order] = blocks of 2^order pages on the free lists (per-CPU pages are not in it). */
  readonly free: readonly number[];
}

export interface BuddyInfo {
  readonly kind: "buddyinfo";
  /** In the order printed. */
  readonly zones: readonly BuddyInfoZone[];
}
