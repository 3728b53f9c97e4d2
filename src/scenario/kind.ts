// What a kind of scenario is.
import type { z } from "zod";

/** A kind of scenario file: `kind: NAME` and the settings of its schema. `run` is a function of the settings alone. */
export interface ScenarioKind {
  readonly kind: string;
  readonly summary: string;
  readonly schema: z.ZodType;
  /** The result as data; its shape belongs to the kind. Settings are those that the schema gave out. */
  run(settings: unknown): unknown;
}
