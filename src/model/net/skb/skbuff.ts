// sk_buff: allocation, sharing and release (net/core/skbuff.c and include/linux/skbuff.h, 6.1.192), on columns.
//
//      head      data            tail                 end
//       v         v               v                    v
//       |headroom |  linear data  |      tailroom      | skb_shared_info: dataref, frags[], frag_list |
//
// Ownership: alloc and clone give the caller one user; kfreeSkb and consumeSkb take it back. The last user lets go of the head; the
// last sk_buff on a head (dataref) lets go of fragments, frag_list and the head's memory.
// Not here: the linear part (skb_linear.ts), receive heads (skb_receive.ts), private heads and copies (skb_private.ts), fragments (skb_paged.ts), GSO (skb_segment.ts), who may do what (ownership.ts).
import { eventKind } from "../../../kernel/events.ts";
import type { Journal } from "../../journal.ts";
import type { PageAllocator } from "../../mm/pages.ts";
import type { Heap } from "../../slab/heap.ts";
import type { Socks } from "../tcp/sock.ts";
import { createSocks, socksMax } from "../tcp/sock.ts";
import { dropReason } from "./drop_reason.ts";
import type { FragDestructors } from "./frag_destructors.ts";
import { createFragDestructors } from "./frag_destructors.ts";
import type { SkbColumns } from "./skb_columns.ts";
import {
  createSkbColumns,
  fragField,
  fragInts,
  headField,
  sharedFlag,
  skbBit,
  skbField,
  skbInts,
} from "./skb_columns.ts";
import type { HeadStore, SkbConfig, SkbOptions, SkbSpares } from "./skb_config.ts";
import { skbConfig61 } from "./skb_config61.ts";
import { createSkbLinear, type SkbLinear } from "./skb_linear.ts";
import type { Memory } from "./skb_memory.ts";
import { createSkbOwner, type SkbOwner } from "./skb_owner.ts";
import type { Ubufs } from "./ubuf_info.ts";
import { createUbufs } from "./ubuf_info.ts";

const { DESTRUCTOR: FRAG_DESTRUCTOR } = fragField;
const FRAG_INTS = fragInts;

// Local copies: the optimizer folds constants of its own module, not those behind an import.
const { HEAD, DATA, TAIL, END, LEN, DATA_LEN, TRUESIZE, USERS, BITS, HDR_LEN, MAC, NET, TRANS, MAC_LEN, NEXT } =
  skbField;
const { SK, DESTRUCTOR, DEV, PARTNER, FCLONE_REF, STATE, PROTOCOL, QUEUE, CSUM_START, CB0, CB1, CB2, CB3, CB4 } =
  skbField;
const { MARK, HASH } = skbField;
const { DATAREF, NR_FRAGS, FLAGS, FRAG_LIST, UARG, PFN, BYTES, TENANT } = headField;
const { cloned: CLONED, nohdr: NOHDR, headFrag: HEAD_FRAG, ppRecycle: PP_RECYCLE, pfmemalloc: PFMEMALLOC } = skbBit;
const { fcloneShift: FCLONE_SHIFT, fcloneMask: FCLONE_MASK } = skbBit;
const { zerocopyEnable: ZEROCOPY_ENABLE, managedFragRefs: MANAGED, allZerocopy: ALL_ZEROCOPY } = sharedFlag;
const PAYLOAD_ONLY = (1 << 16) + 1;
const UNCOMMON = CLONED | HEAD_FRAG | PP_RECYCLE | FCLONE_MASK;

export { skbDestructor } from "./skb_owner.ts";

/** SKB_ALLOC_*: what alloc wants beside the size. A number, so that no call makes garbage. */
export const allocFlag = {
  /** SKB_ALLOC_FCLONE: with room for one clone in the same object. */
  fclone: 1,
  /** SKB_ALLOC_RX: may use the reserves when a socket serves swap. */
  rx: 2,
  /** SKB_ALLOC_NAPI: the sk_buff comes from this CPU's spares. */
  napi: 4,
} as const;
const { fclone: ALLOC_FCLONE, rx: ALLOC_RX, napi: ALLOC_NAPI } = allocFlag;

