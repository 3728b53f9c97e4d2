// skb_segment(): one packet too long for the wire becomes several that are not (net/core/skbuff.c, 6.1.192).
//
//   |hdr|linear payload|[ f0 ][ f1 ][ f2 ] + frag_list      every segment: its own copy of hdr, then
//        |<- mss ->|<- mss ->|<- mss ->|                     with sg: references to the pages its bytes lie in
//                                                            without: a copy of the bytes
//   A frag_list member whose linear part is exactly one segment is cloned and keeps its own head.
//
// Not here: whose headers those are and what changes in them (gso.ts).

import { dropReason } from "./drop_reason.ts";
import { fragField, fragInts, headField, sharedFlag, skbBit, skbField } from "./skb_columns.ts";
import type { SkbPaged } from "./skb_paged.ts";
import type { SkbPrivate } from "./skb_private.ts";
import type { Skbuff } from "./skbuff.ts";
import { allocFlag, skbDestructor } from "./skbuff.ts";

const { OFFSET: FRAG_OFFSET, SIZE: FRAG_SIZE } = fragField;
const FRAG_INTS = fragInts;

const { HEAD, DATA, TAIL, END, LEN, DATA_LEN, TRUESIZE, BITS, MAC, NET, MAC_LEN, NEXT, SK, DESTRUCTOR } = skbField;
const { NR_FRAGS, FLAGS, GSO_SIZE, GSO_SEGS, GSO_TYPE, FRAG_LIST, PFN } = headField;
const { headFrag: HEAD_FRAG, pfmemalloc: PFMEMALLOC } = skbBit;
const DODGY = 2;

/** What the device can do: gather pages, compute checksums, segment this kind of packet itself. */
export interface SegmentFeatures {
  readonly sg: boolean;
  readonly csum: boolean;
  /** The device segments the packet's gso_type: members of a frag_list may then leave as GSO packets of their own. */
  readonly tso?: boolean;
}

/** Where the walk over the payload stands. */
interface Cursor {
  readonly head: number;
  readonly headroom: number;
  readonly headerBytes: number;
  readonly features: SegmentFeatures;
  /** Payload before this offset (from the mac header) is done. */
  offset: number;
  /** Offset at which fragment `i` of `fragSkb` begins. */
  pos: number;
  /** Next frag_list member, or 0. */
  list: number;
  fragSkb: number;
  /** -1 is the head of fragSkb taken as a fragment. */
  i: number;
}

export interface SkbSegment {
  skbSegment: (skb: number, wanted: SegmentFeatures) => number;
}

