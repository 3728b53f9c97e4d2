import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { BadInput } from "../base/bad_input.ts";
import { ifLong, isLong } from "../base/size.testkit.ts";
import { linesOf } from "../cli/input/transcript.ts";
import type { TranscriptInput } from "./replayer.ts";
import { replaySkbFuzz, skbFuzzReplayer } from "./skb_fuzz.ts";
import { createOwnedSkbMachine } from "./skb_machine.ts";
import { skbSegmentReplayer } from "./skb_segments.ts";
import { skbTablesReplayer } from "./skb_tables.ts";

const root = join(import.meta.dirname, "../..");
const fixtures = join(root, "fixtures/skb");
const captures = join(root, "../shared/captures");

/** Where recordings of each kernel lie: in the clone, and beside it. */
const recorded = [
  {
    kernel: "5.10.223",
    folders: [join(fixtures, "5.10"), join(captures, "5.10/skb")],
  },
  {
    kernel: "6.1.192",
    folders: [fixtures, ...["skb", "debian-stock/skb", "dmesg/slubdbg"].map((d) => join(captures, d))],
  },
  {
    kernel: "6.12.117",
    folders: [join(fixtures, "6.12"), join(captures, "6.12/skb"), join(captures, "6.12/dmesg/slubdbg")],
  },
  {
    kernel: "7.2.12",
    folders: [join(fixtures, "7.2"), join(captures, "7.2/skb"), join(captures, "7.2/dmesg/slubdbg")],
  },
] as const;

const open = async (path: string, kernel = "6.1.192"): Promise<TranscriptInput> => ({
  path,
  kernel,
  lines: await linesOf(path),
});
const recordings = (folders: readonly string[], pattern: RegExp): string[] => {
  const within = (some: readonly string[]): string[] =>
    some
      .filter(existsSync)
      .flatMap((folder) => readdirSync(folder).map((f) => join(folder, f)))
      .filter((f) => pattern.test(f));
  return [...within(folders.slice(0, 1)), ...ifLong(within(folders.slice(1)))];
};

describe.each(recorded)("$kernel, recorded operation by operation", ({ kernel, folders }) => {
  const named = (pattern: RegExp): string[] => recordings(folders, pattern);

  test.each(named(/fuzz_.*\.[gx]z$/))("%s: every field of every skb after every operation", async (path) => {
    const { operations, exact, firstDifference } = skbFuzzReplayer.replay(await open(path, kernel));
    expect(firstDifference).toBeUndefined();
    expect(exact).toBe(operations);
    expect(operations).toBeGreaterThan(290);
  });

  // One of the clone's own recordings, in the long run all of them and some beside it: the watched replay is the slow one.
  const watched = named(/fuzz_.*\.[gx]z$/).filter((path, i) => (isLong ? path.startsWith(fixtures) || i < 4 : i === 0));
  test.each(watched)("%s: no reference is lost or given twice on the way", async (path) => {
    const { operations, exact } = replaySkbFuzz(await open(path, kernel), createOwnedSkbMachine);
    expect(exact).toBe(operations);
  });

  // A table has 150,018 sizes: those of the newest kernel, in the long run each.
  const tables = named(/tables\.ndjson/).filter(() => isLong || kernel === "7.2.12");
  test.each(tables)("%s: every size of alloc_skb, netdev, napi and kmalloc", async (path) => {
    const { operations, exact, firstDifference } = skbTablesReplayer.replay(await open(path, kernel));
    expect(firstDifference).toBeUndefined();
    expect(exact).toBe(operations);
    expect(operations).toBe(150_018);
  });

  test.each(named(/segment.*\.[gx]z$/))(
    "%s: the packet before and after, and every field and byte of each segment",
    async (path) => {
      const { operations, exact, firstDifference } = skbSegmentReplayer.replay(await open(path, kernel));
      expect(firstDifference).toBeUndefined();
      expect([operations, exact]).toEqual([56, 56]);
    },
  );
});

