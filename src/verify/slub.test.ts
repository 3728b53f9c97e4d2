import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { BadInput } from "../base/bad_input.ts";
import type { TranscriptInput } from "./replayer.ts";
import { flushOrders, slubReplayer } from "./slub.ts";

const root = join(import.meta.dirname, "../..");
const fixtures = join(root, "fixtures/slub");
const captures = join(root, "../shared/captures/slub");

const transcripts = (folder: string): string[] =>
  existsSync(folder)
    ? (readdirSync(folder, { recursive: true }) as string[])
        .filter((f) => f.endsWith(".ndjson.gz"))
        .sort()
        .map((f) => join(folder, f))
    : [];
const open = (path: string): TranscriptInput => ({
  path,
  lines: gunzipSync(readFileSync(path)).toString().split("\n"),
});

describe("6.1.192, recorded operation by operation", () => {
  test.each([...transcripts(fixtures), ...transcripts(captures)])("%s agrees in every list", (path) => {
    const { operations, exact, firstDifference } = slubReplayer.replay(open(path));
    expect(firstDifference).toBeUndefined();
    expect(operations).toBeGreaterThan(100);
    expect(exact).toBe(operations);
  });
});

describe("canaries: the comparison bites", () => {
  const path = transcripts(fixtures)[0] as string;
  test("one object index changed in a recorded list is found at its line", () => {
    const input = open(path);
    const lines = [...input.lines];
    lines[40] = (lines[40] as string).replace(/"nr_slabs":(\d+)/, (_, n) => `"nr_slabs":${Number(n) + 1}`);
    const { firstDifference, exact, operations } = slubReplayer.replay({ path, lines });
    expect(firstDifference?.line).toBe(41);
    expect(firstDifference?.reasons[0]).toContain("nr_slabs");
    expect(exact).toBe(operations - 1);
  });

  test("a swapped pair of frees is found", () => {
    const input = open(path);
    const lines = [...input.lines];
    const frees = lines.flatMap((l, i) => (l.includes('"op":"free"') ? [i] : [])).slice(20, 22) as [number, number];
    [lines[frees[0]], lines[frees[1]]] = [lines[frees[1]] as string, lines[frees[0]] as string];
    expect(slubReplayer.replay({ path, lines }).firstDifference?.line).toBe(frees[0] + 1);
  });

  test("a cut-off line is bad input with its place", () => {
    const { lines } = open(path);
    expect(() => slubReplayer.replay({ path: "x", lines: [...lines.slice(0, 5), '{"i":4,"op":"al'] })).toThrow(
      BadInput,
    );
    expect(() => slubReplayer.replay({ path: "x", lines: ['{"t":"cache"}'] })).toThrow(/object_size/);
  });
});

test("two CPUs can do their two steps in six orders, three in ninety", () => {
  expect([...flushOrders([0, 1])].map((o) => o.join(""))).toEqual(["0011", "0101", "0110", "1001", "1010", "1100"]);
  expect([...flushOrders([0, 1, 2])]).toHaveLength(90);
});
