import { describe, expect, test } from "vitest";
import { prng } from "../../../base/prng.ts";
import { parseRelease } from "../../../kernel/release.ts";
import { slabPartsOf } from "../../kernels/slab_parts.ts";
import { createNaivePages } from "../../mm/pages.ts";
import { createNaiveHeap } from "./naive_heap.ts";
import { createReceiveCaches } from "./napi_alloc_cache.ts";
import type { OwnedSkbs, OwnershipFault } from "./ownership.ts";
import { createOwnedSkbs, OwnershipError } from "./ownership.ts";
import { headField, skbField } from "./skb_columns.ts";
import { allocFlag } from "./skbuff.ts";

const atomic = 0xa20;

function world(): { skbs: OwnedSkbs; faults: OwnershipFault[] } {
  const faults: OwnershipFault[] = [];
  const pages = createNaivePages(1 << 18, 16);
  const heap = createNaiveHeap({ pages });
  const receive = (view: typeof pages) => createReceiveCaches(slabPartsOf(parseRelease("6.1.192")).pageFrag, view, 1);
  const skbs = createOwnedSkbs({ pages, heap, receive, skbsMax: 2048 }, { onFault: (f) => void faults.push(f) });
  return { skbs, faults };
}

/** An skb with 100 linear bytes and one page fragment of 1000, whose page nobody else holds. */
function paged(skbs: OwnedSkbs): { skb: number; pfn: number } {
  const skb = skbs.allocSkb(200, atomic);
  skbs.skbReserve(skb, 50);
  skbs.skbPut(skb, 100);
  const pfn = skbs.outside.allocPages(atomic, 0);
  skbs.skbAddRxFrag(skb, 0, pfn, 0, 1000, 4096);
  return { skb, pfn };
}

