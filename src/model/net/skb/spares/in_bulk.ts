// From 4.6 to 5.11: what a poll is done with is collected and goes back to the slab together; nothing is taken from there
// (net/core/skbuff.c _kfree_skb_defer, 5.10.223). Not modelled: the flush at the end of net_rx_action (__kfree_skb_flush).
import type { SparesPart } from "../skb_config.ts";
import { createSpareStack } from "./per_cpu.ts";

export const sparesInBulk: SparesPart = {
  name: "sk_buffs given back in bulk",
  builtBy: "build_skb",
  create(heap, skbCache, config, journal) {
    const stack = createSpareStack(heap, skbCache, config, journal);
    return {
      take: (mask) => heap.cacheAlloc(skbCache, mask),
      takeInPoll: () => heap.cacheAlloc(skbCache, config.receiveGfp),
      put: stack.push,
      kept: stack.kept,
    };
  },
};
