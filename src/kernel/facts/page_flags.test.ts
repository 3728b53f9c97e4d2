import { describe, expect, test } from "vitest";
import { blockOf, decodePageFlags, largestHeadOrder, pageFlagEras, pageFlagReadings } from "./page_flags.ts";

describe("page flags by era", () => {
  test("0x44000 is tail|buddy in 2.6.29, head|reclaim from 2.6.30 on, and neither before", () => {
    const by = Object.fromEntries(pageFlagReadings(0x44000n).map((r) => [r.kernels, r.text]));
    expect(decodePageFlags(0x44000n, [2, 6, 29]).text).toBe("tail|buddy");
    expect(decodePageFlags(0x44000n, [2, 6, 31]).text).toBe("head|reclaim");
    expect(decodePageFlags(0x44000n, [2, 6, 24]).text).toBe("compound|bit 18?");
    expect(by["2.6.26 to 2.6.29"]).toBe("tail|buddy");
    expect(by["2.6.30 to 4.3"]).toBe("head|reclaim");
  });

  test("buddy is checked at free in 2.6.29; head and reclaim are not in 2.6.31", () => {
    expect(decodePageFlags(0x44000n, [2, 6, 29]).badAtFree).toEqual(["buddy"]);
    expect(decodePageFlags(0x44000n, [2, 6, 31]).badAtFree).toEqual([]);
  });

  test("slab|head of a running 6.1: bits 9 and 16, the rest names the zone", () => {
    const decoded = decodePageFlags(0x4000000000010200n, [6, 1]);
    expect(decoded.text).toBe("slab|head");
    expect(decoded.place).toBe(0x4000000000000000n);
  });

  test("a bit after the fixed ones is named by what could stand there", () => {
    const decoded = decodePageFlags(1n << 22n, [6, 1]);
    expect(decoded.names).toEqual([]);
    expect(decoded.unknown[0]?.hint).toMatch(/uncached or hwpoison/);
  });

  test("no era names a bit twice, and every flag checked at free exists", () => {
    for (const era of pageFlagEras) {
      const names = era.bits.split(" ").filter((n) => n !== ".");
      expect(new Set(names).size, era.id).toBe(names.length);
      const all = new Set([...names, ...era.tail.map((t) => t.name)]);
      expect(
        era.checkedAtFree.split(" ").filter((n) => !all.has(n)),
        era.id,
      ).toEqual([]);
    }
  });

  test("no bit is lost between flags, unknown bits and the place", () => {
    for (const era of pageFlagEras) {
      for (let bit = 0; bit < 64; bit++) {
        const d = decodePageFlags(1n << BigInt(bit), era.since);
        expect(d.bits.length + d.unknown.length + (d.place === 0n ? 0 : 1)).toBe(1);
      }
    }
  });
});

describe("page frame arithmetic", () => {
  test("pfn 0x80db heads nothing above order 0, and lies in the order-2 block 0x80d8..0x80db", () => {
    expect(largestHeadOrder(0x80db)).toBe(0);
    expect(blockOf(0x80db, 2)).toEqual([0x80d8, 0x80db]);
    expect(largestHeadOrder(0x80d8)).toBe(3);
  });
  test("a head has no larger order than the allocator's largest, or than is asked for", () => {
    expect([1 << 9, 1 << 10, 1 << 11, 0].map((pfn) => largestHeadOrder(pfn))).toEqual([9, 10, 10, 10]);
    expect([1 << 2, 1 << 3, 1 << 4].map((pfn) => largestHeadOrder(pfn, 3))).toEqual([2, 3, 3]);
  });
  test("a word of flags has 64 bits", () => {
    for (const wrong of [-1n, 1n << 64n, 5, undefined, "0x5"])
      expect(() => decodePageFlags(wrong as bigint, [6, 1]), String(wrong)).toThrow(/must be a bigint of 64 bits/);
    expect(decodePageFlags((1n << 64n) - 1n, [6, 1]).names.length).toBeGreaterThan(20);
    expect(decodePageFlags(0n, [6, 1]).names).toEqual([]);
  });
});
