// From 5.12 to 6.18: polls take their sk_buffs from what polls are done with (net/core/skbuff.c napi_skb_cache_get, 6.1.192, 6.12.117).
import type { SparesPart } from "../skb_config.ts";
import { createSpareStack } from "./per_cpu.ts";

export const sparesInPolls: SparesPart = {
  name: "spare sk_buffs for polls",
  builtBy: "napi_build_skb",
  create(heap, skbCache, config, journal) {
    const stack = createSpareStack(heap, skbCache, config, journal);
    return {
      take: (mask, poll) => (poll ? stack.popOrRefill() : heap.cacheAlloc(skbCache, mask)),
      takeInPoll: stack.popOrRefill,
      put: stack.push,
      kept: stack.kept,
    };
  },
};
