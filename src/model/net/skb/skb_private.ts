// Making an skb's bytes one's own: new heads, copies, clones (net/core/skbuff.c, 6.1.192).
//
//   clone:      two sk_buffs, one head            pskb_copy: two heads, the fragments counted twice
//   skb_copy:   two heads, no fragment shared     expand:    one sk_buff moves to a new head; clones keep the old one
//
// Not here: what happens to fragments when lengths change (skb_paged.ts).

import { dropReason } from "./drop_reason.ts";
import { fragField, fragInts, headField, sharedFlag, skbBit, skbField } from "./skb_columns.ts";
import { truesizeOf } from "./skb_config.ts";
import type { Skbuff } from "./skbuff.ts";
import { allocFlag } from "./skbuff.ts";

const { OFFSET: FRAG_OFFSET, SIZE: FRAG_SIZE, DESTRUCTOR: FRAG_DESTRUCTOR } = fragField;
const FRAG_INTS = fragInts;

const { HEAD, DATA, TAIL, END, LEN, DATA_LEN, TRUESIZE, USERS, BITS, HDR_LEN, MAC, NET, TRANS, NEXT, SK } = skbField;
const { CSUM_START } = skbField;
const { NR_FRAGS, FLAGS, GSO_SIZE, GSO_SEGS, GSO_TYPE, FRAG_LIST, UARG } = headField;
const { cloned: CLONED, nohdr: NOHDR, headFrag: HEAD_FRAG, pfmemalloc: PFMEMALLOC } = skbBit;

/** -ENOMEM and -EINVAL, as the kernel returns them. */
export const errno = { nomem: -12, inval: -22, msgsize: -90 } as const;

export interface SkbPrivate {
  /** Calls `visit` with each contiguous piece [address, bytes) of `length` payload bytes from `offset`, in order. */
  walk: (
    skb: number,
    offset: number,
    length: number,
    visit: (address: number, bytes: number, done: number) => void,
  ) => void;
  /** skb_copy_bits(): `length` bytes from `offset` (negative: in the headroom) to an address; false when the skb has not that many. */
  copyBits: (skb: number, offset: number, to: number, length: number) => boolean;
  dataAddress: (skb: number) => number;
  /** skb_zcopy_set(): the skb's pages belong to `ubuf` now; `haveRef`: the caller's reference becomes the skb's. */
  zcopySet: (skb: number, ubuf: number, haveRef?: boolean) => void;
  /** __skb_zcopy_downgrade_managed(): from pages that the ubuf holds to a page reference a fragment. */
  downgradeManaged: (skb: number) => void;
  /** skb_zerocopy_clone(): the new skb carries the same ubuf_info, or an error. */
  zerocopyClone: (to: number, from: number, mask: number) => number;
  /** skb_orphan_frags(): before an skb with user pages is shared, its pages are copied, unless its owner said not to. */
  orphanFrags: (skb: number, mask: number) => number;
  /** skb_copy_ubufs(): replaces all fragments by kernel pages with the same bytes and tells the owner of the old ones. */
  copyUbufs: (skb: number, mask: number) => number;
  setFrag: (f: number, pfn: number, offset: number, size: number) => void;
  headersMove: (skb: number, by: number) => void;
  pskbExpandHead: (skb: number, nhead: number, ntail: number, mask: number) => number;
  /** skb_unclone(): a head of its own if it is shared. */
  skbUnclone: (skb: number, mask: number) => number;
  /** skb_header_unclone() */
  skbHeaderUnclone: (skb: number, mask: number) => number;
  /** skb_unclone_keeptruesize(): the same, and neither truesize nor the end of the data area changes. */
  uncloneKeepTruesize: (skb: number, mask: number) => number;
  /** skb_cow(): writable data and at least `headroom` bytes in front. */
  skbCow: (skb: number, headroom: number) => number;
  /** skb_cow_head(): a writable header and at least `headroom` bytes in front. */
  skbCowHead: (skb: number, headroom: number) => number;
  /** skb_clone(): another sk_buff on the same data; 0 when there is no memory. */
  skbClone: (skb: number, mask: number) => number;
  /** skb_copy(): a linear skb with its own copy of all bytes, headroom included. */
  skbCopy: (skb: number, mask: number) => number;
  /** skb_copy_expand(): the same with other room in front and behind. */
  skbCopyExpand: (skb: number, newHeadroom: number, newTailroom: number, mask: number) => number;
  /** __pskb_copy_fclone(): its own head, the fragments shared by reference. */
  pskbCopyFclone: (skb: number, headroom: number, mask: number, fclone: boolean) => number;
  /** pskb_copy() */
  pskbCopy: (skb: number, mask: number) => number;
  /** skb_realloc_headroom(): a new skb on the same fragments with at least `headroom` in front. */
  skbReallocHeadroom: (skb: number, headroom: number) => number;
  /** skb_expand_head(): the skb, or a clone in its place, with `headroom` in front; 0 after freeing it when there is no memory. */
  skbExpandHead: (skb: number, headroom: number) => number;
  /** skb_share_check(): an skb that nobody else holds a user of, or 0. */
  skbShareCheck: (skb: number, mask: number) => number;
  /** SKB_TRUESIZE */
  truesize: (end: number) => number;
}

