import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { linesOf } from "../cli/input/transcript.ts";
import { slabGeometryReplayer } from "./slab_geometry.ts";

const root = join(import.meta.dirname, "../..");
const captures = "../shared/captures";

const geometries = (folder: string, pattern: RegExp): string[] =>
  existsSync(join(root, folder))
    ? (readdirSync(join(root, folder), { recursive: true }) as string[])
        .filter((f) => pattern.test(f))
        .sort()
        .map((f) => join(root, folder, f))
    : [];

const replay = async (path: string, kernel: string, change = (lines: string[]): string[] => lines) =>
  slabGeometryReplayer.replay({ path, kernel, lines: change(await linesOf(path)) });

const anywhere = /(^|\/)geometry\.txt/;
describe.each([
  ["5.10.223", /^geometry-5\.10-/, geometries(`${captures}/5.10`, anywhere)],
  ["6.1.192", /^geometry-6\.1-/, geometries(captures, /^(boot-state|slub|debian-stock|dmesg)\/.*geometry\.txt/)],
  ["6.12.117", /^geometry-6\.12-/, geometries(`${captures}/6.12`, anywhere)],
  ["7.2.12", /^geometry-7\.2-/, geometries(`${captures}/7.2`, anywhere)],
])("%s: every cache has the geometry that the rules give", (kernel, mine, recorded) => {
  test.each([...geometries("fixtures/slub", mine), ...recorded])("%s", async (path) => {
    const { operations, exact, firstDifference, compared } = await replay(path, kernel);
    expect(firstDifference).toBeUndefined();
    expect(operations).toBeGreaterThan(25);
    expect(exact).toBe(operations);
    const cpus = Number(/cpus(\d+)/.exec(path)?.[1] ?? 2);
    expect(compared).toContain({ 1: "with 1 CPU.", 2: "with 2 to 3 CPUs.", 4: "with 4 to 7 CPUs." }[cpus]);
  });
});

describe("canaries: the comparison bites", () => {
  const fixture = (name: string): string => join(root, `fixtures/slub/geometry-${name}.txt.gz`);
  const changed = (cache: RegExp, from: RegExp, to: string) => (lines: string[]) =>
    lines.map((l) => (cache.test(l) ? l.replace(from, to) : l));

  test.each([
    ["an order one too high", /order=0/, "order=1", "order"],
    ["a sheaf of another size", /sheaf_capacity=\d+/, "sheaf_capacity=30", "sheaf_capacity"],
    ["another min_partial", /min_partial=5/, "min_partial=6", "min_partial"],
    ["an object less a slab", /objs_per_slab=16/, "objs_per_slab=15", "objs_per_slab"],
  ])("%s is found at its cache", async (_what, from, to, field) => {
    const found = await replay(fixture("7.2-cpus1"), "7.2.12", changed(/^skbuff_head_cache /, from, to));
    expect(found.firstDifference?.operation).toContain("cache skbuff_head_cache");
    expect(found.firstDifference?.kernel).toContain(`${field}=`);
    expect(found.exact).toBe(found.operations - 1);
  });

  test("kmalloc-192 is aligned to 64 bytes since 6.11 and to 8 before", async () => {
    const found = await replay(fixture("6.12-cpus4"), "6.12.117", changed(/^kmalloc-192 /, /align=64/, "align=8"));
    expect(found.firstDifference?.kernel).toBe("align=8");
    expect(found.firstDifference?.model).toBe("align=64");
  });

  test.each([
    ["7.2-cpus1", "6.12.117"],
    ["6.12-cpus4", "6.1.192"],
    ["5.10-cpus2", "6.1.192"],
    ["5.10-slub_debug", "6.1.192"],
  ])("caches of %s are not those of %s", async (name, kernel) => {
    const { operations, exact } = await replay(fixture(name), kernel);
    expect(exact).toBeLessThan(operations);
  });

  test("a line that is cut off is bad input with its place", async () => {
    const cut = (lines: string[]): string[] => [...lines.slice(0, 3), (lines[3] as string).slice(0, 40)];
    await expect(replay(fixture("7.2-cpus1"), "7.2.12", cut)).rejects.toThrow(/has no \w+; it may be cut off/);
  });

  test("a file of which half is checked by slub_debug is refused", async () => {
    const half = changed(/^kmalloc-1k /, / red_zone=1/, " red_zone=0");
    await expect(replay(fixture("7.2-slub_debug"), "7.2.12", half)).rejects.toThrow(/42 of 43/);
  });
});
