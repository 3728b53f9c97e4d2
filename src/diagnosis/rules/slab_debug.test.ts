// What SLUB's own lines say beside the failure: that debugging raised the order, and how much the cache holds.
import { describe, expect, test } from "vitest";
import { explain } from "../explain.ts";
import type { DiagnosedIncident, Finding } from "../finding.ts";

const slub = (cache: string, ...rest: string[]): string =>
  [
    "SLUB: Unable to allocate memory on node -1, gfp=0xa20(GFP_ATOMIC)",
    `  cache: ${cache}`,
    ...rest.map((r) => `  ${r}`),
  ]
    .map((l, i) => `[  311.05292${i}] ${l}`)
    .join("\n");
const finding = async (text: string, id: string): Promise<Finding | undefined> => {
  const d = await explain({ log: text });
  return (d.incidents[0] as DiagnosedIncident).findings.find((f) => f.id === id);
};

describe("slab debugging that raised the order", () => {
  test.each(["slub_debug=O", "slab_debug=O"])("the line's own word is the command: %s", async (word) => {
    const f = await finding(
      slub(
        "kmalloc-4096, object size: 4096, buffer size: 4568, default order: 3, min order: 1",
        `kmalloc-4096 debugging increased min order, use ${word} to disable.`,
        "node 0: slabs: 71, objs: 497, free: 0",
      ),
      "slab_debug.raised_order",
    );
    expect(f?.claim).toMatch(/object of 4096 bytes takes 4568.*order 1 \(8 KiB\); without debugging order 0 \(4 KiB\)/);
    expect(f?.advice[0]?.command).toBe(`${word} on the kernel command line`);
  });
  test("how much an object takes is said where both sizes are there", async () => {
    const claim = async (sizes: string): Promise<string | undefined> =>
      (
        await finding(
          slub(
            `kmalloc-4096, ${sizes}default order: 3, min order: 1`,
            "kmalloc-4096 debugging increased min order, use slub_debug=O to disable.",
          ),
          "slab_debug.raised_order",
        )
      )?.claim;
    const without = "each object takes more than its own size";
    expect(await claim("object size: 4096, buffer size: 4568, ")).toContain("each object of 4096 bytes takes 4568");
    expect(await claim("object size: 4096, ")).toContain(without);
    expect(await claim("buffer size: 4568, ")).toContain(without);
    // As SLAB prints a cache.
    const slab = slub(
      "kmalloc-4096, object size: 4096, order: 1",
      "kmalloc-4096 debugging increased min order, use slub_debug=O to disable.",
    );
    expect((await finding(slab, "slab_debug.raised_order"))?.claim ?? without).toContain(without);
  });
  test("without that line nothing is said of debugging", async () => {
    expect(
      await finding(
        slub(
          "kmalloc-4096, object size: 4096, buffer size: 4568, default order: 3, min order: 1",
          "node 0: slabs: 71, objs: 497, free: 0",
        ),
        "slab_debug.raised_order",
      ),
    ).toBeUndefined();
  });
});

describe("what one cache holds", () => {
  const cache = (slabs: number): string =>
    slub(
      "kg_ed_pids, object size: 274832, buffer size: 274880, default order: 7, min order: 7",
      `node 0: slabs: ${slabs}, objs: ${slabs}, free: 0`,
    );
  // Slabs of order 7 are 512 KiB: 2048 of them are a GiB.
  test.each([
    [2048, "yes"],
    [2047, undefined],
  ])("%i slabs of 512 KiB: %s", async (slabs, answer) => {
    expect((await finding(cache(slabs), "slab_holds"))?.answer).toBe(answer);
  });
  test("29,822 of them are 14.6 GiB, and the verdict is the cache's", async () => {
    const [i] = (await explain({ log: cache(29822) })).incidents;
    expect(i).toMatchObject({ kind: "slab_failure", severity: "act" });
    expect(i?.cause).toMatch(/at least 14\.6 GiB, and not one of its objects is free/);
  });
});
