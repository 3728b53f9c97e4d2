// After tsc: what people run most, and what every thread starts with, is put into one file each, since opening hundreds of modules takes longer than
// a small log. What must be there once stays outside: errors that the door recognises, the index of functions, files that find others by their own place.
import { copyFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join, relative, resolve } from "node:path";
import { build } from "vite";

const errors = "base/(?:bad_input|assert)";
const programs = [
  // The door's own: the version is found by its place, and what is written by whoever began to.
  {
    file: "dist/cli/program.js",
    outside: new RegExp(`dist/(?:cli/(?:version|output)|${errors})\\.js$`),
    packages: true,
  },
  {
    file: "dist/cli/commands/diagnose.js",
    outside: new RegExp(
      `dist/(?:cli/[^/]+|cli/(?:image|watch|parallel)/.*|${errors}|kernel/facts/functions/index)\\.js$`,
    ),
    packages: true,
  },
  // A thread of its own shares nothing with the command but what errors are.
  { file: "dist/cli/parallel/part_worker.js", outside: new RegExp(`dist/${errors}\\.js$`), packages: true },
  { file: "dist/cli/parallel/prove_all.js", outside: new RegExp(`dist/${errors}\\.js$`), packages: true },
];

const out = mkdtempSync(join(tmpdir(), "skblab-command-"));
try {
  // All from the modules as they are, then all in their places.
  for (const program of programs) await oneFile(program);
  for (const { file } of programs) copyFileSync(join(out, basename(file)), file);
} finally {
  rmSync(out, { recursive: true, force: true });
}

async function oneFile({ file, outside, packages }) {
  const entry = resolve(file);
  await build({
    configFile: false,
    logLevel: "warn",
    plugins: [
      {
        name: "shared-modules",
        enforce: "pre",
        async resolveId(source, importer, options) {
          if (importer === undefined) return null;
          const found = await this.resolve(source, importer, { ...options, skipSelf: true });
          if (found === null || found.external) return found;
          // What a dynamic import loads is loaded as it is.
          if (!outside.test(found.id) && options.kind !== "dynamic-import") return found;
          const path = relative(dirname(entry), found.id);
          return { id: path.startsWith(".") ? path : `./${path}`, external: true };
        },
      },
    ],
    ...(packages ? { ssr: { noExternal: true } } : {}),
    build: {
      ssr: entry,
      outDir: out,
      emptyOutDir: false,
      minify: false,
      target: "node20",
      rollupOptions: { output: { entryFileNames: basename(file) } },
    },
  });
}
