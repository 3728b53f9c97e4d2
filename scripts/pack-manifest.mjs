// The package.json that is packed says what a user needs: no scripts (there is nothing left to build, and npm warns of a `prepare`), no
// development dependencies (of another folder, where one is named). `strip` before packing, `restore` behind it; npm runs both itself (prepack, postpack).
import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";

const root = resolve(process.argv[3] ?? join(import.meta.dirname, ".."));
const manifest = join(root, "package.json");
const kept = join(root, "node_modules/.skblab-package.json");
if (process.argv[2] === "strip") {
  const text = readFileSync(manifest, "utf8");
  const { scripts: _scripts, devDependencies: _development, ...shipped } = JSON.parse(text);
  writeFileSync(kept, text);
  writeFileSync(manifest, `${JSON.stringify(shipped, null, 2)}\n`);
} else if (existsSync(kept)) renameSync(kept, manifest);
