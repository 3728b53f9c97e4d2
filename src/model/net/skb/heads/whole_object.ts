// Heads from 3.2 to 6.2: shared info stands at the very end of the object that kmalloc really gave, and all of it is charged
// (net/core/skbuff.c __alloc_skb, 3.13, 5.10.223, 6.1.192).
//
//      | data, aligned, and what the object has beyond | shared info |        truesize = object + sizeof(sk_buff), aligned
//
// 5.10 measures the object after kmalloc (ksize), 6.1 rounds up before it (kmalloc_size_roundup): the sizes are the same.
import type { HeadsPart, SkbSizes } from "../skb_config.ts";
import { dataAlign } from "../skb_config.ts";
import { kmallocHeads } from "./kmalloc_heads.ts";

/** SKB_DATA_ALIGN(sizeof(struct skb_shared_info)) */
export const alignedInfo = (sizes: SkbSizes): number => dataAlign(sizes, sizes.sharedInfoBytes);

/** SKB_TRUESIZE(end) */
export const wholeTruesize = (sizes: SkbSizes, end: number): number =>
  end + dataAlign(sizes, sizes.skBuffBytes) + alignedInfo(sizes);

export const headsWholeObject: HeadsPart = {
  name: "heads fill their object",
  sharedInfoRoom: alignedInfo,
  truesize: wholeTruesize,
  create: (heap, config) => kmallocHeads(heap, config, alignedInfo(config), heap.kmallocSizeRoundup),
};
