// The rare turns of steal_suitable_fallback() and boost_watermark() (mm/page_alloc.c, 6.1): blocks inside high-order atomic pageblocks,
// pageblocks that reach past the ends of their zone, zones too small to boost, NOFRAGMENT, and which end of a list a moved block gets.
import { describe, expect, test } from "vitest";
import { allocFlag } from "./alloc_flags.ts";
import type { MachineMemory } from "./machine_memory.ts";
import { record, word, zoneField } from "./memory.ts";
import { zoneOf as emptyZone } from "./zone.testkit.ts";

const UNMOVABLE = 0;
const MOVABLE = 1;
const RECLAIMABLE = 2;
const HIGHATOMIC = 3;
const nobody = -1;

/** A zone of pageblocks of 512 pages where nothing is free yet; every pageblock is movable. */
const zoneOf = (startPfn: number, pages: number): MachineMemory =>
  emptyZone({ startPfn, pages, marks: [0, 0, 1000], choices: { policy: "mobility" } });

const boostOf = ({ memory }: MachineMemory): number => memory.zone[zoneField.boost] as number;

describe("a request whose lists are empty", () => {
  test("takes only the found block out of a high-order atomic pageblock: no type change, no boost", () => {
    const m = zoneOf(0, 8192);
    m.area.setBlockType(512, HIGHATOMIC);
    m.area.addTail(512, 0, 5, MOVABLE);
    m.area.addTail(1008, 0, 4, MOVABLE);
    expect(m.placement.rmqueue(0, 5, UNMOVABLE, 0)).toBe(512);
    expect(m.area.blockTypeOf(512)).toBe(HIGHATOMIC);
    expect(m.area.firstOf(0, 4, MOVABLE)).toBe(1008);
    expect(boostOf(m)).toBe(0);
  });

  test("brings over all free blocks of the pageblock, and the pageblock when half of it is free or alike", () => {
    const m = zoneOf(0, 8192);
    // 32 free and nothing movable: the other 480 pages count as unmovable, alike.
    m.area.addTail(1024, 0, 5, MOVABLE);
    m.area.addTail(1072, 0, 4, MOVABLE);
    expect(m.placement.rmqueue(0, 5, UNMOVABLE, 0)).toBe(1024);
    expect(m.area.blockTypeOf(1024)).toBe(UNMOVABLE);
    expect(m.area.firstOf(0, 4, UNMOVABLE)).toBe(1072);
    expect(boostOf(m)).toBe(512);
  });

  test.each([
    [255, MOVABLE, UNMOVABLE],
    [257, MOVABLE, MOVABLE],
  ])("with %i movable pages in use beside 32 free ones the pageblock (type %i) is then %i", (movable, from, then) => {
    const m = zoneOf(0, 8192);
    m.area.addTail(1024, 0, 5, from);
    for (let pfn = 1056; pfn < 1056 + movable; pfn++) m.memory.page[pfn * 4 + record.word] = word.lru;
    expect(m.placement.rmqueue(0, 5, UNMOVABLE, 0)).toBe(1024);
    expect(m.area.blockTypeOf(1024)).toBe(then);
  });

  test("leaves a pageblock that reaches past the end of the zone as it is, and takes one block of it", () => {
    const m = zoneOf(0, 8192 + 256);
    m.area.addTail(8192, 0, 7, MOVABLE);
    m.area.addTail(8192 + 128, 0, 6, MOVABLE);
    expect(m.placement.rmqueue(0, 7, UNMOVABLE, 0)).toBe(8192);
    expect(m.area.blockTypeOf(8192)).toBe(MOVABLE);
    expect(m.area.firstOf(0, 6, MOVABLE)).toBe(8192 + 128);
  });

  test("in a zone that begins inside a pageblock looks from the found block on, not from the pageblock's start", () => {
    const m = zoneOf(128, 8192);
    m.area.addTail(128, 0, 5, MOVABLE);
    m.area.addTail(256, 0, 7, MOVABLE);
    m.area.addTail(192, 0, 5, MOVABLE);
    expect(m.placement.rmqueue(0, 7, UNMOVABLE, 0)).toBe(256);
    // 128 and 192 lie before the found block: they stay.
    expect(m.area.firstOf(0, 5, MOVABLE)).toBe(128);
    expect(m.area.firstOf(0, 5, UNMOVABLE)).toBe(nobody);
  });

  test.each([
    [2047, 0],
    [2048, 512],
  ])("in a zone of %i managed pages boosts the watermarks by %i", (managed, boost) => {
    const m = zoneOf(0, 8192);
    m.memory.zone[zoneField.managed] = managed;
    m.area.addTail(1024, 0, 5, MOVABLE);
    m.placement.rmqueue(0, 5, UNMOVABLE, 0);
    expect(boostOf(m)).toBe(boost);
  });

  test("boosts no further than watermark_boost_factor of the high mark, at least one pageblock", () => {
    const m = zoneOf(0, 16_384);
    for (let block = 1; block < 8; block++) {
      m.area.addTail(block * 512, 0, 5, MOVABLE);
      m.placement.rmqueue(0, 5, UNMOVABLE, 0);
    }
    expect(boostOf(m)).toBe(1500);
    m.memory.zone[zoneField.high] = 10;
    m.area.addTail(10 * 512, 0, 5, MOVABLE);
    m.placement.rmqueue(0, 5, UNMOVABLE, 0);
    expect(boostOf(m)).toBe(512);
  });

  test("under NOFRAGMENT takes whole pageblocks only", () => {
    const m = zoneOf(0, 8192);
    m.area.addTail(1024, 0, 8, MOVABLE);
    expect(m.placement.rmqueue(0, 0, UNMOVABLE, allocFlag.noFragment)).toBe(nobody);
    m.area.addTail(2048, 0, 9, MOVABLE);
    expect(m.placement.rmqueue(0, 0, UNMOVABLE, allocFlag.noFragment)).toBe(2048);
    expect(m.area.blockTypeOf(2048)).toBe(UNMOVABLE);
  });

  test("movable ones take the smallest block that fits when they may not take the pageblock", () => {
    const m = zoneOf(0, 8192);
    m.area.setBlockType(1024, UNMOVABLE);
    m.area.addTail(1024, 0, 3, UNMOVABLE);
    m.area.addTail(1040, 0, 1, RECLAIMABLE);
    expect(m.placement.rmqueue(0, 0, MOVABLE, 0)).toBe(1040);
    expect(m.area.blockTypeOf(1024)).toBe(UNMOVABLE);
    expect(m.area.firstOf(0, 3, UNMOVABLE)).toBe(1024);
  });
});
