import { describe, expect, test } from "vitest";
import { csvOf, recordsOf } from "./table_files.ts";

const table = {
  title: "t",
  columns: ["pages", "", "symbol", "symbol"],
  rows: [
    ["1,234", "███··", 'a "quoted", name', "two\nlines"],
    ["-5.5", "", "=HYPERLINK(1)", "@x"],
    ["1,23", "", "-1+1", "+2"],
  ],
};

describe("tables as files", () => {
  test("CSV: numbers without separators, quotes doubled, and what a spreadsheet would run is text", () => {
    expect(csvOf(table)).toBe(
      [
        "pages,,symbol,symbol",
        '1234,███··,"a ""quoted"", name","two\nlines"',
        "-5.5,,'=HYPERLINK(1),'@x",
        `"1,23",,'-1+1,'+2`,
        "",
      ].join("\r\n"),
    );
  });

  test("JSON: one object a row, numbers as numbers, and columns of one name told apart", () => {
    expect(recordsOf(table)[0]).toEqual({
      pages: 1234,
      "column 2": "███··",
      symbol: 'a "quoted", name',
      "symbol 4": "two\nlines",
    });
    expect(recordsOf(table)[1]).toMatchObject({ pages: -5.5, symbol: "=HYPERLINK(1)" });
  });
});
