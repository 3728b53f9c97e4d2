// Diagnosis and proof of one log agree, for every log that is bundled: what is advised first is not what makes things worse, what the diagnosis
// calls useless does not help, and what is known of a report is what its proof says. The table of docs/diagnose.md is made of these very proofs:
// TESTS=long PROOFS=write npx vitest run src/prove/agreement.test.ts
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { ifLong, isLong } from "../base/size.testkit.ts";
import { rankedAdvice } from "../diagnosis/advice.ts";
import { explain } from "../diagnosis/explain.ts";
import type { DiagnosedIncident, Diagnosis } from "../diagnosis/finding.ts";
import { diagnosisSchema } from "../report/diagnosis_schema.ts";
import { emacWritev, tg3Order1 } from "../scenario/cases/answers.testkit.ts";
import { cases } from "../scenario/cases/index.ts";
import { caseRow, contradictions, knownCases, knownRow, tableHead } from "./known_cases.testkit.ts";
import { measuredAdvice } from "./measured.ts";
import type { Proof, ProofRow } from "./proof.ts";
import { prove } from "./prove.ts";

const root = new URL("../../", import.meta.url);
/** The documents beside the clone, whole: reports among mails and prose. */
const seeds = new URL("../shared/seeds/", root);
/** Proofs that take seconds, and say what those of other reports say. */
const onlyLong: ReadonlySet<string> = new Set([
  "fixtures/logs/e1000_refill_6.1.txt",
  "fixtures/logs/tg3_gentoo_2009.txt",
  "fixtures/diagnosis/emac_jumbo_2.6.31.txt",
  "fixtures/field/a_cma_default_1.txt",
  "fixtures/field/a_turbo_1.txt",
  "fixtures/field/f_retry_61.txt",
]);
const isTried = (log: string): boolean => isLong || !onlyLong.has(log);
/** Of its eight reports these differ in what lowers the failures. */
const failures = "fixtures/logs/failures_6.1.txt";
const ofFailures = [0, 6];
const logs = [
  ...new Set([
    ...readdirSync(new URL("fixtures/logs/", root))
      .filter((n) => n.endsWith(".txt"))
      .map((n) => `fixtures/logs/${n}`),
    "fixtures/diagnosis/tg3_with_settings.txt",
    ...knownCases.map((k) => k.log),
    ...ifLong(existsSync(seeds) ? readdirSync(seeds).map((n) => `../shared/seeds/${n}`) : []),
  ]),
].filter(isTried);
const isProved = (log: string, at: number): boolean => isLong || log !== failures || ofFailures.includes(at);
const known = knownCases.filter((k) => isTried(k.log) && isProved(k.log, k.at));
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
  const rowsOf = (...kinds: readonly ProofRow["change"]["kind"][]): readonly ProofRow[] =>
    proof.rows.filter((r) => kinds.includes(r.change.kind));
  for (const r of rowsOf("offload"))
    if (r.change.kind === "offload" && answer(i, `offload.${r.change.name}`) === "no")
      expect(r.verdict, r.name).not.toBe("lowers");
  if (i.order === 0 && answer(i, "fragmentation") === "no")
    for (const r of rowsOf("compact_memory", "defrag_mode", "compaction_proactiveness"))
      expect(r.verdict, r.name).not.toBe("lowers");
  const everyMtu = i.mtuTable?.rows.every((r) => r.order === 0) === true;
  if (everyMtu) for (const r of rowsOf("mtu")) expect(r.verdict, r.name).not.toBe("lowers");
  // What it names as the cause, taken away, helps.
  if (answer(i, "slab_order") === "yes")
    for (const r of rowsOf("slub_max_order")) expect(r.verdict, r.name).toBe("lowers");
  for (const r of rowsOf("smaller_buffers")) expect(r.verdict, r.name).toBe("lowers");
  // What is advised and has a row is measured by it.
  for (const r of proof.rows.filter((x) => x.advice !== null))
    expect(ranked.find((a) => a.action === r.advice)?.measured.outcome, r.name).not.toBe("not run");
  // The curve and the row of the same setting say the same.
  const reserve = proof.rows.find((r) => r.change.kind === "min_free_kbytes");
  if (reserve?.verdict === "lowers") expect(proof.curve === null || proof.curve.helps, reserve.name).toBe(true);
  holdsCurve(proof.curve);
  holdsUntested(i, proof);
}

