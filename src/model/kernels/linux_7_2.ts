// Linux 7.2.12, x86_64: the parts of that release, each read in its source and held by recordings of it.
import type { ExactKernel } from "./kernel.ts";
import { byFacts } from "./older.ts";

const release = { version: [7, 2, 12], arch: "x86_64" } as const;

export const linux_7_2: ExactKernel = {
  release,
  name: "Linux 7.2.12",
  parts: byFacts(release),
  holes: [],
};
