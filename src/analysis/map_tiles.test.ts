import { expect, test } from "vitest";
import { cellOfTile, tiled, tileOfCell, tilingOf } from "./map_tiles.ts";
import type { PageMap } from "./page_map.ts";

const mapOf = (cells: Uint8Array, width: number): PageMap => ({
  width,
  height: Math.ceil(cells.length / width),
  firstPfn: 0,
  pagesPerCell: 1,
  cells,
  legend: [{ label: "taken", pages: 0, colour: "#000000" }],
});

test("a pageblock of 512 pages is a tile of 32 by 16, and no page is lost or told twice", () => {
  const cells = Uint8Array.from({ length: 8192 }, (_, i) => i % 251);
  const map = tiled(mapOf(cells, 128), 9, (kind) => kind === 0);
  expect(map.tiling).toEqual({ blockOrder: 9, across: 32, down: 16 });
  for (let i = 0; i < cells.length; i++) {
    const at = cellOfTile(map.tiling, map.width, i);
    expect(map.cells[at]).toBe(cells[i]);
    expect(tileOfCell(map.tiling, map.width, at)).toBe(i);
  }
  // The pages of one block lie in one tile.
  const block = Array.from({ length: 512 }, (_, i) => cellOfTile(map.tiling, map.width, 512 * 5 + i));
  const xs = block.map((c) => c % map.width);
  const ys = block.map((c) => Math.floor(c / map.width));
  expect([Math.max(...xs) - Math.min(...xs), Math.max(...ys) - Math.min(...ys)]).toEqual([31, 15]);
});

test("blocks that are free but for 1 to 8 pages are named; whole ones and used ones are not", () => {
  const cells = new Uint8Array(512 * 4);
  cells[512 + 7] = 1;
  cells.fill(1, 1024, 1024 + 8);
  cells.fill(1, 1536, 1536 + 9);
  expect([...tiled(mapOf(cells, 64), 9, (kind) => kind === 0).nearlyFree]).toEqual([1, 2]);
});

test("where a cell stands for several pages a block's tile is smaller", () => {
  expect(tilingOf({ pagesPerCell: 4 }, 9)).toEqual({ blockOrder: 9, across: 16, down: 8 });
  expect(tilingOf({ pagesPerCell: 1 }, 10)).toEqual({ blockOrder: 10, across: 32, down: 32 });
});
