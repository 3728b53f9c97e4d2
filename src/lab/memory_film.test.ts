import { expect, test } from "vitest";
import { shrink, withLevels } from "../analysis/map_levels.ts";
import type { PageMap } from "../analysis/page_map.ts";
import { blockOwners } from "../analysis/page_owner/block.ts";
import { BadInput } from "../base/bad_input.ts";
import { prng } from "../base/prng.ts";
import type { Projector } from "./film_pictures.ts";
import { createProjector } from "./film_pictures.ts";
import type { Colouring } from "./film_settings.ts";
import { colourings, filmDefaults } from "./film_settings.ts";
import type { Film } from "./memory_film.ts";
import { filmBits, filmMemory } from "./memory_film.ts";

const small = { ...filmDefaults, memoryMb: 64, pictures: 6, load: { ...filmDefaults.load, kilopages: 20 } };
const films = (): Film[] =>
  filmMemory({ ...small, policies: ["classic", "placement-2005", "mobility"] }, () => undefined);

const labelAt = (map: PageMap, pfn: number): string => map.legend[map.cells[pfn]! - 1]?.label ?? "";
const pagesOf = (map: PageMap, start: string): number =>
  map.legend.filter((l) => l.label.startsWith(start)).reduce((n, l) => n + l.pages, 0);

test("a picture's free pages are the free blocks of the moment and what per-CPU lists hold, whatever it is coloured by", () => {
  for (const film of films()) {
    const projector = createProjector(film);
    film.pictures.forEach((picture, at) => {
      const inBlocks = picture.freeBlocks.reduce((n, count, order) => n + count * 2 ** order, 0);
      for (const by of ["type", "owner", "state", "age"] as const) {
        const map = projector.map(at, by);
        expect(pagesOf(map, "free, on the"), `${film.policy}, ${picture.what}, ${by}`).toBe(inBlocks);
        expect(pagesOf(map, "free, on a CPU's")).toBeLessThan(400);
      }
      expect(pagesOf(projector.map(at, "order"), "free") - inBlocks).toBeGreaterThanOrEqual(0);
    });
  }
});

test("winding back gives the same picture as coming to it first", () => {
  const film = films()[2]!;
  const forward = createProjector(film);
  const seen = film.pictures.map((_, at) =>
    Object.keys(colourings).map((by) => forward.map(at, by as Colouring).cells.slice()),
  );
  const jumping = createProjector(film);
  for (const at of [7, 2, 5, 0, 6, 1, 4, 3]) {
    Object.keys(colourings).forEach((by, i) => {
      const { cells } = jumping.map(at, by as Colouring);
      expect(Buffer.compare(cells, seen[at]![i]!), `picture ${at} by ${by}`).toBe(0);
    });
  }
});

test("a page's history ends in what the picture shows, its owner has a stack, and no page is younger than its picture", () => {
  const p = prng(5);
  for (const film of films()) {
    const projector: Projector = createProjector(film);
    for (let n = 0; n < 40; n++) {
      const at = p.below(film.pictures.length);
      const pfn = p.below(film.pages);
      const { history, stack, state, block } = projector.story(at, pfn);
      const owner = labelAt(projector.map(at, "owner"), pfn);
      expect(block).toBe(pfn >> film.blockOrder);
      if (state.startsWith("taken")) {
        expect(history.at(-1)?.text).toMatch(/^taken/);
        expect(stack.join(" < ")).toBe(owner);
        expect(stack.length).toBeGreaterThan(1);
      } else expect(history.at(-1)?.text ?? "given back").toMatch(/^given back/);
      for (const h of history) expect(h.picture).toBeLessThanOrEqual(at);
      const turns = history.map((h) => h.text.startsWith("taken"));
      expect(turns.every((taken, i) => i === 0 || taken !== turns[i - 1])).toBe(true);
    }
  }
});

test("who pins a block of a film is what the same question to a dump of page_owner says: its taken pages, each with its owner", () => {
  for (const film of films()) {
    const projector = createProjector(film);
    const at = film.pictures.length - 1;
    const owners = projector.map(at, "owner");
    for (let first = 0; first + 512 <= film.pages; first += 512) {
      const report = blockOwners(projector.censusOfBlock(at, first + 100, 9), first + 100, 9, "symbol", { depth: 3 });
      const counted = new Map<string, number>();
      for (let pfn = first; pfn < first + 512; pfn++) {
        const label = labelAt(owners, pfn);
        if (label !== "" && !label.startsWith("free")) counted.set(label, (counted.get(label) ?? 0) + 1);
      }
      expect(new Map(report.owners.map((o) => [o.stack.join(" < "), o.pages]))).toEqual(counted);
    }
  }
});

test("the same settings give the same film, and the load is the same for every policy", () => {
  const [a, b] = [films(), films()];
  const same = (x: Uint32Array, y: Uint32Array): boolean => x.length === y.length && x.every((w, i) => w === y[i]);
  expect(a.every((f, i) => same(f.what, b[i]!.what))).toBe(true);
  // Memory is short in this load, and each policy reclaims what it likes: the requests stay the same, refused ones included.
  const asked = a.map((f) => f.what.filter((w) => (w & filmBits.taken) !== 0));
  expect(asked[0]!.length).toBeGreaterThan(20_000);
  expect(same(asked[1]!, asked[0]!)).toBe(true);
  expect(same(asked[2]!, asked[0]!)).toBe(true);
});

test("too many pictures and impossible sizes are refused with what to do", () => {
  for (const wrong of [{ memoryMb: 8192, pictures: 1000 }, { memoryMb: Number.NaN }, { memoryMb: 63 }, { seed: -1 }])
    expect(() => filmMemory({ ...filmDefaults, ...wrong }, () => undefined)).toThrow(BadInput);
});

test("a smaller level shows the kind that most of its pages have, the earlier one of equals, and blank only when most is blank (seed 3)", () => {
  const p = prng(3);
  const legend = ["a", "b", "c"].map((label) => ({ label, pages: 0, colour: "#000000" }));
  for (const [width, height] of [
    [600, 300],
    [512, 513],
    [300, 7],
    [512, 256],
  ] as const) {
    const cells = Uint8Array.from({ length: width * height }, () => p.below(4));
    const map: PageMap = { width, height, firstPfn: 0, pagesPerCell: 1, cells, legend };
    const { levels } = withLevels(map);
    expect(Math.ceil(Math.max(width, height) / 2 ** levels.length)).toBeLessThanOrEqual(256);
    levels.forEach((level, i) => {
      const n = 2 ** (i + 1);
      const across = Math.ceil(width / n);
      expect(Buffer.compare(level, shrink(map, i + 1))).toBe(0);
      for (let tries = 0; tries < 200; tries++) {
        const at = p.below(level.length);
        const [cx, cy] = [at % across, Math.floor(at / across)];
        const count = [0, 0, 0, 0];
        for (let y = cy * n; y < Math.min(height, cy * n + n); y++)
          for (let x = cx * n; x < Math.min(width, cx * n + n); x++) count[cells[y * width + x]!]!++;
        const most = Math.max(...count);
        const kind = count.indexOf(most, 1);
        expect(level[at]).toBe(kind < 0 ? 0 : kind);
      }
    });
  }
});
