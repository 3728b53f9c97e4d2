// How proofs are run: a proof asks for batches of runs and goes on with their measures; who runs them, on how many cores, is the face's business.
// The same answers whoever runs them: a run is a function of its settings and seed.
import type { Measures } from "../scenario/burst.ts";
import { measureBursts } from "../scenario/burst.ts";
import type { BoardOptions } from "../scenario/cases/board.ts";
import { runBoard } from "../scenario/cases/board.ts";
import { isFirstTrace, isSecondTrace } from "../scenario/cases/writev.ts";
import { machineSchema } from "../scenario/machine_settings.ts";

export type { Measures } from "../scenario/burst.ts";

/**
 * machine: a machine to run with one burst, and the lengths to answer for: shorter bursts are how a longer one begins. board: a sending board with a
 * mistake (scenario/cases/board.ts), whose reports are counted.
 */
export interface Job {
  readonly kind: "machine" | "board";
  readonly settings: unknown;
  readonly lengths: readonly number[];
}

/** Does one job: a function of it. */
export function measureJob({ kind, settings, lengths }: Omit<Job, "kind"> & { readonly kind: string }): Outcome {
  if (kind !== "board") return measureBursts(settings, lengths);
  const { badPages, oopses } = runBoard(settings as BoardOptions);
  return [
    {
      badPages: badPages.length,
      oopses: oopses.length,
      firstTraces: badPages.filter(isFirstTrace).length,
      secondTraces: oopses.filter(isSecondTrace).length,
    },
  ];
}

export const boardJob = (options: BoardOptions): Job => ({ kind: "board", settings: options, lengths: [] });

export interface Batch {
  readonly jobs: readonly Job[];
  /** What it is for, for a progress line. */
  readonly what: string;
  /** Share of the proof that is done before it, 0..1, and after. */
  readonly from: number;
  readonly to: number;
}

/** A proof in steps: it yields what is to be run and is given the measures, in the order of the jobs. */
export type Steps<T> = Generator<Batch, T, readonly Outcome[]>;

/** What came of a job, by its lengths. */
export type Outcome = readonly Measures[];

export const jobOf = (settings: object, seed: number, lengths: readonly number[]): Job => ({
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

/** Runs it where `run` does: given jobs, their measures in the same order; `done` after each. */
export async function runStepsWith<T>(
  steps: Steps<T>,
  run: (jobs: readonly Job[], done: (finished: number) => void) => Promise<readonly Outcome[]>,
  progress: (done: number, what: string) => void,
): Promise<T> {
  for (let given: readonly Outcome[] = []; ; ) {
    const next = steps.next(given);
    if (next.done === true) return next.value;
    const { jobs, what, from, to } = next.value;
    progress(from, what);
    given = await run(jobs, (finished) => progress(from + ((to - from) * finished) / jobs.length, what));
  }
}