export interface Skbuff extends SkbOwner, SkbLinear {
  readonly config: SkbConfig;
  readonly columns: SkbColumns;
  readonly memory: Memory | undefined;
  readonly pages: PageAllocator;
  readonly heap: Heap;
  readonly journal: Journal | undefined;
  readonly socks: Socks;
  readonly fragDestructors: FragDestructors;
  readonly ubufs: Ubufs;
  readonly infoRoom: number;
  bug: (what: string, skb: number, n: number) => void;
  warn: (what: string, a: number, b: number) => void;
  /** A printed failure passes through the function of that text id on its way back; returns 0, as that function does. */
  refused: (site: number) => 0;
  newHead: (address: number, bytes: number) => number;
  readonly heads: HeadStore;
  readonly spares: SkbSpares;
  /** __alloc_skb(): an empty skb with room for at least `size` bytes, no headroom, one user; 0 when memory is short. */
  allocSkb: (size: number, mask: number, flags?: number) => number;
  buildSkb: (address: number, fragBytes: number, napi?: boolean) => number;
  /** __skb_frag_ref() of the fragment at F[f]. */
  fragRef: (f: number) => void;
  /** skb_pp_frag_ref() of the fragment at F[f] where the skb is marked and the page a pool's, else __skb_frag_ref(). */
  fragRefCounted: (f: number, recycle: boolean) => void;
  /** __skb_frag_unref(): to the destructor, to the page pool when `recycle`, else put_page(). */
  fragUnref: (f: number, recycle: boolean) => void;
  recycles: (skb: number) => boolean;
  /** skb_get() */
  skbGet: (skb: number) => number;
  /** __copy_skb_header(): what a copy of any kind inherits. */
  copySkbHeader: (to: number, from: number) => void;
  /** skb_clone() once orphan_frags has been seen to (skb_private.ts has the whole of it). */
  cloneShared: (skb: number, mask: number) => number;
  /** skb_zcopy(): the ubuf_info of the skb's data, or 0. */
  zcopy: (skb: number) => number;
  /** skb_zcopy_clear() */
  zcopyClear: (skb: number, untouched: boolean) => void;
  /** skb_free_head(): the memory of a head, of the sk_buff with these bits, and its row. */
  freeHead: (head: number, bits: number) => void;
  /** skb_release_data(): this sk_buff's hold on the head; the last one frees fragments, list and head. */
  releaseData: (skb: number) => void;
  /** kfree_skb_list() */
  kfreeSkbList: (first: number, reason: number) => void;
  /** kfree_skb_reason(): gives one user back and says that the packet was dropped. */
  kfreeSkb: (skb: number, reason?: number) => void;
  /** consume_skb(): gives one user back; the packet did its work. */
  consumeSkb: (skb: number) => void;
  /** napi_consume_skb(): consume_skb in a poll with `budget`: the sk_buff goes to this CPU's spares. */
  napiConsumeSkb: (skb: number, budget: number) => void;
  /** kfree_skb_partial(): what is left of the second skb of skb_try_coalesce(). */
  kfreeSkbPartial: (skb: number, headStolen: boolean) => void;
  /** page_pool_return_skb_page(): asked for pages of skbs with pp_recycle; true when the pool took the page. */
  setPoolReturn(returnPage: (pfn: number) => boolean): void;
  /** page_pool_ref_page(): asked for a second user of pages of skbs with pp_recycle; true when the pool counted it. */
  setPoolShare(sharePage: (pfn: number) => boolean): void;
}

