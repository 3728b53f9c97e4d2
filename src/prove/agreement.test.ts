// Diagnosis and proof of one log agree, for every log that is bundled: what is advised first is not what makes things worse, and what the diagnosis
// calls useless does not help.
import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { explain } from "../diagnosis/explain.ts";
import type { DiagnosedIncident } from "../diagnosis/finding.ts";
import { measuredAdvice } from "./measured.ts";
import type { Proof } from "./proof.ts";
import { prove } from "./prove.ts";

const root = new URL("../../", import.meta.url);
const logs = [
  ...readdirSync(new URL("fixtures/logs/", root))
    // Seed 000 runs whole boards: report/prove.test.ts holds its proof to its diagnosis.
    .filter((n) => n.endsWith(".txt") && n !== "ppc405ex_emac_2009.txt")
    .map((n) => `fixtures/logs/${n}`),
  "fixtures/diagnosis/tg3_with_settings.txt",
];
const sets = 3;
const answer = (i: DiagnosedIncident, id: string): string | undefined => i.findings.find((f) => f.id === id)?.answer;

function holds(i: DiagnosedIncident, proof: Proof): void {
  const ranked = measuredAdvice(i.advice, proof);
  expect(ranked).toHaveLength(i.advice.length);
  for (const [k, a] of ranked.entries()) {
    const { outcome, why, interval, runs } = a.measured;
    // Each has figures or a reason.
    if (outcome === "not run") expect(why, a.action).toMatch(/\w/);
    else expect([interval === null, runs > 0], a.action).toEqual([false, true]);
    if (outcome !== "worse") continue;
    expect(a.command, a.action).toBeUndefined();
    for (const later of ranked.slice(k)) expect(later.measured.outcome).toBe("worse");
  }
  if (proof.refused !== null) {
    expect(proof.rows).toEqual([]);
    return;
  }
  for (const l of proof.likeness.filter((x) => x.matters)) expect(l.alike, l.what).toBe(true);
  // What the diagnosis rules out does not help.
  if (answer(i, "offload.tso") === "no")
    for (const r of proof.rows.filter((x) => x.change.kind === "offload")) expect(r.verdict, r.name).not.toBe("lowers");
  // The curve and the row of the same setting say the same.
  const reserve = proof.rows.find((r) => r.change.kind === "min_free_kbytes");
  if (reserve?.verdict === "lowers") expect(proof.curve === null || proof.curve.helps, reserve.name).toBe(true);
}

describe.each(logs)("%s", (name) => {
  test("advice, outcomes and the machine agree", { timeout: 60_000 }, async () => {
    const d = await explain({ [name]: readFileSync(new URL(name, root), "utf8") });
    for (const i of d.incidents)
      holds(
        i,
        prove(i, () => undefined, sets),
      );
  });
});

test("seed 001: diagnosis, case and proof name the same cures, and none of them is TSO", {
  timeout: 60_000,
}, async () => {
  const name = "fixtures/logs/tg3_gentoo_2009.txt";
  const d = await explain({ [name]: readFileSync(new URL(name, root), "utf8") });
  const [i] = d.incidents as [DiagnosedIncident];
  const proof = prove(i, () => undefined, sets);
  const verdict = (kind: string) => proof.rows.find((r) => r.change.kind === kind)?.verdict;
  // The case's claims tso-cause (no), min-free (yes) and slab-order (yes): scenario/cases/cases.test.ts holds them.
  expect(verdict("offload")).toBe("no clear difference");
  expect(verdict("min_free_kbytes")).toBe("lowers");
  expect(verdict("slub_max_order")).toBe("lowers");
  expect(answer(i, "offload.tso")).toBe("no");
  expect(i.advice.some((a) => a.change.kind === "slub_max_order")).toBe(true);
});
