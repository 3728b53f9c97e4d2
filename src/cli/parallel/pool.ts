// Runs the parts of scenarios on all cores: one worker thread a core, each taking the next part when it is done with one.
// Results come back in the order of the parts, whoever ran them. One core, one part, or a thread that cannot start: everything runs here.
import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import { assert } from "../../base/assert.ts";
import { BadInput } from "../../base/bad_input.ts";
import { measureUnit } from "../../scenario/experiment.ts";
import { kindNamed } from "../../scenario/kinds.ts";

/** A part of a scenario, or a run of one machine with a seed, of which only the measures are wanted. */
export interface PartJob {
  readonly kind: string;
  readonly settings: unknown;
  readonly part?: unknown;
  readonly seed?: number;
}

/** What a worker is told. */
export type Order = PartJob & { readonly index: number };
/** What it answers. */
export type Reply =
  | { readonly index: number; readonly result: unknown }
  | { readonly index: number; readonly bad: { readonly sentence: string; readonly advice?: string | undefined } }
  | { readonly index: number; readonly failed: string };

export interface PoolOptions {
  /** Threads; left out: as many as there are cores. */
  readonly jobs?: number;
  /** Called as each part ends, in whatever order. */
  readonly done?: (index: number, result: unknown, finished: number) => void;
}

/** Does one part in this thread. */
export function runPart(job: PartJob): unknown {
  if (job.seed !== undefined) return measureUnit(job.kind, job.settings, job.seed);
  const parts = kindNamed(job.kind)?.parts;
  assert(parts !== undefined, () => `kind ${job.kind} has no parts`);
  return parts.run(job.settings, job.part);
}

export async function runPool(jobs: readonly PartJob[], options: PoolOptions = {}): Promise<unknown[]> {
  const threads = Math.min(options.jobs ?? availableParallelism(), jobs.length);
  const results: unknown[] = new Array(jobs.length);
  let finished = 0;
  const keep = (index: number, result: unknown): void => {
    results[index] = result;
    options.done?.(index, result, ++finished);
  };
  if (threads <= 1) {
    for (const [index, job] of jobs.entries()) {
      keep(index, runPart(job));
      // Lets the progress line and Ctrl-C through.
      await new Promise((resolve) => setImmediate(resolve));
    }
    return results;
  }
  let next = 0;
  const file = new URL("./part_worker.js", import.meta.url);
  const workers: Worker[] = [];
  const serve = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const worker = new Worker(file);
      workers.push(worker);
      const feed = (): void => {
        const job = jobs[next];
        if (job === undefined) {
          resolve();
          void worker.terminate();
          return;
        }
        worker.postMessage({ index: next++, ...job } satisfies Order);
      };
      worker.on("message", (reply: Reply) => {
        if ("failed" in reply) reject(new Error(`part ${reply.index}: ${reply.failed}`));
        else if ("bad" in reply) reject(new BadInput(reply.bad.sentence, undefined, reply.bad.advice));
        else {
          keep(reply.index, reply.result);
          feed();
        }
      });
      worker.on("error", reject);
      feed();
    });
  try {
    await Promise.all(Array.from({ length: threads }, serve));
  } finally {
    // When one of them fails, the others stop too.
    await Promise.all(workers.map((w) => w.terminate()));
  }
  return results;
}
