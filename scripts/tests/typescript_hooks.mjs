// What Node asks about a module that it loads: a TypeScript file is given without its types, with a map to its own lines.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath, pathToFileURL } from "node:url";

// The transformer that vite brings: the page is built with it too.
const vite = createRequire(createRequire(import.meta.url).resolve("vite"));
const { transformSync } = await import(pathToFileURL(vite.resolve("rolldown/utils")).href);

export function load(url, context, next) {
  const [bare] = url.split("?");
  if (!/^file:.*\.tsx?$/.test(bare)) return next(url, context);
  const path = fileURLToPath(bare);
  const { code, map, errors } = transformSync(path, readFileSync(path, "utf8"), {
    sourcemap: true,
    jsx: { runtime: "automatic", importSource: "preact" },
  });
  if (errors.length > 0) throw errors[0];
  const inline = Buffer.from(JSON.stringify({ ...map, sources: [path] })).toString("base64");
  return {
    format: "module",
    shortCircuit: true,
    source: `${code}\n//# sourceMappingURL=data:application/json;base64,${inline}`,
  };
}
