// Runs the parts of scenarios on all cores: one worker thread a core, each taking the next part when it is done with one.
// Results come back in the order of the parts, whoever ran them. One core, one part, or a thread that cannot start: everything runs here.
import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import { assert } from "../../base/assert.ts";
import { BadInput, type InputPlace } from "../../base/bad_input.ts";
import { measureJob } from "../../prove/batch.ts";
import { measureUnit } from "../../scenario/experiment.ts";
import { kindNamed } from "../../scenario/kinds.ts";

/** A part of a scenario, or a run of one machine with a seed, of which only the measures are wanted. */
export interface PartJob {
  readonly kind: string;
  readonly settings: unknown;
  readonly part?: unknown;
  readonly seed?: number;
  /** Of one burst: the lengths to answer for. */
  readonly lengths?: readonly number[];
}

/** What a worker is told. */
export type Order = PartJob & { readonly index: number };
/** An input that a part cannot use, on its way to the thread that tells it. */
export interface Bad {
  readonly sentence: string;
  readonly place: InputPlace | undefined;
  readonly advice: string | undefined;
}
/** What it answers. */
export type Reply =
  | { readonly index: number; readonly result: unknown }
  | { readonly index: number; readonly bad: Bad }
  | { readonly index: number; readonly failed: string };

export interface PoolOptions {
  /** Threads; left out: as many as there are cores. */
  readonly jobs?: number;
  /** Called as each part ends, in whatever order. */
  readonly done?: (index: number, result: unknown, finished: number) => void;
}

const badInputOf = ({ sentence, place, advice }: Bad): BadInput => new BadInput(sentence, place, advice);

/** Does one part in this thread. */
export function runPart(job: PartJob): unknown {
  if (job.lengths !== undefined) return measureJob({ ...job, lengths: job.lengths });
  if (job.seed !== undefined) return measureUnit(job.kind, job.settings, job.seed);
  const parts = kindNamed(job.kind)?.parts;
  assert(parts !== undefined, () => `kind ${job.kind} has no parts`);
  return parts.run(job.settings, job.part);
}

/** Threads that stay for several lots of parts. */
export interface Pool {
  /** Results in the order of the parts; lots that are given while others run share the threads. */
  run(jobs: readonly PartJob[], done?: (finished: number) => void): Promise<unknown[]>;
  close(): Promise<void>;
}

interface Waiting {
  readonly job: PartJob;
  readonly keep: (result: unknown) => void;
  readonly fail: (error: Error) => void;
}

/** `jobs`: threads; left out: as many as there are cores. A thread is started when a part waits for it. */
export function openPool(jobs: number = availableParallelism()): Pool {
  const waiting: Waiting[] = [];
  const workers: Worker[] = [];
  const idle: Worker[] = [];
  const working = new Map<Worker, Waiting>();
  const file = new URL("./part_worker.js", import.meta.url);
  const feed = (worker: Worker): void => {
    const next = waiting.shift();
    if (next === undefined) {
      idle.push(worker);
      // A process ends though its threads wait.
      worker.unref();
      return;
    }
    worker.ref();
    working.set(worker, next);
    worker.postMessage({ index: 0, ...next.job } satisfies Order);
  };
  const start = (): void => {
    const worker = new Worker(file);
    workers.push(worker);
    worker.on("message", (reply: Reply) => {
      const mine = working.get(worker);
      working.delete(worker);
      if (mine === undefined) return;
      if ("failed" in reply) mine.fail(new Error(reply.failed));
      else if ("bad" in reply) mine.fail(badInputOf(reply.bad));
      else mine.keep(reply.result);
      feed(worker);
    });
    worker.on("error", (error) => working.get(worker)?.fail(error));
    feed(worker);
  };
  const here = async (w: Waiting): Promise<void> => {
    try {
      w.keep(runPart(w.job));
    } catch (error) {
      w.fail(error as Error);
    }
    await new Promise((resolve) => setImmediate(resolve));
  };
  return {
    async run(parts, done = () => {}) {
      let finished = 0;
      const all = parts.map(
        (job) =>
          new Promise<unknown>((resolve, reject) => {
            waiting.push({
              job,
              keep: (result) => {
                done(++finished);
                resolve(result);
              },
              fail: reject,
            });
          }),
      );
      if (jobs <= 1) for (let w = waiting.shift(); w !== undefined; w = waiting.shift()) await here(w);
      for (let worker = idle.pop(); worker !== undefined && waiting.length > 0; worker = idle.pop()) feed(worker);
      while (jobs > 1 && workers.length < jobs && waiting.length > 0) start();
      return Promise.all(all);
    },
    async close() {
      await Promise.all(workers.map((w) => w.terminate()));
    },
  };
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
        else if ("bad" in reply) reject(badInputOf(reply.bad));
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
