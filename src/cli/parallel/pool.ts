// Runs the parts of scenarios on all cores: one worker thread a core, each taking the next part when it is done with one.
// Results come back in the order of the parts, whoever ran them. One core, one part, or a thread that cannot start: everything runs here.
import { existsSync } from "node:fs";
import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import { BadInput, type InputPlace } from "../../base/bad_input.ts";
import type { LltxOptions } from "../../explore/stories/lltx.ts";
import { lltxTable } from "../../explore/stories/lltx.ts";
import type { PartJob } from "../../prove/part_job.ts";
import { runPart } from "../../prove/part_job.ts";

/** What a thread does: the same as the page's workers, or the row of one scheme of the LLTX table. */
export type PoolJob = PartJob | { readonly lltx: Omit<LltxOptions, "progress"> };

/** Does one, here. */
export const runJob = (job: PoolJob): unknown => ("lltx" in job ? lltxTable(job.lltx) : runPart(job));

/** What a worker is told. */
export interface Order {
  readonly index: number;
  readonly job: PoolJob;
}
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

/** Threads that stay for several lots of parts. */
export interface Pool {
  /** Results in the order of the parts; lots that are given while others run share the threads. `done` as each part ends, in whatever order. */
  run(jobs: readonly PoolJob[], done?: PoolOptions["done"]): Promise<unknown[]>;
  close(): Promise<void>;
}

interface Waiting extends Order {
  readonly keep: (result: unknown) => void;
  readonly fail: (error: Error) => void;
}

/** `jobs`: threads; left out: as many as there are cores. A thread is started when a part waits for it. */
export function openPool(wanted: number = availableParallelism()): Pool {
  const file = new URL("./part_worker.js", import.meta.url);
  // Only the built package has the program of a thread; its sources run everything here.
  const jobs = existsSync(file) ? wanted : 1;
  const waiting: Waiting[] = [];
  const workers: Worker[] = [];
  const idle: Worker[] = [];
  const working = new Map<Worker, Waiting>();
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
    worker.postMessage({ index: next.index, job: next.job } satisfies Order);
  };
  const start = (): void => {
    const worker = new Worker(file);
    workers.push(worker);
    worker.on("message", (reply: Reply) => {
      const mine = working.get(worker);
      working.delete(worker);
      if (mine === undefined) return;
      if ("failed" in reply) mine.fail(new Error(`part ${reply.index}: ${reply.failed}`));
      else if ("bad" in reply) mine.fail(badInputOf(reply.bad));
      else mine.keep(reply.result);
      feed(worker);
    });
    worker.on("error", (error) => working.get(worker)?.fail(error));
    feed(worker);
  };
  const here = async (w: Waiting): Promise<void> => {
    try {
      w.keep(runJob(w.job));
    } catch (error) {
      w.fail(error as Error);
    }
    // Lets the progress line and Ctrl-C through.
    await new Promise((resolve) => setImmediate(resolve));
  };
  return {
    async run(parts, done = () => {}) {
      let finished = 0;
      const all = parts.map(
        (job, index) =>
          new Promise<unknown>((resolve, reject) => {
            waiting.push({
              index,
              job,
              keep: (result) => {
                done(index, result, ++finished);
                resolve(result);
              },
              fail: reject,
            });
          }),
      );
      if (jobs <= 1) for (let w = waiting.shift(); w !== undefined; w = waiting.shift()) await here(w);
      while (idle.length > 0 && waiting.length > 0) feed(idle.pop() as Worker);
      while (jobs > 1 && workers.length < jobs && waiting.length > 0) start();
      return Promise.all(all);
    },
    async close() {
      await Promise.all(workers.map((w) => w.terminate()));
    },
  };
}

export async function runPool(jobs: readonly PoolJob[], options: PoolOptions = {}): Promise<unknown[]> {
  const pool = openPool(Math.min(options.jobs ?? availableParallelism(), jobs.length));
  try {
    return await pool.run(jobs, options.done);
  } finally {
    // When one of them fails, the others stop too.
    await pool.close();
  }
}
