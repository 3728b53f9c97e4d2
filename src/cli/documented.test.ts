// What --help, README and docs show exists, and the quick ones run as printed. `npm run documented` runs all of them.

import { afterAll, describe, expect, test } from "vitest";
import { oneIn } from "../base/size.testkit.ts";
import {
  absent,
  commandsOf,
  documentedCommands,
  isSlow,
  leave,
  missingPiece,
  printedOf,
  printedOutputs,
  tryLine,
  workspace,
} from "./documented.testkit.ts";
import { buildProgram } from "./program.ts";
import { commands } from "./registry.ts";

const shown = await documentedCommands(commands);
const printed = printedOutputs();
/** All of them take minutes: `npm run documented`. */
const all = process.env["DOCUMENTED"] === "all";

test("a line is taken from a code span, a fence and a table; a name in a sentence is not run, nor a line with FILE in it", () => {
  const text = [
    "Say `skblab decode gfp 0x20` or `skblab explore`.",
    "```sh",
    "$ dmesg | skblab diagnose -   # all of it",
    "```",
    "| `skblab collect --script \\| sh` | `skblab run FILE` |",
  ].join("\n");
  expect(commandsOf(text, "x.md").map(({ line, runs }) => [line, runs])).toEqual([
    ["skblab decode gfp 0x20", true],
    ["skblab explore", false],
    ["dmesg | skblab diagnose -", true],
    ["skblab collect --script | sh", true],
    ["skblab run FILE", false],
  ]);
});

test("an output that is shown belongs to the command before it; its pieces stand in the answer, in order", () => {
  const page =
    "```sh\nskblab decode gfp 0x20\n```\nIt says:\n```text\nGFP_ATOMIC\n…\nalways\n```\n```text\nfrom elsewhere\n```\n";
  expect(printedOf(page, "x.md")).toEqual([
    { line: "skblab decode gfp 0x20", where: "x.md", pieces: ["GFP_ATOMIC", "always"] },
  ]);
  expect(missingPiece("a GFP_ATOMIC\n  is always\nset", ["GFP_ATOMIC is", "set"])).toBeUndefined();
  expect(missingPiece("set GFP_ATOMIC", ["GFP_ATOMIC", "set"])).toBe("set");
  expect(printed.length).toBeGreaterThan(15);
});

test("every command and option that is shown exists", async () => {
  expect(shown.length).toBeGreaterThan(100);
  const unknown: string[] = [];
  for (const { line, where } of shown) {
    for (const [, name = "", rest = ""] of line.matchAll(/(?:^|[\s(])skblab ([a-z-]+)([^|&>]*)/g)) {
      const program = await buildProgram([name]);
      const command = program.commands.find((c) => c.name() === name);
      if (command === undefined) {
        unknown.push(`${where}: ${name}`);
        continue;
      }
      const known = new Set(command.options.flatMap((o) => [o.long, o.short]));
      for (const option of rest.replace(/'[^']*'|\$\([^)]*\)/g, "").match(/(?<=\s)--?[a-z][a-z-]*/g) ?? [])
        if (!known.has(option) && !(name === "page-owner" && rest.includes("--compat")))
          unknown.push(`${where}: ${name} ${option}`);
    }
  }
  expect(unknown).toEqual([]);
});

describe("runs as printed", () => {
  const space = workspace();
  const lines = shown.filter(
    (c) => c.runs && (all || (!isSlow(c.line) && !/collect|fleet|merge|run\.log/.test(c.line))),
  );
  if (all) test("what earlier lines leave for later ones", () => expect(leave(space)).toEqual([]), 120_000);
  // What the pages show an answer to is always run; of the other lines some, but for the long run: widths.test.ts runs them in its process.
  const quick = [...(all ? lines : oneIn(8, lines)), ...printed.filter((p) => all || !isSlow(p.line))].map(
    (c) => c.line,
  );
  // A line is run once, whoever shows it; what the pages show of its answer is looked for in that one.
  test.for([...new Set(quick)])("%s", { timeout: 920_000 }, (line, { skip }) => {
    const missing = absent(line, space);
    if (missing !== undefined) skip(missing);
    expect(
      tryLine(
        line,
        space,
        printed.filter((p) => p.line === line),
      ),
    ).toBeUndefined();
  });
  afterAll(() => space.close());
});