function holdsCurve(curve: Proof["curve"]): void {
  if (curve === null) return;
  const [first, ...more] = curve.points;
  expect(more.length).toBeGreaterThan(0);
  for (const [k, p] of more.entries()) expect(p.value).toBeGreaterThan(curve.points[k]?.value ?? 0);
  for (const { rate } of curve.points)
    expect([rate.low <= rate.estimate, rate.estimate <= rate.high]).toEqual([true, true]);
  if (curve.knee === null) return;
  // The smallest value that gives nine tenths of the best.
  expect(curve.helps).toBe(true);
  const was = first?.rate.estimate ?? 0;
  const best = Math.min(...curve.points.map((p) => p.rate.estimate));
  expect(curve.knee).toBe(curve.points.find((p) => was - p.rate.estimate >= 0.9 * (was - best))?.value);
}

/** Nothing is both run and not run, and whatever was not run has a reason. */
function holdsUntested(i: DiagnosedIncident, proof: Proof): void {
  const ran = new Set(proof.rows.map((r) => r.advice ?? r.name));
  for (const { action, why } of proof.untested) {
    expect(why, action).toMatch(/\w \w/);
    expect(ran.has(action), action).toBe(false);
  }
  for (const a of i.advice)
    expect(ran.has(a.action) || proof.untested.some((u) => u.action === a.action), a.action).toBe(true);
}

interface Proved {
  /** Which of the log's incidents. */
  readonly at: number;
  readonly i: DiagnosedIncident;
  readonly proof: Proof;
  readonly progress: readonly number[];
}

/** Each log is diagnosed and proved once in this file, as `skblab diagnose --prove` does. */
const told = new Map<string, Promise<{ readonly diagnosis: Diagnosis; readonly all: readonly Proved[] }>>();
function diagnosed(name: string): Promise<{ readonly diagnosis: Diagnosis; readonly all: readonly Proved[] }> {
  const before =
    told.get(name) ??
    explain({ [name]: readFileSync(new URL(name, root), "utf8") }).then((diagnosis) => ({
      diagnosis,
      all: diagnosis.incidents.flatMap((i, at) => {
        if (!isProved(name, at)) return [];
        const progress: number[] = [];
        return [{ at, i, proof: prove(i, (done) => progress.push(done)), progress }];
      }),
    }));
  told.set(name, before);
  return before;
}
const proved = async (name: string): Promise<readonly Proved[]> => (await diagnosed(name)).all;
const caseOf = async (name: string, at: number): Promise<Proved> => {
  const found = (await proved(name)).find((p) => p.at === at);
  if (found === undefined) throw new Error(`${name} has no incident ${at}`);
  return found;
};

describe.each(logs)("%s", (name) => {
  test("advice, outcomes and the machine agree", async () => {
    for (const { i, proof } of await proved(name)) holds(i, proof);
  });
});

test.each(known)("$what: the proof does not contradict what is known", async (one) => {
  const { proof } = await caseOf(one.log, one.at);
  expect(contradictions(one, proof)).toEqual([]);
});

/** Claims of a case beside what a proof ran (a row's name, or the kind of its change) and what a diagnosis found: yes is "lowers". The long run asks
 *  the case itself. */
