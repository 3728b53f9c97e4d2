// Every path that can take a pool's page somewhere else, as named in the feedback of December 2018: each has an answer, and the census proves it.
// "Home" is cache or ring; a page that another holder references is released: unmapped, then an ordinary page (net/core, 6.1.192).
import { describe, expect, test } from "vitest";
import type { Holder } from "./page_pool_census.ts";
import type { Lab, LabOptions } from "./page_pool_lab.ts";
import { createLab } from "./page_pool_lab.ts";
import type { PoolSkb, RecyclePolicy } from "./page_pool_skb.ts";
import { policy61 } from "./page_pool_skb.ts";

const lab = (more: Partial<LabOptions> = {}): Lab => createLab({ policy: policy61, jumbo: "keep", ...more });
const FULL = 3710;

/** Where one page went: home, or an ordinary page, or still out. */
function whereIs(l: Lab, pfn: number): string {
  if (l.pools.cacheContents(l.pool).includes(pfn) || l.pools.ringContents(l.pool).includes(pfn)) return "home";
  if (l.pools.poolOf(pfn) === l.pool) return "out";
  return l.pages.allocated(pfn) ? "released" : "free";
}

const clean = (l: Lab, ...others: Holder[]): void => {
  expect(l.census(...others).faults).toEqual([]);
  expect(l.skbs.misuses).toEqual([]);
  expect(l.dma.reports).toEqual([]);
};

/** The driver goes down: nothing may be in flight, mapped or lost. */
const ends = (l: Lab): void => {
  clean(l);
  expect(l.skbs.live.size).toBe(0);
  expect(l.shutdown(3)).toBe(0);
  expect([l.dma.mappings(), l.dma.reports, l.heap.overrun]).toEqual([0, [], []]);
};

const rx = (l: Lab, bytes = 1500): PoolSkb => l.receive(bytes) as PoolSkb;

