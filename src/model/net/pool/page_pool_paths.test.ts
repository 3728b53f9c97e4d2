// Every path that can take a pool's page somewhere else, as named in the feedback of December 2018: each has an answer, and the census proves it.
// "Home" is cache or ring; a page that another holder references is released: unmapped, then an ordinary page (net/core, 6.1.192, 6.12.117, 7.2.12, 7.3.4).
import { describe, expect, test } from "vitest";
import type { ExactKernel } from "../../kernels/kernel.ts";
import { exactKernels } from "../../kernels/parts_for.ts";
import { skbConfigOf } from "../skb/skb_config.ts";
import { skbSizes61 } from "../skb/skb_config61.ts";
import { viewSkb } from "../skb/skb_view.ts";
import type { CensusEntry, Holder } from "./page_pool_census.ts";
import { headPage } from "./page_pool_census.ts";
import { segmentPaged, throughGro } from "./page_pool_lab.testkit.ts";
import type { Lab, LabOptions } from "./page_pool_lab.ts";
import { createLab } from "./page_pool_lab.ts";
import type { HookDesign } from "./recycle_designs.ts";

const lab = (more: LabOptions = {}): Lab => createLab(more);
const FULL = 3710;
const GFP = 0xa20;

/** Those whose sk_buffs can be marked. */
const kernels = exactKernels.filter((kernel) => kernel.parts.net.skb.recycleMarks);
const partsOf = ({ parts: { net } }: ExactKernel): LabOptions["kernel"] & object => ({
  pool: net.pool ?? {},
  skb: skbConfigOf(net.skb, skbSizes61),
});

/** Where one page went: home, or an ordinary page, or still out. */
function whereIs(l: Lab, pfn: number): string {
  if (l.pools.cacheContents(l.pool).includes(pfn) || l.pools.ringContents(l.pool).includes(pfn)) return "home";
  if (l.pools.poolOf(pfn) === l.pool) return "out";
  return l.pages.allocated(pfn) ? "released" : "free";
}

const clean = (l: Lab, ...others: Holder[]): void => {
  expect(l.census(...others).faults).toEqual([]);
  expect(l.hook.strays).toEqual([]);
  expect(l.dma.reports).toEqual([]);
};

/** The driver goes down: nothing may be in flight, mapped or lost. */
const ends = (l: Lab): void => {
  clean(l);
  expect([l.skbs.columns.skbsLive(), l.skbs.columns.headsLive()]).toEqual([0, 0]);
  expect(l.shutdown(3)).toBe(0);
  expect([l.dma.mappings(), l.dma.reports, l.heap.overrun]).toEqual([0, [], []]);
};

const rx = (l: Lab, bytes = 1500): number => l.receive(bytes);
const marked = (l: Lab, skb: number): boolean => l.skbs.recycles(skb);
const frags = (l: Lab, skb: number): number[] => viewSkb(l.skbs, skb).frags.map((f) => f.pfn);
const listed = (l: Lab, skb: number): number[] => viewSkb(l.skbs, skb).fragList.map((s) => s.skb);
const free = (l: Lab, ...skbs: readonly number[]): void => {
  for (const skb of skbs) l.skbs.kfreeSkb(skb);
};
/** An skb of one fragment that is the pool's. */
const paged = (l: Lab, pfn: number, offset: number, bytes: number): number => {
  const skb = l.skbs.allocSkb(64, GFP);
  l.skbs.skbAddRxFrag(skb, 0, pfn, offset, bytes, 4096);
  l.hook.mark(skb);
  return skb;
};

