// Fragments and fragment lists: adding, pulling, cutting, moving between skbs (net/core/skbuff.c, 6.1.192).
//
//   pull_tail     |head|--|[f0][f1]   ->  |head+f0..|[f1']      bytes move into the head, what is emptied is given back
//   split         |head|[f0][f1]      ->  |head|[f0'] + [f0''][f1]   a cut fragment is referenced twice
//   shift         tgt [a] skb [b][c]  ->  tgt [a+b] skb [c]     adjacent bytes of one page become one fragment
//
// Every function here keeps the sum: who holds a fragment slot holds one reference (on its page or its destructor).
import { BadInput } from "../../../base/bad_input.ts";
import { dropReason } from "./drop_reason.ts";
import { fragField, fragInts, headField, sharedFlag, skbBit, skbField } from "./skb_columns.ts";
import { dataAlign } from "./skb_config.ts";
import type { SkbPrivate } from "./skb_private.ts";
import { errno } from "./skb_private.ts";
import type { Skbuff } from "./skbuff.ts";

const { OFFSET: FRAG_OFFSET, SIZE: FRAG_SIZE, DESTRUCTOR: FRAG_DESTRUCTOR } = fragField;
const FRAG_INTS = fragInts;

const { HEAD, DATA, TAIL, END, LEN, DATA_LEN, TRUESIZE, USERS, BITS, NEXT, SK } = skbField;
const { NR_FRAGS, FLAGS, GSO_SIZE, GSO_TYPE, FRAG_LIST, PFN } = headField;
const { headFrag: HEAD_FRAG, ppRecycle: PP_RECYCLE, pfmemalloc: PFMEMALLOC } = skbBit;
const { sharedFrag: SHARED_FRAG, pureZerocopy: PURE_ZEROCOPY } = sharedFlag;
const DODGY = 2;

/** What skb_try_coalesce() did. */
export interface Coalesced {
  readonly merged: boolean;
  /** `from` lost its head: free it with kfreeSkbPartial(from, true). */
  readonly headStolen: boolean;
  /** Bytes of memory that moved to `to`; -1 when not merged. */
  readonly deltaTruesize: number;
}

export interface SkbPaged {
  nrFrags: (skb: number) => number;
  fragAt: (skb: number, i: number) => number;
  copyFrag: (to: number, from: number) => void;
  lenAdd: (skb: number, n: number) => void;
  /** skb_fill_page_desc(): fragment `i` is `size` bytes at `offset` of `pfn`, and the last one. The caller's reference becomes the skb's. */
  fillPageDesc: (skb: number, i: number, pfn: number, offset: number, size: number) => void;
  /** Hangs a destructor on fragment `i`: the skb's page reference is given up for a reference on the destructor. */
  fragSetDestructor: (skb: number, i: number, destructor: number) => void;
  /** skb_add_rx_frag(): takes over the caller's page reference; `truesize` is what the driver says the buffer costs. */
  skbAddRxFrag: (skb: number, i: number, pfn: number, offset: number, size: number, truesize: number) => void;
  /** skb_coalesce_rx_frag(): fragment `i` grows; no reference is taken. */
  skbCoalesceRxFrag: (skb: number, i: number, size: number, truesize: number) => void;
  /** skb_append_pagefrags(): `size` bytes of a page at the end, with a reference of their own; lengths are the caller's to adjust. */
  skbAppendPagefrags: (skb: number, pfn: number, offset: number, size: number, destructor?: number) => number;
  /** What a driver or GRO does to hang `skb` behind the frag_list of `parent`: its user passes to the list. */
  fragListAppend: (parent: number, skb: number) => void;
  /** __pskb_pull_tail(): `delta` bytes of fragments become linear; the new tail offset, or -1 when there is no memory. */
  pskbPullTail: (skb: number, delta: number) => number;
  /** pskb_may_pull(): the first `len` bytes are linear afterwards. */
  pskbMayPull: (skb: number, len: number) => boolean;
  /** pskb_pull(): the new data offset, or -1. */
  pskbPull: (skb: number, len: number) => number;
  /** skb_linearize(): 0 or -ENOMEM. */
  skbLinearize: (skb: number) => number;
  /** skb_condense(): fragments that fit the tail room move there; truesize is made true again. */
  skbCondense: (skb: number) => void;
  /** pskb_trim(): cuts to `len` bytes, whatever holds them; 0 or -ENOMEM. A shorter skb stays. */
  pskbTrim: (skb: number, len: number) => number;
  /** skb_split(): `skb` keeps `len` bytes, the empty linear `rest` gets what follows. truesize moves with neither. */
  skbSplit: (skb: number, rest: number, len: number) => void;
  /** skb_shift(): up to `bytes` of the paged data at the front of `skb` go to the end of `target`; how many went (0: it could not). */
  skbShift: (target: number, skb: number, bytes: number) => number;
  skbTryCoalesce: (to: number, from: number) => Coalesced;
}

