// Linux 5.10.223, x86_64: the parts of that release, each read in its source and held by recordings of it.
import { byBatch } from "../mm/account/by_batch.ts";
import { steal } from "../mm/fallback/steal.ts";
import { atLeastOne } from "../mm/highatomic/at_least_one.ts";
import { orderZeroLists } from "../mm/pcp/order_zero.ts";
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
  },
  holes: [],
};
