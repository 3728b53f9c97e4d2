import { expect, test } from "vitest";
import { grouped } from "./grouped.ts";

test("thousands stand apart as the engine's English puts them, below zero and beyond what is exact as well", () => {
  const numbers = [0, -0, 1, 12, 999, 1000, 12345, 100_000, 1_000_000, 2 ** 53 - 1, 2 ** 60, 1e21, 0.5, 1234.5, 1e-9];
  for (const n of [...numbers, ...numbers.map((n) => -n), Number.NaN, Number.POSITIVE_INFINITY])
    expect(grouped(n)).toBe(n.toLocaleString("en-US"));
});
