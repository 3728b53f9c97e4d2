// Of a text that holds nothing of a kernel's it is said so; of one that does it is not.
import { describe, expect, test } from "vitest";
import { sourceOf } from "../base/byte_source.ts";
import { emptySentence, forbiddenSentence, foreignSentence, gather } from "./gather.ts";

async function notes(text: string, named = true): Promise<string[]> {
  const gathered = await gather([{ source: sourceOf("x.txt", text), named }], {});
  return gathered.notes.map((n) => n.sentence);
}

describe("a text without a word of a kernel's", () => {
  test.each([
    ["prose", "Dear all,\nthe meeting is at ten.\nBring your own coffee.\n"],
    ["source code", "int main(void)\n{\n\treturn 0;\n}\n"],
    ["a table of something else", "name;age;town\nada;36;london\nalan;41;wilmslow\n"],
  ])("%s is said to be foreign", async (_, text) => {
    expect(await notes(text)).toEqual([foreignSentence]);
  });
  test("it is said of a file that was named, not of whatever a folder or a tar holds", async () => {
    expect(await notes("Dear all,\nthe meeting is at ten.\n", false)).toEqual([]);
  });
});

describe("a kernel's text is not foreign", () => {
  test.each([
    ["stamps of dmesg", "[    0.000000] Linux version 6.1.0 (gcc)\n[    0.100000] Memory: 1024K\n"],
    ["a report without stamps", "swapper: page allocation failure. order:1, mode:0x4020\nCall Trace:\n"],
    ["a table of /proc", "Node 0, zone   Normal     10     5     1     0     0     0     0     0     0     0     0 \n"],
    ["settings", "vm.min_free_kbytes = 11495\n"],
  ])("%s", async (_, text) => {
    expect(await notes(text)).not.toContain(foreignSentence);
  });
});

test("an empty file and a dmesg that was refused have sentences of their own", async () => {
  expect(await notes("")).toEqual([emptySentence]);
  expect(await notes("dmesg: read kernel buffer failed: Operation not permitted\n")).toEqual([forbiddenSentence]);
});
