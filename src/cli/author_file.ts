// A file that somebody wrote for skblab (a story, a driver): loaded as a module, with "skblab" resolved to this very package.
import { existsSync } from "node:fs";
import { register } from "node:module";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { BadInput } from "../base/bad_input.ts";

/** Whether a name is that of a file that can be loaded. */
export const isAuthorFile = (name: string): boolean => /\.(m?ts|m?js)$/.test(name);

/** What the file exports; BadInput when it cannot be loaded. `advice`: what to do where Node cannot strip types. */
export async function loadAuthorFile(file: string, advice: string): Promise<Readonly<Record<string, unknown>>> {
  if (!existsSync(file)) throw new BadInput("There is no such file.", { file });
  register(new URL("./story_hooks.js", import.meta.url));
  try {
    return (await import(pathToFileURL(resolve(file)).href)) as Record<string, unknown>;
  } catch (error) {
    throw loadFault(file, advice, error);
  }
}

function loadFault(file: string, advice: string, error: unknown): unknown {
  if (error instanceof BadInput) return error;
  const text = error instanceof Error ? error.message.split("\n")[0] : String(error);
  const strip =
    error instanceof SyntaxError && file.endsWith("ts")
      ? `Node ${process.version} cannot strip types. ${advice}Rename the file to .mjs, or use Node 22.18 or later.`
      : undefined;
  return new BadInput(`It cannot be loaded: ${text}.`, { file }, strip);
}