const pairs: readonly {
  readonly of: string;
  readonly log: string;
  readonly at: number;
  readonly case: string;
  readonly same: Readonly<Record<string, string>>;
  readonly found: Readonly<Record<string, string>>;
}[] = [
  {
    of: "seed 000, the bad page",
    log: "fixtures/logs/ppc405ex_emac_2009.txt",
    at: 0,
    case: "emac-writev",
    same: {
      fragmentation: "memory in large blocks",
      "receive-buffers-reused": "a fresh buffer for each one handed up",
      "buffer-freed-twice": "no DMA buffer freed twice",
      "overlapping-free": "each sent block freed once, and whole",
      "stray-bit-page": "nothing sets bits in a struct page that it does not own",
      "mtu-1500-avoids-trace": "mtu",
    },
    found: { fragmentation: "fragmentation" },
  },
  {
    of: "seed 000, the fault",
    log: "fixtures/logs/ppc405ex_emac_2009.txt",
    at: 1,
    case: "emac-writev",
    same: {
      fragmentation: "memory in large blocks",
      "receive-buffers-reused": "a fresh buffer for each one handed up",
      "packet-freed-twice": "each sent packet freed once",
      "stray-word-ring": "only the driver writes into tx_skb[]",
      "stray-bit-ring": "no other code sets a bit in tx_skb[]",
      "mtu-1500-avoids-damage": "mtu",
    },
    found: { fragmentation: "fragmentation" },
  },
  ...["fixtures/diagnosis/tg3_with_settings.txt", "fixtures/logs/tg3_gentoo_2009.txt"].filter(isTried).map((log) => ({
    of: `seed 001, ${log}`,
    log,
    at: 0,
    case: "tg3-order1",
    same: { "tso-cause": "offload", "min-free": "the reserve", "slab-order": "slub_max_order" },
    found: { "tso-cause": "offload.tso", "slab-order": "slab_order" },
  })),
];
const reserve: ReadonlySet<string> = new Set(["min_free_kbytes", "min_free_times"]);

const answered = new Map<string, Readonly<Record<string, string>>>();
function answersOf(id: string): Readonly<Record<string, string>> {
  if (!isLong) return (id === "emac-writev" ? emacWritev : tg3Order1).answers;
  const claims = cases.find((c) => c.id === id)?.answer(() => undefined).claims ?? [];
  const answers = answered.get(id) ?? Object.fromEntries(claims.map((c) => [c.id, c.answer]));
  answered.set(id, answers);
  return answers;
}

describe.each(pairs)("$of: diagnosis, case $case and proof say the same", ({ log, at, case: id, same, found }) => {
  test("claim by claim", async () => {
    const answers = answersOf(id);
    const { i, proof } = await caseOf(log, at);
    const told = (claim: string): string => `${claim}: ${answers[claim]}`;
    const isOf = (what: string, { name, change }: ProofRow): boolean =>
      what === "the reserve" ? reserve.has(change.kind) : name === what || change.kind === what;
    for (const [claim, what] of Object.entries(same)) {
      const rows = proof.rows.filter((r) => isOf(what, r));
      expect(rows.length, what).toBeGreaterThan(0);
      for (const r of rows) expect(`${claim}: ${r.verdict === "lowers" ? "yes" : "no"}`, r.name).toBe(told(claim));
    }
    for (const [claim, id] of Object.entries(found)) expect(`${claim}: ${answer(i, id)}`).toBe(told(claim));
  });
});

test("the two incidents of seed 000 are told apart by diagnosis and proof: no mistake of one is among those of the other", async () => {
  const { i: page, proof: ofPage } = await caseOf("fixtures/logs/ppc405ex_emac_2009.txt", 0);
  const { i: fault, proof: ofFault } = await caseOf("fixtures/logs/ppc405ex_emac_2009.txt", 1);
  expect([page.kind, fault.kind]).toEqual(["bad_page", "oops"]);
  const mistakes = ({ rows }: Proof): readonly string[] =>
    rows.filter((r) => r.change.kind === "code" && r.verdict === "lowers").map((r) => r.name);
  expect([mistakes(ofPage).length, mistakes(ofFault).length]).toEqual([2, 2]);
  expect(mistakes(ofPage).filter((name) => mistakes(ofFault).includes(name))).toEqual([]);
});

