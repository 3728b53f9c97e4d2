// Every command, in the order of the help page. Adding one is one line here and one file in commands/.
import type { CommandEntry } from "./command.ts";

export const commands: readonly CommandEntry[] = [];
