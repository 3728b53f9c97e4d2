// Writes docs/cases/ID.md, and the answer that the web page shows at once (src/web/shipped/ID.json), from a run of each case: `npm run build && node scripts/write-cases.mjs [ID…]`.
import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const root = join(import.meta.dirname, "..");
const dist = process.env.SKBLAB_DIST ?? join(root, "dist");
const skblab = (...args) =>
  execFileSync(process.execPath, [join(dist, "cli/main.js"), ...args], { encoding: "utf8", maxBuffer: 1 << 26 });
const asked = process.argv.slice(2);
const known = JSON.parse(skblab("cases", "--format", "json")).map((c) => c.id);
mkdirSync(join(root, "docs/cases"), { recursive: true });
for (const id of known) {
  if (asked.length > 0 && !asked.includes(id)) continue;
  const page = skblab("cases", id, "--format", "markdown");
  writeFileSync(join(root, `src/web/shipped/${id}.json`), skblab("cases", id, "--format", "json"));
  writeFileSync(
    join(root, `docs/cases/${id}.md`),
    `${page}\nThis page is the output of \`skblab cases ${id} --format markdown\`: run it to see the numbers for yourself.\n`,
  );
}
