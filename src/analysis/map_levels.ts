// A map made smaller, so that drawing it costs screen points and not pages: in each next level a cell stands for twice as many cells across and
// down. A cell of a level shows the kind that most of the map's own cells in its square have (not of the level below: exact); of two kinds with
// equally many, the one earlier in the legend; blank only where blank is the most.
import type { PageMap } from "./page_map.ts";

/** A map with its smaller levels: `levels[i]` has ceil(width / 2^(i+1)) cells in a row; the last is at most 256 wide and high. */
export interface LevelledMap extends PageMap {
  readonly levels: readonly Uint8Array[];
}

const smallest = 256;

export function withLevels<M extends PageMap>(map: M): M & LevelledMap {
  const levels: Uint8Array[] = [];
  for (let shift = 1; Math.max(map.width, map.height) > smallest << (shift - 1); shift++)
    levels.push(shift === 1 && map.width % 2 === 0 && map.height % 2 === 0 ? halve(map) : shrink(map, shift));
  return { ...map, levels };
}

/** shrink() by two, where every square has its four cells; the level that costs most, without counting. */
export function halve({ width, height, cells }: PageMap): Uint8Array {
  const out = new Uint8Array((width * height) / 4);
  let at = 0;
  for (let upper = 0; upper < cells.length; upper += 2 * width) {
    for (let i = upper; i < upper + width; i += 2) {
      const a = cells[i]!;
      const b = cells[i + 1]!;
      const c = cells[i + width]!;
      const d = cells[i + width + 1]!;
      // Alike in most squares; three of four also win without more ado.
      if (a === b && (a === c || a === d)) out[at++] = a;
      else if (c === d && (c === a || c === b)) out[at++] = c;
      else out[at++] = mostOf(a, b, c, d);
    }
  }
  return out;
}

/** The kind that comes most often; of equals the earlier in the legend, blank last. */
function mostOf(a: number, b: number, c: number, d: number): number {
  let best = 0;
  for (const kind of [a, b, c, d]) {
    const count = +(kind === a) + +(kind === b) + +(kind === c) + +(kind === d);
    best = Math.max(best, count * 256 + 255 - ((kind - 1) & 255));
  }
  return (256 - (best & 255)) & 255;
}

/** Each cell stands for a square of 2^shift by 2^shift cells, or what of it lies on the map. */
export function shrink({ width, height, cells, legend }: PageMap, shift: number): Uint8Array {
  const kinds = legend.length + 1;
  const across = Math.ceil(width / 2 ** shift);
  const down = Math.ceil(height / 2 ** shift);
  const out = new Uint8Array(across * down);
  const count = new Uint32Array(across * kinds);
  for (let row = 0; row < down; row++) {
    count.fill(0);
    const end = Math.min(height, (row + 1) << shift);
    for (let y = row << shift; y < end; y++) {
      const base = y * width;
      for (let x = 0; x < width; x++) {
        const at = (x >> shift) * kinds + cells[base + x]!;
        count[at] = count[at]! + 1;
      }
    }
    for (let x = 0; x < across; x++) {
      let best = 0;
      let most = 0;
      // Blank (0) is asked last: it wins only with more than any kind.
      for (let k = 1; k <= kinds; k++) {
        const kind = k === kinds ? 0 : k;
        const n = count[x * kinds + kind]!;
        if (n > most) {
          most = n;
          best = kind;
        }
      }
      out[row * across + x] = best;
    }
  }
  return out;
}
