// The kernel's own page_owner_sort (6.1, glibc) was run on a real dump with each of its options; we must print the same bytes.
import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { parseSortToolOptions } from "./sort_options.ts";
import { createSortTool } from "./sort_tool.ts";

const shared = join(import.meta.dirname, "../../../../shared/captures");
const outputs = join(shared, "page_owner_sort/text128_1_nics");

function run(dump: Uint8Array, args: string, chunk: number): Buffer {
  const tool = createSortTool(parseSortToolOptions(args.split(" ").filter((a) => a !== "")).options);
  for (let at = 0; at < dump.length; ) {
    const room = tool.scanner.room();
    const n = Math.min(chunk, room.length, dump.length - at);
    room.set(dump.subarray(at, at + n));
    tool.scanner.push(n);
    at += n;
  }
  return Buffer.concat([...tool.finish()]);
}

const have = existsSync(outputs);
describe.runIf(have)(
  `page_owner_sort's own outputs${have ? "" : " (captures are not beside this clone: not run)"}`,
  () => {
    const dump = have
      ? gunzipSync(readFileSync(join(shared, "text/text128/1_nics/page_owner.txt.gz")))
      : Buffer.alloc(0);
    const sums = have
      ? new Map(
          readFileSync(join(outputs, "SHA256SUMS"), "utf8")
            .trim()
            .split("\n")
            .map((l) => [l.slice(66).replace(/^.*\//, ""), l.slice(0, 64)] as const),
        )
      : new Map<string, string>();
    const rows = have
      ? readFileSync(join(outputs, "manifest.tsv"), "utf8")
          .trim()
          .split("\n")
          .slice(1)
          .map((l) => l.split("\t") as [string, string, string])
      : [];
    for (const [file, exit, args] of rows) {
      if (exit !== "0") {
        test(`${file}: "${args}" is refused`, () => expect(() => parseSortToolOptions(args.split(" "))).toThrow());
        continue;
      }
      test(`${file}: "${args}" gives the same bytes`, () => {
        const ours = run(dump, args, 1 << 20);
        expect(createHash("sha256").update(ours).digest("hex")).toBe(sums.get(file));
      });
    }
    test("chunks of 100 bytes give the same answer", () => {
      expect(run(dump, "--cull=stacktrace,allocator -m", 100)).toEqual(
        run(dump, "--cull=stacktrace,allocator -m", 1 << 20),
      );
    });
  },
);
