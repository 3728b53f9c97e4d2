import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { pageFragReplayer } from "./page_frag.ts";
import type { TranscriptInput } from "./replayer.ts";

const root = join(import.meta.dirname, "../..");
const folders = ["fixtures/page_frag", "../shared/captures/skb", "../shared/captures/debian-stock/skb"];
const transcripts = folders
  .map((f) => join(root, f))
  .filter((f) => existsSync(f))
  .flatMap((f) =>
    readdirSync(f)
      .filter((n) => /^page_frag.*\.ndjson\.gz$/.test(n))
      .map((n) => join(f, n)),
  );
const open = (path: string): TranscriptInput => ({
  path,
  lines: gunzipSync(readFileSync(path)).toString().split("\n"),
});

describe("6.1.192, recorded operation by operation", () => {
  test.each(transcripts)("%s agrees in every field", (path) => {
    const { operations, exact, firstDifference } = pageFragReplayer.replay(open(path));
    expect(firstDifference).toBeUndefined();
    expect(operations).toBeGreaterThan(1000);
    expect(exact).toBe(operations);
  });
});

test("canary: one reference more in the record is found at its line", () => {
  const { path, lines } = open(transcripts[0] as string);
  const changed = [...lines];
  changed[9] = (changed[9] as string).replace(/"pagecnt_bias":(\d+)/, (_, n) => `"pagecnt_bias":${Number(n) - 1}`);
  expect(pageFragReplayer.replay({ path, lines: changed }).firstDifference?.line).toBe(10);
});