export function createSkbPaged(core: Skbuff, own: SkbPrivate): SkbPaged {
  const { columns, config, pages } = core;
  const { S, H, F, headAddress, fragBase, fragsMax } = columns;
  const { isCloned, headlen, fragRef, fragUnref, recycles, zcopy } = core;
  const { pageSize } = config;
  const atomic = config.gfp.atomic;
  const skBuffRoom = dataAlign(config, config.skBuffBytes);
  const refusesPoolClones = config.clonedPoolFragments === "refused";

  const headOf = (skb: number): number => S[skb + HEAD]!;
  const nrFrags = (skb: number): number => H[headOf(skb) + NR_FRAGS]!;
  const fragAt = (skb: number, i: number): number => fragBase(headOf(skb)) + i * FRAG_INTS;

  function copyFrag(to: number, from: number): void {
    F[to] = F[from]!;
    F[to + FRAG_OFFSET] = F[from + FRAG_OFFSET]!;
    F[to + FRAG_SIZE] = F[from + FRAG_SIZE]!;
    F[to + FRAG_DESTRUCTOR] = F[from + FRAG_DESTRUCTOR]!;
  }

  function lenAdd(skb: number, n: number): void {
    S[skb + LEN]! += n;
    S[skb + DATA_LEN]! += n;
    S[skb + TRUESIZE]! += n;
  }

  // --- adding ----------------------------------------------------------------------------------------------------------------

  function fillPageDesc(skb: number, i: number, pfn: number, offset: number, size: number): void {
    // The kernel does not look: it writes behind skb_shared_info.
    if (!(i >= 0 && i < fragsMax))
      throw new BadInput(`fragment ${i} of a packet that has room for ${fragsMax} (MAX_SKB_FRAGS)`);
    own.setFrag(fragAt(skb, i), pfn, offset, size);
    H[headOf(skb) + NR_FRAGS] = i + 1;
    if (pages.isPfmemalloc(pfn)) S[skb + BITS]! |= PFMEMALLOC;
  }

  function fragSetDestructor(skb: number, i: number, destructor: number): void {
    const f = fragAt(skb, i);
    core.fragDestructors.get(destructor);
    fragUnref(f, recycles(skb));
    F[f + FRAG_DESTRUCTOR] = destructor;
  }

  function skbAddRxFrag(skb: number, i: number, pfn: number, offset: number, size: number, truesize: number): void {
    fillPageDesc(skb, i, pfn, offset, size);
    S[skb + LEN]! += size;
    S[skb + DATA_LEN]! += size;
    S[skb + TRUESIZE]! += truesize;
  }

  function skbCoalesceRxFrag(skb: number, i: number, size: number, truesize: number): void {
    F[fragAt(skb, i) + FRAG_SIZE]! += size;
    S[skb + LEN]! += size;
    S[skb + DATA_LEN]! += size;
    S[skb + TRUESIZE]! += truesize;
  }

  /** skb_can_coalesce(): the bytes follow those of the last fragment, under the same destructor. */
  function canCoalesce(skb: number, i: number, pfn: number, offset: number, destructor: number): boolean {
    if (i === 0 || zcopy(skb) !== 0) return false;
    const f = fragAt(skb, i - 1);
    return F[f] === pfn && F[f + FRAG_DESTRUCTOR] === destructor && offset === F[f + FRAG_OFFSET]! + F[f + FRAG_SIZE]!;
  }

  function skbAppendPagefrags(skb: number, pfn: number, offset: number, size: number, destructor = 0): number {
    const i = nrFrags(skb);
    if (canCoalesce(skb, i, pfn, offset, destructor)) {
      F[fragAt(skb, i - 1) + FRAG_SIZE]! += size;
      return 0;
    }
    if (i >= fragsMax) return errno.msgsize;
    own.downgradeManaged(skb);
    const f = fragAt(skb, i);
    own.setFrag(f, pfn, offset, size);
    F[f + FRAG_DESTRUCTOR] = destructor;
    fragRef(f);
    H[headOf(skb) + NR_FRAGS] = i + 1;
    return 0;
  }

  function fragListAppend(parent: number, skb: number): void {
    const head = headOf(parent);
    let last = H[head + FRAG_LIST]!;
    if (last === 0) H[head + FRAG_LIST] = skb;
    else {
      while (S[last + NEXT] !== 0) last = S[last + NEXT]!;
      S[last + NEXT] = skb;
    }
    S[parent + LEN]! += S[skb + LEN]!;
    S[parent + DATA_LEN]! += S[skb + LEN]!;
    S[parent + TRUESIZE]! += S[skb + TRUESIZE]!;
  }

  // --- pulling into the head -------------------------------------------------------------------------------------------------

  function pskbPullTail(skb: number, delta: number): number {
    const missing = S[skb + TAIL]! + delta - S[skb + END]!;
    if (missing > 0 || isCloned(skb)) {
      if (own.pskbExpandHead(skb, 0, missing > 0 ? missing + 128 : 0, atomic) !== 0) return -1;
    }
    const to = headAddress[headOf(skb) >> 4]! + S[skb + TAIL]!;
    if (!own.copyBits(skb, headlen(skb), to, delta)) {
      core.bug("kernel BUG: __pskb_pull_tail beyond the packet", skb, delta);
      return -1;
    }
    if (H[headOf(skb) + FRAG_LIST] !== 0 && !eatFragList(skb, delta)) return -1;
    eatFrags(skb, delta);
    S[skb + TAIL]! += delta;
    S[skb + DATA_LEN]! -= delta;
    if (S[skb + DATA_LEN] === 0) core.zcopyClear(skb, false);
    return S[skb + TAIL]!;
  }

  /** Takes from the frag_list what the page fragments do not cover of `delta`; false when a shared member cannot be cloned. */
  function eatFragList(skb: number, delta: number): boolean {
    const head = headOf(skb);
    let eat = delta;
    const base = fragBase(head);
    for (let f = base; f < base + H[head + NR_FRAGS]! * FRAG_INTS; f += FRAG_INTS) {
      if (F[f + FRAG_SIZE]! >= eat) return true;
      eat -= F[f + FRAG_SIZE]!;
    }
    if (eat === 0) return true;
    let list = H[head + FRAG_LIST]!;
    let keepFrom = 0;
    let clone = 0;
    while (eat > 0) {
      if (S[list + LEN]! <= eat) {
        eat -= S[list + LEN]!;
        list = S[list + NEXT]!;
        keepFrom = list;
        continue;
      }
      if (H[head + GSO_SIZE] !== 0 && (S[list + BITS]! & HEAD_FRAG) === 0 && headlen(list) > 0)
        H[head + GSO_TYPE]! |= DODGY;
      keepFrom = list;
      if (S[list + USERS] !== 1) {
        keepFrom = S[list + NEXT]!;
        clone = own.skbClone(list, atomic);
        if (clone === 0) return false;
        list = clone;
      }
      if (pskbPull(list, eat) < 0) {
        if (clone !== 0) core.kfreeSkb(clone, dropReason.nomem);
        return false;
      }
      break;
    }
    for (let at = H[head + FRAG_LIST]!; at !== keepFrom; at = H[head + FRAG_LIST]!) {
      H[head + FRAG_LIST] = S[at + NEXT]!;
      core.consumeSkb(at);
    }
    if (clone !== 0) {
      S[clone + NEXT] = keepFrom;
      H[head + FRAG_LIST] = clone;
    }
    return true;
  }

  /** Takes `delta` bytes off the front of the page fragments; emptied ones are given back. */
  function eatFrags(skb: number, delta: number): void {
    const head = headOf(skb);
    const count = H[head + NR_FRAGS]!;
    const recycle = recycles(skb);
    const managed = (H[head + FLAGS]! & sharedFlag.managedFragRefs) !== 0;
    const base = fragBase(head);
    let eat = delta;
    let kept = 0;
    for (let i = 0; i < count; i++) {
      const f = base + i * FRAG_INTS;
      const size = F[f + FRAG_SIZE]!;
      if (size <= eat) {
        if (!managed) fragUnref(f, recycle);
        eat -= size;
        continue;
      }
      const to = base + kept * FRAG_INTS;
      if (to !== f) copyFrag(to, f);
      F[to + FRAG_OFFSET]! += eat;
      F[to + FRAG_SIZE]! -= eat;
      eat = 0;
      kept++;
    }
    H[head + NR_FRAGS] = kept;
  }

  function pskbMayPull(skb: number, len: number): boolean {
    const linear = headlen(skb);
    if (len <= linear) return true;
    if (len > S[skb + LEN]!) return false;
    return pskbPullTail(skb, len - linear) >= 0;
  }

  function pskbPull(skb: number, len: number): number {
    if (!pskbMayPull(skb, len)) return -1;
    S[skb + LEN]! -= len;
    S[skb + DATA]! += len;
    return S[skb + DATA]!;
  }

  function skbLinearize(skb: number): number {
    const rest = S[skb + DATA_LEN]!;
    return rest === 0 || pskbPullTail(skb, rest) >= 0 ? 0 : errno.nomem;
  }

  function skbCondense(skb: number): void {
    const rest = S[skb + DATA_LEN]!;
    if (rest !== 0) {
      if (rest > S[skb + END]! - S[skb + TAIL]! || isCloned(skb)) return;
      pskbPullTail(skb, rest);
    }
    S[skb + TRUESIZE] = own.truesize(S[skb + END]!);
  }

  // --- cutting ---------------------------------------------------------------------------------------------------------------

  function pskbTrim(skb: number, len: number): number {
    if (len >= S[skb + LEN]!) return 0;
    if (S[skb + DATA_LEN] === 0) {
      core.skbTrim(skb, len);
      return 0;
    }
    if (isCloned(skb)) {
      const error = own.pskbExpandHead(skb, 0, 0, atomic);
      if (error !== 0) return error;
    }
    const error = cutBehindHead(skb, len);
    if (error !== 0) return error;
    if (len > headlen(skb)) {
      S[skb + DATA_LEN]! -= S[skb + LEN]! - len;
      S[skb + LEN] = len;
    } else {
      S[skb + LEN] = len;
      S[skb + DATA_LEN] = 0;
      S[skb + TAIL] = S[skb + DATA]! + len;
    }
    if (S[skb + SK] === 0) skbCondense(skb);
    return 0;
  }

  /** Drops fragments and list members behind `len`. */
  function cutBehindHead(skb: number, len: number): number {
    const head = headOf(skb);
    const count = H[head + NR_FRAGS]!;
    const base = fragBase(head);
    let offset = headlen(skb);
    let keep = 0;
    let cut = offset >= len;
    for (; !cut && keep < count; keep++) {
      const end = offset + F[base + keep * FRAG_INTS + FRAG_SIZE]!;
      if (end >= len) {
        F[base + keep * FRAG_INTS + FRAG_SIZE] = len - offset;
        cut = true;
      } else offset = end;
    }
    if (!cut) return cutList(skb, len, offset);
    H[head + NR_FRAGS] = keep;
    const recycle = recycles(skb);
    if ((H[head + FLAGS]! & sharedFlag.managedFragRefs) === 0)
      for (let i = keep; i < count; i++) fragUnref(base + i * FRAG_INTS, recycle);
    core.kfreeSkbList(H[head + FRAG_LIST]!, dropReason.notSpecified);
    H[head + FRAG_LIST] = 0;
    return 0;
  }

  function cutList(skb: number, len: number, from: number): number {
    const head = headOf(skb);
    let offset = from;
    let before = 0;
    for (let frag = H[head + FRAG_LIST]!; frag !== 0; before = frag, frag = S[frag + NEXT]!) {
      const end = offset + S[frag + LEN]!;
      if (S[frag + USERS] !== 1) {
        const clone = own.skbClone(frag, atomic);
        if (clone === 0) return errno.nomem;
        S[clone + NEXT] = S[frag + NEXT]!;
        core.consumeSkb(frag);
        frag = clone;
        if (before === 0) H[head + FRAG_LIST] = frag;
        else S[before + NEXT] = frag;
      }
      if (end < len) {
        offset = end;
        continue;
      }
      if (end > len) {
        const error = pskbTrim(frag, len - offset);
        if (error !== 0) return error;
      }
      core.kfreeSkbList(S[frag + NEXT]!, dropReason.notSpecified);
      S[frag + NEXT] = 0;
      break;
    }
    return 0;
  }

  function skbSplit(skb: number, rest: number, len: number): void {
    own.downgradeManaged(skb);
    H[headOf(rest) + FLAGS]! |= H[headOf(skb) + FLAGS]! & (SHARED_FRAG | PURE_ZEROCOPY);
    own.zerocopyClone(rest, skb, 0);
    if (len < headlen(skb)) splitInHeader(skb, rest, len);
    else splitInFrags(skb, rest, len);
  }

  function splitInHeader(skb: number, rest: number, len: number): void {
    const bytes = headlen(skb) - len;
    const at = core.skbPut(rest, bytes);
    if (at < 0) return;
    core.memory?.copy(headAddress[headOf(rest) >> 4]! + at, own.dataAddress(skb) + len, bytes);
    const count = nrFrags(skb);
    for (let i = 0; i < count; i++) copyFrag(fragAt(rest, i), fragAt(skb, i));
    H[headOf(rest) + NR_FRAGS] = count;
    H[headOf(skb) + NR_FRAGS] = 0;
    S[rest + DATA_LEN] = S[skb + DATA_LEN]!;
    S[rest + LEN]! += S[rest + DATA_LEN]!;
    S[skb + DATA_LEN] = 0;
    S[skb + LEN] = len;
    S[skb + TAIL] = S[skb + DATA]! + len;
  }

  function splitInFrags(skb: number, rest: number, len: number): void {
    const count = nrFrags(skb);
    let pos = headlen(skb);
    let kept = 0;
    let moved = 0;
    S[rest + LEN] = S[skb + LEN]! - len;
    S[rest + DATA_LEN] = S[rest + LEN]!;
    S[skb + LEN] = len;
    S[skb + DATA_LEN] = len - pos;
    for (let i = 0; i < count; i++) {
      const f = fragAt(skb, i);
      const size = F[f + FRAG_SIZE]!;
      if (pos + size > len) {
        const to = fragAt(rest, moved++);
        copyFrag(to, f);
        if (pos < len) {
          fragRef(f);
          F[to + FRAG_OFFSET]! += len - pos;
          F[to + FRAG_SIZE]! -= len - pos;
          F[f + FRAG_SIZE] = len - pos;
          kept++;
        }
      } else kept++;
      pos += size;
    }
    H[headOf(skb) + NR_FRAGS] = kept;
    H[headOf(rest) + NR_FRAGS] = moved;
  }

  // --- moving between skbs ---------------------------------------------------------------------------------------------------

  function skbShift(target: number, skb: number, bytes: number): number {
    if (headlen(skb) !== 0 || zcopy(target) !== 0 || zcopy(skb) !== 0) return 0;
    const first = fragAt(skb, 0);
    const to = nrFrags(target);
    const merge = canCoalesce(target, to, F[first]!, F[first + FRAG_OFFSET]!, F[first + FRAG_DESTRUCTOR]!);
    let todo = bytes;
    if (merge) {
      todo -= F[first + FRAG_SIZE]!;
      if (todo < 0) return shiftInsideFirst(target, skb, bytes);
    }
    const from = merge ? 1 : 0;
    if (bytes === S[skb + LEN]! && nrFrags(skb) - from > fragsMax - to) return 0;
    if (own.uncloneKeepTruesize(skb, atomic) !== 0 || own.uncloneKeepTruesize(target, atomic) !== 0) return 0;
    return shiftWhole(target, skb, bytes, todo, from, merge);
  }

  function shiftInsideFirst(target: number, skb: number, bytes: number): number {
    if (own.uncloneKeepTruesize(skb, atomic) !== 0 || own.uncloneKeepTruesize(target, atomic) !== 0) return 0;
    const from = fragAt(skb, 0);
    F[fragAt(target, nrFrags(target) - 1) + FRAG_SIZE]! += bytes;
    F[from + FRAG_OFFSET]! += bytes;
    F[from + FRAG_SIZE]! -= bytes;
    return shifted(target, skb, bytes);
  }

  function shiftWhole(target: number, skb: number, bytes: number, left: number, first: number, merge: boolean): number {
    let todo = left;
    let from = first;
    let to = nrFrags(target);
    const mergeInto = to - 1;
    const count = nrFrags(skb);
    while (todo > 0 && from < count) {
      if (to === fragsMax) return 0;
      const source = fragAt(skb, from);
      const sink = fragAt(target, to++);
      copyFrag(sink, source);
      if (todo >= F[source + FRAG_SIZE]!) {
        todo -= F[source + FRAG_SIZE]!;
        from++;
        continue;
      }
      fragRef(source);
      F[sink + FRAG_SIZE] = todo;
      F[source + FRAG_OFFSET]! += todo;
      F[source + FRAG_SIZE]! -= todo;
      todo = 0;
    }
    H[headOf(target) + NR_FRAGS] = to;
    if (merge) {
      const source = fragAt(skb, 0);
      F[fragAt(target, mergeInto) + FRAG_SIZE]! += F[source + FRAG_SIZE]!;
      fragUnref(source, recycles(skb));
    }
    let kept = 0;
    for (; from < count; from++) copyFrag(fragAt(skb, kept++), fragAt(skb, from));
    H[headOf(skb) + NR_FRAGS] = kept;
    return shifted(target, skb, bytes);
  }

  function shifted(target: number, skb: number, bytes: number): number {
    S[target + BITS]! |= skbBit.summedMask;
    S[skb + BITS]! |= skbBit.summedMask;
    H[headOf(target) + FLAGS]! |= H[headOf(skb) + FLAGS]! & SHARED_FRAG;
    lenAdd(skb, -bytes);
    lenAdd(target, bytes);
    return bytes;
  }

  const merged = { merged: true, headStolen: false, deltaTruesize: 0 };
  const joined = (headStolen: boolean, deltaTruesize: number): Coalesced => {
    merged.headStolen = headStolen;
    merged.deltaTruesize = deltaTruesize;
    return merged;
  };
  const notMerged: Coalesced = { merged: false, headStolen: false, deltaTruesize: -1 };

  /**
   * skb_try_coalesce(): the payload of `from` joins `to`, copied into its tail room or by its fragments (and its head, if that is a page
   * fragment nobody else uses). The caller then frees `from` with kfreeSkbPartial(). What is returned holds until the next call.
   */
  function skbTryCoalesce(to: number, from: number): Coalesced {
    const len = S[from + LEN]!;
    if (isCloned(to) || ((S[to + BITS]! ^ S[from + BITS]!) & PP_RECYCLE) !== 0) return notMerged;
    if (refusesPoolClones && recycles(from) && isCloned(from)) return notMerged;
    if (len <= core.tailroom(to)) {
      if (len > 0) {
        const at = core.skbPut(to, len);
        own.copyBits(from, 0, headAddress[headOf(to) >> 4]! + at, len);
      }
      return joined(false, 0);
    }
    const a = headOf(to);
    const b = headOf(from);
    if (H[a + FRAG_LIST] !== 0 || H[b + FRAG_LIST] !== 0 || zcopy(to) !== 0 || zcopy(from) !== 0) return notMerged;
    const together = H[a + NR_FRAGS]! + H[b + NR_FRAGS]!;
    const linear = headlen(from);
    if (linear === 0) {
      if (together > fragsMax) return notMerged;
      return joinFrags(to, from, S[from + TRUESIZE]! - own.truesize(S[from + END]!), false);
    }
    if (together >= fragsMax || (S[from + BITS]! & HEAD_FRAG) === 0 || isCloned(from)) return notMerged;
    const page = pages.compoundHead(H[b + PFN]!);
    fillPageDesc(to, H[a + NR_FRAGS]!, page, own.dataAddress(from) - page * pageSize, linear);
    return joinFrags(to, from, S[from + TRUESIZE]! - skBuffRoom, true);
  }

  function joinFrags(to: number, from: number, delta: number, headStolen: boolean): Coalesced {
    const len = S[from + LEN]!;
    if (delta < len) core.warn("skb_try_coalesce: delta < len", delta, len);
    const a = headOf(to);
    const b = headOf(from);
    const count = H[b + NR_FRAGS]!;
    const at = H[a + NR_FRAGS]!;
    const shared = isCloned(from);
    const recycle = recycles(from);
    for (let i = 0; i < count; i++) {
      copyFrag(fragAt(to, at + i), fragAt(from, i));
      if (shared) core.fragRefCounted(fragAt(from, i), recycle);
    }
    H[a + NR_FRAGS] = at + count;
    if (count > 0) H[a + FLAGS]! |= H[b + FLAGS]! & SHARED_FRAG;
    if (!shared) H[b + NR_FRAGS] = 0;
    S[to + TRUESIZE]! += delta;
    S[to + LEN]! += len;
    S[to + DATA_LEN]! += len;
    return joined(headStolen, delta);
  }

  return {
    nrFrags,
    fragAt,
    copyFrag,
    lenAdd,
    fillPageDesc,
    fragSetDestructor,
    skbAddRxFrag,
    skbCoalesceRxFrag,
    skbAppendPagefrags,
    fragListAppend,
    pskbPullTail,
    pskbMayPull,
    pskbPull,
    skbLinearize,
    skbCondense,
    pskbTrim,
    skbSplit,
    skbShift,
    skbTryCoalesce,
  };
}
