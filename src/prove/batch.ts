// How proofs are run: a proof asks for batches of runs and goes on with their measures; who runs them, on how many cores, is the face's business.
// The same answers whoever runs them: a run is a function of its settings and seed.
import type { AllocFailure } from "../kernel/readings/alloc_failure.ts";
import type { Measures } from "../scenario/burst.ts";
import { measureBursts } from "../scenario/burst.ts";
import type { BoardOptions } from "../scenario/cases/board.ts";
import { runBoard } from "../scenario/cases/board.ts";
import { isFirstTrace, isSecondTrace } from "../scenario/cases/writev.ts";
import type { FillOptions } from "../scenario/filled_state.ts";
import { filledState } from "../scenario/filled_state.ts";
import type { MachineSettings } from "../scenario/machine_settings.ts";
import { machineSchema } from "../scenario/machine_settings.ts";
import type { StateGiven } from "../scenario/machine_state_settings.ts";
import type { Proof } from "./proof.ts";

export type { Measures } from "../scenario/burst.ts";

/** What is counted of a burst. */
export type Measure = "printedFailures" | "framesLost" | `failedOrder${number}`;

/**
 * machine: a machine to run with one burst, and the lengths to answer for: shorter bursts are how a longer one begins. board: a sending board with a
 * mistake (scenario/cases/board.ts), whose reports are counted. fill: a machine that a load fills, whose memory is wanted.
 */
export type Job =
  | { readonly kind: "machine"; readonly settings: MachineSettings; readonly lengths: readonly number[] }
  | { readonly kind: "board"; readonly settings: BoardOptions }
  | { readonly kind: "fill"; readonly settings: FillOptions };

/** What came of a job. */
export interface Outcome {
  /** Of a machine by its lengths; of a board all that it did. */
  readonly measures: readonly Measures[];
  /** The first failures that a machine's settings ask to see. */
  readonly reports?: readonly AllocFailure[];
  readonly state?: StateGiven;
}

/** Does one job: a function of it. */
export function measureJob(job: Job): Outcome {
  if (job.kind === "machine") return measureBursts(job.settings, job.lengths);
  if (job.kind === "fill") return { measures: [], state: filledState(job.settings) };
  const { badPages, oopses } = runBoard(job.settings);
  return {
    measures: [
      {
        badPages: badPages.length,
        oopses: oopses.length,
        firstTraces: badPages.filter(isFirstTrace).length,
        secondTraces: oopses.filter(isSecondTrace).length,
      },
    ],
  };
}

export interface Batch {
  readonly jobs: readonly Job[];
  /** What it is for, for a progress line. */
  readonly what: string;
  /** Share of the proof that is done before it, 0..1, and after. */
  readonly from: number;
  readonly to: number;
  /** The answer that the runs before it allow: what stands when nothing more is run. */
  readonly soFar?: Proof;
}

/** A proof in steps: it yields what is to be run and is given the measures, in the order of the jobs. */
export type Steps<T> = Generator<Batch, T, readonly Outcome[]>;

export const jobOf = (settings: object, seed: number, lengths: readonly number[]): Job & { kind: "machine" } => ({
  kind: "machine",
  settings: machineSchema.parse({ ...settings, seed }),
  lengths,
});

/** Runs all of it here. */
export function runSteps<T>(steps: Steps<T>, progress: (done: number, what: string) => void): T {
  for (let given: readonly Outcome[] = []; ; ) {
    const next = steps.next(given);
    if (next.done === true) return next.value;
    const { jobs, what, from, to } = next.value;
    given = jobs.map((job, i) => {
      progress(from + ((to - from) * i) / jobs.length, what);
      return measureJob(job);
    });
  }
}

/** Runs a job somewhere; undefined: nothing more is run. */
export type RunJob = (job: Job) => Promise<Outcome | undefined>;

/** Each job once, however many proofs ask for it. */
export function onceEach(run: RunJob): RunJob {
  const known = new Map<string, Promise<Outcome | undefined>>();
  return (job) => {
    const key = JSON.stringify(job);
    const running = known.get(key) ?? run(job);
    known.set(key, running);
    return running;
  };
}

/** Runs the jobs of a batch where `run` does. Stopped in between, the answer so far is the answer; undefined where there is none yet. */
export async function runStepsWith(
  steps: Steps<Proof>,
  run: RunJob,
  progress: (done: number, what: string) => void,
  soFar: (proof: Proof) => void,
): Promise<Proof | undefined> {
  let answer: Proof | undefined;
  for (let given: readonly Outcome[] = []; ; ) {
    const next = steps.next(given);
    if (next.done === true) return next.value;
    const { jobs, what, from, to } = next.value;
    if (next.value.soFar !== undefined) {
      answer = next.value.soFar;
      soFar(answer);
    }
    progress(from, what);
    let finished = 0;
    const measured = await Promise.all(
      jobs.map(async (job) => {
        const outcome = await run(job);
        progress(from + ((to - from) * ++finished) / jobs.length, what);
        return outcome;
      }),
    );
    given = measured.filter((m) => m !== undefined);
    if (given.length < jobs.length) return answer;
  }
}
