import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { oneIn } from "../base/size.testkit.ts";
import { linesOf } from "../cli/input/transcript.ts";
import { pagePoolReplayer } from "./page_pool.ts";
import type { TranscriptInput } from "./replayer.ts";

const root = join(import.meta.dirname, "../..");
const fixtures = join(root, "fixtures/page_pool");
const captures = join(root, "../shared/captures");

/** Where recordings of each kernel lie: in the clone, and beside it. The headers name the kernel. */
const recorded = [
  { kernel: "5.10.223", own: join(fixtures, "5.10"), beside: join(captures, "5.10/page_pool") },
  { kernel: "6.1.192", own: fixtures, beside: join(captures, "page_pool") },
  { kernel: "6.12.117", own: join(fixtures, "6.12"), beside: join(captures, "6.12/page_pool") },
  { kernel: "7.2.12", own: join(fixtures, "7.2"), beside: join(captures, "7.2/page_pool") },
] as const;

const open = async (path: string): Promise<TranscriptInput> => ({ path, lines: await linesOf(path) });
const transcripts = (folder: string): string[] =>
  (existsSync(folder) ? readdirSync(folder) : []).filter((f) => /\.ndjson\.[gx]z$/.test(f)).map((f) => join(folder, f));

describe.each(recorded)("$kernel, recorded operation by operation", ({ own, beside }) => {
  test.each([...transcripts(own), ...oneIn(6, transcripts(beside))])(
    "%s agrees in every counter and every page",
    async (path) => {
      const { operations, exact, firstDifference } = pagePoolReplayer.replay(await open(path));
      expect(firstDifference).toBeUndefined();
      expect(exact).toBe(operations);
    },
  );
});

describe("canaries: a difference is found where it is", async () => {
  const input = await open(join(fixtures, "mixed_s2.ndjson.gz"));
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

  test("the last digit of a count of users that no double holds", async () => {
    const wide = await open(join(fixtures, "7.2/frag_skb_s48.ndjson.xz"));
    const line = wide.lines.findIndex((text) => /"frag_count":4611686018427387903/.test(text)) + 1;
    const lines = wide.lines.map((text, i) =>
      i === line - 1 ? text.replace('"frag_count":4611686018427387903', '"frag_count":4611686018427387902') : text,
    );
    expect(pagePoolReplayer.replay({ ...wide, lines }).firstDifference).toMatchObject({
      line,
      kernel: "frag_count=4611686018427387902",
      model: "frag_count=4611686018427387903",
    });
  });

  test("a page that left the pool, and another that is said to", async () => {
    const listed = await open(join(fixtures, "6.12/napi_frag_s30.ndjson.xz"));
    const line = listed.lines.findIndex((text) => /"released_pfns":\[\d+\]/.test(text)) + 1;
    const lines = listed.lines.map((text, i) =>
      i === line - 1 ? text.replace(/"released_pfns":\[\d+\]/, '"released_pfns":[1]') : text,
    );
    expect(pagePoolReplayer.replay({ ...listed, lines }).firstDifference).toMatchObject({
      line,
      kernel: "released_pfns=1",
    });
  });

  test("a line cut off is the input's fault, with its place", () => {
    const cut = { path: "x", lines: [...input.lines.slice(0, 5), '{"i":4,"op"'] };
    expect(() => pagePoolReplayer.replay(cut)).toThrow(/not JSON/);
  });
});
