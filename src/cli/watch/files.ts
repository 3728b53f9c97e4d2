// The files of a sample, read from /proc (or from a folder that has such files, for a recorded machine).
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Release } from "../../kernel/release.ts";
import { parseRelease } from "../../kernel/release.ts";
import type { SampledFile, SampleTexts } from "../../live/sample.ts";
import { sampledFiles } from "../../live/sample.ts";

/** The text of a file, or undefined when it cannot be read: not there, no right, gone in between. */
export function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}

export function sampleTexts(root: string): SampleTexts {
  const texts: Partial<Record<SampledFile, string>> = {};
  for (const file of sampledFiles) {
    const text = textOf(join(root, file));
    if (text !== undefined) texts[file] = text;
  }
  return texts;
}

/** Seconds since boot; undefined where /proc/uptime says nothing. */
export function uptimeOf(root: string): number | undefined {
  const seconds = Number.parseFloat(textOf(join(root, "uptime")) ?? "");
  return Number.isFinite(seconds) ? seconds : undefined;
}

const architectures: Readonly<Record<string, string>> = {
  x64: "x86_64",
  arm64: "arm64",
  arm: "arm",
  ia32: "i386",
  ppc64: "ppc64",
  riscv64: "riscv64",
  s390x: "s390x",
  mips: "mips",
};

/** What /proc/version calls the kernel: `6.1.0-57-amd64`; "" when it says nothing. */
export const releaseText = (root: string): string =>
  /^Linux version (\S+)/.exec(textOf(join(root, "version")) ?? "")?.[1] ?? "";

/** The release that /proc/version states; undefined when it states none that can be read. */
export function releaseOf(root: string, nodeArch: string): Release | undefined {
  const version = /^Linux version (\d+\.\d+(?:\.\d+)?)/.exec(textOf(join(root, "version")) ?? "")?.[1];
  if (version === undefined) return undefined;
  try {
    return parseRelease(`${version}-${architectures[nodeArch] ?? "x86_64"}`);
  } catch {
    return parseRelease(`${version}-x86_64`);
  }
}
