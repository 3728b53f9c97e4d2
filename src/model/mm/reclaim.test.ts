// Reclaim, compaction and active freeing: models of effect, held to what they must achieve and to the allocator's invariants.
import { describe, expect, test } from "vitest";
import { prng } from "../../base/prng.ts";
import { eventKind } from "../../kernel/events.ts";
import { parseRelease } from "../../kernel/release.ts";
import { createBootedMemory } from "../kernels/booted.ts";
import type { BootedMemory, BootedOptions } from "./booted.ts";
import { memoryProblems } from "./invariants.ts";
import { zoneField, zoneStride } from "./memory.ts";

const now = parseRelease("6.1.192");
/** GFP_KERNEL, GFP_HIGHUSER_MOVABLE and GFP_ATOMIC of 6.1. */
const kernel = 0xcc0;
const user = 0x100cca;
const atomic = 0xa20;
const nowarn = 0x2000;

interface Thrashed {
  readonly machine: BootedMemory;
  /** Contents by pfn: a page's identity, which moves with it. */
  readonly contents: Map<number, number>;
}

/** Fills memory with user pages, then gives every second one back: plenty is free, nothing is whole. */
function thrash(options: BootedOptions): Thrashed {
  const machine = createBootedMemory(options);
  const contents = new Map<number, number>();
  machine.lru.setOwner({
    evict: (pfn) => contents.delete(pfn),
    migrate(from, to) {
      const what = contents.get(from);
      if (what === undefined || contents.has(to)) throw new Error(`migration of ${from} to ${to}`);
      contents.delete(from);
      contents.set(to, what);
      return true;
    },
  });
  const { gfp: bits } = machine.rules;
  const mask = options.release.version[0] === 6 ? (user & ~0x400) | nowarn : bits.movable | bits.nowarn | 0x20;
  for (;;) {
    const pfn = machine.allocUser(mask);
    if (pfn < 0) break;
    contents.set(pfn, contents.size);
  }
  let odd = false;
  const random = prng(7);
  for (const pfn of [...contents.keys()]) {
    odd = random.chance(0.5);
    if (!odd) continue;
    contents.delete(pfn);
    machine.freeUser(pfn);
  }
  machine.reclaim.drainAll();
  return { machine, contents };
}

describe("direct compaction", () => {
  test("a huge page comes out of memory in which every second page is free, and no page is lost", () => {
    const { machine, contents } = thrash({ release: now, memoryMb: 64 });
    expect(machine.pages.allocPages(atomic | nowarn, 9)).toBe(-1);
    const before = [...contents.values()].sort((a, b) => a - b);
    let migrated = 0;
    machine.journal.listen(() => migrated++, "page_migrated");
    const pfn = machine.pages.allocPages(kernel | 8, 9);
    expect(pfn).toBeGreaterThan(0);
    expect(migrated).toBeGreaterThan(100);
    expect([...contents.values()].sort((a, b) => a - b)).toEqual(before);
    for (const at of contents.keys()) expect(machine.lru.isLru(at)).toBe(true);
    expect(memoryProblems(machine)).toEqual([]);
  });

  test("pages that cannot move defeat it, and the failure is announced once", () => {
    const { machine } = thrash({ release: now, memoryMb: 64 });
    machine.lru.setOwner({ evict: () => false, migrate: () => false });
    const failures: number[] = [];
    machine.journal.listen((_k, _n, _c, order) => failures.push(order), "page_allocation_failure");
    expect(machine.pages.allocPages(kernel, 9)).toBe(-1);
    expect(failures).toEqual([9]);
    expect(memoryProblems(machine)).toEqual([]);
  });
});

