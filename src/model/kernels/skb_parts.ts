// Which parts and numbers of sk_buffs a release has. The parts themselves know no release.
import {
  clonedPoolFragments,
  quietReceive,
  receiveHeads,
  recycleMarks,
  reserveRefused,
  segmentClones,
  smallHeadRoom,
  spareSkbs,
} from "../../kernel/facts/skb_heads.ts";
import type { Fact, Release } from "../../kernel/release.ts";
import { factAt } from "../../kernel/release.ts";
import { headsAsAsked } from "../net/skb/heads/as_asked.ts";
import { headsSmallCache } from "../net/skb/heads/small_cache.ts";
import { headsWholeObject } from "../net/skb/heads/whole_object.ts";
import type { HeadsPart, SkbParts, SparesPart } from "../net/skb/skb_config.ts";
import { sparesInAll } from "../net/skb/spares/in_all.ts";
import { sparesInBulk } from "../net/skb/spares/in_bulk.ts";
import { sparesInPolls } from "../net/skb/spares/in_polls.ts";
import { sparesNone } from "../net/skb/spares/none.ts";

const headsParts: readonly Fact<HeadsPart>[] = [
  { since: [2, 6, 0], value: headsAsAsked, source: "net/core/skbuff.c __alloc_skb, 2.6.24" },
  {
    since: [3, 2],
    value: headsWholeObject,
    source: "net/core/skbuff.c __alloc_skb, 3.13, 5.10.223, 6.1.192; changed for 3.2 with truesize",
    read: "tree",
  },
  {
    since: [6, 3],
    value: headsSmallCache,
    source: "net/core/skbuff.c kmalloc_reserve, 6.12.117, 7.2.12; the cache is not in 6.2, is in 6.4",
    read: "tree",
  },
];

const sparesParts: readonly Fact<SparesPart>[] = [
  { since: [2, 6, 0], value: sparesNone, source: "net/core/skbuff.c, 3.13" },
  {
    since: [4, 6],
    value: sparesInBulk,
    source: "net/core/skbuff.c _kfree_skb_defer, 5.10.223; 4.6 from history",
    read: "tree",
  },
  {
    since: [5, 12],
    value: sparesInPolls,
    source: "net/core/skbuff.c napi_skb_cache_get, 6.1.192, 6.12.117: not in 5.11, in 5.14.2; 5.12 from history",
    read: "tree",
  },
  {
    since: [6, 19],
    value: sparesInAll,
    source: "net/core/skbuff.c __alloc_skb, 7.2.12; 6.19 from history (NAPI_SKB_CACHE_FREE: not in 6.14, in 6.19)",
    read: "tree",
  },
];

/** What is in force at a version; the first entry before that. */
function at<T>(facts: readonly Fact<T>[], { version }: Release): T {
  const fact = factAt(facts, version) ?? facts[0];
  if (fact === undefined) throw new RangeError("a table of facts is empty");
  return fact.value;
}

/** The sk_buffs of a release by the dated facts. */
export function skbPartsOf(release: Release): SkbParts {
  return {
    heads: at(headsParts, release),
    spares: at(sparesParts, release),
    receiveHeads: at(receiveHeads, release),
    smallHeadRoom: at(smallHeadRoom, release),
    spareSkbs: at(spareSkbs, release),
    recycleMarks: at(recycleMarks, release),
    clonedPoolFragments: at(clonedPoolFragments, release),
    segmentClones: at(segmentClones, release),
    quietReceive: at(quietReceive, release),
    reserveRefused: at(reserveRefused, release),
  };
}
