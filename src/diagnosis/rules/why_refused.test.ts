// Which mark refused a request, at the very page: an atomic request for one page on 6.1 must leave more than min, halved, less a quarter, and the
// zone's lowmem_reserve (mm/page_alloc.c __zone_watermark_ok() of 6.1.192: 24 + 42 pages in DMA here); and when it was fragmentation.
import { describe, expect, test } from "vitest";
import { allocFailure, answerIn, bySyscall, memInfo, only } from "./report.testkit.ts";

const frames = ["kmalloc_large_node+0x7a/0x90", "run_write+0x79a/0x954 [ora_misc]", ...bySyscall];
/** The state with so many kB free in a zone, in blocks of these orders (4 kB << order). */
const having = (zone: "DMA" | "DMA32", blocks: Readonly<Record<number, number>>, info = memInfo): readonly string[] => {
  const kb = Object.entries(blocks).reduce((n, [order, count]) => n + count * (4 << Number(order)), 0);
  const cells = Array.from(
    { length: 11 },
    (_, o) => `${blocks[o] ?? 0}*${4 << o}kB${(blocks[o] ?? 0) > 0 ? " (U)" : ""}`,
  );
  return info.map((line) =>
    line.startsWith(`${zone} free:`)
      ? line.replace(/free:\d+kB/, `free:${kb}kB`)
      : line.startsWith(`${zone}: `)
        ? `${zone}: ${cells.join(" ")} = ${kb}kB`
        : line,
  );
};

describe("the mark of an atomic page", () => {
  test("66 pages free in DMA are refused, 67 would be served", async () => {
    const refused = allocFailure({ frames, memInfo: having("DMA", { 0: 66 }) });
    expect(await answerIn(refused, "why.zone.0.DMA")).toMatchObject({ answer: "no" });
    expect(await answerIn(refused, "why.refused")).toMatchObject({ answer: "yes" });
    const served = allocFailure({ frames, memInfo: having("DMA", { 0: 67 }) });
    expect(await answerIn(served, "why.zone.0.DMA")).toMatchObject({ answer: "yes" });
    const why = await answerIn(served, "why.refused");
    expect(why).toMatchObject({ answer: "unknown" });
    expect(why?.claim).toContain("would serve the request from DMA");
  });

  test("a request that may sleep has no half: it needs more than min and the reserve", async () => {
    const asked = (pages: number) =>
      answerIn(
        allocFailure({ frames, mask: "0xcc0(GFP_KERNEL)", memInfo: having("DMA", { 0: pages }) }),
        "why.zone.0.DMA",
      );
    expect(await asked(63 + 42)).toMatchObject({ answer: "no" });
    expect(await asked(63 + 42 + 1)).toMatchObject({ answer: "yes" });
  });

  test("what lowmem_reserve keeps is told as not for this request", async () => {
    expect((await answerIn(allocFailure({ frames }), "why.free_unusable"))?.claim).toContain(
      "168 KiB in DMA are kept for requests",
    );
  });
});

describe("a block of order 3", () => {
  const asked = (info: readonly string[]) =>
    allocFailure({ frames, order: 3, mask: "0x40a20(GFP_ATOMIC|__GFP_COMP)", memInfo: info });

  test("many single pages and no block: fragmentation, and that is the cause", async () => {
    const text = asked(having("DMA32", { 0: 5000 }, having("DMA", { 0: 10 })));
    expect(await answerIn(text, "fragmentation")).toMatchObject({ answer: "yes", rank: 1 });
    expect((await only(text)).cause).toContain(
      "Memory was fragmented: single pages were free, but no block of order 3",
    );
    expect((await answerIn(text, "fragmentation"))?.advice.map((a) => a.change.kind)).toEqual([
      "watermark_scale_factor",
      "compact_memory",
    ]);
  });

  test("too few even for a page: short, and not fragmented", async () => {
    const text = asked(having("DMA32", { 0: 60 }, having("DMA", { 0: 10 })));
    expect(await answerIn(text, "fragmentation")).toMatchObject({ answer: "no" });
    expect((await only(text)).cause).toContain(
      "Too little memory was free: even a single page would have been refused",
    );
  });

  test("one block of it in a zone that stands above its marks would serve", async () => {
    const text = asked(having("DMA32", { 0: 5000, 3: 1 }, having("DMA", { 0: 10 })));
    expect(await answerIn(text, "why.zone.0.DMA32")).toMatchObject({ answer: "yes" });
    expect(await answerIn(text, "why.refused")).toMatchObject({ answer: "unknown" });
  });
});

test("a task that frees memory itself has no marks: nothing was left only where no zone had a block", async () => {
  const asked = async (dma: number, comm: string) =>
    (
      await answerIn(
        allocFailure({
          comm,
          frames,
          memInfo: having("DMA32", {}, having("DMA", { 0: dma })),
        }),
        "why.refused",
      )
    )?.claim;
  const none = /^The watermarks did not apply to this task \(it frees memory itself\): not one block/;
  expect(await asked(0, "kswapd0")).toMatch(none);
  expect(await asked(0, "sh")).not.toMatch(none);
  expect(await asked(3, "kswapd0")).not.toMatch(none);
});

test("which of mask and order is lost is said", async () => {
  const text = allocFailure({ frames });
  const said = async (lost: RegExp) => (await answerIn(text.replace(lost, ""), "why.refused"))?.claim;
  expect(await said(/ order:0,/)).toContain("the order is not known");
  expect(await said(/ mode:0xa20\(GFP_ATOMIC\),/)).toContain("the mask is not known");
  expect(await said(/^.*\n/)).toContain("its first line, with the order and the mask, is missing");
});

test("without zones the report does not say, and says which lines would", async () => {
  expect(await answerIn(allocFailure({ frames, memInfo: [] }), "why.refused")).toMatchObject({
    answer: "unknown",
    claim: expect.stringContaining("it has no Mem-Info"),
  });
});
