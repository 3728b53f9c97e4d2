// What a placement policy decides: which list a page comes from and which list it returns to. Lists, splitting and merging are free_area's.

/** One policy over one machine's free lists. Zones are rows, pages are pfns. */
export interface Placement {
  /** The type every pageblock has at boot. */
  readonly bootType: number;
  /** __rmqueue(): takes a block of `order` for a request of type `type`; -1 when the zone has none to give. `allocFlags` as in alloc_flags.ts. */
  rmqueue(z: number, order: number, type: number, allocFlags: number): number;
  /** The next block of the same refill: a policy may remember where the one before came from. */
  rmqueueMore(z: number, order: number, type: number, allocFlags: number): number;
  /** The list a page returns to when it is freed: the pageblock's type, the only list, … */
  freeType(pfn: number): number;
  /** unreserve_highatomic_pageblock(): gives one reserved pageblock back to `type`; true when pages moved. */
  unreserveHighatomic(z: number, type: number, force: boolean): boolean;
  /** reserve_highatomic_pageblock() after an ALLOC_HIGHATOMIC success of a block of `order`. */
  reserveHighatomic(pfn: number, z: number, order: number): void;
}
