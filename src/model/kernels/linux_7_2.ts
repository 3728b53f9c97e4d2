// Linux 7.2.12, x86_64: the parts of that release, each read in its source and held by recordings of it.
import { byBlock } from "../mm/account/by_block.ts";
import { claimThenSteal } from "../mm/fallback/claim.ts";
import { onePercentFromFreeLists } from "../mm/highatomic/one_percent.ts";
import { tunedListsInPortions } from "../mm/pcp/tuned.ts";
import { directWhereConsumed } from "../net/pool/direct/where_consumed.ts";
import { usersByPages } from "../net/pool/users/by_pages.ts";
import { headsSmallCache } from "../net/skb/heads/small_cache.ts";
import { sparesInAll } from "../net/skb/spares/in_all.ts";
import type { ExactKernel } from "./kernel.ts";
import { mmRulesOf } from "./mm_rules.ts";
import { byFacts } from "./older.ts";

const release = { version: [7, 2, 12], arch: "x86_64" } as const;

export const linux_7_2: ExactKernel = {
  release,
  name: "Linux 7.2.12",
  parts: {
    ...byFacts(release),
    mm: {
      rules: (choices) => mmRulesOf(release, choices),
      account: byBlock,
      pcp: tunedListsInPortions,
      fallback: claimThenSteal,
      highatomic: onePercentFromFreeLists,
    },
    net: {
      skb: {
        heads: headsSmallCache,
        spares: sparesInAll,
        receiveHeads: { kmallocUpTo: "a small head", napiSlicesUpTo: 0 },
        smallHeadRoom: 368,
        spareSkbs: { most: 128, taken: 32, givenBack: 32 },
        recycleMarks: true,
        clonedPoolFragments: "counted",
        segmentClones: "any device",
        quietReceive: true,
        reserveRefused: true,
      },
      pool: {
        users: usersByPages,
        direct: directWhereConsumed,
        dmaAddressHome: "page number",
        wordBits: 64,
        slowPathPages: 64,
        ringLimit: { slots: 16384, beyond: "clamped" },
        knownFlags: 15,
        fragments: "any pool",
        fragAlign: 1,
        fragmentStats: "each page",
        unmapsAtDestroy: true,
        stallNamesPool: true,
      },
    },
  },
  holes: [
    "A request that may sleep compacts and reclaims in the order of 6.12: 7.2 tries again after a first compaction before it reclaims (__alloc_pages_slowpath(), mm/page_alloc.c).",
    "vm.defrag_mode is off unless a scenario sets it; then kcompactd's part is a model of effect.",
  ],
};
