// Physical memory as a picture: a cell is one or more pages, coloured by who owns it or by its migrate type. PNG without compression
// (stored deflate blocks) so that no library is needed and the bytes are the same everywhere; SVG as runs of equal cells.
import type { Census } from "./page_owner/census.ts";
import type { GroupKey, GroupOptions } from "./page_owner/group_by.ts";
import { typeName } from "./page_owner/group_by.ts";
import { ownerIds } from "./page_owner/pins.ts";

/** A map of cells in rows; 0 is "not listed", i > 0 is legend[i - 1]. */
export interface PageMap {
  readonly width: number;
  readonly height: number;
  readonly firstPfn: number;
  readonly pagesPerCell: number;
  readonly cells: Uint8Array;
  readonly legend: readonly { readonly label: string; readonly pages: number; readonly colour: string }[];
}

/** Okabe and Ito's palette and mixes of it: told apart by colour-blind eyes; the last one stands for all others. */
const palette = [
  "#0072b2",
  "#e69f00",
  "#009e73",
  "#cc79a7",
  "#56b4e9",
  "#d55e00",
  "#f0e442",
  "#6a51a3",
  "#8c6d31",
  "#637939",
  "#7b4173",
  "#999999",
];
const unlisted = "#f4f4f4";

/** Owners beyond the palette share its last colour. A cell with several owners shows the one with most pages. */
export function mapOf(
  census: Census,
  by: GroupKey,
  options: Pick<GroupOptions, "depth" | "ignore">,
  cellsMax = 4_000_000,
): PageMap {
  const places = census.places;
  if (places === undefined) throw new RangeError("the census was taken without places");
  let first = Number.POSITIVE_INFINITY;
  let end = 0;
  for (let i = 0; i < places.count; i++) {
    first = Math.min(first, places.pfn[i]!);
    end = Math.max(end, places.pfn[i]! + 2 ** places.order[i]!);
  }
  if (end === 0) first = 0;
  first = Math.floor(first / 1024) * 1024;
  let perCell = 1;
  while ((end - first) / perCell > cellsMax) perCell *= 2;
  const cellCount = Math.ceil((end - first) / perCell);
  const width = Math.max(64, 2 ** Math.round(Math.log2(Math.sqrt(Math.max(1, cellCount)) * 1.4)));
  const height = Math.max(1, Math.ceil(cellCount / width));

  const owners = ownersBy(census, by, options);
  const pages = new Float64Array(owners.names.length);
  for (let i = 0; i < places.count; i++)
    pages[owners.of(places.stack[i]!, places.types[i]!, places.order[i]!)]! += 2 ** places.order[i]!;
  const ranked = Array.from(pages, (n, id) => ({ n, id }))
    .filter((o) => o.n > 0)
    .sort((a, b) => b.n - a.n);
  const colourOf = new Uint8Array(owners.names.length);
  ranked.forEach(({ id }, at) => {
    colourOf[id] = Math.min(at, palette.length - 1) + 1;
  });

  const cells = new Uint8Array(width * height);
  const weight = perCell > 1 ? new Float64Array(width * height) : undefined;
  for (let i = 0; i < places.count; i++) {
    const colour = colourOf[owners.of(places.stack[i]!, places.types[i]!, places.order[i]!)]!;
    const from = places.pfn[i]! - first;
    const size = 2 ** places.order[i]!;
    for (let p = from; p < from + size; ) {
      const at = Math.floor(p / perCell);
      const n = Math.min(from + size, (at + 1) * perCell) - p;
      if (weight === undefined) cells[at] = colour;
      else if (cells[at] === colour) weight[at]! += n;
      else if (n > weight[at]!) {
        // Majority by counting down: exact when one owner has more than half of the cell.
        cells[at] = colour;
        weight[at] = n - weight[at]!;
      } else weight[at]! -= n;
      p += n;
    }
  }
  const legend = palette.slice(0, Math.min(palette.length, ranked.length)).map((colour, at) => {
    const last = at === palette.length - 1 && ranked.length > palette.length;
    const rest = ranked.slice(at);
    return last
      ? { label: `${rest.length} others`, pages: rest.reduce((sum, o) => sum + o.n, 0), colour }
      : { label: owners.names[ranked[at]!.id]!, pages: ranked[at]!.n, colour };
  });
  return { width, height, firstPfn: first, pagesPerCell: perCell, cells, legend };
}

interface Owners {
  readonly names: readonly string[];
  of(stack: number, types: number, order: number): number;
}

/** By what is kept of each page: types and order, or what its stack tells. */
function ownersBy(census: Census, by: GroupKey, options: Pick<GroupOptions, "depth" | "ignore">): Owners {
  if (by === "type" || by === "block-type") return typeOwners(by);
  if (by === "order")
    return { names: Array.from({ length: 32 }, (_, order) => `order ${order}`), of: (_stack, _types, order) => order };
  return stackOwners(census, by, options);
}

function stackOwners(census: Census, by: GroupKey, options: Pick<GroupOptions, "depth" | "ignore">): Owners {
  const { of, names } = ownerIds(census, by, options);
  return { names, of: (stack) => of[stack]! };
}

