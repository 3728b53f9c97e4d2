// However a log was delivered, it says the same: for every log fixture and seeded random transports the answers equal those of the bare text.
// TRANSPORTS=2000 makes the long run of it.
import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { prng } from "../base/prng.ts";
import { deliver } from "../observe/deliver.ts";
import { judgeText } from "./monotone.testkit.ts";

const root = new URL("../../fixtures/logs/", import.meta.url);
const seed = Number(process.env.TRANSPORT_SEED ?? 20261129);
const names = readdirSync(root).filter((n) => n.endsWith(".txt"));
const each = Number(process.env.TRANSPORTS ?? 6);
const stretch = 220;

/** The kernel's own lines of a fixture: what scripts wrote between them has nothing to be known by. */
function kernelLines(name: string): string[] {
  const all = readFileSync(new URL(name, root), "utf8").split("\n");
  const stamped = all.filter((l) => /^\[ *\d+\.\d+\] /.test(l));
  return (stamped.length * 2 > all.length ? stamped : all).slice(0, stretch).filter((l) => l.trim() !== "");
}

/** What the answers say, in an order of its own (reports without a time stamp are ranked otherwise), without line numbers and times, which a transport changes. */
const said = async (text: string): Promise<string[]> =>
  (await judgeText(`${text}\n`))
    .map(({ c, findings }) =>
      JSON.stringify([c.incident.kind, c.order, c.gfp, c.said.release, findings.map((f) => [f.id, f.answer])]),
    )
    .sort();

describe(`${each} transports of each log (seed ${seed})`, () => {
  test.each(names)("%s says the same", { timeout: 600_000 }, async (name) => {
    const lines = kernelLines(name);
    const whole = await said(lines.join("\n"));
    expect(whole.length).toBeGreaterThan(0);
    const p = prng(seed + names.indexOf(name));
    const bad: string[] = [];
    for (let round = 0; round < each; round++) {
      const { how, text } = deliver(lines, p);
      const found = await said(text);
      const at = found.findIndex((f, i) => f !== whole[i]);
      if (at >= 0 || found.length !== whole.length)
        bad.push(
          `${how}: ${found.length} reports of ${whole.length}; ${found[at]?.slice(0, 600)} for ${whole[at]?.slice(0, 600)}`,
        );
    }
    expect(bad).toEqual([]);
  });
});
