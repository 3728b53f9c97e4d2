// A thread that reads jobs for `skblab fleet`.
import { parentPort, workerData } from "node:worker_threads";
import type { Job } from "./jobs.ts";
import type { JobOptions } from "./read_job.ts";
import { readJob } from "./read_job.ts";

parentPort?.on("message", (message: { readonly index: number; readonly job: Job }) => {
  void readJob(message.job, workerData as JobOptions).then((records) =>
    parentPort?.postMessage({ index: message.index, records }),
  );
});