test("the table of docs/diagnose.md is what these proofs say", async () => {
  const rows: string[] = [];
  for (const one of known) rows.push(knownRow(one, (await caseOf(one.log, one.at)).proof));
  const path = new URL("docs/diagnose.md", root);
  const text = readFileSync(path, "utf8");
  const [open, close] = ["<!-- proofs -->\n", "\n<!-- /proofs -->"];
  const [from, to] = [text.indexOf(open) + open.length, text.indexOf(close)];
  const shown = text.slice(from, to);
  if (!isLong) {
    // In the table's order; between them stand those that only the long run proves.
    expect(shown.split("\n").filter((line) => rows.includes(line))).toEqual(rows);
    expect(shown.split("\n")).toHaveLength(tableHead.length + knownCases.length + 1);
    return;
  }
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
  if (process.env["PROOFS"] === "write") writeFileSync(path, `${text.slice(0, from)}${table}${text.slice(to)}`);
  else expect(shown).toBe(table);
});

const row = ({ rows }: Proof, kind: string): ProofRow | undefined => rows.find((r) => r.change.kind === kind);

test("a tg3 failure of order 1: smaller slabs and a kernel that falls back end it; TSO, run beside the advice, does not", async () => {
  const { diagnosis, all } = await diagnosed("fixtures/diagnosis/tg3_with_settings.txt");
  const [{ i, proof }] = all as [Proved];
  expect(proof.refused).toBeNull();
  for (const kind of ["slub_max_order", "release"]) {
    const { before, after, verdict } = row(proof, kind) as ProofRow;
    expect(before.estimate, kind).toBeGreaterThan(0);
    expect(after.estimate, kind).toBeLessThan(before.estimate / 4);
    expect(verdict, kind).toBe("lowers");
  }
  const tso = row(proof, "offload");
  expect(tso).toMatchObject({ advised: false, verdict: "no clear difference" });
  expect(tso?.after.estimate).toBeGreaterThan(0);
  // Every advice is either a row or has its reason.
  const said = new Set([...proof.rows.map((r) => r.name), ...proof.untested.map((u) => u.action)]);
  for (const { action } of rankedAdvice(i))
    expect(
      [...said].some((s) => action.startsWith(s)),
      action,
    ).toBe(true);
  expect(proof.assumptions.map((a) => a.what)).toEqual(expect.arrayContaining(["memory", "MTU", "driver", "bursts"]));
  expect(proof.assumptions.every((a) => a.because !== "")).toBe(true);
  // Once in so many days, as the report.
  expect(proof.likeness.find((l) => l.what === "failures a day")).toMatchObject({ alike: true });
  diagnosisSchema.parse({ ...diagnosis, proofs: [proof] });
});

test("seed 000: its reports come from a block freed in part or from stray words, and not from kept receive buffers or fragments", async () => {
  const { diagnosis, all } = await diagnosed("fixtures/logs/ppc405ex_emac_2009.txt");
  const proofs = all.map(({ proof }) => proof);
  expect(proofs).toHaveLength(2);
  // Progress never goes back.
  for (const { progress: seen } of all) {
    expect(seen.length).toBeGreaterThan(0);
    expect([...seen].sort((x, y) => x - y)).toEqual(seen);
  }
  for (const proof of proofs) {
    expect(row(proof, "code")?.before.estimate).toBeGreaterThan(0);
    expect(row(proof, "code")).toMatchObject({ after: { estimate: 0 }, verdict: "lowers" });
    for (const kind of ["fresh_buffers", "compact_memory"])
      expect(row(proof, kind)).toMatchObject({ before: { estimate: 0 }, verdict: "no clear difference" });
  }
  const [bad] = proofs as [Proof];
  expect(bad.rows.find((r) => /freed once, and whole/.test(r.name))?.before.estimate).toBeGreaterThan(0);
  expect(bad.standsFor).toMatch(/^"last page freed apart" and .* do not/);
  // The smaller MTU hides the report; the mistake goes on.
  expect(row(bad, "mtu")).toMatchObject({
    after: { estimate: 0 },
    note: expect.stringMatching(/other reports: [1-9]/),
  });
  diagnosisSchema.parse({ ...diagnosis, proofs });
});
