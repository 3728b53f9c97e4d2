// Linux 6.12.117, x86_64: the parts of that release, each read in its source and held by recordings of it.
import type { ExactKernel } from "./kernel.ts";
import { byFacts } from "./older.ts";

const release = { version: [6, 12, 117], arch: "x86_64" } as const;

export const linux_6_12: ExactKernel = {
  release,
  name: "Linux 6.12.117",
  parts: byFacts(release),
  holes: [],
};
