// Small files that a command reads whole: scenarios, BTF. Logs and dumps are streamed (open.ts).
import { readFileSync } from "node:fs";
import { BadInput } from "../../base/bad_input.ts";

/** The bytes of a file; standard input for "-". The system names no path when a directory is read: here it is named. */
export function wholeFile(path: string): Buffer {
  try {
    return readFileSync(path === "-" ? 0 : path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EISDIR") throw error;
    throw new BadInput("This is a directory.", { file: path }, "Name a file.");
  }
}

/** The same as text. */
export const wholeText = (path: string): string => wholeFile(path).toString("utf8");
