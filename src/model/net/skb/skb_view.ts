// Reading an sk_buff out of the columns, for errors, drawings and replays. Changes nothing.
import type { FragPicture, SkbPicture } from "../../../kernel/skb_picture.ts";
import { fragField, fragInts, headField, skbBit, skbField } from "./skb_columns.ts";
import { fnvBasis } from "./skb_memory.ts";
import type { Skbs } from "./skbs.ts";

const { OFFSET: FRAG_OFFSET, SIZE: FRAG_SIZE, DESTRUCTOR: FRAG_DESTRUCTOR } = fragField;
const FRAG_INTS = fragInts;

const f = skbField;
const h = headField;

/** Everything there is to see of a live skb, frag_list included. */
export function viewSkb(skbs: Skbs, skb: number): SkbPicture {
  const { S, H, headAddress } = skbs.columns;
  const head = S[skb + f.HEAD]!;
  const bits = S[skb + f.BITS]!;
  const fragList: SkbPicture[] = [];
  for (let list = H[head + h.FRAG_LIST]!; list !== 0; list = S[list + f.NEXT]!) fragList.push(viewSkb(skbs, list));
  return {
    skb,
    head,
    headAddress: headAddress[head >> 4]!,
    data: S[skb + f.DATA]!,
    tail: S[skb + f.TAIL]!,
    end: S[skb + f.END]!,
    len: S[skb + f.LEN]!,
    dataLen: S[skb + f.DATA_LEN]!,
    truesize: S[skb + f.TRUESIZE]!,
    users: S[skb + f.USERS]!,
    cloned: (bits & skbBit.cloned) !== 0,
    nohdr: (bits & skbBit.nohdr) !== 0,
    hdrLen: S[skb + f.HDR_LEN]!,
    fclone: (bits & skbBit.fcloneMask) >> skbBit.fcloneShift,
    headFrag: (bits & skbBit.headFrag) !== 0,
    ppRecycle: (bits & skbBit.ppRecycle) !== 0,
    pfmemalloc: (bits & skbBit.pfmemalloc) !== 0,
    dataref: H[head + h.DATAREF]!,
    flags: H[head + h.FLAGS]!,
    mac: S[skb + f.MAC]!,
    net: S[skb + f.NET]!,
    trans: S[skb + f.TRANS]!,
    ipSummed: (bits & skbBit.summedMask) >> skbBit.summedShift,
    gsoSize: H[head + h.GSO_SIZE]!,
    gsoSegs: H[head + h.GSO_SEGS]!,
    gsoType: H[head + h.GSO_TYPE]!,
    frags: viewFrags(skbs, head),
    fragList,
  };
}

function viewFrags(skbs: Skbs, head: number): FragPicture[] {
  const { H, F, fragBase } = skbs.columns;
  const base = fragBase(head);
  return Array.from({ length: H[head + h.NR_FRAGS]! }, (_, i) => ({
    pfn: F[base + i * FRAG_INTS]!,
    offset: F[base + i * FRAG_INTS + FRAG_OFFSET]!,
    size: F[base + i * FRAG_INTS + FRAG_SIZE]!,
    count: skbs.pages.pageCount(F[base + i * FRAG_INTS]!),
    destructor: F[base + i * FRAG_INTS + FRAG_DESTRUCTOR]!,
  }));
}

/** FNV-1a of the first `most` payload bytes; the basis when the run keeps no bytes. */
export function payloadFnv(skbs: Skbs, skb: number, most: number): number {
  const { memory } = skbs;
  let hash = fnvBasis;
  if (memory === undefined) return hash;
  const length = Math.min(most, skbs.columns.S[skb + f.LEN]!);
  skbs.walk(skb, 0, length, (address, bytes) => {
    hash = memory.fnv(hash, address, bytes);
  });
  return hash;
}
