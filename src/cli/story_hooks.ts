// Loader hooks for authors' stories (node:module register): "skblab" is this very package, wherever the story lies, and a .ts file
// is read as the module it is. Node ≥ 22.13 strips its types; an older Node runs it only if nothing is left to strip, which is
// the case where all types are inferred.
import { readFile } from "node:fs/promises";
import * as nodeModule from "node:module";
import { fileURLToPath } from "node:url";

interface Resolved {
  readonly url: string;
  readonly shortCircuit?: boolean;
}
interface Loaded {
  readonly format: string;
  readonly source?: string;
  readonly shortCircuit?: boolean;
}

/** Sends `skblab` to this package. */
export async function resolve(
  specifier: string,
  context: unknown,
  next: (specifier: string, context: unknown) => Promise<Resolved>,
): Promise<Resolved> {
  if (specifier === "skblab") return { url: new URL("../library.js", import.meta.url).href, shortCircuit: true };
  return next(specifier, context);
}

/** Node strips types of what it loads (22.18). */
const stripsByItself = (process.features as { typescript?: unknown }).typescript === "strip";

/** Reads TypeScript as a module. */
export async function load(
  url: string,
  context: unknown,
  next: (url: string, context: unknown) => Promise<Loaded>,
): Promise<Loaded> {
  if (!/\.m?ts(\?|$)/.test(url) || stripsByItself) return next(url, context);
  const text = await readFile(fileURLToPath(url), "utf8");
  const strip = (nodeModule as { stripTypeScriptTypes?: (code: string) => string }).stripTypeScriptTypes;
  return { format: "module", source: strip === undefined ? text : strip(text), shortCircuit: true };
}
