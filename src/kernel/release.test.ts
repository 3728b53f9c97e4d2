import { expect, test } from "vitest";
import { BadInput } from "../base/bad_input.ts";
import { atLeast, factAt, formatRelease, parseRelease } from "./release.ts";

test("a release is read with its architecture, and distribution suffixes are no architecture", () => {
  expect(formatRelease(parseRelease("2.6.29-ppc32"))).toBe("2.6.29-ppc32");
  expect(formatRelease(parseRelease("6.1.0-56-amd64"))).toBe("6.1.0-x86_64");
  expect(formatRelease(parseRelease("2.6.24-gentoo-r8_64"))).toBe("2.6.24-x86_64");
  expect(() => parseRelease("banana")).toThrow(BadInput);
});

test("a fact holds from its date until the next one", () => {
  const facts = [
    { since: [2, 6], value: 11, source: "" },
    { since: [6, 4], value: 10, source: "" },
  ];
  expect(factAt(facts, [2, 4])).toBeUndefined();
  expect(factAt(facts, [6, 3, 9])?.value).toBe(11);
  expect(factAt(facts, [6, 4])?.value).toBe(10);
  expect(atLeast(parseRelease("4.4"), [4, 4])).toBe(true);
});
