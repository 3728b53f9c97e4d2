// Kernel releases and dated facts. A behavioural difference between releases is a table of facts, never a class per version.
import { BadInput } from "../base/bad_input.ts";

/** Architectures that the facts tell apart. */
export const architectures = ["i386", "x86_64", "ppc32", "ppc64", "arm", "arm64", "mips", "s390x", "riscv64"] as const;
export type Architecture = (typeof architectures)[number];

/** A kernel release: `version` has two to four numbers (2.6.24, 6.1, 6.1.192). */
export interface Release {
  readonly version: readonly number[];
  readonly arch: Architecture;
}

/** One dated value: it holds from `since` (inclusive) until the next entry of its table. */
export interface Fact<T> {
  readonly since: readonly number[];
  /** Stable branches that took the same change over: branch to its first point release, as in `{ "6.1": 192 }`. They say nothing of other branches. */
  readonly stable?: Readonly<Record<string, number>>;
  readonly value: T;
  /** Where it was read: file and release, or commit. */
  readonly source: string;
  /** Whether it was read in a source tree of a release that it decides, or is told by the history. Left out: not yet looked at. */
  readonly read?: "tree" | "history";
}

/** A version that remembers the dates it was compared with: what an answer asked of the release. */
export class AskedVersion extends Array<number> {
  readonly dates: (readonly number[])[] = [];
  private closed = false;

  constructor(version: readonly number[]) {
    super();
    this.push(...version);
  }

  ask(date: readonly number[]): void {
    if (!this.closed) this.dates.push(date);
  }

  /** From now on it is a version like others: whoever keeps it is not remembered. */
  close(): void {
    this.closed = true;
  }

  /** Pieces of it are plain arrays. */
  static override get [Symbol.species](): ArrayConstructor {
    return Array;
  }
}

/** -1, 0 or 1 as version `a` is older than, the same as, or newer than `b`; missing numbers count as 0. */
export function compareVersions(a: readonly number[], b: readonly number[]): number {
  if (a instanceof AskedVersion) a.ask(b);
  if (b instanceof AskedVersion) b.ask(a);
  const most = Math.max(a.length, b.length);
  for (let i = 0; i < most; i++) {
    const d = (a[i] ?? 0) - (b[i] ?? 0);
    if (d !== 0) return d < 0 ? -1 : 1;
  }
  return 0;
}

/**
 * Keeps what is worked out for a version, by a key that names it. A version that remembers what it was asked is asked the same whether the
 * answer was known or not. What a value that holds the version asks of it later must have been asked while it was made.
 */
export function askedMemo<T>(most: number): (key: string, asked: readonly number[], make: AskedMake<T>) => T {
  const known = new Map<string, { readonly value: T; readonly dates: readonly (readonly number[])[] }>();
  return (key, asked, make) => {
    let found = known.get(key);
    if (found === undefined) {
      const version = new AskedVersion([...asked]);
      const value = make(version);
      if (known.size >= most) known.clear();
      version.close();
      found = { value, dates: [...new Set(version.dates)] };
      known.set(key, found);
    }
    if (asked instanceof AskedVersion) asked.dates.push(...found.dates);
    return found.value;
  };
}
export type AskedMake<T> = (version: AskedVersion) => T;

/** True when `release` is `version` or newer. */
export function atLeast(release: Release, version: readonly number[]): boolean {
  return compareVersions(release.version, version) >= 0;
}

/** The stable branch of a version: `6.1` of 6.1.192, `2.6.32` of 2.6.32.67. */
export const branchOf = (version: readonly number[]): string =>
  version.slice(0, (version[0] as number) < 3 ? 3 : 2).join(".");

const pointOf = (version: readonly number[]): number => version[(version[0] as number) < 3 ? 3 : 2] ?? 0;

const branches = new WeakMap<readonly number[], string>();

/** {@link branchOf} of a version that facts are asked about again and again. */
function knownBranchOf(version: readonly number[]): string {
  const known = branches.get(version);
  if (known !== undefined) return known;
  const branch = branchOf(version);
  branches.set(version, branch);
  return branch;
}