describe("a fault is caught at the operation that makes it, with the history", () => {
  test("use after free: a field is changed after kfree_skb", () => {
    const { skbs, faults } = world();
    const skb = skbs.allocSkb(100, atomic);
    skbs.kfreeSkb(skb);
    skbs.skbPut(skb, 10);
    expect(faults.map((f) => f.kind)).toEqual(["use after free"]);
    expect(faults[0]?.operation).toBe(`#3 skb_put(skb ${skb}, 10)`);
    expect(faults[0]?.history).toEqual([
      `#1 alloc_skb(100, GFP_ATOMIC) -> skb ${skb}`,
      `#2 kfree_skb(skb ${skb})`,
      `#3 skb_put(skb ${skb}, 10): use after free`,
    ]);
  });

  test("a stale handle stays stale while others are allocated", () => {
    const { skbs, faults } = world();
    const skb = skbs.allocSkb(100, atomic);
    skbs.kfreeSkb(skb);
    for (let i = 0; i < 20; i++) skbs.allocSkb(100, atomic);
    skbs.skbPull(skb, 0);
    expect(faults.map((f) => f.kind)).toEqual(["use after free"]);
  });

  test("double free", () => {
    const { skbs, faults } = world();
    const skb = skbs.allocSkb(100, atomic);
    skbs.kfreeSkb(skb);
    skbs.consumeSkb(skb);
    expect(faults.map((f) => [f.kind, f.operation])).toEqual([["double free", `#3 consume_skb(skb ${skb})`]]);
  });

  test("a story tells a mask as a mask, and a length or a flag beside it as the number that it is", () => {
    const { skbs, faults } = world();
    const received = skbs.napiAllocSkb(256);
    const twin = skbs.allocSkb(256, 0, 1);
    for (const skb of [received, twin]) {
      skbs.kfreeSkb(skb);
      skbs.skbPut(skb, 10);
    }
    expect(faults.map((f) => f.history[0])).toEqual([
      `#1 napi_alloc_skb(256) -> skb ${received}`,
      expect.stringContaining(`alloc_skb(256, 0x0, 1) -> skb ${twin}`),
    ]);
  });

  test("freeing an skb that only a frag_list holds", () => {
    const { skbs, faults } = world();
    const parent = skbs.allocSkb(100, atomic);
    const member = skbs.allocSkb(100, atomic);
    skbs.fragListAppend(parent, member);
    skbs.kfreeSkb(member);
    expect(faults.map((f) => f.kind)).toEqual(["double free"]);
    expect(faults[0]?.picture?.skb).toBe(member);
  });

  test("write to shared data, and header written in a clone", () => {
    const { skbs, faults } = world();
    const { skb } = paged(skbs);
    const clone = skbs.skbClone(skb, atomic);
    skbs.write(clone, 0, 4);
    skbs.skbPush(clone, 14);
    expect(faults.map((f) => f.kind)).toEqual(["write to shared data", "header written in a clone"]);
    expect(skbs.skbCowHead(clone, 14)).toBe(0);
    skbs.skbPush(clone, 14);
    expect(faults).toHaveLength(2);
  });

  test("a clone of a headerless skb may have its header written, as TCP does", () => {
    const { skbs, faults } = world();
    const skb = skbs.allocSkb(200, atomic);
    skbs.skbReserve(skb, 100);
    skbs.headerRelease(skb);
    const clone = skbs.skbClone(skb, atomic);
    skbs.skbPush(clone, 20);
    expect(faults).toEqual([]);
    skbs.kfreeSkb(clone);
    skbs.kfreeSkb(skb);
    expect([skbs.columns.headsLive(), faults.length]).toEqual([0, 0]);
  });

  test("a page reference lost: a fragment dropped without giving its page back", () => {
    const { skbs, faults } = world();
    const { skb, pfn } = paged(skbs);
    const head = skbs.columns.S[skb + skbField.HEAD]!;
    skbs.columns.H[head + headField.NR_FRAGS] = 0;
    skbs.audit();
    expect(faults.map((f) => f.kind)).toEqual(["page reference lost"]);
    expect(faults[0]?.history[0]).toMatch(/outside takes 1, has 1$/);
    expect(faults[0]?.history[1]).toContain(`skb_add_rx_frag(skb ${skb}, 0, ${pfn}`);
  });

  test("a page reference given twice: a fragment copied without taking one", () => {
    const { skbs, faults } = world();
    const { skb } = paged(skbs);
    skbs.copyFrag(skbs.fragAt(skb, 1), skbs.fragAt(skb, 0));
    skbs.columns.H[skbs.columns.S[skb]! + headField.NR_FRAGS] = 2;
    skbs.kfreeSkb(skb);
    expect(faults[0]?.kind).toBe("page reference given twice");
    expect(faults[0]?.operation).toContain("kfree_skb");
  });

  test("a driver that gives away a page it no longer holds", () => {
    const { skbs, faults } = world();
    const { pfn } = paged(skbs);
    skbs.outside.putPage(pfn);
    expect(faults.map((f) => f.kind)).toEqual(["page reference given twice"]);
    expect(faults[0]?.sentence).toContain("outside gives back");
  });

  test("dataref wrong: a head shared behind the kernel's back", () => {
    const { skbs, faults } = world();
    const skb = skbs.allocSkb(100, atomic);
    skbs.columns.H[skbs.columns.S[skb]! + headField.DATAREF] = 2;
    skbs.audit();
    expect(faults.map((f) => f.kind)).toEqual(["dataref wrong"]);
  });

  test("with nobody listening the fault is thrown, its history in the message", () => {
    const pages = createNaivePages(4096, 16);
    const skbs = createOwnedSkbs({ pages, heap: createNaiveHeap({ pages }) }, { draw: (p) => `<${p.skb}>` });
    const skb = skbs.allocSkb(10, atomic);
    const clone = skbs.skbClone(skb, atomic);
    expect(() => skbs.skbPush(clone, 4)).toThrow(OwnershipError);
    expect(() => skbs.skbPush(clone, 4)).toThrow(new RegExp(`header written in a clone[^]*skb_clone[^]*<${clone}>`));
  });
});

test("a list that pskb_copy shares must not be appended to: the checker sees the member in two lists", () => {
  const { skbs, faults } = world();
  const parent = skbs.allocSkb(100, atomic);
  skbs.fragListAppend(parent, skbs.allocSkb(100, atomic));
  skbs.pskbCopy(parent, atomic);
  skbs.fragListAppend(parent, skbs.allocSkb(100, atomic));
  expect(faults.map((f) => f.kind)).toEqual(["users wrong"]);
});

