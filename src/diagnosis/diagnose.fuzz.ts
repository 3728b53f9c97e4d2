// Hostile and broken logs: whatever was cut, swapped or repeated, the diagnosis stands, its answer is well-formed, and each line it quotes
// is in the input.

import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { gather } from "../artifact/gather.ts";
import { sourceOf } from "../base/byte_source.ts";
import { type Prng, prng } from "../base/prng.ts";
import { sized } from "../base/size.testkit.ts";
import { diagnosisDocument } from "../report/diagnosis.ts";
import { diagnosisSchema } from "../report/diagnosis_schema.ts";
import { renderText } from "../report/text.ts";
import { createCollector } from "./collect.ts";
import { diagnose } from "./diagnose.ts";

const seed = 20261120;
const rounds = sized(40, 120);
const root = new URL("../../fixtures/logs/", import.meta.url);
const names = [
  "failures_6.1.txt",
  "tg3_gentoo_2009.txt",
  "ppc405ex_emac_2009.txt",
  "bad_pages_6.1.txt",
  "e1000_refill_6.1.txt",
  "slab_oom_6.1.txt",
  "slub_debug_6.1.txt",
];
const logs = names.map((n) => readFileSync(new URL(n, root), "utf8"));
const releases = [
  "2.4.20",
  "2.6.9-5.EL",
  "2.6.18-8",
  "2.6.32-754.el6.x86_64",
  "3.10.0-1160.el7.x86_64",
  "4.4.0",
  "4.19.0-6-amd64",
  "5.15.0-25-generic",
  "6.8.0-31-generic",
  "7.1.8",
  "0.0",
  "999.999.999",
  "banana",
];

function damage(text: string, p: Prng): string {
  let lines = text.split("\n");
  // Keep it short: a window of the log is enough to break.
  const from = p.below(lines.length);
  lines = lines.slice(from, from + 40 + p.below(200));
  for (let k = p.below(8); k > 0 && lines.length > 0; k--) {
    const at = p.below(lines.length);
    const line = lines[at] ?? "";
    switch (p.below(7)) {
      case 0:
        lines.splice(at, 1 + p.below(4));
        break;
      case 1:
        lines[at] = line.slice(0, p.below(line.length + 1));
        break;
      case 2:
        lines[at] = line.replace(/\d+/g, () => String(p.u32()));
        break;
      case 3:
        lines.splice(at, 0, lines[p.below(lines.length)] ?? "");
        break;
      case 4:
        lines[at] = line.replace(/0x[0-9a-f]+/g, `0x${p.u32().toString(16)}`);
        break;
      case 5:
        lines[at] = `> ${line}`;
        break;
      default:
        lines[at] = line.replace(/order:?=?\d+/g, `order:${p.below(60)}`);
    }
  }
  const release = p.pick(releases);
  return lines
    .join("\n")
    .replace(/6\.1\.192-oracle|2\.6\.24-gentoo-r8_64-08\.19\.08/g, p.chance(0.5) ? release : "6.1.192-oracle");
}

test(`damaged logs never break the diagnosis (seed ${seed}, ${rounds} rounds)`, async () => {
  const p = prng(seed);
  for (let round = 0; round < rounds; round++) {
    const text = damage(p.pick(logs), p);
    const collector = createCollector();
    const gathered = await gather([{ source: sourceOf("x.log", text), named: true }], { onWindow: collector.onWindow });
    const d = diagnose(collector.finish(gathered));
    const shown = `seed ${seed} round ${round}`;
    expect(() => diagnosisSchema.parse(JSON.parse(JSON.stringify(d))), shown).not.toThrow();
    expect(renderText(diagnosisDocument(d), { colour: false, width: 80 }).length, shown).toBeGreaterThan(10);
    expect(JSON.stringify(d), shown).not.toContain("(our fault)");
    const lines = text.split("\n");
    for (const i of d.incidents)
      for (const f of i.findings) for (const q of f.evidence) expect(q.line, shown).toBeLessThanOrEqual(lines.length);
  }
});
