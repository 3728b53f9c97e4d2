// Kernels that nobody recorded: every part and number as the dated facts have it for the release.
import type { Release } from "../../kernel/release.ts";
import type { KernelParts } from "./kernel.ts";
import { mmPartsOf } from "./mm_rules.ts";
import { poolPartsOf } from "./pool_parts.ts";
import { skbPartsOf } from "./skb_parts.ts";
import { slabPartsOf } from "./slab_parts.ts";

/** The parts of a release by facts alone. */
export function byFacts(release: Release): KernelParts {
  return {
    mm: mmPartsOf(release),
    slab: slabPartsOf(release),
    net: {
      skb: skbPartsOf(release),
      pool: poolPartsOf(release),
    },
  };
}
