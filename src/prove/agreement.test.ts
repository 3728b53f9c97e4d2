// Diagnosis and proof of one log agree, for every log that is bundled: what is advised first is not what makes things worse, what the diagnosis
// calls useless does not help, and what is known of a report is what its proof says. The table of docs/diagnose.md is made of these very proofs:
// PROOFS=write npx vitest run src/prove/agreement.test.ts
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { explain } from "../diagnosis/explain.ts";
import type { DiagnosedIncident } from "../diagnosis/finding.ts";
import { cases } from "../scenario/cases/index.ts";
import { caseRow, contradictions, knownCases, knownRow, tableHead } from "./known_cases.testkit.ts";
import { measuredAdvice } from "./measured.ts";
import type { Proof } from "./proof.ts";
import { prove } from "./prove.ts";

const root = new URL("../../", import.meta.url);
const logs = [
  ...new Set([
    ...readdirSync(new URL("fixtures/logs/", root))
      .filter((n) => n.endsWith(".txt"))
      .map((n) => `fixtures/logs/${n}`),
    "fixtures/diagnosis/tg3_with_settings.txt",
    ...knownCases.map((k) => k.log),
  ]),
];
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
  // What is advised and has a row is measured by it.
  for (const r of proof.rows.filter((x) => x.advice !== null))
    expect(ranked.find((a) => a.action === r.advice)?.measured.outcome, r.name).not.toBe("not run");
  // The curve and the row of the same setting say the same.
  const reserve = proof.rows.find((r) => r.change.kind === "min_free_kbytes");
  if (reserve?.verdict === "lowers") expect(proof.curve === null || proof.curve.helps, reserve.name).toBe(true);
}

/** Each log is diagnosed and proved once in this file, as `skblab diagnose --prove` does. */
const told = new Map<string, Promise<readonly (readonly [DiagnosedIncident, Proof])[]>>();
function proved(name: string): Promise<readonly (readonly [DiagnosedIncident, Proof])[]> {
  const known =
    told.get(name) ??
    explain({ [name]: readFileSync(new URL(name, root), "utf8") }).then((d) =>
      d.incidents.map((i) => [i, prove(i, () => undefined)] as const),
    );
  told.set(name, known);
  return known;
}
const caseOf = async (name: string, at: number): Promise<readonly [DiagnosedIncident, Proof]> => {
  const found = (await proved(name))[at];
  if (found === undefined) throw new Error(`${name} has no incident ${at}`);
  return found;
};

describe.each(logs)("%s", (name) => {
  test("advice, outcomes and the machine agree", { timeout: 120_000 }, async () => {
    for (const [i, proof] of await proved(name)) holds(i, proof);
  });
});

test.each(knownCases)("$what: the proof does not contradict what is known", { timeout: 120_000 }, async (known) => {
  const [, proof] = await caseOf(known.log, known.at);
  expect(contradictions(known, proof)).toEqual([]);
});

test("seed 001: diagnosis, case and proof name the same cures, and none of them is TSO", {
  timeout: 120_000,
}, async () => {
  const [i, proof] = await caseOf("fixtures/logs/tg3_gentoo_2009.txt", 0);
  const verdict = (kind: string) => proof.rows.find((r) => r.change.kind === kind)?.verdict;
  // The case's claims tso-cause (no), min-free (yes) and slab-order (yes): scenario/cases/cases.test.ts holds them.
  expect(verdict("offload")).toBe("no clear difference");
  expect(verdict("min_free_times")).toBe("lowers");
  expect(verdict("slub_max_order")).toBe("lowers");
  expect(answer(i, "offload.tso")).toBe("no");
  for (const kind of ["min_free_times", "slub_max_order"] as const)
    expect(i.advice.some((a) => a.change.kind === kind)).toBe(true);
});

test("the table of docs/diagnose.md is what these proofs say", { timeout: 300_000 }, async () => {
  const rows: string[] = [];
  for (const known of knownCases) rows.push(knownRow(known, (await caseOf(known.log, known.at))[1]));
  const jumbo = cases.find((c) => c.id === "emac-jumbo");
  if (jumbo === undefined) throw new Error("no case emac-jumbo");
  rows.push(
    caseRow(
      "jumbo frames on ibm_emac",
      "MTU 9000 needs blocks of order 2; MTU 4000 loses less, and stays above a page",
      jumbo.id,
      jumbo.answer(() => undefined),
    ),
  );
  const table = [...tableHead, ...rows].join("\n");
  const path = new URL("docs/diagnose.md", root);
  const text = readFileSync(path, "utf8");
  const [open, close] = ["<!-- proofs -->\n", "\n<!-- /proofs -->"];
  const [from, to] = [text.indexOf(open) + open.length, text.indexOf(close)];
  if (process.env["PROOFS"] === "write") writeFileSync(path, `${text.slice(0, from)}${table}${text.slice(to)}`);
  else expect(text.slice(from, to)).toBe(table);
});
