// Page pools: those in the kernel's list, and those that pages name. For each its counters, cache, ring, the pages that carry its mark,
// and for every page that is in flight who holds it.
import { ifThere } from "../address_space.ts";
import type { Findings } from "../findings.ts";
import { type Kernel, pfnOfAddress, pfnOfPage } from "../kernel.ts";
import { walkXarray } from "../lists.ts";
import { type MemMap, pageWord } from "../mm/mem_map.ts";
import { pageKind } from "../mm/page_kinds.ts";
import type { Struct } from "../types.ts";
import { StructView } from "../view.ts";
import type { Holders } from "./holders.ts";
import { ringEntries } from "./qdiscs.ts";

export interface OwnedPage {
  readonly pfn: number;
  readonly refcount: number;
  /** References of fragments that the pool counts; 0 where this kernel keeps none for such pools. */
  readonly users: bigint;
}

export interface PagePool {
  readonly address: bigint;
  /** page_pool_destroy() was called; it waits for its pages. */
  readonly isDestroyed: boolean;
  readonly flags: number;
  readonly order: number;
  readonly poolSize: number;
  readonly hold: number;
  readonly release: number;
  readonly cacheCount: number;
  readonly ringSize: number;
  readonly fragUsers: number;
  /** Frame that fragments are cut from, -1 when none. */
  readonly fragPfn: number;
  readonly fragOffset: number;
  readonly cache: readonly number[];
  readonly ring: readonly number[];
  readonly owned: readonly OwnedPage[];
  /** ifindex of its device, where the pool says one. */
  readonly ifindex: number | undefined;
  /** Where the ring's array of pointers lies. */
  readonly ringAt: bigint;
}

/** hold - release as the kernel counts it: 32 bits, signed. */
export const inflightOf = (pool: Pick<PagePool, "hold" | "release">): number => (pool.hold - pool.release) | 0;

const mostPools = 1 << 16;
/** PP_FLAG_PAGE_FRAG, include/net/page_pool.h of 6.1: until 6.7 users are counted for such pools only. */
const countsFragments = 4;

/** Finds all pools. Throws LayoutUnknown. Kernels without page pools have none. */
export function readPools(kernel: Kernel, map: MemMap, findings: Findings): readonly PagePool[] {
  const struct = kernel.types.find("page_pool");
  const page = kernel.types.struct("page");
  const poolAt = page.find("pp");
  if (struct === undefined || poolAt === undefined) return [];
  const owned = new Map<bigint, number[]>();
  for (const pfn of map.poolPages) {
    const pool = pageWord(kernel, pfn, poolAt.off);
    if (pool === undefined) continue;
    const own = owned.get(pool);
    if (own === undefined) owned.set(pool, [pfn]);
    else own.push(pfn);
  }
  const listed = listedPools(kernel);
  const all = [...new Set([...owned.keys(), ...listed])].slice(0, mostPools);
  let strayed = 0;
  const pools = all.flatMap((address) => {
    const pool = ifThere(() => readPool(kernel, map, struct, page, address, owned.get(address) ?? []));
    if (pool === undefined) {
      const frame = pfnOfAddress(kernel, address);
      // A pool whose memory was left out of the image is a pool.
      if (frame !== undefined && frame < map.endPfn && map.kind[frame] !== pageKind.none) return [];
      strayed += owned.get(address)?.length ?? 0;
      if (owned.has(address))
        findings.add({
          kind: "page pool",
          text: `${owned.get(address)?.length} pages carry the mark of a page_pool at ${address.toString(16)}, where there is no memory`,
          address,
        });
      return [];
    }
    return [pool];
  });
  // Marked pages that name no pool are missed by the pool that they are from: said once.
  const missed = pools.reduce((n, p) => n + Math.max(0, inflightOf(p) - p.owned.length), 0);
  for (const pool of pools) checkPool(pool, map, strayed > 0 && strayed === missed, findings);
  return pools;
}

