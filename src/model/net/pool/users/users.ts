// How many pool users a page has. A fragment page counts a large bias while the pool still cuts from it; what was not cut is given up at
// once when the page is full. The columns and the arithmetic; when they count is the part's business (by_fragments.ts, by_pages.ts).

/** The counts of all pages, by pfn. */
export interface PageUsers {
  /** 1 while the count holds the pool's bias. */
  readonly bias: Int8Array;
  /** The rest of the count. */
  readonly delta: Int32Array;
  setOne(pfn: number): void;
  /** page_pool_fragment_page(page, BIAS_MAX): the pool begins to cut the page up. */
  setBias(pfn: number): void;
  add(pfn: number): void;
  /** One user less: users that stay, 0 for the last one. */
  drop(pfn: number): number;
  /** The pool gives up what it has not cut (BIAS_MAX - given): users that stay. */
  dropBias(pfn: number, given: number): number;
}

export interface UsersPart {
  readonly name: string;
  /** Every page of every pool counts, not only those of fragment pools. */
  readonly everyPage: boolean;
  /** BIAS_MAX with unsigned long of so many bits. */
  bias(wordBits: 32 | 64): bigint;
  create(pfnMax: number, warn: (text: string, pfn: number, count: number) => void): PageUsers;
}

/** `drained`: what a page's count is when its last user has gone by dropBias(). `below`: the kernel's words for a count below zero. */
export function createPageUsers(
  pfnMax: number,
  drained: "left as it is" | "one",
  below: (pfn: number, left: number) => void,
): PageUsers {
  const bias = new Int8Array(pfnMax);
  const delta = new Int32Array(pfnMax);

  const setOne = (pfn: number): void => {
    bias[pfn] = 0;
    delta[pfn] = 1;
  };
  const onesAgain = drained === "one";

  return {
    bias,
    delta,
    setOne,
    setBias(pfn) {
      bias[pfn] = 1;
      delta[pfn] = 0;
    },
    add(pfn) {
      delta[pfn] = (delta[pfn] as number) + 1;
    },
    drop(pfn) {
      const users = delta[pfn] as number;
      if (bias[pfn] === 0 && users === 1) return 0;
      delta[pfn] = users - 1;
      if (bias[pfn] !== 0) return 1;
      if (users - 1 < 0) below(pfn, users - 1);
      return users - 1;
    },
    dropBias(pfn, given) {
      if (bias[pfn] === 1 && delta[pfn] === -given) {
        if (onesAgain) setOne(pfn);
        return 0;
      }
      bias[pfn] = (bias[pfn] as number) - 1;
      delta[pfn] = (delta[pfn] as number) + given;
      const left = bias[pfn] === 0 ? (delta[pfn] as number) : -1;
      if (left < 0) below(pfn, left);
      return left;
    },
  };
}
