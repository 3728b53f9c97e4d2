import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { gather } from "../artifact/gather.ts";
import { sourceOf } from "../base/byte_source.ts";
import type { BuddyInfo } from "../kernel/readings/buddyinfo.ts";
import type { PageTypeInfo } from "../kernel/readings/pagetypeinfo.ts";
import { freeRows } from "./free_lists.ts";
import { freeMap } from "./free_map.ts";

async function readingOf(name: string): Promise<BuddyInfo | PageTypeInfo> {
  async function* bytes(): AsyncGenerator<Uint8Array> {
    yield readFileSync(join(import.meta.dirname, "../../fixtures/proc", name));
  }
  async function* items() {
    yield { source: sourceOf(name, bytes()), named: true };
  }
  const { readings } = await gather(items());
  const found = readings.map((r) => r.reading).find((r) => r.kind === "buddyinfo" || r.kind === "pagetypeinfo");
  if (found === undefined) throw new Error(`nothing read in ${name}`);
  return found as BuddyInfo | PageTypeInfo;
}

test.each(["buddyinfo-6.1", "buddyinfo-2.6.24", "pagetypeinfo-6.1", "pagetypeinfo-2.6.32", "pagetypeinfo-5.10"])(
  "%s drawn to scale: as many cells as pages are free, and what is taken fills up the pageblocks",
  async (name) => {
    const reading = await readingOf(name);
    const drawn = freeMap(reading, 1 << 24);
    if (drawn === undefined) throw new Error("nothing drawn");
    const { map, stretches } = drawn;
    const free = freeRows(reading).reduce((n, r) => n + r.pages, 0);
    const cells = map.cells.reduce((n, kind) => n + (kind >= 1 && kind <= 5 ? 1 : 0), 0);
    expect(cells).toBe(free);
    expect(map.legend.slice(0, 5).reduce((n, l) => n + l.pages, 0)).toBe(free);
    const taken = map.cells.reduce((n, kind) => n + (kind > 5 ? 1 : 0), 0);
    if (reading.kind === "buddyinfo") expect(taken).toBe(0);
    else {
      const inBlocks = reading.blocks.flatMap((b) => b.blocks).reduce((n, b) => n + b, 0) * reading.pagesPerBlock!;
      expect(taken).toBeGreaterThanOrEqual(inBlocks - free);
      expect(taken).toBeLessThanOrEqual(inBlocks);
    }
    for (const s of stretches)
      expect(new Set(map.cells.subarray(s.firstCell, s.firstCell + s.cells)).size, s.text).toBe(1);
    expect(map.cells.length).toBe(map.width * map.height);
  },
);

test("nothing free and nothing counted gives no drawing", () => {
  expect(freeMap({ kind: "buddyinfo", zones: [{ node: 0, zone: "DMA", free: [0, 0] }] })).toBeUndefined();
});
