// The pool of a release: which of the dated differences (kernel/facts/page_pool.ts) the model can run.
// Not run: pools that are freed under their pages (before 5.3), pages that are unmapped at destroy (6.16), recycling into the NAPI's cache (6.4).
import {
  dmaAddressPlace,
  fragReference,
  poolUsers,
  ringSlotsMax,
  slowPathPages,
} from "../../../kernel/facts/page_pool.ts";
import type { Release } from "../../../kernel/release.ts";
import { factAt } from "../../../kernel/release.ts";
import type { DmaAddressHome, PagePoolOptions } from "./page_pool.ts";
import type { ShiftRule } from "./page_pool_skb.ts";

export type PoolRules = Required<
  Pick<PagePoolOptions, "dmaAddressHome" | "slowPathPages" | "ringLimit" | "ppRefCount" | "wordBits">
>;

const words: Readonly<Record<Release["arch"], 32 | 64>> = {
  i386: 32,
  ppc32: 32,
  arm: 32,
  mips: 32,
  x86_64: 64,
  ppc64: 64,
  arm64: 64,
  s390x: 64,
  riscv64: 64,
};

const homes: Readonly<Record<string, DmaAddressHome>> = { private: "private", "page number": "page number" };

/** Options for createPagePools(); undefined for kernels without page_pool (before 4.18). */
export function poolRulesOf(release: Release): PoolRules | undefined {
  const { version, arch } = release;
  const place = factAt(dmaAddressPlace, version)?.value;
  const limit = factAt(ringSlotsMax, version)?.value;
  if (place === undefined || limit === undefined) return undefined;
  return {
    wordBits: words[arch],
    dmaAddressHome: homes[place] ?? "field",
    slowPathPages: factAt(slowPathPages, version)?.value ?? 1,
    ringLimit: limit,
    ppRefCount: factAt(poolUsers, version)?.value === "any page",
  };
}

/** How skb_shift() of half a fragment takes its reference. */
export function shiftRuleOf(release: Release): ShiftRule {
  return factAt(fragReference, release.version)?.value ?? "page_reference";
}
