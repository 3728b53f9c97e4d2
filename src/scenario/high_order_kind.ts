// What a scenario file about high-order blocks after a thrash may say.
import { z } from "zod";
import { highOrderParts, policyNames } from "../lab/high_order.ts";
import { release, thrashSchema, whole } from "../lab/schema_parts.ts";
import type { ScenarioKind } from "./kind.ts";
import { runParts } from "./kind.ts";

const schema = z.strictObject({
  release: release.default("2.6.34-i386"),
  memoryMb: whole(64, 65536, "memory of the machine, MB").default(1024),
  policies: z
    .array(z.enum(policyNames))
    .min(1)
    .describe("placement policies to compare, each on a machine that is otherwise the same")
    .default([...policyNames]),
  activeFreeing: z
    .array(z.boolean())
    .min(1)
    .describe("whether a high-order request that fails frees the neighbors of a small free block")
    .default([false, true]),
  seeds: whole(1, 1000, "machines per policy, each with its own seed").default(20),
  firstSeed: whole(0, 1_000_000_000, "seed of the first of them").default(1),
  requests: whole(1, 100_000, "blocks requested").default(160),
  order: whole(1, 10, "order of a block: 2^order pages").default(10),
  load: thrashSchema.describe("the load that fragments memory first").prefault({}),
});

export const highOrderKind: ScenarioKind = {
  kind: "high-order-after-thrash",
  summary: "after a compile-like load: how many large blocks can each placement policy still give?",
  schema,
  run: runParts(highOrderParts),
  parts: highOrderParts,
};
