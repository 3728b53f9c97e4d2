// What may be run side by side, on whichever core: a part of a scenario, a run of a machine with a seed, a job of a proof. Each is a function of itself.
import { assert } from "../base/assert.ts";
import { measureUnit } from "../scenario/experiment.ts";
import { kindNamed } from "../scenario/kinds.ts";
import type { Job } from "./batch.ts";
import { measureJob } from "./batch.ts";

/** A part of a scenario; with a seed a whole run, of which only the measures are wanted. */
export interface ScenarioPart {
  readonly kind: string;
  readonly settings: unknown;
  readonly part?: unknown;
  readonly seed?: number;
}

export type PartJob = ScenarioPart | { readonly proof: Job };

/** Does one, here. */
export function runPart(job: PartJob): unknown {
  if ("proof" in job) return measureJob(job.proof);
  if (job.seed !== undefined) return measureUnit(job.kind, job.settings, job.seed);
  const parts = kindNamed(job.kind)?.parts;
  assert(parts !== undefined, () => `kind ${job.kind} has no parts`);
  return parts.run(job.settings, job.part);
}
