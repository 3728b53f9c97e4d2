// The picture of an image's memory map: nothing is added, nothing is lost.
import { expect, test } from "vitest";
import { pageKind } from "../image/mm/page_kinds.ts";
import { imagePageMap } from "./image_map.ts";

const kinds = Uint8Array.from({ length: 1000 }, (_, pfn) =>
  pfn < 100 ? pageKind.none : pfn < 164 ? (pfn === 100 ? pageKind.buddy : pageKind.freeTail) : pageKind.slab,
);

test("a page is a cell, the inside of a free block is free, and frames without a struct page are blank", () => {
  const map = imagePageMap(kinds);
  expect(map.pagesPerCell).toBe(1);
  const label = (pfn: number): string | undefined => map.legend[(map.cells[pfn] as number) - 1]?.label;
  expect([99, 100, 163, 164, 999].map(label)).toEqual([undefined, "free", "free", "slab", "slab"]);
  expect(map.legend.filter((l) => l.pages > 0).map((l) => [l.label, l.pages])).toEqual([
    ["free", 64],
    ["slab", 836],
  ]);
});

test("where cells stand for several pages, they show what most of them are, and the legend still counts pages", () => {
  const map = imagePageMap(kinds, 300);
  expect(map.pagesPerCell).toBe(4);
  expect(map.legend[(map.cells[41] as number) - 1]?.label).toBe("slab");
  expect(map.legend.reduce((n, l) => n + l.pages, 0)).toBe(900);
});
