// What --prove says of the project's logs: directions and signs, and that nothing is dropped or left without its reason.
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { rankedAdvice } from "../diagnosis/advice.ts";
import { explain } from "../diagnosis/explain.ts";
import type { Diagnosis } from "../diagnosis/finding.ts";
import type { Proof } from "../prove/prove.ts";
import { prove, proveAll } from "../prove/prove.ts";
import { plain } from "./document.ts";
import { proofsDocument } from "./prove.ts";

const root = new URL("../../", import.meta.url);
const read = (name: string): string => readFileSync(new URL(name, root), "utf8");
const diagnosed = (name: string): Promise<Diagnosis> => explain({ [name]: read(name) });
const quiet = (): void => undefined;

const row = (p: Proof, kind: string): Proof["rows"][number] | undefined => p.rows.find((r) => r.change.kind === kind);

test("memory starts as the report prints it: fragmentation is the report's, compaction mends it, and a reserve of single pages does not", async () => {
  const d = await diagnosed("fixtures/logs/failures_6.1.txt");
  const [i] = d.incidents;
  if (i === undefined) throw new Error("no incident");
  const proof = prove(i, quiet, 3);
  for (const l of proof.likeness) {
    expect(l.alike, l.what).toBe(true);
    if (l.what.startsWith("free pages")) expect(Math.abs(l.machine - l.report)).toBeLessThan(10);
  }
  expect(row(proof, "compact_memory")).toMatchObject({ advised: true, verdict: "lowers" });
  expect(row(proof, "min_free_kbytes")).toMatchObject({ verdict: "no clear difference" });
  expect(proof.curve).toMatchObject({ helps: false, knee: null });
  expect(prove(i, quiet, 3)).toEqual(proof);
});

test("a burst of single pages that meets a small reserve: the reserve is enough from a value on, or more of it helps", async () => {
  const d = await diagnosed("fixtures/logs/failures_6.1.txt");
  const i = d.incidents.find((x) => x.order === 0 && x.kind === "alloc_failure");
  if (i === undefined) throw new Error("no incident");
  const proof = prove(i, quiet, 3);
  expect(row(proof, "min_free_kbytes")).toMatchObject({ verdict: "lowers" });
  expect(proof.curve?.helps).toBe(true);
  const rates = proof.curve?.points.map((p) => p.rate.estimate) ?? [];
  expect([...rates].sort((a, b) => b - a)).toEqual(rates);
});

test("a machine that fails in another state than the report's is no proof for it", async () => {
  const d = await diagnosed("fixtures/logs/failures_6.1.txt");
  const i = d.incidents[2];
  if (i === undefined) throw new Error("no incident");
  // The report says that half of what was free lay in blocks that are large enough.
  const memory = i.memory && {
    ...i.memory,
    zones: i.memory.zones.map((z) => ({
      ...z,
      orders: z.orders.map((o, order) => ({ ...o, blocks: order === 5 ? 60 : o.blocks })),
    })),
  };
  const proof = prove({ ...i, memory }, quiet, 2);
  expect(proof.refused).toMatch(/differs from the report where it matters: share of them in blocks of order 3/);
  expect(proof.rows).toEqual([]);
});

test("the same input is proven the same twice", async () => {
  const [i] = (await diagnosed("fixtures/logs/page_pool_stall_6.1.txt")).incidents;
  if (i === undefined) throw new Error("no incident");
  expect(prove(i, quiet)).toEqual(prove(i, quiet));
});

test("a stalled pool gets its pages back when unread packets held them, and not when they leaked", async () => {
  const d = await diagnosed("fixtures/logs/page_pool_stall_6.1.txt");
  const seen: number[] = [];
  const [proof] = proveAll(
    d.incidents.filter((i) => i.kind === "page_pool_stall"),
    (done) => seen.push(done),
  );
  // Progress never goes back, over all of them.
  expect(seen.length).toBeGreaterThan(1);
  expect([...seen].sort((x, y) => x - y)).toEqual(seen);
  expect(proof?.rows.map((r) => r.verdict)).toEqual(["lowers", "no clear difference"]);
  expect(proof?.rows[0]?.before.estimate).toBe(7);
});

describe("seed 000", async () => {
  const d = await diagnosed("fixtures/logs/ppc405ex_emac_2009.txt");
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
