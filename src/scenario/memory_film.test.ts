import { expect, test } from "vitest";
import { BadInput } from "../base/bad_input.ts";
import { filmDefaults, filmMemory } from "./memory_film.ts";

const small = { ...filmDefaults, memoryMb: 64, pictures: 4, load: { ...filmDefaults.load, kilopages: 20 } };

test("a picture's free pages are the free blocks of the moment and what per-CPU lists hold", () => {
  for (const film of filmMemory(small, () => undefined)) {
    for (const frame of film.frames) {
      const free = frame.pages.reduce((n, c) => n + (c === 0 ? 1 : 0), 0);
      const inBlocks = frame.freeBlocks.reduce((n, count, order) => n + count * 2 ** order, 0);
      expect(free - inBlocks, `${film.policy}, ${frame.what}`).toBeGreaterThanOrEqual(0);
      expect(free - inBlocks).toBeLessThan(400);
    }
  }
});

test("the orders of free pages are the free lists of the moment, and no page is younger than its picture", () => {
  for (const film of filmMemory(small, () => undefined)) {
    film.frames.forEach((frame, at) => {
      const counted = new Array<number>(frame.freeBlocks.length).fill(0);
      frame.pages.forEach((c, pfn) => {
        const order = frame.orders[pfn]!;
        if (c === 0 && order > 0 && pfn % 2 ** order === 0) counted[order]!++;
      });
      expect(counted.slice(1), `${film.policy}, ${frame.what}`).toEqual(frame.freeBlocks.slice(1));
      expect(Math.max(...frame.born)).toBeLessThanOrEqual(at);
      expect(frame.born.some((b) => b > 0)).toBe(at > 0);
    });
  }
});

test("the same settings give the same film, and the load is the same for every policy", () => {
  const [a, b] = [filmMemory(small, () => undefined), filmMemory(small, () => undefined)];
  expect(a.map((f) => f.frames.map((x) => x.freeBlocks))).toEqual(b.map((f) => f.frames.map((x) => x.freeBlocks)));
  const pinnedOrKernel = a.map((f) => f.frames.at(-1)!.pages.reduce((n, c) => n + (c === 3 ? 1 : 0), 0));
  expect(new Set(pinnedOrKernel).size).toBe(1);
});

test("too many pictures are refused with what to do", () => {
  expect(() => filmMemory({ ...filmDefaults, memoryMb: 8192, pictures: 1000 }, () => undefined)).toThrow(BadInput);
});
