// Who may go below which line (mm/page_alloc.c, 6.1): the last resort of requests that cannot wait, and the room that a bulk request needs.
import { describe, expect, test } from "vitest";
import type { MachineMemory } from "./machine_memory.ts";
import { pcpField, zoneField } from "./memory.ts";
import { zoneOf } from "./zone.testkit.ts";

const MOVABLE = 1;
const HIGHATOMIC = 3;
/** GFP_NOWAIT with __GFP_HIGH as the kernel's GFP_ATOMIC has it, and without; GFP_ATOMIC | __GFP_NOMEMALLOC of the recordings. */
const NOWAIT = 10240;
const HIGH_NOMEMALLOC = 534560;

/** One zone, marks 100, 120, 140, per-CPU batch 7; `blocks` of order 4 are free in pageblock 1, of `type`. */
function zoneWith(blocks: number, type: number): MachineMemory {
  const m = zoneOf({ marks: [100, 120, 140], pcp: [100, 7], choices: { policy: "mobility" } });
  const { zone, pcp } = m.memory;
  m.area.setBlockType(512, type);
  for (let i = 0; i < blocks; i++) m.area.addTail(512 + i * 32, 0, 4, type);
  zone[zoneField.free] = blocks * 16;
  pcp[pcpField.statThreshold] = 1;
  return m;
}

describe("pages reserved for high-order atomic requests", () => {
  test("go to a single page that cannot wait, when nothing else is left", () => {
    const m = zoneWith(12, HIGHATOMIC);
    m.memory.zone[zoneField.reservedHighatomic] = 512;
    expect(m.pages.allocPages(NOWAIT, 0)).toBe(512);
    expect(m.area.blockTypeOf(512)).toBe(HIGHATOMIC);
  });
  test("do not go to one that may not use reserves", () => {
    const m = zoneWith(12, HIGHATOMIC);
    m.memory.zone[zoneField.reservedHighatomic] = 512;
    expect(m.pages.allocPages(HIGH_NOMEMALLOC, 0)).toBe(-1);
  });
});

test("a per-CPU list whose high mark is below its batch gives back one page at a time: nr_pcp_free()", () => {
  const m = zoneWith(10, MOVABLE);
  const pages = Array.from({ length: 5 }, () => m.pages.allocPages(NOWAIT | 8, 0));
  m.pcp.drainZone(0, 0);
  m.memory.pcp[pcpField.high] = 3;
  const held = pages.map((pfn) => {
    m.pages.freePages(pfn, 0);
    return m.memory.pcp[pcpField.count];
  });
  expect(held).toEqual([1, 2, 2, 2, 2]);
});

describe("unreserve_highatomic_pageblock()", () => {
  test.each([
    [512, false, false],
    [512, true, true],
    [1024, false, true],
  ])("%i pages reserved, by force %s: gives a pageblock back %s, for the last one stays", (reserved, force, gives) => {
    const m = zoneWith(12, HIGHATOMIC);
    m.memory.zone[zoneField.reservedHighatomic] = reserved;
    expect(m.placement.unreserveHighatomic(0, MOVABLE, force)).toBe(gives);
    expect(m.area.blockTypeOf(512)).toBe(gives ? MOVABLE : HIGHATOMIC);
    expect(m.memory.zone[zoneField.reservedHighatomic]).toBe(gives ? reserved - 512 : reserved);
  });
});

describe("alloc_pages_bulk", () => {
  const into = new Int32Array(64);
  test.each([
    [39, 39],
    [40, 1],
  ])(
    "of %i pages from a zone 40 above its low mark gives %i: it asks for the low mark and all its pages",
    (want, got) => {
      const m = zoneWith(10, MOVABLE);
      expect(m.memory.zone[zoneField.free]).toBe(120 + 40);
      expect(m.pages.allocPagesBulk(NOWAIT | 8, want, into)).toBe(got);
    },
  );
});
