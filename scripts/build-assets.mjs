// After tsc: the command line becomes executable, its manual page is written, and the web page is built beside it: the site, and the one file that works from file://.
import { chmodSync, copyFileSync, mkdirSync, rmSync } from "node:fs";
import { build } from "vite";

chmodSync("dist/cli/main.js", 0o755);
copyFileSync("src/kernel/facts/functions/network.idx.gz", "dist/kernel/facts/functions/network.idx.gz");
mkdirSync("dist/cli/collect", { recursive: true });
copyFileSync("src/cli/collect/collect.sh", "dist/cli/collect/collect.sh");
await import("./build-places.mjs");
await import("./build-command.mjs");
await import("./build-man.mjs");
await import("./build-licenses.mjs");
const { configFor } = await import("../src/web/vite.config.mjs");
await build({ ...configFor(false), configFile: false });
await build({ ...configFor(true), configFile: false });
copyFileSync("dist/web-single/skblab.html", "dist/web/skblab.html");
rmSync("dist/web-single", { recursive: true });
