// A thread that reads jobs for `skblab fleet`.
import { parentPort, workerData } from "node:worker_threads";
import { createExampleFilter } from "../../fleet/fleet.ts";
import type { FromWorker, ToWorker } from "./pool.ts";
import type { JobOptions } from "./read_job.ts";
import { readJob } from "./read_job.ts";

const say = (message: FromWorker): void => parentPort?.postMessage(message);

const keep = createExampleFilter();

parentPort?.on("message", ({ index, job }: ToWorker) => {
  let told = 0;
  void readJob(
    job,
    workerData as JobOptions,
    (records) => say({ kind: "early", index, records: records.map(keep) }),
    (bytes) => {
      // A large file tells now and then how far it is.
      if (bytes - told < 1 << 26) return;
      told = bytes;
      say({ kind: "bytes", index, bytes });
    },
  ).then((records) => say({ kind: "done", index, records: records.map(keep) }));
});
