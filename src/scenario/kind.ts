// What a kind of scenario is.
import type { z } from "zod";
import type { Parts } from "../lab/parts.ts";
import type { Onlooker } from "./machine_run.ts";

/** A kind of scenario file: `kind: NAME` and the settings of its schema. `run` is a function of the settings alone. */
export interface ScenarioKind {
  readonly kind: string;
  readonly summary: string;
  readonly schema: z.ZodType;
  /** The result as data; its shape belongs to the kind. Settings are those that the schema gave out. */
  run(settings: unknown): unknown;
  /** Kinds that are many machines say so: a face may then run the parts on several cores. */
  readonly parts?: Parts;
  /** Throws BadInput when settings that the schema lets through do not go together. */
  check?(settings: unknown): void;
  /** The same as run(), with somebody looking on. */
  watch?(settings: unknown, onlooker: Onlooker): unknown;
  /** The numbers of a result that experiments compare, by name; settings then have a `seed`. */
  measure?(result: unknown): Readonly<Record<string, number>>;
  /** What the measures are; a kind that compares designs puts the design's name and a point before each. */
  readonly metrics?: readonly Metric[];
  /** Settings that make a run as short as can be: what asks for the names of its measures lays these over its own. */
  readonly shortest?: Readonly<Record<string, unknown>>;
}

/** A number that experiments compare. */
export interface Metric {
  readonly name: string;
  readonly unit: string;
  readonly means: string;
}

/** The run of a kind that is made of parts. */
export const runParts =
  (parts: Parts): ScenarioKind["run"] =>
  (settings) =>
    parts.join(
      settings,
      parts.list(settings).map((part) => parts.run(settings, part)),
    );
