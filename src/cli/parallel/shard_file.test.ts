import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import type { ExperimentSettings, Plan } from "../../scenario/experiment.ts";
import { concludeExperiment, experimentKind, planExperiment, unitOf, unitsOf } from "../../scenario/experiment.ts";
import { readScenario } from "../../scenario/read.ts";
import { runPool } from "./pool.ts";
import type { Measures } from "./shard_file.ts";
import { joinShards, openShard } from "./shard_file.ts";

const text = `kind: experiment
seeds: 2
base:
  kind: machine
  release: 2.6.24-x86_64
  memoryMb: 64
  nics: [{ driver: ringnic, settings: { rx_ring: 32, refill: after } }]
  traffic: [{ framesPerSecond: 20000, burst: 16 }]
  reader: { everyMicros: 10000, rcvbufKb: 8192 }
  load: { kilopages: 18, jobs: 4, pagesPerMilli: 200 }
  millis: 10
sweep: [{ path: nics.0.mtu, values: [1500, 4000, 9000] }]
`;
const plan = (given = text): Plan => {
  const { settings, place } = readScenario("x.yaml", given, [experimentKind]);
  return planExperiment(settings as ExperimentSettings, "x.yaml", place);
};
const directory = mkdtempSync(join(tmpdir(), "skblab-shards-"));
afterAll(() => rmSync(directory, { recursive: true }));

async function measure(p: Plan, units: readonly number[]): Promise<Measures[]> {
  const jobs = units.map((u) => ({ kind: p.kind, settings: unitOf(p, u).variant.settings, seed: unitOf(p, u).seed }));
  return (await runPool(jobs, { jobs: 1 })) as Measures[];
}

describe("an experiment in shards", () => {
  test("gives the table that one run of all of it gives; what was interrupted goes on", async () => {
    const p = plan();
    const all = Array.from({ length: unitsOf(p) }, (_, u) => u);
    const local = concludeExperiment(p, await measure(p, all));
    for (const i of [1, 2]) {
      const own = all.filter((u) => u % 2 === i - 1);
      const path = join(directory, `shard-${i}-of-2.ndjson`);
      const first = openShard(path, p, "x.yaml", [i, 2]);
      const half = own.slice(0, 2);
      (await measure(p, half)).forEach((m, k) => {
        first.put(half[k] as number, m);
      });
      if (i === 2) expect(() => joinShards(directory)).toThrow(/1 of 6 runs are missing, of shard 2 of 2/);
      // Ctrl-C in the middle of a line.
      appendFileSync(path, '{"unit":5,"mea');
      const second = openShard(path, p, "x.yaml", [i, 2]);
      expect([...second.done.keys()]).toEqual(half);
      const rest = own.slice(2);
      (await measure(p, rest)).forEach((m, k) => {
        second.put(rest[k] as number, m);
      });
    }
    const joined = joinShards(directory);
    expect(JSON.stringify(concludeExperiment(joined.plan, joined.measured))).toBe(JSON.stringify(local));
    const shares = local.rows.map((r) => r.metrics.failureShare?.median.estimate ?? -1);
    expect(shares[2]).toBeGreaterThan(shares[0] as number);
  });

  test("results of another experiment are refused, not overwritten", () => {
    const path = join(directory, "shard-1-of-2.ndjson");
    const before = readFileSync(path, "utf8");
    expect(() => openShard(path, plan(text.replace("seeds: 2", "seeds: 4")), "x.yaml", [1, 2])).toThrow(
      /another experiment/,
    );
    expect(readFileSync(path, "utf8")).toBe(before);
    writeFileSync(join(directory, "z.ndjson"), "hello\n");
    expect(() => joinShards(directory)).toThrow(/not a file of an experiment's results/);
  });
});

describe("bad experiments", () => {
  const complaint = (from: string, to: string): string => {
    try {
      plan(text.replace(from, to));
    } catch (error) {
      return (error as { sentence(): string }).sentence();
    }
    return "";
  };
  test.each([
    ["nics.0.mtu", "nics.0.mut", /There is no "mut" in nics. Did you mean "mtu"\?/],
    ["nics.0.mtu", "nics.3.mtu", /does not exist in the base: there is no "nics.3"/],
    ["memoryMb: 64", "memoryMb: 1", /^x.yaml:6:13: "memoryMb"/],
    [
      "seeds: 2",
      "seeds: 2\nmetrics: [failureShar]",
      /^x.yaml:3:11: There is no measure "failureShar". Did you mean "failureShare"\?/,
    ],
    ["kind: machine", "kind: frag-destructor-cost", /An experiment cannot be made from frag-destructor-cost scenarios/],
    ["sweep:", "compare: [{name: a, set: {}}, {name: b, set: {}}]\nsweep:", /exactly one of/],
  ])("%s → %s", (from, to, sentence) => {
    expect(complaint(from, to)).toMatch(sentence);
  });
});
