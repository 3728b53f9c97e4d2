import { expect, test } from "vitest";
import { prng } from "../../base/prng.ts";
import { parseRelease } from "../../kernel/release.ts";
import { createBootedMemory } from "../kernels/booted.ts";
import { memoryProblems } from "./invariants.ts";
import type { FreeGiven } from "./lay_out.ts";
import { layOutZone } from "./lay_out.ts";
import { record, word } from "./memory.ts";
import { freeBlocks } from "./observe.ts";

const pages = 16384;
const booted = (release: string, cma = false) =>
  createBootedMemory({
    release: parseRelease(release),
    memoryMb: 0,
    cpus: 2,
    cma,
    zones: { types: ["DMA32", "Normal", "Movable"], given: [{ name: "Normal", node: 0, pages, managed: 1_000_000 }] },
  });

/** A state that has room: some free blocks of each order on each list, the rest in use. */
function drawn(seed: number, types: readonly number[]): FreeGiven[] {
  const random = prng(seed);
  const few = random.chance(0.3);
  return types.flatMap((type) =>
    Array.from({ length: 11 }, (_, order) => ({
      order,
      type,
      count: order > 8 ? random.below(2) : random.below(Math.max(2, Math.ceil((few ? 40 : 200) >> order))),
    })),
  );
}

test.each(["2.6.18-x86_64", "2.6.32-x86_64", "5.10-x86_64", "6.1-x86_64", "6.12-x86_64", "7.2-x86_64"])(
  "%s: the free lists are those that were given, nothing has merged, and every counter agrees",
  (release) => {
    for (let seed = 1; seed <= 3; seed++) {
      const machine = booted(release, seed % 2 === 0);
      const { types, policy } = machine.rules;
      const lists = policy !== "mobility" ? [0] : [types.unmovable, types.movable, types.reclaimable];
      const free = drawn(seed, types.cma >= 0 ? [...lists, types.cma] : lists);
      const want = Array.from({ length: 11 }, (_, o) =>
        free.filter((f) => f.order === o).reduce((n, f) => n + f.count, 0),
      );
      let wrong = 0;
      const used = new Map<string, number>();
      const done = layOutZone(machine, 0, { free, file: 1500, anon: 500, slab: 200 }, prng(seed), (pfn, what) => {
        used.set(what, (used.get(what) ?? 0) + 1);
        const onLru = ((machine.memory.page[pfn * 4 + record.word] as number) & word.lru) !== 0;
        if (onLru !== (what === "file" || what === "anon")) wrong++;
      });
      expect(done, `seed ${seed}`).toEqual({ broken: 0, missing: 0 });
      expect(freeBlocks(machine, 0), `seed ${seed}`).toEqual(want);
      expect(memoryProblems(machine), `seed ${seed}`).toEqual([]);
      for (const { order, type, count } of free) {
        const { page } = machine.memory;
        let n = 0;
        const list = machine.area.listOf(0, order, type);
        for (let at = page[list * 4] as number; at !== list; at = page[at * 4] as number) n++;
        // A block may lie on another list where its own type's ground had no piece that large.
        if (order < 9)
          expect(n, `seed ${seed} order ${order} type ${type}`).toBeGreaterThanOrEqual(Math.floor(count * 0.9) - 2);
      }
      expect(wrong, `seed ${seed}`).toBe(0);
      expect(used.get("file")).toBe(1500);
      expect(used.get("anon")).toBe(500);
      expect(machine.lru.count(0)).toBe(2000);
    }
  },
);

test("a state without room for whole blocks is laid out in pieces, and says so", () => {
  const machine = booted("6.1-x86_64");
  const free = [{ order: 9, type: machine.rules.types.movable, count: 20 }];
  const done = layOutZone(machine, 0, { free, file: 0, anon: 0, slab: 0 }, prng(1), () => {});
  expect(done.broken).toBeGreaterThan(0);
  expect(done.missing).toBe(0);
  expect(memoryProblems(machine)).toEqual([]);
});

test.each([1, 2, 3])(
  "where it is known which pages are in use, they are, each for what it is, and free blocks lie among the others (seed %i)",
  (seed) => {
    const machine = booted("6.1-x86_64");
    const random = prng(seed);
    const { types } = machine.rules;
    const blockTypes = Array.from({ length: pages / 512 }, () => random.pick([types.unmovable, types.movable]));
    const use = Array.from({ length: pages }, (_, p) =>
      random.chance(0.7)
        ? blockTypes[p >> 9] === types.movable
          ? ("user" as const)
          : random.pick(["kernel", "slab"] as const)
        : undefined,
    );
    const free = [
      { order: 0, type: types.movable, count: 500 },
      { order: 1, type: types.unmovable, count: 100 },
      { order: 2, type: types.movable, count: 10 },
    ];
    const first = machine.memory.spec.zones[0]?.startPfn ?? 0;
    const told = new Map<number, string>();
    const done = layOutZone(
      machine,
      0,
      { free, file: 3000, anon: 1000, slab: 0, held: { use, blockTypes } },
      random,
      (pfn, what) => {
        told.set(pfn - first, what);
      },
    );
    expect(done).toEqual({ broken: 0, missing: 0 });
    expect(freeBlocks(machine, 0).slice(0, 4)).toEqual([500, 100, 10, 0]);
    expect(memoryProblems(machine)).toEqual([]);
    const kind = (what: string | undefined) => (what === "file" || what === "anon" ? "user" : what);
    expect(use.flatMap((what, p) => (what === undefined || kind(told.get(p)) === what ? [] : [p]))).toEqual([]);
    expect(blockTypes.flatMap((type, b) => (machine.area.blockTypeOf(first + b * 512) === type ? [] : [b]))).toEqual(
      [],
    );
  },
);

test("pageblocks are shared among the types as printed", () => {
  const machine = booted("6.1-x86_64");
  const { types } = machine.rules;
  const ground = [
    { type: types.unmovable, share: 0.25 },
    { type: types.reclaimable, share: 0.125 },
    { type: types.movable, share: 0.625 },
  ];
  const free = [{ order: 0, type: types.movable, count: 100 }];
  layOutZone(machine, 0, { free, file: 500, anon: 0, slab: 0, ground }, prng(1), () => {});
  const first = machine.memory.spec.zones[0]?.startPfn ?? 0;
  const of = (type: number) =>
    Array.from({ length: 32 }, (_, b) => machine.area.blockTypeOf(first + b * 512)).filter((t) => t === type).length;
  // In grounds of two pageblocks each.
  expect([of(types.unmovable), of(types.reclaimable), of(types.movable)]).toEqual([8, 4, 20]);
});

test("what was laid out is memory: it can be asked for to the last page and given back", () => {
  const machine = booted("6.1-x86_64");
  const { gfp, types } = machine.rules;
  const free = [
    { order: 0, type: types.movable, count: 700 },
    { order: 3, type: types.unmovable, count: 20 },
  ];
  layOutZone(machine, 0, { free, file: 4000, anon: 0, slab: 0 }, prng(2), () => {});
  const got: number[] = [];
  for (;;) {
    const pfn = machine.pages.allocPages(gfp.nowarn | gfp.memalloc, 0);
    if (pfn < 0) break;
    got.push(pfn);
  }
  expect(got.length).toBe(700 + 160);
  for (const pfn of got) machine.pages.freePages(pfn, 0);
  expect(memoryProblems(machine)).toEqual([]);
});
