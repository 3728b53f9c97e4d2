// Findings of a log as data: run  node examples/library/explain.mjs LOG
import { createReadStream } from "node:fs";
import { explain } from "skblab";

const [log = "fixtures/logs/ppc405ex_emac_2009.txt"] = process.argv.slice(2);
const { incidents } = await explain({ [log]: createReadStream(log) });
for (const { title, count, cause, findings } of incidents) {
  console.log(`${count} x ${title}: ${cause}`);
  for (const { id, answer, evidence } of findings.filter((f) => f.answer !== "unknown"))
    console.log(`  ${id}: ${answer} (line ${evidence.map((e) => e.line).join(", ") || "-"})`);
}
