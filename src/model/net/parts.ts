// What a kernel picks for packets: where heads come from, how fragments are counted, how a pool keeps its pages.
import type { PoolRules } from "./pool/page_pool_release.ts";
import type { SkbConfig } from "./skb/skb_config.ts";

export interface SkbParts {
  /** How the end of a head is found. Slots for: as asked, whole object, a cache of its own for small heads. */
  readonly heads: SkbConfig["headRule"];
  /** Where the heads of received packets come from. */
  readonly receive: SkbConfig["receiveHeads"];
  /** Each CPU keeps freed sk_buffs for the next receive. */
  readonly spares: SkbConfig["napiSpares"];
}

export interface NetParts {
  readonly skb: SkbParts;
  /** undefined where the kernel has no page_pool. Slots for: fragments by count, by pp_ref; local recycling. */
  readonly pool: PoolRules | undefined;
}
