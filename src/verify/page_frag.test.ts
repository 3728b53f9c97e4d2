import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { linesOf } from "../cli/input/transcript.ts";
import { pageFragReplayer } from "./page_frag.ts";
import type { TranscriptInput } from "./replayer.ts";

const root = join(import.meta.dirname, "../..");
const captures = "../shared/captures";

const transcripts = (folder: string): string[] =>
  existsSync(join(root, folder))
    ? readdirSync(join(root, folder))
        .filter((n) => /^page_frag.*\.ndjson\./.test(n))
        .map((n) => join(root, folder, n))
    : [];

const open = async (path: string, kernel?: string): Promise<TranscriptInput> => ({
  path,
  lines: await linesOf(path),
  ...(kernel === undefined ? {} : { kernel }),
});

describe.each([
  ["5.10.223", [...transcripts("fixtures/page_frag"), ...transcripts(`${captures}/5.10/skb`)]],
  ["6.1.192", ["fixtures/page_frag", `${captures}/skb`, `${captures}/debian-stock/skb`].flatMap(transcripts)],
  ["6.12.117", [...transcripts("fixtures/page_frag/6.12"), ...transcripts(`${captures}/6.12/skb`)]],
  ["7.2.12", [...transcripts("fixtures/page_frag/7.2"), ...transcripts(`${captures}/7.2/skb`)]],
])("%s, recorded operation by operation", (kernel, paths) => {
  test.each(paths)("%s agrees in every field", async (path) => {
    const { operations, exact, firstDifference } = pageFragReplayer.replay(await open(path, kernel));
    expect(firstDifference).toBeUndefined();
    expect(operations).toBeGreaterThan(1000);
    expect(exact).toBe(operations);
  });
});

describe("the kit of docs/your-kernel.md", () => {
  const text = (path: string): string => readFileSync(join(root, path), "utf8");

  test("its recordings name their kernel themselves, and agree", async () => {
    const [path = ""] = transcripts("fixtures/page_frag/6.12");
    const { operations, firstDifference } = pageFragReplayer.replay(await open(path));
    expect([operations, firstDifference]).toEqual([1500, undefined]);
    const renamed = (await linesOf(path)).map((l, i) => (i === 0 ? l.replaceAll("6.12.117", "6.13.1") : l));
    expect(() => pageFragReplayer.replay({ path, lines: renamed })).toThrow(/6\.13\.1, which the model is not held to/);
  });

  test("its modules are GPL and stay out of the npm package", () => {
    const modules = readdirSync(join(root, "oracle/modules")).filter((n) => n.endsWith(".c"));
    expect(modules.length).toBeGreaterThan(0);
    for (const name of modules) {
      const source = text(`oracle/modules/${name}`);
      expect(source).toMatch(/^\/\/ SPDX-License-Identifier: GPL-2\.0\n/);
      expect(source).toContain('MODULE_LICENSE("GPL")');
      expect(text("oracle/modules/Kbuild")).toContain(name.replace(/c$/, "o"));
    }
    const { files } = JSON.parse(text("package.json")) as { files: readonly string[] };
    expect(files.filter((f) => f.startsWith("oracle"))).toEqual([]);
  });
});

describe("canaries", () => {
  const down = transcripts("fixtures/page_frag")[0] as string;
  const up = transcripts("fixtures/page_frag/7.2")[0] as string;

  test("one reference more in the record is found at its line", async () => {
    const { path, lines } = await open(down);
    const changed = [...lines];
    changed[9] = (changed[9] as string).replace(/"pagecnt_bias":(\d+)/, (_, n) => `"pagecnt_bias":${Number(n) - 1}`);
    expect(pageFragReplayer.replay({ path, lines: changed, kernel: "6.1.192" }).firstDifference?.line).toBe(10);
  });

  test("a kernel that cuts the other way disagrees at the first piece", async () => {
    expect(pageFragReplayer.replay(await open(down, "7.2.12")).firstDifference?.line).toBe(2);
    expect(pageFragReplayer.replay(await open(up, "6.12.117")).firstDifference?.line).toBe(2);
  });

  test("where nobody names the kernel, the first piece shows which way it cuts", async () => {
    for (const path of [down, up]) expect(pageFragReplayer.replay(await open(path)).firstDifference).toBeUndefined();
  });
});
