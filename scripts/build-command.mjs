// After tsc: the command that people run most is put into one file, since opening its two hundred modules takes longer than a small log. What
// the commands share stays outside: errors that the door recognises, the index of functions, and the files that find others by their own place.
import { copyFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative, resolve } from "node:path";
import { build } from "vite";

const command = resolve("dist/cli/commands/diagnose.js");
const shared =
  /dist\/(?:cli\/[^/]+\.js|cli\/(?:input|image|watch|parallel)\/.*|base\/(?:bad_input|assert)\.js|kernel\/facts\/functions\/index\.js)$/;

const out = mkdtempSync(join(tmpdir(), "skblab-command-"));
try {
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
          if (!shared.test(found.id) && options.kind !== "dynamic-import") return found;
          const path = relative(dirname(command), found.id);
          return { id: path.startsWith(".") ? path : `./${path}`, external: true };
        },
      },
    ],
    build: {
      ssr: command,
      outDir: out,
      emptyOutDir: false,
      minify: false,
      target: "node20",
      rollupOptions: { output: { entryFileNames: "diagnose.js" } },
    },
  });
  copyFileSync(join(out, "diagnose.js"), command);
} finally {
  rmSync(out, { recursive: true, force: true });
}
