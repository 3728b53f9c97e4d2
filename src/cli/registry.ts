// Every command, in the order of the help page. Adding one is one line here and one file in commands/.
import type { CommandEntry } from "./command.ts";

export const commands: readonly CommandEntry[] = [
  {
    name: "decode",
    summary: "say what a gfp mask or a page-flags word means, in one kernel or in every era",
    load: async () => (await import("./commands/decode.ts")).command,
  },
  {
    name: "page-owner",
    summary: "take a census of a page_owner dump: who holds memory, what pins it, what grew",
    load: async () => (await import("./commands/page_owner.ts")).command,
  },
  {
    name: "verify",
    summary: "replay transcripts of a real kernel on the model",
    load: async () => (await import("./commands/verify.ts")).command,
  },
];
