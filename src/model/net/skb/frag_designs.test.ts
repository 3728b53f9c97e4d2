import { describe, expect, test } from "vitest";
import { parseRelease } from "../../../kernel/release.ts";
import { createNaivePages } from "../../mm/pages.ts";
import type { FragDesignName } from "./frag_designs.ts";
import { fragDesignNamed, fragDesigns } from "./frag_designs.ts";
import { createNaiveHeap } from "./naive_heap.ts";
import type { OwnedSkbs } from "./ownership.ts";
import { createOwnedSkbs } from "./ownership.ts";
import { skbField } from "./skb_columns.ts";

const atomic = 0xa20;
const able: readonly FragDesignName[] = fragDesigns.map((d) => d.name).filter((n) => n !== "none");

function world(): OwnedSkbs {
  const pages = createNaivePages(1 << 16, 16);
  return createOwnedSkbs({ pages, heap: createNaiveHeap({ pages }), skbsMax: 2048 });
}

/** An skb of 4 pages; the callback hangs on each that the design lets it. */
function sent(skbs: OwnedSkbs, name: FragDesignName, fragments = 4): { skb: number; ids: number[]; done: number[] } {
  const design = fragDesignNamed(name);
  const skb = skbs.allocSkb(200, atomic);
  const done: number[] = [];
  const ids: number[] = [];
  const make = (): number => {
    const at = done.push(0) - 1;
    return design.create(skbs, () => void done[at]!++);
  };
  const shared = design.onePage ? undefined : make();
  for (let i = 0; i < fragments; i++) {
    const pfn = skbs.outside.allocPages(atomic, 0);
    skbs.skbAddRxFrag(skb, i, pfn, 0, 4096, 4096);
    if (name !== "ubuf-per-skb") skbs.outside.getPage(pfn);
    const id = shared ?? make();
    expect(design.attach(skbs, skb, i, id)).toBeUndefined();
    if (design.onePage) ids.push(id);
  }
  if (shared !== undefined) ids.push(shared);
  for (const id of ids) design.release(skbs, id);
  return { skb, ids, done };
}

describe.each(able)("%s: the callback runs exactly once, when the stack is really done", (name) => {
  const runs = (done: readonly number[]): number[] => [...new Set(done)];

  test("a packet is freed", () => {
    const skbs = world();
    const { skb, done } = sent(skbs, name);
    expect(runs(done)).toEqual([0]);
    skbs.kfreeSkb(skb);
    expect(runs(done)).toEqual([1]);
  });

  test("a clone outlives the packet, as for retransmission", () => {
    const skbs = world();
    const { skb, done } = sent(skbs, name);
    const clone = skbs.skbClone(skb, atomic);
    skbs.kfreeSkb(skb);
    expect(runs(done)).toEqual([0]);
    skbs.consumeSkb(clone);
    expect(runs(done)).toEqual([1]);
  });

  test("pskb_copy shares the pages, and the callback waits for both", () => {
    const skbs = world();
    const { skb, done } = sent(skbs, name);
    const copy = skbs.pskbCopy(skb, atomic);
    skbs.kfreeSkb(skb);
    expect(runs(done)).toEqual([0]);
    skbs.kfreeSkb(copy);
    expect(runs(done)).toEqual([1]);
  });

  test("a full copy does not wait", () => {
    const skbs = world();
    const { skb, done } = sent(skbs, name);
    const copy = skbs.skbCopy(skb, atomic);
    skbs.kfreeSkb(skb);
    expect(runs(done)).toEqual([1]);
    skbs.kfreeSkb(copy);
  });

  test("an expanded head takes the fragments along", () => {
    const skbs = world();
    const { skb, done } = sent(skbs, name);
    const clone = skbs.skbClone(skb, atomic);
    expect(skbs.pskbExpandHead(skb, 64, 0, atomic)).toBe(0);
    skbs.kfreeSkb(clone);
    expect(runs(done)).toEqual([0]);
    skbs.kfreeSkb(skb);
    expect(runs(done)).toEqual([1]);
  });

  test("pulled into the head, all of it", () => {
    const skbs = world();
    const { skb, done } = sent(skbs, name);
    expect(skbs.skbLinearize(skb)).toBe(0);
    expect(runs(done)).toEqual([1]);
    skbs.kfreeSkb(skb);
    expect(runs(done)).toEqual([1]);
  });

  test("split inside a page: both halves hold it", () => {
    const skbs = world();
    const { skb, done } = sent(skbs, name);
    const rest = skbs.allocSkb(0, atomic);
    skbs.skbSplit(skb, rest, 6000);
    skbs.kfreeSkb(skb);
    skbs.kfreeSkb(rest);
    expect(runs(done)).toEqual([1]);
  });

  test("trimmed to nothing", () => {
    const skbs = world();
    const { skb, done } = sent(skbs, name);
    skbs.pskbTrim(skb, 0);
    skbs.kfreeSkb(skb);
    expect(runs(done)).toEqual([1]);
  });
});

