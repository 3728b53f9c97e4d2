import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { BadInput } from "../../base/bad_input.ts";
import { parseRelease } from "../../kernel/release.ts";
import { cacheGeometry, kmallocCaches, kmallocGeometry, orderFor } from "./geometry.ts";

const root = join(import.meta.dirname, "../../..");
const captures = join(root, "../shared/captures");

interface Recorded {
  readonly name: string;
  readonly values: Readonly<Record<string, number>>;
}

const read = (path: string): string =>
  path.endsWith(".gz") ? gunzipSync(readFileSync(path)).toString() : readFileSync(path, "utf8");

const recorded = (text: string): Recorded[] =>
  text
    .split("\n")
    .filter((line) => line.includes("slab_size="))
    .map((line) => {
      const [name = "", ...fields] = line.trim().split(/\s+/);
      return { name, values: Object.fromEntries(fields.map((f) => f.split("=")).map(([k, v]) => [k, Number(v)])) };
    });

/** Every recorded geometry with the CPUs of its guest. */
const files: (readonly [path: string, cpus: number])[] = [
  ...["6.1-cpus2", "6.1-cpus4", "6.1-debian-cpus2"].map(
    (n) => [join(root, `fixtures/slub/geometry-${n}.txt.gz`), Number(/cpus(\d)/.exec(n)?.[1])] as const,
  ),
  ...(existsSync(captures)
    ? readdirSync(join(captures, "boot-state")).map(
        (d) => [join(captures, "boot-state", d, "geometry.txt"), Number(/cpus(\d+)/.exec(d)?.[1])] as const,
      )
    : []),
  ...(existsSync(captures) ? [[join(captures, "slub/geometry.txt"), 2] as const] : []),
];

describe("every cache of a running 6.1 has the geometry that the rules give", () => {
  test.each(files)("%s, %i CPUs", (path, cpus) => {
    const caches = recorded(read(path));
    expect(caches.length).toBeGreaterThan(50);
    const machine = { release: parseRelease("6.1.192"), allocator: "slub" as const, cpus };
    for (const { name, values: v } of caches) {
      const wish = { objectSize: v.object_size as number, align: v.align as number };
      // sysfs does not say whether the first words of a free object must survive (constructor, RCU): the size does.
      const plain = cacheGeometry(machine, wish);
      const g = plain.size === v.slab_size ? plain : cacheGeometry(machine, { ...wish, keepsContents: true });
      expect({ name, ...pick(g) }).toEqual({
        name,
        slab_size: v.slab_size,
        objs_per_slab: v.objs_per_slab,
        order: v.order,
        cpu_partial: v.cpu_partial,
        min_partial: v.min_partial,
      });
    }
  });
});

test("under slub_debug=FZPU every cache of 6.1 has the size, the slab and the order that the kernel shows", () => {
  const caches = recorded(read(join(root, "fixtures/slub/geometry-6.1-slub_debug.txt.gz")));
  expect(caches.length).toBeGreaterThan(25);
  const machine = { release: parseRelease("6.1.192"), allocator: "slub" as const, cpus: 2, slubDebug: true };
  for (const { name, values: v } of caches) {
    const wish = { objectSize: v.object_size as number, align: v.align as number, kmalloc: /^kmalloc/.test(name) };
    const g = cacheGeometry(machine, wish);
    expect({ name, size: g.size, objects: g.objects, order: g.order, partial: g.cpuPartial }).toEqual({
      name,
      size: v.slab_size,
      objects: v.objs_per_slab,
      order: v.order,
      partial: v.cpu_partial,
    });
  }
  expect(() => cacheGeometry({ ...machine, release: parseRelease("4.19") }, { objectSize: 64 })).toThrow(BadInput);
});

const pick = (g: ReturnType<typeof cacheGeometry>): Record<string, number> => ({
  slab_size: g.size,
  objs_per_slab: g.objects,
  order: g.order,
  cpu_partial: g.cpuPartial,
  min_partial: g.minPartial,
});

test("the kmalloc caches of 6.1 are those that the kernel lists, with their alignment", () => {
  const rows = recorded(read(join(root, "fixtures/slub/geometry-6.1-cpus2.txt.gz"))).filter((r) =>
    /^kmalloc-\d+k?$/.test(r.name),
  );
  const { caches } = kmallocGeometry(parseRelease("6.1"), { cpus: 2, allocator: "slub" });
  expect(caches.map((c) => [c.name, c.size, c.geometry.align]).sort()).toEqual(
    rows.map((r) => [r.name, r.values.object_size, r.values.align]).sort(),
  );
});

