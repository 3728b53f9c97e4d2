// Two builds of the same page: the site (first view small, everything else on demand) and one HTML file that works from file://.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const root = import.meta.dirname;
const { version } = JSON.parse(readFileSync(join(root, "../../package.json"), "utf8"));

/** What the page may do: nothing from anywhere else. The single file adds the hashes it needs by being inline. */
const policy = (scripts) =>
  `default-src 'none'; script-src ${scripts} 'wasm-unsafe-eval'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; connect-src 'self'; worker-src 'self' blob:; font-src 'none'; base-uri 'none'; form-action 'none'`;

function contentSecurityPolicy(single) {
  return {
    name: "skblab-csp",
    transformIndexHtml: (html) =>
      html.replace(
        "<!-- csp -->",
        `<meta http-equiv="Content-Security-Policy" content="${policy(single ? "'unsafe-inline' blob:" : "'self'")}">`,
      ),
  };
}

/** Puts the one script and the one style sheet into the HTML file. */
function inlineAll(outDir) {
  return {
    name: "skblab-inline",
    closeBundle() {
      const file = join(outDir, "index.html");
      const html = readFileSync(file, "utf8")
        .replace(/<script type="module"[^>]* src="\.\/([^"]+)"><\/script>/g, (_, src) => {
          const code = readFileSync(join(outDir, src), "utf8").replace(/<\/(script)/gi, "<\\/$1");
          return `<script type="module">${code}</script>`;
        })
        .replace(
          /<link rel="stylesheet"[^>]* href="\.\/([^"]+)">/g,
          (_, href) => `<style>${readFileSync(join(outDir, href), "utf8")}</style>`,
        )
        .replace(/<link rel="modulepreload"[^>]*>/g, "");
      writeFileSync(join(outDir, "skblab.html"), html);
    },
  };
}

/** The build for the site, or for the single file. */
export function configFor(single) {
  const outDir = join(root, "../../dist", single ? "web-single" : "web");
  return {
    root,
    base: "./",
    logLevel: "warn",
    define: { __VERSION__: JSON.stringify(version), __SINGLE__: JSON.stringify(single) },
    oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
    plugins: [contentSecurityPolicy(single), ...(single ? [inlineAll(outDir)] : [])],
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
