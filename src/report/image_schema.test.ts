// The published schema of `skblab image --format json` is what the program answers, on images of real kernels.
import { expect, test } from "vitest";
import { oracleImage, whyNoOracle } from "../image/image.testkit.ts";
import { readImage } from "../image/image.ts";
import { joinLog } from "../image/joined.ts";
import { tinyKernel, tinyMemory } from "../image/tiny.testkit.ts";
import { imageJson } from "./image.ts";
import { imageJsonSchema, imageSchema } from "./image_schema.ts";

test("the published JSON Schema is the one that the program's schema prints (vitest -u writes it anew)", async () => {
  await expect(imageJsonSchema()).toMatchFileSnapshot("../../schemas/image.schema.json");
});

const answerOf = (image: ReturnType<typeof readImage>): unknown =>
  JSON.parse(JSON.stringify({ ...imageJson(image), logJoined: joinLog(image), diagnosis: null }));

test("the answer about a made-up kernel validates", () => {
  const answer = answerOf(readImage(tinyMemory(tinyKernel(3))));
  expect(imageSchema.parse(answer)).toEqual(answer);
});

test.skipIf(whyNoOracle() !== undefined)("the answer about a real kernel validates", () => {
  const answer = answerOf(oracleImage("7.2-elf"));
  expect(imageSchema.parse(answer)).toEqual(answer);
});

test("canary: the schema bites", () => {
  const answer = answerOf(readImage(tinyMemory(tinyKernel(3)))) as Record<string, unknown>;
  expect(() => imageSchema.parse({ ...answer, more: 1 })).toThrow();
  expect(() => imageSchema.parse({ ...answer, structPages: { read: -1, notInImage: 0 } })).toThrow();
});
