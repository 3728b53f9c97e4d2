import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { BadInput } from "../base/bad_input.ts";
import { oneIn } from "../base/size.testkit.ts";
import { linesOf } from "../cli/input/transcript.ts";
import type { TranscriptInput } from "./replayer.ts";
import { flushOrders, slubReplayer } from "./slub.ts";

const root = join(import.meta.dirname, "../..");

const transcripts = (folder: string, start = ""): string[] =>
  existsSync(join(root, folder))
    ? (readdirSync(join(root, folder), { recursive: true }) as string[])
        .filter((f) => f.startsWith(start) && f.includes(".ndjson."))
        .sort()
        .map((f) => join(root, folder, f))
    : [];
const open = async (path: string): Promise<TranscriptInput> => ({ path, lines: await linesOf(path) });

const captures = "../shared/captures";
describe.each([
  ["5.10.223", "5.10_", `${captures}/5.10/slub`],
  ["6.1.192", "objects", `${captures}/slub`],
  ["6.12.117", "6.12_", `${captures}/6.12/slub`],
  // With frees of many at once, which no recording of 6.12.117 has.
  ["6.12.118", "6.12.118_", `${captures}/6.12.118/slub`],
  ["7.2.12", "7.2_", `${captures}/7.2/slub`],
])("%s, recorded operation by operation", (_kernel, start, folder) => {
  test.each([...transcripts("fixtures/slub", start), ...oneIn(6, transcripts(folder))])(
    "%s agrees in every list",
    async (path) => {
      const { operations, exact, firstDifference } = slubReplayer.replay(await open(path));
      expect(firstDifference).toBeUndefined();
      expect(operations).toBeGreaterThan(100);
      expect(exact).toBe(operations);
    },
  );
});

test("5.10.262 frees many at once as the rules of 5.10 say: what is taken is marked, not swapped", async () => {
  const [path = ""] = transcripts("fixtures/slub", "5.10.262_");
  const input = await open(path);
  const { operations, exact } = slubReplayer.replay({ ...input, as: "5.10.223" });
  expect(operations).toBe(1500);
  expect(exact).toBe(operations);
  // 6.12's rules part from it: objects of other slabs change places in the array.
  expect(slubReplayer.replay({ ...input, as: "6.12.117" }).exact).toBeLessThan(operations);
});

describe("canaries: the comparison bites", () => {
  const first = (start: string): string => transcripts("fixtures/slub", start)[0] as string;
  const path = first("objects");
  test("one slab more in the record is found at its line", async () => {
    const input = await open(path);
    const lines = [...input.lines];
    lines[40] = (lines[40] as string).replace(/"nr_slabs":(\d+)/, (_, n) => `"nr_slabs":${Number(n) + 1}`);
    const { firstDifference, exact, operations } = slubReplayer.replay({ path, lines });
    expect(firstDifference?.line).toBe(41);
    expect(firstDifference?.reasons[0]).toContain("nr_slabs");
    expect(exact).toBe(operations - 1);
  });

  test("a swapped pair of frees is found", async () => {
    const input = await open(path);
    const lines = [...input.lines];
    const frees = lines.flatMap((l, i) => (l.includes('"op":"free"') ? [i] : [])).slice(20, 22) as [number, number];
    [lines[frees[0]], lines[frees[1]]] = [lines[frees[1]] as string, lines[frees[0]] as string];
    expect(slubReplayer.replay({ path, lines }).firstDifference?.line).toBe(frees[0] + 1);
  });

  test("a slab that begins inside another is found, and the replay ends", async () => {
    const path = first("7.2_objects_sz1024");
    const { lines } = await open(path);
    const changed = (lines[1] as string).replace(/"objs":\[\[(\d+)/, (_, pfn) => `"objs":[[${Number(pfn) + 1}`);
    expect(changed).not.toBe(lines[1]);
    expect(slubReplayer.replay({ path, lines: lines.with(1, changed) }).firstDifference?.line).toBe(2);
  });

  test("two objects changing places in a recorded sheaf are found at their line", async () => {
    const { lines } = await open(first("7.2_objects_sz1024"));
    const at = lines.findIndex((l, i) => i > 60 && /"objs":\[\[\d+,\d+\],\[\d+,\d+\]/.test(l));
    const changed = [...lines];
    changed[at] = (lines[at] as string).replace(/"objs":\[(\[\d+,\d+\]),(\[\d+,\d+\])/, '"objs":[$2,$1');
    const found = slubReplayer.replay({ path, lines: changed }).firstDifference;
    expect(found?.line).toBe(at + 1);
    expect(found?.reasons[0]).toMatch(/cpu\d (main|spare)|barn/);
  });

  test.each([
    ["5.10_objects_sz1024", "6.1.192"],
    ["6.12_objects_sz1024", "6.1.192"],
    ["objects_sz2048", "6.12.117"],
    ["objects_sz2048", "5.10.223"],
  ])("%s does not agree with the rules of %s", async (start, release) => {
    const { lines } = await open(first(start));
    const header = (lines[0] as string).replace(/"release":"[^"]*"/, `"release":"${release}"`);
    const { firstDifference } = slubReplayer.replay({ path, lines: [header, ...lines.slice(1)] });
    expect(firstDifference).toBeDefined();
  });

  test("a transcript with sheaves of a kernel without them is refused", async () => {
    const { lines } = await open(first("7.2_objects_sz1024"));
    const header = (lines[0] as string).replace("7.2.12+deb14-amd64", "6.12.117");
    expect(() => slubReplayer.replay({ path, lines: [header, ...lines.slice(1)] })).toThrow(/no sheaves/);
  });

  test("a sheaf whose objects no line names is bad input", async () => {
    const { lines } = await open(first("7.2_objects_sz1024"));
    const changed = (lines[1] as string).replace(/"objs":\[\[[^"]*\]\]/, '"objs":[]');
    expect(() => slubReplayer.replay({ path, lines: [lines[0] as string, changed] })).toThrow(/the lines up to here/);
  });

  test("a cut-off line is bad input with its place", async () => {
    const { lines } = await open(path);
    expect(() => slubReplayer.replay({ path: "x", lines: [...lines.slice(0, 5), '{"i":4,"op":"al'] })).toThrow(
      BadInput,
    );
    expect(() => slubReplayer.replay({ path: "x", lines: ['{"t":"cache"}'] })).toThrow(/object_size/);
  });
});

test("two CPUs can do their two steps in six orders, three in ninety", () => {
  expect([...flushOrders([2, 2])].map((o) => o.join(""))).toEqual(["0011", "0101", "0110", "1001", "1010", "1100"]);
  expect([...flushOrders([2, 2, 2])]).toHaveLength(90);
});