/** The sk_buffs of one machine. Handles are numbers, 0 is NULL; functions that allocate return 0 when there is no memory. */
export function createSkbuff(options: SkbOptions): Skbuff {
  const config = options.config ?? skbConfig61;
  const { pages, heap, journal } = options;
  const memory: Memory | undefined = options.memory;
  const columns: SkbColumns = createSkbColumns(options.skbsMax ?? 65536, config.fragsMax, options.quarantineRows);
  const { S, H, F, skbAddress, headAddress, takeSkb, giveSkb, takeHead, giveHead, fragBase } = columns;
  const fragDestructors: FragDestructors = createFragDestructors();
  const ubufs: Ubufs = createUbufs();
  const socks: Socks = options.socks ?? createSocks(socksMax);
  const infoRoom = config.heads.sharedInfoRoom(config);
  const truesizeBase = config.heads.truesize(config, 0);
  /** The same rows, two ints at a time: for zeroing only. */
  const pairs = new Float64Array(S.buffer);
  const headPairs = new Float64Array(H.buffer);
  const { gfp, pageSize } = config;
  const skbCache = heap.cacheCreate("skbuff_head_cache", config.skBuffBytes, config.cacheLineBytes);
  const fcloneCache = heap.cacheCreate("skbuff_fclone_cache", config.fclonesBytes, config.cacheLineBytes);
  const memallocSocks = options.memallocSocks === true;
  const { recycling } = options;
  const notDma = ~gfp.dma;
  const kindConsume = eventKind.consume_skb;
  const kindKfree = eventKind.kfree_skb;
  let poolReturn: ((pfn: number) => boolean) | undefined;
  let poolShare: ((pfn: number) => boolean) | undefined;

  const heads = config.heads.create(heap, config);
  const { given } = heads;
  const spares = config.spares.create(heap, skbCache, config, journal);

  function bug(what: string, skb: number, n: number): void {
    if (journal?.heard) journal.emit(eventKind.oops, journal.textId(what), skb, n);
    options.onBug?.(what, skb);
  }

  function warn(what: string, a: number, b: number): void {
    if (journal?.heard) journal.emit(eventKind.warning, journal.textId(what), a, b);
  }

  const refusedIn = {
    alloc: journal?.textId("__alloc_skb") ?? 0,
    build: journal?.textId("build_skb") ?? 0,
    napiBuild: journal?.textId(config.spares.builtBy) ?? 0,
    clone: journal?.textId("skb_clone") ?? 0,
  };
  function refused(site: number): 0 {
    journal?.refused(site);
    return 0;
  }

  const owner = createSkbOwner(columns, socks);
  const { releaseHeadState } = owner;
  const linear = createSkbLinear(columns, bug, warn);

  // --- allocation ------------------------------------------------------------------------------------------------------------

  function newHead(address: number, bytes: number): number {
    const head = takeHead();
    headAddress[head >> 4] = address;
    // NR_FRAGS .. BYTES; the tenant number stays.
    const at = head >> 1;
    headPairs[at + 1] = 0;
    headPairs[at + 2] = 0;
    headPairs[at + 3] = 0;
    headPairs[at + 4] = 0;
    H[head + DATAREF] = 1;
    H[head + NR_FRAGS] = 0;
    H[head + BYTES] = bytes;
    H[head + TENANT]!++;
    return head;
  }

  /** __build_skb_around(): `bytes` is the whole object, shared info included. */
  function buildAround(skb: number, address: number, bytes: number): void {
    const end = bytes - infoRoom;
    // The whole row but for FCLONE_REF and STATE, two fields at a time; pair 3 (truesize, users) is set below. Written out: the
    // optimizer inlines a limited amount of code, and this is the hottest.
    const at = skb >> 1;
    pairs[at] = 0;
    pairs[at + 1] = 0;
    pairs[at + 2] = 0;
    pairs[at + 4] = 0;
    pairs[at + 5] = 0;
    pairs[at + 6] = 0;
    pairs[at + 7] = 0;
    pairs[at + 8] = 0;
    pairs[at + 9] = 0;
    pairs[at + 11] = 0;
    pairs[at + 12] = 0;
    pairs[at + 13] = 0;
    pairs[at + 14] = 0;
    pairs[at + 15] = 0;
    S[skb + HEAD] = newHead(address, bytes);
    S[skb + END] = end;
    S[skb + TRUESIZE] = end + truesizeBase;
    S[skb + USERS] = 1;
    S[skb + MAC] = 0xffff;
    S[skb + TRANS] = 0xffff;
    S[skb + STATE]! |= 1;
  }

  function allocSkb(size: number, mask: number, flags = 0): number {
    const fclone = (flags & ALLOC_FCLONE) !== 0;
    const gfpMask = memallocSocks && (flags & ALLOC_RX) !== 0 ? mask | gfp.memalloc : mask;
    const object = fclone
      ? heap.cacheAlloc(fcloneCache, gfpMask & notDma)
      : spares.take(gfpMask & notDma, (flags & ALLOC_NAPI) !== 0);
    if (object < 0) return refused(refusedIn.alloc);
    const data = heads.reserve(size, gfpMask);
    if (data < 0) {
      heap.cacheFree(fclone ? fcloneCache : skbCache, object);
      return refused(refusedIn.alloc);
    }
    const skb = takeSkb();
    skbAddress[skb >> 5] = object;
    buildAround(skb, data, given.bytes);
    if (given.fromReserve) S[skb + BITS]! |= PFMEMALLOC;
    if (fclone) pairUp(skb, object);
    return skb;
  }

  /** The second half of a fast-clone object waits as a reserved row. */
  function pairUp(skb: number, object: number): void {
    const twin = takeSkb();
    skbAddress[twin >> 5] = object + config.skBuffBytes;
    S[twin + STATE]! |= 2;
    S[twin + PARTNER] = skb;
    S[skb + PARTNER] = twin;
    S[skb + FCLONE_REF] = 1;
    S[skb + BITS]! |= 1 << FCLONE_SHIFT;
  }

  /**
   * build_skb(): an sk_buff around memory that the caller owns. `fragBytes` 0: the whole kmalloc object at `address`; else that many bytes
   * of a page fragment. The skb owns the memory afterwards; on failure (0) the caller still does.
   */
  function buildSkb(address: number, fragBytes: number, napi = false): number {
    const object = napi ? spares.takeInPoll() : heap.cacheAlloc(skbCache, config.receiveGfp);
    if (object < 0) return refused(napi ? refusedIn.napiBuild : refusedIn.build);
    const skb = takeSkb();
    skbAddress[skb >> 5] = object;
    buildAround(skb, address, fragBytes === 0 ? heap.ksize(address) : fragBytes);
    if (fragBytes !== 0) {
      H[S[skb + HEAD]! + PFN] = Math.floor(address / pageSize);
      S[skb + BITS]! |= HEAD_FRAG;
      if (pages.isPfmemalloc(H[S[skb + HEAD]! + PFN]!)) S[skb + BITS]! |= PFMEMALLOC;
    }
    return skb;
  }

  // --- fragments: the references --------------------------------------------------------------------------------------------

  function fragRef(f: number): void {
    const d = F[f + FRAG_DESTRUCTOR]!;
    if (d !== 0) fragDestructors.get(d);
    else pages.getPage(F[f]!);
  }

  function fragRefCounted(f: number, recycle: boolean): void {
    if (!(recycle && F[f + FRAG_DESTRUCTOR] === 0 && poolShare?.(F[f]!) === true)) fragRef(f);
  }

  function fragUnref(f: number, recycle: boolean): void {
    const d = F[f + FRAG_DESTRUCTOR]!;
    if (d !== 0) fragDestructors.put(d);
    else if (!(recycle && poolReturn?.(F[f]!) === true)) pages.putPage(F[f]!);
  }

  const recycles = (skb: number): boolean => (S[skb + BITS]! & PP_RECYCLE) !== 0;

  // --- sharing ---------------------------------------------------------------------------------------------------------------

  function skbGet(skb: number): number {
    S[skb + USERS]!++;
    return skb;
  }

  function copySkbHeader(to: number, from: number): void {
    S[to + MAC] = S[from + MAC]!;
    S[to + NET] = S[from + NET]!;
    S[to + TRANS] = S[from + TRANS]!;
    S[to + DEV] = S[from + DEV]!;
    S[to + PROTOCOL] = S[from + PROTOCOL]!;
    S[to + QUEUE] = S[from + QUEUE]!;
    S[to + CSUM_START] = S[from + CSUM_START]!;
    S[to + CB0] = S[from + CB0]!;
    S[to + CB1] = S[from + CB1]!;
    S[to + CB2] = S[from + CB2]!;
    S[to + CB3] = S[from + CB3]!;
    S[to + CB4] = S[from + CB4]!;
    S[to + MARK] = S[from + MARK]!;
    S[to + HASH] = S[from + HASH]!;
    S[to + BITS] = (S[to + BITS]! & ~skbBit.summedMask) | (S[from + BITS]! & skbBit.summedMask);
  }

  const refOfPair = (skb: number): number => ((S[skb + BITS]! & FCLONE_MASK) >> FCLONE_SHIFT === 1 ? skb : 0);

  /** The row of a new clone: the waiting half of the pair, or a fresh sk_buff; 0 when there is no memory. */
  function cloneRow(skb: number, mask: number): number {
    const first = refOfPair(skb);
    if (first !== 0 && S[first + FCLONE_REF] === 1) {
      const twin = S[first + PARTNER]!;
      unlinkRow(twin);
      S[first + FCLONE_REF] = 2;
      S[twin + BITS] = 2 << FCLONE_SHIFT;
      return twin;
    }
    const gfpMask = (S[skb + BITS]! & PFMEMALLOC) !== 0 ? mask | gfp.memalloc : mask;
    const object = heap.cacheAlloc(skbCache, gfpMask);
    if (object < 0) return refused(refusedIn.clone);
    const row = takeSkb();
    unlinkRow(row);
    S[row + BITS] = 0;
    skbAddress[row >> 5] = object;
    return row;
  }

  /** Zeroes what a clone does not copy: next, prev, socket and destructor. */
  function unlinkRow(skb: number): void {
    const at = skb >> 1;
    pairs[at + (NEXT >> 1)] = 0;
    pairs[at + (SK >> 1)] = 0;
  }

  /** __skb_clone(): points row `n` at the data of `skb`. */
  function cloneInto(n: number, skb: number): number {
    const head = S[skb + HEAD]!;
    const bits = S[skb + BITS]!;
    copySkbHeader(n, skb);
    S[n + LEN] = S[skb + LEN]!;
    S[n + DATA_LEN] = S[skb + DATA_LEN]!;
    S[n + MAC_LEN] = S[skb + MAC_LEN]!;
    S[n + HDR_LEN] = (bits & NOHDR) !== 0 ? S[skb + DATA]! : S[skb + HDR_LEN]!;
    S[n + BITS]! |= CLONED | (bits & (PFMEMALLOC | PP_RECYCLE | HEAD_FRAG));
    S[n + HEAD] = head;
    S[n + DATA] = S[skb + DATA]!;
    S[n + TAIL] = S[skb + TAIL]!;
    S[n + END] = S[skb + END]!;
    S[n + TRUESIZE] = S[skb + TRUESIZE]!;
    S[n + USERS] = 1;
    S[n + STATE] = (S[n + STATE]! & ~3) | 1;
    H[head + DATAREF]!++;
    S[skb + BITS] = bits | CLONED;
    return n;
  }

  function cloneShared(skb: number, mask: number): number {
    const n = cloneRow(skb, mask);
    return n === 0 ? 0 : cloneInto(n, skb);
  }

  // --- release ---------------------------------------------------------------------------------------------------------------

  const zcopy = (skb: number): number => {
    const head = S[skb + HEAD]!;
    return (H[head + FLAGS]! & ZEROCOPY_ENABLE) !== 0 ? H[head + UARG]! : 0;
  };

  function zcopyClear(skb: number, untouched: boolean): void {
    const ubuf = zcopy(skb);
    if (ubuf === 0) return;
    const head = S[skb + HEAD]!;
    H[head + FLAGS]! &= ~ALL_ZEROCOPY;
    H[head + UARG] = 0;
    ubufs.put(ubuf, untouched);
  }

  function freeHead(head: number, bits: number): void {
    if ((bits & (HEAD_FRAG | PP_RECYCLE)) === 0) heap.kfree(headAddress[head >> 4]!);
    else freeUncommonHead(head, bits);
    giveHead(head);
  }

  /** The head is a page fragment, or the skb marked. */
  function freeUncommonHead(head: number, bits: number): void {
    const marked = (bits & PP_RECYCLE) !== 0;
    if (marked && recycling?.freeHead(head, bits) === true) return;
    if ((bits & HEAD_FRAG) === 0) heap.kfree(headAddress[head >> 4]!);
    else if (!(marked && poolReturn?.(H[head + PFN]!) === true)) pages.putPage(H[head + PFN]!);
  }

  function kfreeSkbList(first: number, reason: number): void {
    for (let skb = first; skb !== 0; ) {
      const next = S[skb + NEXT]!;
      kfreeSkb(skb, reason);
      skb = next;
    }
  }

  function releaseData(skb: number): void {
    const head = S[skb + HEAD]!;
    const bits = S[skb + BITS]!;
    if ((bits & CLONED) !== 0) {
      const left = H[head + DATAREF]! - ((bits & NOHDR) !== 0 ? PAYLOAD_ONLY : 1);
      H[head + DATAREF] = left;
      if (left !== 0) {
        if ((bits & PP_RECYCLE) !== 0) S[skb + BITS] = bits & ~PP_RECYCLE;
        return;
      }
    }
    let count = H[head + NR_FRAGS]!;
    if (H[head + UARG] !== 0) count = dropUbuf(skb, count);
    if (count !== 0) dropFrags(head, count, (bits & PP_RECYCLE) !== 0);
    const list = H[head + FRAG_LIST]!;
    if (list !== 0) kfreeSkbList(list, dropReason.notSpecified);
    freeHead(head, bits);
    if ((bits & PP_RECYCLE) !== 0) S[skb + BITS] = bits & ~PP_RECYCLE;
  }

  /** Gives the ubuf up; how many fragments are then left to give back. */
  function dropUbuf(skb: number, count: number): number {
    const managed = (H[S[skb + HEAD]! + FLAGS]! & MANAGED) !== 0 && zcopy(skb) !== 0;
    zcopyClear(skb, true);
    return managed ? 0 : count;
  }

  function dropFrags(head: number, count: number, recycle: boolean): void {
    const base = fragBase(head);
    for (let f = base; f < base + count * FRAG_INTS; f += FRAG_INTS) fragUnref(f, recycle);
  }

  /** kfree_skbmem(): the sk_buff itself; a pair goes when both halves are done. */
  function freeSkbRow(skb: number): void {
    const fclone = (S[skb + BITS]! & FCLONE_MASK) >> FCLONE_SHIFT;
    if (fclone === 0) {
      heap.cacheFree(skbCache, skbAddress[skb >> 5]!);
      retire(skb);
      return;
    }
    const first = fclone === 1 ? skb : S[skb + PARTNER]!;
    S[skb + STATE]! ^= 3;
    if (--S[first + FCLONE_REF]! !== 0) return;
    const twin = S[first + PARTNER]!;
    heap.cacheFree(fcloneCache, skbAddress[first >> 5]!);
    retire(twin);
    retire(first);
  }

  /** The row is free: its tenant number goes up. */
  function retire(skb: number): void {
    S[skb + STATE] = (S[skb + STATE]! | 3) + 1;
    giveSkb(skb);
  }

  /** __kfree_skb() */
  function freeSkb(skb: number): void {
    releaseHeadState(skb);
    releaseData(skb);
    freeSkbRow(skb);
  }

  /** skb_unref(): true when this was the last user. */
  function unref(skb: number): boolean {
    const users = S[skb + USERS]!;
    if (users === 1) return true;
    S[skb + USERS] = users - 1;
    return false;
  }

  /**
   * The common end: last user of a private kmalloc head without fragments, list, ubuf or destructor, and nobody listening. True when it was
   * that and is done. The other ends take the long way; this one is short so that it is inlined.
   */
  function freePlain(skb: number): boolean {
    const head = S[skb + HEAD]!;
    if (
      S[skb + USERS] !== 1 ||
      (S[skb + BITS]! & UNCOMMON) !== 0 ||
      (S[skb + DESTRUCTOR]! | H[head + NR_FRAGS]! | H[head + FRAG_LIST]! | H[head + UARG]!) !== 0 ||
      journal?.heard
    )
      return false;
    freeHead(head, 0);
    heap.cacheFree(skbCache, skbAddress[skb >> 5]!);
    retire(skb);
    return true;
  }

  function kfreeSkb(skb: number, reason: number = dropReason.notSpecified): void {
    if (!freePlain(skb)) kfreeAny(skb, reason);
  }

  function kfreeAny(skb: number, reason: number): void {
    if (!unref(skb)) return;
    if (journal?.heard) journal.emit(kindKfree, skb / skbInts, reason);
    freeSkb(skb);
  }

  function consumeSkb(skb: number): void {
    if (freePlain(skb) || !unref(skb)) return;
    if (journal?.heard) journal.emit(kindConsume, skb / skbInts);
    freeSkb(skb);
  }

  function napiConsumeSkb(skb: number, budget: number): void {
    if (budget === 0 || (S[skb + BITS]! & FCLONE_MASK) !== 0) {
      consumeSkb(skb);
      return;
    }
    if (!unref(skb)) return;
    if (journal?.heard) journal.emit(kindConsume, skb / skbInts);
    releaseHeadState(skb);
    releaseData(skb);
    spares.put(skbAddress[skb >> 5]!);
    retire(skb);
  }

  function kfreeSkbPartial(skb: number, headStolen: boolean): void {
    if (!headStolen) {
      freeSkb(skb);
      return;
    }
    releaseHeadState(skb);
    const head = S[skb + HEAD]!;
    giveHead(head);
    freeSkbRow(skb);
  }

  return {
    config,
    columns,
    memory,
    pages,
    heap,
    journal,
    socks,
    fragDestructors,
    ubufs,
    infoRoom,
    bug,
    warn,
    refused,
    ...owner,
    ...linear,
    newHead,
    heads,
    spares,
    allocSkb,
    buildSkb,
    fragRef,
    fragRefCounted,
    fragUnref,
    recycles,
    skbGet,
    copySkbHeader:
      recycling === undefined
        ? copySkbHeader
        : (to, from) => {
            copySkbHeader(to, from);
            recycling.headerCopied(to, from);
          },
    cloneShared,
    zcopy,
    zcopyClear,
    freeHead,
    releaseData,
    kfreeSkbList,
    kfreeSkb,
    consumeSkb,
    napiConsumeSkb,
    kfreeSkbPartial,
    setPoolReturn(returnPage: (pfn: number) => boolean) {
      poolReturn = returnPage;
    },
    setPoolShare(sharePage: (pfn: number) => boolean) {
      poolShare = sharePage;
    },
  };
}
