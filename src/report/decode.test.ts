import { expect, test } from "vitest";
import { BadInput } from "../base/bad_input.ts";
import { parseRelease } from "../kernel/release.ts";
import { answerGfp, answerPageFlags, parseFlagsWord, parseGfp } from "./decode.ts";
import { renderText } from "./text.ts";

const draw = (document: ReturnType<typeof answerGfp>["document"]): string =>
  renderText(document, { colour: false, width: 200 });

test("a mask with a release gives its names; one that the release cannot have made says which kernels could", () => {
  const answer = answerGfp(0x4020, parseRelease("2.6.24"));
  expect(draw(answer.document)).toMatch(/GFP_ATOMIC\|__GFP_COMP/);
  const odd = draw(answerGfp(0x4020, parseRelease("5.15")).document);
  expect(odd).toMatch(/unlikely source/);
  expect(odd).toMatch(/2\.6\.9 to 4\.3/);
});

test("names become a number and come back", () => {
  for (const [release, mask] of [
    ["2.6.24", 0x4020],
    ["4.9", 0x2084020],
    ["4.14", 0x1084020],
    ["4.19", 0x484020],
    ["6.1", 0x40a20],
    ["6.8", 0x40820],
  ] as const) {
    expect(parseGfp("GFP_ATOMIC|__GFP_COMP", parseRelease(release).version)).toBe(mask);
  }
  expect(parseGfp("0×4020", undefined)).toBe(0x4020);
});

test("what is no mask is said in one sentence", () => {
  expect(() => parseGfp("banana", undefined)).toThrow(BadInput);
  expect(() => parseGfp("GFP_ATOMIC", undefined)).toThrow(/depends on the kernel/);
  expect(() => parseGfp("__GFP_COLD", [5, 4])).toThrow(/does not exist in Linux 5\.4/);
  expect(() => parseGfp("0x123456789", undefined)).toThrow(BadInput);
  expect(() => parseFlagsWord("zz")).toThrow(BadInput);
  expect(() => answerGfp(0x20, parseRelease("2.2.20"))).toThrow(/older/);
});

test("with the page frame, the reading head|reclaim of 0x44000 is excluded and tail|buddy stays", () => {
  const text = draw(answerPageFlags(0x44000n, undefined, 0x80db).document);
  expect(text).toMatch(/head\|reclaim .*excluded|head\|reclaim \(2\.6\.30 to 4\.3\) is excluded/);
  expect(text).toMatch(/0x80d8\.\.0x80db/);
  expect(draw(answerPageFlags(0x44000n, parseRelease("2.6.29"), undefined).document)).toMatch(/tail\|buddy/);
});
