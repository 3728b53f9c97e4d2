// What a report lacks is named, with the command that gets it (rules/missing.ts).
import { expect, test } from "vitest";
import { allocFailure, answerIn, bySyscall, memInfo, refilling } from "./report.testkit.ts";

const refill = (info: readonly string[]) => allocFailure({ frames: refilling, memInfo: info });

test("a whole report lacks nothing", async () => {
  expect(await answerIn(allocFailure({}), "missing.parts")).toBeUndefined();
});

test("without Mem-Info that is named, once", async () => {
  const found = await answerIn(allocFailure({ memInfo: [] }), "missing.parts");
  expect(found).toMatchObject({ answer: "yes", advice: [{ command: expect.stringContaining("journalctl -k") }] });
  expect(found?.claim).toContain("its Mem-Info (zones and free blocks) is missing");
});

test("a lost zone line is named by its zone", async () => {
  const without = memInfo.filter((line) => !line.startsWith("DMA32:"));
  expect((await answerIn(allocFailure({ memInfo: without }), "missing.parts"))?.claim).toContain("buddy line of DMA32");
});

test("a zone that lost all its lines is named by what is left below it", async () => {
  const at = memInfo.findIndex((line) => line.startsWith("DMA32 free:"));
  const without = memInfo.filter((line, i) => i !== at && i !== at + 1 && !line.startsWith("DMA32:"));
  expect((await answerIn(allocFailure({ memInfo: without }), "missing.parts"))?.claim).toContain(
    "lines of a zone above DMA",
  );
  const none = memInfo.filter((line) => !/^(?:DMA|DMA32|lowmem_reserve)\b/.test(line));
  expect((await answerIn(allocFailure({ memInfo: none }), "missing.parts"))?.claim).toContain("zone lines");
});

test("settings of the interface are asked for on a network's path that names none", async () => {
  expect(await answerIn(refill(memInfo), "missing.interface")).toMatchObject({ answer: "unknown" });
  expect(await answerIn(allocFailure({ frames: bySyscall }), "missing.interface")).toBeUndefined();
  const link = { link: "2: eth0: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc fq_codel state UP\n" };
  expect(await answerIn(refill(memInfo), "missing.interface", link)).toBeUndefined();
});

test("a form that does not fit the stated release is told as a backport", async () => {
  expect(await answerIn(allocFailure({ release: "2.6.18" }), "kernel.backport")).toMatchObject({ answer: "yes" });
  expect(await answerIn(allocFailure({}), "kernel.backport")).toBeUndefined();
});