describe("fragments move between packets", () => {
  const perFragment = able.filter((n) => n !== "ubuf-per-skb");

  test.each(perFragment)("%s: coalescing and shifting move the callback with the page", (name) => {
    const skbs = world();
    const a = sent(skbs, name, 2);
    const b = sent(skbs, name, 2);
    expect(skbs.skbTryCoalesce(a.skb, b.skb).merged).toBe(true);
    skbs.kfreeSkbPartial(b.skb, false);
    expect([...a.done, ...b.done].every((n) => n === 0)).toBe(true);
    const target = skbs.allocSkb(0, atomic);
    expect(skbs.skbShift(target, a.skb, 5000)).toBe(5000);
    skbs.kfreeSkb(a.skb);
    skbs.kfreeSkb(target);
    expect([...a.done, ...b.done].every((n) => n === 1)).toBe(true);
  });

  test("adjacent bytes of one page are one fragment only under one destructor", () => {
    const skbs = world();
    const skb = skbs.allocSkb(0, atomic);
    const pfn = skbs.outside.allocPages(atomic, 0);
    const [d1, d2] = [skbs.fragDestructors.create(() => undefined), skbs.fragDestructors.create(() => undefined)];
    skbs.skbAppendPagefrags(skb, pfn, 0, 100, d1);
    skbs.skbAppendPagefrags(skb, pfn, 100, 100, d1);
    skbs.skbAppendPagefrags(skb, pfn, 200, 100, d2);
    expect(skbs.nrFrags(skb)).toBe(2);
    skbs.kfreeSkb(skb);
    expect([skbs.fragDestructors.refs(d1), skbs.fragDestructors.refs(d2)]).toEqual([1, 1]);
  });

  test("ubuf per skb: coalescing and shifting are refused", () => {
    const skbs = world();
    const a = sent(skbs, "ubuf-per-skb", 2);
    const b = sent(skbs, "ubuf-per-skb", 2);
    expect(skbs.skbTryCoalesce(a.skb, b.skb).merged).toBe(false);
    expect(skbs.skbShift(a.skb, b.skb, 4096)).toBe(0);
  });
});

describe("what a design cannot express", () => {
  const attachTwice = (name: FragDesignName, size = 4096): string | undefined => {
    const skbs = world();
    const design = fragDesignNamed(name);
    const skb = skbs.allocSkb(0, atomic);
    skbs.skbAddRxFrag(skb, 0, skbs.outside.allocPages(atomic, 5), 0, size, size);
    skbs.skbAddRxFrag(skb, 1, skbs.outside.allocPages(atomic, 0), 0, 4096, 4096);
    const id = design.create(skbs, () => undefined);
    return design.attach(skbs, skb, 0, id) ?? design.attach(skbs, skb, 1, id);
  };

  test("a plain pointer may be shared by pages; a stolen bit and a bitmap may not", () => {
    expect(attachTwice("plain-pointer")).toBeUndefined();
    expect(attachTwice("split-info")).toBeUndefined();
    expect(attachTwice("stolen-bit")).toMatch(/one destructor stands for one page/);
    expect(attachTwice("bitmap")).toMatch(/one destructor stands for one page/);
  });

  test("a compressed pointer takes no fragment of 64 KiB", () => {
    expect(attachTwice("compressed-pointer", 65535)).toBeUndefined();
    expect(attachTwice("compressed-pointer", 65536)).toMatch(/do not fit 16 bits/);
  });

  test("ubuf per skb: two owners cannot share a packet", () => {
    const skbs = world();
    const design = fragDesignNamed("ubuf-per-skb");
    const { skb } = sent(skbs, "ubuf-per-skb", 1);
    expect(
      design.attach(
        skbs,
        skb,
        0,
        design.create(skbs, () => undefined),
      ),
    ).toMatch(/one owner an skb/);
  });
});

describe("what the seed reports, by the layout engine", () => {
  test.each([
    ["3.2-x86_64", 16, 344, 240, 24, 488],
    ["3.2-i386", 8, 188, 192, 12, 260],
  ])(
    "%s: frag %i, shared info %i, sk_buff %i; with the pointer %i and %i",
    (text, frag, info, skb, fragNow, infoNow) => {
      const release = parseRelease(text);
      const before = fragDesignNamed("none").layout(release);
      const now = fragDesignNamed("plain-pointer").layout(release);
      expect([before.fragBytes, before.sharedInfoBytes, before.skBuffBytes]).toEqual([frag, info, skb]);
      expect([now.fragBytes, now.sharedInfoBytes, now.skBuffBytes]).toEqual([fragNow, infoNow, skb]);
    },
  );

  test("the other designs keep 344 bytes on amd64; on i386 the compressed pointer does not", () => {
    const sizes = (text: string): Record<string, number> =>
      Object.fromEntries(fragDesigns.map((d) => [d.name, d.layout(parseRelease(text)).sharedInfoBytes]));
    const amd64 = sizes("3.2-x86_64");
    expect([amd64["stolen-bit"], amd64["bitmap"], amd64["compressed-pointer"], amd64["ubuf-per-skb"]]).toEqual([
      344, 344, 344, 344,
    ]);
    const i386 = sizes("3.2-i386");
    expect([i386["stolen-bit"], i386["bitmap"], i386["compressed-pointer"]]).toEqual([188, 188, 260]);
  });
});

test("split and fitting heads come back whole", () => {
  for (const name of ["split-info", "fitting-caches"] as const) {
    const pages = createNaivePages(1 << 14, 16);
    const plain = createNaiveHeap({ pages });
    const release = parseRelease("3.2-x86_64");
    const skbs = createOwnedSkbs({ pages, heap: fragDesignNamed(name).heap(plain, release), skbsMax: 64 });
    const before = plain.live();
    const skb = skbs.allocSkb(1500, atomic);
    skbs.skbPut(skb, 1500);
    const copy = skbs.skbCopy(skb, atomic);
    expect(skbs.columns.S[copy + skbField.LEN]).toBe(1500);
    expect(plain.live() - before).toBe(name === "split-info" ? 6 : 4);
    skbs.kfreeSkb(copy);
    skbs.kfreeSkb(skb);
    expect(plain.live()).toBe(before);
  }
});