function readPool(
  kernel: Kernel,
  map: MemMap,
  struct: Struct,
  page: Struct,
  address: bigint,
  owned: readonly number[],
): PagePool {
  const v = new StructView(kernel.space, struct, address);
  const flags = v.number("slow.flags", "p.flags");
  const ring = kernel.types.struct("ptr_ring");
  const pfnOf = (pointer: bigint): number => pfnOfPage(kernel, pointer) ?? -1;
  const cacheField = struct.field("alloc.cache");
  const cacheCount = v.number("alloc.count");
  const users = page.find("pp_ref_count") ?? page.find("pp_frag_count");
  const counts = users !== undefined && (page.has("pp_ref_count") || (flags & countsFragments) !== 0);
  const fragPage = v.word("frag_page");
  return {
    address,
    isDestroyed: v.wordOr0("destroy_cnt") !== 0n,
    flags,
    order: v.number("p.order"),
    poolSize: v.number("p.pool_size"),
    hold: v.number("pages_state_hold_cnt"),
    release: v.signed("pages_state_release_cnt"),
    cacheCount,
    ringSize: v.signed("ring.size"),
    fragUsers: v.has("frag_users") ? Number(v.data.getBigInt64(struct.off("frag_users"), true)) : 0,
    fragPfn: fragPage === 0n ? -1 : pfnOf(fragPage),
    fragOffset: v.number("frag_offset"),
    cache: Array.from({ length: Math.min(cacheCount, cacheField.elements) }, (_, i) =>
      pfnOf(v.data.getBigUint64(cacheField.off + i * 8, true)),
    ),
    ring: ringEntries(kernel, v.at("ring"), ring).map(pfnOf),
    owned: owned.map((pfn) => ({
      pfn,
      refcount: map.refcount[pfn] as number,
      users: counts && users !== undefined ? BigInt.asIntN(64, pageWord(kernel, pfn, users.off) ?? 0n) : 0n,
    })),
    ifindex: v.has("slow.netdev") ? ifindexOf(kernel, v.word("slow.netdev")) : undefined,
    ringAt: v.word("ring.queue"),
  };
}

function ifindexOf(kernel: Kernel, dev: bigint): number | undefined {
  if (dev === 0n) return undefined;
  return ifThere(() => kernel.space.u32(dev + kernel.types.struct("net_device").at("ifindex")));
}

/** One finding for a pool at most for each thing that is wrong. */
function checkPool(pool: PagePool, map: MemMap, isExplained: boolean, findings: Findings): void {
  const name = `page_pool ${pool.address.toString(16)}`;
  const add = (text: string, pfn?: number): void =>
    findings.add({
      kind: "page pool",
      text: `${name}: ${text}`,
      address: pool.address,
      ...(pfn === undefined ? {} : { pfn }),
    });
  const inflight = inflightOf(pool);
  const own = new Set(pool.owned.map((p) => p.pfn));
  const unmarked = new Set([...pool.cache, ...pool.ring].filter((pfn) => pfn >= 0 && !own.has(pfn)));
  // Pages whose struct page is not in the image may carry the mark too.
  const isKnown = map.unseen === 0 && !isExplained;
  // A page at home that lost its mark is missed by the counters too: then that is said of it alone.
  const missing = inflight - pool.owned.length;
  if (isKnown && missing !== 0 && missing !== unmarked.size)
    add(`${inflight} pages in flight by the counters, ${pool.owned.length} pages carry its mark`);
  for (const [place, pfns] of [
    ["allocation cache", pool.cache],
    ["ring", pool.ring],
  ] as const) {
    const seen = new Set<number>();
    for (const pfn of pfns) {
      if (seen.has(pfn)) add(`pfn ${pfn} is twice in the ${place}`, pfn);
      else if (pfn < 0) add(`the ${place} holds something that is not a page`);
      else if (isKnown && unmarked.has(pfn)) add(`pfn ${pfn} is in the ${place} and does not carry its mark`, pfn);
      seen.add(pfn);
    }
  }
  for (const { pfn, refcount } of pool.owned)
    if (refcount === 0) add(`pfn ${pfn} carries its mark and has refcount 0`, pfn);
  const both = pool.cache.find((pfn) => pfn >= 0 && pool.ring.includes(pfn));
  if (both !== undefined) add(`pfn ${both} is in the allocation cache and in the ring`, both);
}

