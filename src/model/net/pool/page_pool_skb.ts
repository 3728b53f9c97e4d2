// The return hook: which page of an sk_buff goes back to its pool, which to the page allocator, and when (net/core/skbuff.c, 6.1.192).
// An skb here is only what decides that: head, fragments, shared data, marks. Payload, headers, checksums and truesize
// bookkeeping belong to the sk_buff model proper. The rules of today can be exchanged for those the authors of the hook tried.
//
//   skb ──┐ ppRecycle, memInfo, headFrag, cloned: one set per skb
//   clone ┴─▶ data: dataref, head (a pool's page, or kmalloc), frags [pfn, offset, size, how it was referenced], frag_list
//
// Every fragment remembers whether it holds a pool's reference or a page reference: the kernel does not, and that is
// how a reference of one kind can be dropped as the other. `misuses` lists where that happened.
import { assert } from "../../../base/assert.ts";
import type { PageAllocator } from "../../mm/pages.ts";
import type { Heap } from "../../slab/heap.ts";
import type { PagePools } from "./page_pool.ts";

/** How an skb says that its memory is a pool's. */
export type RecycleMark =
  /** pp_recycle bit, page->pp decides the pool (5.14 and newer). */
  | "pp_recycle"
  /** xdp_mem_info between headers_start and headers_end: copied with the headers (branches mvneta_03 and mvneta_04 of 2018). */
  | "mem_info_in_header"
  /** xdp_mem_info after head_frag and pfmemalloc: only a clone takes it along (the squashed fix of 2018). */
  | "mem_info_after_head_frag";

/** What skb_try_coalesce() does with a head that is a pool's page. */
export type CoalesceRule =
  /** As 6.1: both skbs must carry the same mark, a marked `from` must not be cloned; the page stays the pool's. */
  | "same_mark"
  /** Knows nothing of pools: the head becomes a fragment and later goes to the page allocator. */
  | "unaware"
  /** Unmaps the page first: it leaves the pool. */
  | "release"
  /** Hangs the whole skb on frag_list. */
  | "frag_list"
  /** Refuses. */
  | "refuse";

/** skb_shift() of half a fragment: takes a page reference (before 6.10) or the kind that will be dropped (6.10). */
export type ShiftRule = "page_reference" | "mirrored";

export interface RecyclePolicy {
  readonly mark: RecycleMark;
  readonly coalesce: CoalesceRule;
  readonly shift: ShiftRule;
}

/** 6.1.192 as it stands. */
export const policy61: RecyclePolicy = { mark: "pp_recycle", coalesce: "same_mark", shift: "page_reference" };

export const MAX_SKB_FRAGS = 17;
/** SKB_DATA_ALIGN(sizeof(struct skb_shared_info)) on x86_64. */
export const SHARED_INFO_BYTES = 320;
/** SKB_DATA_ALIGN(sizeof(struct sk_buff)) on x86_64. */
export const SKB_STRUCT_BYTES = 256;

export interface Frag {
  readonly pfn: number;
  offset: number;
  size: number;
  /** What this fragment really holds; the kernel has no such field. */
  reference: "pool" | "page";
}

/** What clones share: head and skb_shared_info. `head` is an address; `end` the bytes before the shared info. */
export interface SkbData {
  head: number;
  end: number;
  dataref: number;
  readonly frags: Frag[];
  readonly fragList: PoolSkb[];
}

export interface PoolSkb {
  readonly id: number;
  data: SkbData;
  headroom: number;
  /** Bytes in the linear part. */
  headLen: number;
  headFrag: boolean;
  cloned: boolean;
  ppRecycle: boolean;
  /** xdp_mem_info: the pool, or -1. */
  memInfo: number;
  freed: boolean;
}

/** A rule of reference counting that a step broke, in words; `step` is the kernel function. */
export interface Misuse {
  readonly step: string;
  readonly pfn: number;
  readonly text: string;
}

export interface PoolSkbOptions {
  readonly pools: PagePools;
  readonly pages: PageAllocator;
  readonly heap: Heap;
  readonly policy: RecyclePolicy;
  /** Mask for the heads that copies need. */
  readonly gfp?: number;
}