test("10,000 random operations by a careful caller make no fault, and everything comes back", () => {
  const seed = 20261120;
  const { skbs, faults } = world();
  const random = prng(seed);
  const held: number[] = [];
  const { S } = skbs.columns;
  const some = (): number => held[random.below(held.length)]!;
  const drop = (skb: number): void => void held.splice(held.indexOf(skb), 1);
  const take = (skb: number): void => void held.push(skb);
  // pskb_copy() shares the members of a frag_list: appending behind a shared one would lengthen both lists.
  const sharesList = (skb: number): boolean => {
    const { H } = skbs.columns;
    for (let m = H[S[skb + skbField.HEAD]! + headField.FRAG_LIST]!; m !== 0; m = S[m + skbField.NEXT]!)
      if (S[m + skbField.USERS] !== 1) return true;
    return false;
  };
  const actions: readonly (() => void)[] = [
    () => take(skbs.allocSkb(random.below(3000), atomic, random.chance(0.5) ? allocFlag.fclone : 0)),
    () => take(skbs.napiAllocSkb(random.below(2000))),
    () => take(skbs.netdevAllocSkb(random.below(2000), atomic)),
    () => take(skbs.skbClone(some(), atomic)),
    () => take(skbs.pskbCopy(some(), atomic)),
    () => take(skbs.skbCopy(some(), atomic)),
    () => {
      const skb = some();
      if (!skbs.isCloned(skb) && skbs.nrFrags(skb) < 17)
        skbs.skbAddRxFrag(skb, skbs.nrFrags(skb), skbs.outside.allocPages(atomic, 0), 0, 1 + random.below(4096), 4096);
    },
    () => void skbs.pskbTrim(some(), random.below(5000)),
    () => void skbs.skbLinearize(some()),
    () => void skbs.skbUnclone(some(), atomic),
    () => {
      const skb = some();
      if (S[skb + skbField.LEN]! > 1) skbs.pskbMayPull(skb, 1 + random.below(S[skb + skbField.LEN]!));
    },
    () => {
      const a = some();
      const b = some();
      if (a === b || skbs.isCloned(a)) return;
      const { merged, headStolen } = skbs.skbTryCoalesce(a, b);
      if (!merged) return;
      skbs.kfreeSkbPartial(b, headStolen);
      drop(b);
    },
    () => {
      const a = some();
      const b = some();
      if (a === b || skbs.isCloned(a) || S[a + skbField.LEN]! > 60_000 || sharesList(a)) return;
      skbs.fragListAppend(a, b);
      drop(b);
    },
    () => {
      const skb = some();
      const head = S[skb + skbField.HEAD]!;
      if (skbs.isCloned(skb) || skbs.columns.H[head + headField.FRAG_LIST] !== 0) return;
      const rest = skbs.allocSkb(S[skb + skbField.LEN]!, atomic);
      skbs.skbSplit(skb, rest, random.below(S[skb + skbField.LEN]! + 1));
      take(rest);
    },
    () => {
      const skb = some();
      skbs.kfreeSkb(skb);
      drop(skb);
    },
  ];
  for (let i = 0; i < 10_000 && faults.length === 0; i++) {
    if (held.length === 0) take(skbs.allocSkb(100, atomic));
    else if (held.length > 12) {
      const skb = some();
      skbs.consumeSkb(skb);
      drop(skb);
    } else actions[random.below(actions.length)]!();
  }
  expect(faults, `seed ${seed}`).toEqual([]);
  for (const skb of held) skbs.kfreeSkb(skb);
  expect([skbs.columns.skbsLive(), skbs.columns.headsLive(), skbs.heldByCallers()]).toEqual([0, 0, []]);
  expect([...skbs.watch.blocksOf("skbs")]).toEqual([]);
});

test("__pskb_pull_tail() of no bytes leaves the frag_list as it is (net/core/skbuff.c; a recording of 7.3.4 showed it)", () => {
  const { skbs, faults } = world();
  const parent = skbs.allocSkb(100, atomic);
  const member = skbs.allocSkb(100, atomic);
  skbs.skbPut(member, 10);
  skbs.fragListAppend(parent, member);
  expect(skbs.pskbPullTail(parent, 0)).toBeGreaterThanOrEqual(0);
  expect(skbs.columns.H[(skbs.columns.S[parent + skbField.HEAD] as number) + headField.FRAG_LIST]).toBe(member);
  skbs.kfreeSkb(parent);
  expect(faults).toEqual([]);
});
