// When compaction is worth starting, which pageblocks it empties and which it fills: compaction_suitable(), suitable_migration_source(),
// suitable_migration_target(), mm/compaction.c, 6.1.192.
import { describe, expect, test } from "vitest";
import { parseRelease } from "../../kernel/release.ts";
import { partsFor } from "../kernels/parts_for.ts";
import { createCompaction } from "./compaction.ts";
import { createLru } from "./lru.ts";
import type { MachineMemory } from "./machine_memory.ts";
import { record, zoneField } from "./memory.ts";
import { zoneOf } from "./zone.testkit.ts";

const UNMOVABLE = 0;
const MOVABLE = 1;

/** Single free pages, one in two: nothing of a higher order. */
function singles(m: MachineMemory, from: number, count: number, type: number): void {
  for (let i = 0; i < count; i++) m.area.addTail(from + 2 * i, 0, 0, type);
  m.memory.zone[zoneField.free] = (m.memory.zone[zoneField.free] as number) + count;
}

describe("compaction_suitable()", () => {
  test.each([
    [3, 116, "skipped"],
    [3, 117, "continue"],
    [4, 152, "skipped"],
    [4, 153, "continue"],
  ])(
    "order %i with %i single pages free, min 100, low 120: %s, for twice the block must be left above min, above low from order 4 on",
    (order, free, answer) => {
      const m = zoneOf({ marks: [100, 120, 140] });
      singles(m, 0, free, MOVABLE);
      const { suitable } = createCompaction(m, createLru(m));
      expect(suitable(0, order, 0, 0)).toBe(answer);
    },
  );
});

describe("vm.extfrag_threshold (compaction_suitable(), mm/compaction.c, 6.1.192)", () => {
  // 153 single pages, wanted order 4: 1000 - (1000 + 153 * 1000 / 16) / 153 = 931.
  test.each([
    ["6.1.192", 4, 500, "continue"],
    ["6.1.192", 4, 930, "continue"],
    ["6.1.192", 4, 931, "skipped"],
    ["6.1.192", 3, 1000, "continue"],
    ["4.4", 3, 1000, "skipped"],
  ])(
    "%s, order %i, threshold %i: %s, and up to order 3 it is not asked since 4.9",
    (release, order, extfragThreshold, answer) => {
      const m = zoneOf({
        release,
        marks: [100, 120, 140],
        rules: { ...partsFor(parseRelease(release)).parts.mm.rules(), extfragThreshold },
      });
      singles(m, 0, 153, MOVABLE);
      expect(createCompaction(m, createLru(m)).suitable(0, order, 0, 0)).toBe(answer);
    },
  );
});

describe("compact_zone()", () => {
  /** A page of user space in a pageblock of `source`'s type at the bottom, free pages in one of `target`'s type at the top; pages moved. */
  const moved = (source: number, target: number, priority: number): number => {
    const m = zoneOf({ pages: 2048 });
    const lru = createLru(m);
    m.area.setBlockType(0, source);
    m.area.setBlockType(1536, target);
    singles(m, 0, 1, source);
    const pfn = m.placement.rmqueue(0, 0, source, 0);
    expect(pfn).toBe(0);
    m.area.modFree(0, -1);
    m.memory.page[(pfn << 2) | record.references] = 1;
    lru.add(pfn);
    singles(m, 1536, 16, target);
    return createCompaction(m, lru).compactZone(0, 4, MOVABLE, priority).moved;
  };
  const [async, sync] = [2, 1];

  test("asynchronous, it leaves unmovable pageblocks alone; synchronous, it empties them too", () => {
    expect([moved(MOVABLE, MOVABLE, async), moved(UNMOVABLE, MOVABLE, async)]).toEqual([1, 0]);
    expect(moved(UNMOVABLE, MOVABLE, sync)).toBe(1);
  });

  test("nothing moves into unmovable pageblocks", () => {
    expect(moved(MOVABLE, UNMOVABLE, sync)).toBe(0);
  });
});