function typeOwners(by: "type" | "block-type"): Owners {
  const letters = ["", "U", "M", "R", "H", "C", "I"];
  const shift = by === "type" ? 0 : 8;
  const idOf = new Uint8Array(256);
  letters.forEach((l, id) => {
    if (l !== "") idOf[l.charCodeAt(0)] = id;
  });
  return { names: letters.map(typeName), of: (_stack, types) => idOf[(types >> shift) & 0xff]! };
}

/** The map as a PNG with a palette, one pixel a cell. */
export function mapToPng(map: PageMap): Uint8Array {
  const colours = [unlisted, ...map.legend.map((l) => l.colour)];
  const plte = Uint8Array.from(colours.flatMap((c) => [1, 3, 5].map((i) => Number.parseInt(c.slice(i, i + 2), 16))));
  const header = new Uint8Array(13);
  const view = new DataView(header.buffer);
  view.setUint32(0, map.width);
  view.setUint32(4, map.height);
  header.set([8, 3, 0, 0, 0], 8);
  const raw = new Uint8Array((map.width + 1) * map.height);
  for (let y = 0; y < map.height; y++)
    raw.set(map.cells.subarray(y * map.width, (y + 1) * map.width), y * (map.width + 1) + 1);
  const chunks = [
    chunk("IHDR", header),
    chunk("PLTE", plte),
    chunk("IDAT", storedZlib(raw)),
    chunk("IEND", new Uint8Array(0)),
  ];
  const signature = Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a);
  const out = new Uint8Array(signature.length + chunks.reduce((n, c) => n + c.length, 0));
  out.set(signature);
  let at = signature.length;
  for (const c of chunks) {
    out.set(c, at);
    at += c.length;
  }
  return out;
}

/** The map as SVG: runs of equal cells as rectangles, the legend as text. `safe` makes labels safe for XML. */
export function mapToSvg(map: PageMap, safe: (text: string) => string): string {
  const rects: string[] = [];
  for (let y = 0; y < map.height; y++) {
    for (let x = 0; x < map.width; ) {
      const c = map.cells[y * map.width + x]!;
      let to = x + 1;
      while (to < map.width && map.cells[y * map.width + to] === c) to++;
      if (c > 0) rects.push(`<path fill="${map.legend[c - 1]!.colour}" d="M${x} ${y}h${to - x}v1h${x - to}z"/>`);
      x = to;
    }
  }
  const line = Math.max(4, map.width / 40);
  const legend = map.legend.map(
    (l, i) =>
      `<rect x="0" y="${map.height + line * (i + 0.6)}" width="${line * 0.8}" height="${line * 0.8}" fill="${l.colour}"/><text x="${line * 1.2}" y="${map.height + line * (i + 1.3)}" font-size="${line * 0.8}">${safe(`${l.label}: ${l.pages} pages`)}</text>`,
  );
  const height = map.height + line * (map.legend.length + 1);
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${map.width} ${height}" width="${map.width * 2}" height="${height * 2}" shape-rendering="crispEdges" font-family="monospace"><title>pages from pfn ${map.firstPfn}, ${map.pagesPerCell} per cell, rows of ${map.width}</title><rect width="${map.width}" height="${map.height}" fill="${unlisted}"/>${rects.join("")}${legend.join("")}</svg>\n`;
}

function storedZlib(raw: Uint8Array): Uint8Array {
  const blocks = Math.max(1, Math.ceil(raw.length / 65535));
  const out = new Uint8Array(2 + raw.length + blocks * 5 + 4);
  out.set([0x78, 0x01]);
  let at = 2;
  for (let b = 0; b < blocks; b++) {
    const part = raw.subarray(b * 65535, (b + 1) * 65535);
    out.set(
      [b === blocks - 1 ? 1 : 0, part.length & 255, part.length >> 8, ~part.length & 255, (~part.length >> 8) & 255],
      at,
    );
    out.set(part, at + 5);
    at += 5 + part.length;
  }
  let a = 1;
  let b = 0;
  for (let i = 0; i < raw.length; i++) {
    a = (a + raw[i]!) % 65521;
    b = (b + a) % 65521;
  }
  new DataView(out.buffer).setUint32(at, ((b << 16) | a) >>> 0);
  return out;
}

const crcTable = Uint32Array.from({ length: 256 }, (_, n) => {
  let c = n;
  for (let k = 0; k < 8; k++) c = c & 1 ? 0xedb88320 ^ (c >>> 1) : c >>> 1;
  return c >>> 0;
});

function chunk(type: string, data: Uint8Array): Uint8Array {
  const out = new Uint8Array(12 + data.length);
  const view = new DataView(out.buffer);
  view.setUint32(0, data.length);
  for (let i = 0; i < 4; i++) out[4 + i] = type.charCodeAt(i);
  out.set(data, 8);
  let crc = 0xffffffff;
  for (let i = 4; i < 8 + data.length; i++) crc = crcTable[(crc ^ out[i]!) & 255]! ^ (crc >>> 8);
  view.setUint32(8 + data.length, (crc ^ 0xffffffff) >>> 0);
  return out;
}