/** Pools in the kernel's own table (6.8 on). Pools without pages are found only here. */
function listedPools(kernel: Kernel): readonly bigint[] {
  const table = kernel.symbols.address("page_pools");
  return table === undefined ? [] : walkXarray(kernel, table, mostPools).entries;
}

/** Memory in which the pool itself keeps pointers to its pages: they hold nothing. */
export function ownPlaces(kernel: Kernel, pool: PagePool): readonly { readonly from: bigint; readonly to: bigint }[] {
  const struct = kernel.types.struct("page_pool");
  const mapped = struct.find("dma_mapped");
  const nodeBytes = BigInt(kernel.types.find("xa_node")?.sizeBytes ?? 0);
  const nodes = mapped === undefined ? [] : walkXarray(kernel, pool.address + mapped.at).nodes;
  return [
    { from: pool.address, to: pool.address + BigInt(struct.sizeBytes) },
    { from: pool.ringAt, to: pool.ringAt + BigInt(Math.max(0, pool.ringSize) * 8) },
    ...nodes.map((n) => ({ from: n, to: n + nodeBytes })),
  ];
}

/** Who holds a page of a pool. */
export type PoolHolder =
  | { readonly kind: "cache" }
  | { readonly kind: "ring" }
  | { readonly kind: "fragment source" }
  | { readonly kind: "skb"; readonly as: "head" | "frag"; readonly skb: bigint; readonly place: string }
  /** Memory that points to the page: a driver's ring, as far as it can be told. */
  | { readonly kind: "pointer"; readonly at: bigint; readonly what: string; readonly neighbours: number }
  | { readonly kind: "none found" };

export interface HeldPage {
  readonly pfn: number;
  readonly holders: readonly PoolHolder[];
  /** References that the pool counts for this page and that no holder explains; 0 where it keeps no count. */
  readonly unexplained: number;
}

/**
 * BIAS_MAX of net/core/page_pool.c: the count that a page which fragments are being cut from starts with. LONG_MAX up to 6.6, half of
 * it since; which one it is shows in the count itself.
 */
const biasOf = (users: bigint): bigint => (users >= 2n ** 62n ? 2n ** 63n - 1n : 2n ** 62n - 1n);

/** Every page of a pool with those who hold it, but for pointers in memory (pointer_scan.ts). */
export function heldPages(pool: PagePool, holders: Holders): readonly HeldPage[] {
  const cache = new Set(pool.cache);
  const ring = new Set(pool.ring);
  return pool.owned.map(({ pfn, users }) => {
    const found: PoolHolder[] = [];
    if (cache.has(pfn)) found.push({ kind: "cache" });
    if (ring.has(pfn)) found.push({ kind: "ring" });
    const isAtHome = found.length > 0;
    if (pool.fragPfn === pfn) found.push({ kind: "fragment source" });
    const uses = holders.skbsIn(pfn);
    for (const { skb, as } of uses)
      found.push({
        kind: "skb",
        as,
        skb: skb.address,
        place: holders.placesOf(skb.address)[0]?.text ?? "in no known place",
      });
    // Clones share their fragments: each reference counts once for all sk_buffs with one head.
    const perHead = new Map(uses.map((u) => [u.skb.head, u.skb.address] as const));
    const references = uses.filter((u) => perHead.get(u.skb.head) === u.skb.address).length;
    const counted = pool.fragPfn === pfn ? BigInt(pool.fragUsers) + users - biasOf(users) : users;
    return { pfn, holders: found, unexplained: isAtHome ? 0 : Math.max(0, Number(counted) - references) };
  });
}
