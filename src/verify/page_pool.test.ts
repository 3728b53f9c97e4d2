import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { pagePoolReplayer } from "./page_pool.ts";
import type { TranscriptInput } from "./replayer.ts";

const root = join(import.meta.dirname, "../..");
const fixtures = join(root, "fixtures/page_pool");
const captures = join(root, "../shared/captures/page_pool");

const open = (path: string): TranscriptInput => ({
  path,
  lines: gunzipSync(readFileSync(path)).toString().split("\n"),
});
const transcripts = (folder: string): string[] =>
  existsSync(folder)
    ? readdirSync(folder)
        .filter((f) => f.endsWith(".ndjson.gz"))
        .map((f) => join(folder, f))
    : [];

describe("6.1.192, recorded operation by operation", () => {
  test.each([...transcripts(fixtures), ...transcripts(captures)])(
    "%s agrees in every counter and every page",
    (path) => {
      const { operations, exact, firstDifference } = pagePoolReplayer.replay(open(path));
      expect(firstDifference).toBeUndefined();
      expect(exact).toBe(operations);
    },
  );
});

describe("canaries: a difference is found where it is", () => {
  const input = open(join(fixtures, "mixed_s2.ndjson.gz"));
  const changed = (line: number, from: RegExp, to: string): TranscriptInput => ({
    path: input.path,
    lines: input.lines.map((text, i) => {
      if (i !== line - 1) return text;
      expect(text).toMatch(from);
      return text.replace(from, to);
    }),
  });

  test("one counter off by one", () => {
    const line = input.lines.findIndex((text) => text.includes('"op":"put_bulk"')) + 1;
    const found = pagePoolReplayer.replay(changed(line, /"ringed":\d+/, '"ringed":999'));
    expect(found.firstDifference).toMatchObject({ line, kernel: "ringed=999" });
    expect(found.exact).toBe(found.operations - 1);
  });

  test("another page than the pool's order allows", () => {
    const line = input.lines.findIndex((text, i) => i > 300 && text.includes('"op":"alloc"')) + 1;
    const found = pagePoolReplayer.replay(changed(line, /"pfn":\d+/, '"pfn":1'));
    expect(found.firstDifference?.line).toBe(line);
  });

  test("a mark that the model does not have", () => {
    const line = input.lines.findIndex((text) => text.includes('"op":"pskb_copy"')) + 1;
    expect(
      pagePoolReplayer.replay(changed(line, /"pp_recycle":\[1,0\]/, '"pp_recycle":[1,1]')).firstDifference,
    ).toMatchObject({
      line,
      model: "pp_recycle of the new skb=0",
    });
  });

  test("a line cut off is the input's fault, with its place", () => {
    const cut = { path: "x", lines: [...input.lines.slice(0, 5), '{"i":4,"op"'] };
    expect(() => pagePoolReplayer.replay(cut)).toThrow(/not JSON/);
  });
});
