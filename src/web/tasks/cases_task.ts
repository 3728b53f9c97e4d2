// `skblab cases`, `skblab run`, `skblab experiment` and `--prove` in the worker: the same runs, the same Documents and JSON. What can be run side by
// side is given to the page's other workers.
import { BadInput } from "../../base/bad_input.ts";
import type { Diagnosis } from "../../diagnosis/finding.ts";
import type { Measures, Outcome } from "../../prove/batch.ts";
import type { PartJob } from "../../prove/part_job.ts";
import { runPart } from "../../prove/part_job.ts";
import type { Proof } from "../../prove/proof.ts";
import { proveAllWith } from "../../prove/prove.ts";
import { provedDiagnosis } from "../../prove/proved.ts";
import { caseDocument } from "../../report/cases.ts";
import { experimentDocument } from "../../report/experiment.ts";
import { proofsDocument } from "../../report/prove.ts";
import { scenarioDocument } from "../../report/scenarios.ts";
import { cases } from "../../scenario/cases/index.ts";
import type { Knobs } from "../../scenario/cases/knobs.ts";
import { readKnobs } from "../../scenario/cases/knobs.ts";
import type { ExperimentSettings } from "../../scenario/experiment.ts";
import { concludeExperiment, experimentKind, planExperiment, unitOf, unitsOf } from "../../scenario/experiment.ts";
import { scenarioKinds } from "../../scenario/kinds.ts";
import type { Scenario } from "../../scenario/read.ts";
import { readScenario } from "../../scenario/read.ts";
import { standsFor } from "../../scenario/stands_for.ts";
import type { Page, Progress, Shown } from "./protocol.ts";

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

/** Tests the advice of every cause of a diagnosis, as `skblab diagnose --prove` does; what is known on the way is shown on the way. */
export async function proveTask(diagnosis: Diagnosis, progress: Progress, page: Page): Promise<Proved> {
  const shown = (proofs: readonly (Proof | undefined)[]): Proved => ({
    document: proofsDocument(proofs.filter((p) => p !== undefined)),
    json: provedDiagnosis(diagnosis, proofs),
  });
  const proofs = await proveAllWith(diagnosis.incidents, async (proof) => (await page.give({ proof })) as Outcome, {
    progress,
    soFar: (known) => page.soFar(shown(known)),
  });
  return shown(proofs);
}

export interface Proved extends Shown {
  readonly json: ReturnType<typeof provedDiagnosis>;
}

/** What another task gave away. */
export async function partTask(job: PartJob): Promise<unknown> {
  return runPart(job);
}

/** Runs a scenario's or an experiment's text; `file` is the name that complaints and answers give it. */
export async function scenarioTask(
  { file, text }: { readonly file: string; readonly text: string },
  progress: Progress,
  page: Page,
): Promise<Shown> {
  const scenario = readScenario(file, text, [...scenarioKinds, experimentKind]);
  if (scenario.kind === experimentKind) return runExperiment(scenario, progress, page);
  const { kind, settings } = scenario;
  const result = await runWatched(scenario, progress, page);
  return {
    document: scenarioDocument(file, kind.kind, kind.summary, result, standsFor(settings)),
    json: {
      schema: "skblab.run/1",
      runs: [{ file, kind: kind.kind, settings, standsFor: standsFor(settings), result }],
    },
  };
}

async function runWatched({ kind, settings }: Scenario, progress: Progress, page: Page): Promise<unknown> {
  const { parts } = kind;
  if (parts !== undefined) {
    const list = parts.list(settings);
    const jobs = list.map((part) => ({ kind: kind.kind, settings, part }));
    return parts.join(settings, await giveAll(jobs, progress, page, (i) => parts.label(list[i])));
  }
  if (kind.watch === undefined) return kind.run(settings);
  return kind.watch(settings, { sample: (_sample, done) => progress(done, "running") });
}

/** All of them side by side; results in their order. */
async function giveAll(
  jobs: readonly PartJob[],
  progress: Progress,
  page: Page,
  name: (i: number) => string,
): Promise<unknown[]> {
  let finished = 0;
  return Promise.all(
    jobs.map(async (job, i) => {
      const result = await page.give(job);
      progress(++finished / jobs.length, `${finished} of ${jobs.length}: ${name(i)}`);
      return result;
    }),
  );
}

async function runExperiment({ file, settings, place }: Scenario, progress: Progress, page: Page): Promise<Shown> {
  const plan = planExperiment(settings as ExperimentSettings, file, place);
  const units = Array.from({ length: unitsOf(plan) }, (_, u) => unitOf(plan, u));
  const measures = await giveAll(
    units.map(({ variant, seed }) => ({ kind: plan.kind, settings: variant.settings, seed })),
    progress,
    page,
    (i) => `${units[i]?.variant.name}, seed ${units[i]?.seed}`,
  );
  const result = concludeExperiment(plan, measures as readonly Measures[]);
  return { document: experimentDocument(file, result), json: { schema: "skblab.experiment/1", file, result } };
}
