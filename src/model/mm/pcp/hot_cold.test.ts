// The hot per-CPU list of single pages (mm/page_alloc.c, 2.6.9 and 2.6.18): when it is refilled, when it gives back, and from which end.
// Both kernels set high to six batches; 2.6.9 also has pcp->low, two batches, which later kernels dropped.
import { describe, expect, test } from "vitest";
import type { MachineMemory } from "../machine_memory.ts";
import { pcpField, zoneField } from "../memory.ts";
import { zoneOf } from "../zone.testkit.ts";

const BATCH = 4;
const held = (m: MachineMemory): number => m.memory.pcp[pcpField.count] as number;

function zone(release: string): MachineMemory {
  const m = zoneOf({ release, choices: { policy: "classic" }, pcp: [6 * BATCH, BATCH] });
  for (let pfn = 0; pfn < 1024; pfn += 16) m.area.addTail(pfn, 0, 4, 0);
  m.memory.zone[zoneField.free] = 1024;
  return m;
}
const take = (m: MachineMemory, n: number): number[] => Array.from({ length: n }, () => m.pcp.takeFrom(0, 0, 0, 0));

describe("buffered_rmqueue()", () => {
  test("2.6.9 refills a batch as soon as two batches or less are left", () => {
    const m = zone("2.6.9");
    const counts = Array.from({ length: 7 }, () => {
      take(m, 1);
      return held(m);
    });
    // 0 → 4 − 1, 3 → 7 − 1, 6 → 10 − 1; then 9 is above eight, and 8 is not.
    expect(counts).toEqual([3, 6, 9, 8, 11, 10, 9]);
  });

  test("2.6.18 refills when the list is empty", () => {
    const m = zone("2.6.18");
    const counts = Array.from({ length: 5 }, () => {
      take(m, 1);
      return held(m);
    });
    expect(counts).toEqual([3, 2, 1, 0, 3]);
  });
});

describe("free_hot_cold_page()", () => {
  /** Frees 40 pages one by one; what the list holds after each. */
  const freeing = (release: string): number[] => {
    const m = zone(release);
    const pages = take(m, 40);
    m.pcp.drainZone(0, 0);
    return pages.map((pfn) => {
      m.pcp.freePcp(pfn, 0, 0, 0);
      return held(m);
    });
  };

  test("2.6.9 looks before it adds: the list reaches six batches, and a batch leaves when the next page comes", () => {
    expect(freeing("2.6.9").slice(22, 29)).toEqual([23, 24, 21, 22, 23, 24, 21]);
  });

  test("2.6.18 looks after: the page that would be the last of six batches sends a batch back", () => {
    expect(freeing("2.6.18").slice(22, 28)).toEqual([23, 20, 21, 22, 23, 20]);
  });

  test("the page freed last is handed out first, the one freed first leaves first", () => {
    const m = zone("2.6.18");
    const pages = take(m, 24);
    m.pcp.drainZone(0, 0);
    const free = m.memory.zone[zoneField.free] as number;
    for (const pfn of pages) m.pcp.freePcp(pfn, 0, 0, 0);
    expect(m.memory.zone[zoneField.free]).toBe(free + BATCH);
    expect(take(m, 20)).toEqual(pages.slice(BATCH).reverse());
  });
});
