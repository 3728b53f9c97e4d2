// The four generations of the watermark test: the same buddy line passes one and fails another. Numbers checked by hand against the
// sources named in kernel/facts/mm_watermark.ts; the columns' own test is held to the same answers on random zones.
import { describe, expect, test } from "vitest";
import { prng } from "../../base/prng.ts";
import type { WatermarkGeneration } from "../../kernel/facts/mm_watermark.ts";
import { watermarkGenerationOf } from "../../kernel/facts/mm_watermark.ts";
import { parseRelease } from "../../kernel/release.ts";
import { createJournal } from "../journal.ts";
import { linux_6_1 } from "../kernels/linux_6_1.ts";
import { allocFlag } from "./alloc_flags.ts";
import { createMachineMemory } from "./machine_memory.ts";
import { zoneField } from "./memory.ts";
import type { TaskContext } from "./rights.ts";
import { plainTask, requestAtMin } from "./rights.ts";
import type { MmRules } from "./rules.ts";
import type { WatermarkRequest, ZoneState } from "./watermark.ts";
import { zoneStateFromReport, zoneWatermarkOk } from "./watermark.ts";
import { zoneOf } from "./zone.testkit.ts";

const rules61 = (cma = false): MmRules => linux_6_1.parts.mm.rules({ cma });

const plain: WatermarkRequest = {
  order: 0,
  mark: "min",
  highestZone: 0,
  high: false,
  harder: false,
  oom: false,
  cma: false,
  highatomic: false,
};

/** 1000 pages, nearly all of them single: the zone of a machine that has run for weeks. */
const singles: ZoneState = {
  free: 1000,
  min: 800,
  low: 1000,
  high: 1200,
  boost: 0,
  lowmemReserve: [0, 0],
  orders: [
    { blocks: 990, letters: "UME" },
    { blocks: 5, letters: "U" },
  ],
  freeCma: 0,
  reservedHighatomic: 0,
};

describe("the watermark test", () => {
  test("2.6.9 looks at no order, 2.6.24 refuses an order-1 request though blocks exist, 4.19 and 6.6 grant it", () => {
    const answers = ([0, 1, 2, 3] as const).map((g) => zoneWatermarkOk(g, singles, { ...plain, order: 1 }).answer);
    expect(answers).toEqual(["yes", "no", "yes", "yes"]);
    const because = zoneWatermarkOk(1, singles, { ...plain, order: 1 }).because;
    expect(because.at(-1)).toMatchObject({
      text: "without the 990 blocks of order 0: 9 must exceed 400",
      passed: false,
    });
  });

  test("who cannot wait but has no __GFP_HIGH cuts the mark up to 6.2, not from 6.3", () => {
    const zone = { ...singles, free: 700 };
    const answers = ([0, 1, 2, 3] as const).map((g) => zoneWatermarkOk(g, zone, { ...plain, harder: true }).answer);
    expect(answers).toEqual(["yes", "yes", "yes", "no"]);
    expect(zoneWatermarkOk(3, zone, { ...plain, harder: true, high: true }).answer).toBe("yes");
  });

  test("a block on the atomic reserve's list helps only who may use it", () => {
    const zone = {
      ...singles,
      orders: [
        { blocks: 998, letters: "UME" },
        { blocks: 1, letters: "H" },
      ],
    };
    expect(zoneWatermarkOk(3, zone, { ...plain, order: 1, high: true, harder: true }).answer).toBe("no");
    expect(zoneWatermarkOk(3, zone, { ...plain, order: 1, high: true, harder: true, highatomic: true }).answer).toBe(
      "yes",
    );
    expect(zoneWatermarkOk(2, zone, { ...plain, order: 1, harder: true }).answer).toBe("yes");
  });

  test("without the letters of the buddy line the answer is unknown, and says which line is missing", () => {
    const zone = { ...singles, orders: singles.orders?.map((o) => ({ ...o, letters: undefined })) };
    const verdict = zoneWatermarkOk(2, zone, { ...plain, order: 1 });
    expect(verdict.answer).toBe("unknown");
    expect(verdict.missing).toMatch(/letters/);
    expect(zoneWatermarkOk(1, { ...singles, lowmemReserve: undefined }, plain).missing).toMatch(/lowmem_reserve/);
    expect(
      zoneWatermarkOk(2, { ...zone, orders: [{ blocks: 1000, letters: undefined }] }, { ...plain, order: 1 }).answer,
    ).toBe("no");
  });

  test("an atomic page at the min watermark ignores the boost", () => {
    const zone = { ...singles, free: 500, min: 1400, boost: 600 };
    expect(zoneWatermarkOk(3, zone, { ...plain, high: true, harder: true }).answer).toBe("yes");
    expect(zoneWatermarkOk(3, zone, plain).answer).toBe("no");
  });

  test("a reported zone is read in kB and pages", () => {
    const zone = zoneStateFromReport({
      pageKb: 4,
      freeKb: 5756,
      minKb: 4028,
      lowKb: 5032,
      highKb: 6040,
      lowmemReserve: [0, 0],
    });
    expect([zone.free, zone.min, zone.low, zone.high]).toEqual([1439, 1007, 1258, 1510]);
  });

  test("releases pick their generation", () => {
    const of = (r: string): WatermarkGeneration => watermarkGenerationOf(parseRelease(r));
    expect(["2.6.9", "2.6.24", "3.13", "4.4", "6.1", "6.1.192", "6.2", "6.6"].map(of)).toEqual([
      0, 1, 1, 2, 2, 3, 2, 3,
    ]);
  });

  test("GFP_ATOMIC of 6.1.192 may halve, quarter and use the reserve; GFP_NOWAIT nothing of it", () => {
    const rules = rules61();
    const atomic = requestAtMin(rules, 0xa20, 1, 2, plainTask());
    expect([atomic.high, atomic.harder, atomic.highatomic]).toEqual([true, true, true]);
    const nowait = requestAtMin(rules, 0x800, 1, 2, plainTask());
    expect([nowait.high, nowait.harder, nowait.highatomic]).toEqual([false, true, false]);
    expect(requestAtMin(rules, 0xa20, 0, 2, plainTask()).highatomic).toBe(false);
  });

  test("a real-time task that may sleep goes halfway below the mark, but not in an interrupt", () => {
    const high = (task: Partial<TaskContext>): boolean =>
      requestAtMin(rules61(), 0xcc0, 0, 2, { ...plainTask(), ...task }).high;
    expect([high({}), high({ realtime: true }), high({ realtime: true, inInterrupt: true })]).toEqual([
      false,
      true,
      false,
    ]);
  });
});

