// The pools under the full sk_buff model: freeing an skb with the mark brings its pages home (skb_mark_for_recycle(), include/linux/skbuff.h, 6.1).

import { assert } from "../../../base/assert.ts";
import { skbBit, skbField } from "../skb/skb_columns.ts";
import type { Skbs } from "../skb/skbs.ts";
import type { PagePools } from "./page_pool.ts";

/** Lets every free of a marked skb ask the pools first, as skb_free_head() and __skb_frag_unref() do. */
export function attachPools(skbs: Skbs, pools: PagePools): void {
  skbs.setPoolReturn(pools.returnSkbPage);
  if (skbs.config.clonedPoolFragments === "counted") skbs.setPoolShare(pools.shareSkbPage);
}

/**
 * The first `count` of a driver's pages, numbers of which are one more than the pfn, go up as this packet's head and fragments: marked, so that
 * they come home, or where skbs carry no mark (before 5.14) out of the pool, as drivers did it with page_pool_release_page().
 */
export function givePagesUp(
  skbs: Skbs,
  pools: PagePools,
  pool: number,
  skb: number,
  pages: Float64Array,
  count: number,
): void {
  if (skbs.config.recycleMarks) {
    skbMarkForRecycle(skbs, skb);
    return;
  }
  for (let i = 0; i < count; i++) pools.releasePage(pool, (pages[i] as number) - 1);
}

/** skb_mark_for_recycle(): head and fragments of this skb are a pool's. */
export function skbMarkForRecycle(skbs: Skbs, skb: number): void {
  assert(
    skbs.config.recycleMarks,
    () => "this kernel's skbs carry no mark for recycling: release the page from its pool first",
  );
  const { S } = skbs.columns;
  S[skb + skbField.BITS] = (S[skb + skbField.BITS] as number) | skbBit.ppRecycle;
}