describe("6.1: a page that was shared by", () => {
  test("nobody goes home when the skb is freed", () => {
    const l = lab();
    const skb = rx(l);
    const pfn = l.skbs.headPfn(skb);
    clean(l);
    expect(l.census().pools[0]?.heldBy.get(`skb ${skb.id}`)).toBe(1);
    l.skbs.free(skb);
    expect(whereIs(l, pfn)).toBe("home");
    ends(l);
  });

  test("a clone goes home with the last of the two, whichever that is", () => {
    for (const lastFirst of [true, false]) {
      const l = lab();
      const skb = rx(l);
      const pfn = l.skbs.headPfn(skb);
      const clone = l.skbs.clone(skb) as PoolSkb;
      const [a, b] = lastFirst ? [clone, skb] : [skb, clone];
      l.skbs.free(a);
      expect([whereIs(l, pfn), a.ppRecycle, b.ppRecycle]).toEqual(["out", false, true]);
      l.skbs.free(b);
      expect(whereIs(l, pfn)).toBe("home");
      ends(l);
    }
  });

  test("skb_copy is not shared: the copy has other memory and no mark", () => {
    const l = lab();
    const skb = rx(l);
    const copy = l.skbs.copy(skb) as PoolSkb;
    expect([copy.ppRecycle, copy.headFrag]).toEqual([false, false]);
    l.skbs.free(copy);
    l.skbs.free(skb);
    ends(l);
  });

  test("pskb_copy is released if the original goes first, and goes home if it goes last", () => {
    for (const [first, expected] of [
      ["original", "free"],
      ["copy", "home"],
    ] as const) {
      const l = lab();
      const skb = rx(l, FULL + 1000);
      const pfn = skb.data.frags[0]?.pfn as number;
      const copy = l.skbs.pskbCopy(skb) as PoolSkb;
      expect(copy.ppRecycle).toBe(false);
      for (const s of first === "original" ? [skb, copy] : [copy, skb]) l.skbs.free(s);
      expect(whereIs(l, pfn)).toBe(expected);
      ends(l);
    }
  });

  test("pskb_expand_head: a lone head goes home at once, a cloned one with the clone", () => {
    const l = lab();
    const skb = rx(l);
    const pfn = l.skbs.headPfn(skb);
    expect(l.skbs.expandHead(skb, 64, 0)).toBe(true);
    expect([whereIs(l, pfn), skb.ppRecycle]).toEqual(["home", true]);
    const other = rx(l);
    const otherPfn = l.skbs.headPfn(other);
    const clone = l.skbs.clone(other) as PoolSkb;
    l.skbs.expandHead(other, 64, 0);
    expect([whereIs(l, otherPfn), other.ppRecycle]).toEqual(["out", false]);
    for (const s of [skb, other, clone]) l.skbs.free(s);
    expect(whereIs(l, otherPfn)).toBe("home");
    ends(l);
  });

  test("skb_try_coalesce: the head becomes a fragment of a marked skb, and goes home with it", () => {
    const l = lab();
    const [to, from] = [rx(l, FULL), rx(l, FULL)];
    const pfn = l.skbs.headPfn(from);
    expect(l.skbs.coalesceQueued(to, from)).toBe(true);
    expect(to.data.frags.map((f) => [f.pfn, f.reference])).toEqual([[pfn, "pool"]]);
    clean(l);
    l.skbs.free(to);
    expect(whereIs(l, pfn)).toBe("home");
    ends(l);
  });

  test("skb_try_coalesce refuses what it could not undo: other mark, cloned source, cloned target", () => {
    const l = lab();
    const [to, from] = [rx(l, FULL), rx(l, FULL)];
    const plain = l.skbs.allocSkb(256) as PoolSkb;
    expect(l.skbs.tryCoalesce(plain, from).merged).toBe(false);
    const clone = l.skbs.clone(from) as PoolSkb;
    expect(l.skbs.tryCoalesce(to, from).merged).toBe(false);
    expect(l.skbs.tryCoalesce(clone, to).merged).toBe(false);
    for (const s of [to, from, plain, clone]) l.skbs.free(s);
    ends(l);
  });

  test("GRO: seventeen heads become fragments, the next ones hang on the list; all go home", () => {
    const l = lab({ ringSize: 64 });
    const p = rx(l);
    for (let i = 0; i < 20; i++) expect(l.skbs.groReceive(p, rx(l), 66)).toBe(true);
    expect([p.data.frags.length, p.data.fragList.length]).toEqual([17, 3]);
    clean(l);
    l.skbs.free(p);
    expect(l.pools.stats(l.pool).ring).toBe(21);
    ends(l);
  });

  test("GRO does not mix a pool's packet with another", () => {
    const l = lab();
    const plain = l.skbs.allocSkb(256) as PoolSkb;
    const skb = rx(l);
    expect(l.skbs.groReceive(plain, skb, 66)).toBe(false);
    for (const s of [plain, skb]) l.skbs.free(s);
    ends(l);
  });

  test("splice: a pipe that reads slowly makes the page leave, one that reads first lets it go home", () => {
    for (const [pipeFirst, expected] of [
      [true, "home"],
      [false, "free"],
    ] as const) {
      const l = lab();
      const skb = rx(l);
      const pipe = l.skbs.splice(skb);
      const [pfn] = pipe as [number];
      if (pipeFirst) l.pages.putPage(pfn);
      l.skbs.free(skb);
      if (!pipeFirst) {
        expect(whereIs(l, pfn)).toBe("released");
        expect(l.pools.dmaAddress(pfn)).toBe(0);
        clean(l, { name: "pipe", pfns: pipe });
        l.pages.putPage(pfn);
      }
      expect(whereIs(l, pfn)).toBe(expected);
      ends(l);
    }
  });

  test("tee: the second pipe holds one more reference, and the last of them frees the page", () => {
    const l = lab();
    const skb = rx(l);
    const [pfn] = l.skbs.splice(skb) as [number];
    l.pages.getPage(pfn);
    l.skbs.free(skb);
    l.pages.putPage(pfn);
    expect(whereIs(l, pfn)).toBe("released");
    l.pages.putPage(pfn);
    expect(whereIs(l, pfn)).toBe("free");
    ends(l);
  });

  test("multicast: a clone for every socket but the last, read in any order", () => {
    const l = lab();
    const skb = rx(l);
    const pfn = l.skbs.headPfn(skb);
    const queued = [l.skbs.clone(skb), l.skbs.clone(skb), l.skbs.clone(skb), skb] as PoolSkb[];
    for (const i of [2, 0, 3, 1]) l.skbs.free(queued[i] as PoolSkb);
    expect([whereIs(l, pfn), l.pools.stats(l.pool).ring]).toEqual(["home", 1]);
    ends(l);
  });

  test("tcp_zerocopy_receive maps only whole pages; a page still mapped when the skb goes is released", () => {
    const l = lab();
    const skb = l.skbs.allocSkb(64) as PoolSkb;
    const whole = l.pools.allocPages(l.pool, 0);
    const part = l.pools.allocPages(l.pool, 0);
    l.skbs.addRxFrag(skb, whole, 0, 4096);
    l.skbs.addRxFrag(skb, part, 66, 1000);
    l.skbs.markForRecycle(skb, l.pool);
    const mapped = l.skbs.mapToUser(skb);
    expect(mapped).toEqual([whole]);
    l.skbs.free(skb);
    expect([whereIs(l, whole), whereIs(l, part)]).toEqual(["released", "home"]);
    clean(l, { name: "user mapping", pfns: mapped });
    l.pages.putPage(whole);
    ends(l);
  });

  test("skb_segment: the pieces hold page references; freed before the whole, the page goes home", () => {
    for (const [wholeFirst, expected] of [
      [false, "home"],
      [true, "free"],
    ] as const) {
      const l = lab();
      const skb = rx(l, FULL + 3000);
      const pfn = skb.data.frags[0]?.pfn as number;
      const pieces = l.skbs.segment(skb, 1000) as PoolSkb[];
      expect([pieces.length, pieces.some((p) => p.ppRecycle)]).toEqual([3, false]);
      for (const s of wholeFirst ? [skb, ...pieces] : [...pieces, skb]) l.skbs.free(s);
      expect(whereIs(l, pfn)).toBe(expected);
      ends(l);
    }
  });

  test("XDP redirect: the frame comes back from the other device's completion", () => {
    const l = lab();
    const pfn = l.receiveForXdp(60);
    clean(l, { name: "devmap of eth1", pfns: [pfn] });
    l.returnFrame(pfn);
    expect(whereIs(l, pfn)).toBe("home");
    ends(l);
  });

  test("XDP redirect into a cpumap: 6.1 releases the page before it becomes an skb", () => {
    const l = lab();
    const pfn = l.receiveForXdp(60);
    l.pools.releasePage(l.pool, pfn);
    const skb = l.skbs.buildSkb(pfn, 0, 66, 60);
    l.skbs.free(skb);
    expect(whereIs(l, pfn)).toBe("free");
    ends(l);
  });

  test("a jumbo frame: fragments stay the pool's, or leave it by unmapping", () => {
    for (const [jumbo, expected] of [
      ["keep", "home"],
      ["release", "free"],
    ] as const) {
      const l = lab({ jumbo });
      const skb = rx(l, 9000);
      const pfns = skb.data.frags.map((f) => f.pfn);
      expect(pfns).toHaveLength(2);
      l.skbs.free(skb);
      expect(pfns.map((pfn) => whereIs(l, pfn))).toEqual([expected, expected]);
      ends(l);
    }
  });
});

