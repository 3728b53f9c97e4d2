// dist/licenses.txt: every package whose code is shipped (production dependencies, and what the page bundles), with version, licence and its text.
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** Development dependencies whose code the built page holds. */
const inThePage = ["@preact/signals", "@preact/signals-core", "preact", "uplot"];

const root = join(import.meta.dirname, "..");
const { packages } = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8"));
const shipped = Object.entries(packages)
  .filter(
    ([path, p]) =>
      path.startsWith("node_modules/") && (p.dev !== true || inThePage.includes(path.slice("node_modules/".length))),
  )
  .filter(([path, p]) => p.optional !== true || existsSync(join(root, path)))
  .sort(([a], [b]) => (a < b ? -1 : 1));
const text = shipped.map(([path]) => {
  const own = JSON.parse(readFileSync(join(root, path, "package.json"), "utf8"));
  const file = readdirSync(join(root, path)).find((name) => /^(?:licen[cs]e|copying)(?:\.(?:md|txt))?$/i.test(name));
  const words =
    file === undefined ? "(no licence file in the package)" : readFileSync(join(root, path, file), "utf8").trim();
  return `${own.name} ${own.version}: ${own.license}\n\n${words}\n`;
});
writeFileSync(join(root, "dist/licenses.txt"), text.join(`\n${"-".repeat(80)}\n\n`));
