// skblab verify as a user meets it: directories, named files, broken files.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { afterAll, describe, expect, test } from "vitest";
import type { Ran } from "./command.testkit.ts";
import { refusal, runCommand } from "./command.testkit.ts";
import { command } from "./verify.ts";

const root = join(import.meta.dirname, "..", "..", "..");
const fixtures = join(root, "fixtures", "buddy");
const one = join(fixtures, "buddyLnormal-205_loaded_high_s6.ndjson.gz");
const dir = mkdtempSync(join(tmpdir(), "skblab-verify-"));
afterAll(() => rmSync(dir, { recursive: true }));

const verify = (...paths: string[]): Promise<Ran> => runCommand(command, paths);

interface Json {
  readonly schema: string;
  readonly operations: number;
  readonly exact: number;
  readonly files: readonly { readonly path: string; readonly kind: string; readonly firstDifference: unknown }[];
}

describe("skblab verify", () => {
  test("a directory is searched, what is no transcript is passed over, and all is exact", async () => {
    const copy = join(dir, "mixed");
    await import("node:fs/promises").then((fs) => fs.cp(fixtures, copy, { recursive: true }));
    writeFileSync(join(copy, "console.log"), "[    0.000000] Linux version 6.1\n");
    const answer = await verify(copy);
    const json = answer.json as Json;
    expect(answer.exit).toBe(0);
    expect(json.schema).toBe("skblab.verify/1");
    expect(new Set(json.files.map((f) => f.kind))).toEqual(new Set(["buddy"]));
    expect(json.files.length).toBeGreaterThan(9);
    expect(json.exact).toBe(json.operations);
    expect(answer.text).toContain("came out exactly as on the real kernel");
  });

  test("a file that is named must be a transcript", async () => {
    const other = join(dir, "notes.txt");
    writeFileSync(other, "hello\n");
    const error = await refusal(verify(other));
    expect(error.message).toMatch(/not a transcript/);
    expect(error.place?.file).toBe(other);
  });

  test("a compressed file that breaks off is refused with the line it breaks off at", async () => {
    const cut = join(dir, "cut.ndjson.gz");
    const bytes = readFileSync(one);
    writeFileSync(cut, bytes.subarray(0, bytes.length >> 1));
    const error = await refusal(verify(cut));
    expect(error.message).toMatch(/breaks off/);
    expect(error.place?.line).toBeGreaterThan(10);
  });

  test("a kernel that was not recorded is refused with the nearest one; compared with that one's rules it is not called exact", async () => {
    const other = join(dir, "other.ndjson");
    const text = gunzipSync(readFileSync(one)).toString();
    writeFileSync(other, text.replace("6.1.192", "6.4.3").replaceAll(/Debian 6\.1\.192/g, "Debian 6.4.3"));
    const refused = (await refusal(verify(other))).sentence();
    expect(refused).toContain("6.4.3");
    expect(refused).toContain("--as 6.1.192");
    const ran = await verify("--as", "6.1.192", other);
    expect(ran.text).toContain("as the rules of Linux 6.1.192 say");
    expect(ran.text).not.toContain("exactly as on the real kernel");
    expect((await refusal(verify("--as", "6.4", other))).message).toContain("not one of the kernels");
  });

  test("an empty directory is said to be empty", async () => {
    expect((await refusal(verify(mkdtempSync(join(dir, "empty-"))))).message).toMatch(/no transcript in/);
  });
});
