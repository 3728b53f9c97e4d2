// Linux 6.12.117, x86_64: the parts of that release, each read in its source and held by recordings of it.
import { byBlock } from "../mm/account/by_block.ts";
import { claimThenSteal } from "../mm/fallback/claim.ts";
import { onePercentOfZone } from "../mm/highatomic/one_percent.ts";
import { tunedLists } from "../mm/pcp/tuned.ts";
import { directWhereConsumed } from "../net/pool/direct/where_consumed.ts";
import { usersByPages } from "../net/pool/users/by_pages.ts";
import { headsSmallCache } from "../net/skb/heads/small_cache.ts";
import { sparesInPolls } from "../net/skb/spares/in_polls.ts";
import type { ExactKernel } from "./kernel.ts";
import { mmRulesOf } from "./mm_rules.ts";
import { byFacts } from "./older.ts";

const release = { version: [6, 12, 117], arch: "x86_64" } as const;

export const linux_6_12: ExactKernel = {
  release,
  name: "Linux 6.12.117",
  alike: [[6, 12, 118]],
  parts: {
    ...byFacts(release),
    mm: {
      rules: (choices) => mmRulesOf(release, choices),
      account: byBlock,
      pcp: tunedLists,
      fallback: claimThenSteal,
      highatomic: onePercentOfZone,
    },
    net: {
      skb: {
        heads: headsSmallCache,
        spares: sparesInPolls,
        receiveHeads: { kmallocUpTo: "a small head", napiSlicesUpTo: 1024 },
        smallHeadRoom: 368,
        spareSkbs: { most: 64, taken: 16, givenBack: 32 },
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
        fragAlign: 8,
        fragmentStats: "each fragment",
        unmapsAtDestroy: true,
        stallNamesPool: true,
      },
    },
  },
  holes: [],
};
