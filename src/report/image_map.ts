// The memory map of an image as a picture, exact: a cell a page as long as that many fit, in the colours of the live map.
import type { PageMap } from "../analysis/page_map.ts";
import { pageKind, pageKindNames } from "../image/mm/page_kinds.ts";

/** Colours by kind; told apart by colour-blind eyes (Okabe and Ito's palette and mixes of it). */
const shown: readonly (readonly [number, string])[] = [
  [pageKind.buddy, "#009e73"],
  [pageKind.perCpu, "#637939"],
  [pageKind.slab, "#e69f00"],
  [pageKind.pagePool, "#d55e00"],
  [pageKind.lru, "#0072b2"],
  [pageKind.pageTable, "#cc79a7"],
  [pageKind.reserved, "#999999"],
  [pageKind.compound, "#8c6d31"],
  [pageKind.typed, "#6a51a3"],
  [pageKind.unknown, "#f0e442"],
  [pageKind.unseen, "#000000"],
];

const mostCells = 16_000_000;

/** `kind` by frame, as the memory map of an image has it. Of a cell of several pages the kind of most of them is shown. */
export function imagePageMap(kind: Uint8Array, cellsMax = mostCells): PageMap {
  const colourOf = new Uint8Array(pageKindNames.length);
  for (const [i, [k]] of shown.entries()) colourOf[k] = i + 1;
  colourOf[pageKind.freeTail] = colourOf[pageKind.buddy] as number;
  let perCell = 1;
  while (kind.length / perCell > cellsMax) perCell *= 2;
  const count = Math.ceil(kind.length / perCell);
  const width = Math.max(64, 2 ** Math.round(Math.log2(Math.sqrt(Math.max(1, count)) * 1.4)));
  const height = Math.max(1, Math.ceil(count / width));
  const cells = new Uint8Array(width * height);
  const pages = new Float64Array(shown.length + 1);
  const votes = new Uint32Array(shown.length + 1);
  for (let cell = 0; cell < count; cell++) {
    votes.fill(0);
    const end = Math.min(kind.length, (cell + 1) * perCell);
    let best = 0;
    for (let pfn = cell * perCell; pfn < end; pfn++) {
      const value = colourOf[kind[pfn] as number] as number;
      pages[value] = (pages[value] as number) + 1;
      votes[value] = (votes[value] as number) + 1;
      // Blank only where there is nothing but blank.
      if (value !== 0 && (best === 0 || (votes[value] as number) > (votes[best] as number))) best = value;
    }
    cells[cell] = best;
  }
  return {
    width,
    height,
    firstPfn: 0,
    pagesPerCell: perCell,
    cells,
    legend: shown.map(([k, colour], i) => ({
      label: pageKindNames[k] ?? "?",
      pages: pages[i + 1] as number,
      colour,
    })),
  };
}
