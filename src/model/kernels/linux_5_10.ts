// Linux 5.10.223, x86_64: the parts of that release, each read in its source and held by recordings of it.
import { byBatch } from "../mm/account/by_batch.ts";
import { steal } from "../mm/fallback/steal.ts";
import { atLeastOne } from "../mm/highatomic/at_least_one.ts";
import { orderZeroLists } from "../mm/pcp/order_zero.ts";
import { directServingSoftirq } from "../net/pool/direct/serving_softirq.ts";
import { usersByFragments } from "../net/pool/users/by_fragments.ts";
import { headsWholeObject } from "../net/skb/heads/whole_object.ts";
import { sparesInBulk } from "../net/skb/spares/in_bulk.ts";
import type { ExactKernel } from "./kernel.ts";
import { mmRulesOf } from "./mm_rules.ts";
import { byFacts } from "./older.ts";

const release = { version: [5, 10, 223], arch: "x86_64" } as const;

export const linux_5_10: ExactKernel = {
  release,
  name: "Linux 5.10.223",
  parts: {
    ...byFacts(release),
    mm: {
      rules: (choices) => mmRulesOf(release, choices),
      account: byBatch,
      pcp: orderZeroLists,
      fallback: steal,
      highatomic: atLeastOne,
    },
    net: {
      skb: {
        heads: headsWholeObject,
        spares: sparesInBulk,
        receiveHeads: { kmallocUpTo: 1024, napiSlicesUpTo: 0 },
        smallHeadRoom: 0,
        spareSkbs: { most: 64, taken: 0, givenBack: 64 },
        recycleMarks: false,
        clonedPoolFragments: "refused",
        segmentClones: "gathering devices",
        quietReceive: false,
        reserveRefused: true,
      },
      pool: {
        users: usersByFragments,
        direct: directServingSoftirq,
        dmaAddressHome: "field",
        wordBits: 64,
        slowPathPages: 1,
        ringLimit: { slots: 32768, beyond: "E2BIG" },
        knownFlags: 3,
        fragments: "none",
        fragAlign: 1,
        fragmentStats: "each fragment",
        unmapsAtDestroy: false,
        stallNamesPool: false,
      },
    },
  },
  holes: [],
};
