// Wrong frees as a kernel of 2.6.29 lets them happen; what it says is in mm/page_alloc.c of that release.
import { beforeEach, describe, expect, test } from "vitest";
import { parseRelease } from "../../kernel/release.ts";
import { createMachine } from "../machine.ts";
import { trusting } from "../trusting.ts";
import type { BadPageSeen, StructPages } from "./struct_page.ts";
import { pageFlag } from "./struct_page.ts";

const { head, tail, buddy } = pageFlag;

describe("struct page of 2.6.29", () => {
  let seen: BadPageSeen[] = [];
  let bugs: string[] = [];
  let pages: StructPages;
  let kernel = 0;
  let comp = 0;
  let heap: ReturnType<typeof createMachine>["heap"];

  beforeEach(() => {
    seen = [];
    bugs = [];
    const release = parseRelease("2.6.29-ppc32");
    const trust = trusting({ release, onBadPage: (s) => void seen.push(s), onBug: (where) => void bugs.push(where) });
    const machine = createMachine({ release, memoryMb: 64, failing: trust });
    pages = trust.attach(machine);
    heap = machine.heap;
    ({ kernel, comp } = machine.skbs.config.gfp);
    heap = trust.heap(machine.heap);
  });

  /** Pages of others go to the per-CPU list until what was there before has left it. */
  const flush = (): void => {
    const held = Array.from({ length: 400 }, () => pages.allocPages(kernel, 0));
    for (const pfn of held) pages.freePages(pfn, 0);
  };

  test("a block freed properly leaves nothing to say, and its pages carry no flags", () => {
    const pfn = pages.allocPages(kernel | comp, 2);
    expect([0, 1, 2, 3].map((i) => pages.flags(pfn + i))).toEqual([head, tail, tail, tail]);
    pages.putPage(pfn + 3);
    expect([1, 2, 3].map((i) => pages.flags(pfn + i))).toEqual([0, 0, 0]);
    expect(seen).toEqual([]);
  });

  test("the last page freed by itself, then the block: silent while it waits on the CPU's list, then tail and buddy", () => {
    const held = pages.allocPages(kernel, 0);
    const pfn = pages.allocPages(kernel, 2);
    const others = Array.from({ length: 400 }, () => pages.allocPages(kernel, 0));
    pages.initCount(pfn + 3);
    pages.putPage(pfn + 3);
    pages.freePages(pfn, 2);
    expect(seen).toEqual([]);
    for (const p of others) pages.freePages(p, 0);
    expect(pages.flags(pfn + 3)).toBe(buddy);
    const again = pages.allocPages(kernel | comp, 2);
    expect(again).toBe(pfn);
    expect(seen).toEqual([]);
    expect(pages.flags(pfn + 3)).toBe(tail | buddy);
    expect(pages.kfreeLarge(pfn)).toBe(true);
    expect(seen).toMatchObject([{ pfn: pfn + 3, flags: 0x44000, count: 0, mapcount: 0 }]);
    expect(seen[0]?.path).toMatch(/^__free_pages_ok < put_compound_page < kfree/);
    expect(pages.lost()).toBe(4);
    pages.freePages(held, 0);
  });

  test("a block is caught at its own free when its last page is on the free list already", () => {
    const pfn = pages.allocPages(kernel, 2);
    const others = Array.from({ length: 400 }, () => pages.allocPages(kernel, 0));
    pages.initCount(pfn + 3);
    pages.putPage(pfn + 3);
    for (const p of others) pages.freePages(p, 0);
    pages.freePages(pfn, 2);
    expect(seen).toMatchObject([{ pfn: pfn + 3, flags: buddy, count: 0 }]);
  });

  test("a block freed twice is silent until it is handed out: then its count is -1", () => {
    const pfn = pages.allocPages(kernel, 2);
    pages.freePages(pfn, 2);
    pages.freePages(pfn, 2);
    expect(seen).toEqual([]);
    for (let i = 0; i < 20_000 && seen.length === 0; i++) pages.allocPages(kernel, 0);
    expect(seen[0]).toMatchObject({ pfn, count: -1, path: "get_page_from_freelist < __alloc_pages_internal" });
  });

  test("kfree of what is no block any more is a BUG, not a report", () => {
    const address = heap.kmalloc(9500, kernel);
    heap.kfree(address);
    expect(bugs).toEqual([]);
    heap.kfree(address);
    expect(bugs).toEqual(["kfree"]);
  });

  test("a stray bit shows at the next free of the block, and costs the block", () => {
    const pfn = pages.allocPages(kernel | comp, 2);
    pages.strike(pfn + 2, buddy, "or");
    pages.putPage(pfn);
    expect(seen).toMatchObject([{ pfn: pfn + 2, flags: tail | buddy }]);
    flush();
    expect(seen.length).toBe(1);
  });

  test("a page that became a tail while it waited is found out when the CPU's list is drained", () => {
    const pfn = pages.allocPages(kernel, 2);
    const others = Array.from({ length: 400 }, () => pages.allocPages(kernel, 0));
    pages.initCount(pfn + 3);
    pages.putPage(pfn + 3);
    pages.freePages(pfn, 2);
    expect(pages.allocPages(kernel | comp, 2)).toBe(pfn);
    for (const p of others) pages.freePages(p, 0);
    expect(seen).toMatchObject([{ pfn: pfn + 3, flags: tail, count: 0 }]);
    expect(seen[0]?.path).toContain("free_pages_bulk");
  });
});
