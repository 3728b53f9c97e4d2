import { expect, test } from "vitest";
import { factAt } from "../release.ts";
import { dmaAddressPlace, slowPathPages } from "./page_pool.ts";

test("4.18 keeps the DMA address in page->private, 5.1 in a field, 6.1 in two words, 6.7 as a page number", () => {
  const at = (...v: number[]): string | undefined => factAt(dmaAddressPlace, v)?.value;
  expect([at(4, 17), at(4, 18), at(5, 1), at(6, 1, 192), at(6, 12)]).toEqual([
    undefined,
    "private",
    "field",
    "two words",
    "page number",
  ]);
});

test("the slow path goes in bulk since 5.13", () => {
  expect([factAt(slowPathPages, [5, 12])?.value, factAt(slowPathPages, [5, 13])?.value]).toEqual([1, 64]);
});
