// A made-up kernel whose structs are laid out by a seed: what the reader finds does not hang on how any real kernel was built.
import { describe, expect, test } from "vitest";
import { BadInput } from "../base/bad_input.ts";
import { prng } from "../base/prng.ts";
import { readImage } from "./image.ts";
import { imageRecords } from "./records.ts";
import { allocatedObjects, SlabReader } from "./slab/caches.ts";
import { notSeen } from "./summary.ts";
import { tinyKernel, tinyMemory } from "./tiny.testkit.ts";

describe("a kernel that never was", () => {
  test.each([1, 2, 3, 4, 5, 6, 7, 8])(
    "layout %i: free lists, per-CPU lists and objects are found as they were put",
    (seed) => {
      const tiny = tinyKernel(seed);
      const image = readImage(tinyMemory(tiny));
      expect(image.findings.list).toEqual([]);
      const [zone] = image.zones.zones;
      expect(zone?.name).toBe("DMA");
      expect(new Map(zone?.lists.map((l) => [`${l.order}/${l.migrateType}`, l.pfns]))).toEqual(tiny.truth.lists);
      expect(zone?.pcp[0]?.lists).toEqual(tiny.truth.pcp);
      const [cache] = image.caches;
      expect(cache?.name).toBe("tiny");
      expect(cache?.slabs).toEqual(tiny.truth.slabs);
      if (cache === undefined) return;
      expect([...allocatedObjects(image.kernel, cache, new SlabReader(image.kernel))]).toEqual(tiny.truth.objects);
    },
  );

  test.each(["free list", "per-CPU list"])("a page on a %s with a flag of pages in use is one finding", (where) => {
    const tiny = tinyKernel(4);
    const { lists, pcp, layouts, mapAt } = tiny.truth;
    const pfn = where === "free list" ? [...lists.values()][0]?.[0] : pcp.flat()[0];
    if (pfn === undefined) throw new Error("this layout has none");
    const bytes = tiny.bytes.slice();
    // PG_lru is bit 5 in this kernel; a flag without a name here changes nothing.
    const at = mapAt + pfn * 144 + layouts.off("page", "flags");
    bytes[at] = 1 << 4;
    expect(readImage(tinyMemory(tiny, bytes)).findings.list).toEqual([]);
    bytes[at] = 1 << 5;
    const found = readImage(tinyMemory(tiny, bytes)).findings.list;
    expect(found.map((f) => f.text)).toEqual([expect.stringMatching(`^pfn ${pfn} on a .*flag lru of pages in use`)]);
  });

  test("what this kernel has no struct for is said, and takes nothing else away", () => {
    const image = readImage(tinyMemory(tinyKernel(1)));
    const said = notSeen(image).join("\n");
    expect(said).toMatch(/Not read: sk_buffs: .*sk_buff|Not read: sk_buffs/);
    expect(said).toMatch(/kernel log cannot be read/);
  });

  test("a struct page that is not in the image is unseen, never free and never zeros", () => {
    const tiny = tinyKernel(3);
    const memory = tinyMemory(tiny);
    const whole = readImage(memory);
    const run = whole.kernel.space.run(whole.kernel.vmemmap + 4096n);
    const gone = Math.floor((run?.physical ?? 0) / 4096);
    const image = readImage({
      ...memory,
      page: (pfn) => (pfn === gone ? undefined : memory.page(pfn)),
      has: (pfn) => pfn !== gone,
    });
    expect(image.map.unseen).toBeGreaterThan(0);
    expect(image.map.unseen + image.map.seen).toBe(512);
    expect(notSeen(image).join("\n")).toMatch(/struct pages are not in the image/);
  });

  test("mutated images end in an answer or in one clear sentence, soon", () => {
    const seed = 20261129;
    console.info(`mutation seed ${seed}`);
    const random = prng(seed);
    let answers = 0;
    for (let round = 0; round < 150; round++) {
      const tiny = tinyKernel(1 + random.below(8));
      const bytes = tiny.bytes.slice();
      const view = new DataView(bytes.buffer);
      for (let n = [1, 8, 64, 512][random.below(4)] as number; n > 0; n--) mutate(view, random);
      try {
        const image = readImage(tinyMemory(tiny, bytes));
        let length = 0;
        for (const r of imageRecords(image)) length += JSON.stringify(r).length;
        expect(length).toBeGreaterThan(100);
        expect(notSeen(image).length).toBeGreaterThan(0);
        answers++;
      } catch (error) {
        if (!(error instanceof BadInput)) throw error;
        expect(error.sentence().length).toBeLessThan(400);
      }
    }
    expect(answers).toBeGreaterThan(50);
  });
});

/** One wild word somewhere in the kernel's data: zero, ones, a pointer to anywhere, a pointer to a struct page, or one flipped byte. */
function mutate(view: DataView, random: ReturnType<typeof prng>): void {
  const at = 0x100000 + random.below((view.byteLength - 0x100000) / 4 / 8) * 8;
  const values = [
    0n,
    0xffffffffffffffffn,
    0xffff888000000000n + BigInt(random.below(512 * 4096)),
    0xffffea0000000000n + BigInt(random.below(512) * 144 + random.below(18) * 8),
    BigInt(random.u32()),
  ];
  if (random.chance(0.3)) view.setUint8(at, random.below(256));
  else view.setBigUint64(at, random.pick(values), true);
}
