// Puts a diagnosis' advice to the test: builds the machine that a report describes, says what it had to assume, runs it as it was and with each
// change, and tells by how much each lowers the failures. What cannot be built or run is said, with the reason.
import { BadInput } from "../base/bad_input.ts";
import type { ProveInput } from "../diagnosis/machine_told.ts";
import type { RunJob, Steps } from "./batch.ts";
import { onceEach, runSteps, runStepsWith } from "./batch.ts";
import { advised, whyNot } from "./changes.ts";
import { proveFailure } from "./failure.ts";
import { proveOwnership } from "./ownership.ts";
import { provePool } from "./pool.ts";
import type { Proof, ProveProgress } from "./proof.ts";
import { refuse } from "./proof.ts";

export type { ProveInput } from "../diagnosis/machine_told.ts";
export type { Proof, ProofRow } from "./proof.ts";

/** A function of its input. `progress` in 0..1; `seeds`: runs of each variant of a machine; left out: as many as an answer needs. */
export function prove(input: ProveInput, progress: ProveProgress, seeds?: number): Proof {
  return runSteps(proofSteps(input, progress, seeds), progress);
}

/** The same in steps: what is to be run is yielded. Causes that need no machine to be run come back at once. */
export function* proofSteps(input: ProveInput, progress: ProveProgress, seeds?: number): Steps<Proof> {
  try {
    return yield* proveKind(input, seeds, progress);
  } catch (error) {
    // The report describes a machine that the model refuses to build: that is an answer.
    if (error instanceof BadInput) return cannot(input, error.message.replace(/\.$/, ""));
    throw error;
  }
}

function* proveKind(input: ProveInput, seeds: number | undefined, progress: ProveProgress): Steps<Proof> {
  switch (input.kind) {
    case "alloc_failure":
    case "slab_failure":
      return yield* proveFailure(input, seeds);
    case "bad_page":
    case "oops":
      return yield* proveOwnership(input, progress);
    case "page_pool_stall":
      return provePool(input, progress);
    case "oom":
      return cannot(input, "memory was really used up by programs, and the report does not contain them");
    case "slab_corruption":
    case "skb_panic":
      return cannot(input, "the bug is in code that the model does not have");
    default:
      return cannot(input, "it reports no failure that could become rarer");
  }
}

const cannot = (input: ProveInput, why: string): Proof =>
  refuse(input, why, {
    untested: advised(input).map(({ action, change }) => ({ action, why: whyNot(change) ?? "nothing was run" })),
  });

/** Every cause of a diagnosis, in its order. */
export function proveAll(inputs: readonly ProveInput[], progress: ProveProgress): readonly Proof[] {
  return inputs.map((input, i) => prove(input, (done, what) => progress((i + done) / inputs.length, what)));
}

export interface ProveWatch {
  readonly progress: ProveProgress;
  /** All proofs as they stand, each time one of them has learned something: those that have no answer yet are undefined. */
  readonly soFar?: (proofs: readonly (Proof | undefined)[]) => void;
}

/** The same, run by `run`, all causes side by side. */
export async function proveAllWith(
  inputs: readonly ProveInput[],
  run: RunJob,
  { progress, soFar = () => {} }: ProveWatch,
): Promise<readonly Proof[]> {
  const share = inputs.map(() => 0);
  const answers: (Proof | undefined)[] = inputs.map(() => undefined);
  const once = onceEach(run);
  return Promise.all(
    inputs.map(async (input, i) => {
      const tell: ProveProgress = (done, what) => {
        share[i] = Math.max(share[i] ?? 0, done);
        progress(share.reduce((n, x) => n + x, 0) / inputs.length, what);
      };
      const learned = (proof: Proof): void => {
        answers[i] = proof;
        soFar([...answers]);
      };
      const proof =
        (await runStepsWith(proofSteps(input, tell), once, tell, learned)) ??
        cannot(input, "it was stopped before anything was measured");
      learned(proof);
      return proof;
    }),
  );
}
