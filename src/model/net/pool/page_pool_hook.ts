// The pools under the full sk_buff model: freeing an skb with the mark brings its pages home (skb_mark_for_recycle(), include/linux/skbuff.h, 6.1).

import { skbBit, skbField } from "../skb/skb_columns.ts";
import type { Skbs } from "../skb/skbs.ts";
import type { PagePools } from "./page_pool.ts";

/** Lets every free of a marked skb ask the pools first, as skb_free_head() and __skb_frag_unref() do. */
export function attachPools(skbs: Skbs, pools: PagePools): void {
  skbs.setPoolReturn(pools.returnSkbPage);
}

/** skb_mark_for_recycle(): head and fragments of this skb are a pool's. */
export function skbMarkForRecycle(skbs: Skbs, skb: number): void {
  const { S } = skbs.columns;
  S[skb + skbField.BITS] = (S[skb + skbField.BITS] as number) | skbBit.ppRecycle;
}
