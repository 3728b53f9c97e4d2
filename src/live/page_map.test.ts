// Entries as fs/proc/page.c of 6.1.192, 6.12.117 and 3.10 writes them. The oracle counts page by page without knowing of blocks, slices or cells.
import { describe, expect, test } from "vitest";
import { prng } from "../base/prng.ts";
import { kpf, kpfHigh } from "../kernel/facts/kpageflags.ts";
import type { LiveMapOptions } from "./page_map.ts";
import { createLiveMap, fewPages, kindOfPage, pageKinds, ramOf } from "./page_map.ts";

type Low = keyof typeof kpf;
const low = (...names: Low[]): number => names.reduce((word, n) => (word | (1 << kpf[n])) >>> 0, 0);
const reserved = 1 << kpfHigh.RESERVED;
const mlocked = 1 << kpfHigh.MLOCKED;
const kind = (l: number, h = 0, count = 0, before = "no page"): string =>
  pageKinds[
    kindOfPage(
      l,
      h,
      count,
      pageKinds.findIndex((k) => k.name === before),
    )
  ]!.name;

interface Entry {
  readonly l: number;
  readonly h?: number;
  readonly count?: number;
}
function mapOf(entries: readonly Entry[], options: Partial<LiveMapOptions> = {}, slice = 7) {
  const taker = createLiveMap({ frames: entries.length, blockOrder: 3, ...options });
  for (let at = 0; at < entries.length; at += slice) {
    const part = entries.slice(at, at + slice);
    taker.add(
      Uint32Array.from(part.flatMap((e) => [e.l, e.h ?? 0])),
      Uint32Array.from(part.flatMap((e) => [e.count ?? 0, 0])),
      part.length,
    );
  }
  return taker.finish();
}

describe("what a page is", () => {
  test.each([
    ["no page", low("NOPAGE"), 0, 0],
    ["free", low("BUDDY"), 0, 0],
    ["free", low("BUDDY", "UPTODATE"), 0, 0],
    ["slab", low("SLAB"), 0, 0],
    // 6.18.44: a slab's `mapping` is something else, and looks like an anonymous page's that KSM has merged.
    ["slab", low("SLAB", "ANON", "KSM"), 0, 0],
    ["file cache (LRU)", low("UPTODATE", "LRU"), 0, 0],
    ["file cache (LRU)", low("UPTODATE", "LRU", "MMAP"), 0, 3],
    ["anonymous (LRU)", low("UPTODATE", "LRU", "MMAP", "ANON", "SWAPBACKED"), 0, 1],
    ["anonymous (LRU)", low("UPTODATE", "MMAP", "ANON", "SWAPBACKED"), 0, 1],
    ["anonymous (LRU)", low("UPTODATE", "LRU", "ANON", "SWAPBACKED", "SWAPCACHE"), 0, 0],
    ["pinned candidate", low("UPTODATE", "LRU", "ANON", "SWAPBACKED"), 0, 0],
    // A part of a large folio that was unmapped lives as long as the folio.
    ["anonymous (LRU)", low("UPTODATE", "LRU", "ANON", "COMPOUND_TAIL", "THP"), 0, 0],
    ["unevictable or locked (LRU)", low("UPTODATE", "LRU", "ANON", "UNEVICTABLE", "MMAP"), mlocked, 1],
    ["hugetlb", low("HUGE", "COMPOUND_TAIL"), 0, 0],
    ["page table", low("PGTABLE"), 0, 0],
    ["reserved", 0, reserved, 0],
    ["mapped by a driver", low("MMAP"), 0, 1],
    ["offline or poisoned", low("HWPOISON", "LRU"), 0, 0],
    ["kernel, no flag", 0, 0, 0],
    ["kernel, no flag", low("COMPOUND_HEAD"), 0, 0],
  ])("%s: %i %i, mapped %i times", (name, l, h, count) => {
    expect(kind(l, h, count)).toBe(name);
  });
  test("without kpagecount nobody is said to be pinned; a tail of a slab is slab where only the head is flagged (3.10)", () => {
    expect(kind(low("UPTODATE", "LRU", "ANON"), 0, -1)).toBe("anonymous (LRU)");
    expect(kind(low("COMPOUND_TAIL"), 0, 0, "slab")).toBe("slab");
    expect(kind(low("COMPOUND_TAIL"), 0, 0, "kernel, no flag")).toBe("kernel, no flag");
  });
});

