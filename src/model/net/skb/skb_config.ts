// The numbers of one kernel that the skb code needs: sizes, paddings, gfp bits, and the dated rules of how a head is sized.
// Not here: the layouts that these sizes come from (the layout engine computes them), and any behaviour.
import type { Fact, Release } from "../../../kernel/release.ts";
import { factAt } from "../../../kernel/release.ts";

/** How the end of a head is found, and what the truesize of a fresh skb is. */
export type HeadRule =
  /** end = aligned request; the rest of the object is wasted; truesize = end + sizeof(sk_buff). */
  | "as-asked"
  /** shared info stands at the very end of the object that kmalloc really gave; truesize counts the object and an aligned sk_buff. */
  | "whole-object";

/** Where the heads of received packets come from. */
export type ReceiveHeads =
  /** always kmalloc */
  | "kmalloc"
  /** page fragments for sizes that fit a page; the smallest from kmalloc */
  | "fragments"
  /** the same, and napi_alloc_skb cuts its smallest heads as 1 KiB slices of an order-0 page */
  | "fragments-and-slices";

export interface SkbConfig {
  readonly pageSize: number;
  /** SMP_CACHE_BYTES: what SKB_DATA_ALIGN rounds to. */
  readonly cacheLineBytes: number;
  readonly skBuffBytes: number;
  readonly fclonesBytes: number;
  readonly sharedInfoBytes: number;
  /** MAX_SKB_FRAGS */
  readonly fragsMax: number;
  /** NET_SKB_PAD: headroom that netdev_alloc_skb and napi_alloc_skb reserve. */
  readonly netSkbPad: number;
  readonly netIpAlign: number;
  readonly headRule: HeadRule;
  readonly receiveHeads: ReceiveHeads;
  /** Each CPU keeps freed sk_buffs for the next receive (napi_skb_cache_get). */
  readonly napiSpares: boolean;
  /** gfp masks and bits of this release. */
  readonly gfp: {
    readonly atomic: number;
    readonly kernel: number;
    readonly dma: number;
    readonly directReclaim: number;
    readonly nowarn: number;
    readonly nomemalloc: number;
    readonly memalloc: number;
    readonly comp: number;
  };
}

/** x86_64, 6.1 (include/linux/skbuff.h, gfp_types.h; sizes from the captured kernel's own constants). */
export const skbConfig61: SkbConfig = {
  pageSize: 4096,
  cacheLineBytes: 64,
  skBuffBytes: 224,
  fclonesBytes: 456,
  sharedInfoBytes: 320,
  fragsMax: 17,
  netSkbPad: 64,
  netIpAlign: 0,
  headRule: "whole-object",
  receiveHeads: "fragments-and-slices",
  napiSpares: true,
  gfp: {
    atomic: 0xa20,
    kernel: 0xcc0,
    dma: 0x01,
    directReclaim: 0x400,
    nowarn: 0x2000,
    nomemalloc: 0x80000,
    memalloc: 0x20000,
    comp: 0x40000,
  },
};

/** When a head began to fill the object it lies in. */
export const headRules: readonly Fact<HeadRule>[] = [
  { since: [2, 6, 0], value: "as-asked", source: "net/core/skbuff.c __alloc_skb, 2.6.24" },
  {
    since: [3, 2],
    value: "whole-object",
    source: "net/core/skbuff.c __alloc_skb, 3.13; changed for 3.2 with truesize",
  },
];

/** When receive heads moved to page fragments (3.5), and when napi got its 1 KiB slices (6.1 stable; read in 6.1.192). */
export const receiveHeadRules: readonly Fact<ReceiveHeads>[] = [
  { since: [2, 6, 0], value: "kmalloc", source: "net/core/skbuff.c __netdev_alloc_skb, 2.6.24" },
  { since: [3, 5], value: "fragments", source: "net/core/skbuff.c __netdev_alloc_skb, 3.13" },
  { since: [6, 1], value: "fragments-and-slices", source: "net/core/skbuff.c __napi_alloc_skb, 6.1.192" },
];

/** When a CPU began to hand out again the sk_buffs that it had freed. */
export const napiSpareRules: readonly Fact<boolean>[] = [
  { since: [2, 6, 0], value: false, source: "net/core/skbuff.c __build_skb, 4.19" },
  { since: [5, 12], value: true, source: "net/core/skbuff.c napi_skb_cache_get, 6.1.192; first release from history" },
];

/** The 6.1 numbers with the dated rules of another release, and whatever sizes the caller knows better. */
export function skbConfigFor(release: Release, known: Partial<SkbConfig> = {}): SkbConfig {
  return {
    ...skbConfig61,
    headRule: factAt(headRules, release.version)?.value ?? "as-asked",
    receiveHeads: factAt(receiveHeadRules, release.version)?.value ?? "kmalloc",
    napiSpares: factAt(napiSpareRules, release.version)?.value ?? false,
    ...known,
  };
}

/** SKB_DATA_ALIGN */
export function dataAlign(config: SkbConfig, bytes: number): number {
  const mask = config.cacheLineBytes - 1;
  return (bytes + mask) & ~mask;
}

/** Bytes behind `end`: skb_shared_info, cache aligned since heads fill their object. */
export const sharedInfoRoom = (config: SkbConfig): number =>
  config.headRule === "as-asked" ? config.sharedInfoBytes : dataAlign(config, config.sharedInfoBytes);

/** SKB_TRUESIZE: what a head with `end` usable bytes is charged. */
export function truesizeOf(config: SkbConfig, end: number): number {
  return config.headRule === "as-asked"
    ? end + config.skBuffBytes
    : end + dataAlign(config, config.skBuffBytes) + sharedInfoRoom(config);
}
