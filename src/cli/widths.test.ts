// What a command answers fits the terminal: every documented command line that answers at once, at 40, 80 and 120 columns, and in ASCII.

import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { isLong, oneIn } from "../base/size.testkit.ts";
import type { Block } from "../report/document.ts";
import { renderText } from "../report/text.ts";
import type { CommandEntry } from "./command.ts";
import { runCommand } from "./commands/command.testkit.ts";
import { absent, documentedCommands, here, isSlow, leave, workspace } from "./documented.testkit.ts";
import { main } from "./process.testkit.ts";
import { buildProgram } from "./program.ts";

// Of the build: workers and the files of authors are loaded as it has them.
const { commands } = (await import(join(main, "../registry.js"))) as { commands: readonly CommandEntry[] };
const space = workspace();
const before = process.cwd();
beforeAll(() => process.chdir(space.dir));
afterAll(() => {
  process.chdir(before);
  space.close();
});

const all = process.env["DOCUMENTED"] === "all";
if (all) test("what earlier lines leave for later ones", () => expect(leave(space)).toEqual([]), 120_000);

/** What has to stay whole: a log's lines, a command to copy, a line that programs count. */
const whole = (block: Block): boolean =>
  block.kind === "quote" || block.kind === "code" || (block.kind === "text" && block.oneLine === true);

/** A path or a mask that no line of that width has room for: it is not broken, so that it can be copied, and stands alone. */
function isOneWord(line: string, width: number): boolean {
  const [, before = "", word = ""] = /^(.* )?(\S+)$/.exec(line) ?? [];
  return word.length > width - 4 && /^ *(?:- )?$/.test(before);
}

/** Lines that this process can run by itself: neither a pipe nor a redirection, ended, and without a file of the author's own (vitest would load it). */
const lines = (await documentedCommands(commands))
  .filter(
    (c) =>
      c.runs &&
      /^(?:npx |sudo )?skblab /.test(c.line) &&
      !/[|>&]|\$\(|skblab (?:serve|watch|collect)|--follow|examples\/(?:drivers|stories)/.test(c.line),
  )
  .map((c) => here(c.line, space))
  .filter((line) => all || !isSlow(line))
  // It takes seconds: in the long run.
  .filter((line) => isLong || !line.includes("skblab fleet "));
// Five tasks: the widest table that there is.
for (const scheme of ["original", "modern"])
  lines.push(`skblab explore lltx --scheme ${scheme} --cpus 4 --ring 2 --replay 00001110012340123401234`);
const words = (line: string): string[] =>
  (line.replace(/^(?:npx |sudo )?skblab /, "").match(/(?:'[^']*'|[^\s'])+/g) ?? []).map((word) =>
    word.replaceAll("'", ""),
  );

test("there are some of every kind", () => {
  expect(lines.length).toBeGreaterThan(40);
  expect(new Set(lines.map((l) => words(l)[0])).size).toBeGreaterThanOrEqual(9);
});

test.for(all ? lines : oneIn(2, lines))("%s", { timeout: 920_000 }, async (line, { skip }) => {
  const missing = absent(line, space);
  if (missing !== undefined) skip(missing);
  const [name, ...rest] = words(line);
  const entry = commands.find((c) => c.name === name);
  if (entry === undefined) return skip("it is not one of the commands");
  const { document, shown } = await runCommand(await entry.load(), rest);
  for (const width of [40, 80, 120])
    for (const ascii of [false, true]) {
      const text = [...shown, document]
        .map((d) =>
          renderText(
            d.filter((b) => !whole(b)),
            { colour: false, width, ascii },
          ),
        )
        .join("");
      expect(text.split("\n").filter((l) => l.length > width && !isOneWord(l, width))).toEqual([]);
      if (ascii) expect(text).toMatch(/^[\0-\x7f]*$/);
    }
});

test("help fits too, but for the command lines in it", async () => {
  const { COLUMNS, LC_ALL } = process.env;
  try {
    for (const width of [40, 80, 120])
      for (const locale of ["C", "C.UTF-8"]) {
        Object.assign(process.env, { COLUMNS: String(width), LC_ALL: locale });
        for (const { name } of commands) {
          const program = (await buildProgram([name])).commands.find((c) => c.name() === name)!;
          let help = "";
          const output = program.configureOutput();
          program.configureOutput({
            ...output,
            writeOut(text) {
              help += text;
            },
          });
          program.outputHelp();
          // An example stands whole, and a word that its column has no room for.
          const stays = /^(?: {2}(?:\S.*\| )?(?:sudo )?|Usage: )skblab |^ {2}dmesg |^ {2}(?:\S.* {2}| {10,})\S+$/;
          const wide = help.split("\n").filter((l) => l.length > width && !stays.test(l));
          expect([name, wide]).toEqual([name, []]);
        }
      }
  } finally {
    for (const [key, value] of Object.entries({ COLUMNS, LC_ALL }))
      if (value === undefined) delete process.env[key];
      else process.env[key] = value;
  }
});