describe("reclaim", () => {
  test("whoever may sleep evicts the coldest pages; whoever may not fails at the reserves", () => {
    const { machine, contents } = thrash({ release: now, memoryMb: 64 });
    const first = [...contents.keys()][0] as number;
    const z = machine.memory.spec.zones.findIndex(
      (zone) => first >= zone.startPfn && first < zone.startPfn + zone.spannedPages,
    );
    const coldest = machine.lru.coldest(z);
    const taken: number[] = [];
    for (;;) {
      const pfn = machine.pages.allocPages(atomic | nowarn, 0);
      if (pfn < 0) break;
      taken.push(pfn);
    }
    expect(contents.has(coldest)).toBe(true);
    const pages = contents.size;
    expect(machine.pages.allocPages(kernel, 0)).toBeGreaterThan(0);
    expect(contents.size).toBeLessThanOrEqual(pages - 32);
    expect(contents.has(coldest)).toBe(false);
    expect(memoryProblems(machine)).toEqual([]);
  });

  test("kswapd is woken below the low mark, brings zones to the high mark and takes the boost away", () => {
    const { machine } = thrash({ release: now, memoryMb: 64 });
    machine.reclaim.runKswapd();
    const wakes: number[] = [];
    machine.journal.listen((_k, _n, _c, node) => wakes.push(node), "mm_vmscan_kswapd_wake");
    while (machine.pages.allocPages(0x800 | nowarn, 0) >= 0);
    expect(wakes.length).toBe(1);
    expect(machine.reclaim.woken()).toEqual([0]);
    expect(machine.reclaim.runKswapd()).toBeGreaterThan(0);
    const { zone, spec } = machine.memory;
    spec.zones.forEach((_, row) => {
      const f = (field: number): number => zone[row * zoneStride + field] as number;
      expect(f(zoneField.boost)).toBe(0);
      if (machine.lru.count(row) > 0) expect(f(zoneField.free)).toBeGreaterThan(f(zoneField.high));
    });
    expect(memoryProblems(machine)).toEqual([]);
  });
});

describe("active freeing", () => {
  test.each(["classic", "placement-2005"] as const)(
    "%s: an order-6 request frees the neighbours of a free block",
    (policy) => {
      const release = parseRelease("2.6.11-i386");
      const options = { release, memoryMb: 64, policy };
      const gfpKernel = 0xd0;
      const without = thrash(options).machine;
      without.lru.setOwner({ evict: () => false, migrate: () => false });
      expect(without.pages.allocPages(gfpKernel, 6)).toBe(-1);
      const { machine } = thrash({ ...options, activeFreeing: true });
      expect(machine.pages.allocPages(gfpKernel, 6)).toBeGreaterThanOrEqual(0);
      expect(memoryProblems(machine)).toEqual([]);
    },
  );
});

describe("bad frees", () => {
  const hear = (machine: BootedMemory): string[] => {
    const heard: string[] = [];
    machine.journal.listen(
      (kind, _n, _c, a, b, c) => {
        if (kind === eventKind.bad_page) heard.push(`bad_page ${a}: ${machine.journal.text(c)}`);
        else heard.push(`${machine.journal.text(a)} ${b}`);
      },
      "bad_page",
      "warning",
    );
    return heard;
  };

  test("a double free is seen at once, and by the kernel when the page leaves its per-CPU list; the page is lost", () => {
    const machine = createBootedMemory({ release: now, memoryMb: 64 });
    const heard = hear(machine);
    const pfn = machine.pages.allocPages(kernel, 0);
    machine.pages.freePages(pfn, 0);
    machine.pages.freePages(pfn, 0);
    expect(heard).toEqual([`double free ${pfn}`]);
    machine.reclaim.drainAll();
    expect(heard[1]).toBe(`bad_page ${pfn}: nonzero _refcount`);
    for (let i = 0; i < 2000; i++) expect(machine.pages.allocPages(kernel, 0)).not.toBe(pfn);
  });

  test("frees of another order, of a tail, of nothing, and of a page still on the LRU are told apart", () => {
    const machine = createBootedMemory({ release: now, memoryMb: 64 });
    const heard = hear(machine);
    const block = machine.pages.allocPages(kernel, 2);
    machine.pages.freePages(block, 1);
    machine.pages.freePages(block + 1, 0);
    const page = machine.allocUser(user);
    machine.pages.freePages(page, 0);
    expect(heard).toEqual([
      `free with another order than it was allocated with ${block}`,
      `free of a page that is not in use ${block + 1}`,
      `bad_page ${page}: PAGE_FLAGS_CHECK_AT_FREE flag(s) set`,
    ]);
    machine.pages.freePages(block, 2);
    expect(heard.length).toBe(3);
    expect(memoryProblems(machine)).toEqual([]);
  });
});
