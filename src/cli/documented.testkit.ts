// The command lines that users are shown (in every command's --help, in README and docs), and a directory like a user's to run them in. For
// tests only; not in the package.
import { spawnSync } from "node:child_process";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { CommandEntry } from "./command.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));

/** A line as it is shown. `runs` is false where it names something of the reader's (FILE, DIR) or is a command's name in a sentence. */
export interface Shown {
  readonly line: string;
  readonly where: string;
  readonly runs: boolean;
}

/** Where the lines run: `dir` is the working directory, `bin` leads PATH. */
export interface Workspace {
  readonly dir: string;
  readonly bin: string;
  close(): void;
}

/** A word that stands for something of the reader's: FILE, PATH…, i/N, `…`, {}, ID. Such a line is checked, not run. */
const placeholder = /…|\.\.\. |(?:^|[ =])(?:[A-Z]{2,}|ID|i\/N)(?:[ ,]|$)|\[[a-z]+ |\{\}|<[a-z]+>/;

/** `{ line, where, runs }` of every `skblab …` shown in one Markdown text. */
export function commandsOf(markdown: string, where: string): Shown[] {
  const found: Shown[] = [];
  let fenced = false;
  for (const [i, raw] of markdown.split("\n").entries()) {
    const at = `${where}:${i + 1}`;
    if (/^\s*```/.test(raw)) {
      fenced = !fenced;
      continue;
    }
    const code = fenced || /^ {4}\S/.test(raw);
    const texts = code ? [raw.trim().replace(/^\$ /, "")] : spansOf(raw);
    for (const text of texts) if (isCommand(text)) found.push(command(text, at));
  }
  return found;
}

/** A command that a page shows, and what it says that the command prints: pieces that stand in the output in this order. */
export interface Printed {
  readonly line: string;
  readonly where: string;
  readonly pieces: readonly string[];
}

/** Every fence marked `text` that follows a fence of one command. A line `…` leaves something out. */
export function printedOf(markdown: string, where: string): Printed[] {
  const fences: { readonly kind: string; readonly lines: string[] }[] = [];
  let open: string[] | undefined;
  for (const line of markdown.split("\n"))
    if (!line.startsWith("```")) open?.push(line);
    else if (open !== undefined) open = undefined;
    else {
      open = [];
      fences.push({ kind: line.slice(3), lines: open });
    }
  return fences.flatMap(({ kind, lines }, i) => {
    const before = fences[i - 1];
    const shown = commandsOf(["```", ...(before?.lines ?? []), "```"].join("\n"), where)[0];
    if (kind !== "text" || before?.kind !== "sh" || shown === undefined) return [];
    return [{ line: shown.line.replace(/^npm ci && /, ""), where, pieces: lines.join("\n").split(/^…$/m).map(folded) }];
  });
}

export const folded = (text: string): string => text.replace(/\s+/g, " ").trim();

/** All of README and docs. */
export const printedOutputs = (): Printed[] =>
  documents().flatMap((file) => printedOf(readFileSync(join(root, file), "utf8"), file));

/** The first piece that the output does not have, in order; undefined when all are there. */
export function missingPiece(output: string, pieces: readonly string[]): string | undefined {
  const text = folded(output);
  let from = 0;
  for (const piece of pieces) {
    const at = text.indexOf(piece, from);
    if (at < 0) return piece;
    from = at + piece.length;
  }
  return undefined;
}

/** The text of the backticked spans of a line; in a table `\|` is a bar. */
function spansOf(line: string): string[] {
  // A backtick that is escaped is a character of the text.
  return [...line.replaceAll("\\`", "'").matchAll(/`([^`]+)`/g)].map(([, span = ""]) => span.replaceAll("\\|", "|"));
}

/** `skblab NAME` at the start of a command of the line: after a pipe, `&&`, sudo, npx or what else may stand there. */
const isCommand = (text: string): boolean =>
  /(?:^|[|&(] ?|sudo |npx |\d )skblab [a-z]/.test(text) &&
  /^(?:npm|npx|seq|sudo|dmesg|parallel|source|skblab) /.test(text);

function command(line: string, where: string): Shown {
  const bare = (line.split(" # ")[0] ?? line).trim();
  const named = /^skblab [a-z-]+$/.test(bare) && !where.endsWith("--help"); // a command's name in a sentence
  return { line: bare, where, runs: !named && !placeholder.test(bare.replace(/'[^']*'/g, "''")) };
}

/** Every Markdown file of README and docs, but for the cases' pages (they are printed by the command they name) and decisions. */
function documents(): string[] {
  const files = ["README.md"];
  const walk = (dir: string): void => {
    for (const entry of readdirSync(join(root, dir), { withFileTypes: true }))
      if (entry.isDirectory()) {
        if (!["decisions", "images"].includes(entry.name)) walk(join(dir, entry.name));
      } else if (entry.name.endsWith(".md") && entry.name !== "voice.md") files.push(join(dir, entry.name));
  };
  walk("docs");
  return files;
}

/** All of them, each line once. */
export async function documentedCommands(registry: readonly CommandEntry[]): Promise<Shown[]> {
  const all = documents().flatMap((file) => commandsOf(readFileSync(join(root, file), "utf8"), file));
  for (const entry of registry) {
    const spec = await entry.load();
    for (const { line } of spec.examples) all.push(command(line, `skblab ${entry.name} --help`));
  }
  return [...new Map(all.reverse().map((c) => [c.line, c])).values()].reverse();
}
/** Commands that run a model or read a whole machine: seconds to minutes each. The others answer at once. */
const slow = /skblab (?:cases \S|experiment|explore|run scenarios|image|verify|driver)|--prove|npm ci|--live|captures/;
/** Commands that go on until they are stopped. */
const endless = /skblab (?:serve|watch)|--follow/;
/** 1 is the answer that was asked for: a checking command found something. */
const finds = /skblab (?:pools|explore|driver) | --fail-on /;

/**
 * A directory with what the lines name: the project's own files as links, the reader's files made from fixtures. `skblab` is the build in
 * `dist`, or another way in that DOCUMENTED_TOOL names: an installed package, the single executable, a container.
 */
export function workspace(dist = process.env["SKBLAB_DIST"] ?? join(root, "dist")): Workspace {
  const dir = mkdtempSync(join(tmpdir(), "skblab-documented-"));
  for (const name of ["fixtures", "scenarios", "examples", "schemas", "node_modules", "package.json"])
    symlinkSync(join(root, name), join(dir, name));
  copyFileSync(join(root, "fixtures/logs/failures_6.1.txt"), join(dir, "kern.log"));
  spawnSync("tar", ["-cJf", join(dir, "support-bundle.tar.xz"), "-C", join(root, "fixtures"), "proc", "diagnosis"]);
  spawnSync("tar", ["-cf", join(dir, "host.tar"), "-C", join(root, "fixtures"), "proc", "diagnosis"]);
  for (const path of ["var/lib/node_exporter", "var/log/remote/web1", "nights"])
    mkdirSync(join(dir, path), { recursive: true });
  copyFileSync(join(dir, "kern.log"), join(dir, "var/log/remote/web1/kern.log"));
  copyFileSync(join(dir, "kern.log"), join(dir, "var/log/kern.log"));
  const bin = join(dir, "bin");
  mkdirSync(bin);
  const shim = (name: string, text: string): void => {
    writeFileSync(join(bin, name), `#!/bin/sh\n${text}\n`);
    chmodSync(join(bin, name), 0o755);
  };
  const tool = process.env["DOCUMENTED_TOOL"];
  shim("skblab", `exec ${tool ? `'${tool}'` : `'${process.execPath}' '${join(dist, "cli/main.js")}'`} "$@"`);
  shim("npx", 'exec "$@"');
  shim("sudo", 'exec "$@"');
  shim("ssh", 'shift; exec "$@"');
  return { dir, bin, close: () => rmSync(dir, { recursive: true, force: true }) };
}

/** What earlier lines of the docs leave behind for later ones: the log and files of a run, the parts of an experiment. */
export function leave(space: Workspace): string[] {
  const failed: string[] = [];
  const shard = "skblab experiment scenarios/jumbo-ablation.yaml --seeds 4 --out results --shard";
  for (const line of [
    "skblab run scenarios/jumbo-under-pressure.yaml --log run.log --proc run.d",
    `${shard} 1/2`,
    `${shard} 2/2`,
  ]) {
    const wrong = tryLine(line, space);
    if (wrong !== undefined) failed.push(`${line}: ${wrong}`);
  }
  return failed;
}

/** The line with the reader's directories in the workspace. */
export const here = (line: string, { dir }: Workspace): string => line.replace(/(^|[\s=])\/var\//g, `$1${dir}/var/`);

/** Why a line cannot be run on this machine; undefined when it can. */
export function absent(line: string, { dir }: Workspace): string | undefined {
  if (/npm ci/.test(line)) return "it installs (CI does it)";
  if (/^dmesg \|/.test(line) && spawnSync("dmesg").status !== 0) return "dmesg is not there or not allowed";
  for (const path of line.match(/(?:^|\s)\/(?:boot|sys)\/[^\s'$]*(?:\$\(uname -r\))?/g) ?? []) {
    const at = path.trim().replace("$(uname -r)", spawnSync("uname", ["-r"], { encoding: "utf8" }).stdout.trim());
    if (!existsSync(at)) return `there is no ${at} here`;
  }
  for (const name of [
    "vmcore",
    "recorded/mine",
    "recorded/7.3-debian",
    "results",
    "parts",
    "run.log",
    "../shared/captures/page_pool",
  ])
    if (
      new RegExp(`(?:^|\\s)${name.replaceAll(".", "\\.")}(?:\\.\\d)?(?:\\s|$)`).test(line) &&
      !existsSync(join(dir, name)) &&
      !/--(?:out|log|shard)/.test(line)
    )
      return `there is no ${name} here`;
  if (/\bparallel\b/.test(line) && spawnSync("parallel", ["--version"]).status !== 0)
    return "GNU parallel is not there";
  return undefined;
}

/** Runs one line; the sentence that is wrong with it, or undefined. */
export function tryLine(line: string, space: Workspace, shown: readonly Printed[] = []): string | undefined {
  const ran = spawnSync("bash", ["-c", here(line, space)], {
    cwd: space.dir,
    encoding: "utf8",
    input: "",
    timeout: endless.test(line) ? 6000 : 900_000, // 120 machines on two busy CPUs take more than five minutes
    maxBuffer: 2 ** 28,
    env: {
      ...process.env,
      PATH: `${space.bin}:${process.env["PATH"]}`,
      XDG_CACHE_HOME: join(space.dir, "cache"),
      NO_COLOR: "1",
      BROWSER: "true",
    },
  });
  if (endless.test(line))
    return (ran.error as NodeJS.ErrnoException | undefined)?.code === "ETIMEDOUT"
      ? undefined
      : `it ended with ${ran.status}: ${ran.stderr.trim().slice(0, 300)}`;
  if (ran.status !== 0 && !(ran.status === 1 && finds.test(line)))
    return `exit ${ran.status}: ${ran.stderr.trim().slice(0, 300)}`;
  if (/^skblab: /m.test(ran.stderr)) return ran.stderr.trim().slice(0, 300);
  if (ran.stdout === "" && !/>|--out|--export|--map|--log|--svg|--records|--textfile|source/.test(line))
    return "it printed nothing";
  if (/\bundefined\b|\bNaN\b|\[object /.test(ran.stdout.replace(/undefined \(|"undefined"/g, "")))
    return "undefined or NaN in the answer";
  for (const { where, pieces } of shown) {
    const missing = missingPiece(ran.stdout, pieces);
    if (missing !== undefined) return `${where} shows what is not in the answer: ${missing}`;
  }
  return undefined;
}

export const isSlow = (line: string): boolean => slow.test(line) || endless.test(line);
