import { expect, test } from "vitest";
import { BadInput } from "../base/bad_input.ts";
import { atLeast, factAt, formatRelease, namedRelease, parseRelease } from "./release.ts";

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

test("the architecture is read from what uname -r prints", () => {
  expect(formatRelease(parseRelease("5.14.0-362.el9.aarch64"))).toBe("5.14.0-arm64");
  expect(formatRelease(parseRelease("5.14.0-362.el9.x86_64"))).toBe("5.14.0-x86_64");
  expect(formatRelease(parseRelease("4.18.0-80.ppc64le"))).toBe("4.18.0-ppc64");
});

test("a release that a person names exists, on both sides of each end", () => {
  for (const there of ["2.4.37", "2.6.39", "3.19", "4.20", "5.19", "6.19", "7.0", "7.3"])
    expect(namedRelease(there).arch).toBe("x86_64");
  for (const not of ["2.5.1", "2.6.40", "3.20", "4.21", "5.20", "6.20", "9.99", "1.0"])
    expect(() => namedRelease(not)).toThrow(/There is no Linux [\d.]+\./);
});