export function createSkbPrivate(core: Skbuff): SkbPrivate {
  const { columns, memory, pages, heap, config, ubufs } = core;
  const { S, H, F, headAddress, fragBase, fragsMax } = columns;
  const { gfp, pageSize } = config;
  const { isCloned, zcopy, fragRef, fragUnref, headlen } = core;
  const site = (name: string): number => core.journal?.textId(name) ?? 0;
  const refusedIn = {
    copy: site("skb_copy"),
    expand: site("skb_copy_expand"),
    pskbCopy: site("__pskb_copy_fclone"),
    grow: site("pskb_expand_head"),
  };

  // --- reading payload -------------------------------------------------------------------------------------------------------

  function copyBits(skb: number, offset: number, to: number, length: number): boolean {
    if (offset > S[skb + LEN]! - length) return false;
    if (memory === undefined) return true;
    walk(skb, offset, length, (from, bytes, done) => memory.copy(to + done, from, bytes));
    return true;
  }

  function walk(
    skb: number,
    offset: number,
    length: number,
    visit: (address: number, bytes: number, done: number) => void,
  ): void {
    const head = S[skb + HEAD]!;
    let at = offset;
    let left = length;
    let done = 0;
    const linear = headlen(skb);
    if (at < linear && left > 0) {
      const n = Math.min(linear - at, left);
      visit(headAddress[head >> 4]! + S[skb + DATA]! + at, n, done);
      at += n;
      left -= n;
      done += n;
    }
    let start = linear;
    const base = fragBase(head);
    for (let f = base; f < base + H[head + NR_FRAGS]! * FRAG_INTS && left > 0; f += FRAG_INTS) {
      const size = F[f + FRAG_SIZE]!;
      if (at < start + size) {
        const n = Math.min(start + size - at, left);
        visit(F[f]! * pageSize + F[f + FRAG_OFFSET]! + (at - start), n, done);
        at += n;
        left -= n;
        done += n;
      }
      start += size;
    }
    for (let list = H[head + FRAG_LIST]!; list !== 0 && left > 0; list = S[list + NEXT]!) {
      const size = S[list + LEN]!;
      if (at < start + size) {
        const n = Math.min(start + size - at, left);
        const before = done;
        walk(list, at - start, n, (address, bytes, inner) => visit(address, bytes, before + inner));
        at += n;
        left -= n;
        done += n;
      }
      start += size;
    }
  }

  const dataAddress = (skb: number): number => headAddress[S[skb + HEAD]! >> 4]! + S[skb + DATA]!;

  // --- zerocopy --------------------------------------------------------------------------------------------------------------

  function zcopySet(skb: number, ubuf: number, haveRef = false): void {
    if (ubuf === 0 || zcopy(skb) !== 0) return;
    if (!haveRef) ubufs.get(ubuf);
    const head = S[skb + HEAD]!;
    H[head + UARG] = ubuf;
    H[head + FLAGS]! |= sharedFlag.zerocopyFrag;
  }

  function downgradeManaged(skb: number): void {
    const head = S[skb + HEAD]!;
    if ((H[head + FLAGS]! & sharedFlag.managedFragRefs) === 0) return;
    H[head + FLAGS]! &= ~sharedFlag.managedFragRefs;
    const base = fragBase(head);
    for (let i = 0; i < H[head + NR_FRAGS]!; i++) fragRef(base + i * FRAG_INTS);
  }

  function zerocopyClone(to: number, from: number, mask: number): number {
    const ubuf = zcopy(from);
    if (ubuf === 0) return 0;
    const own = zcopy(to);
    if (own !== 0) {
      if (mask === 0) {
        core.warn("skb_zerocopy_clone on an skb with a ubuf", to, from);
        return errno.nomem;
      }
      if (own === ubuf) return 0;
      if (copyUbufs(to, gfp.atomic) !== 0) return -5;
    }
    zcopySet(to, ubuf);
    return 0;
  }

  function orphanFrags(skb: number, mask: number): number {
    if (zcopy(skb) === 0) return 0;
    if ((H[S[skb + HEAD]! + FLAGS]! & sharedFlag.dontOrphan) !== 0) return 0;
    return copyUbufs(skb, mask);
  }

  function copyUbufs(skb: number, mask: number): number {
    if (S[skb + USERS] !== 1 || skbUnclone(skb, mask) !== 0) return errno.inval;
    const head = S[skb + HEAD]!;
    const count = H[head + NR_FRAGS]!;
    if (count !== 0) {
      const base = fragBase(head);
      let bytes = 0;
      for (let i = 0; i < count; i++) bytes += F[base + i * FRAG_INTS + FRAG_SIZE]!;
      let order = 0;
      while ((pageSize << order) * fragsMax < bytes) order++;
      const room = pageSize << order;
      const fresh = takePages(Math.ceil(bytes / room), order, mask);
      if (fresh === undefined) return errno.nomem;
      moveBytes(skb, fresh, room, bytes);
      const recycle = core.recycles(skb);
      for (let i = 0; i < count; i++) fragUnref(base + i * FRAG_INTS, recycle);
      for (let i = 0; i < fresh.length; i++)
        setFrag(base + i * FRAG_INTS, fresh[i]!, 0, Math.min(room, bytes - i * room));
      H[head + NR_FRAGS] = fresh.length;
    }
    core.zcopyClear(skb, false);
    return 0;
  }

  function takePages(count: number, order: number, mask: number): number[] | undefined {
    const fresh: number[] = [];
    while (fresh.length < count) {
      const pfn = pages.allocPages(mask | config.gfp.comp, order);
      if (pfn < 0) {
        for (const got of fresh) pages.putPage(got);
        return undefined;
      }
      fresh.push(pfn);
    }
    return fresh;
  }

  function moveBytes(skb: number, to: readonly number[], room: number, bytes: number): void {
    if (memory === undefined) return;
    for (let i = 0, at = 0; at < bytes; i++, at += room)
      copyBits(skb, headlen(skb) + at, to[i]! * pageSize, Math.min(room, bytes - at));
  }

  function setFrag(f: number, pfn: number, offset: number, size: number): void {
    F[f] = pfn;
    F[f + FRAG_OFFSET] = offset;
    F[f + FRAG_SIZE] = size;
    F[f + FRAG_DESTRUCTOR] = 0;
  }

  // --- heads -----------------------------------------------------------------------------------------------------------------

  const cloneFragList = (head: number): void => {
    for (let list = H[head + FRAG_LIST]!; list !== 0; list = S[list + NEXT]!) core.skbGet(list);
  };

  function headersMove(skb: number, by: number): void {
    if ((S[skb + BITS]! & skbBit.summedMask) >> skbBit.summedShift === 3) S[skb + CSUM_START]! += by;
    S[skb + TRANS] = (S[skb + TRANS]! + by) & 0xffff;
    S[skb + NET] = (S[skb + NET]! + by) & 0xffff;
    if (S[skb + MAC] !== 0xffff) S[skb + MAC] = (S[skb + MAC]! + by) & 0xffff;
  }

  /**
   * pskb_expand_head(): a head of its own with `nhead` more bytes in front and `ntail` behind; 0 or -ENOMEM. The new head is always from
   * kmalloc; what others share stays with them.
   */
  function pskbExpandHead(skb: number, nhead: number, ntail: number, mask: number): number {
    if (S[skb + USERS] !== 1) {
      core.bug("kernel BUG: pskb_expand_head of a shared skb", skb, S[skb + USERS]!);
      return errno.inval;
    }
    downgradeManaged(skb);
    const end = S[skb + END]!;
    const gfpMask = (S[skb + BITS]! & PFMEMALLOC) !== 0 ? mask | gfp.memalloc : mask;
    const address = core.heads.reserve(end + nhead + ntail, gfpMask);
    if (address < 0) {
      core.refused(refusedIn.grow);
      return errno.nomem;
    }
    const bytes = core.heads.given.bytes;
    if (isCloned(skb) && orphanFrags(skb, mask) !== 0) {
      heap.kfree(address);
      return errno.nomem;
    }
    const old = S[skb + HEAD]!;
    memory?.copy(address + nhead, headAddress[old >> 4]!, S[skb + TAIL]!);
    const head = core.newHead(address, bytes);
    moveSharedInfo(skb, old, head);
    S[skb + HEAD] = head;
    S[skb + DATA]! += nhead;
    S[skb + TAIL]! += nhead;
    S[skb + END] = bytes - core.infoRoom;
    headersMove(skb, nhead);
    S[skb + BITS]! &= ~(CLONED | NOHDR | HEAD_FRAG);
    S[skb + HDR_LEN] = 0;
    if (S[skb + SK] === 0) S[skb + TRUESIZE]! += S[skb + END]! - end;
    return 0;
  }

  /** Copies the shared info; a shared old head keeps its references and loses this skb, an own one is emptied and freed. */
  function moveSharedInfo(skb: number, old: number, head: number): void {
    for (let i = FLAGS; i <= UARG; i++) H[head + i] = H[old + i]!;
    const count = H[old + NR_FRAGS]!;
    H[head + NR_FRAGS] = count;
    const base = fragBase(head);
    if (count > 0) F.copyWithin(base, fragBase(old), fragBase(old) + count * FRAG_INTS);
    if (!isCloned(skb)) {
      core.freeHead(old, S[skb + BITS]!);
      return;
    }
    const ubuf = zcopy(skb);
    if (ubuf !== 0) ubufs.get(ubuf);
    for (let i = 0; i < count; i++) fragRef(base + i * FRAG_INTS);
    cloneFragList(old);
    core.releaseData(skb);
  }

  function skbUnclone(skb: number, mask: number): number {
    return isCloned(skb) ? pskbExpandHead(skb, 0, 0, mask) : 0;
  }

  function skbHeaderUnclone(skb: number, mask: number): number {
    return core.isHeaderCloned(skb) ? pskbExpandHead(skb, 0, 0, mask) : 0;
  }

  function uncloneKeepTruesize(skb: number, mask: number): number {
    if (!isCloned(skb)) return 0;
    const end = S[skb + END]!;
    const truesize = S[skb + TRUESIZE]!;
    const error = pskbExpandHead(skb, 0, 0, mask);
    if (error !== 0) return error;
    S[skb + TRUESIZE] = truesize;
    S[skb + END] = end;
    return 0;
  }

  function cow(skb: number, headroom: number, shared: boolean): number {
    const delta = Math.max(0, headroom - S[skb + DATA]!);
    if (delta === 0 && !shared) return 0;
    const pad = config.netSkbPad;
    return pskbExpandHead(skb, Math.ceil(delta / pad) * pad, 0, gfp.atomic);
  }

  const skbCow = (skb: number, headroom: number): number => cow(skb, headroom, isCloned(skb));
  const skbCowHead = (skb: number, headroom: number): number => cow(skb, headroom, core.isHeaderCloned(skb));

  // --- copies ----------------------------------------------------------------------------------------------------------------

  function skbClone(skb: number, mask: number): number {
    if (orphanFrags(skb, mask) !== 0) return 0;
    return core.cloneShared(skb, mask);
  }

  /** skb_copy_header() */
  function copyHeader(to: number, from: number): void {
    core.copySkbHeader(to, from);
    const a = S[to + HEAD]!;
    const b = S[from + HEAD]!;
    H[a + GSO_SIZE] = H[b + GSO_SIZE]!;
    H[a + GSO_SEGS] = H[b + GSO_SEGS]!;
    H[a + GSO_TYPE] = H[b + GSO_TYPE]!;
  }

  const rxFlag = (skb: number): number => ((S[skb + BITS]! & PFMEMALLOC) !== 0 ? allocFlag.rx : 0);

  function skbCopy(skb: number, mask: number): number {
    const headroom = S[skb + DATA]!;
    const n = core.allocSkb(S[skb + END]! + S[skb + DATA_LEN]!, mask, rxFlag(skb));
    if (n === 0) return core.refused(refusedIn.copy);
    core.skbReserve(n, headroom);
    core.skbPut(n, S[skb + LEN]!);
    copyBits(skb, -headroom, headAddress[S[n + HEAD]! >> 4]!, headroom + S[skb + LEN]!);
    copyHeader(n, skb);
    return n;
  }

  function skbCopyExpand(skb: number, newHeadroom: number, newTailroom: number, mask: number): number {
    const headroom = S[skb + DATA]!;
    const len = S[skb + LEN]!;
    const n = core.allocSkb(newHeadroom + len + newTailroom, mask, rxFlag(skb));
    if (n === 0) return core.refused(refusedIn.expand);
    core.skbReserve(n, newHeadroom);
    core.skbPut(n, len);
    const keep = Math.min(headroom, newHeadroom);
    copyBits(skb, -keep, headAddress[S[n + HEAD]! >> 4]! + newHeadroom - keep, len + keep);
    copyHeader(n, skb);
    headersMove(n, newHeadroom - headroom);
    return n;
  }

  function pskbCopyFclone(skb: number, headroom: number, mask: number, fclone: boolean): number {
    const linear = headlen(skb);
    const n = core.allocSkb(linear + headroom, mask, rxFlag(skb) | (fclone ? allocFlag.fclone : 0));
    if (n === 0) return core.refused(refusedIn.pskbCopy);
    core.skbReserve(n, headroom);
    core.skbPut(n, linear);
    memory?.copy(dataAddress(n), dataAddress(skb), linear);
    S[n + TRUESIZE]! += S[skb + DATA_LEN]!;
    S[n + DATA_LEN] = S[skb + DATA_LEN]!;
    S[n + LEN] = S[skb + LEN]!;
    const from = S[skb + HEAD]!;
    const to = S[n + HEAD]!;
    if (H[from + NR_FRAGS] !== 0) {
      if (orphanFrags(skb, mask) !== 0 || zerocopyClone(n, skb, mask) !== 0) {
        core.kfreeSkb(n, dropReason.nomem);
        return 0;
      }
      shareFrags(from, to);
    }
    H[to + FRAG_LIST] = H[from + FRAG_LIST]!;
    cloneFragList(to);
    copyHeader(n, skb);
    return n;
  }

  function shareFrags(from: number, to: number): void {
    const count = H[from + NR_FRAGS]!;
    const base = fragBase(to);
    F.copyWithin(base, fragBase(from), fragBase(from) + count * FRAG_INTS);
    for (let i = 0; i < count; i++) fragRef(base + i * FRAG_INTS);
    H[to + NR_FRAGS] = count;
    H[to + FLAGS]! |= H[from + FLAGS]! & sharedFlag.sharedFrag;
  }

  const pskbCopy = (skb: number, mask: number): number => pskbCopyFclone(skb, S[skb + DATA]!, mask, false);

  function skbReallocHeadroom(skb: number, headroom: number): number {
    const delta = headroom - S[skb + DATA]!;
    if (delta <= 0) return pskbCopy(skb, gfp.atomic);
    const n = skbClone(skb, gfp.atomic);
    if (n !== 0 && pskbExpandHead(n, aligned(delta), 0, gfp.atomic) !== 0) {
      core.kfreeSkb(n, dropReason.nomem);
      return 0;
    }
    return n;
  }

  const aligned = (n: number): number => Math.ceil(n / config.cacheLineBytes) * config.cacheLineBytes;

  function skbExpandHead(skb: number, headroom: number): number {
    const delta = headroom - S[skb + DATA]!;
    const end = S[skb + END]!;
    const sk = S[skb + SK]!;
    if (delta <= 0) {
      core.warn("skb_expand_head is expecting an increase in the headroom", skb, headroom);
      return skb;
    }
    let mine = skb;
    if (S[skb + USERS] !== 1 || !core.isWmem(skb)) {
      mine = skbClone(skb, gfp.atomic);
      if (mine !== 0) {
        if (sk !== 0) core.skbSetOwnerW(mine, sk);
        core.consumeSkb(skb);
      }
    }
    if (mine === 0 || pskbExpandHead(mine, aligned(delta), 0, gfp.atomic) !== 0) {
      core.kfreeSkb(mine === 0 ? skb : mine, dropReason.nomem);
      return 0;
    }
    if (sk !== 0 && core.isWmem(mine)) {
      const more = S[mine + END]! - end;
      core.socks.wmemAlloc[sk]! += more;
      S[mine + TRUESIZE]! += more;
    }
    return mine;
  }

  function skbShareCheck(skb: number, mask: number): number {
    if (S[skb + USERS] === 1) return skb;
    const n = skbClone(skb, mask);
    if (n !== 0) core.consumeSkb(skb);
    else core.kfreeSkb(skb, dropReason.nomem);
    return n;
  }

  return {
    walk,
    copyBits,
    dataAddress,
    zcopySet,
    downgradeManaged,
    zerocopyClone,
    orphanFrags,
    copyUbufs,
    setFrag,
    headersMove,
    pskbExpandHead,
    skbUnclone,
    skbHeaderUnclone,
    uncloneKeepTruesize,
    skbCow,
    skbCowHead,
    skbClone,
    skbCopy,
    skbCopyExpand,
    pskbCopyFclone,
    pskbCopy,
    skbReallocHeadroom,
    skbExpandHead,
    skbShareCheck,
    truesize: (end: number) => truesizeOf(config, end),
  };
}
