// Is vm.min_free_kbytes the kernel's own choice? 4 * sqrt(16 * lowmem) kB (init_per_zone_wmark_min(), mm/page_alloc.c), compared with what the machine has,
// and a larger value advised only where it has a mechanism.
import { describe, expect, test } from "vitest";
import { type Memory, memory, type Zone } from "./memory.testkit.ts";
import { allocFailure, answerIn, bySoftirq } from "./report.testkit.ts";

const id = "min_free.default";
const frames = ["__netdev_alloc_skb+0x9b/0x160", "foo_refill+0x1/0x2 [foo]", ...bySoftirq];
const text = (order = 0, mask = "0xa20(GFP_ATOMIC)") => allocFailure({ order, mask, frames, memInfo: [] });
const beside = (kb: number, memTotalKb?: number) => ({
  sysctl: `vm.min_free_kbytes = ${kb}\nvm.swappiness = 60\n`,
  ...(memTotalKb === undefined ? {} : { meminfo: `MemTotal:       ${memTotalKb} kB\nMemFree:         900 kB\n` }),
});
const told = async (kb: number, memTotalKb?: number) => answerIn(text(), id, beside(kb, memTotalKb));

describe("the sysctl beside the machine's memory", () => {
  // 4096 kB is the choice for 1 GiB of low memory.
  test.each([
    [4096, 1_048_576, "yes"],
    [4096, 1_000_000, "yes"],
    [4096, 980_000, "no"],
    [4096, 1_250_000, "yes"],
    [4096, 1_400_000, "no"],
    [16_384, 1_048_576, "no"],
  ])("%s kB on %s kB: %s", async (kb, memTotalKb, answer) => {
    expect(await told(kb, memTotalKb)).toMatchObject({ answer });
  });

  test("memory that does not fit says that somebody set it", async () => {
    expect((await told(4096, 4_000_000))?.claim).toMatch(/would be the default for 1 GiB of low memory.*so it was set/);
  });
});

describe("the sysctl alone", () => {
  test("a number as people type is not known to be the default, another is", async () => {
    expect(await told(4096)).toMatchObject({
      answer: "unknown",
      claim: expect.stringContaining("people set round numbers like it too"),
    });
    expect(await told(5700)).toMatchObject({ answer: "unknown" });
    expect(await told(5793)).toMatchObject({ answer: "yes", claim: expect.stringContaining("not a round number") });
  });

  test("the kernel's own ends say nothing: 128, and 65536 before 5.8, 262144 since", async () => {
    expect(await told(262_144)).toMatchObject({
      answer: "unknown",
      claim: expect.stringContaining("the lowest or highest value that the kernel chooses by itself"),
    });
  });
});

describe("the advice", () => {
  const advised = async (order: number, kb: number, memTotalKb?: number, mask?: string) =>
    (await answerIn(text(order, mask), id, beside(kb, memTotalKb)))?.advice;

  test("four times the value, no more than a twentieth of memory, nor than the kernel ever chooses", async () => {
    expect(await advised(0, 4096, 1_048_576)).toMatchObject([{ change: { kind: "min_free_kbytes", kb: 16_384 } }]);
    expect(await advised(0, 16_384, 1_048_576)).toMatchObject([{ change: { kind: "min_free_kbytes", kb: 52_428 } }]);
    expect(await advised(0, 100_000, 64_000_000)).toMatchObject([{ change: { kind: "min_free_kbytes", kb: 262_144 } }]);
  });

  test("none where it would be no raise of a tenth", async () => {
    expect(await advised(0, 47_663, 1_048_576)).toEqual([]);
    expect(await advised(0, 47_660, 1_048_576)).toMatchObject([{ change: { kb: 52_428 } }]);
  });

  test("for blocks up to order 3, of requests that may not wait", async () => {
    const comp = "0x40a20(GFP_ATOMIC|__GFP_COMP)";
    expect(await advised(3, 4096, 1_048_576, comp)).toHaveLength(1);
    expect(await advised(4, 4096, 1_048_576, comp)).toEqual([]);
    expect(await advised(0, 4096, 1_048_576, "0xcc0(GFP_KERNEL)")).toEqual([]);
    expect(await advised(1, 4096, 1_048_576, "0x40cc0(GFP_KERNEL|__GFP_COMP)")).toHaveLength(1);
  });
});

describe("the marks of the report", () => {
  const marked = async (zone: Zone, change: (line: string) => string = (line) => line, more: Memory = {}) =>
    answerIn(allocFailure({ frames, memInfo: memory([{ blocks: [20], ...zone }], more).map(change) }), id);

  // 1200 kB is the choice for 90,000 kB; a tenth of it, and at least 128 kB, make no difference.
  test.each([
    [1072, /is about 1200: it is the default/],
    [1328, /is about 1200: it is the default/],
    [1071, /would be about 1200: it was lowered/],
    [1329, /would be about 1200: it was raised/],
  ])("%s kB of 1200", async (min, claim) => {
    expect((await marked({ managed: 90_000, min }))?.claim).toMatch(claim);
  });
  test("marks of 0, and memory of 0, say nothing", async () => {
    expect((await marked({ managed: 90_000, min: 0 }))?.claim).toMatch(/it lacks a mark above zero/);
    expect((await marked({ managed: 0, min: 1200 }))?.claim).toMatch(/amounts of memory do not add up/);
  });
  test("without managed pages the machine's are those of the tail, less what is reserved and what lies above; all three are needed", async () => {
    const tail = async (lost?: RegExp) =>
      (
        await marked(
          { managed: 90_000, min: 1200 },
          (line) =>
            lost?.test(line) === true
              ? ""
              : line.replace(/ managed:\d+kB/, "").replace("0 pages HighMem", "10000 pages HighMem"),
          { ram: 40_000, reserved: 7_500 },
        )
      )?.claim;
    expect(await tail()).toMatch(/the kernel's own choice for 87\.9 MiB is about 1200: it is the default/);
    for (const lost of [/pages RAM/, /pages HighMem/, /pages reserved/])
      expect(await tail(lost), String(lost)).toMatch(/does not say how vm\.min_free_kbytes is set: it lacks/);
  });
  test("another value beside it was set at another moment; where it is higher it may have been raised since", async () => {
    const log = allocFailure({ frames, memInfo: memory([{ blocks: [20], managed: 90_000, min: 1200 }]) });
    const changed = async (kb: number) => (await answerIn(log, "min_free.changed", beside(kb)))?.claim;
    expect(await changed(4000)).toMatch(/added up to 1200 kB\. If it is this machine's, it has been raised since/);
    expect(await changed(600)).toMatch(/added up to 1200 kB\.$/);
    expect(await changed(1200)).toBeUndefined();
  });
});

test("2.4 has no such setting", async () => {
  const old = "__alloc_pages: 0-order allocation failed (gfp=0x20/0)\n";
  expect(await answerIn(old, id, beside(4096))).toBeUndefined();
});
