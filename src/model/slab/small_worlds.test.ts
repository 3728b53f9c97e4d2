// SLUB in worlds so small that every sequence of operations can be tried, and with a page allocator that refuses the nth request: nothing is
// lost, nothing is given twice. For each kernel that was recorded.

import { describe, expect, test } from "vitest";
import { prng } from "../../base/prng.ts";
import { sized } from "../../base/size.testkit.ts";
import { createJournal } from "../journal.ts";
import { exactKernels } from "../kernels/parts_for.ts";
import type { PageAllocator } from "../mm/pages.ts";
import { createNaivePages } from "../mm/pages.ts";
import type { CacheGeometry } from "./geometry.ts";
import type { Slub } from "./slub/shape.ts";

/** Slabs of two objects, chains of one slab, sheaves of two objects, no empty slab kept but one. */
const tiny: CacheGeometry = {
  objectSize: 2048,
  size: 2048,
  align: 8,
  linkOffset: 0,
  inuse: 2048,
  order: 0,
  objects: 2,
  minOrder: 0,
  minObjects: 2,
  mayFallBack: false,
  cpuPartial: 2,
  cpuPartialSlabs: 1,
  minPartial: 1,
  sheafCapacity: 2,
  offSlab: false,
};

interface Tiny {
  readonly slub: Slub;
  readonly cache: number;
  readonly journal: { cpu: number };
  /** Pages that are out. */
  held(): number;
  /** Requests for pages so far. */
  asked(): number;
}

function world(kernel: (typeof exactKernels)[number], refuses: (nth: number) => boolean = () => false): Tiny {
  const inner = createNaivePages(4096, 64);
  let held = 0;
  let asked = 0;
  const pages: PageAllocator = {
    ...inner,
    allocPages(gfp, order) {
      const pfn = refuses(asked++) ? -1 : inner.allocPages(gfp, order);
      if (pfn >= 0) held++;
      return pfn;
    },
    freePages(pfn, order) {
      held--;
      inner.freePages(pfn, order);
    },
  };
  const { slub: make, rules } = kernel.parts.slab;
  if (make === undefined) throw new Error(`${kernel.name} has no SLUB`);
  const journal = createJournal();
  const slub = make({ ...rules, pages, journal, cpus: 2 });
  return { slub, cache: slub.addCache(tiny, 0), journal, held: () => held, asked: () => asked };
}

/** What an observer can count: every object is live, or somewhere the allocator finds it again. */
function check({ slub, cache, held }: Tiny, live: readonly number[]): void {
  expect(new Set(live).size).toBe(live.length);
  const counts = slub.counts(cache);
  expect(counts.slabs).toBe(held());
  expect(counts.active).toBeGreaterThanOrEqual(live.length);
  for (const address of live) {
    const slab = slub.slabAt(address);
    if (slab === undefined) throw new Error(`live object ${address} lies in no slab`);
    // Without expect(): it is asked for each object at each step.
    if (slab.freelist.includes(slub.indexOf(address))) throw new Error(`live object ${address} is on the freelist`);
  }
}

/** Everything goes back; a shrink must find every page. */
function finish({ slub, cache, held }: Tiny, live: readonly number[]): void {
  for (const address of live) slub.free(cache, address);
  slub.shrink(cache);
  expect(slub.counts(cache)).toEqual({ slabs: 0, objects: 0, active: 0 });
  expect(held()).toBe(0);
}

const operations = ["alloc on CPU 0", "alloc on CPU 1", "free oldest on 0", "free newest on 1", "shrink"] as const;

function step(w: Tiny, live: number[], operation: number): void {
  const { slub, cache, journal } = w;
  if (operation < 2) {
    journal.cpu = operation;
    const address = slub.alloc(cache, 0);
    if (address >= 0) live.push(address);
  } else if (operation < 4) {
    journal.cpu = operation - 2;
    const address = operation === 2 ? live.shift() : live.pop();
    if (address !== undefined) slub.free(cache, address);
  } else slub.shrink(cache);
}

/** Steps of a sequence, and seeds of the long ones. */
const length = sized(4, 5);
const seeds = sized(3, 8);

