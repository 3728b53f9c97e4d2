// A state of memory by itself: each zone against its marks, both sides of each (rules/memory_state.ts), and which zones stand below min (conclude.ts).
import { expect, test } from "vitest";
import { answerIn, memInfo, only } from "./report.testkit.ts";

const state = (free: number): string =>
  memInfo
    .map((line, i) => `[   30.0000${10 + i}] ${line.replace(/^DMA free:264kB/, `DMA free:${free}kB`)}\n`)
    .join("")
    .replace(/^/, "[   30.000000] sysrq: Show Memory\n");

// min 252, low 312, high 372 kB.
test.each([
  [251, "no", "below its min mark of 252 KiB"],
  [252, "yes", "between min (252 KiB) and low (312 KiB)"],
  [311, "yes", "between min (252 KiB) and low (312 KiB)"],
  [312, "yes", "between low (312 KiB) and high (372 KiB)"],
  [371, "yes", "between low (312 KiB) and high (372 KiB)"],
  [372, "yes", "above its high mark of 372 KiB"],
])("%s kB free: %s", async (free, answer, says) => {
  const found = await answerIn(state(free), "state.zone.0.DMA");
  expect(found).toMatchObject({ answer });
  expect(found?.claim).toContain(says);
  expect(found?.claim).toContain("the largest free block has order 6 (256 KiB, 1 of them, lists U)");
});

test("pressed for by SysRq it is harmless; without a head it is watched, and zones below min are named", async () => {
  expect(await only(state(264))).toMatchObject({
    severity: "harmless",
    cause: "A state of memory that SysRq-m printed.",
  });
  const headless = state(251).split("\n").slice(1).join("\n");
  expect(await only(headless)).toMatchObject({
    severity: "watch",
    cause: expect.stringContaining("DMA and DMA32 were below the min mark then."),
  });
  expect((await only(state(252).split("\n").slice(1).join("\n"))).cause).toContain(
    "DMA32 was below the min mark then.",
  );
});

test("of a buddy line that is cut the largest block is not said, and one that is not there is not empty", async () => {
  const cut = state(264).replace(/^(.*DMA: .{24}).*$/m, "$1");
  expect((await answerIn(cut, "state.zone.0.DMA"))?.claim).toMatch(/its buddy line is cut/);
  const without = state(264).replace(/^.*DMA: .*\n/m, "");
  expect((await answerIn(without, "state.zone.0.DMA"))?.claim).toMatch(/its buddy line is not in the text/);
});
