// Poison of freed objects: the first byte that was written since.
import { expect, test } from "vitest";
import { firstWritten, isPoisoned } from "./poison.ts";

test("a poisoned object is whole, or told at the first byte that is other", () => {
  const object = new Uint8Array(200).fill(0x6b);
  object[199] = 0xa5;
  expect(firstWritten(object)).toBeUndefined();
  object[120] = 0;
  object[130] = 1;
  expect(firstWritten(object)).toBe(120);
  object[120] = object[130] = 0x6b;
  object[199] = 0x6b;
  expect(firstWritten(object)).toBe(199);
});

test("the highest bit of 32 is read like the others", () => {
  expect([0x80000000, 0x80000800 | 0, 0x800, 0x7fffffff].map((f) => isPoisoned(f, 0x80000000))).toEqual([
    true,
    true,
    false,
    false,
  ]);
});
