// What the designs of the page_pool return hook that were tried in 2018 change of an sk_buff. Apart because no kernel has them: since 5.14 a bit
// of the sk_buff says that its memory is a pool's and page->pp says whose (page_pool_hook.ts). Here the sk_buff carried the pool itself, in a
// struct xdp_mem_info, and was believed:
//
//   mark        in the header region every copy takes it to memory of its own; after head_frag only a clone has it
//   head        skb_free_head() gives it to that pool before it asks what the head is
//   fragments   are put_page()d: a driver takes their pages out of the pool first
//   coalescing  compares no marks; what it does with a marked head is the choice of the design
//
// All else is the sk_buff's own. Not here: what such a kernel's GRO would have to do with a marked head.
import { headField, skbBit, skbField } from "../skb/skb_columns.ts";
import type { SkbOptions } from "../skb/skb_config.ts";
import type { Skbs } from "../skb/skbs.ts";
import { createSkbs } from "../skb/skbs.ts";
import type { PagePools } from "./page_pool.ts";
import { attachPools, skbMarkForRecycle } from "./page_pool_hook.ts";

const { HEAD, BITS, LEN } = skbField;
const { TENANT } = headField;
const { headFrag: HEAD_FRAG, ppRecycle: MARKED } = skbBit;

export interface HookDesign {
  /** Where xdp_mem_info lies: between headers_start and headers_end (branches mvneta_03 and mvneta_04), or behind head_frag and pfmemalloc. */
  readonly mark: "in the header region" | "after head_frag";
  /** skb_try_coalesce() of a head that is a pool's: knows nothing of it, unmaps it first, hangs the skb on frag_list, or refuses. */
  readonly coalesce: "unaware" | "release" | "frag_list" | "refuse";
}

/** Memory that went into a pool which it is not of. */
export interface Stray {
  readonly pfn: number;
  readonly text: string;
}

/** The sk_buffs of one machine with what decides whose their heads are. */
export interface PooledSkbs {
  readonly skbs: Skbs;
  /** Head and fragments of this skb are the pool's. */
  mark(skb: number): void;
  /** tcp_try_coalesce() with what its callers do next: `from` is freed as far as `to` did not take it over; false when it stays. */
  coalesceQueued(to: number, from: number): boolean;
  readonly strays: readonly Stray[];
}

/** As the kernel of these skbs does it. */
export function kernelSkbs(options: SkbOptions, pools: PagePools): PooledSkbs {
  const skbs = createSkbs(options);
  attachPools(skbs, pools);
  return {
    skbs,
    mark: (skb) => skbMarkForRecycle(skbs, skb),
    coalesceQueued(to, from) {
      const { merged, headStolen } = skbs.skbTryCoalesce(to, from);
      if (merged) skbs.kfreeSkbPartial(from, headStolen);
      return merged;
    },
    strays: [],
  };
}

/** By a design of 2018; `pool` is the one that every mark names. */
export function designedSkbs(options: SkbOptions, pools: PagePools, pool: number, design: HookDesign): PooledSkbs {
  const { pages, heap } = options;
  const strays: Stray[] = [];
  const skbs = createSkbs({
    ...options,
    recycling: {
      freeHead(head, bits) {
        if (markedBy[head >> 4] !== H[head + TENANT]) return false;
        const pfn = pages.compoundHead(pageOf(head));
        if (pools.poolOf(pfn) !== pool)
          strays.push({
            pfn,
            text:
              (bits & HEAD_FRAG) !== 0
                ? "a page that is not this pool's goes into its ring"
                : "the slab page under a kmalloc'ed head goes into the pool's ring: the mark was copied, the memory was not the pool's",
          });
        pools.putFullPage(pool, pfn, false);
        return true;
      },
      headerCopied(to, from) {
        if (design.mark === "in the header region" && isMarked(from)) mark(to);
      },
    },
  });
  const { S, H, headAddress } = skbs.columns;
  /** The tenant of each row of heads that a mark is about: a new head has none, a clone shares it. */
  const markedBy = new Int32Array(headAddress.length);

  const pageOf = (head: number): number => Math.floor((headAddress[head >> 4] as number) / heap.pageSize);
  const isMarked = (skb: number): boolean => {
    const head = S[skb + HEAD] as number;
    return ((S[skb + BITS] as number) & MARKED) !== 0 && markedBy[head >> 4] === H[head + TENANT];
  };
  const mark = (skb: number): void => {
    const head = S[skb + HEAD] as number;
    S[skb + BITS] = (S[skb + BITS] as number) | MARKED;
    markedBy[head >> 4] = H[head + TENANT] as number;
  };

  /** skb_try_coalesce() of a kernel that does not compare marks. */
  const joinUnmarked = (to: number, from: number): boolean => {
    const toMark = (S[to + BITS] as number) & MARKED;
    const fromMark = (S[from + BITS] as number) & MARKED;
    S[to + BITS] = (S[to + BITS] as number) & ~MARKED;
    S[from + BITS] = (S[from + BITS] as number) & ~MARKED;
    const { merged, headStolen } = skbs.skbTryCoalesce(to, from);
    S[to + BITS] = (S[to + BITS] as number) | toMark;
    S[from + BITS] = (S[from + BITS] as number) | fromMark;
    if (!merged) return false;
    const head = pages.compoundHead(pageOf(S[from + HEAD] as number));
    if (headStolen && design.coalesce === "release" && pools.poolOf(head) >= 0) pools.releasePage(pool, head);
    skbs.kfreeSkbPartial(from, headStolen);
    return true;
  };

  return {
    skbs,
    mark,
    coalesceQueued(to, from) {
      if (skbs.isCloned(to)) return false;
      if (design.coalesce === "refuse" && (isMarked(to) || isMarked(from))) return false;
      const fits = (S[from + LEN] as number) <= skbs.tailroom(to);
      if (design.coalesce === "frag_list" && !fits && isMarked(from) && !skbs.isCloned(from)) {
        skbs.fragListAppend(to, from);
        return true;
      }
      return joinUnmarked(to, from);
    },
    strays,
  };
}
