// Every command, in the order of the help page. Adding one is one line here and one file in commands/.
import type { CommandEntry } from "./command.ts";

export const commands: readonly CommandEntry[] = [
  {
    name: "verify",
    summary: "replay transcripts of a real kernel on the model",
    load: async () => (await import("./commands/verify.ts")).command,
  },
];
