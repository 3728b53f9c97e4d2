// Where a map's cells lie on the screen, and their points: the cost is that of the points on the screen, not of the pages in memory. Drawn by the
// processor: measured against WebGL's software renderer this is several times faster and needs no copy of the map (docs/decisions/040-maps.md).
import type { LevelledMap } from "../../analysis/map_levels.ts";

export interface View {
  readonly x: number;
  readonly y: number;
  /** Cells across the canvas. */
  readonly span: number;
}

/** Either `points` by `points` points a cell (shift 0), or one point for 2^shift by 2^shift cells. Nothing in between: a cell is a square. */
export interface Scale {
  readonly points: number;
  readonly shift: number;
}

/** Points a cell that zooming passes through. */
const steps = [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64];

/** The largest scale at which `span` cells fit into `width` points. */
export function scaleOf(map: LevelledMap, span: number, width: number): Scale {
  if (span <= width) return { points: Math.max(1, Math.floor(width / span)), shift: 0 };
  return { points: 1, shift: Math.min(map.levels.length, Math.ceil(Math.log2(span / width))) };
}

/** Cells in a point's length. */
export const cellsPerPoint = ({ points, shift }: Scale): number => 2 ** shift / points;

/** The span one step nearer (`by` > 0) or farther. */
export function zoomedSpan(map: LevelledMap, span: number, width: number, by: number): number {
  const all = [...map.levels.map((_, i) => 2 ** (map.levels.length - i)), ...steps.map((p) => 1 / p)];
  const now = cellsPerPoint(scaleOf(map, span, width));
  // The step at or just nearer than what is shown now.
  const at = all.findIndex((cells) => cells <= now * 1.0001);
  const next = all[Math.max(0, Math.min(all.length - 1, (at < 0 ? all.length - 1 : at) + by))]!;
  return next * width;
}

/** Colours as the canvas keeps them, by cell value; `blank` first. */
export function paletteOf(map: LevelledMap, blank: string): Uint32Array {
  const palette = new Uint32Array(256);
  const bytes = new Uint8Array(palette.buffer);
  [blank, ...map.legend.map((l) => l.colour)].forEach((colour, i) => {
    for (let k = 0; k < 3; k++) bytes[i * 4 + k] = Number.parseInt(colour.slice(1 + 2 * k, 3 + 2 * k), 16);
    bytes[i * 4 + 3] = 255;
  });
  return palette;
}

/** Fills `points`, rows of `width`, with the part of the map that a view shows; what lies outside the map stays clear. */
export function paintMap(map: LevelledMap, view: View, palette: Uint32Array, points: Uint32Array, width: number): void {
  const { points: size, shift } = scaleOf(map, view.span, width);
  const cells = shift === 0 ? map.cells : map.levels[shift - 1]!;
  const across = Math.ceil(map.width / 2 ** shift);
  const down = Math.ceil(map.height / 2 ** shift);
  // Where the view begins, in points.
  const left = Math.round((view.x / 2 ** shift) * size);
  const top = Math.round((view.y / 2 ** shift) * size);
  const from = Math.max(0, -left);
  const to = Math.min(width, across * size - left);
  const height = points.length / width;
  const columns = new Int32Array(width);
  for (let x = from; x < to; x++) columns[x] = Math.floor((left + x) / size);
  let before = -1;
  for (let y = 0; y < height; y++) {
    const row = Math.floor((top + y) / size);
    const at = y * width;
    if (row < 0 || row >= down || to <= from) points.fill(0, at, at + width);
    else if (row === before) points.copyWithin(at, at - width, at);
    else paintRow(cells, row * across, columns, palette, points, at, from, to, width);
    before = row < 0 || row >= down ? -1 : row;
  }
}

function paintRow(
  cells: Uint8Array,
  base: number,
  columns: Int32Array,
  palette: Uint32Array,
  points: Uint32Array,
  at: number,
  from: number,
  to: number,
  width: number,
): void {
  points.fill(0, at, at + from);
  for (let x = from; x < to; x++) points[at + x] = palette[cells[base + columns[x]!]!]!;
  points.fill(0, at + Math.max(from, to), at + width);
}
