// A file that somebody wrote for skblab (a story, a driver): loaded as a module, with "skblab" resolved to this very package.
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { register } from "node:module";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { createContext, Script } from "node:vm";
import { type AuthorsFile, authorsFault, placeInFile } from "../base/authors_fault.ts";
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

/** The line that cannot be parsed: an error of `import()` does not name it, `node --check` does. */
function unparsedLine({ file, url }: AuthorsFile): { readonly line: number } | undefined {
  const { stderr } = spawnSync(process.execPath, ["--check", resolve(file)], { encoding: "utf8", timeout: 5000 });
  const [first = ""] = (stderr ?? "").split("\n");
  const line = Number(first.slice(first.lastIndexOf(":") + 1));
  const named = first.startsWith(`${url}:`) || first.startsWith(`${resolve(file)}:`);
  return named && Number.isInteger(line) ? { line } : undefined;
}

function loadFault(file: string, advice: string, error: unknown): unknown {
  const of = { file, url: pathToFileURL(resolve(file)).href };
  if (error instanceof BadInput) return error.place === undefined ? authorsFault(error, "", of) : error;
  const text = error instanceof Error ? error.message.split("\n")[0] : String(error);
  const strip =
    error instanceof SyntaxError && file.endsWith("ts")
      ? `Node ${process.version} cannot strip types. ${advice}${advice === "" ? "Rename" : "or rename"} the file to .mjs, or use Node 22.18 or later.`
      : undefined;
  const { place } =
    error instanceof SyntaxError
      ? { place: { file, ...unparsedLine(of) } }
      : error instanceof Error
        ? placeInFile(error, of)
        : { place: { file } };
  return new BadInput(`It cannot be loaded: ${text}.`, place, strip);
}

/** For how long a stretch of some thousand events may run, milliseconds: it takes a few of them. */
export const patienceMillis = 10_000;

const timedOut = "ERR_SCRIPT_EXECUTION_TIMEOUT";

/** Runs `call`, and ends it where it stands when it takes longer than `millis`: then `late` says what to throw. */
export function stoppedAfter(millis: number): (call: () => unknown, late: () => BadInput) => unknown {
  const here: { call: () => unknown } = { call: () => undefined };
  const context = createContext(here);
  const script = new Script("call()");
  return (call, late) => {
    const outer = here.call;
    here.call = call;
    try {
      return script.runInContext(context, { timeout: millis });
    } catch (error) {
      // An Error of the context's own, not of this one.
      if (typeof error === "object" && error !== null && "code" in error && error.code === timedOut) {
        const said = late();
        throw new BadInput(
          `${said.message.slice(0, -1)}: it was stopped after ${millis / 1000} s.`,
          said.place,
          said.advice,
        );
      }
      throw error;
    } finally {
      here.call = outer;
    }
  };
}

/** What `call` gives, which runs the file's code: what that throws is told as its author's, and what does not come back is stopped after `millis`. */
export function runAuthors<T>(file: string, inside: string, call: () => T, millis = patienceMillis): T {
  const of = { file, url: pathToFileURL(resolve(file)).href };
  const results: T[] = [];
  const late = (): BadInput =>
    new BadInput(`${inside} does not come back.`, { file }, "Look for a loop in it that has no end.");
  try {
    stoppedAfter(millis)(() => results.push(call()), late);
  } catch (error) {
    // What has not come by the file's code is ours.
    const ours =
      error instanceof Error && !(error instanceof BadInput) && placeInFile(error, of).place.line === undefined;
    throw ours ? error : authorsFault(error, inside, of);
  }
  return results[0] as T;
}