describe("GSO", () => {
  test("canary: a segment whose recorded hash is another", async () => {
    const input = await open(join(fixtures, "segment.ndjson.gz"));
    const lines = input.lines.map((l, i) => (i === 9 ? l.replace(/("segs":.*?"fnv":)\d+/, "$11") : l));
    const { operations, exact, firstDifference } = skbSegmentReplayer.replay({ ...input, lines });
    expect(operations - exact).toBe(1);
    expect(firstDifference).toMatchObject({ line: 10, kernel: "segs[0].fnv = 1" });
  });
});

describe("canaries: a difference is found where it is", async () => {
  const input = await open(join(fixtures, "fuzz_s3.ndjson.gz"));
  const changed = (line: number, from: RegExp, to: string): TranscriptInput => ({
    ...input,
    lines: input.lines.map((text, i) => (i === line - 1 ? text.replace(from, to) : text)),
  });
  const fields = ["truesize", "dataref", "users", "fnv", "tail", "ksize", "mac", "net", "hdr_len", "nr_frags"];

  test.each(fields)("a recorded %s that is one too high", (field) => {
    const at = input.lines.findLastIndex((l) => new RegExp(`"${field}":\\d`).test(l)) + 1;
    const wrong = changed(at, new RegExp(`"${field}":(\\d+)`), `"${field}":99999999`);
    const { exact, operations, firstDifference } = skbFuzzReplayer.replay(wrong);
    expect(firstDifference?.line).toBe(at);
    expect(firstDifference?.kernel).toContain(`.${field} = `);
    expect(exact).toBeLessThan(operations);
  });

  test.each(["count", "pfn", "off", "size"])("a fragment's %s", (field) => {
    const pattern = new RegExp(`("frags":\\[\\{[^}]*"${field}":)\\d+`);
    const at = input.lines.findLastIndex((l) => pattern.test(l)) + 1;
    const { firstDifference } = skbFuzzReplayer.replay(changed(at, pattern, "$17654321"));
    expect(firstDifference?.line).toBe(at);
    expect(firstDifference?.kernel).toContain(`.${field} = `);
  });

  test("an address that two live heads share, and one that moves", () => {
    const at = input.lines.findLastIndex((l) => /"head":"[0-9a-f]{16}"/.test(l)) + 1;
    const moved = changed(at, /"head":"ffff888[0-9a-f]{9}"/, '"head":"ffff888001234560"');
    expect(skbFuzzReplayer.replay(moved).firstDifference?.kernel).toContain(".head = ");
  });

  test("an operation that is not known is bad input, with its line", () => {
    const bad = changed(2, /"op":"[a-z_]+"/, '"op":"skb_frobnicate"');
    expect(() => skbFuzzReplayer.replay(bad)).toThrow(BadInput);
    expect(() => skbFuzzReplayer.replay(bad)).toThrow(/skb_frobnicate/);
  });

  test("a line that lost its dump, and a slot that nothing was put into, are bad input with their line", () => {
    expect(() => skbFuzzReplayer.replay(changed(3, /"slots":.*$/, '"cut":1}'))).toThrow(/has no "slots"/);
    const missing = { ...input, lines: [input.lines[0]!, ...input.lines.slice(2)] };
    expect(() => skbFuzzReplayer.replay(missing)).toThrow(BadInput);
  });

  test("a size table that claims another end", async () => {
    const table = await open(join(fixtures, "tables.ndjson.gz"));
    const longer = table.lines.map((l) =>
      l.replace('"from":1729,"to":3776,"end_offset":3776', '"from":1729,"to":3777,"end_offset":3776'),
    );
    expect(() => skbTablesReplayer.replay({ ...table, lines: longer })).toThrow(/goes on at size 3777/);
    const lines = longer.map((l) => l.replace('"from":3777,', '"from":3778,'));
    const { operations, exact, firstDifference } = skbTablesReplayer.replay({ ...table, lines });
    expect(operations - exact).toBe(1);
    expect(firstDifference?.operation).toBe("alloc_skb(3777)");
  });
});
