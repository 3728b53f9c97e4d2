// skblab image, from its arguments to its answer, on a made-up kernel and on one of the real images where they are there.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, describe, expect, test } from "vitest";
import { BadInput } from "../../base/bad_input.ts";
import { elfCore, kdumpFile } from "../../image/container/container.testkit.ts";
import { oracleBytes, whyNoOracle } from "../../image/image.testkit.ts";
import { tinyFrames, tinyKernel } from "../../image/tiny.testkit.ts";
import { notInCoarseMap } from "../../report/image.ts";
import type { CommandSpec } from "../command.ts";
import { answerCoarse } from "../image/coarse.ts";
import { runCommand } from "./command.testkit.ts";
import { command as diagnose } from "./diagnose.ts";
import { command } from "./image.ts";

const folder = mkdtempSync(join(tmpdir(), "skblab-image-"));
afterAll(() => rmSync(folder, { recursive: true }));
const tiny = tinyKernel(4);
const pages = new Map(
  Array.from({ length: tinyFrames }, (_, pfn) => [pfn, tiny.bytes.subarray(pfn * 4096, (pfn + 1) * 4096)] as const),
);
const write = (name: string, bytes: Uint8Array): string => {
  const file = join(folder, name);
  writeFileSync(file, bytes);
  return file;
};

