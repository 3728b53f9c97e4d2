// A page_pool whose count of pages in flight is below zero (page_pool_inflight(), net/core/page_pool.c), by its line alone or with its stack.
export const poolBelowZero = {
  severity: "act",
  consequence:
    "Act on it: a page that came back twice is handed to two packets at once; the report does not show that it has happened.",
  memory: "none",
} as const;
