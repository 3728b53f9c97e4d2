// Images of real kernels, in every container that they come in, with words of the kernel's data changed at random: each ends in an answer or
// in one clear sentence. scripts/fuzz-images.mjs does the same for hours.

import { describe, expect, test } from "vitest";
import { BadInput } from "../base/bad_input.ts";
import { prng } from "../base/prng.ts";
import { oneIn } from "../base/size.testkit.ts";
import type { PhysicalMemory } from "./container/physical.ts";
import { oracleMemory, oracleNames, whyNoOracle } from "./image.testkit.ts";
import { readImage } from "./image.ts";
import { openKernel, overMemory } from "./kernel.ts";
import { imageRecords } from "./records.ts";

const why = whyNoOracle();
if (why !== undefined) console.warn(`SKIPPED: mutated images: ${why}`);

const seed = 20261130;
const rounds = 3;

/** Frames whose page has several pointers of the kernel in it. */
function dataFrames(memory: PhysicalMemory): readonly number[] {
  const isData = (page: Uint8Array | undefined): boolean => {
    let pointers = 0;
    for (let w = 0; page !== undefined && w < 4096; w += 64)
      if (page[w + 6] === 0xff && page[w + 7] === 0xff) pointers++;
    return pointers > 3;
  };
  return Array.from({ length: memory.endPfn }, (_, pfn) => pfn).filter((pfn) => isData(memory.page(pfn)));
}

describe.skipIf(why !== undefined).each(oneIn(4, oracleNames))("%s", (name) => {
  test(`${rounds} times changed, seed ${seed}`, () => {
    const memory = oracleMemory(name);
    const frames = dataFrames(memory);
    expect(frames.length).toBeGreaterThan(500);
    const random = prng(seed);
    for (let round = 0; round < rounds; round++) {
      const changed = new Map<number, Uint8Array>();
      for (let n = [64, 512, 4096][round] ?? 0; n > 0; n--) {
        const pfn = random.pick(frames);
        const page = changed.get(pfn) ?? (memory.page(pfn) ?? new Uint8Array(4096)).slice();
        changed.set(pfn, page);
        const view = new DataView(page.buffer);
        const at = random.below(512) * 8;
        const other = view.getBigUint64(random.below(512) * 8, true);
        view.setBigUint64(at, random.pick([0n, 2n ** 64n - 1n, other, view.getBigUint64(at, true) + 64n]), true);
      }
      const { copy: _, ...rest } = memory;
      try {
        const image = readImage({ ...rest, page: (pfn) => changed.get(pfn) ?? memory.page(pfn) });
        let records = 0;
        for (const r of imageRecords(image)) if (JSON.stringify(r).length > 0) records++;
        expect(records).toBeGreaterThan(100);
      } catch (error) {
        if (!(error instanceof BadInput)) throw error;
        expect(error.sentence().length).toBeLessThan(400);
      }
    }
  });

  test("pages that the image does not hold are no damage: no finding, whichever they are", () => {
    const memory = oracleMemory(name);
    const kernel = openKernel(memory);
    for (const [round, share] of [0.01, 0.05].entries()) {
      const random = prng(seed + round);
      const gone = Uint8Array.from({ length: memory.endPfn }, () => (random.chance(share) ? 1 : 0));
      const { copy: _, ...rest } = memory;
      const part = { ...rest, page: (pfn: number) => (gone[pfn] === 1 ? undefined : memory.page(pfn)) };
      const { findings } = readImage(part, { kernel: overMemory(kernel, part), pointers: false });
      expect(findings.list, `seed ${seed + round}, ${share} of all pages`).toEqual([]);
    }
  });
});