export interface PoolSkbs {
  /** build_skb() over a page of 2^order pages: the head is the page. */
  buildSkb: (pfn: number, order: number, headroom?: number, headLen?: number) => PoolSkb;
  /** build_skb() over a fragment of `size` bytes at `offset`. */
  buildSkbAround: (pfn: number, offset: number, size: number, headroom: number, headLen: number) => PoolSkb;
  /** alloc_skb(size); undefined when there is no memory. */
  allocSkb: (size: number) => PoolSkb | undefined;
  /** skb_add_rx_frag(): the skb takes over the caller's reference, of the kind the caller held. */
  addRxFrag: (skb: PoolSkb, pfn: number, offset: number, size: number) => void;
  /** skb_mark_for_recycle(), or setting mem_info in the older designs. */
  markForRecycle: (skb: PoolSkb, pool: number) => void;
  /** skb_clone(): both share the data; mark and head_frag go along. */
  clone: (skb: PoolSkb) => PoolSkb | undefined;
  /** skb_copy(): new memory for everything; a fragment's bytes end in the linear part. */
  copy: (skb: PoolSkb) => PoolSkb | undefined;
  /** pskb_copy(): a private head, shared fragments with a page reference each. */
  pskbCopy: (skb: PoolSkb) => PoolSkb | undefined;
  /** pskb_expand_head(): a new kmalloc'ed head; false is -ENOMEM, and then nothing changed. */
  expandHead: (skb: PoolSkb, headroomMore: number, tailroomMore: number) => boolean;
  /** skb_try_coalesce(): true when the bytes of `from` are in `to`; `stolen` says how `from` has to be freed. */
  tryCoalesce: (
    to: PoolSkb,
    from: PoolSkb,
  ) => {
    readonly merged: boolean;
    readonly stolen: boolean;
  };
  /** tcp_try_coalesce() with what its callers do next: the merged skb is freed as far as it was not taken over. */
  coalesceQueued: (to: PoolSkb, from: PoolSkb) => boolean;
  /** skb_gro_receive() behind a header of `offset` bytes: fragments, stolen head, or frag_list; false is -ETOOMANYREFS. */
  groReceive: (p: PoolSkb, skb: PoolSkb, offset: number) => boolean;
  /** skb_shift() of `bytes` from the first fragment of `skb` to `target`; bytes moved, 0 when it cannot be done. */
  shift: (target: PoolSkb, skb: PoolSkb, bytes: number) => number;
  /** skb_segment(): new skbs of at most `mss` payload bytes each; page references to the fragments, no mark. Undefined: no memory, all undone. */
  segment: (skb: PoolSkb, mss: number) => PoolSkb[] | undefined;
  /** skb_splice_bits(): page references for the pipe, one each. */
  splice: (skb: PoolSkb) => number[];
  /** tcp_zerocopy_receive(): maps whole pages into user space; the others stay to be copied. */
  mapToUser: (skb: PoolSkb) => number[];
  /** kfree_skb(), consume_skb(), napi_consume_skb(): all the same for the pages, never direct into the cache (6.1). */
  free: (skb: PoolSkb, step?: string) => void;
  /** kfree_skb_partial(skb, true): the head was stolen, only the struct goes. */
  freeStolen: (skb: PoolSkb) => void;
  lengthOf: (skb: PoolSkb) => number;
  dataLen: (skb: PoolSkb) => number;
  /** skb_tailroom(): none in a non-linear skb. */
  tailroom: (skb: PoolSkb) => number;
  /** skb_cloned() */
  isCloned: (skb: PoolSkb) => boolean;
  headPfn: (skb: PoolSkb) => number;
  /** skb->truesize as the receive path charges it: struct, head, whole pages of the fragments. */
  truesize: (skb: PoolSkb) => number;
  readonly live: Set<PoolSkb>;
  readonly misuses: readonly Misuse[];
  readonly policy: RecyclePolicy;
}

const alignData = (size: number): number => (size + 63) & ~63;

