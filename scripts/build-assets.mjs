// After tsc: the command line becomes executable, and the web page is built where its sources are.
import { chmodSync, existsSync } from "node:fs";

chmodSync("dist/cli/main.js", 0o755);
if (existsSync("src/web/vite.config.ts")) {
  const { build } = await import("vite");
  await build({ configFile: "src/web/vite.config.ts", logLevel: "warn" });
}