describe("skb_shift of half a fragment", () => {
  /** Two packets share one page of a fragment pool; the first one's fragment is shifted in two. */
  const run = (shift: RecyclePolicy["shift"]): Lab => {
    const l = lab({ policy: { ...policy61, shift }, fragments: true });
    const packet = (): PoolSkb => {
      const skb = l.skbs.allocSkb(64) as PoolSkb;
      const pfn = l.pools.allocFrag(l.pool, 1800, 0);
      l.skbs.addRxFrag(skb, pfn, l.pools.lastFragOffset(), 1800);
      l.skbs.markForRecycle(skb, l.pool);
      return skb;
    };
    const [a, b] = [packet(), packet()];
    const target = l.skbs.allocSkb(64) as PoolSkb;
    l.skbs.markForRecycle(target, l.pool);
    expect(l.skbs.shift(target, a, 700)).toBe(700);
    l.skbs.free(a);
    l.skbs.free(target);
    const pfn = b.data.frags[0]?.pfn as number;
    l.pools.allocFrag(l.pool, 3000, 0); // the pool turns to another page and gives up its bias
    expect(whereIs(l, pfn)).toBe(shift === "mirrored" ? "out" : "released");
    return l;
  };

  test("takes a page reference and drops it as the pool's (5.15 to 6.9): the page is unmapped under the other packet", () => {
    expect(run("page_reference").skbs.misuses).toMatchObject([{ step: "kfree_skb" }]);
  });

  test("takes what it drops (6.10): the page stays the pool's until the other packet is freed", () => {
    expect(run("mirrored").skbs.misuses).toEqual([]);
  });

  test("in a pool without fragments the page is given up early, but nobody is hurt: the checker still says so", () => {
    const l = lab();
    const skb = l.skbs.allocSkb(64) as PoolSkb;
    const pfn = l.pools.allocPages(l.pool, 0);
    l.skbs.addRxFrag(skb, pfn, 0, 1800);
    l.skbs.markForRecycle(skb, l.pool);
    const target = l.skbs.allocSkb(64) as PoolSkb;
    l.skbs.markForRecycle(target, l.pool);
    l.skbs.shift(target, skb, 700);
    l.skbs.free(target);
    expect([l.skbs.misuses.length, whereIs(l, pfn)]).toEqual([1, "released"]);
    l.skbs.free(skb);
    expect(whereIs(l, pfn)).toBe("free");
  });

  test("a whole fragment moves with its reference", () => {
    const l = lab();
    const skb = l.skbs.allocSkb(64) as PoolSkb;
    l.skbs.addRxFrag(skb, l.pools.allocPages(l.pool, 0), 0, 700);
    l.skbs.markForRecycle(skb, l.pool);
    const target = l.skbs.allocSkb(64) as PoolSkb;
    l.skbs.markForRecycle(target, l.pool);
    expect(l.skbs.shift(target, skb, 700)).toBe(700);
    l.skbs.free(skb);
    l.skbs.free(target);
    ends(l);
  });
});

