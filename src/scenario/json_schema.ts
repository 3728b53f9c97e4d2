// The published schema of scenario files (schemas/scenario.schema.json): editors complete keys by it and show what they mean.
import { z } from "zod";
import { scenarioKinds } from "./kinds.ts";

/** JSON Schema 2020-12: one alternative for each kind, every key with its description, unit, range and default. */
export function scenarioJsonSchema(): unknown {
  return {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    title: "skblab scenario",
    description: "A machine and a question for skblab run.",
    type: "object",
    required: ["kind"],
    properties: { kind: { enum: scenarioKinds.map((k) => k.kind), description: "what kind of scenario this is" } },
    oneOf: scenarioKinds.map((kind) => {
      const { $schema: _, ...schema } = z.toJSONSchema(kind.schema, { io: "input", unrepresentable: "any" }) as {
        properties?: Record<string, unknown>;
        required?: string[];
      } & Record<string, unknown>;
      return {
        ...schema,
        title: kind.kind,
        description: kind.summary,
        properties: { kind: { const: kind.kind, description: kind.summary }, ...schema.properties },
        required: ["kind", ...(schema.required ?? [])],
      };
    }),
  };
}