/** Page by page, block by block, the plain way. */
function naive(entries: readonly Entry[], blockOrder: number) {
  const kinds: number[] = [];
  for (const e of entries) kinds.push(kindOfPage(e.l, e.h ?? 0, e.count ?? 0, kinds.at(-1) ?? 0));
  const size = 2 ** blockOrder;
  const counts = { all: 0, free: 0, clear: 0, fixed: 0, pinned: [0, 0, 0, 0] };
  const few: number[] = [];
  for (let first = 0; first < kinds.length; first += size) {
    const block = kinds.slice(first, first + size).filter((k) => k > 0);
    const stuck = block.filter((k) => !pageKinds[k]!.movable).length;
    if (block.length === 0) continue;
    counts.all++;
    if (block.length === size && block.every((k) => k === 1)) counts.free++;
    else if (stuck === 0) counts.clear++;
    else if (stuck === block.length) counts.fixed++;
    else counts.pinned[stuck <= 1 ? 0 : stuck <= 8 ? 1 : stuck <= 64 ? 2 : 3]!++;
    if (stuck > 0 && stuck < block.length && stuck <= fewPages) few.push(first);
  }
  return { kinds, counts, few };
}

test("a map is what counting page by page gives, whatever the slices it was read in", () => {
  const seed = 18;
  const random = prng(seed);
  const some: readonly Entry[] = [
    { l: low("BUDDY") },
    { l: low("BUDDY") },
    { l: low("LRU", "UPTODATE") },
    { l: low("LRU", "ANON", "MMAP"), count: 1 },
    { l: low("LRU", "ANON"), count: 0 },
    { l: low("SLAB") },
    { l: low("COMPOUND_TAIL") },
    { l: 0 },
    { l: low("NOPAGE") },
    { l: 0, h: reserved },
  ];
  for (let round = 0; round < 60; round++) {
    const blockOrder = 2 + random.below(6);
    const entries: Entry[] = [];
    while (entries.length < 700 + random.below(300)) {
      const e = random.pick(some);
      // Mostly long stretches, as memory is.
      for (let n = 1 + random.below(random.chance(0.3) ? 300 : 3); n > 0; n--) entries.push(e);
    }
    const map = mapOf(entries, { blockOrder }, 1 + random.below(90));
    const want = naive(entries, blockOrder);
    const where = `seed ${seed}, round ${round}`;
    expect([...map.cells], where).toEqual(want.kinds);
    expect(
      map.pages.map((n, k) => [k, n]),
      where,
    ).toEqual(pageKinds.map((_, k) => [k, want.kinds.filter((x) => x === k).length]));
    const { all, free, clear, fixed, pinned } = map.blocks;
    expect({ all, free, clear, fixed, pinned: pinned.map((p) => p.blocks) }, where).toEqual(want.counts);
    expect(
      map.fewPinned.map((b) => b.first),
      where,
    ).toEqual(want.few);
    for (const b of map.fewPinned)
      for (const page of b.pages) expect(pageKinds[want.kinds[page]!]!.movable, where).toBe(false);
  }
});

test("more pages than cells: a cell is what most of its pages are, and the counts stay exact", () => {
  const entries = Array.from(
    { length: 40 },
    (_, i): Entry => ({ l: i < 20 ? low("BUDDY") : i % 4 === 0 ? 0 : low("SLAB") }),
  );
  const map = mapOf(entries, { cellsMax: 10 });
  expect([map.framesPerCell, map.cells.length]).toEqual([4, 10]);
  expect([...map.cells].map((k) => pageKinds[k]!.name)).toEqual([...Array(5).fill("free"), ...Array(5).fill("slab")]);
  expect(map.pages[pageKinds.findIndex((k) => k.name === "kernel, no flag")]).toBe(5);
});

test("a kernel that flags only the first page of a free block is found out by its entries", () => {
  const head = { l: low("BUDDY") };
  const rest = { l: 0 };
  expect(mapOf([head, rest, rest, rest, head, rest]).tailsOfFreeFlagged).toBe(false);
  expect(mapOf([head, head, head, head, rest]).tailsOfFreeFlagged).toBe(true);
  // Free pages that are no buddies of each other: 1 and 2.
  expect(mapOf([rest, head, head, rest]).tailsOfFreeFlagged).toBe(false);
});

test("frames beyond RAM are holes, though the kernel has page frames for them; an /proc/iomem without addresses says nothing", () => {
  const iomem =
    "00000000-00000000 : Reserved\n00001000-00003fff : System RAM\n  00002000-00002fff : Kernel code\n00008000-00008fff : System RAM\n";
  const ram = ramOf(iomem)!;
  expect(ram).toEqual([{ from: 1, to: 4 }]);
  const map = mapOf(
    Array.from({ length: 6 }, () => ({ l: 0 })),
    { ram },
  );
  expect([...map.cells].map((k) => pageKinds[k]!.name === "no page")).toEqual([true, false, false, false, true, true]);
  expect(ramOf("00000000-00000000 : System RAM\n00000000-00000000 : System RAM\n")).toBeUndefined();
});
