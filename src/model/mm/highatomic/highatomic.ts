// The reserve of pageblocks for high-order atomic requests: how much of a zone it may be, and how pageblocks enter and leave it.
import type { FreeArea } from "../free_area.ts";
import type { Memory } from "../memory.ts";
import type { MmRules } from "../rules.ts";

export interface Highatomic {
  /** reserve_highatomic_pageblock(): after a high-order atomic success. */
  reserve(pfn: number, z: number, order: number): void;
  /** unreserve_highatomic_pageblock(): one pageblock back to `type`; true when pages moved. */
  unreserve(z: number, type: number, force: boolean): boolean;
}

export interface HighatomicPart {
  readonly name: string;
  /** Only pages that come straight from the free lists make a reserve (since 6.16); else any success does. */
  readonly fromFreeListsOnly: boolean;
  readonly make: (memory: Memory, area: FreeArea, rules: MmRules) => Highatomic;
}
