// Generic receive offload: packets of one TCP stream that follow each other become one packet with many fragments, until the poll ends.
// dev_gro_receive(), skb_gro_receive() (net/core/gro.c) and tcp_gro_receive() (net/ipv4/tcp_offload.c), 6.1.192.
//
//   payload in page fragments     the fragments move over, the emptied sk_buff is freed
//   head is a page fragment       the head becomes a fragment: its sk_buff goes, its memory stays
//   head from kmalloc, or full    the whole skb hangs on the frag_list
//
// A packet's headers stand in front of its payload in the linear part, headerBytes[kind] of them (wire.ts). A driver whose buffers are pages may
// hand them up in the one sk_buff that a NAPI context keeps (napi_get_frags()): merged into another packet, it is there again for the next.
// Not here: UDP GRO (off by default).
import { fragField, fragInts, headField, skbBit, skbField } from "../skb/skb_columns.ts";
import { dataAlign, truesizeOf } from "../skb/skb_config.ts";
import type { Skbs } from "../skb/skbs.ts";
import { frameKind, headerBytes } from "./wire.ts";

const { OFFSET: FRAG_OFFSET, SIZE: FRAG_SIZE } = fragField;
const FRAG_INTS = fragInts;

const { HEAD, DATA, LEN, DATA_LEN, TRUESIZE, BITS, END, NEXT, CB0, CB1, CB3, PROTOCOL } = skbField;
const { NR_FRAGS, FRAG_LIST, PFN, GSO_SIZE, GSO_SEGS, GSO_TYPE } = headField;
const tcpHeaders = headerBytes[frameKind.tcp];
/** Packets that one hash bucket holds before the oldest goes up. */
const bucketMax = 8;
const buckets = 8;
/** GRO_LEGACY_MAX_SIZE */
const bytesMax = 65536;
/** GRO_MAX_HEAD, include/linux/netdevice.h, without tunnels: every size up to it is one slice. */
const groMaxHead = 192;

export interface Gro {
  /** Makes a place for the packets of one NAPI context; its number is for the others. */
  add(): number;
  /** napi_gro_receive(): takes the packet; it goes up now, later, or as part of another. */
  receive(napi: number, skb: number): void;
  /** napi_gro_flush(): everything held goes up, oldest first. */
  flush(napi: number): void;
  /** Packets held now. */
  held(napi: number): number;
  /** Packets that became part of another since boot. */
  merged(): number;
}

/** What a driver's host calls as well. */
export interface GroOfHosts extends Gro {
  /** napi_get_frags(): the empty sk_buff that the context keeps for fragments, the same one until receiveFrags(); 0 without memory. */
  getFrags(napi: number): number;
  /** napi_gro_frags(): takes what getFrags() gave, headers still in the first fragment; with `elide` (GRO is off) it goes up by itself. */
  receiveFrags(napi: number, elide?: boolean): void;
}

