// How many pool users a page has: pp_frag_count of fragment pools (5.15), pp_ref_count of every page (6.8). include/net/page_pool.h and
// net/core/page_pool.c, 6.1.192. A fragment page counts BIAS_MAX users while the pool still cuts from it; what was not cut is given up
// at once when the page is full.

export type PageUsers = ReturnType<typeof createPageUsers>;

/** `everyPage`: every page of every pool counts. `warn` hears of a count below zero. */
export function createPageUsers(
  pfnMax: number,
  everyPage: boolean,
  warn: (text: string, pfn: number, count: number) => void,
) {
  // The count is bias * BIAS_MAX + delta: BIAS_MAX is LONG_MAX, which no double holds.
  const bias = new Int8Array(pfnMax);
  const delta = new Int32Array(pfnMax);
  const belowZero = (pfn: number, left: number): void =>
    warn("page_pool_defrag_page: pp_frag_count below zero", pfn, left);

  const setOne = (pfn: number): void => {
    bias[pfn] = 0;
    delta[pfn] = 1;
  };

  return {
    bias,
    delta,
    setOne,
    /** page_pool_set_frag_count(page, BIAS_MAX): the pool begins to cut the page up. */
    setBias(pfn: number): void {
      bias[pfn] = 1;
      delta[pfn] = 0;
    },
    add(pfn: number): void {
      delta[pfn] = (delta[pfn] as number) + 1;
    },
    /** page_pool_defrag_page(page, 1): users that stay, 0 for the last one. */
    drop(pfn: number): number {
      const users = delta[pfn] as number;
      if (bias[pfn] === 0 && users === 1) return 0;
      delta[pfn] = users - 1;
      if (bias[pfn] !== 0) return 1;
      if (users - 1 < 0) belowZero(pfn, users - 1);
      return users - 1;
    },
    /** page_pool_defrag_page(page, BIAS_MAX - given): what remains when the pool gives up what it has not cut. */
    dropBias(pfn: number, given: number): number {
      if (bias[pfn] === 1 && delta[pfn] === -given) {
        if (everyPage) setOne(pfn);
        return 0;
      }
      bias[pfn] = (bias[pfn] as number) - 1;
      delta[pfn] = (delta[pfn] as number) + given;
      const left = bias[pfn] === 0 ? (delta[pfn] as number) : -1;
      if (left < 0) belowZero(pfn, left);
      return left;
    },
  };
}