describe("the question of seed 001: a 1976-byte receive buffer", () => {
  test("2.6.24 SLUB takes it from kmalloc-2048, whose slab is order 1 and cannot fall back", () => {
    const answer = kmallocGeometry(parseRelease("2.6.24-x86_64"), { cpus: 2, allocator: "slub" }).forSize(1976);
    expect(answer).toMatchObject({
      kind: "slab",
      bucket: "kmalloc-2048",
      order: 1,
      minOrder: 1,
      mayFallBack: false,
      objects: 4,
    });
    expect(answer.because).toContain("no fall-back");
  });

  test("2.6.29 asks for order 3 first and then takes a single page", () => {
    const answer = kmallocGeometry(parseRelease("2.6.29-x86_64"), { cpus: 8, allocator: "slub" }).forSize(1976);
    expect(answer).toMatchObject({ order: 3, minOrder: 0, mayFallBack: true });
  });

  test("SLAB of the same 2.6.24 would have taken single pages", () => {
    const answer = kmallocGeometry(parseRelease("2.6.24-x86_64"), { cpus: 2, allocator: "slab" }).forSize(1976);
    expect(answer).toMatchObject({ bucket: "size-2048", order: 0, objects: 2, mayFallBack: false });
  });

  test("a jumbo buffer of 9.4 KB goes past SLUB to the page allocator at order 2, before and after", () => {
    for (const release of ["2.6.24", "2.6.29", "6.1"])
      expect(kmallocGeometry(parseRelease(release), { cpus: 2, allocator: "slub" }).forSize(9424)).toMatchObject({
        kind: "large",
        order: 2,
      });
  });
});

describe("where kmalloc ends and the page allocator begins", () => {
  test.each([
    ["2.6.24", "slub", 2048],
    ["2.6.29", "slub", 4096],
    ["2.6.32", "slub", 8192],
    ["6.1", "slub", 8192],
    ["2.6.9", "slab", 131072],
    ["2.6.32", "slab", 4194304],
  ] as const)("%s %s keeps caches up to %i bytes", (release, allocator, largest) => {
    const k = kmallocGeometry(parseRelease(release), { cpus: 2, allocator });
    expect(k.largestCache).toBe(largest);
    expect(k.forSize(largest).kind).toBe("slab");
    expect(k.forSize(largest + 1)).toMatchObject({ kind: "large", order: orderFor(largest + 1, 4096) });
  });

  test("one CPU makes kmalloc-2k slabs of order 2, two make them order 3 (6.1)", () => {
    const order = (cpus: number): number =>
      kmallocGeometry(parseRelease("6.1"), { cpus, allocator: "slub" }).forSize(2048).order;
    expect([order(1), order(2), order(4)]).toEqual([2, 3, 3]);
  });

  test("arm64 has no kmalloc object below 128 bytes until 6.5", () => {
    const names = (release: string): string[] =>
      kmallocCaches({ release: parseRelease(release), allocator: "slub", cpus: 4 })
        .slice(0, 3)
        .map((c) => c.name);
    expect(names("4.19-arm64")).toEqual(["kmalloc-128", "kmalloc-256", "kmalloc-512"]);
    expect(names("6.6-arm64")).toEqual(["kmalloc-8", "kmalloc-16", "kmalloc-32"]);
  });
});

test("SLAB: sk_buff data of a 2.6.9 e1000 jumbo ring (16384 bytes) is a slab of order 2, one object", () => {
  const answer = kmallocGeometry(parseRelease("2.6.9-i386"), { cpus: 1, allocator: "slab" }).forSize(16384);
  expect(answer).toMatchObject({ bucket: "size-16384", order: 2, objects: 1, mayFallBack: false });
});

test("an allocator that a release does not have is bad input", () => {
  expect(() => kmallocGeometry(parseRelease("2.6.9"), { cpus: 1, allocator: "slub" })).toThrow(BadInput);
  expect(() => kmallocGeometry(parseRelease("6.6"), { cpus: 1, allocator: "slab" })).toThrow(BadInput);
});
