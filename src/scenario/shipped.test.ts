// Every scenario and experiment that comes with skblab: the published schema takes it, and so does its kind.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { z } from "zod";
import { experimentKind } from "./experiment.ts";
import { scenarioKinds } from "./kinds.ts";
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
