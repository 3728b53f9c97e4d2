// Which kernel a transcript was recorded on, and whether the model knows it. A transcript of a kernel that the model is not held to is refused:
// agreement with it would mean nothing, and disagreement neither.
import { BadInput } from "../base/bad_input.ts";
import type { Release } from "../kernel/release.ts";
import { parseRelease } from "../kernel/release.ts";
import type { ExactKernel } from "../model/kernels/kernel.ts";
import { exactKernelOf, exactKernels, partsFor } from "../model/kernels/parts_for.ts";
import type { TranscriptInput } from "./replayer.ts";

/** What the first line of a transcript may say about its kernel: uname -r and uname -v. */
export interface KernelStatement {
  readonly release?: unknown;
  readonly version?: unknown;
}

/**
 * The release behind uname's two lines. Debian's `uname -r` names an ABI (6.1.0-56-amd64); the point release stands in `uname -v`
 * (`#1 SMP … Debian 6.1.192-2 (…)`).
 */
export function releaseOfUname(release: string, version = ""): Release {
  const stated = parseRelease(release);
  const named = [...version.matchAll(/\bDebian (\d{1,4}\.\d{1,4}\.\d{1,6})-/g)].map(
    (m) => parseRelease(m[1] as string).version,
  );
  // The compiler in the same line has a version, too: only one of the same branch is the kernel's.
  const debian = named.find((v) => v[0] === stated.version[0] && v[1] === stated.version[1]);
  return debian === undefined ? stated : { ...stated, version: debian };
}

const known = (): string => exactKernels.map((kernel) => kernel.name.replace("Linux ", "")).join(", ");

/**
 * The recorded kernel of a transcript: from its own first line, else from what lies beside it (input.kernel). BadInput when neither says it or the
 * model is not exact for it.
 */
export function kernelOfTranscript(input: TranscriptInput, said: KernelStatement): ExactKernel {
  const place = { file: input.path, line: 1 };
  if (input.as !== undefined) return kernelNamed(input.as);
  const own = typeof said.release === "string" ? said.release : undefined;
  if (own !== undefined && typeof said.version === "string") requireOneBranch(input, own, said.version);
  if (own === undefined && input.kernel === undefined)
    throw new BadInput(
      "The transcript does not say which kernel it was recorded on, and nothing beside it does.",
      place,
      `Name it with --kernel: ${known()}.`,
    );
  const release =
    own === undefined
      ? parseRelease(input.kernel as string)
      : releaseOfUname(own, typeof said.version === "string" ? said.version : "");
  const pointReleaseSaid = typeof said.version === "string" && said.version.includes("Debian ");
  const exact = exactKernelOf(release.version) ?? (pointReleaseSaid ? undefined : abiOf(own));
  if (exact === undefined)
    throw new BadInput(
      `The transcript is of Linux ${release.version.join(".")}, which the model is not held to.`,
      place,
      `It repeats ${known()}. Where this kernel differs from the nearest of them: --as ${partsFor(release).nearest.release.version.join(".")}.`,
    );
  return exact;
}

/** BadInput where uname -v names Debian's point releases, and none of them is of the branch that uname -r names. */
function requireOneBranch(input: TranscriptInput, release: string, version: string): void {
  const [major, minor] = parseRelease(release).version;
  const named = [...version.matchAll(/\bDebian (\d{1,4})\.(\d{1,4})\.\d{1,6}-/g)];
  if (named.length > 0 && !named.some((m) => Number(m[1]) === major && Number(m[2]) === minor))
    throw new BadInput(
      `"release" says Linux ${major}.${minor}, and "version" Debian ${named[0]?.[1]}.${named[0]?.[2]}.`,
      { file: input.path, line: 1 },
      "The transcript was changed: copy it again.",
    );
}

/** The kernel that the user named to compare with; BadInput when the model is not exact for it. */
function kernelNamed(name: string): ExactKernel {
  const exact = exactKernelOf(parseRelease(name).version);
  if (exact === undefined)
    throw new BadInput(
      `"${name}" is not one of the kernels that the model repeats.`,
      undefined,
      `They are ${known()}.`,
    );
  return exact;
}

/** Debian ABI names whose transcripts carry no uname -v, as read in the packages' changelogs. */
const abis: Readonly<Record<string, readonly number[]>> = {
  "6.1.0-56-amd64": [6, 1, 192],
  "5.10.0-32-amd64": [5, 10, 223],
};

const abiOf = (uname: string | undefined): ExactKernel | undefined => {
  const version = abis[uname ?? ""];
  return version === undefined ? undefined : exactKernelOf(version);
};
