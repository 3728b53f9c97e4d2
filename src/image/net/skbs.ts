// All sk_buffs that are allocated: out of the slab caches that the kernel's pointers name. In a merged cache every object is tested;
// names prove nothing there. Of a pair (fclone) one may be free already: then only the queues tell which.
import { Absent, ifThere } from "../address_space.ts";
import { type Kernel, perCpu, pfnOfAddress, pfnOfPage } from "../kernel.ts";
import { chainOrProblem, walkChain } from "../lists.ts";
import type { MemMap } from "../mm/mem_map.ts";
import { pageKind } from "../mm/page_kinds.ts";
import type { SlabCache } from "../slab/cache.ts";
import { allocatedObjects, type SlabReader } from "../slab/caches.ts";
import type { Struct } from "../types.ts";
import { StructView } from "../view.ts";
import { skbCaches } from "./skb_caches.ts";

export interface SkbFrag {
  /** Frame of the page; undefined where the fragment is no page of host memory (net_iov) or the pointer is none. */
  readonly pfn: number | undefined;
  readonly offset: number;
  readonly size: number;
  /** The pointer where a page should be, when it points to none. */
  readonly astray: bigint | undefined;
}

export interface Skb {
  readonly address: bigint;
  readonly len: number;
  readonly dataLen: number;
  readonly truesize: number;
  readonly head: bigint;
  readonly data: bigint;
  readonly tail: number;
  readonly end: number;
  readonly cloned: number;
  readonly fclone: number;
  readonly headFrag: number;
  readonly ppRecycle: number;
  readonly users: number;
  readonly dataref: number;
  /** nr_frags as it stands there; undefined when skb_shared_info is not in the image. */
  readonly fragCount: number | undefined;
  readonly sk: bigint;
  readonly dev: bigint;
  readonly destructor: bigint;
  readonly frags: readonly SkbFrag[];
  readonly fragList: readonly bigint[];
  /** True for both of a pair of which one is free. */
  readonly isHalf: boolean;
}

export interface Skbs {
  readonly skbs: readonly Skb[];
  /** Pairs of which one is free: address of the first, of the second. */
  readonly halves: readonly (readonly [bigint, bigint])[];
  /** Allocated for the slab, and free for the network: in the NAPI caches of the CPUs, or without users. */
  readonly unused: readonly { readonly address: bigint; readonly inNapiCache: boolean }[];
  /** Allocated, and their head is no address of memory. */
  readonly odd: readonly bigint[];
  /** Objects of other users of a merged cache. */
  readonly others: readonly bigint[];
  /** sk_buffs whose data is not in the image. */
  readonly unseen: number;
  /** True when it is known which objects CPUs keep for their next packets: what stands in those is left over. */
  readonly isCacheKnown: boolean;
  /** Caches that sk_buffs are allocated from, where it is known of all their slabs which objects are in use. */
  readonly caches: readonly SlabCache[];
}

const mostSkbs = 1 << 21;
/** MAX_SKB_FRAGS is at most 45 (CONFIG_MAX_SKB_FRAGS). */
const mostFrags = 45;
/** SKB_FCLONE_ORIG and SKB_FCLONE_CLONE, an anonymous enum of include/linux/skbuff.h, 2.6.14 to 7.2. */
const fcloneOrig = 1;
const fcloneClone = 2;

interface SkbLayouts {
  readonly skb: Struct;
  readonly shared: Struct;
  readonly frag: Struct;
  readonly pair: Struct | undefined;
  readonly fragPage: number;
  readonly fragLength: number;
  readonly fragOffset: number;
}

function skbLayouts(kernel: Kernel): SkbLayouts {
  const { types } = kernel;
  const shared = types.struct("skb_shared_info");
  // skb_frag_t was a bio_vec from 5.4 to 6.8.
  const frag = types.struct(shared.field("frags").struct === "bio_vec" ? "bio_vec" : "skb_frag", "bio_vec");
  return {
    skb: types.struct("sk_buff"),
    shared,
    frag,
    pair: types.find("sk_buff_fclones"),
    fragPage: frag.off("netmem", "bv_page", "page.p"),
    fragLength: frag.off("len", "bv_len", "size"),
    fragOffset: frag.off("offset", "bv_offset", "page_offset"),
  };
}

