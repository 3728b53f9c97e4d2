import { expect, test } from "vitest";
import { isUtf8, widthOf } from "./io.ts";

test("columns: the terminal's up to 120, COLUMNS before it, 80 without either, 40 at least", () => {
  expect([
    widthOf(undefined, undefined),
    widthOf(100, undefined),
    widthOf(300, undefined),
    widthOf(100, "200"),
    widthOf(20, undefined),
    widthOf(100, "x"),
  ]).toEqual([80, 100, 120, 200, 40, 100]);
});

test("ASCII where the locale says so, and only there", () => {
  expect([
    isUtf8({}),
    isUtf8({ LANG: "C" }),
    isUtf8({ LANG: "en_US.UTF-8" }),
    isUtf8({ LC_ALL: "POSIX", LANG: "C.UTF-8" }),
  ]).toEqual([true, false, true, false]);
});
