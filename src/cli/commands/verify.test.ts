// skblab verify as a user meets it: directories, named files, broken files.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Command } from "commander";
import { afterAll, describe, expect, test } from "vitest";
import { BadInput } from "../../base/bad_input.ts";
import { renderText } from "../../report/text.ts";
import type { Answer, Io } from "../command.ts";
import { command } from "./verify.ts";

const root = join(import.meta.dirname, "..", "..", "..");
const fixtures = join(root, "fixtures", "buddy");
const one = join(fixtures, "buddyLnormal-205_loaded_high_s6.ndjson.gz");
const dir = mkdtempSync(join(tmpdir(), "skblab-verify-"));
afterAll(() => rmSync(dir, { recursive: true }));

async function verify(...paths: string[]): Promise<Answer> {
  const answers: Answer[] = [];
  const io: Io = {
    colour: false,
    width: 100,
    interactive: false,
    answer: async (answer) => {
      answers.push(answer);
    },
    write: async () => {},
    progress() {},
    note() {},
  };
  const cmd = new Command("verify").exitOverride();
  command.configure(cmd, io);
  await cmd.parseAsync(paths, { from: "user" });
  expect(answers.length).toBe(1);
  return answers[0] as Answer;
}

const refusal = async (...paths: string[]): Promise<BadInput> =>
  verify(...paths).then(
    () => {
      throw new Error("accepted");
    },
    (error: unknown) => {
      if (error instanceof BadInput) return error;
      throw error;
    },
  );

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
    expect(json.files.map((f) => f.kind)).toEqual(["buddy", "buddy", "buddy"]);
    expect(json.exact).toBe(json.operations);
    expect(renderText(answer.document, { colour: false, width: 100 })).toContain(
      "came out exactly as on the real kernel",
    );
  });

  test("a file that is named must be a transcript", async () => {
    const other = join(dir, "notes.txt");
    writeFileSync(other, "hello\n");
    const error = await refusal(other);
    expect(error.message).toMatch(/no transcript/);
    expect(error.place?.file).toBe(other);
  });

  test("a compressed file that breaks off is refused with the line it breaks off at", async () => {
    const cut = join(dir, "cut.ndjson.gz");
    const bytes = readFileSync(one);
    writeFileSync(cut, bytes.subarray(0, bytes.length >> 1));
    const error = await refusal(cut);
    expect(error.message).toMatch(/breaks off/);
    expect(error.place?.line).toBeGreaterThan(10);
  });

  test("an empty directory is said to be empty", async () => {
    expect((await refusal(mkdtempSync(join(dir, "empty-")))).message).toMatch(/no transcript in/);
  });
});
