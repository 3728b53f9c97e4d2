// Heads until 3.1: the object is used as far as it was asked for; what kmalloc gives beyond that is wasted and not charged
// (net/core/skbuff.c __alloc_skb, 2.6.24, 2.6.32).
//
//      | data, aligned | shared info | wasted |        truesize = data + sizeof(sk_buff)
import type { HeadsPart } from "../skb_config.ts";
import { kmallocHeads } from "./kmalloc_heads.ts";

export const headsAsAsked: HeadsPart = {
  name: "heads as asked",
  sharedInfoRoom: (sizes) => sizes.sharedInfoBytes,
  truesize: (sizes, end) => end + sizes.skBuffBytes,
  create: (heap, config) => kmallocHeads(heap, config, config.sharedInfoBytes, (bytes) => bytes),
};
