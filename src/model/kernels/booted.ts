// A booted machine's memory for a release: partsFor() says which kernel it runs.
import type { BootedMemory, BootedOptions } from "../mm/booted.ts";
import { bootParts } from "../mm/booted.ts";
import { partsFor } from "./parts_for.ts";

/** Boots the kernel that `options.release` runs as. */
export function createBootedMemory(options: BootedOptions): BootedMemory {
  return bootParts(partsFor(options.release).parts.mm, options);
}
