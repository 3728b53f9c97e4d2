// Recordings of Linux 6.1.192 replayed step by step. Three stand in fixtures/buddy; more are tried where ../shared/captures exists.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { BadInput } from "../base/bad_input.ts";
import type { TranscriptInput } from "./replayer.ts";
import { replayTranscript } from "./verify.ts";

const root = join(import.meta.dirname, "..", "..");
const fixtures = join(root, "fixtures", "buddy");

function load(path: string): TranscriptInput {
  const lines = gunzipSync(readFileSync(path)).toString("utf8").split("\n");
  if (lines.at(-1) === "") lines.pop();
  return { path, lines };
}

const atomic = (): TranscriptInput => load(join(fixtures, "buddy64-126_atomic_s91.ndjson.gz"));

/** The transcript with one line changed by a function. */
function changed(input: TranscriptInput, index: number, change: (line: string) => string): TranscriptInput {
  const before = input.lines[index] as string;
  const after = change(before);
  expect(after).not.toBe(before);
  return { path: input.path, lines: input.lines.with(index, after) };
}

function refusal(input: TranscriptInput): BadInput {
  try {
    replayTranscript(input);
  } catch (error) {
    if (error instanceof BadInput) return error;
    throw error;
  }
  throw new Error("the transcript was accepted");
}

describe("the allocator hands out the pages that a real 6.1.192 handed out", () => {
  test.each(readdirSync(fixtures))("%s: every operation exact", (name) => {
    const result = replayTranscript(load(join(fixtures, name)));
    expect(result.firstDifference).toBeUndefined();
    expect(result.kind).toBe("buddy");
    expect(result.operations).toBeGreaterThan(1000);
    expect(result.exact).toBe(result.operations);
  });

  const shared = join(root, "..", "shared", "captures", "buddy");
  const sample = ["buddy64/123_fillhole_s84", "buddybig2g/311_big_high_s12", "buddyup/304_big_pcp_s5"];
  test.runIf(existsSync(shared)).each(sample)("capture %s: every operation exact", (name) => {
    const result = replayTranscript(load(join(shared, `${name}.ndjson.gz`)));
    expect(result.firstDifference).toBeUndefined();
    expect(result.exact).toBe(result.operations);
  });
});

describe("the comparison bites", () => {
  const firstStep = (input: TranscriptInput, start: string): number =>
    input.lines.findIndex((line) => line.startsWith(start) && !line.includes('"pfn":null'));

  test("another pfn is a difference at that line, with both sides' events", () => {
    const input = atomic();
    const at = firstStep(input, '{"t":"a"');
    const result = replayTranscript(
      changed(input, at, (l) => l.replace(/"pfn":(\d+)/, (_, n) => `"pfn":${Number(n) + 1}`)),
    );
    expect(result.firstDifference?.line).toBe(at + 1);
    expect(result.firstDifference?.reasons.join("\n")).toContain("model's events: ");
    expect(result.exact).toBeLessThan(result.operations);
  });

  test("a counter, an event, and the final state are compared too", () => {
    const input = atomic();
    const counter = changed(input, firstStep(input, '{"t":"f"'), (l) =>
      l.replace(/"s":\[(\d+)/, (_, n) => `"s":[${Number(n) + 1}`),
    );
    expect(replayTranscript(counter).firstDifference).toBeDefined();
    const withEvent = input.lines.findIndex((l) => l.includes('["Z"'));
    const event = changed(input, withEvent, (l) => l.replace('["Z",', '["D",'));
    expect(replayTranscript(event).firstDifference?.line).toBe(withEvent + 1);
    const last = input.lines.length - 2;
    const final = changed(input, last, (l) =>
      l.replace(/"watermark_boost":(\d+)/, (_, n) => `"watermark_boost":${Number(n) + 1}`),
    );
    expect(replayTranscript(final).firstDifference?.operation).toContain("watermark_boost");
  });
});

describe("an unusable transcript is refused with file and line", () => {
  test("cut off between lines", () => {
    const input = atomic();
    expect(refusal({ path: input.path, lines: input.lines.slice(0, 100) }).message).toMatch(/no end line/);
  });

  test("cut off inside a line", () => {
    const input = atomic();
    const lines = [...input.lines.slice(0, 100), (input.lines[100] as string).slice(0, 20)];
    expect(refusal({ path: input.path, lines }).place?.line).toBe(101);
  });

  test("another format version", () => {
    expect(refusal(changed(atomic(), 0, (l) => l.replace("ora_buddy/1", "ora_buddy/9"))).message).toMatch(
      /ora_buddy\/9/,
    );
  });

  test("blocks that overlap, lie outside the zone, or are miscounted", () => {
    const block = /"0\/0":\[(\d+)/;
    const input = atomic();
    const zone = input.lines.findIndex((l) => l.startsWith('{"t":"zone"') && block.test(l));
    const outside = refusal(changed(input, zone, (l) => l.replace(block, '"0/0":[999999')));
    expect(outside.message).toMatch(/outside zone/);
    expect(outside.place?.line).toBe(zone + 1);
    const overlap = refusal(changed(input, zone, (l) => l.replace(/"0\/0":\[(\d+),(\d+)/, '"0/0":[$1,$1')));
    expect(overlap.message).toMatch(/overlaps/);
    expect(refusal(changed(input, zone, (l) => l.replace(block, '"0/0":[$1,4096'))).message).toMatch(
      /overlaps|nr_free/,
    );
  });

  test("pageblocks that do not cover the zone", () => {
    const input = atomic();
    const zone = input.lines.findIndex((l) => l.startsWith('{"t":"zone"'));
    expect(
      refusal(changed(input, zone, (l) => l.replace('"pageblock_flags":[', '"pageblock_flags":[0,'))).message,
    ).toMatch(/pageblocks/);
  });

  test("a free of something nobody holds", () => {
    const input = atomic();
    const at = input.lines.findIndex((l) => l.startsWith('{"t":"f"'));
    expect(refusal(changed(input, at, (l) => l.replace(/"id":\d+/, '"id":99999'))).message).toMatch(/nobody holds/);
  });
});
