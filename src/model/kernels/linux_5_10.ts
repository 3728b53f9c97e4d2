// Linux 5.10.223, x86_64: the parts of that release, each read in its source and held by recordings of it.
import type { ExactKernel } from "./kernel.ts";
import { byFacts } from "./older.ts";

const release = { version: [5, 10, 223], arch: "x86_64" } as const;

export const linux_5_10: ExactKernel = {
  release,
  name: "Linux 5.10.223",
  parts: byFacts(release),
  holes: [],
};
