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

test("the ladder of a comparison ends at the numbers that were compared, and every rung is a number of the sentence", async () => {
  let rungs = 0;
  for (const name of ["failures_6.1.txt", "e1000_refill_6.1.txt", "ppc405ex_emac_2009.txt"])
    for (const i of await incidentsOf(name))
      for (const z of i.memory?.zones ?? [])
        for (const s of [...z.comparisons, ...(z.within?.comparisons ?? [])]) {
          expect(s.ladder === null).toBe(s.usable === null);
          if (s.ladder === null) continue;
          expect(s.ladder.free.at(-1)?.pages).toBe(s.usable);
          expect(s.ladder.mark.at(-1)?.pages).toBe(s.limit);
          rungs += s.ladder.mark.length + s.ladder.free.length;
          if (s.ladder.free[0]?.pages !== undefined && s.text.startsWith("free"))
            expect(s.text).toContain(`${s.ladder.free[0].pages}`);
        }
  expect(rungs).toBeGreaterThan(20);
});

test("a zone that refuses only within the report's error says so, and what it says then is no", async () => {
  const zones = (await incidentsOf("failures_6.1.txt")).flatMap((i) => i.memory?.zones ?? []);
  const within = zones.filter((z) => z.within !== null);
  expect(within.length).toBeGreaterThan(0);
  for (const z of within) {
    expect(z.answer).toBe("yes");
    expect(z.within?.comparisons.some((s) => s.passed === false)).toBe(true);
    expect(z.within?.taken).toBeLessThanOrEqual(z.within?.error ?? 0);
  }
});

test("of an OOM kill the parts of memory add up to the machine, and the victim is the one that the log names", async () => {
  const [oom] = (await incidentsOf("failures_6.1.txt")).filter((i) => i.kind === "oom");
  const { parts = [], totalBytes, processes = [] } = oom?.oom ?? {};
  expect(parts.length).toBeGreaterThan(3);
  expect(parts.reduce((n, p) => n + p.bytes, 0)).toBe(totalBytes);
  expect(processes.filter((p) => p.killed).map((p) => p.name)).toEqual(["dd"]);
  expect(processes.every((p) => p.rssBytes !== null && p.rssBytes % 4096 === 0)).toBe(true);
});

test("without Mem-Info there is nothing to draw", async () => {
  expect((await incidentsOf("tg3_gentoo_2009.txt")).map((i) => i.memory)).toEqual([null]);
});