export function createSkbSegment(core: Skbuff, own: SkbPrivate, paged: SkbPaged): SkbSegment {
  const { columns, config, pages } = core;
  const { S, H, F, headAddress, fragBase, fragsMax } = columns;
  const { headlen } = core;
  const refusedIn = core.journal?.textId("skb_segment") ?? 0;
  const { pageSize } = config;
  const clonesForAll = config.segmentClones === "any device";
  const atomic = config.gfp.atomic;

  const nrFrags = (skb: number): number => H[S[skb + HEAD]! + NR_FRAGS]!;

  /** An untrusted gso_size over linear list members: pages must not be shared then. */
  function trusted(skb: number, mss: number, features: SegmentFeatures): SegmentFeatures {
    const head = S[skb + HEAD]!;
    if ((H[head + GSO_TYPE]! & DODGY) === 0 || mss === headlen(skb)) return features;
    for (let list = H[head + FRAG_LIST]!; list !== 0; list = S[list + NEXT]!)
      if (headlen(list) !== 0 && (S[list + BITS]! & HEAD_FRAG) === 0) return { ...features, sg: false };
    return features;
  }

  /** Segments of `mss` that may leave together because the device cuts the rest itself; 0 when none. */
  function partialSegments(skb: number, mss: number, features: SegmentFeatures): number {
    let len = S[skb + LEN]!;
    const first = H[S[skb + HEAD]! + FRAG_LIST]!;
    if (!features.sg || !features.csum || features.tso !== true || first === 0) return 0;
    const member = S[first + LEN]!;
    for (let list = first; list !== 0; list = S[list + NEXT]!) {
      if (S[list + LEN] !== member && S[list + NEXT] !== 0) return 0;
      if (headlen(list) !== 0 && (S[list + BITS]! & HEAD_FRAG) === 0) return 0;
      len -= S[list + LEN]!;
    }
    if (len !== member) return 0;
    const together = Math.floor(len / mss);
    return together > 1 ? together : 0;
  }

  /**
   * skb_segment(): the first of a list (next) of skbs that carry the payload in pieces of gso_size behind copies of the headers
   * from the mac header to `data`; 0 when there is no memory. The packet itself is still the caller's, with data at the mac header.
   */
  function skbSegment(skb: number, wanted: SegmentFeatures): number {
    const gsoSize = H[S[skb + HEAD]! + GSO_SIZE]!;
    const features = trusted(skb, gsoSize, wanted);
    const headerBytes = S[skb + DATA]! - S[skb + MAC]!;
    S[skb + DATA]! -= headerBytes;
    S[skb + LEN]! += headerBytes;
    const together = partialSegments(skb, gsoSize, features);
    const mss = together === 0 ? gsoSize : gsoSize * together;
    if (own.orphanFrags(skb, atomic) !== 0) return 0;
    const at: Cursor = {
      head: skb,
      headroom: S[skb + DATA]!,
      headerBytes,
      features,
      offset: headerBytes,
      pos: headlen(skb),
      list: H[S[skb + HEAD]! + FRAG_LIST]!,
      fragSkb: skb,
      i: 0,
    };
    let first = 0;
    let last = 0;
    do {
      const len = Math.min(S[skb + LEN]! - at.offset, mss);
      const segment = nextSegment(at, len);
      if (segment === 0) {
        core.kfreeSkbList(first, dropReason.nomem);
        return 0;
      }
      if (first === 0) first = segment;
      else S[last + NEXT] = segment;
      last = segment;
      if (!fillSegment(at, segment, len)) {
        core.kfreeSkbList(first, dropReason.nomem);
        return 0;
      }
      at.offset += len;
    } while (at.offset < S[skb + LEN]!);
    if (together !== 0) markPartial(skb, first, last, together, headerBytes);
    passOwner(skb, last);
    return first;
  }

  /** The skb of the next segment: a clone of the list member that is one, or a fresh one with room for headers and linear bytes. */
  function nextSegment(at: Cursor, len: number): number {
    const linear = headlen(at.head) - at.offset;
    const { list } = at;
    if (
      linear <= 0 &&
      at.i >= nrFrags(at.fragSkb) &&
      list !== 0 &&
      headlen(list) !== 0 &&
      (headlen(list) === len || at.features.sg) &&
      (clonesForAll || at.features.sg)
    )
      return cloneMember(at, len);
    const rx = (S[at.head + BITS]! & PFMEMALLOC) !== 0 ? allocFlag.rx : 0;
    const segment = core.allocSkb(linearBytes(at, len) + at.headerBytes + at.headroom, atomic, rx);
    if (segment === 0) return core.refused(refusedIn);
    core.skbReserve(segment, at.headroom);
    core.skbPut(segment, at.headerBytes);
    return segment;
  }

  function linearBytes(at: Cursor, len: number): number {
    const linear = Math.max(0, headlen(at.head) - at.offset);
    return linear > len || !at.features.sg ? len : linear;
  }

  function cloneMember(at: Cursor, len: number): number {
    const member = at.list;
    const segment = own.skbClone(member, atomic);
    if (segment === 0) return 0;
    at.i = 0;
    at.fragSkb = member;
    at.pos += headlen(member);
    const end = at.offset + len;
    while (at.pos < end) {
      const size = F[paged.fragAt(member, at.i) + FRAG_SIZE]!;
      if (at.pos + size > end) break;
      at.i++;
      at.pos += size;
    }
    at.list = S[member + NEXT]!;
    if (paged.pskbTrim(segment, len) !== 0) return dropped(segment);
    const before = S[segment + END]!;
    if (own.skbCowHead(segment, at.headerBytes + at.headroom) !== 0) return dropped(segment);
    // pskb_expand_head() has counted the growth already; the kernel counts it once more here.
    S[segment + TRUESIZE]! += S[segment + END]! - before;
    core.releaseHeadState(segment);
    S[segment + DATA]! -= at.headerBytes;
    S[segment + LEN]! += at.headerBytes;
    return segment;
  }

  function dropped(skb: number): number {
    core.kfreeSkb(skb, dropReason.nomem);
    return 0;
  }

  /** Headers and payload of one segment; false when there is no memory. */
  function fillSegment(at: Cursor, segment: number, len: number): boolean {
    const { head, features } = at;
    core.copySkbHeader(segment, head);
    own.headersMove(segment, S[segment + DATA]! - at.headroom);
    S[segment + MAC_LEN] = S[segment + NET]! - S[segment + MAC]!;
    core.memory?.copy(own.dataAddress(segment), own.dataAddress(head), at.headerBytes);
    if (S[segment + LEN] !== len + at.headerBytes) {
      if (!features.sg) {
        own.copyBits(head, at.offset, tailAddress(segment), len);
        core.skbPut(segment, len);
        if (!features.csum) S[segment + BITS]! &= ~skbBit.summedMask;
        return true;
      }
      if (!gather(at, segment, len)) return false;
    }
    if (features.csum) return true;
    const shared = S[segment + DATA_LEN] !== 0 && (H[S[segment + HEAD]! + FLAGS]! & sharedFlag.sharedFrag) !== 0;
    if (shared && paged.skbLinearize(segment) !== 0) return false;
    S[segment + BITS]! &= ~skbBit.summedMask;
    return true;
  }

  const tailAddress = (skb: number): number => headAddress[S[skb + HEAD]! >> 4]! + S[skb + TAIL]!;

  /** The linear bytes copied, the rest by reference to the pages it lies in. */
  function gather(at: Cursor, segment: number, len: number): boolean {
    const linear = linearBytes(at, len);
    own.copyBits(at.head, at.offset, tailAddress(segment), linear);
    core.skbPut(segment, linear);
    const flags = H[S[at.head + HEAD]! + FLAGS]! | H[S[at.fragSkb + HEAD]! + FLAGS]!;
    H[S[segment + HEAD]! + FLAGS]! |= flags & sharedFlag.sharedFrag;
    if (own.zerocopyClone(segment, at.fragSkb, atomic) !== 0) return false;
    const end = at.offset + len;
    while (at.pos < end) {
      if (at.i >= nrFrags(at.fragSkb) && !enterMember(at, segment)) return false;
      if (nrFrags(segment) >= fragsMax) {
        core.warn("skb_segment: too many frags", at.pos, len);
        return false;
      }
      if (!takeFrag(at, segment, end)) break;
    }
    const rest = len - linear;
    S[segment + DATA_LEN] = rest;
    S[segment + LEN]! += rest;
    S[segment + TRUESIZE]! += rest;
    return true;
  }

  /** Goes on with the fragments of the next list member; its head comes first, as a fragment, when it has linear bytes. */
  function enterMember(at: Cursor, segment: number): boolean {
    const member = at.list;
    if (own.orphanFrags(member, atomic) !== 0 || own.zerocopyClone(segment, member, atomic) !== 0) return false;
    at.fragSkb = member;
    at.i = headlen(member) === 0 ? 0 : -1;
    at.list = S[member + NEXT]!;
    H[S[segment + HEAD]! + FLAGS]! |= H[S[member + HEAD]! + FLAGS]! & sharedFlag.sharedFrag;
    return true;
  }

  /** Appends what the segment needs of the current fragment; false when the fragment goes on behind the segment. */
  function takeFrag(at: Cursor, segment: number, end: number): boolean {
    const count = nrFrags(segment);
    const to = fragBase(S[segment + HEAD]!) + count * FRAG_INTS;
    if (at.i < 0) headAsFrag(at.fragSkb, to);
    else paged.copyFrag(to, paged.fragAt(at.fragSkb, at.i));
    core.fragRef(to);
    const size = F[to + FRAG_SIZE]!;
    if (at.pos < at.offset) {
      F[to + FRAG_OFFSET]! += at.offset - at.pos;
      F[to + FRAG_SIZE]! -= at.offset - at.pos;
    }
    H[S[segment + HEAD]! + NR_FRAGS] = count + 1;
    if (at.pos + size > end) {
      F[to + FRAG_SIZE]! -= at.pos + size - end;
      return false;
    }
    at.i++;
    at.pos += size;
    return true;
  }

  function headAsFrag(skb: number, to: number): void {
    const page = pages.compoundHead(H[S[skb + HEAD]! + PFN]!);
    own.setFrag(to, page, own.dataAddress(skb) - page * pageSize, headlen(skb));
  }

  function markPartial(skb: number, first: number, last: number, together: number, headerBytes: number): void {
    const head = S[skb + HEAD]!;
    const size = H[head + GSO_SIZE]!;
    for (let s = first; s !== 0; s = S[s + NEXT]!) {
      const h = S[s + HEAD]!;
      H[h + GSO_SIZE] = size;
      H[h + GSO_SEGS] = together;
      H[h + GSO_TYPE] = H[head + GSO_TYPE]! & ~DODGY;
    }
    const payload = S[last + LEN]! - headerBytes;
    if (payload <= size) H[S[last + HEAD]! + GSO_SIZE] = 0;
    else if (last !== first) H[S[last + HEAD]! + GSO_SEGS] = Math.ceil(payload / size);
  }

  /** The last segment inherits the socket and its charge, so that back-pressure lasts until everything is sent. */
  function passOwner(skb: number, last: number): void {
    if (S[skb + DESTRUCTOR] !== skbDestructor.sockWfree) return;
    for (const field of [TRUESIZE, DESTRUCTOR, SK]) {
      const of = S[last + field]!;
      S[last + field] = S[skb + field]!;
      S[skb + field] = of;
    }
  }

  return { skbSegment };
}
