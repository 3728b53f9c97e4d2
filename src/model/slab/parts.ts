// What a kernel picks for its slab allocator: how the objects of a cache are kept and moved, and how page fragments are cut.
import type { PageFragMaker } from "./page_frag.ts";
import type { SlabRules, SlubMaker } from "./slub/shape.ts";

export interface SlabParts {
  /** SLUB: CPUs that work on a slab each (with frozen, plain or no chains), or on sheaves; undefined where the release has none. */
  readonly slub: SlubMaker | undefined;
  /** The numbers and bits that every part takes. */
  readonly rules: SlabRules;
  /** Pieces of a big page: cut downwards or upwards. */
  readonly pageFrag: PageFragMaker;
}
