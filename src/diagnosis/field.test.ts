// Texts as people post them: cut, indented, mixed, from every era. fixtures/field/NAME.txt is the kernel's text, expect.json says by NAME what
// a right answer must find, must never say, must say. Names that end in _ok were always right and show the other side of a kind.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { diagnoseTexts, faultsOf, type Wanted } from "./field.testkit.ts";

const here = join(import.meta.dirname, "../../fixtures/field");
const expected = JSON.parse(readFileSync(join(here, "expect.json"), "utf8")) as Readonly<Record<string, Wanted>>;

describe("what people post is answered rightly", () => {
  test.each(Object.entries(expected))("%s", async (name, want) => {
    const d = await diagnoseTexts({ [`${name}.txt`]: readFileSync(join(here, `${name}.txt`)) });
    expect(faultsOf(d, want)).toEqual([]);
  });
  test("each text has its expectations, and each expectation its text", () => {
    const texts = readdirSync(here).filter((n) => n.endsWith(".txt"));
    expect(texts.map((n) => n.slice(0, -4)).sort()).toEqual(Object.keys(expected).sort());
  });
});

// FIELD=folder runs the inputs of that folder (NAME.txt beside NAME.json) and lists what is wrong with each; FIELD_ONLY narrows it.
const folder = process.env.FIELD;
describe.skipIf(folder === undefined || !existsSync(folder))("a folder of inputs", () => {
  const only = process.env.FIELD_ONLY ?? "";
  const names = folder === undefined ? [] : readdirSync(folder).filter((n) => n.endsWith(".json") && n.includes(only));
  test.each(names)("%s", async (file) => {
    const path = join(folder as string, file);
    const want = JSON.parse(readFileSync(path, "utf8")) as Wanted;
    const text = path.replace(/json$/, "txt");
    if ((want.command ?? ["diagnose"])[0] !== "diagnose" || !existsSync(text)) return;
    expect(faultsOf(await diagnoseTexts({ [file.replace("json", "txt")]: readFileSync(text) }), want)).toEqual([]);
  });
});
