// Every scenario and experiment that comes with skblab: the published schema takes it, and so does its kind.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { z } from "zod";
import { type ExperimentSettings, experimentKind, measureUnit, planExperiment } from "./experiment.ts";
import { scenarioKinds } from "./kinds.ts";
import { runMachine } from "./machine_run.ts";
import type { MachineSettings } from "./machine_settings.ts";
import { isDriverFile } from "./own_drivers.ts";
import { readScenario } from "./read.ts";

const root = join(import.meta.dirname, "../..");
const files = ["scenarios", "examples"].flatMap((folder) =>
  readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".yaml"))
    .map((name) => join(folder, name)),
);
interface Published {
  readonly oneOf: readonly ({ readonly title: string } & Parameters<typeof z.fromJSONSchema>[0] & object)[];
}
const published: Published = JSON.parse(readFileSync(join(root, "schemas/scenario.schema.json"), "utf8"));

test("files are there", () => {
  expect(files.length).toBeGreaterThan(14);
});

describe.each(files)("%s", (file) => {
  const text = readFileSync(join(root, file), "utf8");
  const given = parse(text);
  const schema = published.oneOf.find((kind) => kind.title === given.kind);

  test("is taken by the published schema; with a key that nobody knows it is not", () => {
    expect(schema).toBeDefined();
    const taken = z.fromJSONSchema(schema ?? {});
    expect(taken.safeParse(given).error?.issues ?? []).toEqual([]);
    expect(taken.safeParse({ ...given, nobodyKnows: 1 }).success).toBe(false);
  });

  test("is read without a complaint", () => {
    // A file of its own stands for its driver: own_drivers.test.ts loads it.
    const plain = (name: string): string => (isDriverFile(name) ? "ringnic" : name);
    expect(readScenario(file, text, [...scenarioKinds, experimentKind], plain).file).toBe(file);
  });
});

test("a kind that measures names each of its measures, with unit and meaning, and no other", () => {
  for (const kind of scenarioKinds) {
    if (kind.measure === undefined) continue;
    const settings = kind.schema.parse(
      kind.kind === "machine" ? { tcp: [{}], rpc: [{}], traffic: [{}] } : { designs: ["pp-recycle"] },
    );
    const measures = kind.measure(kind.run({ ...(settings as object), ...kind.shortest }));
    expect(Object.keys(measures).sort()).toEqual(kind.metrics?.map((m) => m.name).sort());
    for (const { unit, means } of kind.metrics ?? []) expect([unit, means]).not.toContain("");
  }
});

/** The rows of an experiment with one seed, by metric. */
function rowsOf(file: string, metric: string): readonly (readonly [string, number])[] {
  const { settings, place } = readScenario(file, readFileSync(join(root, file), "utf8"), [experimentKind]);
  const plan = planExperiment({ ...(settings as ExperimentSettings), seeds: 2 }, file, place);
  return plan.variants.map((v) => [v.name, measureUnit(plan.kind, v.settings, plan.firstSeed)[metric] ?? Number.NaN]);
}

describe("three benches of a driver developer", () => {
  test("four queues under pressure: each has its CPU and its pool, the rule's flow comes on top of queue 3, and pages come home", () => {
    const file = "scenarios/four-queues-under-pressure.yaml";
    const { settings } = readScenario(file, readFileSync(join(root, file), "utf8"));
    const [card] = runMachine(settings as MachineSettings).devices;
    const queues = card?.queues ?? [];
    expect(queues.map((q) => q.cpu)).toEqual([0, 1, 2, 3]);
    const packets = queues.map((q) => q.counters["rx_packets"] ?? 0);
    expect(packets.reduce((a, b) => a + b)).toBe(card?.stats.rxPackets);
    expect(packets[3]).toBeGreaterThan(1.5 * (packets[0] ?? 0));
    for (const { pool } of queues) {
      // Whatever the pool gives out came from its cache at once, after a refill, or from the page allocator.
      expect(pool?.ring).toBeGreaterThan(100);
      expect(pool?.slow).toBeGreaterThan(100);
      expect(pool?.slowHighOrder).toBe(0);
    }
    expect(card?.stats.rxDropped).toBeGreaterThan(0);
  });

  test("an MTU of e1000e: page fragments of order 3 at 1500, single pages above, however long the frame", () => {
    expect(rowsOf("scenarios/mtu-sweep-e1000e.yaml", "highestOrder").map(([, order]) => order)).toEqual([
      3, 0, 0, 0, 0,
    ]);
  });

  test("three masks: without the reserves far more is refused, and a quiet mask changes nothing but what is printed", () => {
    const refused = Object.fromEntries(rowsOf("scenarios/gfp-policies.yaml", "failureShare"));
    expect(refused["GFP_ATOMIC"]).toBeGreaterThan(0);
    expect(refused["without the reserves"]).toBeGreaterThan(2 * (refused["GFP_ATOMIC"] ?? Infinity));
    expect(refused["quietly"]).toBe(refused["GFP_ATOMIC"]);
  });
});
