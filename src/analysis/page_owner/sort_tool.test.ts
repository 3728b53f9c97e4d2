// The kernel's own page_owner_sort (6.1, glibc) was run on a real dump with each of its options; we must print the same bytes.
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { BadInput } from "../../base/bad_input.ts";
import { parseSortToolOptions } from "./sort_options.ts";
import { createSortTool } from "./sort_tool.ts";

const fixtures = join(import.meta.dirname, "../../../fixtures/page_owner");

function run(dump: Uint8Array, args: string, chunk = 1 << 20): string {
  const tool = createSortTool(parseSortToolOptions(args.split(" ").filter((a) => a !== "")).options);
  for (let at = 0; at < dump.length; ) {
    const room = tool.scanner.room();
    const n = Math.min(chunk, room.length, dump.length - at);
    room.set(dump.subarray(at, at + n));
    tool.scanner.push(n);
    at += n;
  }
  return Buffer.concat(Array.from(tool.finish(), (piece) => Buffer.from(piece))).toString("latin1");
}

const bytes = (text: string): Uint8Array => Buffer.from(text, "latin1");

describe("prints what page_owner_sort printed", () => {
  const dump = gunzipSync(readFileSync(join(fixtures, "6.1-nics128.txt.gz")));
  const rows = readFileSync(join(fixtures, "page_owner_sort.tsv"), "utf8")
    .trim()
    .split("\n")
    .map((l) => l.split("\t") as [file: string, exit: string, args: string, sum: string]);
  test("the list of outputs is whole", () => expect(rows.length).toBe(61));
  for (const [file, exit, args, sum] of rows) {
    if (exit !== "0")
      test(`${file}: "${args}" is refused`, () =>
        expect(() => parseSortToolOptions(args.split(" "))).toThrow(BadInput));
    else {
      test(`${file}: "${args}"`, () => {
        expect(
          createHash("sha256")
            .update(Buffer.from(run(dump, args), "latin1"))
            .digest("hex"),
        ).toBe(sum);
      });
    }
  }
  test("chunks of 100 bytes give the same answer", () => {
    expect(run(dump, "--cull=stacktrace,allocator -m", 100)).toEqual(run(dump, "--cull=stacktrace,allocator -m"));
  });
});

describe("the tool's quirks, read in its source", () => {
  const record = (n: number, stack: string, tail = ""): string =>
    `Page allocated via order ${n}, mask 0xcc0(GFP_KERNEL), pid 1, tgid 1 (init), ts 5 ns, free_ts 0 ns${tail}\nPFN 7 type Movable Block 0 type Movable Flags 0x0()\n${stack}\n`;
  test("a last record without its empty line is not read", () => {
    expect(run(bytes(`${record(0, " a+0x1/0x2\n")}${record(1, " b+0x1/0x2")}`), "--cull=stacktrace")).toBe(
      "1 times, 1 pages:\n a+0x1/0x2\n\n",
    );
  });
  test("every line that begins with PFN leaves the text, wherever it stands", () => {
    const text = "Page allocated via order 0, mask 0x1\n a+0x1/0x2\nPFN 1 slab\n b+0x1/0x2\n\n";
    expect(run(bytes(text), "")).toBe(
      "1 times, 1 pages, allocated by SLAB :\nPage allocated via order 0, mask 0x1\n a+0x1/0x2\n b+0x1/0x2\n\n",
    );
  });
  test("a doubled empty line is a record of nothing", () => {
    expect(run(bytes(`${record(0, " a+0x1/0x2\n")}\n`), "--cull=stacktrace")).toBe(
      "1 times, 0 pages:\n\n1 times, 1 pages:\n a+0x1/0x2\n\n",
    );
  });
  test("options may stand together and be cut short, as getopt_long allows", () => {
    const { options, inputs } = parseSortToolOptions(["-fm", "--cu=st", "in.txt"]);
    expect(inputs).toEqual(["in.txt"]);
    expect(options.unreleasedOnly).toBe(true);
    expect([...options.cull]).toEqual(["stacktrace"]);
    expect(options.sort).toEqual([{ key: "page_num", sign: -1 }]);
  });
});