describe("the allocator's own test gives the same answers", () => {
  test("W1 takes off the orders below the wanted one, and not the wanted one itself (2.6.24 zone_watermark_ok)", () => {
    const m = zoneOf({ release: "2.6.24", marks: [40, 40, 40] });
    const set = (free: number, singles: number, pairs: number): boolean => {
      m.memory.zone[zoneField.free] = free;
      m.memory.nrFree.set([singles, pairs]);
      return m.watermarks.zoneOk(0, 1, 40, 0, 0, 0);
    };
    // 100 pages: less one for the order, less 70 singles, leaves 29, above half the mark; the 15 pairs that are the rest do not count.
    expect([set(100, 70, 15), set(100, 79, 10), set(100, 78, 11)]).toEqual([true, false, true]);
  });

  test.each([0, 1, 2, 3] as const)("generation W%i, 400 random zones", (generation) => {
    const seed = 20261120 + generation;
    const random = prng(seed);
    for (let round = 0; round < 400; round++) {
      const rules = { ...rules61(true), generation, boostExempt: "nobody" as const };
      const machine = createMachineMemory({
        journal: createJournal(),
        parts: linux_6_1.parts.mm,
        rules,
        spec: {
          zoneTypes: ["DMA", "DMA32", "Normal", "Movable"],
          zones: [{ name: "Normal", node: 0, startPfn: 0, spannedPages: 4096, presentPages: 4096, managedPages: 4096 }],
          nodes: 1,
          cpus: 1,
          pageShift: 12,
          orders: 11,
          pageblockOrder: 9,
          pcpMaxOrder: 3,
          pcpHugeOrder: 9,
        },
      });
      const letters = rules.types.letters;
      const { zone } = machine.memory;
      const orders = Array.from({ length: 11 }, () => ({ blocks: 0, letters: "" }));
      for (let pfn = 0; pfn < 2048; ) {
        const order = random.below(4);
        const at = Math.ceil(pfn / (1 << order)) << order;
        if (random.chance(0.05)) {
          const type = random.below(5);
          machine.area.addTail(at, 0, order, type);
          const o = orders[order] as { blocks: number; letters: string };
          o.blocks++;
          o.letters += letters[type];
        }
        pfn = at + (1 << order);
      }
      const pick = (max: number): number => random.below(max);
      const marks = [pick(300), pick(300), pick(300)];
      const state: ZoneState = {
        free: pick(800),
        min: marks[0] as number,
        low: marks[1] as number,
        high: marks[2] as number,
        boost: 0,
        lowmemReserve: [pick(50), pick(50), pick(50), pick(50)],
        orders,
        freeCma: pick(50),
        reservedHighatomic: pick(50),
      };
      zone[zoneField.free] = state.free;
      zone[zoneField.freeCma] = state.freeCma;
      zone[zoneField.reservedHighatomic] = state.reservedHighatomic;
      marks.forEach((mark, i) => {
        zone[zoneField.min + i] = mark;
      });
      state.lowmemReserve?.forEach((pages, i) => {
        zone[zoneField.lowmemReserve + i] = pages;
      });
      const mark = random.pick(["min", "low", "high"] as const);
      const request: WatermarkRequest = {
        order: random.below(5),
        mark,
        highestZone: random.below(4),
        high: random.chance(0.5),
        harder: random.chance(0.5),
        oom: generation >= 2 && random.chance(0.2),
        cma: random.chance(0.5),
        highatomic: false,
      };
      const highatomic = generation === 3 ? request.high && request.harder && request.order > 0 : request.harder;
      const flags =
        ["min", "low", "high"].indexOf(mark) |
        (request.high ? allocFlag.minReserve : 0) |
        (request.harder ? allocFlag.nonBlock : 0) |
        (request.oom ? allocFlag.oom : 0) |
        (request.cma ? allocFlag.cma : 0) |
        (highatomic ? allocFlag.highatomic : 0);
      const columns = machine.watermarks.zoneOk(
        0,
        request.order,
        machine.watermarks.markOf(0, flags),
        request.highestZone,
        flags,
        0,
      );
      const verdict = zoneWatermarkOk(generation, state, { ...request, highatomic });
      expect(verdict.ok, `seed ${seed} round ${round} ${JSON.stringify({ state, request, verdict })}`).toBe(columns);
    }
  });
});
