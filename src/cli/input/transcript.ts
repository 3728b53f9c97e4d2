// A transcript's lines from a file, packed or not, and what lies beside it about the kernel: recorders do not name it in every file.
import { createReadStream, readdirSync, statSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { BadInput } from "../../base/bad_input.ts";
import type { ByteSource } from "../../base/byte_source.ts";
import { readHead, sourceOf, withHead } from "../../base/byte_source.ts";
import { releaseOfUname } from "../../verify/transcript_kernel.ts";
import { compressionOf, decompress } from "./decompress.ts";
import { inputLimits } from "./limits.ts";
import { refusePipe } from "./whole.ts";

/** A transcript unpacks to some ten megabytes; this is where one stops being one. */
const unpackedBytesMax = 2 ** 30;
const headBytes = 65_536;

interface Opened {
  readonly source: ByteSource;
  close(): void;
}

async function open(path: string): Promise<Opened> {
  refusePipe(path, "a transcript");
  const stream = createReadStream(path);
  const raw = sourceOf(path, stream as AsyncIterable<Uint8Array>);
  const head = await readHead(raw, 16);
  const whole = withHead(head, raw);
  const kind = compressionOf(head);
  if (kind === undefined) return { source: whole, close: () => void stream.destroy() };
  const budget = { limits: { ...inputLimits, unpackedBytes: unpackedBytesMax }, unpacked: 0, files: 0 };
  const unpacking = decompress(whole, kind, budget);
  return {
    source: unpacking.source,
    close() {
      unpacking.close();
      stream.destroy();
    },
  };
}

async function readAll(source: ByteSource, most: number): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let length = 0;
  for (;;) {
    const chunk = new Uint8Array(headBytes);
    const n = await source.read(chunk);
    if (n === 0 || length >= most) break;
    parts.push(chunk.subarray(0, n));
    length += n;
  }
  return Buffer.concat(parts);
}

/** The lines of a transcript. BadInput, with the line where it breaks off, when it cannot be unpacked whole. */
export async function linesOf(path: string): Promise<string[]> {
  const opened = await open(path);
  try {
    const bytes = await readAll(opened.source, unpackedBytesMax + 1);
    const lines = new TextDecoder().decode(bytes).split("\n");
    const problem = opened.source.problem?.();
    if (problem !== undefined)
      throw new BadInput(
        `The compressed transcript breaks off here (${problem.replace(/\.$/, "")}).`,
        { file: path, line: lines.length },
        "Copy it again, whole.",
      );
    if (lines.at(-1) === "") lines.pop();
    return lines;
  } finally {
    opened.close();
  }
}

/** The start of a file as text; "" when nothing can be read of it. */
async function headOf(path: string, most = headBytes): Promise<string> {
  const opened = await open(path);
  try {
    return new TextDecoder().decode(await readAll(opened.source, most));
  } catch {
    return "";
  } finally {
    opened.close();
  }
}

/** The first line, from the first 64 KiB of the file; "" when nothing can be read of it. */
export async function firstLineOf(path: string): Promise<string> {
  return (await headOf(path)).trimStart().split("\n", 1)[0] ?? "";
}

/** Directories above a transcript that may say its kernel, and files that are looked at in each. */
const levelsUp = 2;
const filesMost = 400;

/**
 * The release that what lies beside a transcript agrees on: other transcripts that name it, boot logs, `uname -a`, the image that qemu booted; in its
 * directory, else below it, else beside and below its parents. undefined when nothing says it or two differ.
 */
export async function kernelBeside(folder: string): Promise<string | undefined> {
  const here = await namedIn(filesOf(folder, false));
  if (here.size > 0) return only(here);
  for (let at = resolve(folder), up = 0; up <= levelsUp && at !== dirname(at); at = dirname(at), up++) {
    const found = await namedIn(filesOf(at, true));
    if (found.size > 0) return only(found);
  }
  return undefined;
}

const only = (found: ReadonlySet<string>): string | undefined => (found.size === 1 ? [...found][0] : undefined);

function filesOf(folder: string, below: boolean): string[] {
  const names = readdirSync(folder, { recursive: below, encoding: "utf8" }).sort();
  return names.map((name) => join(folder, name)).filter((path) => sayers.some(([name]) => name.test(basename(path))));
}

/** Files that may name a kernel, and how it is read from each. */
const sayers: readonly (readonly [name: RegExp, read: (path: string) => Promise<string | undefined>])[] = [
  [/^(console|dmesg|uname)/, async (path) => bootedIn(await headOf(path, 2 * headBytes))],
  [/cmdline\.txt$/, async (path) => imageIn(await headOf(path))],
  [/\.ndjson|\.json-lines/, async (path) => statedIn(await firstLineOf(path))],
];

async function namedIn(paths: readonly string[]): Promise<Set<string>> {
  const found = new Set<string>();
  const kinds = new Map<string, string[]>();
  for (const path of paths.slice(0, filesMost)) {
    if (!statSync(path).isFile()) continue;
    const place = `${dirname(path)} ${sayerOf(path)}`;
    kinds.set(place, [...(kinds.get(place) ?? []), path]);
  }
  // The first and the last of each kind and directory that say one: what was recorded together agrees, and a collection of several kernels does not.
  for (const together of kinds.values())
    for (const from of [together, [...together].reverse()]) {
      const release = await firstSaid(from);
      if (release !== undefined) found.add(release);
    }
  return found;
}

const sayerOf = (path: string): number => sayers.findIndex(([name]) => name.test(basename(path)));

async function firstSaid(paths: readonly string[]): Promise<string | undefined> {
  for (const path of paths) {
    const release = await sayers[sayerOf(path)]?.[1](path);
    if (release !== undefined) return release;
  }
  return undefined;
}

/** -kernel vmlinuz-6.12.117+deb12-amd64 */
function imageIn(text: string): string | undefined {
  const image = /vmlinuz-(\d{1,4}\.\d{1,4}\.\d{1,6}\S{0,60})/.exec(text)?.[1];
  return image === undefined ? undefined : numbersOf(image);
}

function statedIn(line: string): string | undefined {
  try {
    const { release, version } = JSON.parse(line) as { release?: unknown; version?: unknown };
    if (typeof release !== "string") return undefined;
    return numbersOf(release, typeof version === "string" ? version : "");
  } catch {
    return undefined;
  }
}

function bootedIn(text: string): string | undefined {
  const line = /Linux version (\S+)([^\n]*)/.exec(text);
  return line === null ? undefined : numbersOf(line[1] as string, line[2]);
}

/** 6.1.192; undefined for a Debian ABI name (6.1.0-56-amd64) whose point release is not told. */
function numbersOf(release: string, version?: string): string | undefined {
  try {
    const { version: numbers } = releaseOfUname(release, version);
    return /^\d+\.\d+\.0-\d/.test(release) && numbers[2] === 0 ? undefined : numbers.join(".");
  } catch {
    return undefined;
  }
}
