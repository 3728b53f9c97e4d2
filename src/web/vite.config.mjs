// Two builds of the same page: the site (first view small, everything else on demand) and one HTML file that works from file://.
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const root = import.meta.dirname;
const { version } = JSON.parse(readFileSync(join(root, "../../package.json"), "utf8"));

/** What the page may do: nothing from anywhere else. The single file names its own script and style by their hashes. */
const policy = (script, style) =>
  `default-src 'none'; script-src ${script} 'wasm-unsafe-eval'; style-src ${style}; img-src 'self' data: blob:; connect-src 'self'; worker-src 'self' blob:; font-src 'none'; base-uri 'none'; form-action 'none'`;
const meta = (text) => `<meta http-equiv="Content-Security-Policy" content="${text}">`;
const mark = "<!-- csp -->";
const hash = (text) => `'sha256-${createHash("sha256").update(text).digest("base64")}'`;

const contentSecurityPolicy = {
  name: "skblab-csp",
  transformIndexHtml: (html) => html.replace(mark, meta(policy("'self'", "'self'"))),
};

/** Puts the one script and the one style sheet into the HTML file. */
function inlineAll(outDir) {
  return {
    name: "skblab-inline",
    closeBundle() {
      const file = join(outDir, "index.html");
      const hashes = { script: [], style: [] };
      const html = readFileSync(file, "utf8")
        .replace(/<script type="module"[^>]* src="\.\/([^"]+)"><\/script>/g, (_, src) => {
          const code = readFileSync(join(outDir, src), "utf8").replace(/<\/(script)/gi, "<\\/$1");
          hashes.script.push(hash(code));
          return `<script type="module">${code}</script>`;
        })
        .replace(/<link rel="stylesheet"[^>]* href="\.\/([^"]+)">/g, (_, href) => {
          const style = readFileSync(join(outDir, href), "utf8");
          hashes.style.push(hash(style));
          return `<style>${style}</style>`;
        })
        .replace(/<link rel="modulepreload"[^>]*>/g, "");
      // A replacement text would read $& and the like out of the code: a function does not.
      const text = meta(policy(hashes.script.join(" "), hashes.style.join(" ")));
      writeFileSync(
        join(outDir, "skblab.html"),
        html.replace(mark, () => text),
      );
    },
  };
}

/** The build for the site, or for the single file. */
export function configFor(single) {
  const outDir = join(process.env.SKBLAB_WEB_DIST ?? join(root, "../../dist"), single ? "web-single" : "web");
  return {
    root,
    base: "./",
    logLevel: "warn",
    define: { __VERSION__: JSON.stringify(version), __SINGLE__: JSON.stringify(single) },
    oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
    plugins: [single ? inlineAll(outDir) : contentSecurityPolicy],
    // A module worker may not start from a blob of a file:// page; a classic one may.
    worker: single ? { format: "iife", rolldownOptions: { output: { codeSplitting: false } } } : { format: "es" },
    build: {
      outDir,
      emptyOutDir: true,
      target: "es2022",
      modulePreload: false,
      assetsInlineLimit: single ? 100_000_000 : 0,
      cssCodeSplit: !single,
      chunkSizeWarningLimit: 4000,
      ...(single ? { rolldownOptions: { output: { codeSplitting: false } } } : {}),
    },
  };
}
