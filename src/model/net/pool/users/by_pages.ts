// Since 6.8: every page of every pool counts its users in pp_ref_count, one when it is fresh and when its last user has gone
// (net/core/page_pool.c, include/net/page_pool/helpers.h page_pool_unref_netmem(), 6.12.117, 7.2.12).
import type { UsersPart } from "./users.ts";
import { createPageUsers } from "./users.ts";

export const usersByPages: UsersPart = {
  name: "users of every page",
  everyPage: true,
  bias: (wordBits) => ((1n << BigInt(wordBits - 1)) - 1n) >> 1n,
  create: (pfnMax, warn) =>
    createPageUsers(pfnMax, "one", (pfn, left) => warn("page_pool_unref_page: pp_ref_count below zero", pfn, left)),
};
