// Linux 6.1.192, x86_64: the parts of that release, each read in its source and held by recordings of it.
import { byBatch } from "../mm/account/by_batch.ts";
import { steal } from "../mm/fallback/steal.ts";
import { atLeastOne } from "../mm/highatomic/at_least_one.ts";
import { freeFactorLists } from "../mm/pcp/free_factor.ts";
import { directInSoftirq } from "../net/pool/direct/in_softirq.ts";
import { usersByFragments } from "../net/pool/users/by_fragments.ts";
import { headsWholeObject } from "../net/skb/heads/whole_object.ts";
import { sparesInPolls } from "../net/skb/spares/in_polls.ts";
import type { ExactKernel } from "./kernel.ts";
import { mmRulesOf } from "./mm_rules.ts";
import { byFacts } from "./older.ts";

const release = { version: [6, 1, 192], arch: "x86_64" } as const;

export const linux_6_1: ExactKernel = {
  release,
  name: "Linux 6.1.192",
  parts: {
    ...byFacts(release),
    mm: {
      rules: (choices) => mmRulesOf(release, choices),
      account: byBatch,
      pcp: freeFactorLists,
      fallback: steal,
      highatomic: atLeastOne,
    },
    net: {
      skb: {
        heads: headsWholeObject,
        spares: sparesInPolls,
        receiveHeads: { kmallocUpTo: 1024, napiSlicesUpTo: 1024 },
        smallHeadRoom: 0,
        spareSkbs: { most: 64, taken: 16, givenBack: 32 },
        recycleMarks: true,
        clonedPoolFragments: "refused",
        segmentClones: "any device",
        quietReceive: false,
        reserveRefused: true,
      },
      pool: {
        users: usersByFragments,
        direct: directInSoftirq,
        dmaAddressHome: "field",
        wordBits: 64,
        slowPathPages: 64,
        ringLimit: { slots: 16384, beyond: "clamped" },
        knownFlags: 7,
        fragments: "flagged pools",
        fragAlign: 8,
        fragmentStats: "each fragment",
        unmapsAtDestroy: false,
        stallNamesPool: false,
      },
    },
  },
  holes: [],
};