describe.each(kernels)("$name: a page that was shared by", (kernel) => {
  const lab = (more: LabOptions = {}): Lab => createLab({ kernel: partsOf(kernel), ...more });

  test("nobody goes home when the skb is freed", () => {
    const l = lab();
    const skb = rx(l);
    const pfn = headPage(l.skbs, skb);
    clean(l);
    expect(l.census().pools[0]?.heldBy.get(`skb ${skb}`)).toBe(1);
    free(l, skb);
    expect(whereIs(l, pfn)).toBe("home");
    ends(l);
  });

  test("a clone goes home with the last of the two, whichever that is", () => {
    for (const lastFirst of [true, false]) {
      const l = lab();
      const skb = rx(l);
      const pfn = headPage(l.skbs, skb);
      const clone = l.skbs.skbClone(skb, GFP);
      const [a, b] = lastFirst ? [clone, skb] : [skb, clone];
      free(l, a);
      expect([whereIs(l, pfn), marked(l, a), marked(l, b)]).toEqual(["out", false, true]);
      free(l, b);
      expect(whereIs(l, pfn)).toBe("home");
      ends(l);
    }
  });

  test("skb_copy is not shared: the copy has other memory and no mark", () => {
    const l = lab();
    const skb = rx(l);
    const copy = l.skbs.skbCopy(skb, GFP);
    expect([marked(l, copy), viewSkb(l.skbs, copy).headFrag]).toEqual([false, false]);
    free(l, copy);
    free(l, skb);
    ends(l);
  });

  test("pskb_copy is released if the original goes first, and goes home if it goes last", () => {
    for (const [first, expected] of [
      ["original", "free"],
      ["copy", "home"],
    ] as const) {
      const l = lab();
      const skb = rx(l, FULL + 1000);
      const pfn = frags(l, skb)[0] as number;
      const copy = l.skbs.pskbCopy(skb, GFP);
      expect(marked(l, copy)).toBe(false);
      free(l, ...(first === "original" ? [skb, copy] : [copy, skb]));
      expect(whereIs(l, pfn)).toBe(expected);
      ends(l);
    }
  });

  test("pskb_expand_head: a lone head goes home at once, a cloned one with the clone", () => {
    const l = lab();
    const skb = rx(l);
    const pfn = headPage(l.skbs, skb);
    expect(l.skbs.pskbExpandHead(skb, 64, 0, GFP)).toBe(0);
    expect([whereIs(l, pfn), marked(l, skb)]).toEqual(["home", true]);
    const other = rx(l);
    const otherPfn = headPage(l.skbs, other);
    const clone = l.skbs.skbClone(other, GFP);
    l.skbs.pskbExpandHead(other, 64, 0, GFP);
    expect([whereIs(l, otherPfn), marked(l, other)]).toEqual(["out", false]);
    free(l, skb, other, clone);
    expect(whereIs(l, otherPfn)).toBe("home");
    ends(l);
  });

  test("skb_try_coalesce: the head becomes a fragment of a marked skb, and goes home with it", () => {
    const l = lab();
    const [to, from] = [rx(l, FULL), rx(l, FULL)];
    const pfn = headPage(l.skbs, from);
    expect(l.hook.coalesceQueued(to, from)).toBe(true);
    expect(frags(l, to)).toEqual([pfn]);
    clean(l);
    free(l, to);
    expect(whereIs(l, pfn)).toBe("home");
    ends(l);
  });

  test("skb_try_coalesce refuses what it could not undo: other mark, cloned source, cloned target", () => {
    const l = lab();
    const [to, from] = [rx(l, FULL), rx(l, FULL)];
    const plain = l.skbs.allocSkb(256, GFP);
    expect(l.skbs.skbTryCoalesce(plain, from).merged).toBe(false);
    const clone = l.skbs.skbClone(from, GFP);
    expect(l.skbs.skbTryCoalesce(to, from).merged).toBe(false);
    expect(l.skbs.skbTryCoalesce(clone, to).merged).toBe(false);
    free(l, to, from, plain, clone);
    ends(l);
  });

  test("GRO: seventeen heads become fragments, the next packet hangs on the list and takes those behind it; all go home", () => {
    const l = lab({ ringSize: 64 });
    const packets = Array.from({ length: 21 }, () => rx(l));
    const [p] = packets as [number];
    expect(throughGro(l.skbs, packets)).toEqual([p]);
    const onList = listed(l, p);
    expect([frags(l, p).length, onList.length]).toEqual([17, 1]);
    expect(frags(l, onList[0] as number)).toHaveLength(2);
    clean(l);
    free(l, p);
    expect(l.pools.stats(l.pool).ring).toBe(21);
    ends(l);
  });

  test("GRO does not mix a pool's packet with another", () => {
    const l = lab();
    const plain = l.skbs.allocSkb(1500, GFP);
    l.skbs.skbPut(plain, 1500);
    const skb = rx(l);
    expect(throughGro(l.skbs, [plain, skb])).toEqual([plain, skb]);
    free(l, plain, skb);
    ends(l);
  });

  test("splice: a pipe that reads slowly makes the page leave, one that reads first lets it go home", () => {
    for (const [pipeFirst, expected] of [
      [true, "home"],
      [false, "free"],
    ] as const) {
      const l = lab();
      const skb = rx(l);
      const pipe = l.splice(skb);
      const [pfn] = pipe as [number];
      if (pipeFirst) l.pages.putPage(pfn);
      free(l, skb);
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
    const [pfn] = l.splice(skb) as [number];
    l.pages.getPage(pfn);
    free(l, skb);
    l.pages.putPage(pfn);
    expect(whereIs(l, pfn)).toBe("released");
    l.pages.putPage(pfn);
    expect(whereIs(l, pfn)).toBe("free");
    ends(l);
  });

  test("multicast: a clone for every socket but the last, read in any order", () => {
    const l = lab();
    const skb = rx(l);
    const pfn = headPage(l.skbs, skb);
    const queued = [l.skbs.skbClone(skb, GFP), l.skbs.skbClone(skb, GFP), l.skbs.skbClone(skb, GFP), skb];
    for (const i of [2, 0, 3, 1]) free(l, queued[i] as number);
    expect([whereIs(l, pfn), l.pools.stats(l.pool).ring]).toEqual(["home", 1]);
    ends(l);
  });

  test("tcp_zerocopy_receive maps only whole pages; a page still mapped when the skb goes is released", () => {
    const l = lab();
    const skb = l.skbs.allocSkb(64, GFP);
    const whole = l.pools.allocPages(l.pool, 0);
    const part = l.pools.allocPages(l.pool, 0);
    l.skbs.skbAddRxFrag(skb, 0, whole, 0, 4096, 4096);
    l.skbs.skbAddRxFrag(skb, 1, part, 66, 1000, 4096);
    l.hook.mark(skb);
    const mapped = l.mapToUser(skb);
    expect(mapped).toEqual([whole]);
    free(l, skb);
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
      const pfn = frags(l, skb)[0] as number;
      const pieces = segmentPaged(l.skbs, skb, 1000);
      expect([pieces.length, pieces.some((piece) => marked(l, piece))]).toEqual([3, false]);
      free(l, ...(wholeFirst ? [skb, ...pieces] : [...pieces, skb]));
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

  test("a jumbo frame: fragments stay the pool's, or leave it by unmapping", () => {
    for (const [jumbo, expected] of [
      ["keep", "home"],
      ["release", "free"],
    ] as const) {
      const l = lab({ jumbo });
      const skb = rx(l, 9000);
      const pfns = frags(l, skb);
      expect(pfns).toHaveLength(2);
      free(l, skb);
      expect(pfns.map((pfn) => whereIs(l, pfn))).toEqual([expected, expected]);
      ends(l);
    }
  });
});

/** __xdp_build_skb_from_frame(): xdp_release_frame() in 6.1.192, skb_mark_for_recycle() in 6.12.117 and 7.2.12. */
test.each([
  ["6.1 releases the page before it becomes an skb", "free"],
  ["6.12 marks the skb", "home"],
] as const)("XDP redirect into a cpumap: %s, and the page ends %s", (_, expected) => {
  const l = lab();
  const pfn = l.receiveForXdp(60);
  if (expected === "free") l.pools.releasePage(l.pool, pfn);
  const skb = l.skbs.buildSkb(pfn * 4096, 4096);
  if (expected === "home") l.hook.mark(skb);
  clean(l);
  free(l, skb);
  expect(whereIs(l, pfn)).toBe(expected);
  ends(l);
});

describe("skb_shift", () => {
  /** Two packets share one page of a pool that cuts; the first one's fragment is shifted in two. `between` comes after that. */
  const run = (kernel: ExactKernel, between: (l: Lab, pfn: number) => void): string => {
    const l = lab({ kernel: partsOf(kernel), fragments: true });
    const packet = (): number => {
      const pfn = l.pools.allocFrag(l.pool, 1800, 0);
      return paged(l, pfn, l.pools.lastFragOffset(), 1800);
    };
    const [a, b] = [packet(), packet()];
    const target = l.skbs.allocSkb(64, GFP);
    l.hook.mark(target);
    clean(l);
    expect(l.skbs.skbShift(target, a, 700)).toBe(700);
    const pfn = frags(l, b)[0] as number;
    between(l, pfn);
    free(l, a, target);
    l.pools.allocFrag(l.pool, 3000, 0); // the pool turns to another page and gives up its bias
    return whereIs(l, pfn);
  };

  test.each(kernels)(
    "of half a fragment takes a page reference and drops it as the pool's ($name): the page is unmapped under the other packet",
    (kernel) => {
      const where = run(kernel, (l, pfn) =>
        expect(l.census().faults).toMatchObject([
          { fault: "two kinds", pfn, text: "will be given back to its pool 3 times, and was given 2 times" },
        ]),
      );
      expect(where).toBe("released");
    },
  );

  test.each(kernels)(
    "if it took what it drops ($name), the page would stay the pool's until the other packet is freed",
    (kernel) => {
      const where = run(kernel, (l, pfn) => {
        l.pools.shareSkbPage(pfn);
        l.pages.putPage(pfn);
        clean(l);
      });
      expect(where).toBe("out");
    },
  );

  test("in a pool without fragments the page is given up early, but nobody is hurt: the checker still says so", () => {
    const l = lab();
    const pfn = l.pools.allocPages(l.pool, 0);
    const skb = paged(l, pfn, 0, 1800);
    const target = l.skbs.allocSkb(64, GFP);
    l.hook.mark(target);
    l.skbs.skbShift(target, skb, 700);
    expect(l.census().faults.map((f) => [f.fault, f.pfn])).toEqual([["two kinds", pfn]]);
    free(l, target);
    expect(whereIs(l, pfn)).toBe("released");
    free(l, skb);
    expect(whereIs(l, pfn)).toBe("free");
    ends(l);
  });

  test.each(kernels)(
    "a clone is given a head of its own first ($name): its fragment is a page reference then, and goes to a marked skb",
    (kernel) => {
      const l = lab({ kernel: partsOf(kernel) });
      const pfn = l.pools.allocPages(l.pool, 0);
      const skb = paged(l, pfn, 0, 700);
      const clone = l.skbs.skbClone(skb, GFP);
      const target = l.skbs.allocSkb(64, GFP);
      l.hook.mark(target);
      expect(l.skbs.skbShift(target, skb, 700)).toBe(700);
      expect([marked(l, skb), marked(l, target)]).toEqual([false, true]);
      expect(l.census().faults.map((f) => [f.fault, f.pfn])).toEqual([["two kinds", pfn]]);
      free(l, target);
      expect(whereIs(l, pfn)).toBe("released");
      free(l, skb, clone);
      expect(whereIs(l, pfn)).toBe("free");
      ends(l);
    },
  );

  test("a whole fragment moves with its reference", () => {
    const l = lab();
    const skb = paged(l, l.pools.allocPages(l.pool, 0), 0, 700);
    const target = l.skbs.allocSkb(64, GFP);
    l.hook.mark(target);
    expect(l.skbs.skbShift(target, skb, 700)).toBe(700);
    clean(l);
    free(l, skb, target);
    ends(l);
  });
});

describe("the designs of 2018", () => {
  const old = (mark: HookDesign["mark"], coalesce: HookDesign["coalesce"]): Lab => lab({ design: { mark, coalesce } });

  test.each(["skbCopy", "pskbCopy"] as const)(
    "mem_info inside the header region: %s takes the mark to memory that is not the pool's",
    (how) => {
      const l = old("in the header region", "unaware");
      const skb = rx(l);
      const copy = l.skbs[how](skb, GFP);
      const slab = Math.floor(viewSkb(l.skbs, copy).headAddress / 4096);
      free(l, copy);
      expect(l.hook.strays).toMatchObject([{ pfn: slab }]);
      const faults = l.census().faults;
      expect(faults.filter((f) => f.fault === "stranger").map((f) => f.pfn)).toEqual([slab]);
    },
  );

  test.each(["skbCopy", "pskbCopy"] as const)("mem_info after head_frag: %s does not", (how) => {
    const l = old("after head_frag", "unaware");
    const skb = rx(l);
    free(l, l.skbs[how](skb, GFP));
    free(l, skb);
    ends(l);
  });

  test("a clone takes the mark along in both", () => {
    for (const mark of ["in the header region", "after head_frag"] as const) {
      const l = old(mark, "unaware");
      const skb = rx(l);
      const pfn = headPage(l.skbs, skb);
      const clone = l.skbs.skbClone(skb, GFP);
      free(l, skb);
      expect(whereIs(l, pfn)).toBe("out");
      free(l, clone);
      expect(whereIs(l, pfn)).toBe("home");
      ends(l);
    }
  });

  test.each([
    ["pskb_expand_head", (l, skb) => l.skbs.pskbExpandHead(skb, 64, 0, GFP)],
    ["skb_unclone", (l, skb) => l.skbs.skbUnclone(skb, GFP)],
  ] satisfies [string, (l: Lab, skb: number) => number][])(
    "%s: the new head is not the pool's, the old one goes home with the clone",
    (_, expand) => {
      for (const mark of ["in the header region", "after head_frag"] as const) {
        const l = old(mark, "unaware");
        const lone = rx(l);
        const lonePfn = headPage(l.skbs, lone);
        expect(l.skbs.pskbExpandHead(lone, 64, 0, GFP)).toBe(0);
        expect(whereIs(l, lonePfn)).toBe("home");
        free(l, lone);
        clean(l);
        const skb = rx(l);
        const pfn = headPage(l.skbs, skb);
        const clone = l.skbs.skbClone(skb, GFP);
        expect(expand(l, skb)).toBe(0);
        free(l, skb);
        expect(whereIs(l, pfn)).toBe("out");
        free(l, clone);
        expect(whereIs(l, pfn)).toBe("home");
        ends(l);
      }
    },
  );

  test("skb_try_coalesce that knows nothing of pools: the page is freed mapped and counted, the pool never ends", () => {
    const l = old("after head_frag", "unaware");
    const [to, from] = [rx(l, FULL), rx(l, FULL)];
    const pfn = headPage(l.skbs, from);
    l.hook.coalesceQueued(to, from);
    free(l, to);
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
  ] as const)("solution %s: the page ends %s, and nothing is lost", (rule, expected, joined) => {
    const l = old("after head_frag", rule);
    const [to, from] = [rx(l, FULL), rx(l, FULL)];
    const pfn = headPage(l.skbs, from);
    const merged = l.hook.coalesceQueued(to, from);
    expect([merged, frags(l, to).length, listed(l, to).length]).toEqual([
      rule !== "refuse",
      joined,
      rule === "frag_list" ? 1 : 0,
    ]);
    clean(l);
    free(l, to);
    if (!merged) free(l, from);
    expect(whereIs(l, pfn)).toBe(expected);
    ends(l);
  });
});

test("solution frag_list hangs no clone, and nothing on a clone", () => {
  const l = lab({ design: { mark: "after head_frag", coalesce: "frag_list" } });
  const [a, b] = [rx(l, FULL), rx(l, FULL)];
  const clone = l.skbs.skbClone(b, GFP);
  expect([l.hook.coalesceQueued(a, b), l.hook.coalesceQueued(b, a)]).toEqual([false, false]);
  free(l, clone);
  expect(l.hook.coalesceQueued(a, b)).toBe(true);
  free(l, a);
  ends(l);
});

/** Every path once, with what it needs freed at the end, whatever failed on the way. */
const paths: Readonly<Record<string, (l: Lab, all: number[]) => void>> = {
  clone: (l, all) => keep(all, l.skbs.skbClone(all[0] as number, GFP)),
  copy: (l, all) => keep(all, l.skbs.skbCopy(all[0] as number, GFP)),
  pskb_copy: (l, all) => keep(all, l.skbs.pskbCopy(all[0] as number, GFP)),
  pskb_expand_head(l, all) {
    keep(all, l.skbs.skbClone(all[0] as number, GFP));
    l.skbs.pskbExpandHead(all[0] as number, 64, 0, GFP);
  },
  skb_try_coalesce(l, all) {
    if (all.length > 1 && l.hook.coalesceQueued(all[0] as number, all[1] as number)) all.splice(1, 1);
  },
  gro(l, all) {
    all.splice(0, all.length, ...throughGro(l.skbs, all));
  },
  skb_shift(l, all) {
    const target = l.skbs.allocSkb(64, GFP);
    if (target === 0) return;
    l.hook.mark(target);
    all.push(target);
    keep(all, l.skbs.skbClone(all[0] as number, GFP));
    const page = l.pools.allocPages(l.pool, 0);
    if (page < 0) return;
    const source = l.skbs.allocSkb(64, GFP);
    if (source === 0) {
      l.pools.putFullPage(l.pool, page, false);
      return;
    }
    l.skbs.skbAddRxFrag(source, 0, page, 0, 1000, 4096);
    l.hook.mark(source);
    all.push(source);
    keep(all, l.skbs.skbClone(source, GFP));
    l.skbs.skbShift(target, source, 1000);
  },
  skb_segment(l, all) {
    all.push(...segmentPaged(l.skbs, all[0] as number, 1000));
  },
  splice(l, all) {
    for (const pfn of l.splice(all[0] as number)) l.pages.putPage(pfn);
  },
  xdp(l) {
    const pfn = l.receiveForXdp(60);
    if (pfn >= 0) l.returnFrame(pfn);
  },
};
const keep = (all: number[], skb: number): void => {
  if (skb !== 0) all.push(skb);
};

/** Without what skb_shift() does to a clone's fragment even where nothing fails. */
const lost = (l: Lab): readonly CensusEntry[] => l.census().faults.filter((f) => f.fault !== "two kinds");

describe("fail the Nth: nothing is lost when memory fails on the way of", () => {
  test.each(Object.keys(paths))("%s", (name) => {
    let failures = 0;
    for (const kind of ["failPage", "failHead", "failSkb"] as const) {
      for (let nth = 1; nth <= 8; nth++) {
        const l = lab({ [kind]: nth, ringSize: 4 });
        const all = [l.receive(9000), l.receive(FULL)].filter((s) => s !== 0);
        if (all.length > 0) paths[name]?.(l, all);
        expect(lost(l)).toEqual([]);
        failures += l.pages.failures() + l.heap.failures();
        free(l, ...all);
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
