// A buffer that fits one page and still needs a block, because SLUB before 2.6.26 had no smaller order to fall back to (mm/slub.c calculate_order()).
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { allocFailure, answerIn, bySoftirq, only } from "./report.testkit.ts";

const log = readFileSync(join(import.meta.dirname, "../../../fixtures/logs/tg3_gentoo_2009.txt"), "utf8");

test("tg3's 1976 bytes on 2.6.24 need two pages for the slab alone; what would change it is said", async () => {
  const incident = await only(log);
  const found = incident.findings.find((f) => f.id === "slab_order");
  expect(found).toMatchObject({
    answer: "yes",
    claim: expect.stringContaining("kmalloc-2048 has 2048 bytes. It is the slab that takes order 1 (8 KiB)"),
  });
  expect(found?.advice.map((a) => a.change)).toEqual([
    { kind: "slub_max_order", order: 0 },
    { kind: "release", version: "2.6.26" },
  ]);
  expect(incident.cause).toContain("the slab of kmalloc-2048 needs it and cannot fall back to fewer pages");
});

test("where SLUB falls back, or the request is not of that slab, nothing is said", async () => {
  const text = allocFailure({
    order: 1,
    mask: "0x40a20(GFP_ATOMIC|__GFP_COMP)",
    frames: ["__netdev_alloc_skb+0x1/0x2", "tg3_alloc_rx_skb+0x12/0x34 [tg3]", "tg3_poll+0x1/0x2 [tg3]", ...bySoftirq],
  });
  expect(await answerIn(text, "slab_order")).toBeUndefined();
  expect((await only(text)).cause).not.toContain("cannot fall back");
});
