// page_owner as a listener: the kernel's dump in both forms, one copy of each call chain, both histories of a page freed twice.
import { describe, expect, test } from "vitest";
import { parseRelease } from "../../kernel/release.ts";
import { createBootedMemory } from "../kernels/booted.ts";
import type { StackFrame } from "./page_owner.ts";
import { createPageOwner } from "./page_owner.ts";

const frame = (symbol: string, offset: number, size: number, address?: number): StackFrame =>
  address === undefined ? { symbol, offset, size } : { symbol, offset, size, address };
const fault = [frame("__folio_alloc", 0x18, 0x40), frame("__handle_mm_fault", 0x5f7, 0x11f0)];
const exit = [frame("free_unref_page", 0x10, 0x80), frame("do_exit", 0x3a1, 0xa80)];

describe("page_owner", () => {
  test("the 6.1 form is the kernel's, line by line", () => {
    const machine = createBootedMemory({ release: parseRelease("6.1.192"), memoryMb: 64 });
    const owner = createPageOwner(machine, [6, 1, 192]);
    Object.assign(owner.context, { pid: 49, tgid: 49, comm: "exe" });
    machine.journal.nanos = 1979867272;
    const pfn = owner.within(fault, () => machine.allocUser(0x140cca));
    expect([...owner.dump("6.1")]).toEqual([
      `Page allocated via order 0, mask 0x140cca(GFP_HIGHUSER_MOVABLE|__GFP_COMP), pid 49, tgid 49 (exe), ts 1979867272 ns, free_ts 0 ns\n` +
        `PFN ${pfn} type Movable Block ${pfn >> 9} type Movable Flags 0x4000000000000010(lru|zone=1)\n` +
        " __folio_alloc+0x18/0x40\n __handle_mm_fault+0x5f7/0x11f0\n\n",
    ]);
  });

  test("the 2005 form has bracketed addresses and decimal offsets, at most eight frames", () => {
    const machine = createBootedMemory({ release: parseRelease("2.6.11-i386"), memoryMb: 64 });
    const owner = createPageOwner(machine, [2, 6, 11]);
    const chain = Array.from({ length: 10 }, (_, i) => frame("kmem_getpages", 49, 100, 0xc0146f01 + i));
    owner.within(chain, () => machine.pages.allocPages(0xd0, 0));
    const [text = ""] = [...owner.dump("2005")];
    expect(text.startsWith("Page allocated via order 0\n[0xc0146f01] kmem_getpages+49\n")).toBe(true);
    expect(text.split("\n").length).toBe(1 + 8 + 2);
  });

  test("ten thousand pages of one caller share one chain, and freed pages leave the dump", () => {
    const machine = createBootedMemory({ release: parseRelease("6.1.192"), memoryMb: 128 });
    const owner = createPageOwner(machine, [6, 1, 192]);
    const held: number[] = [];
    for (let i = 0; i < 10_000; i++) held.push(owner.within(fault, () => machine.pages.allocPages(0xcc0, 0)));
    expect(owner.depot.size).toBe(1);
    expect([...owner.dump("6.1")].length).toBe(10_000);
    for (const pfn of held) machine.pages.freePages(pfn, 0);
    expect([...owner.dump("6.1")].length).toBe(0);
  });

  test("a page freed twice has both histories to show", () => {
    const machine = createBootedMemory({ release: parseRelease("6.1.192"), memoryMb: 64 });
    const owner = createPageOwner(machine, [6, 1, 192]);
    const pfn = owner.within(fault, () => machine.pages.allocPages(0xcc0, 0));
    owner.within(exit, () => machine.pages.freePages(pfn, 0));
    const bad: number[] = [];
    machine.journal.listen((_k, _n, _c, at) => bad.push(at), "bad_page");
    machine.pages.freePages(pfn, 0);
    machine.reclaim.drainAll();
    expect(bad).toEqual([pfn]);
    const history = owner.historyOf(pfn);
    expect(history?.allocated).toBe(false);
    expect([history?.allocStack[1]?.symbol, history?.freeStack[1]?.symbol]).toEqual(["__handle_mm_fault", "do_exit"]);
  });
});
