// What a kernel is made of, in one list a release. Which release has which list is parts_for.ts; no part reads a release itself.
import type { Release } from "../../kernel/release.ts";
import type { MmParts } from "../mm/parts.ts";
import type { NetParts } from "../net/parts.ts";
import type { SlabParts } from "../slab/parts.ts";

/** The parts that a release picks. Each room names its own slots: mm/parts.ts, slab/parts.ts, net/parts.ts. */
export interface KernelParts {
  readonly mm: MmParts;
  readonly slab: SlabParts;
  readonly net: NetParts;
}

/** A kernel whose every recorded step the model repeats. */
export interface ExactKernel {
  /** The point release and architecture that were recorded. */
  readonly release: Release;
  /** Other point releases of which recordings came out the same. */
  readonly alike?: readonly (readonly number[])[];
  /** As people call it: "Linux 6.12.117". */
  readonly name: string;
  readonly parts: KernelParts;
  /** What of this kernel the model does not have, in words. */
  readonly holes: readonly string[];
}
