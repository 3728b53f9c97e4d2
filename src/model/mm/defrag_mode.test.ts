// vm.defrag_mode: nobody takes a part of another type's pageblock before reclaim and compaction have failed. Who cannot reclaim is let through in a last
// try by 7.2.12; the change that brought the mode in 6.15 refuses him (__alloc_pages_slowpath(), get_page_from_freelist(), mm/page_alloc.c).
import { describe, expect, test } from "vitest";
import { parseRelease } from "../../kernel/release.ts";
import { createJournal } from "../journal.ts";
import { createBootedMemory } from "../kernels/booted.ts";
import { partsFor } from "../kernels/parts_for.ts";
import type { BootedMemory } from "./booted.ts";
import { freeBlocks } from "./observe.ts";
import { zoneOf } from "./zone.testkit.ts";

const MOVABLE = 1;
const GFP_ATOMIC = 0x820;
const GFP_KERNEL = 0xcc0;

/** A zone whose free blocks are of one order, on the movable list. */
function movableOnly(release: string, defragMode: boolean, order: number) {
  const kernel = partsFor(parseRelease(release)).parts.mm;
  const m = zoneOf({ release, marks: [4, 5, 6], pcp: [0, 1], rules: { ...kernel.rules(), defragMode } });
  // Every other block, so that none merges.
  for (let pfn = 0; pfn < 2048; pfn += 2 << order) m.area.freeOnePage(pfn, 0, order, MOVABLE, false);
  return m;
}

describe("unmovable requests, and only parts of movable pageblocks are free", () => {
  test.each([
    ["6.12.117", false, true],
    ["6.18", false, true],
    ["6.18", true, false],
    ["7.2.12", false, true],
    ["7.2.12", true, true],
  ])("%s, defrag_mode %s: one that may not wait is served: %s", (release, mode, served) => {
    expect(movableOnly(release, mode, 3).pages.allocPages(GFP_ATOMIC, 1) >= 0).toBe(served);
  });

  test("a whole free pageblock is claimed in either mode: it changes its type and nothing is mixed", () => {
    for (const mode of [false, true]) {
      const m = movableOnly("6.18", mode, 9);
      const pfn = m.pages.allocPages(GFP_ATOMIC, 1);
      expect(pfn).toBeGreaterThanOrEqual(0);
      expect(m.area.blockTypeOf(pfn)).toBe(0);
    }
  });

  test("one that may wait reclaims and compacts first, for a whole pageblock; then it may take a part after all", () => {
    const m = movableOnly("7.2.12", true, 3);
    const noted: string[] = [];
    m.setRescue({
      directReclaim: () => noted.push("reclaim") && 0,
      directCompact: () => {
        noted.push("compact");
        return "complete";
      },
      reclaimWouldHelp: () => false,
      compactionSuitable: () => false,
      drainAll: () => undefined,
      unreserveHighatomic: () => false,
      outOfMemory: () => {
        noted.push("kill");
        return false;
      },
    });
    expect(m.pages.allocPages(GFP_KERNEL, 1)).toBeGreaterThanOrEqual(0);
    expect(noted).toContain("reclaim");
    expect(noted).toContain("compact");
    expect(noted).not.toContain("kill");
    // The same without the mode asks nobody.
    const plain = movableOnly("7.2.12", false, 3);
    expect(plain.pages.allocPages(GFP_KERNEL, 1)).toBeGreaterThanOrEqual(0);
  });
});

describe("kswapd in defrag mode", () => {
  /** Memory in use page by page, then every third page free; the blocks free of whole pageblocks once kswapd has run. */
  function wholeAfter(defragMode: boolean): number {
    const m: BootedMemory = createBootedMemory({
      release: parseRelease("7.2.12-x86_64"),
      memoryMb: 128,
      defragMode,
      journal: createJournal(),
    });
    const user: number[] = [];
    for (let pfn = m.allocUser(0x100cca); pfn >= 0; pfn = m.allocUser(0x100cca)) {
      user.push(pfn);
      if (user.length > 25_000) break;
    }
    for (const [i, pfn] of user.entries()) if (i % 3 === 0) m.freeUser(pfn);
    m.reclaim.drainAll();
    const whole = (): number =>
      m.memory.spec.zones.reduce(
        (n, _, z) => n + freeBlocks(m, z).reduce((s, c, o) => s + (o >= 9 ? c << o : 0), 0),
        0,
      );
    const before = whole();
    m.reclaim.wake(0, defragMode ? 9 : 0);
    m.reclaim.runKswapd();
    return whole() - before;
  }

  test("kcompactd goes on until the high mark is met in whole pageblocks (compact_finished(), mm/compaction.c, 7.2.12)", () => {
    expect(wholeAfter(false)).toBe(0);
    expect(wholeAfter(true)).toBeGreaterThanOrEqual(512);
  });
});
