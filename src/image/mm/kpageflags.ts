// /proc/kpageflags out of an image: the stable bits that fs/proc/page.c (stable_page_flags) makes of a struct page. Compared with the
// kernel's own answer for every page of the test images; read in 6.1, 6.12 and 7.2.

import { kpf, kpfHigh } from "../../kernel/facts/kpageflags.ts";
import { isHead, isTail, type MemMap, mappingAnon, mappingMovable } from "./mem_map.ts";
import { isType, pageKind } from "./page_kinds.ts";

/** Bit number of one of the upper word's flags. */
const high = (name: keyof typeof kpfHigh): number => 32 + kpfHigh[name];

/** Flags that are copied as they are: the name in enum pageflags, and the KPF bit. */
const copied: readonly (readonly [string, number])[] = [
  ["locked", kpf.LOCKED],
  ["error", kpf.ERROR],
  ["referenced", kpf.REFERENCED],
  ["uptodate", kpf.UPTODATE],
  ["dirty", kpf.DIRTY],
  ["lru", kpf.LRU],
  ["active", kpf.ACTIVE],
  ["slab", kpf.SLAB],
  ["writeback", kpf.WRITEBACK],
  ["reclaim", kpf.RECLAIM],
  ["swapbacked", kpf.SWAPBACKED],
  ["unevictable", kpf.UNEVICTABLE],
  ["hwpoison", kpf.HWPOISON],
  ["mlocked", high("MLOCKED")],
  ["reserved", high("RESERVED")],
  ["owner_2", high("OWNER_2")],
  ["mappedtodisk", high("OWNER_2")],
  ["private", high("PRIVATE")],
  ["private_2", high("PRIVATE_2")],
  ["owner_priv_1", high("OWNER_PRIVATE")],
  ["arch_1", high("ARCH")],
  ["uncached", high("UNCACHED")],
  ["arch_2", high("ARCH_2")],
];

export interface KpageFacts {
  /** Frame of the page of zeros (empty_zero_page). */
  readonly zeroPfn: number | undefined;
  /** struct page says `memdesc_flags_t` (7.0 on): by then KSM pages are told exactly. */
  readonly isKsmExact: boolean;
}

/** PAGE_MAPPING_KSM: both bits. */
const mappingKsm = mappingAnon | mappingMovable;

/** The flags of one frame, as /proc/kpageflags shows them. */
export function kpageflagsReader(map: MemMap, facts: KpageFacts): (pfn: number) => bigint {
  const { types, flag } = map.marks;
  const bits = copied.flatMap(([name, to]) => {
    const from = flag.get(name);
    return from === undefined ? [] : [{ from: BigInt(from), to: BigInt(to) }];
  });
  const swapcache = flag.get("swapcache");
  /** Where the mapping word's flags are named in an enum (6.18 on) the test for KSM is exact. */
  const isKsmExact = facts.isKsmExact;
  const cache = new Map<number, bigint>();
  const plain = (flags: number): bigint => {
    const known = cache.get(flags);
    if (known !== undefined) return known;
    let out = 0n;
    for (const { from, to } of bits) out |= ((BigInt(flags) >> from) & 1n) << to;
    if (cache.size < 65536) cache.set(flags, out);
    return out;
  };
  const mask = (name: string): number => {
    const bit = flag.get(name);
    return bit === undefined || bit > 31 ? 0 : 1 << bit;
  };
  const lru = mask("lru");
  const hwpoison = mask("hwpoison");
  const idle = mask("idle");
  const rmappable = mask("large_rmappable");
  const bothSwap = swapcache === undefined ? 0 : (1 << swapcache) | mask("swapbacked");
  // Since 6.10 the flags are the folio's (fs/proc/page.c); that page types have their own byte came one release later.
  const ofFolio = types.isTopByte;
  return (pfn) => {
    const tail = ((map.shape[pfn] as number) & isTail) !== 0;
    const isFirst = ((map.shape[pfn] as number) & isHead) !== 0;
    const linked = (map.link[pfn] as number) - 1;
    const head = tail && linked >= 0 && linked < map.endPfn ? linked : pfn;
    const own = map.flags[pfn] as number;
    const headFlags = map.flags[head] as number;
    const flags = ofFolio ? ((headFlags & ~hwpoison) | (own & hwpoison)) >>> 0 : own;
    const isSlab = map.kind[head] === pageKind.slab;
    const word = map.mapcount[pfn] as number;
    let out = plain(flags);
    const set = (bit: number): void => {
      out |= 1n << BigInt(bit);
    };
    const mapping = map.shape[head] as number;
    const isAnon = (mapping & mappingAnon) !== 0;
    if (!isSlab && word >= 0) set(kpf.MMAP);
    if (isAnon) set(kpf.ANON);
    // 6.10 to 6.15 ask for any bit of the mask, and so every anonymous page is a KSM page there: the image answers as its kernel does.
    if (ofFolio && !isKsmExact ? isAnon : (mapping & mappingKsm) === mappingKsm) set(kpf.KSM);
    if (isFirst) set(kpf.COMPOUND_HEAD);
    if (tail) set(kpf.COMPOUND_TAIL);
    const isCompound = tail || isFirst;
    const isThp =
      ofFolio && rmappable !== 0 ? ((map.flags[head + 1] ?? 0) & rmappable) !== 0 : isAnon || (headFlags & lru) !== 0;
    if (isType(types, map.mapcount[head] as number, types.hugetlb)) set(kpf.HUGE);
    else if (isCompound && isThp) set(kpf.THP);
    else if (facts.zeroPfn === pfn) set(kpf.ZERO_PAGE);
    if (map.kind[pfn] === pageKind.buddy || map.kind[pfn] === pageKind.freeTail) set(kpf.BUDDY);
    if (isType(types, word, types.offline)) set(kpf.OFFLINE);
    if (isType(types, word, types.table)) set(kpf.PGTABLE);
    if ((headFlags & idle) !== 0) set(kpf.IDLE);
    if (isSlab) set(kpf.SLAB);
    if (bothSwap !== 0 && (headFlags & bothSwap) === bothSwap) set(kpf.SWAPCACHE);
    return out;
  };
}
