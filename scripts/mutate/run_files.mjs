// Runs files of tests one after the other until one fails: node run_files.mjs FILE…; exit code 1 and its words then. With --each all are run, and
// a line of JSON tells of each whether it passes here and how long it takes.
import { runFile } from "vitest";
import { giveFunctionIndexFile } from "./src/cli/function_index.js";

giveFunctionIndexFile();
const each = process.argv[2] === "--each";
for (const path of process.argv.slice(each ? 3 : 2)) {
  const begun = performance.now();
  let failed;
  try {
    await runFile(path);
  } catch (error) {
    failed = String(error?.message ?? error);
  }
  if (each) console.log(JSON.stringify({ path, failed, millis: Math.round(performance.now() - begun) }));
  else if (failed !== undefined) {
    console.log(failed.slice(0, 300));
    process.exit(1);
  }
}
process.exit(0);