/** `deliver` takes what comes out: netif_receive_skb(). */
export function createGro(skbs: Skbs, deliver: (skb: number) => void): GroOfHosts {
  const { S, H, F, headAddress, fragsMax, fragBase } = skbs.columns;
  const { config } = skbs;
  const { pageSize } = config;
  const skBuffRoom = dataAlign(config, config.skBuffBytes);
  /** Rows of `bucketMax` skbs, one a bucket, oldest first; and how many are in each. */
  const rows: Int32Array[] = [];
  const counts: Int32Array[] = [];
  const totals: number[] = [];
  /** napi->skb; 0 for none. */
  const kept: number[] = [];
  let merged = 0;

  const payload = (skb: number): number => S[skb + LEN]! - tcpHeaders;

  const complete = (skb: number): void => {
    // A packet alone is no GSO packet.
    const head = S[skb + HEAD]!;
    if (H[head + GSO_SEGS] === 1) {
      H[head + GSO_SIZE] = 0;
      H[head + GSO_SEGS] = 0;
    }
    deliver(skb);
  };

  const take = (napi: number, bucket: number, at: number): number => {
    const row = rows[napi]!;
    const base = bucket * bucketMax;
    const skb = row[base + at]!;
    const left = --counts[napi]![bucket]!;
    for (let i = at; i < left; i++) row[base + i] = row[base + i + 1]!;
    totals[napi]!--;
    return skb;
  };

  /** The last skb of the chain that a held packet is: fragments are appended to it. */
  const lastOf = (skb: number): number => {
    let last = H[S[skb + HEAD]! + FRAG_LIST]!;
    if (last === 0) return skb;
    while (S[last + NEXT] !== 0) last = S[last + NEXT]!;
    return last;
  };

  const moveFrags = (to: number, from: number): void => {
    const a = S[to + HEAD]!;
    const b = S[from + HEAD]!;
    const at = H[a + NR_FRAGS]!;
    const count = H[b + NR_FRAGS]!;
    for (let i = 0; i < count; i++) skbs.copyFrag(fragBase(a) + (at + i) * FRAG_INTS, fragBase(b) + i * FRAG_INTS);
    H[a + NR_FRAGS] = at + count;
    H[b + NR_FRAGS] = 0;
  };

  const grow = (skb: number, bytes: number, truesize: number): void => {
    S[skb + LEN]! += bytes;
    S[skb + DATA_LEN]! += bytes;
    S[skb + TRUESIZE]! += truesize;
  };

  /** napi_reuse_skb(): its fragments went to another packet, sk_buff and head stay. */
  const keep = (napi: number, skb: number): void => {
    if ((S[skb + BITS]! & skbBit.pfmemalloc) !== 0) {
      skbs.consumeSkb(skb);
      return;
    }
    S[skb + TRUESIZE] = truesizeOf(config, S[skb + END]!);
    kept[napi] = skb;
  };

  /** The stack wants the headers in the linear part; GRO_MAX_HEAD has room for them. */
  const pullHeaders = (skb: number): void => {
    const headers = headerBytes[(S[skb + PROTOCOL]! & 255) as 0 | 1 | 2];
    skbs.pskbMayPull(skb, Math.min(headers, S[skb + LEN]!));
  };

  /** skb_gro_receive(): false when the packet has to stay one of its own. `keeper` gets the sk_buff back that only lent its fragments; -1: nobody. */
  const join = (p: number, skb: number, keeper: number): boolean => {
    const bytes = payload(skb);
    if (((S[p + BITS]! ^ S[skb + BITS]!) & skbBit.ppRecycle) !== 0) return false;
    if (S[p + LEN]! + bytes >= bytesMax) return false;
    const last = lastOf(p);
    const a = S[last + HEAD]!;
    const b = S[skb + HEAD]!;
    const linear = skbs.headlen(skb);
    const frags = H[a + NR_FRAGS]! + H[b + NR_FRAGS]!;
    let truesize: number;
    if (linear <= tcpHeaders && frags <= fragsMax) {
      const over = tcpHeaders - linear;
      const f = fragBase(b);
      F[f + FRAG_OFFSET]! += over;
      F[f + FRAG_SIZE]! -= over;
      truesize = S[skb + TRUESIZE]! - truesizeOf(config, S[skb + END]!);
      S[skb + TRUESIZE]! -= S[skb + DATA_LEN]!;
      S[skb + LEN]! -= S[skb + DATA_LEN]!;
      S[skb + DATA_LEN] = 0;
      moveFrags(last, skb);
      if (keeper < 0) skbs.napiConsumeSkb(skb, 1);
      else keep(keeper, skb);
    } else if (linear > tcpHeaders && (S[skb + BITS]! & skbBit.headFrag) !== 0 && frags < fragsMax) {
      const page = skbs.pages.compoundHead(H[b + PFN]!);
      const offset = headAddress[b >> 4]! + S[skb + DATA]! + tcpHeaders - page * pageSize;
      skbs.fillPageDesc(last, H[a + NR_FRAGS]!, page, offset, linear - tcpHeaders);
      moveFrags(last, skb);
      truesize = S[skb + TRUESIZE]! - skBuffRoom;
      skbs.kfreeSkbPartial(skb, true);
    } else {
      truesize = S[skb + TRUESIZE]!;
      if (skbs.pskbPull(skb, tcpHeaders) < 0) return false;
      skbs.headerRelease(skb);
      skbs.fragListAppend(p, skb);
      // fragListAppend has counted everything.
      return true;
    }
    grow(p, bytes, truesize);
    if (last !== p) grow(last, bytes, truesize);
    return true;
  };

  const flush = (napi: number): void => {
    const count = counts[napi]!;
    for (let bucket = 0; totals[napi]! > 0 && bucket < buckets; bucket++)
      while (count[bucket]! > 0) complete(take(napi, bucket, 0));
  };

  /** dev_gro_receive(); of fragments alone (`frags`) the headers are pulled only where the packet is not merged. */
  const gather = (napi: number, skb: number, frags: boolean): void => {
    if ((S[skb + PROTOCOL]! & 255) !== frameKind.tcp) {
      if (frags) pullHeaders(skb);
      deliver(skb);
      return;
    }
    const bucket = S[skb + CB0]! & (buckets - 1);
    const row = rows[napi]!;
    const base = bucket * bucketMax;
    const bytes = payload(skb);
    const held = counts[napi]![bucket]!;
    for (let i = 0; i < held; i++) {
      const p = row[base + i]!;
      if (S[p + CB0] !== S[skb + CB0]) continue;
      const head = S[p + HEAD]!;
      const mss = H[head + GSO_SIZE]!;
      const follows =
        S[p + CB1]! + payload(p) === S[skb + CB1] &&
        S[p + CB3] === S[skb + CB3] &&
        S[p + PROTOCOL] === S[skb + PROTOCOL] &&
        bytes > 0 &&
        bytes <= mss &&
        H[S[skb + HEAD]! + GSO_SIZE] === 0;
      if (follows && join(p, skb, frags ? napi : -1)) {
        merged++;
        H[head + GSO_SEGS]!++;
        // A short segment ends a burst.
        if (bytes < mss) complete(take(napi, bucket, i));
        return;
      }
      complete(take(napi, bucket, i));
      break;
    }
    if (frags) pullHeaders(skb);
    // What the card put together already goes up by itself (skb_is_gso() and skb_has_frag_list() in dev_gro_receive()).
    if (bytes <= 0 || H[S[skb + HEAD]! + GSO_SIZE] !== 0) {
      deliver(skb);
      return;
    }
    if (counts[napi]![bucket] === bucketMax) complete(take(napi, bucket, 0));
    const head = S[skb + HEAD]!;
    H[head + GSO_SIZE] = bytes;
    H[head + GSO_SEGS] = 1;
    H[head + GSO_TYPE] = 1;
    row[base + counts[napi]![bucket]!++] = skb;
    totals[napi]!++;
  };

  return {
    add() {
      kept.push(0);
      rows.push(new Int32Array(buckets * bucketMax));
      counts.push(new Int32Array(buckets));
      return totals.push(0) - 1;
    },
    receive: (napi, skb) => gather(napi, skb, false),
    getFrags: (napi) => (kept[napi] ||= skbs.napiAllocSkb(groMaxHead)),
    receiveFrags(napi, elide = false) {
      const skb = kept[napi]!;
      kept[napi] = 0;
      if (!elide) {
        gather(napi, skb, true);
        return;
      }
      pullHeaders(skb);
      deliver(skb);
    },
    flush,
    held: (napi) => totals[napi]!,
    merged: () => merged,
  };
}
