import { expect, test } from "vitest";
import { freeRows } from "./free_lists.ts";

test("half the memory free as single pages is of no use to order 1", () => {
  const [row] = freeRows({ kind: "buddyinfo", zones: [{ node: 0, zone: "Normal", free: [8, 0, 2] }] });
  expect(row).toMatchObject({ pages: 16, more: false, usable: [1, 0.5, 0.5] });
});

test("an empty zone divides by nothing", () => {
  const [row] = freeRows({ kind: "buddyinfo", zones: [{ node: 0, zone: "DMA", free: [0, 0] }] });
  expect(row?.usable).toEqual([0, 0]);
});
