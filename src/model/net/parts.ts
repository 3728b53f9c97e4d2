// What a kernel picks for packets: where heads come from, how fragments are counted, how a pool keeps its pages.
import type { PoolRules } from "./pool/page_pool_release.ts";
import type { SkbParts } from "./skb/skb_config.ts";

export interface NetParts {
  readonly skb: SkbParts;
  /** undefined where the kernel has no page_pool. Slots for: fragments by count, by pp_ref; local recycling. */
  readonly pool: PoolRules | undefined;
}