/** Finds all of them. Throws LayoutUnknown. */
export function readSkbs(kernel: Kernel, map: MemMap, caches: readonly SlabCache[], reader: SlabReader): Skbs {
  const { plain, fclone } = skbCaches(kernel);
  const of = (address: bigint | undefined): SlabCache | undefined => caches.find((c) => c.address === address);
  const plainCache = of(plain);
  const pairCache = of(fclone);
  const unseen = reader.unseen;
  const collector = new SkbCollector(
    kernel,
    map,
    [plainCache, pairCache].flatMap((c) => c ?? []),
  );
  if (plainCache !== undefined)
    for (const object of allocatedObjects(kernel, plainCache, reader)) collector.plain(object);
  if (pairCache !== undefined) for (const object of allocatedObjects(kernel, pairCache, reader)) collector.pair(object);
  return reader.unseen === unseen ? collector : { ...collector, caches: [] };
}

class SkbCollector implements Skbs {
  readonly skbs: Skb[] = [];
  readonly halves: (readonly [bigint, bigint])[] = [];
  readonly unused: { address: bigint; inNapiCache: boolean }[] = [];
  readonly odd: bigint[] = [];
  readonly others: bigint[] = [];
  unseen = 0;
  private readonly kernel: Kernel;
  private readonly map: MemMap;
  private readonly layouts: SkbLayouts;
  private readonly napiCache: ReadonlySet<bigint>;
  readonly isCacheKnown: boolean;

  readonly caches: readonly SlabCache[];

  constructor(kernel: Kernel, map: MemMap, caches: readonly SlabCache[]) {
    this.kernel = kernel;
    this.map = map;
    this.caches = caches;
    this.layouts = skbLayouts(kernel);
    const cached = napiCached(kernel);
    this.napiCache = cached ?? new Set();
    this.isCacheKnown = cached !== undefined;
  }

  private view(address: bigint): StructView | undefined {
    return ifThere(() => new StructView(this.kernel.space, this.layouts.skb, address));
  }

  plain(address: bigint): void {
    if (this.skbs.length >= mostSkbs) return;
    const v = this.view(address);
    if (v === undefined) this.unseen++;
    else if (this.napiCache.has(address)) this.unused.push({ address, inNapiCache: true });
    else if (!this.isMemory(v.word("head"))) this.odd.push(address);
    else if (v.number("users") === 0) this.unused.push({ address, inNapiCache: false });
    else this.add(v, false);
  }

  pair(address: bigint): void {
    if (this.skbs.length >= mostSkbs) return;
    const v = this.view(address);
    const { pair } = this.layouts;
    if (v === undefined || pair === undefined) {
      this.unseen++;
      return;
    }
    if (!this.looksLikeFirst(v)) {
      this.others.push(address);
      return;
    }
    const second = ifThere(() => new StructView(this.kernel.space, this.layouts.skb, address + pair.at("skb2")));
    const refs = ifThere(() => this.kernel.space.u32(address + pair.at("fclone_ref")));
    const isClone = second !== undefined && second.number("fclone") === fcloneClone;
    if (isClone && refs === 1 && second.word("head") === v.word("head")) {
      this.halves.push([address, second.address]);
      this.add(v, true);
      this.add(second, true);
      return;
    }
    if (v.number("users") > 0) this.add(v, false);
    else this.unused.push({ address, inNapiCache: false });
    if (isClone && refs !== undefined && refs > 1 && second.number("users") > 0) this.add(second, false);
  }

  /** The cache of pairs may be merged with those of other users of the same size: what cannot be an sk_buff is left out. */
  private looksLikeFirst(v: StructView): boolean {
    const users = v.number("users");
    const head = v.word("head");
    const data = v.word("data");
    const end = v.number("end");
    const tail = v.number("tail");
    if (users < 1 || users >= 1000 || v.number("fclone") !== fcloneOrig) return false;
    if (end >= 1 << 18 || tail > end || v.number("truesize") < 256) return false;
    if (!this.isMemory(head) || !this.isMemory(head + BigInt(end))) return false;
    if (data < head || data > head + BigInt(end)) return false;
    const { shared } = this.layouts;
    const count = ifThere(() => this.kernel.space.u8(head + BigInt(end) + shared.at("nr_frags")));
    return count === undefined || count <= mostFrags;
  }

