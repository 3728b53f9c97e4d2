// Free memory drawn to scale: what buddyinfo or pagetypeinfo counts, as an area for each zone and migrate type. It is no map of addresses: these
// files tell how many blocks are free, not where they lie. pagetypeinfo tells how many pageblocks a type has, so what is taken is drawn too.
import type { BuddyInfo } from "../kernel/readings/buddyinfo.ts";
import type { PageTypeInfo } from "../kernel/readings/pagetypeinfo.ts";
import { freeRows } from "./free_lists.ts";
import type { PageMap } from "./page_map.ts";

/** One stretch of cells. */
export interface FreeStretch {
  readonly firstCell: number;
  readonly cells: number;
  /** "node 0, zone DMA32, Movable: 182 free blocks of order 0". */
  readonly text: string;
}

export interface FreeMap {
  readonly map: PageMap;
  readonly stretches: readonly FreeStretch[];
}

const freeShades = ["#08306b", "#2171b5", "#6baed6", "#9ecae1", "#deebf7"];
const freeBands = ["order 0", "orders 1 and 2", "orders 3 to 5", "orders 6 to 8", "order 9 and more"];
const bandOf = (order: number): number => (order === 0 ? 0 : order < 3 ? 1 : order < 6 ? 2 : order < 9 ? 3 : 4);
const takenColours = ["#d55e00", "#e69f00", "#009e73", "#cc79a7", "#8c6d31", "#6a51a3", "#999999"];

interface Part {
  readonly kind: number;
  readonly pages: number;
  readonly text: string;
}

/** Undefined when nothing is counted. `cellsMax` cells at most: beyond that a cell stands for 2, 4, … pages. */
export function freeMap(reading: BuddyInfo | PageTypeInfo, cellsMax = 1 << 22): FreeMap | undefined {
  const types = reading.kind === "pagetypeinfo" ? reading.types : [];
  const groups = freeRows(reading).map(({ node, zone, type, blocks, more }): Part[] => {
    const where = `node ${node}, zone ${zone}${type === "" ? "" : `, ${type}`}`;
    const free = blocks.map(
      (count, order): Part => ({
        kind: 1 + bandOf(order),
        pages: count * 2 ** order,
        text: `${where}: ${count}${more ? " or more" : ""} free blocks of order ${order}`,
      }),
    );
    return [...free.reverse(), ...takenOf(reading, node, zone, type, free, where)].filter((p) => p.pages > 0);
  });
  const total = groups.flat().reduce((n, p) => n + p.pages, 0);
  if (total === 0) return undefined;
  let perCell = 1;
  while (total / perCell > cellsMax) perCell *= 2;
  const width = 2 ** Math.max(6, Math.ceil(Math.log2(Math.sqrt(total / perCell))));
  const stretches: (FreeStretch & { readonly kind: number })[] = [];
  let at = 0;
  for (const parts of groups) {
    for (const { kind, pages, text } of parts) {
      const cells = Math.max(1, Math.round(pages / perCell));
      stretches.push({ firstCell: at, cells, text, kind });
      at += cells;
    }
    // Each zone and type begins a row of its own.
    at = Math.ceil(at / width) * width;
  }
  const cells = new Uint8Array(at);
  for (const s of stretches) cells.fill(s.kind, s.firstCell, s.firstCell + s.cells);
  const kinds = [
    ...freeBands.map((label, i) => ({ label: `free, ${label}`, colour: freeShades[i]! })),
    ...types.map((type, i) => ({ label: `taken, in blocks of type ${type}`, colour: takenColours[i] ?? "#999999" })),
  ];
  const pagesOf = (kind: number): number => groups.flat().reduce((n, p) => n + (p.kind === kind ? p.pages : 0), 0);
  return {
    map: {
      width,
      height: at / width,
      firstPfn: 0,
      pagesPerCell: perCell,
      cells,
      legend: kinds.map((k, i) => ({ ...k, pages: pagesOf(i + 1) })),
    },
    stretches: stretches.map(({ firstCell, cells: n, text }) => ({ firstCell, cells: n, text })),
  };
}

/** What is not free in the pageblocks of a type. */
function takenOf(
  reading: BuddyInfo | PageTypeInfo,
  node: number,
  zone: string,
  type: string,
  free: readonly Part[],
  where: string,
): Part[] {
  if (reading.kind === "buddyinfo" || reading.pagesPerBlock === undefined) return [];
  const at = reading.types.indexOf(type);
  const blocks = reading.blocks.find((b) => b.node === node && b.zone === zone)?.blocks[at] ?? 0;
  const pages = blocks * reading.pagesPerBlock - free.reduce((n, p) => n + p.pages, 0);
  const text = `${where}: about ${pages} pages taken, in ${blocks} pageblocks`;
  return pages > 0 ? [{ kind: 1 + freeBands.length + at, pages, text }] : [];
}
