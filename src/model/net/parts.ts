// What a kernel picks for packets: where heads come from, how fragments are counted, how a pool keeps its pages.
import type { PoolParts } from "./pool/page_pool.ts";
import type { SkbParts } from "./skb/skb_config.ts";

export interface NetParts {
  readonly skb: SkbParts;
  /** undefined where the kernel has no page_pool. */
  readonly pool: PoolParts | undefined;
}