describe("the designs of 2018", () => {
  const old = (mark: RecyclePolicy["mark"], coalesce: RecyclePolicy["coalesce"]): Lab =>
    lab({ policy: { mark, coalesce, shift: "page_reference" }, jumbo: "release" });

  test.each(["copy", "pskbCopy"] as const)(
    "mem_info inside the header region: %s takes the mark to memory that is not the pool's",
    (how) => {
      const l = old("mem_info_in_header", "unaware");
      const skb = rx(l);
      const copy = l.skbs[how](skb) as PoolSkb;
      const slab = Math.floor(copy.data.head / 4096);
      l.skbs.free(copy);
      expect(l.skbs.misuses).toMatchObject([{ step: "skb_free_head", pfn: slab }]);
      const faults = l.census().faults;
      expect(faults.filter((f) => f.fault === "stranger").map((f) => f.pfn)).toEqual([slab]);
    },
  );

  test.each(["copy", "pskbCopy"] as const)("mem_info after head_frag: %s does not", (how) => {
    const l = old("mem_info_after_head_frag", "unaware");
    const skb = rx(l);
    l.skbs.free(l.skbs[how](skb) as PoolSkb);
    l.skbs.free(skb);
    ends(l);
  });

  test("a clone takes the mark along in both", () => {
    for (const mark of ["mem_info_in_header", "mem_info_after_head_frag"] as const) {
      const l = old(mark, "unaware");
      const skb = rx(l);
      const pfn = l.skbs.headPfn(skb);
      const clone = l.skbs.clone(skb) as PoolSkb;
      l.skbs.free(skb);
      expect(whereIs(l, pfn)).toBe("out");
      l.skbs.free(clone);
      expect(whereIs(l, pfn)).toBe("home");
      ends(l);
    }
  });

  test("skb_try_coalesce that knows nothing of pools: the page is freed mapped and counted, the pool never ends", () => {
    const l = old("mem_info_after_head_frag", "unaware");
    const [to, from] = [rx(l, FULL), rx(l, FULL)];
    const pfn = l.skbs.headPfn(from);
    l.skbs.coalesceQueued(to, from);
    l.skbs.free(to);
    expect(l.census().faults.map((f) => [f.fault, f.pfn])).toEqual([["freed while the pool's", pfn]]);
    expect(l.shutdown(130)).toBe(1);
    expect(l.said).toEqual([
      "page_pool_release_retry() stalled pool shutdown 1 inflight 60 sec",
      "page_pool_release_retry() stalled pool shutdown 1 inflight 120 sec",
    ]);
    expect(l.dma.mappings()).toBe(1);
  });

  test.each([
    ["release", "free", 1],
    ["frag_list", "home", 0],
    ["refuse", "home", 0],
  ] as const)("solution %s: the page ends %s, and nothing is lost", (rule, expected, frags) => {
    const l = old("mem_info_after_head_frag", rule);
    const [to, from] = [rx(l, FULL), rx(l, FULL)];
    const pfn = l.skbs.headPfn(from);
    const merged = l.skbs.coalesceQueued(to, from);
    expect([merged, to.data.frags.length, to.data.fragList.length]).toEqual([
      rule !== "refuse",
      frags,
      rule === "frag_list" ? 1 : 0,
    ]);
    clean(l);
    l.skbs.free(to);
    if (!merged) l.skbs.free(from);
    expect(whereIs(l, pfn)).toBe(expected);
    ends(l);
  });
});

