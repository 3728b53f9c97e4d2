// What a picture of a shortage is drawn from says the same as the findings do.
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { explain } from "./explain.ts";

const root = new URL("../../", import.meta.url);
const read = (name: string): string => readFileSync(new URL(`fixtures/logs/${name}`, root), "utf8");

async function incidentsOf(name: string) {
  return (await explain({ [name]: read(name) })).incidents;
}

test("a picture gives each zone the answer and the comparisons of its finding, and the number that was not exceeded", async () => {
  const pictured = (await incidentsOf("failures_6.1.txt")).filter((i) => i.memory !== null);
  expect(pictured.length).toBeGreaterThan(0);
  let refusedByNumber = 0;
  for (const i of pictured) {
    expect(i.memory?.order).toBe(i.order);
    for (const z of i.memory?.zones ?? []) {
      const finding = i.findings.find((f) => f.id === `why.zone.${z.node}.${z.zone}`);
      if (finding === undefined) continue;
      if (z.eligible) expect(finding.answer).toBe(z.answer);
      for (const s of z.eligible ? z.comparisons : []) {
        expect(finding.claim).toContain(s.text);
        if (s.usable === null || s.limit === null || s.passed === null) continue;
        expect(s.usable > s.limit).toBe(s.passed);
        if (!s.passed) refusedByNumber++;
      }
    }
  }
  expect(refusedByNumber).toBeGreaterThan(0);
});

test("without Mem-Info there is nothing to draw", async () => {
  expect((await incidentsOf("tg3_gentoo_2009.txt")).map((i) => i.memory)).toEqual([null]);
});
