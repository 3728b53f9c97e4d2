// Which kernel the model stands for when it is asked for a release: the release itself where it was recorded, else the nearest that was.
import type { Release } from "../../kernel/release.ts";
import { branchOf, compareVersions, formatRelease } from "../../kernel/release.ts";
import type { ExactKernel, KernelParts } from "./kernel.ts";
import { linux_5_10 } from "./linux_5_10.ts";
import { linux_6_1 } from "./linux_6_1.ts";
import { linux_6_12 } from "./linux_6_12.ts";
import { linux_7_2 } from "./linux_7_2.ts";
import { linux_7_3 } from "./linux_7_3.ts";
import { byFacts } from "./older.ts";

/** The kernels that the model is held to, oldest first. */
export const exactKernels: readonly ExactKernel[] = [linux_5_10, linux_6_1, linux_6_12, linux_7_2, linux_7_3];

export interface KernelChoice {
  readonly parts: KernelParts;
  /** The recorded kernel that a run is; undefined when it is none. */
  readonly exact: ExactKernel | undefined;
  /** The recorded kernel that is closest by release; the exact one where there is one. */
  readonly nearest: ExactKernel;
  /** What is not modelled or not held by a recording, in sentences. */
  readonly holes: readonly string[];
}

/** The recorded kernel of exactly this version, whatever the architecture. */
export const exactKernelOf = (version: readonly number[]): ExactKernel | undefined =>
  exactKernels.find((kernel) =>
    [kernel.release.version, ...(kernel.alike ?? [])].some((recorded) => compareVersions(recorded, version) === 0),
  );

/** The parts of a release. A branch that was recorded runs as its recorded point release; any other by the dated facts. */
export function partsFor(release: Release): KernelChoice {
  const same = exactKernelOf(release.version);
  if (same !== undefined && release.arch === same.release.arch)
    return { parts: same.parts, exact: same, nearest: same, holes: same.holes };
  const nearest = nearestTo(release.version);
  const asked = formatRelease(release);
  if (branchOf(nearest.release.version) === branchOf(release.version) && release.arch === nearest.release.arch)
    return {
      parts: nearest.parts,
      exact: undefined,
      nearest,
      holes: [
        `${asked} runs with the rules of ${nearest.name}, the release of its branch that was recorded.`,
        ...nearest.holes,
      ],
    };
  return {
    parts: byFacts(release),
    exact: undefined,
    nearest,
    holes: [
      `${asked} was not recorded: it runs by dated facts. The nearest kernel that the model repeats step by step is ${nearest.name}.`,
    ],
  };
}

/** Distance in releases of the main line: 6.7 lies between 6.1 and 6.12. */
function nearestTo(version: readonly number[]): ExactKernel {
  const far = (kernel: ExactKernel): number => Math.abs(ordinal(kernel.release.version) - ordinal(version));
  return exactKernels.reduce((best, kernel) => (far(kernel) <= far(best) ? kernel : best));
}

/** Releases of the main line since 2.6.0, about: 2.6.x had 40, 3.x to 6.x twenty each. */
function ordinal([major = 0, minor = 0, third = 0]: readonly number[]): number {
  if (major < 3) return third;
  return 40 + (major - 3) * 20 + minor;
}
