// What becomes of packets that are held to be merged: napi_gro_complete(), skb_gro_receive(), net/core/gro.c, 6.1.192.
import { expect, test } from "vitest";
import { parseRelease } from "../../../kernel/release.ts";
import { slabPartsOf } from "../../kernels/slab_parts.ts";
import { createNaivePages } from "../../mm/pages.ts";
import { createNaiveHeap } from "../skb/naive_heap.ts";
import { createReceiveCaches } from "../skb/napi_alloc_cache.ts";
import { createOwnedSkbs } from "../skb/ownership.ts";
import { headField, skbBit, skbField } from "../skb/skb_columns.ts";
import { createGro } from "./gro.ts";
import { packetField } from "./receive.ts";
import { frameKind, headerBytes } from "./wire.ts";

const { LEN, TRUESIZE, HEAD, BITS } = skbField;
const { GSO_SIZE, GSO_SEGS } = headField;
const HEADERS = headerBytes[frameKind.tcp];

function lab() {
  const pages = createNaivePages(1 << 12, 16);
  const receive = (view: typeof pages) => createReceiveCaches(slabPartsOf(parseRelease("6.1.192")).pageFrag, view, 1);
  const skbs = createOwnedSkbs({ pages, heap: createNaiveHeap({ pages }), receive, skbsMax: 256 });
  const { S, H } = skbs.columns;
  const up: { len: number; truesize: number; gso: number[] }[] = [];
  const gro = createGro(skbs, (skb) => {
    const head = S[skb + HEAD]!;
    up.push({ len: S[skb + LEN]!, truesize: S[skb + TRUESIZE]!, gso: [H[head + GSO_SIZE]!, H[head + GSO_SEGS]!] });
    skbs.consumeSkb(skb);
  });
  const napi = gro.add();
  let seq = 0;
  /** The next segment of one stream; gives its truesize. */
  const segment = (bytes: number, bits = 0): number => {
    const skb = skbs.netdevAllocSkb(HEADERS + bytes, skbs.config.gfp.atomic);
    skbs.skbPut(skb, HEADERS + bytes);
    S[skb + packetField.KIND] = frameKind.tcp;
    S[skb + packetField.FLOW] = 1;
    S[skb + packetField.SEQ] = seq;
    S[skb + BITS]! |= bits;
    seq += bytes;
    const truesize = S[skb + TRUESIZE]!;
    gro.receive(napi, skb);
    return truesize;
  };
  const ends = (): void => {
    gro.flush(napi);
    expect([skbs.columns.skbsLive(), skbs.columns.headsLive()]).toEqual([0, 0]);
  };
  return { skbs, segment, up, ends };
}

test("a packet that stays alone goes up without gso_size", () => {
  const { segment, up, ends } = lab();
  segment(1000);
  ends();
  expect(up.map((p) => [p.len, ...p.gso])).toEqual([[HEADERS + 1000, 0, 0]]);
});

test("a merged packet is charged for both buffers, less the sk_buff that went: 256 bytes for its 232", () => {
  const { segment, up, ends } = lab();
  const both = segment(1000) + segment(1000);
  ends();
  expect(up).toEqual([{ len: HEADERS + 2000, truesize: both - 256, gso: [1000, 2] }]);
});

test("pages of a pool and others are not merged: one bit of the sk_buff says for all of them how they are freed", () => {
  const { segment, up, ends } = lab();
  segment(1000);
  segment(1000, skbBit.ppRecycle);
  ends();
  expect(up.map((p) => p.gso)).toEqual([
    [0, 0],
    [0, 0],
  ]);
});

test.each([
  [1469, [65535]],
  [1470, [64066, 1536]],
])("64066 bytes and %i more: %j, for a packet stays below 65536 bytes (GRO_LEGACY_MAX_SIZE)", (last, lengths) => {
  const { segment, up, ends } = lab();
  for (let i = 0; i < 8; i++) segment(8000);
  segment(last);
  ends();
  expect(up.map((p) => p.len)).toEqual(lengths);
});
