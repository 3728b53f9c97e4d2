// What the stack does with a lab's packets that takes more than one operation on an sk_buff: merging them on receive, cutting them on send.
import { createGro } from "../path/gro.ts";
import { frameKind, headerBytes } from "../path/wire.ts";
import { headField, skbField } from "../skb/skb_columns.ts";
import type { Skbs } from "../skb/skbs.ts";

const { HEAD, DATA, LEN, MAC, NET, NEXT, PROTOCOL, CB0, CB1 } = skbField;
const { GSO_SIZE, GSO_SEGS } = headField;

/** Packets of one TCP connection, each following the one before, through GRO in one poll: what comes out, in order. */
export function throughGro(skbs: Skbs, packets: readonly number[]): number[] {
  const { S, H } = skbs.columns;
  const out: number[] = [];
  const gro = createGro(skbs, (skb) => void out.push(skb));
  const napi = gro.add();
  let seq = 0;
  for (const skb of packets) {
    const head = S[skb + HEAD] as number;
    H[head + GSO_SIZE] = 0;
    H[head + GSO_SEGS] = 0;
    S[skb + PROTOCOL] = frameKind.tcp;
    S[skb + CB0] = 1;
    S[skb + CB1] = seq;
    seq += (S[skb + LEN] as number) - headerBytes[frameKind.tcp];
    gro.receive(napi, skb);
  }
  gro.flush(napi);
  return out;
}

/** skb_segment() of an skb whose linear part is all header, for a device that gathers: skbs of at most `mss` payload bytes; none without memory. */
export function segmentPaged(skbs: Skbs, skb: number, mss: number): number[] {
  const { S, H } = skbs.columns;
  S[skb + MAC] = S[skb + DATA] as number;
  S[skb + NET] = S[skb + DATA] as number;
  skbs.skbPull(skb, skbs.headlen(skb));
  H[(S[skb + HEAD] as number) + GSO_SIZE] = mss;
  const pieces: number[] = [];
  for (let piece = skbs.skbSegment(skb, { sg: true, csum: true }); piece !== 0; ) {
    pieces.push(piece);
    const next = S[piece + NEXT] as number;
    S[piece + NEXT] = 0;
    piece = next;
  }
  return pieces;
}
