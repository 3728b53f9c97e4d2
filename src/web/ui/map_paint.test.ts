import { expect, test } from "vitest";
import { withLevels } from "../../analysis/map_levels.ts";
import { prng } from "../../base/prng.ts";
import { cellsPerPoint, paintMap, paletteOf, scaleOf, zoomedSpan } from "./map_paint.ts";

const legend = ["#ff0000", "#00ff00", "#0000ff"].map((colour) => ({ label: colour, pages: 0, colour }));
const mapOf = (width: number, height: number, seed: number) => {
  const p = prng(seed);
  const cells = Uint8Array.from({ length: width * height }, () => p.below(4));
  return withLevels({ width, height, firstPfn: 0, pagesPerCell: 1, cells, legend });
};

test("every point shows the cell that lies there, at every zoom and place, and nothing where the map ends (seed 9)", () => {
  const p = prng(9);
  const map = mapOf(700, 500, 4);
  const palette = paletteOf(map, "#808080");
  for (let tries = 0; tries < 60; tries++) {
    const [width, height] = [100 + p.below(200), 20 + p.below(60)];
    const view = { x: p.below(900) - 100 + p.unit(), y: p.below(700) - 100, span: 4 + p.unit() ** 3 * 1000 };
    const scale = scaleOf(map, view.span, width);
    const points = new Uint32Array(width * height).fill(7);
    paintMap(map, view, palette, points, width);
    const n = 2 ** scale.shift;
    const cells = scale.shift === 0 ? map.cells : map.levels[scale.shift - 1]!;
    const across = Math.ceil(map.width / n);
    const expected = Uint32Array.from(points, (_, i) => {
      const x = Math.floor((Math.round((view.x / n) * scale.points) + (i % width)) / scale.points);
      const y = Math.floor((Math.round((view.y / n) * scale.points) + Math.floor(i / width)) / scale.points);
      return x < 0 || y < 0 || x >= across || y >= Math.ceil(map.height / n) ? 0 : palette[cells[y * across + x]!]!;
    });
    expect(points.every((point, i) => point === expected[i])).toBe(true);
  }
});

test("near enough each page is a square of whole points; farther off a point stands for a square of pages; zooming steps through all", () => {
  const map = mapOf(2048, 64, 5);
  let span = 2048;
  const seen: string[] = [];
  for (let i = 0; i < 20; i++) {
    const { points, shift } = scaleOf(map, span, 1000);
    seen.push(shift > 0 ? `1/${2 ** shift}` : `${points}`);
    span = zoomedSpan(map, span, 1000, 1);
  }
  expect(seen.slice(0, 14)).toEqual(["1/4", "1/2", "1", "2", "3", "4", "6", "8", "12", "16", "24", "32", "48", "64"]);
  for (let i = 0; i < 20; i++) span = zoomedSpan(map, span, 1000, -1);
  expect(cellsPerPoint(scaleOf(map, span, 1000))).toBe(8);
});
