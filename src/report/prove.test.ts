// What --prove says of the project's logs: directions and signs, and that nothing is dropped or left without its reason.
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { rankedAdvice } from "../diagnosis/advice.ts";
import { explain } from "../diagnosis/explain.ts";
import type { Diagnosis } from "../diagnosis/finding.ts";
import type { Proof, ProveInput } from "../prove/prove.ts";
import { prove, proveAll } from "../prove/prove.ts";
import { diagnosisSchema } from "./diagnosis_schema.ts";
import { plain } from "./document.ts";
import { proofsDocument } from "./prove.ts";

const root = new URL("../../", import.meta.url);
const read = (name: string): string => readFileSync(new URL(name, root), "utf8");
const diagnosed = (name: string): Promise<Diagnosis> => explain({ [name]: read(name) });
const quiet = (): void => undefined;

/** The same report from a machine of 64 MB, with advice to match, so that a test is over soon. */
const small = (i: ProveInput): ProveInput => ({
  ...i,
  machine: {
    ...i.machine,
    memoryKb: { value: 65_536, because: "a test", evidence: [] },
    minFreeKb: { value: 500, because: "a test", evidence: [] },
  },
  findings: i.findings.map((f) => ({
    ...f,
    advice: f.advice.map((a) =>
      a.change.kind === "min_free_kbytes" ? { ...a, change: { ...a.change, kb: 4000 } } : a,
    ),
  })),
});
const row = (p: Proof, kind: string): Proof["rows"][number] | undefined => p.rows.find((r) => r.change.kind === kind);

test("a tg3 failure of order 1: smaller slabs and a kernel that falls back end it; TSO, run beside the advice, does not", async () => {
  const d = await diagnosed("fixtures/diagnosis/tg3_with_settings.txt");
  const [i] = d.incidents;
  if (i === undefined) throw new Error("no incident");
  const proof = prove(small(i), quiet, 2);
  expect(proof.refused).toBeNull();
  for (const kind of ["slub_max_order", "release", "min_free_kbytes"]) {
    expect(row(proof, kind)?.before.estimate, kind).toBeGreaterThan(0);
    expect(row(proof, kind)?.verdict, kind).toBe("lowers");
  }
  expect(row(proof, "slub_max_order")?.after.estimate).toBe(0);
  const tso = row(proof, "offload");
  expect(tso).toMatchObject({ advised: false });
  expect(tso?.after.estimate).toBeGreaterThan(0);
  // Every advice is either a row or has its reason.
  expect(proof.rows.filter((r) => r.advised).length + proof.untested.length).toBe(rankedAdvice(i).length);
  expect(proof.assumptions.map((a) => a.what)).toEqual(
    expect.arrayContaining(["memory", "MTU", "driver", "load and traffic"]),
  );
  expect(proof.assumptions.every((a) => a.because !== "")).toBe(true);
  diagnosisSchema.parse({ ...d, proofs: [proof] });
});

test("the same input is proven the same twice", async () => {
  const [i] = (await diagnosed("fixtures/logs/page_pool_stall_6.1.txt")).incidents;
  if (i === undefined) throw new Error("no incident");
  expect(prove(i, quiet)).toEqual(prove(i, quiet));
});

test("a stalled pool gets its pages back when unread packets held them, and not when they leaked", async () => {
  const d = await diagnosed("fixtures/logs/page_pool_stall_6.1.txt");
  const [proof] = proveAll(
    d.incidents.filter((i) => i.kind === "page_pool_stall"),
    quiet,
  );
  expect(proof?.rows.map((r) => r.verdict)).toEqual(["lowers", "no clear difference"]);
  expect(proof?.rows[0]?.before.estimate).toBe(7);
});

describe("seed 000", async () => {
  const d = await diagnosed("fixtures/logs/ppc405ex_emac_2009.txt");
  const named = (p: Proof | undefined, name: RegExp) => p?.rows.find((r) => name.test(r.name));

  test("its reports come from a block freed in part or from stray words, and not from kept receive buffers or fragments", () => {
    const seen: number[] = [];
    const proofs = proveAll(d.incidents, (done) => seen.push(done));
    // Progress never goes back.
    expect([...seen].sort((x, y) => x - y)).toEqual(seen);
    expect(proofs).toHaveLength(2);
    for (const proof of proofs) {
      expect(row(proof, "code")?.before.estimate).toBeGreaterThan(0);
      expect(row(proof, "code")).toMatchObject({ after: { estimate: 0 }, verdict: "lowers" });
      for (const kind of ["fresh_buffers", "compact_memory"])
        expect(row(proof, kind)).toMatchObject({ before: { estimate: 0 }, verdict: "no clear difference" });
    }
    const [bad] = proofs;
    expect(named(bad, /freed once, and whole/)?.before.estimate).toBeGreaterThan(0);
    expect(bad?.standsFor).toMatch(/^"last page freed apart" and .* do not/);
    // The smaller MTU hides the report; the mistake goes on.
    expect(row(bad as Proof, "mtu")).toMatchObject({
      after: { estimate: 0 },
      note: expect.stringMatching(/other reports: [1-9]/),
    });
    diagnosisSchema.parse({ ...d, proofs });
  });

  test("a report of the same board that is not about sent packets is tried with kept receive buffers: a fresh one each is sound", () => {
    const [bad] = d.incidents;
    const proof = prove({ ...(bad as Diagnosis["incidents"][number]), direction: "rx" }, quiet);
    expect(row(proof, "fresh_buffers")).toMatchObject({ after: { estimate: 0 }, verdict: "lowers" });
    expect(row(proof, "fresh_buffers")?.before.estimate).toBeGreaterThan(0);
  });
});

test("what cannot be run is refused with a reason, and its advice is listed with one", async () => {
  for (const name of ["slab_oom_6.1.txt", "bad_pages_6.1.txt", "slub_debug_6.1.txt"]) {
    const d = await diagnosed(`fixtures/logs/${name}`);
    for (const [k, proof] of proveAll(d.incidents, quiet).entries()) {
      expect(proof.refused, name).toMatch(/\w/);
      expect(proof.untested.length).toBe(rankedAdvice(d.incidents[k] as Diagnosis["incidents"][number]).length);
      for (const u of proof.untested) expect(u.why).toMatch(/\w/);
    }
  }
});

test("the drawn proof names every change and every assumption", async () => {
  const d = await diagnosed("fixtures/logs/page_pool_stall_6.1.txt");
  const proofs = proveAll(d.incidents, quiet);
  const text = JSON.stringify(proofsDocument(proofs), (_, v: unknown) =>
    Array.isArray(v) && typeof v[0] === "object" && v[0] !== null && "tone" in v[0] ? plain(v) : v,
  );
  for (const { what } of proofs[0]?.assumptions ?? []) expect(text).toContain(what);
  for (const { name } of proofs[0]?.rows ?? []) expect(text).toContain(name);
});
