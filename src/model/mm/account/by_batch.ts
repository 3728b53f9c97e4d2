// Counting after the fact, up to 6.9: once for a whole refill, once for a single request; moving blocks between lists does not count.
// Follows rmqueue_bulk() and rmqueue_buddy(), mm/page_alloc.c, 6.1.192 and 5.10.223.
import type { AccountPart } from "./account.ts";
import { createCounters } from "./account.ts";

export const byBatch: AccountPart = {
  name: "by batch",
  make(memory, journal, { cma }) {
    const { modFree, modFreeCma } = createCounters(memory, journal);
    const withCma = (z: number, delta: number, type: number): void => {
      modFree(z, delta);
      if (type === cma) modFreeCma(z, delta);
    };
    // Chosen once: where there is no CMA, V8 need not carry its branch through every caller.
    const count: (z: number, delta: number, type: number) => void = cma >= 0 ? withCma : modFree;
    return {
      modFree,
      count,
      taken: () => {},
      moved: () => {},
      handedOut: (z, order, type) => count(z, -(1 << order), type),
      refilled: (z, order, blocks) => modFree(z, -(blocks << order)),
    };
  },
};
