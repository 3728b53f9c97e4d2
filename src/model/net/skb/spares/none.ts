// Until 4.5: every sk_buff comes from the slab and goes back at once (net/core/skbuff.c, 3.13).
import type { SparesPart } from "../skb_config.ts";

export const sparesNone: SparesPart = {
  name: "no spare sk_buffs",
  builtBy: "build_skb",
  create: (heap, skbCache, config) => ({
    take: (mask) => heap.cacheAlloc(skbCache, mask),
    takeInPoll: () => heap.cacheAlloc(skbCache, config.receiveGfp),
    put: (object) => heap.cacheFree(skbCache, object),
    kept: () => 0,
  }),
};
