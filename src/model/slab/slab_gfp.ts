// What the slab allocators add to a caller's gfp mask before they ask for pages, in the bits of one release.
/** Bits of one release that slab code tests or sets; 0 where the release has no such bit. */
export interface SlabGfp {
  readonly comp: number;
  readonly dma: number;
  readonly reclaimable: number;
  readonly memalloc: number;
  /** Added to the first, silent attempt at a slab's full order. */
  readonly silent: number;
  /** A failure prints nothing. */
  readonly nowarn: number;
  /** Taken away from that attempt. */
  readonly noFail: number;
  /** The caller may sleep and reclaim. */
  readonly mayReclaim: number;
  /** Both reclaim bits, which an attempt above the minimum order gives up (since 4.4 or so). */
  readonly reclaim: number;
  readonly noMemalloc: number;
  /** What of a caller's mask reaches the page allocator (GFP_RECLAIM_MASK and GFP_CONSTRAINT_MASK): not __GFP_ZERO, not the zone. */
  readonly passed: number;
}

/** The names behind {@link SlabGfp.passed}, with those of every release. */
export const passedNames =
  "DIRECT_RECLAIM KSWAPD_RECLAIM WAIT HIGH IO FS NOWARN REPEAT RETRY_MAYFAIL NOFAIL NORETRY MEMALLOC NOMEMALLOC ATOMIC HARDWALL THISNODE";
