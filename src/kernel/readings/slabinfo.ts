// /proc/slabinfo, versions 1.1 (2.4), 2.0 and 2.1 (mm/slab_common.c, mm/slab.c, mm/slub.c).

export interface SlabInfoCache {
  readonly name: string;
  /** Objects in use (SLUB counts whole slabs as in use unless it was asked to look). */
  readonly activeObjects: number;
  readonly objects: number;
  /** Bytes of one object with its debug fields. */
  readonly objectBytes: number;
  /** Absent in version 1.x, where slab counts stand in their place. */
  readonly objectsPerSlab?: number;
  readonly pagesPerSlab: number;
  readonly activeSlabs: number;
  readonly slabs: number;
  /** limit, batchcount, sharedfactor of the SLAB allocator; zeros with SLUB. Absent in version 1.x. */
  readonly tunables?: readonly [limit: number, batch: number, shared: number];
  readonly sharedAvailable?: number;
  /** What follows in the `(statistics)` variant, or behind the columns of version 1.1. */
  readonly rest?: string;
}

export interface SlabInfo {
  readonly kind: "slabinfo";
  /** `2.1`, `2.1 (statistics)`, `1.1 (SMP)`; `slabtop` for the table of that tool. */
  readonly version: string;
  /** The line of column names, where there is one; of slabtop all lines above the rows. */
  readonly header?: string;
  readonly caches: readonly SlabInfoCache[];
}
