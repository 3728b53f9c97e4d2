import { expect, test } from "vitest";
import { factAt } from "../release.ts";
import { dmaAddressPlace, fragReference, poolDifferences, skbReturn, slowPathPages } from "./page_pool.ts";

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

test("an skb's page finds home since 5.14, into the cache since 6.4; its second references are mirrored since 6.10", () => {
  expect(factAt(skbReturn, [5, 10])?.value).toBe("not at all");
  expect(factAt(skbReturn, [6, 1])?.value).toBe("pp_recycle bit, by the ring");
  expect(factAt(fragReference, [6, 9])?.value).toBe("page_reference");
  expect(factAt(fragReference, [6, 10])?.value).toBe("mirrored");
});

test("the slow path goes in bulk since 5.13", () => {
  expect([factAt(slowPathPages, [5, 12])?.value, factAt(slowPathPages, [5, 13])?.value]).toEqual([1, 64]);
});

test("two releases differ where a table has an entry between them", () => {
  expect(poolDifferences([6, 1], [6, 1])).toEqual([]);
  expect(poolDifferences([6, 1], [6, 8]).map((d) => d.what)).toEqual(
    expect.arrayContaining(["DMA address in struct page", "return from an skb", "pool users of a page", "statistics"]),
  );
});