/** Every path once, with what it needs freed at the end, whatever failed on the way. */
const paths: Readonly<Record<string, (l: Lab, all: PoolSkb[]) => void>> = {
  clone: (l, all) => keep(all, l.skbs.clone(all[0] as PoolSkb)),
  copy: (l, all) => keep(all, l.skbs.copy(all[0] as PoolSkb)),
  pskb_copy: (l, all) => keep(all, l.skbs.pskbCopy(all[0] as PoolSkb)),
  pskb_expand_head(l, all) {
    keep(all, l.skbs.clone(all[0] as PoolSkb));
    l.skbs.expandHead(all[0] as PoolSkb, 64, 0);
  },
  skb_try_coalesce(l, all) {
    if (all.length > 1 && l.skbs.coalesceQueued(all[0] as PoolSkb, all[1] as PoolSkb)) all.splice(1, 1);
  },
  gro(l, all) {
    if (all.length > 1 && l.skbs.groReceive(all[0] as PoolSkb, all[1] as PoolSkb, 66)) all.splice(1, 1);
  },
  skb_shift(l, all) {
    const target = l.skbs.allocSkb(64);
    if (target === undefined) return;
    l.skbs.markForRecycle(target, l.pool);
    all.push(target);
    keep(all, l.skbs.clone(all[0] as PoolSkb));
    const source = l.skbs.allocSkb(64);
    if (source === undefined) return;
    const page = l.pools.allocPages(l.pool, 0);
    l.skbs.markForRecycle(source, l.pool);
    all.push(source);
    if (page >= 0) l.skbs.addRxFrag(source, page, 0, 1000);
    keep(all, l.skbs.clone(source));
    l.skbs.shift(target, source, 1000);
  },
  skb_segment(l, all) {
    all.push(...(l.skbs.segment(all[0] as PoolSkb, 1000) ?? []));
  },
  splice(l, all) {
    for (const pfn of l.skbs.splice(all[0] as PoolSkb)) l.pages.putPage(pfn);
  },
  xdp(l) {
    const pfn = l.receiveForXdp(60);
    if (pfn >= 0) l.returnFrame(pfn);
  },
};
const keep = (all: PoolSkb[], skb: PoolSkb | undefined): void => {
  if (skb !== undefined) all.push(skb);
};

describe("fail the Nth: nothing is lost when memory fails on the way of", () => {
  test.each(Object.keys(paths))("%s", (name) => {
    let failures = 0;
    for (const kind of ["failPage", "failHead"] as const) {
      for (let nth = 1; nth <= 8; nth++) {
        const l = lab({ [kind]: nth, ringSize: 4 });
        const all = [l.receive(9000), l.receive(FULL)].filter((s) => s !== undefined);
        if (all.length > 0) paths[name]?.(l, all);
        expect(l.census().faults).toEqual([]);
        failures += l.pages.failures() + l.heap.failures();
        for (const skb of all) l.skbs.free(skb);
        expect(l.census().faults).toEqual([]);
        expect([l.shutdown(3), l.dma.mappings(), l.heap.overrun, l.heap.outstanding(), l.dma.reports]).toEqual([
          0,
          0,
          [],
          0,
          [],
        ]);
      }
    }
    expect(failures).toBeGreaterThan(0);
  });
});