/** Whether the version's own branch took a fact over at or before it. */
const tookOver = (fact: Fact<unknown>, version: readonly number[]): boolean => {
  if (fact.stable === undefined) return false;
  const first = fact.stable[knownBranchOf(version)];
  return first !== undefined && first <= pointOf(version);
};

/**
 * The fact in force at a release: the last entry whose `since` is not newer or which the release's own stable branch has taken over; undefined
 * before the first. Tables are in order of `since`.
 */
export function factAt<T>(facts: readonly Fact<T>[], version: readonly number[]): Fact<T> | undefined {
  let found: Fact<T> | undefined;
  for (const fact of facts) if (compareVersions(fact.since, version) <= 0 || tookOver(fact, version)) found = fact;
  return found;
}

const archAliases: Readonly<Record<string, Architecture>> = {
  amd64: "x86_64",
  x64: "x86_64",
  i586: "i386",
  i686: "i386",
  x86: "i386",
  ppc: "ppc32",
  powerpc: "ppc32",
  ppc64le: "ppc64",
  aarch64: "arm64",
  armv7l: "arm",
  riscv: "riscv64",
};

/** Reads `2.6.24-x86_64`, `6.1`, `6.1.0-56-amd64`, `4.20-arm64`; the architecture is x86_64 unless the text ends in one. Throws BadInput. */
export function parseRelease(text: string): Release {
  const match = /^v?(\d+(?:\.\d+){1,3})/.exec(text.trim());
  const numbers = match?.[1];
  if (numbers === undefined) {
    throw new BadInput(
      `"${text}" is not a kernel release.`,
      undefined,
      "Write it like 2.6.24, 4.19-arm64 or 6.1-x86_64.",
    );
  }
  const rest = text.trim().slice(match?.[0].length ?? 0);
  const tail = [...architectures, ...Object.keys(archAliases)].find(
    (a) => /[-.]/.test(rest.at(-a.length - 1) ?? "") && rest.endsWith(a),
  );
  return {
    version: numbers.split(".").map(Number),
    arch: archAliases[tail ?? ""] ?? ((tail ?? "x86_64") as Architecture),
  };
}

/** Mainline's series: the last minor of each major that is finished. 2.6 ended with 2.6.39, 6 with 6.19; what follows 7.2 is not known here. */
const lastMinors: Readonly<Record<number, number>> = { 3: 19, 4: 20, 5: 19, 6: 19 };
const newestMajor = 7;
const everyRelease = "2.4, 2.6.0 to 2.6.39, 3.0 to 3.19, 4.0 to 4.20, 5.0 to 5.19, 6.0 to 6.19, 7.0 and later";

/** Architectures of Linux that are not known here: a release of one is not taken for x86_64. The suffix of any other word is a vendor's. */
const otherArch =
  /[-.](alpha|arc|csky|hexagon|ia64|loongarch(?:64)?|m68k|microblaze|mips64|nios2|openrisc|parisc(?:64)?|s390|sh4|sparc(?:64)?|xtensa)$/;

/** `parseRelease` of what a person typed: it must be a release that exists. Throws BadInput with the list of those that do. */
export function namedRelease(text: string): Release {
  const release = parseRelease(text);
  const other = otherArch.exec(text.trim())?.[1];
  if (other !== undefined)
    throw new BadInput(
      `Linux on ${other} is not known here.`,
      undefined,
      `Architectures: ${architectures.join(", ")}.`,
    );
  const [major = 0, minor = 0, patch = 0] = release.version;
  const exists =
    major === 2
      ? minor === 4 || (minor === 6 && patch <= 39)
      : major <= newestMajor && minor <= (lastMinors[major] ?? (major === newestMajor ? 99 : -1));
  if (!exists)
    throw new BadInput(`There is no Linux ${release.version.join(".")}.`, undefined, `Releases are ${everyRelease}.`);
  return release;
}

/** `2.6.24-x86_64` */
export function formatRelease(release: Release): string {
  return `${release.version.join(".")}-${release.arch}`;
}
