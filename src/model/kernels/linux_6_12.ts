// Linux 6.12.117, x86_64: the parts of that release, each read in its source and held by recordings of it.
import { byBlock } from "../mm/account/by_block.ts";
import { claimThenSteal } from "../mm/fallback/claim.ts";
import { onePercentOfZone } from "../mm/highatomic/one_percent.ts";
import { tunedLists } from "../mm/pcp/tuned.ts";
import type { ExactKernel } from "./kernel.ts";
import { mmRulesOf } from "./mm_rules.ts";
import { byFacts } from "./older.ts";

const release = { version: [6, 12, 117], arch: "x86_64" } as const;

export const linux_6_12: ExactKernel = {
  release,
  name: "Linux 6.12.117",
  parts: {
    ...byFacts(release),
    mm: {
      rules: (choices) => mmRulesOf(release, choices),
      account: byBlock,
      pcp: tunedLists,
      fallback: claimThenSteal,
      highatomic: onePercentOfZone,
    },
  },
  holes: [],
};
