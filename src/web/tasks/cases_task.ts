// `skblab cases`, `skblab run` and `skblab experiment` in the worker, on one processor: the same runs, the same Documents and JSON.
import { BadInput } from "../../base/bad_input.ts";
import type { Diagnosis } from "../../diagnosis/finding.ts";
import { proveAll } from "../../prove/prove.ts";
import { provedDiagnosis } from "../../prove/proved.ts";
import { caseDocument } from "../../report/cases.ts";
import { experimentDocument } from "../../report/experiment.ts";
import { proofsDocument } from "../../report/prove.ts";
import { scenarioDocument } from "../../report/scenarios.ts";
import { cases } from "../../scenario/cases/index.ts";
import type { Knobs } from "../../scenario/cases/knobs.ts";
import { readKnobs } from "../../scenario/cases/knobs.ts";
import type { ExperimentSettings } from "../../scenario/experiment.ts";
import {
  concludeExperiment,
  experimentKind,
  measureUnit,
  planExperiment,
  unitOf,
  unitsOf,
} from "../../scenario/experiment.ts";
import { scenarioKinds } from "../../scenario/kinds.ts";
import type { Scenario } from "../../scenario/read.ts";
import { readScenario } from "../../scenario/read.ts";
import { standsFor } from "../../scenario/stands_for.ts";
import type { Progress, Shown } from "./protocol.ts";

/** What the page shows of a case before it has run. */
export interface CaseStory {
  readonly id: string;
  readonly seed: string;
  readonly question: string;
  readonly story: string;
  readonly run: string;
  readonly wouldChange: string;
  readonly knobs: Knobs;
}

export async function caseStoriesTask(_: null): Promise<readonly CaseStory[]> {
  return cases.map(({ id, seed, question, story, run, wouldChange, knobs = {} }) => ({
    id,
    seed,
    question,
    story,
    run,
    wouldChange,
    knobs,
  }));
}

export interface CaseInput {
  readonly id: string;
  /** What was written for each knob that was turned, as after `--set`. */
  readonly set: readonly (readonly [key: string, value: string])[];
}

export async function caseTask({ id, set }: CaseInput, progress: Progress): Promise<Shown> {
  const found = cases.find((c) => c.id === id);
  if (found === undefined) throw new BadInput(`There is no case "${id}".`);
  const result = found.answer((done, what) => progress(done, what), readKnobs(found, set));
  return { document: caseDocument(found, result), json: result };
}

/** Tests the advice of every cause of a diagnosis, as `skblab diagnose --prove` does. */
export async function proveTask(diagnosis: Diagnosis, progress: Progress): Promise<Shown> {
  const proofs = proveAll(diagnosis.incidents, progress);
  return { document: proofsDocument(proofs), json: provedDiagnosis(diagnosis, proofs) };
}

/** Runs a scenario's or an experiment's text; `file` is the name that complaints and answers give it. */
export async function scenarioTask(
  { file, text }: { readonly file: string; readonly text: string },
  progress: Progress,
): Promise<Shown> {
  const scenario = readScenario(file, text, [...scenarioKinds, experimentKind]);
  if (scenario.kind === experimentKind) return runExperiment(scenario, progress);
  const { kind, settings } = scenario;
  const result = runWatched(scenario, progress);
  return {
    document: scenarioDocument(file, kind.kind, kind.summary, result, standsFor(settings)),
    json: {
      schema: "skblab.run/1",
      runs: [{ file, kind: kind.kind, settings, standsFor: standsFor(settings), result }],
    },
  };
}

function runWatched({ kind, settings }: Scenario, progress: Progress): unknown {
  const { parts } = kind;
  if (parts !== undefined) {
    const list = parts.list(settings);
    const results = list.map((part, i) => {
      progress(i / list.length, `${i + 1} of ${list.length}: ${parts.label(part)}`);
      return parts.run(settings, part);
    });
    return parts.join(settings, results);
  }
  if (kind.watch === undefined) return kind.run(settings);
  return kind.watch(settings, { sample: (_sample, done) => progress(done, "running") });
}

function runExperiment({ file, settings, place }: Scenario, progress: Progress): Shown {
  const plan = planExperiment(settings as ExperimentSettings, file, place);
  const units = unitsOf(plan);
  const measures = Array.from({ length: units }, (_, u) => {
    const { variant, seed } = unitOf(plan, u);
    progress(u / units, `${u + 1} of ${units}: ${variant.name}, seed ${seed}`);
    return measureUnit(plan.kind, variant.settings, seed);
  });
  const result = concludeExperiment(plan, measures);
  return { document: experimentDocument(file, result), json: { schema: "skblab.experiment/1", file, result } };
}
