// What page_owner_sort leaves of a dump is read back: every record and page is there, whatever the tool was told to print.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { feed } from "../../artifact/page_owner/scan.ts";
import { BadInput } from "../../base/bad_input.ts";
import { createCensus } from "./census.ts";
import { parseSortToolOptions } from "./sort_options.ts";
import { createSortTool } from "./sort_tool.ts";
import { readSortedText } from "./sorted_text.ts";
import { dumpForm } from "./stack_tables.ts";

const dump = gunzipSync(readFileSync(join(import.meta.dirname, "../../../fixtures/page_owner/6.1-nics128.txt.gz")));

function sorted(args: readonly string[]): string {
  const tool = createSortTool(parseSortToolOptions(args).options);
  feed(tool.scanner, dump);
  return Buffer.concat(Array.from(tool.finish(), (piece) => Buffer.from(piece))).toString("latin1");
}

describe("the tool's output says what the dump says", () => {
  const taker = createCensus();
  feed(taker.scanner, dump);
  const whole = taker.finish();
  test.each([[[]], [["-t"]], [["--cull=stacktrace"]], [["--cull=pid,name"]], [["--cull=stacktrace,allocator"]]])(
    "with %j",
    (args) => {
      const text = sorted(args);
      expect(dumpForm(text.slice(0, 65_536))).toBe("sorted");
      const census = readSortedText(text, "sorted.txt");
      expect({ records: census.records, pages: census.pages }).toEqual({ records: whole.records, pages: whole.pages });
      expect(census.notes).toEqual([]);
    },
  );
  test("whole records keep order and process", () => {
    const orders = (c: typeof whole): Record<number, number> => {
      const sums: Record<number, number> = {};
      for (const r of c.rows) sums[r.order] = (sums[r.order] ?? 0) + r.records;
      return sums;
    };
    const census = readSortedText(sorted([]), "sorted.txt");
    expect(orders(census)).toEqual(orders(whole));
    expect(new Set(census.rows.map((r) => r.comm))).toEqual(new Set(whole.rows.map((r) => r.comm)));
  });
});

test("the first form counts blocks only, and the order gives the pages", () => {
  const record = (order: number, name: string): string =>
    `Page allocated via order ${order}, mask 0x24000c0\nPFN 5 type Unmovable Block 0 type Unmovable Flags 0x0()\n ${name}+0x1/0x2\n\n`;
  const text = `7 times:\n${record(2, "refill")}1 times:\n${record(0, "other")}`;
  const census = readSortedText(text, "sorted.txt");
  expect(census.rows.map((r) => [r.order, r.records, r.pages])).toEqual([
    [2, 7, 28],
    [0, 1, 1],
  ]);
  expect(census.stacks.map((s) => s.frames.map((f) => f.symbol))).toEqual([["refill"], ["other"]]);
});

test("a text without a count is refused", () => {
  expect(() => readSortedText("7 times:\n f+0x1/0x2\n", "x.txt")).toThrow(BadInput);
});
