import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join, relative, resolve } from "node:path";

const root = resolve(import.meta.dirname, "../..");

/** The source at one place, where it can be changed and its tests run in one process: compiled, with vitest's name given to small_vitest.mjs. */
export function layOut(work) {
  writeFileSync(join(work, "package.json"), '{"type":"module"}');
  writeFileSync(
    join(work, "tsconfig.json"),
    JSON.stringify({
      extends: join(root, "tsconfig.json"),
      compilerOptions: {
        noEmit: false,
        noCheck: true,
        rootDir: join(root, "src"),
        outDir: join(work, "src"),
        types: [],
      },
      include: [join(root, "src")],
      exclude: [join(root, "src/web")],
    }),
  );
  const { status, stdout } = spawnSync(
    process.execPath,
    [join(root, "node_modules/typescript/bin/tsc"), "-p", join(work, "tsconfig.json")],
    { encoding: "utf8" },
  );
  if (status !== 0) throw new Error(`The source does not compile: ${stdout}`);
  for (const f of readdirSync(join(root, "src"), { recursive: true, withFileTypes: true })) {
    const from = join(f.parentPath, f.name);
    if (f.isFile() && !/\.tsx?$/.test(f.name) && !from.includes("/src/web/"))
      cpSync(from, join(work, relative(root, from)), { recursive: true });
  }
  mkdirSync(join(work, "node_modules/vitest"), { recursive: true });
  for (const name of readdirSync(join(root, "node_modules")))
    if (name !== "vitest" && !name.startsWith("."))
      symlinkSync(join(root, "node_modules", name), join(work, "node_modules", name));
  cpSync(join(import.meta.dirname, "small_vitest.mjs"), join(work, "node_modules/vitest/index.mjs"));
  writeFileSync(join(work, "node_modules/vitest/package.json"), '{"type":"module","exports":"./index.mjs"}');
  cpSync(join(import.meta.dirname, "run_files.mjs"), join(work, "run_files.mjs"));
  for (const name of ["fixtures", "docs", "scenarios", "schemas", "examples", "README.md"])
    symlinkSync(join(root, name), join(work, name));
}