describe("skblab image", () => {
  test("answers in text, data and records, and says what the image does not show", async () => {
    const file = write("tiny.elf", elfCore(pages, { note: tiny.vmcoreinfo }));
    const records = join(folder, "out.ndjson");
    const ran = await runCommand(command, [file, "--records", records]);
    expect(ran.exit).toBe(0);
    expect(ran.text).toMatch(/9\.9\.9-tiny/);
    expect(ran.text).toMatch(/No finding/);
    expect(ran.text).toMatch(/What the image does not show/);
    expect(ran.json).toMatchObject({
      schema: "skblab.image/1",
      structPages: { read: tinyFrames, notInImage: 0 },
      findings: [],
    });
    const lines = readFileSync(records, "utf8")
      .trim()
      .split("\n")
      .map((l) => JSON.parse(l) as { t: string });
    expect(new Set(lines.map((l) => l.t))).toEqual(new Set(["meta", "zone", "free", "pcp", "pg", "cache", "end"]));
    expect(lines.at(-1)).toEqual({ t: "end" });
  });

  test("diagnose takes it for what it is, in every container", async () => {
    for (const [name, bytes] of [
      ["d.elf", elfCore(pages, { note: tiny.vmcoreinfo })],
      ["d.kdump", kdumpFile(pages, { method: "zlib", endPfn: tinyFrames, note: tiny.vmcoreinfo })],
    ] as const)
      expect((await runCommand(diagnose, [write(name, bytes)])).json).toMatchObject({ schema: "skblab.image/1" });
  });

  test("a packed image and the parts of a split one read the same", async () => {
    const whole = await runCommand(command, [
      write("tiny.elf.gz", gzipSync(elfCore(pages, { note: tiny.vmcoreinfo }))),
    ]);
    const part = (name: string, from: number, to: number): string =>
      write(name, kdumpFile(pages, { method: "zlib", endPfn: tinyFrames, note: tiny.vmcoreinfo, part: [from, to] }));
    const split = await runCommand(command, [part("a", 300, tinyFrames), part("b", 0, 300)]);
    const same = (json: unknown): unknown => ({ ...(json as Record<string, unknown>), file: "", container: "" });
    expect(same(split.json)).toEqual(same(whole.json));
  });

  test("a running machine without /proc/kcore: what kpageflags, kpagecount and kpagecgroup say, and what they do not", async () => {
    const [lru, slab, buddy] = [1n << 5n, 1n << 7n, 1n << 10n];
    const flags = [...Array<bigint>(512).fill(buddy), ...Array<bigint>(500).fill(lru), ...Array<bigint>(12).fill(slab)];
    const words = (name: string, of: readonly bigint[]): void =>
      void write(name, new Uint8Array(new BigUint64Array(of).buffer));
    words("kpageflags", flags);
    words(
      "kpagecount",
      flags.map((f) => (f === lru ? 1n : 0n)),
    );
    words(
      "kpagecgroup",
      flags.map((f, i) => (f === lru ? (i < 600 ? 35n : 1n) : 0n)),
    );
    const coarse: CommandSpec = {
      name: "image",
      examples: [],
      configure: (cmd, io) => void cmd.action(() => answerCoarse(io, folder)),
    };
    const { text, json, exit } = await runCommand(coarse, []);
    expect(exit).toBe(0);
    expect(json).toMatchObject({
      schema: "skblab.image-kpage/2",
      cgroups: [
        { inode: 1, pages: 412 },
        { inode: 35, pages: 88 },
      ],
      missing: notInCoarseMap,
    });
    expect(text).toMatch(/^free +512 /m);
    expect(text).toMatch(/^slab +12 /m);
    expect(text).toMatch(/^free as one block +1 /m);
    expect(text).toMatch(/^9 to 64 pages that stay +1 /m);
    expect(text).toMatch(/What it does not show[\s\S]*anything about integrity/);
  });

  test("a broken list is a finding and exit 1", async () => {
    const [key, list] = [...tiny.truth.lists].find(([, pfns]) => pfns.length > 1) ?? ["", []];
    const copy = tiny.bytes.slice();
    const wrong = new Map(pages);
    // The first block's refcount becomes 7: found by its frame.
    const at = refcountOf(list[0] as number);
    new DataView(copy.buffer).setInt32(at, 7, true);
    wrong.set(Math.floor(at / 4096), copy.subarray(Math.floor(at / 4096) * 4096, (Math.floor(at / 4096) + 1) * 4096));
    const ran = await runCommand(command, [write("broken.elf", elfCore(wrong, { note: tiny.vmcoreinfo }))]);
    expect(ran.exit, key).toBe(1);
    expect(ran.text).toMatch(new RegExp(`pfn ${list[0]} on a free list .* has refcount 7`));
  });

  test.each([
    [["nowhere"], /no such file/],
    [[], /Which image/],
    [["--live", "x"], /Leave the file out/],
  ] as const)("%j is one clear sentence", async (args, sentence) => {
    await expect(runCommand(command, args)).rejects.toThrow(BadInput);
    await runCommand(command, args).catch((e: unknown) => expect((e as BadInput).sentence()).toMatch(sentence));
  });

  test("what is no image is refused by name", async () => {
    const file = write("text", new TextEncoder().encode("hello ".repeat(100)));
    await runCommand(command, [file]).catch((e: unknown) => {
      expect(e).toBeInstanceOf(BadInput);
      expect((e as BadInput).sentence()).toMatch(/not a memory image.*makedumpfile/);
    });
    expect.assertions(2);
  });
});

/** Physical place of a frame's refcount. */
function refcountOf(pfn: number): number {
  return tiny.truth.mapAt + pfn * 144 + tiny.truth.layouts.off("page", "_refcount");
}

const why = whyNoOracle();
if (why !== undefined) console.warn(`SKIPPED: skblab image on a real image: ${why}`);

describe.skipIf(why !== undefined)("a real image", () => {
  test("names the process, descriptor and queue that hold packets, and explains a stalled pool", async () => {
    const file = write("7.2.elf", oracleBytes("7.2-elf"));
    const ran = await runCommand(command, [file, "--prove"]);
    expect(ran.exit).toBe(0);
    expect(ran.text).toMatch(/33 pages keep the destroyed pool ffff8c7682b22000 alive/);
    expect(ran.text).toMatch(/8 pages: holder\[350\] fd 4, UDP 127\.0\.0\.1:5001, receive queue/);
    // Fragments of one page: packets hold some of them, and some are lost.
    expect(ran.text).toMatch(
      /Of pool ffff8c7682b24000, 8 pages lie neither[\s\S]{0,400}Of 4 pages only some fragments/,
    );
    expect(ran.text).toMatch(/Would it be granted\?/);
    expect(ran.text).toMatch(/471 records/);
  });
});
