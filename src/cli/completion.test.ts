import { execFileSync, spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, expect, test } from "vitest";
import { runMain } from "./main.testkit.ts";

const main = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));
const bash = spawnSync("bash", ["-c", "true"]).status === 0;
const folder = mkdtempSync(join(tmpdir(), "skblab-complete-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** What Tab offers behind each line, in a bash without any other completion. */
function offered(...lines: readonly string[][]): string[][] {
  const tool = join(folder, "skblab");
  writeFileSync(tool, `#!/bin/sh\nexec '${process.execPath}' '${main}' "$@"\n`);
  chmodSync(tool, 0o755);
  const tries = lines.map((words) => {
    const list = words.map((w) => `'${w}'`).join(" ");
    return `COMP_WORDS=(${list}); COMP_CWORD=${words.length - 1}; _skblab; echo "\${COMPREPLY[*]}"`;
  });
  const script = `source <(skblab complete bash)\ncomplete -p skblab\n${tries.join("\n")}\n`;
  const printed = execFileSync("bash", ["--norc", "-c", script], {
    encoding: "utf8",
    env: { ...process.env, PATH: `${folder}:${process.env["PATH"]}` },
  });
  const [registered = "", ...answers] = printed.trimEnd().split("\n");
  expect(registered).toMatch(/-o default/);
  return answers.map((a) => a.split(" ").filter((w) => w !== ""));
}

test.skipIf(!bash || !existsSync(main))("bash alone completes commands, options and choices, and else files", () => {
  const answers = offered(
    ["skblab", "di"],
    ["skblab", "diagnose", "--fo"],
    ["skblab", "diagnose", "--format", ""],
    ["skblab", "diagnose", "--format", "=", "js"],
    ["skblab", "diagnose", "fixt"],
  );
  expect(answers).toEqual([["diagnose"], ["--format", "--follow"], ["text", "json", "markdown"], ["json"]]);
});

test("the scripts for other shells let file names through too", async () => {
  for (const shell of ["zsh", "fish", "powershell"]) {
    const { out: script } = await runMain(["complete", shell]);
    expect(script).toMatch(/CompDirectiveNoFileComp *[= ] *64\b/);
    expect(script).toMatch(/skblab/);
  }
});

test("an unknown shell is bad usage, and the help shows examples", async () => {
  expect((await runMain(["complete", "tcsh"])).exit).toBe(2);
  for (const words of [
    ["complete", "--help"],
    ["help", "complete"],
  ]) {
    const { out, exit } = await runMain(words);
    expect(exit ?? 0).toBe(0);
    expect(out).toContain("source <(skblab complete bash)");
  }
});
