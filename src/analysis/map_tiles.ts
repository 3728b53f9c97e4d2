// A map whose pages lie block by block: each pageblock fills a tile of its own (512 pages are 32 by 16 cells), so that one page which pins a block is
// seen as that. The cells are only laid elsewhere; what they say is the same.
import type { PageMap } from "./page_map.ts";

/** How pages lie in a tiled map: a tile of `across` by `down` cells is 2^blockOrder pages. */
export interface Tiling {
  readonly blockOrder: number;
  readonly across: number;
  readonly down: number;
}

export interface TiledMap extends PageMap {
  readonly tiling: Tiling;
  /** Numbers of the map's blocks, from 0, that would be free but for a few pages: 1 to `fewPages` of their pages are not. */
  readonly nearlyFree: Uint32Array;
}

export const fewPages = 8;

/** The tile of a block: as square as can be, wider than high. */
export function tilingOf({ pagesPerCell }: Pick<PageMap, "pagesPerCell">, blockOrder: number): Tiling {
  const cells = Math.max(0, blockOrder - Math.round(Math.log2(pagesPerCell)));
  const across = 2 ** Math.ceil(cells / 2);
  return { blockOrder, across, down: 2 ** cells / across };
}

/** Index of the cell of the map that holds cell `i` of the memory, both from the first page on. */
export function cellOfTile({ across, down }: Tiling, width: number, i: number): number {
  const size = across * down;
  const tile = Math.floor(i / size);
  const within = i % size;
  const perRow = width / across;
  const x = (tile % perRow) * across + (within % across);
  const y = Math.floor(tile / perRow) * down + Math.floor(within / across);
  return y * width + x;
}

/** The other way: which cell of the memory a cell of the map shows. */
export function tileOfCell({ across, down }: Tiling, width: number, cell: number): number {
  const x = cell % width;
  const y = Math.floor(cell / width);
  const tile = Math.floor(y / down) * (width / across) + Math.floor(x / across);
  return tile * across * down + (y % down) * across + (x % across);
}

/**
 * Lays a map out in tiles. `first` must lie on a block's border (it is made to: page_map.ts and films begin at one). `isFree` says of each kind of
 * the legend (0: none) whether such a page is free.
 */
export function tiled(map: PageMap, blockOrder: number, isFree: (kind: number) => boolean): TiledMap {
  const tiling = tilingOf(map, blockOrder);
  const { across, down } = tiling;
  const size = across * down;
  const width = Math.max(across, Math.ceil(map.width / across) * across);
  const blocks = Math.ceil((map.width * map.height) / size);
  const height = Math.max(1, Math.ceil(blocks / (width / across))) * down;
  const cells = new Uint8Array(width * height);
  const free = Uint8Array.from({ length: 256 }, (_, kind) => (isFree(kind) ? 1 : 0));
  const nearly: number[] = [];
  const perRow = width / across;
  for (let block = 0; block < blocks; block++) {
    const left = (block % perRow) * across + Math.floor(block / perRow) * down * width;
    let taken = 0;
    for (let row = 0; row < down; row++) {
      const from = block * size + row * across;
      const part = map.cells.subarray(from, from + across);
      cells.set(part, left + row * width);
      for (const kind of part) if (free[kind] === 0) taken++;
    }
    // A cell of several pages does not say how many of them are taken.
    if (map.pagesPerCell === 1 && taken > 0 && taken <= fewPages) nearly.push(block);
  }
  return { ...map, width, height, cells, tiling, nearlyFree: Uint32Array.from(nearly) };
}