/** The sk_buff side of recycling. -1 or undefined results are allocation failures; nothing is lost then. */
export function createPoolSkbs(options: PoolSkbOptions): PoolSkbs {
  const { pools, pages, heap, policy } = options;
  const gfp = options.gfp ?? 0xa20;
  const pageSize = heap.pageSize;
  const byInfo = policy.mark !== "pp_recycle";
  const live = new Set<PoolSkb>();
  const misuses: Misuse[] = [];
  let nextId = 1;

  const pfnOf = (address: number): number => Math.floor(address / pageSize);
  const linear = (skb: PoolSkb): boolean => skb.data.frags.length === 0 && skb.data.fragList.length === 0;
  const dataLen = (skb: PoolSkb): number =>
    skb.data.frags.reduce((n, f) => n + f.size, 0) + skb.data.fragList.reduce((n, s) => n + lengthOf(s), 0);
  const lengthOf = (skb: PoolSkb): number => skb.headLen + dataLen(skb);
  const tailroom = (skb: PoolSkb): number => (linear(skb) ? skb.data.end - skb.headroom - skb.headLen : 0);
  const isCloned = (skb: PoolSkb): boolean => skb.cloned && skb.data.dataref !== 1;
  const marked = (skb: PoolSkb): boolean => (byInfo ? skb.memInfo >= 0 : skb.ppRecycle);

  const fresh = (data: SkbData): PoolSkb => {
    const skb: PoolSkb = {
      id: nextId++,
      data,
      headroom: 0,
      headLen: 0,
      headFrag: false,
      cloned: false,
      ppRecycle: false,
      memInfo: -1,
      freed: false,
    };
    live.add(skb);
    return skb;
  };

  /** A kmalloc'ed head of at least `size` bytes before the shared info; undefined when there is no memory. */
  const allocHead = (size: number): SkbData | undefined => {
    const bytes = heap.kmallocSizeRoundup(alignData(size) + SHARED_INFO_BYTES);
    const head = heap.kmalloc(bytes, gfp);
    return head < 0 ? undefined : { head, end: bytes - SHARED_INFO_BYTES, dataref: 1, frags: [], fragList: [] };
  };

  /** What __copy_skb_header() takes along: everything in the header region, so also a mem_info that was placed there. */
  const copyHeader = (to: PoolSkb, from: PoolSkb): void => {
    if (policy.mark === "mem_info_in_header") to.memInfo = from.memInfo;
  };

  /** Takes a page reference for a second holder of the fragment. */
  const sharedFrag = (frag: Frag): Frag => {
    pages.getPage(frag.pfn);
    return { ...frag, reference: "page" };
  };

  /** __skb_frag_unref(frag, recycle) */
  const fragUnref = (frag: Frag, recycle: boolean, step: string): void => {
    const pfn = pages.compoundHead(frag.pfn);
    const toPool = recycle && !byInfo && pools.poolOf(pfn) >= 0;
    if (toPool && frag.reference === "page")
      misuses.push({
        step,
        pfn,
        text: "a page reference (get_page) is dropped as a pool's reference: the pool takes the page back while another holder still uses it",
      });
    if (toPool) pools.returnSkbPage(frag.pfn);
    else pages.putPage(frag.pfn);
  };

  /** skb_free_head(): the hook itself. */
  const freeHead = (skb: PoolSkb): void => {
    const { head } = skb.data;
    if (byInfo) {
      if (skb.memInfo < 0) return void (skb.headFrag ? pages.putPage(pfnOf(head)) : heap.kfree(head));
      const pfn = pages.compoundHead(pfnOf(head));
      if (pools.poolOf(pfn) !== skb.memInfo)
        misuses.push({
          step: "skb_free_head",
          pfn,
          text: skb.headFrag
            ? "a page that is not this pool's goes into its ring"
            : "the slab page under a kmalloc'ed head goes into the pool's ring: the mark was copied, the memory was not the pool's",
        });
      pools.putFullPage(skb.memInfo, pfn, false);
      return;
    }
    if (!skb.headFrag) return void heap.kfree(head);
    if (skb.ppRecycle && pools.returnSkbPage(pfnOf(head))) return;
    pages.putPage(pfnOf(head));
  };

  /** skb_release_data(): the last holder of the data frees it. */
  const releaseData = (skb: PoolSkb, step: string): void => {
    const { data } = skb;
    if (skb.cloned) {
      data.dataref--;
      if (data.dataref > 0) {
        skb.ppRecycle = false;
        return;
      }
    }
    for (const frag of data.frags) fragUnref(frag, skb.ppRecycle, step);
    data.frags.length = 0;
    for (const part of data.fragList) free(part, step);
    data.fragList.length = 0;
    freeHead(skb);
    skb.ppRecycle = false;
  };

  const forget = (skb: PoolSkb): void => {
    assert(!skb.freed, () => `skb ${skb.id} freed twice`);
    skb.freed = true;
    live.delete(skb);
  };

  const free = (skb: PoolSkb, step = "kfree_skb"): void => {
    forget(skb);
    releaseData(skb, step);
  };

  const freeStolen = (skb: PoolSkb): void => forget(skb);

  const buildSkb = (pfn: number, order: number, headroom = 0, headLen = 0): PoolSkb => {
    const bytes = (pageSize << order) - SHARED_INFO_BYTES;
    const skb = fresh({ head: pfn * pageSize, end: bytes, dataref: 1, frags: [], fragList: [] });
    skb.headFrag = true;
    skb.headroom = headroom;
    skb.headLen = headLen;
    return skb;
  };

  const buildSkbAround = (pfn: number, offset: number, size: number, headroom: number, headLen: number): PoolSkb => {
    const skb = fresh({
      head: pfn * pageSize + offset,
      end: size - SHARED_INFO_BYTES,
      dataref: 1,
      frags: [],
      fragList: [],
    });
    skb.headFrag = true;
    skb.headroom = headroom;
    skb.headLen = headLen;
    return skb;
  };

  const allocSkb = (size: number): PoolSkb | undefined => {
    const data = allocHead(size);
    return data === undefined ? undefined : fresh(data);
  };

  const addRxFrag = (skb: PoolSkb, pfn: number, offset: number, size: number): void => {
    const pool = pools.poolOf(pages.compoundHead(pfn)) >= 0;
    skb.data.frags.push({ pfn, offset, size, reference: pool ? "pool" : "page" });
  };

  const markForRecycle = (skb: PoolSkb, pool: number): void => {
    if (byInfo) skb.memInfo = pool;
    else skb.ppRecycle = true;
  };

  const clone = (skb: PoolSkb): PoolSkb | undefined => {
    const copy = fresh(skb.data);
    copy.headroom = skb.headroom;
    copy.headLen = skb.headLen;
    copy.headFrag = skb.headFrag;
    copy.ppRecycle = skb.ppRecycle;
    copy.memInfo = skb.memInfo;
    copy.cloned = true;
    skb.cloned = true;
    skb.data.dataref++;
    return copy;
  };

  const copy = (skb: PoolSkb): PoolSkb | undefined => {
    const data = allocHead(skb.data.end + dataLen(skb));
    if (data === undefined) return undefined;
    const copied = fresh(data);
    copied.headroom = skb.headroom;
    copied.headLen = lengthOf(skb);
    copyHeader(copied, skb);
    return copied;
  };

  const pskbCopy = (skb: PoolSkb): PoolSkb | undefined => {
    const data = allocHead(skb.headroom + skb.headLen);
    if (data === undefined) return undefined;
    const copied = fresh(data);
    copied.headroom = skb.headroom;
    copied.headLen = skb.headLen;
    data.frags.push(...skb.data.frags.map(sharedFrag));
    copyHeader(copied, skb);
    return copied;
  };

  const expandHead = (skb: PoolSkb, headroomMore: number, tailroomMore: number): boolean => {
    const data = allocHead(headroomMore + skb.data.end + tailroomMore);
    if (data === undefined) return false;
    if (isCloned(skb)) {
      data.frags.push(...skb.data.frags.map(sharedFrag));
      releaseData(skb, "pskb_expand_head");
    } else {
      data.frags.push(...skb.data.frags.splice(0));
      data.fragList.push(...skb.data.fragList.splice(0));
      freeHead(skb);
    }
    skb.data = data;
    skb.headroom += headroomMore;
    skb.headFrag = false;
    skb.cloned = false;
    // A mem_info would now name a kmalloc'ed head; the older designs have to clear it here.
    skb.memInfo = -1;
    return true;
  };

  /** skb_head_is_locked() */
  const headIsLocked = (skb: PoolSkb): boolean => !skb.headFrag || isCloned(skb);

  const stealHead = (to: PoolSkb, from: PoolSkb): void => {
    const pfn = pages.compoundHead(pfnOf(from.data.head));
    const offset = from.data.head - pfn * pageSize + from.headroom;
    const pool = pools.poolOf(pfn);
    if (byInfo && pool >= 0 && policy.coalesce === "release") pools.releasePage(pool, pfn);
    to.data.frags.push({ pfn, offset, size: from.headLen, reference: pools.poolOf(pfn) >= 0 ? "pool" : "page" });
  };

  /** Moves, or shares when `from` is cloned, the fragments of `from`. */
  const takeFrags = (to: PoolSkb, from: PoolSkb): void => {
    if (isCloned(from)) to.data.frags.push(...from.data.frags.map(sharedFrag));
    else to.data.frags.push(...from.data.frags.splice(0));
  };

  const tryCoalesce = (to: PoolSkb, from: PoolSkb): { readonly merged: boolean; readonly stolen: boolean } => {
    const no = { merged: false, stolen: false };
    const length = lengthOf(from);
    if (isCloned(to)) return no;
    if (
      !byInfo &&
      policy.coalesce === "same_mark" &&
      (to.ppRecycle !== from.ppRecycle || (from.ppRecycle && isCloned(from)))
    )
      return no;
    if (policy.coalesce === "refuse" && (marked(to) || marked(from))) return no;
    if (length <= tailroom(to)) {
      to.headLen += length;
      return { merged: true, stolen: false };
    }
    if (policy.coalesce === "frag_list" && marked(from) && !isCloned(from)) {
      to.data.fragList.push(from);
      return { merged: true, stolen: true };
    }
    if (to.data.fragList.length > 0 || from.data.fragList.length > 0) return no;
    if (from.headLen > 0) {
      if (to.data.frags.length + from.data.frags.length >= MAX_SKB_FRAGS || headIsLocked(from)) return no;
      stealHead(to, from);
      takeFrags(to, from);
      return { merged: true, stolen: true };
    }
    if (to.data.frags.length + from.data.frags.length > MAX_SKB_FRAGS) return no;
    takeFrags(to, from);
    return { merged: true, stolen: false };
  };

  const coalesceQueued = (to: PoolSkb, from: PoolSkb): boolean => {
    const { merged, stolen } = tryCoalesce(to, from);
    if (!merged) return false;
    if (!stolen) free(from, "kfree_skb_partial");
    else if (!to.data.fragList.includes(from)) freeStolen(from);
    return true;
  };

  const groReceive = (p: PoolSkb, skb: PoolSkb, offset: number): boolean => {
    if (!byInfo && p.ppRecycle !== skb.ppRecycle) return false;
    if (byInfo && policy.coalesce === "refuse" && (marked(p) || marked(skb))) return false;
    const hang = byInfo && policy.coalesce === "frag_list" && marked(skb);
    const last = p.data.fragList.at(-1) ?? p;
    if (!hang && last === p && skb.headLen <= offset && p.data.frags.length + skb.data.frags.length <= MAX_SKB_FRAGS) {
      const [first] = skb.data.frags;
      if (first !== undefined) {
        first.offset += offset - skb.headLen;
        first.size -= offset - skb.headLen;
      }
      takeFrags(p, skb);
      free(skb, "napi_gro_complete");
      return true;
    }
    if (!hang && last === p && skb.headFrag && p.data.frags.length + 1 + skb.data.frags.length <= MAX_SKB_FRAGS) {
      skb.headroom += offset;
      skb.headLen -= offset;
      stealHead(p, skb);
      takeFrags(p, skb);
      freeStolen(skb);
      return true;
    }
    skb.headroom += Math.min(offset, skb.headLen);
    skb.headLen -= Math.min(offset, skb.headLen);
    p.data.fragList.push(skb);
    return true;
  };

  const shift = (target: PoolSkb, skb: PoolSkb, bytes: number): number => {
    const [first] = skb.data.frags;
    if (skb.headLen > 0 || first === undefined || target.data.frags.length >= MAX_SKB_FRAGS) return 0;
    for (const s of [skb, target]) if (isCloned(s) && !expandHead(s, 0, 0)) return 0;
    const frag = skb.data.frags[0] as Frag;
    const last = target.data.frags.at(-1);
    const adjoins = last !== undefined && last.pfn === frag.pfn && last.offset + last.size === frag.offset;
    const moved = Math.min(bytes, frag.size);
    if (adjoins) {
      last.size += moved;
    } else if (moved === frag.size) {
      target.data.frags.push({ ...frag });
    } else {
      target.data.frags.push({ ...referenceForShift(frag, skb.ppRecycle), size: moved });
    }
    if (moved < frag.size) {
      frag.offset += moved;
      frag.size -= moved;
    } else {
      skb.data.frags.shift();
      if (adjoins) fragUnref(frag, skb.ppRecycle, "skb_shift");
    }
    return moved;
  };

  const referenceForShift = (frag: Frag, recycle: boolean): Frag => {
    const pfn = pages.compoundHead(frag.pfn);
    if (policy.shift === "mirrored" && recycle && frag.reference === "pool" && pools.fragmentUsers(pfn) > 0) {
      pools.addFragmentUser(pfn);
      return { ...frag, reference: "pool" };
    }
    return sharedFrag(frag);
  };

  const segment = (skb: PoolSkb, mss: number): PoolSkb[] | undefined => {
    const out: PoolSkb[] = [];
    let at = 0;
    let inside = 0;
    while (at < skb.data.frags.length) {
      const data = allocHead(skb.headroom + skb.headLen);
      if (data === undefined) {
        for (const s of out) free(s, "skb_segment");
        return undefined;
      }
      const piece = fresh(data);
      piece.headroom = skb.headroom;
      piece.headLen = skb.headLen;
      copyHeader(piece, skb);
      let room = mss;
      while (room > 0 && at < skb.data.frags.length) {
        const frag = skb.data.frags[at] as Frag;
        const size = Math.min(room, frag.size - inside);
        piece.data.frags.push({ ...sharedFrag(frag), offset: frag.offset + inside, size });
        room -= size;
        inside += size;
        if (inside === frag.size) {
          at++;
          inside = 0;
        }
      }
      out.push(piece);
    }
    return out;
  };

  /** Pages of a page-backed skb, as splice, tee and tcp_zerocopy_receive see them: each with one page reference for the new holder. */
  const grabPages = (skb: PoolSkb, wholePagesOnly: boolean): number[] => {
    const grabbed: number[] = [];
    const grab = (pfn: number): void => {
      pages.getPage(pfn);
      grabbed.push(pfn);
    };
    if (!wholePagesOnly && skb.headFrag && skb.headLen > 0) grab(pfnOf(skb.data.head));
    for (const frag of skb.data.frags)
      if (!wholePagesOnly || (frag.offset % pageSize === 0 && frag.size === pageSize)) grab(frag.pfn);
    return grabbed;
  };

  return {
    buildSkb,
    buildSkbAround,
    allocSkb,
    addRxFrag,
    markForRecycle,
    clone,
    copy,
    pskbCopy,
    expandHead,
    tryCoalesce,
    coalesceQueued,
    groReceive,
    shift,
    segment,
    splice: (skb: PoolSkb): number[] => grabPages(skb, false),
    mapToUser: (skb: PoolSkb): number[] => grabPages(skb, true),
    free,
    freeStolen,
    lengthOf,
    dataLen,
    tailroom,
    isCloned,
    headPfn: (skb: PoolSkb): number => pages.compoundHead(pfnOf(skb.data.head)),
    truesize: (skb: PoolSkb): number =>
      SKB_STRUCT_BYTES +
      skb.data.end +
      SHARED_INFO_BYTES +
      skb.data.frags.reduce((n, f) => n + (pageSize << pages.compoundOrder(f.pfn)), 0),
    live,
    misuses: misuses as readonly Misuse[],
    policy,
  };
}
