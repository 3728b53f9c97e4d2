// Linux 7.2.12, x86_64: the parts of that release, each read in its source and held by recordings of it.
import { byBlock } from "../mm/account/by_block.ts";
import { claimThenSteal } from "../mm/fallback/claim.ts";
import { onePercentFromFreeLists } from "../mm/highatomic/one_percent.ts";
import { tunedListsInPortions } from "../mm/pcp/tuned.ts";
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
  },
  holes: [
    "A request that may sleep compacts and reclaims in the order of 6.12: 7.2 tries again after a first compaction before it reclaims (__alloc_pages_slowpath(), mm/page_alloc.c).",
    "vm.defrag_mode is off.",
  ],
};
