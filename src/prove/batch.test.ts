// Who runs a proof's jobs, and when it is stopped, changes how much is known, not what.
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { explain } from "../diagnosis/explain.ts";
import type { ProveInput } from "../diagnosis/machine_told.ts";
import { measureJob } from "./batch.ts";
import { settingsOf } from "./changes.ts";
import { likenessOf } from "./likeness.ts";
import { buildMachine } from "./machine.ts";
import type { Proof } from "./proof.ts";
import { proofSteps, prove, proveAllWith } from "./prove.ts";

const root = new URL("../../", import.meta.url);
const quiet = (): void => undefined;
const incidents = async (name: string) =>
  (await explain({ [name]: readFileSync(new URL(name, root), "utf8") })).incidents;

describe("an order-1 report that prints its memory", async () => {
  const [incident] = await incidents("fixtures/logs/failures_6.1.txt");
  if (incident === undefined) throw new Error("no incident");
  const whole = prove(incident, quiet);

  test("side by side and in another order of ending: the same answer, each better than the one before, each job once", async () => {
    const seen: number[] = [];
    const ran = new Map<string, number>();
    let left = 0;
    const [proof, again] = await proveAllWith(
      [incident, incident],
      async (job) => {
        const key = JSON.stringify(job);
        ran.set(key, (ran.get(key) ?? 0) + 1);
        const outcome = measureJob(job);
        // Every other job ends late.
        if (left++ % 2 === 0) await new Promise((resolve) => setImmediate(resolve));
        return outcome;
      },
      { progress: quiet, soFar: ([first]) => void (first !== undefined && seen.push(first.seeds)) },
    );
    expect(JSON.stringify(proof)).toBe(JSON.stringify(whole));
    expect(again).toEqual(proof);
    expect([...ran.values()].every((n) => n === 1)).toBe(true);
    expect(seen[0]).toBe(3);
    expect([...seen].sort((a, b) => a - b)).toEqual(seen);
    expect(seen.at(-1)).toBe(whole.seedsPlanned);
  });

  test("stopped: what was known by then, told as such; before that, a reason", async () => {
    const stoppedAfter = async (jobs: number): Promise<Proof | undefined> => {
      let left = jobs;
      const [proof] = await proveAllWith([incident], async (job) => (left-- > 0 ? measureJob(job) : undefined), {
        progress: quiet,
      });
      return proof;
    };
    expect((await stoppedAfter(0))?.refused).toBe("it was stopped before anything was measured");
    const rows = whole.rows.length;
    const some = await stoppedAfter(1 + 3 * (rows + 3));
    expect(some).toMatchObject({ refused: null, seeds: 3, seedsPlanned: whole.seedsPlanned });
    expect(some?.rows.map((r) => r.name).sort()).toEqual(whole.rows.map((r) => r.name).sort());
  });

  test("a machine whose large blocks lie on other lists than the report's is unlike", () => {
    const order = incident.order ?? 0;
    const onLists = (types: string): typeof incident => ({
      ...incident,
      machine: {
        ...incident.machine,
        zones: incident.machine.zones.map((z) => ({
          ...z,
          blocks: z.blocks?.map((b, at) => (at < order ? { ...b, types: "U" } : { count: 1000, types })) ?? null,
        })),
      },
    });
    const report = measureReport(incident);
    const row = (types: string) => likenessOf(onLists(types), report).find((l) => l.what.includes("on lists of"));
    expect(row("C")).toMatchObject({ matters: true, alike: false, machine: 0 });
    expect(row("H")).toMatchObject({ matters: true, alike: false });
    expect(row("U")).toBeUndefined();
  });
});

/** The first failure of the machine that is built for it. */
function measureReport(incident: ProveInput) {
  const first = proofSteps(incident, quiet).next([]);
  if (first.done === true) throw new Error("nothing is run");
  return first.value.jobs.map(measureJob).flatMap((o) => o.reports ?? [])[0];
}

test("where the report's own request is made, a smaller slab or MTU makes it smaller, and more of them", async () => {
  const [, , incident] = await incidents("fixtures/logs/failures_6.1.txt");
  if (incident === undefined) throw new Error("no incident");
  const built = buildMachine(incident, 3, true);
  if (typeof built === "string") throw new Error(built);
  const slab: ProveInput = {
    ...incident,
    findings: [{ id: "slab_order", answer: "yes", claim: "", evidence: [], advice: [] }],
  };
  expect(settingsOf({ kind: "slub_max_order", order: 0 }, built, incident)).toMatch(/does not show/);
  expect(settingsOf({ kind: "slub_max_order", order: 0 }, built, slab)).toEqual({
    set: { "state.asks.order": 0 },
    frames: 8,
    order: 0,
  });
  const rows = [
    { from: 68, to: 1800, order: 0 },
    { from: 1801, to: 16_000, order: 3 },
  ];
  expect(settingsOf({ kind: "mtu", mtu: 1500 }, built, { ...incident, mtuTable: null })).toMatch(/does not follow/);
  expect(settingsOf({ kind: "mtu", mtu: 1500 }, built, { ...incident, mtuTable: { rows } })).toEqual({
    set: { "state.asks.order": 0 },
    frames: 6,
    order: 0,
  });
});
