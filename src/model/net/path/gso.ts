// Generic segmentation offload of TCP over IPv4: the headers of the segments that skb_segment() makes
// (net/ipv4/tcp_offload.c, net/ipv4/af_inet.c, net/core/gro.c, 6.1.192). Needs the packet's bytes for the headers; without a byte store
// the headers are taken to be 20 bytes each and nothing is written.
//
//   | ethernet 14 | IPv4: tot_len, id, check | TCP: seq, flags, check | payload |
//                    +1 a segment, new sums     + mss, fin and psh only in the last
import { headField, skbBit, skbField } from "../skb/skb_columns.ts";
import type { SegmentFeatures } from "../skb/skb_segment.ts";
import type { Skbs } from "../skb/skbs.ts";

const { HEAD, DATA, TAIL, LEN, DATA_LEN, BITS, MAC, NET, TRANS, MAC_LEN, NEXT } = skbField;
const FIN = 1;
const PSH = 8;
const CWR = 128;

/** Sum of 16-bit words in ones' complement, big endian; an odd last byte counts as the high one. */
function sumBytes(bytes: Uint8Array, start = 0): number {
  let sum = start;
  for (let i = 0; i + 1 < bytes.length; i += 2) sum += (bytes[i]! << 8) | bytes[i + 1]!;
  if (bytes.length % 2 === 1) sum += bytes[bytes.length - 1]! << 8;
  return fold(sum);
}

function fold(sum: number): number {
  let s = sum;
  while (s > 0xffff) s = (s % 65536) + Math.floor(s / 65536);
  return s;
}

export interface Gso {
  /** __skb_gso_segment() for TCP over IPv4 over Ethernet: the first segment (next leads on), or 0. The packet stays the caller's. */
  skbGsoSegment(skb: number, features: SegmentFeatures): number;
}

export function createGso(skbs: Skbs): Gso {
  const { memory, columns } = skbs;
  const { S, H, headAddress } = columns;

  const at = (skb: number, offset: number): number => headAddress[S[skb + HEAD]! >> 4]! + offset;
  const u8 = (address: number): number => memory?.read(address, 1)[0] ?? 0;
  const u16 = (address: number): number => (u8(address) << 8) | u8(address + 1);
  const u32 = (address: number): number => u16(address) * 65536 + u16(address + 2);
  const put16 = (address: number, value: number): void =>
    memory?.write(address, Uint8Array.of((value >>> 8) & 255, value & 255));

  function pull(skb: number, bytes: number): void {
    S[skb + DATA]! += bytes;
    S[skb + LEN]! -= bytes;
  }

  /** Where the headers begin and how long they are; pulls them all off. False when the packet is too short for them. */
  function pullHeaders(skb: number): { readonly ip: number; readonly tcp: number } | undefined {
    S[skb + MAC] = S[skb + DATA]!;
    const macLength = S[skb + NET]! - S[skb + MAC]!;
    pull(skb, macLength);
    S[skb + NET] = S[skb + DATA]!;
    if (!skbs.pskbMayPull(skb, 20)) return undefined;
    const ip = memory === undefined ? 20 : (u8(at(skb, S[skb + NET]!)) & 15) * 4;
    if (ip < 20 || !skbs.pskbMayPull(skb, ip)) return undefined;
    pull(skb, ip);
    S[skb + TRANS] = S[skb + DATA]!;
    if (!skbs.pskbMayPull(skb, 20)) return undefined;
    const tcp = memory === undefined ? 20 : (u8(at(skb, S[skb + TRANS]! + 12)) >> 4) * 4;
    return tcp < 20 || !skbs.pskbMayPull(skb, tcp) ? undefined : { ip, tcp };
  }

  function skbGsoSegment(skb: number, features: SegmentFeatures): number {
    const mss = H[S[skb + HEAD]! + headField.GSO_SIZE]!;
    const headers = pullHeaders(skb);
    const back = (): void => pull(skb, S[skb + MAC]! - S[skb + DATA]!);
    if (headers === undefined) {
      back();
      return 0;
    }
    const wholeTcp = S[skb + LEN]!;
    pull(skb, headers.tcp);
    if (S[skb + LEN]! <= mss) {
      back();
      return 0;
    }
    const first = skbs.skbSegment(skb, features);
    back();
    if (first === 0) return 0;
    if (memory !== undefined) {
      tcpHeaders(first, wholeTcp, headers.tcp, mss * Math.max(1, H[S[first + HEAD]! + headField.GSO_SEGS]!));
      ipHeaders(first, S[skb + NET]! - S[skb + MAC]!, u16(at(skb, S[skb + NET]! + 4)));
    } else for (let s = first; s !== 0; s = S[s + NEXT]!) S[s + MAC_LEN] = S[s + NET]! - S[s + MAC]!;
    return first;
  }

  /** Sequence numbers, flags and checksums. The sum in the packet covers the length of the whole: each segment's is corrected by the difference. */
  function tcpHeaders(first: number, wholeTcp: number, header: number, mss: number): void {
    const th = (s: number): number => at(s, S[s + TRANS]!);
    let seq = u32(th(first) + 4);
    const corrected = (check: number, length: number): number =>
      fold(check + fold(0x100000000 - 1 - wholeTcp + length));
    const middle = corrected(u16(th(first) + 16), header + mss);
    for (let s = first; s !== 0; s = S[s + NEXT]!) {
      const last = S[s + NEXT] === 0;
      const flags = th(s) + 13;
      if (s !== first) {
        put16(th(s) + 4, Math.floor(seq / 65536));
        put16(th(s) + 6, seq % 65536);
        memory?.write(flags, Uint8Array.of(u8(flags) & ~CWR));
      }
      if (!last) memory?.write(flags, Uint8Array.of(u8(flags) & ~(FIN | PSH)));
      const length = S[s + TAIL]! - S[s + TRANS]! + S[s + DATA_LEN]!;
      put16(th(s) + 16, last ? corrected(u16(th(s) + 16), length) : middle);
      if ((S[s + BITS]! & skbBit.summedMask) >> skbBit.summedShift !== 3) put16(th(s) + 16, tcpChecksum(s, length));
      seq = (seq + mss) % 4294967296;
    }
  }

  /** The checksum over header and payload, with the pseudo header's sum standing in its field. */
  function tcpChecksum(s: number, length: number): number {
    let sum = 0;
    let odd = false;
    skbs.walk(s, S[s + TRANS]! - S[s + DATA]!, length, (address, bytes) => {
      const piece = memory?.read(address, bytes) ?? new Uint8Array(0);
      const one = sumBytes(piece);
      sum = fold(sum + (odd ? ((one & 255) << 8) | (one >> 8) : one));
      odd = odd !== (bytes % 2 === 1);
    });
    return ~sum & 0xffff;
  }

  function ipHeaders(first: number, networkOffset: number, firstId: number): void {
    let id = firstId;
    for (let s = first; s !== 0; s = S[s + NEXT]!) {
      const network = S[s + MAC]! + networkOffset;
      const iph = at(s, network);
      put16(iph + 4, id);
      id = (id + Math.max(1, H[S[s + HEAD]! + headField.GSO_SEGS]!)) & 0xffff;
      put16(iph + 2, S[s + LEN]! - networkOffset);
      put16(iph + 10, 0);
      put16(iph + 10, ~sumBytes(memory?.read(iph, (u8(iph) & 15) * 4) ?? new Uint8Array(0)) & 0xffff);
      S[s + NET] = network;
      S[s + MAC_LEN] = network - S[s + MAC]!;
    }
  }

  return { skbGsoSegment };
}
