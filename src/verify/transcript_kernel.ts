// Which kernel a transcript was recorded on, and whether the model knows it. A transcript of a kernel that the model is not held to is refused:
// agreement with it would mean nothing, and disagreement neither.
import { BadInput } from "../base/bad_input.ts";
import type { Release } from "../kernel/release.ts";
import { parseRelease } from "../kernel/release.ts";
import type { ExactKernel } from "../model/kernels/kernel.ts";
import { exactKernelOf, exactKernels } from "../model/kernels/parts_for.ts";
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
  const own = typeof said.release === "string" ? said.release : undefined;
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
  const exact = exactKernelOf(release.version) ?? abiOf(own);
  if (exact === undefined)
    throw new BadInput(
      `The transcript is of Linux ${release.version.join(".")}, which the model is not held to.`,
      place,
      `It repeats ${known()}.`,
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