describe.each(exactKernels)("$name", (kernel) => {
  test(`every sequence of ${length} of: ${operations.join(", ")}`, () => {
    let worlds = 0;
    for (let code = 0; code < operations.length ** length; code++) {
      const w = world(kernel);
      const live: number[] = [];
      for (let rest = code, i = 0; i < length; i++, rest = Math.floor(rest / operations.length))
        step(w, live, rest % operations.length);
      // Counted without expect(): 3,125 worlds in the long run.
      const { slabs, active } = w.slub.counts(w.cache);
      if (slabs !== w.held() || active < live.length || new Set(live).size !== live.length) check(w, live);
      for (const address of live) w.slub.free(w.cache, address);
      w.slub.shrink(w.cache);
      if (w.held() !== 0) throw new Error(`sequence ${code.toString(operations.length)} keeps ${w.held()} pages`);
      worlds++;
    }
    expect(worlds).toBe(operations.length ** length);
  });

  test("long random sequences: every object is live once or free once, at every step", () => {
    for (let seed = 1; seed <= seeds; seed++) {
      const random = prng(seed);
      const w = world(kernel);
      const live: number[] = [];
      for (let i = 0; i < 400; i++) {
        step(w, live, random.chance(0.02) ? 4 : random.below(2) + (random.chance(0.5) && live.length > 0 ? 2 : 0));
        if (i % 7 === 0) check(w, live);
      }
      check(w, live);
      finish(w, live);
    }
  });

  test("bulk and single operations mix; the order of an array that is freed does not matter for what comes back", () => {
    for (let seed = 1; seed <= seeds; seed++) {
      const random = prng(seed);
      const w = world(kernel);
      const live: number[] = [];
      for (let i = 0; i < 150; i++) {
        w.journal.cpu = random.below(2);
        if (random.chance(0.5) || live.length === 0) {
          const into = new Float64Array(1 + random.below(9));
          if (w.slub.allocBulk(w.cache, 0, into, 0, into.length)) live.push(...into);
        } else {
          for (let n = live.length - 1; n > 0; n--) {
            const other = random.below(n + 1);
            [live[n], live[other]] = [live[other] as number, live[n] as number];
          }
          const some = Float64Array.from(live.splice(0, 1 + random.below(live.length)));
          w.slub.freeBulk(w.cache, some, 0, some.length);
        }
        check(w, live);
      }
      finish(w, live);
    }
  });

  test("the nth request for pages fails, for every n: the caller gets no memory or an object, and nothing leaks", () => {
    const play = (refuses: (nth: number) => boolean): { readonly asked: number; readonly refused: number } => {
      const random = prng(7);
      const w = world(kernel, refuses);
      const live: number[] = [];
      let refused = 0;
      for (let i = 0; i < 120; i++) {
        w.journal.cpu = random.below(2);
        const bulk = new Float64Array(5);
        if (random.chance(0.2)) {
          if (w.slub.allocBulk(w.cache, 0, bulk, 0, 5)) live.push(...bulk);
          else refused++;
        } else if (random.chance(0.55) || live.length === 0) {
          const address = w.slub.alloc(w.cache, 0);
          if (address >= 0) live.push(address);
          else refused++;
        } else w.slub.free(w.cache, live.splice(random.below(live.length), 1)[0] as number);
      }
      check(w, live);
      finish(w, live);
      return { asked: w.asked(), refused };
    };
    const { asked, refused } = play(() => false);
    expect(asked).toBeGreaterThan(20);
    expect(refused).toBe(0);
    let failures = 0;
    for (let n = 0; n < asked; n++) failures += play((nth) => nth === n).refused;
    for (let n = 0; n < asked; n++) failures += play((nth) => nth >= n).refused;
    expect(failures).toBeGreaterThan(asked);
  });

  test("freeing twice, to another cache or inside an object is told at once, singly and in bulk", () => {
    const w = world(kernel);
    const other = w.slub.addCache(tiny, 0);
    const [a, b] = [w.slub.alloc(w.cache, 0), w.slub.alloc(w.cache, 0)];
    expect(() => w.slub.free(other, a)).toThrow(/wrong cache/);
    expect(() => w.slub.free(w.cache, a + 8)).toThrow(/inside an object/);
    expect(() => w.slub.freeBulk(w.cache, Float64Array.of(a, b, a), 0, 3)).toThrow(/double free|no live object/);
    const c = w.slub.alloc(w.cache, 0);
    w.slub.free(w.cache, c);
    expect(() => w.slub.free(w.cache, c)).toThrow(/double free/);
  });
});
