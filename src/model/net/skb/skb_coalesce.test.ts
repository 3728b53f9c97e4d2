// Where skb_try_coalesce() says yes and where no (net/core/skbuff.c, 6.1.192): the edges that random sequences seldom meet.
import { describe, expect, test } from "vitest";
import { parseRelease } from "../../../kernel/release.ts";
import { slabPartsOf } from "../../kernels/slab_parts.ts";
import { createNaivePages } from "../../mm/pages.ts";
import { createNaiveHeap } from "./naive_heap.ts";
import { createReceiveCaches } from "./napi_alloc_cache.ts";
import type { OwnedSkbs } from "./ownership.ts";
import { createOwnedSkbs } from "./ownership.ts";
import { headField, sharedFlag, skbField } from "./skb_columns.ts";

const atomic = 0xa20;
const MAX_SKB_FRAGS = 17;

function world(): OwnedSkbs {
  const pages = createNaivePages(1 << 18, 16);
  const heap = createNaiveHeap({ pages });
  const receive = (view: typeof pages) => createReceiveCaches(slabPartsOf(parseRelease("6.1.192")).pageFrag, view, 1);
  return createOwnedSkbs({ pages, heap, receive, skbsMax: 2048 });
}

function addFrags(skbs: OwnedSkbs, skb: number, count: number): number {
  for (let i = 0; i < count; i++) skbs.skbAddRxFrag(skb, i, skbs.outside.allocPages(atomic, 0), 0, 1000, 4096);
  return skb;
}

/** An skb with nothing in its head and `count` fragments of 1000 bytes. */
const headless = (skbs: OwnedSkbs, count: number): number => addFrags(skbs, skbs.allocSkb(0, atomic), count);

/** An skb whose head is a page fragment with 1200 bytes in it, and `count` fragments. */
function received(skbs: OwnedSkbs, count: number): number {
  const skb = skbs.netdevAllocSkb(1500, atomic);
  skbs.skbPut(skb, 1200);
  return addFrags(skbs, skb, count);
}

const no = { merged: false, headStolen: false, deltaTruesize: -1 };

describe("fragments are joined", () => {
  test.each([
    [10, 7, true],
    [10, 8, false],
    [17, 1, false],
  ])("%i and %i of them: %s, for an skb holds 17", (a, b, merged) => {
    const skbs = world();
    const to = headless(skbs, a);
    const from = headless(skbs, b);
    expect(skbs.skbTryCoalesce(to, from).merged).toBe(merged);
    expect(skbs.nrFrags(to)).toBe(merged ? a + b : a);
  });

  test.each([
    [10, 6, true],
    [10, 7, false],
  ])("%i and a page head with %i behind it: %s, for the head becomes a fragment too", (a, b, merged) => {
    const skbs = world();
    const to = headless(skbs, a);
    const from = received(skbs, b);
    const result = skbs.skbTryCoalesce(to, from);
    expect([result.merged, result.headStolen]).toEqual([merged, merged]);
    expect(skbs.nrFrags(to)).toBe(merged ? MAX_SKB_FRAGS : a);
  });

  test("not from a head that kmalloc gave, nor from a page head that a clone shares", () => {
    const skbs = world();
    const kmalloced = skbs.allocSkb(2000, atomic);
    skbs.skbPut(kmalloced, 2000);
    expect(skbs.skbTryCoalesce(headless(skbs, 1), kmalloced)).toEqual(no);
    const shared = received(skbs, 0);
    skbs.skbClone(shared, atomic);
    expect(skbs.skbTryCoalesce(headless(skbs, 1), shared)).toEqual(no);
  });

  test("not when either has a frag_list", () => {
    const skbs = world();
    const listed = headless(skbs, 1);
    skbs.fragListAppend(listed, received(skbs, 0));
    expect(skbs.skbTryCoalesce(headless(skbs, 1), listed)).toEqual(no);
    expect(skbs.skbTryCoalesce(listed, headless(skbs, 1))).toEqual(no);
  });

  test("not into an skb whose data a clone shares", () => {
    const skbs = world();
    const to = headless(skbs, 1);
    skbs.skbClone(to, atomic);
    expect(skbs.skbTryCoalesce(to, headless(skbs, 1))).toEqual(no);
  });

  test("with a reference each when a clone of the source stays, with none when it is alone", () => {
    const skbs = world();
    const alone = headless(skbs, 2);
    skbs.skbTryCoalesce(headless(skbs, 1), alone);
    expect(skbs.nrFrags(alone)).toBe(0);
    const cloned = headless(skbs, 2);
    skbs.skbClone(cloned, atomic);
    skbs.skbTryCoalesce(headless(skbs, 1), cloned);
    expect(skbs.nrFrags(cloned)).toBe(2);
  });
});

test("a fragment that others may write makes the joined skb say so too, if any fragment came along", () => {
  const skbs = world();
  const flagsOf = (skb: number): number => skbs.columns.S[skb + skbField.HEAD]! + headField.FLAGS;
  const to = headless(skbs, 1);
  const from = headless(skbs, 1);
  skbs.columns.H[flagsOf(from)] = sharedFlag.sharedFrag;
  skbs.skbTryCoalesce(to, from);
  expect(skbs.columns.H[flagsOf(to)]! & sharedFlag.sharedFrag).toBe(sharedFlag.sharedFrag);
});

test("bytes that fit behind the data are copied, fragments and all; what memory they had stays the source's", () => {
  const skbs = world();
  const to = skbs.allocSkb(4000, atomic);
  const from = received(skbs, 2);
  const truesize = skbs.columns.S[to + skbField.TRUESIZE];
  expect(skbs.skbTryCoalesce(to, from)).toEqual({ merged: true, headStolen: false, deltaTruesize: 0 });
  expect(skbs.nrFrags(to)).toBe(0);
  expect(skbs.columns.S[to + skbField.TRUESIZE]).toBe(truesize);
});
