// Since 6.19: everybody outside hard interrupts takes a spare sk_buff where the CPU has one; only polls refill (net/core/skbuff.c
// __alloc_skb, 7.2.12; 6.19 from history). Not modelled: hard interrupts, which go to the slab.
import type { SparesPart } from "../skb_config.ts";
import { createSpareStack } from "./per_cpu.ts";

export const sparesInAll: SparesPart = {
  name: "spare sk_buffs for all",
  builtBy: "napi_build_skb",
  create(heap, skbCache, config, journal) {
    const stack = createSpareStack(heap, skbCache, config, journal);
    return {
      take(mask, poll) {
        if (poll) return stack.popOrRefill();
        const spare = stack.pop();
        return spare >= 0 ? spare : heap.cacheAlloc(skbCache, mask);
      },
      takeInPoll: stack.popOrRefill,
      put: stack.push,
      kept: stack.kept,
    };
  },
};
