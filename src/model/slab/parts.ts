// What a kernel picks for its slab allocator: how the objects of a cache are kept and moved.
import type { Slub, SlubOptions } from "./slub_shape.ts";

export interface SlabParts {
  /** The lists of SLUB's caches. Slot for: frozen chains, plain partials, sheaves. */
  readonly slub: (options: SlubOptions) => Slub;
}
