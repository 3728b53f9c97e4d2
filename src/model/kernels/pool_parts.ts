// Which parts and numbers of page pools a release has. The parts themselves know no release.
import {
  dmaAddressPlace,
  fragmentAlign,
  fragmentStats,
  knownPoolFlags,
  poolFragments,
  ringSlotsMax,
  slowPathPages,
  stallNamesPool,
  unmapsAtDestroy,
} from "../../kernel/facts/page_pool.ts";
import type { Fact, Release } from "../../kernel/release.ts";
import { factAt } from "../../kernel/release.ts";
import type { DirectPart } from "../net/pool/direct/direct.ts";
import { directInSoftirq } from "../net/pool/direct/in_softirq.ts";
import { directServingSoftirq } from "../net/pool/direct/serving_softirq.ts";
import { directWhereConsumed } from "../net/pool/direct/where_consumed.ts";
import type { DmaAddressHome, PoolParts } from "../net/pool/page_pool.ts";
import { usersByFragments } from "../net/pool/users/by_fragments.ts";
import { usersByPages } from "../net/pool/users/by_pages.ts";
import type { UsersPart } from "../net/pool/users/users.ts";

const usersParts: readonly Fact<UsersPart>[] = [
  { since: [4, 18], value: usersByFragments, source: "net/core/page_pool.c, 6.1.192", read: "tree" },
  {
    since: [6, 8],
    value: usersByPages,
    source: "page_pool: transition to reference count management after page draining (6.8); 6.12.117, 7.2.12",
    read: "tree",
  },
];

const directParts: readonly Fact<DirectPart>[] = [
  { since: [4, 18], value: directServingSoftirq, source: "net/core/page_pool.c, 5.10.223", read: "tree" },
  {
    since: [6, 2],
    stable: { "6.1": 12 },
    value: directInSoftirq,
    source: "net/core/page_pool.c, 6.1.192; 6.2 and the point release from history",
    read: "tree",
  },
  {
    since: [6, 10],
    value: directWhereConsumed,
    source: "net/core/page_pool.c page_pool_napi_local(), 6.12.117, 7.2.12: not in 6.8, in 6.10",
    read: "tree",
  },
];

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

/** The pools of a release by the dated facts; undefined for kernels without page_pool (before 4.18). */
export function poolPartsOf({ version, arch }: Release): PoolParts | undefined {
  const place = factAt(dmaAddressPlace, version)?.value;
  if (place === undefined) return undefined;
  const at = <T>(facts: readonly Fact<T>[], before: T): T => factAt(facts, version)?.value ?? before;
  return {
    users: at(usersParts, usersByFragments),
    direct: at(directParts, directServingSoftirq),
    dmaAddressHome: homes[place] ?? "field",
    wordBits: words[arch],
    slowPathPages: at(slowPathPages, 1),
    ringLimit: at(ringSlotsMax, { slots: 32768, beyond: "E2BIG" }),
    knownFlags: at(knownPoolFlags, 1),
    fragments: at(poolFragments, "none"),
    fragAlign: at(fragmentAlign, 1),
    fragmentStats: at(fragmentStats, "each fragment"),
    unmapsAtDestroy: at(unmapsAtDestroy, false),
    stallNamesPool: at(stallNamesPool, false),
  };
}
