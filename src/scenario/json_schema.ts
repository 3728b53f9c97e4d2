// The published schema of scenario files (schemas/scenario.schema.json): editors complete keys by it and show what they mean.
import { z } from "zod";
import type { DriverMaker } from "../model/drivers/driver.ts";
import { experimentKind } from "./experiment.ts";
import { scenarioKinds } from "./kinds.ts";
import { ownSettingsText } from "./own_drivers.ts";

interface Properties {
  readonly properties?: Readonly<Record<string, unknown>>;
  readonly required?: readonly string[];
}

/**
 * JSON Schema 2020-12: one alternative for each kind, every key with its description, unit, range and default. Settings of drivers of your
 * own are described beside those of the model's.
 */
export function scenarioJsonSchema(own: readonly DriverMaker[] = []): unknown {
  const kinds = [...scenarioKinds, experimentKind];
  const schema = {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    title: "skblab scenario",
    description: "A machine and a question: for skblab run, an experiment for skblab experiment.",
    type: "object",
    required: ["kind"],
    properties: { kind: { enum: kinds.map((k) => k.kind), description: "what kind of scenario this is" } },
    oneOf: kinds.map((kind) => {
      const { $schema: _, ...shape } = z.toJSONSchema(kind.schema, { io: "input", unrepresentable: "any" });
      const { properties, required }: Properties = shape;
      return {
        ...shape,
        title: kind.kind,
        description: kind.summary,
        properties: { kind: { const: kind.kind, description: kind.summary }, ...properties },
        required: ["kind", ...(required ?? [])],
      };
    }),
  };
  if (own.length === 0) return schema;
  const whatDriversTake = "what the driver itself takes.";
  return JSON.parse(JSON.stringify(schema), (key, value: unknown) =>
    key === "description" && typeof value === "string" && value.startsWith(whatDriversTake)
      ? value.replace(whatDriversTake, () => `${whatDriversTake} ${ownSettingsText(own)}`)
      : value,
  );
}
