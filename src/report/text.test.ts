import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Document } from "./document.ts";
import { renderText, toAscii } from "./text.ts";

const table = (rows: readonly (readonly string[])[]): Document => [
  {
    kind: "table",
    columns: ["what", "why", "n"].map((title, i) => ({ title, align: i === 2 ? "right" : "left" })),
    rows,
  },
];
const rendered = (rows: readonly (readonly string[])[], width: number): string[] =>
  renderText(table(rows), { colour: false, width }).trimEnd().split("\n");

describe("tables", () => {
  const word = fc.string({ unit: fc.constantFrom(..."abcdefghij_"), minLength: 1, maxLength: 30 });
  const words = fc.array(word, { minLength: 1, maxLength: 8 }).map((w) => w.join(" "));
  test("fit into 40 columns and more, and lose no letter", () => {
    const seed = 2026;
    fc.assert(
      fc.property(
        fc.array(fc.tuple(words, words, fc.nat(99999).map(String)), { minLength: 1, maxLength: 4 }),
        fc.integer({ min: 40, max: 120 }),
        (rows, width) => {
          const lines = rendered(rows, width);
          const letters = (text: string): string => [...text.replace(/[^a-j_0-9]/g, "")].sort().join("");
          const body = lines.slice(2).join("\n");
          return lines.every((l) => l.length <= width) && letters(body) === letters(rows.flat().join(""));
        },
      ),
      { seed, numRuns: 200 },
    );
  });
  test("that fit are drawn on one line a row, as wide as their words", () => {
    expect(rendered([["a", "b", "1"]], 40)).toEqual(["what  why  n", "----  ---  -", "a     b    1"]);
  });
});

test("ASCII: what has a likeness gets it, what has none becomes a question mark", () => {
  expect(toAscii("3 × 4 KiB … → 12 ≥ 10 █ 😀")).toBe("3 x 4 KiB ... -> 12 >= 10 # ?");
});

test("a heading is broken at words; quoted lines stay whole, under their input's name where it would push them out", () => {
  const quote: Document = [
    { kind: "heading", level: 2, text: "a heading that is longer than the terminal is wide" },
    {
      kind: "quote",
      lines: [
        { input: "some/where/kern.log", line: 9, text: "swapper: page allocation failure" },
        { input: "some/where/kern.log", line: 10, text: "Call Trace:" },
      ],
    },
  ];
  const at = (width: number): string => renderText(quote, { colour: false, width });
  expect(at(40)).toBe(
    "a heading that is longer than the\nterminal is wide\n\n    some/where/kern.log:\n    9   swapper: page allocation failure\n    10  Call Trace:\n",
  );
  expect(at(80)).toContain(
    "    some/where/kern.log:9   swapper: page allocation failure\n    some/where/kern.log:10  Call",
  );
});

test("titles of numbers are broken at words before a table is given up", () => {
  const many: Document = [
    {
      kind: "table",
      columns: ["rx packets", "slow high order", "ring full"].map((title) => ({ title, align: "right" })),
      rows: [["1,009", "0", "1,747"]],
    },
  ];
  expect(renderText(many, { colour: false, width: 24 }).trimEnd().split("\n")).toEqual([
    "     rx    slow     ring",
    "packets    high     full",
    "          order",
    "-------  ------  -------",
    "  1,009       0    1,747",
  ]);
});

test("a table whose numbers alone are wider than the terminal is drawn row below row, and long names stand above their values", () => {
  const wide: Document = [
    {
      kind: "table",
      columns: [
        { title: "pages", align: "right" },
        { title: "memory", align: "right" },
        { title: "blocks of order 9", align: "right" },
        { title: "uninterruptible", align: "right" },
        { title: "owner", align: "left" },
      ],
      rows: [
        ["1,561", "6.10 MiB", "972", "0", "page cache"],
        ["12", "48 KiB", "12", "3", "a driver with a long name of several words"],
      ],
    },
    { kind: "facts", rows: [["where its structure is declared", "include/linux/page-flags.h, 2.6.29"]] },
  ];
  expect(renderText(wide, { colour: false, width: 40 })).toBe(`pages              1,561
memory             6.10 MiB
blocks of order 9  972
uninterruptible    0
owner              page cache

pages              12
memory             48 KiB
blocks of order 9  12
uninterruptible    3
owner              a driver with a long
                   name of several words

where its structure is declared
    include/linux/page-flags.h, 2.6.29
`);
});

describe("bars", () => {
  const bars: Document = [
    {
      kind: "bars",
      title: "At MTU 9000 every buffer is a block of order 2, and those requests fail in the log.",
      unit: "",
      bars: [
        { label: "printed failures of order 2", value: 567, range: [536, 595] },
        { label: "none", value: 0 },
      ],
    },
  ];
  test.each([40, 60, 80, 200])("fit into %i columns with their title and their numbers", (width) => {
    const lines = renderText(bars, { colour: false, width }).trimEnd().split("\n");
    expect(lines.filter((l) => l.length > width)).toEqual([]);
    expect(lines.join(" ").replace(/\s+/g, " ")).toContain("(536 to 595)");
    expect(lines.some((l) => /█{10}/.test(l))).toBe(true);
  });
  test("and the small ones of a series keep their height in ASCII", () => {
    expect(toAscii("▁▂▃▄▅▆▇█")).toBe("_.-=+*%#");
  });
});