  /** True for a direct-map address of a frame that has a struct page. */
  private isMemory(address: bigint): boolean {
    const pfn = pfnOfAddress(this.kernel, address);
    return pfn !== undefined && pfn < this.map.endPfn && this.map.kind[pfn] !== pageKind.none;
  }

  private add(v: StructView, isHalf: boolean): void {
    const head = v.word("head");
    const end = v.number("end");
    const shared = this.sharedInfo(head + BigInt(end));
    if (shared === undefined) this.unseen++;
    this.skbs.push({
      address: v.address,
      len: v.number("len"),
      dataLen: v.number("data_len"),
      truesize: v.number("truesize"),
      head,
      data: v.word("data"),
      tail: v.number("tail"),
      end,
      cloned: v.number("cloned"),
      fclone: v.number("fclone"),
      headFrag: v.number("head_frag"),
      ppRecycle: v.numberOr0("pp_recycle"),
      users: v.number("users"),
      dataref: shared?.dataref ?? 0,
      fragCount: shared?.fragCount,
      sk: v.word("sk"),
      dev: v.word("dev"),
      destructor: v.word("destructor"),
      frags: shared?.frags ?? [],
      fragList: shared?.fragList ?? [],
      isHalf,
    });
  }

  private sharedInfo(
    address: bigint,
  ): { dataref: number; fragCount: number; frags: readonly SkbFrag[]; fragList: readonly bigint[] } | undefined {
    const { kernel, layouts } = this;
    try {
      const v = new StructView(kernel.space, layouts.shared, address);
      const count = Math.min(v.number("nr_frags"), mostFrags, layouts.shared.field("frags").elements);
      const at = layouts.shared.off("frags");
      const first = v.word("frag_list");
      const next = layouts.skb.at("next");
      return {
        dataref: v.signed("dataref"),
        fragCount: v.number("nr_frags"),
        frags: Array.from({ length: count }, (_, i) => this.frag(v.data, at + i * layouts.frag.sizeBytes)),
        fragList: this.isMemory(first) ? chainOrProblem(() => walkChain(kernel, first, next, 4096)).entries : [],
      };
    } catch (error) {
      if (error instanceof Absent) return undefined;
      throw error;
    }
  }

  private isNetIov(address: bigint): boolean {
    return (
      this.kernel.types.find("net_iov") !== undefined && ifThere(() => this.kernel.space.u64(address)) !== undefined
    );
  }

  private frag(data: DataView, at: number): SkbFrag {
    const { layouts } = this;
    const page = data.getBigUint64(at + layouts.fragPage, true);
    // The low bit marks memory that is not the host's (net_iov, 6.7 on).
    const isForeign = (page & 1n) === 1n && this.isNetIov(page - 1n);
    const pfn = isForeign ? undefined : pfnOfPage(this.kernel, page);
    return {
      pfn,
      astray: isForeign || (pfn !== undefined && pfn < this.map.endPfn) ? undefined : page,
      offset: data.getUint32(at + layouts.fragOffset, true),
      size: data.getUint32(at + layouts.fragLength, true),
    };
  }
}

/**
 * sk_buffs that CPUs keep for their next packets (struct napi_alloc_cache, net/core/skbuff.c since 5.13); undefined where not all of it is in the
 * image.
 */
function napiCached(kernel: Kernel): ReadonlySet<bigint> | undefined {
  const base = kernel.symbols.address("napi_alloc_cache");
  const struct = kernel.types.find("napi_alloc_cache");
  const out = new Set<bigint>();
  const list = struct?.find("skb_cache");
  const count = struct?.find("skb_count");
  if (base === undefined || list === undefined || count === undefined) return out;
  for (const cpu of kernel.possibleCpus) {
    const at = perCpu(kernel, base, cpu);
    const held = ifThere(() => kernel.space.u32(at + count.at));
    if (held === undefined) return undefined;
    const n = Math.min(held, list.elements, 4096);
    for (let i = 0; i < n; i++) {
      const skb = ifThere(() => kernel.space.u64(at + list.at + BigInt(i * 8)));
      if (skb === undefined) return undefined;
      out.add(skb);
    }
  }
  return out;
}

/** A function by its name, as %ps prints it; anything else as a number. */
export function functionName(kernel: Kernel, address: bigint): string {
  const name = kernel.symbols.nameOf(address);
  return name === undefined ? `0x${address.toString(16)}` : name.replace(/\+0x[0-9a-f]+$/, "");
}
