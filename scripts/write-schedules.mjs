// Writes the table of transmit locking schemes that the web page shows at once, with the shortest schedule of each finding, from a full search:
// `npm run build && node scripts/write-schedules.mjs`. src/cli/web_shipped.test.ts plays every schedule of it.
import { writeFileSync } from "node:fs";
import { join } from "node:path";

const root = join(import.meta.dirname, "..");
const dist = process.env.SKBLAB_DIST ?? join(root, "dist");
const { lltxTable } = await import(join(dist, "explore/stories/lltx.js"));
writeFileSync(join(root, "src/web/shipped_lltx.json"), `${JSON.stringify(lltxTable(), undefined, 1)}\n`);
