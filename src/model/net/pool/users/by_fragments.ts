// From 5.15 to 6.7: pages of fragment pools count their users in pp_frag_count (net/core/page_pool.c, include/net/page_pool.h, 6.1.192).
// Before 5.15 no pool cuts fragments, and nothing is counted.
import type { UsersPart } from "./users.ts";
import { createPageUsers } from "./users.ts";

export const usersByFragments: UsersPart = {
  name: "users of fragment pools' pages",
  everyPage: false,
  bias: (wordBits) => (1n << BigInt(wordBits - 1)) - 1n,
  create: (pfnMax, warn) =>
    createPageUsers(pfnMax, "left as it is", (pfn, left) =>
      warn("page_pool_defrag_page: pp_frag_count below zero", pfn, left),
    ),
};
