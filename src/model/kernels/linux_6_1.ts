// Linux 6.1.192, x86_64: the parts of that release, each read in its source and held by recordings of it.
import { byBatch } from "../mm/account/by_batch.ts";
import { steal } from "../mm/fallback/steal.ts";
import { atLeastOne } from "../mm/highatomic/at_least_one.ts";
import { freeFactorLists } from "../mm/pcp/free_factor.ts";
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
  },
  holes: [],
};
