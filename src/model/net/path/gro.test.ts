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
  /** The next segment of that stream, a page whose driver asks for the sk_buff that GRO keeps; gives that sk_buff. */
  const page = (bytes: number, elide = false): number => {
    const skb = gro.getFrags(napi);
    skbs.skbAddRxFrag(skb, 0, skbs.outside.allocPages(skbs.config.gfp.atomic, 0), 0, HEADERS + bytes, 4096);
    S[skb + packetField.KIND] = frameKind.tcp;
    S[skb + packetField.FLOW] = 1;
    S[skb + packetField.SEQ] = seq;
    seq += bytes;
    gro.receiveFrags(napi, elide);
    return skb;
  };
  const ends = (kept = 0): void => {
    gro.flush(napi);
    if (kept !== 0) {
      expect(gro.getFrags(napi)).toBe(kept);
      skbs.kfreeSkb(kept);
    }
    expect([skbs.columns.skbsLive(), skbs.columns.headsLive()]).toEqual([0, 0]);
  };
  return { skbs, segment, page, up, ends };
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

test("a page that is merged leaves its sk_buff for the next (napi_reuse_skb())", () => {
  const { page, up, ends } = lab();
  const held = page(1000);
  const lent = page(1000);
  expect(lent).not.toBe(held);
  expect([page(1000), page(1000)]).toEqual([lent, lent]);
  ends(lent);
  expect(up.map((p) => [p.len, ...p.gso])).toEqual([[HEADERS + 4000, 1000, 4]]);
});

test("17 pages are one packet's fragments; the next hangs behind it with its sk_buff, and those after it join that one", () => {
  const { page, up, ends } = lab();
  page(1000);
  const lent = page(1000);
  for (let i = 2; i < 17; i++) expect(page(1000)).toBe(lent);
  expect(page(1000)).toBe(lent);
  const second = page(1000);
  expect(second).not.toBe(lent);
  ends(second);
  expect(up.map((p) => [p.len, ...p.gso])).toEqual([[HEADERS + 19000, 1000, 19]]);
});

test("without GRO each page goes up by itself, and its sk_buff with it", () => {
  const { page, up, ends } = lab();
  page(1000, true);
  page(1000, true);
  ends();
  expect(up.map((p) => [p.len, ...p.gso])).toEqual([
    [HEADERS + 1000, 0, 0],
    [HEADERS + 1000, 0, 0],
  ]);
});
