// Jobs on all cores. Records are handed on in the order of the jobs, so that what is written does not depend on which thread was faster; a thread
// is at most `ahead` jobs in front of the slowest, so memory stays bounded.
import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import type { HostRecord } from "../../fleet/host_record.ts";
import type { Job } from "./jobs.ts";
import type { JobOptions } from "./read_job.ts";
import { readJob } from "./read_job.ts";

const ahead = 256;

export async function runJobs(
  jobs: readonly Job[],
  options: JobOptions,
  threads: number | undefined,
  done: (job: Job, index: number, records: readonly HostRecord[]) => void,
): Promise<void> {
  const count = Math.min(threads ?? availableParallelism(), jobs.length);
  if (count <= 1) {
    for (const [index, job] of jobs.entries()) done(job, index, await readJob(job, options));
    return;
  }
  const waiting = new Map<number, readonly HostRecord[]>();
  let next = 0;
  let handedOn = 0;
  const workers = Array.from(
    { length: count },
    () => new Worker(new URL("./worker.js", import.meta.url), { workerData: options }),
  );
  try {
    await new Promise<void>((resolve, reject) => {
      const idle = new Set(workers);
      const feed = (): void => {
        for (const worker of idle) {
          if (next >= jobs.length || next - handedOn >= ahead) return;
          idle.delete(worker);
          worker.postMessage({ index: next, job: jobs[next] });
          next++;
        }
      };
      for (const worker of workers) {
        worker.on("error", reject);
        worker.on(
          "message",
          ({ index, records }: { readonly index: number; readonly records: readonly HostRecord[] }) => {
            waiting.set(index, records);
            for (let ready = waiting.get(handedOn); ready !== undefined; ready = waiting.get(handedOn)) {
              waiting.delete(handedOn);
              done(jobs[handedOn] as Job, handedOn, ready);
              handedOn++;
            }
            idle.add(worker);
            if (handedOn === jobs.length) resolve();
            else feed();
          },
        );
      }
      feed();
    });
  } finally {
    await Promise.all(workers.map((w) => w.terminate()));
  }
}
