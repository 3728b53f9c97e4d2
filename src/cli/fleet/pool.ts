// Jobs on all cores. Records are handed on in the order of the jobs, so that what is written does not depend on which thread was faster; a thread
// is at most `ahead` jobs in front of the slowest, so memory stays bounded. A job that takes its thread down with it costs that job.
import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import type { HostRecord } from "../../fleet/host_record.ts";
import type { Job } from "./jobs.ts";
import type { JobOptions } from "./read_job.ts";
import { readJob, unread } from "./read_job.ts";

const ahead = 256;
/** Of each thread: a job that wants more costs that job, not the run. */
const heapMegabytes = 160;

export interface ToWorker {
  readonly index: number;
  readonly job: Job;
}

export type FromWorker =
  | { readonly kind: "done" | "early"; readonly index: number; readonly records: readonly HostRecord[] }
  | { readonly kind: "bytes"; readonly index: number; readonly bytes: number };

export interface Take {
  /** Records in the order of the jobs; `done` with the last of a job. */
  records(index: number, records: readonly HostRecord[], done: boolean): void;
  /** How many bytes of a job that is not done were read. */
  bytes(job: Job, bytes: number): void;
}

export async function runJobs(
  jobs: readonly Job[],
  options: JobOptions,
  threads: number | undefined,
  take: Take,
): Promise<void> {
  if (jobs.length === 0) return;
  const count = Math.min(threads ?? availableParallelism(), jobs.length);
  if (count > 1) return new Pool(jobs, options, take).run(count);
  for (const [index, job] of jobs.entries()) {
    const last = await readJob(
      job,
      options,
      (records) => take.records(index, records, false),
      (bytes) => take.bytes(job, bytes),
    );
    take.records(index, last, true);
  }
}

class Pool {
  private readonly jobs: readonly Job[];
  private readonly options: JobOptions;
  private readonly take: Take;
  private readonly workers = new Map<Worker, number | undefined>();
  /** Records of jobs that are read, or half read, and not handed on. */
  private readonly waiting = new Map<number, { readonly records: HostRecord[]; done: boolean }>();
  private next = 0;
  private handedOn = 0;
  private finished!: () => void;
  private failed!: (error: unknown) => void;

  constructor(jobs: readonly Job[], options: JobOptions, take: Take) {
    this.jobs = jobs;
    this.options = options;
    this.take = take;
  }

  async run(threads: number): Promise<void> {
    try {
      await new Promise<void>((resolve, reject) => {
        this.finished = resolve;
        this.failed = reject;
        for (let i = 0; i < threads; i++) this.start();
      });
    } finally {
      await Promise.all([...this.workers.keys()].map((w) => w.terminate()));
    }
  }

  private start(): void {
    const worker = new Worker(new URL("./worker.js", import.meta.url), {
      workerData: this.options,
      resourceLimits: { maxOldGenerationSizeMb: heapMegabytes },
    });
    this.workers.set(worker, undefined);
    worker.on("message", (message: FromWorker) => {
      try {
        this.hear(worker, message);
      } catch (error) {
        this.failed(error);
      }
    });
    worker.on("error", (error: NodeJS.ErrnoException) => {
      const index = this.workers.get(worker);
      this.workers.delete(worker);
      // A thread that dies without a job could not even begin: that is no input's fault.
      if (index === undefined) {
        this.failed(error);
        return;
      }
      const why =
        error.code === "ERR_WORKER_OUT_OF_MEMORY" ? `it needs more than ${heapMegabytes} MB of memory` : error.message;
      const job = this.jobs[index] as Job;
      this.put(index, [unread(job.host, [`${job.files.slice(0, 3).join(", ")} was left out: ${why}.`])], true);
      if (this.next < this.jobs.length) this.start();
    });
    this.feed(worker);
  }

  private hear(worker: Worker, message: FromWorker): void {
    if (message.kind === "bytes") {
      this.take.bytes(this.jobs[message.index] as Job, message.bytes);
      return;
    }
    this.put(message.index, message.records, message.kind === "done");
    if (message.kind === "early") return;
    this.workers.set(worker, undefined);
    for (const [idle, busy] of this.workers) if (busy === undefined) this.feed(idle);
  }

  private put(index: number, records: readonly HostRecord[], done: boolean): void {
    const entry = this.waiting.get(index) ?? { records: [], done };
    this.waiting.set(index, entry);
    entry.records.push(...records);
    entry.done = done;
    for (let ready = this.waiting.get(this.handedOn); ready !== undefined; ready = this.waiting.get(this.handedOn)) {
      this.take.records(this.handedOn, ready.records.splice(0), ready.done);
      if (!ready.done) break;
      this.waiting.delete(this.handedOn++);
    }
    if (this.handedOn === this.jobs.length) this.finished();
  }

  private feed(worker: Worker): void {
    if (this.next >= this.jobs.length || this.next - this.handedOn >= ahead) return;
    const index = this.next++;
    this.workers.set(worker, index);
    worker.postMessage({ index, job: this.jobs[index] as Job } satisfies ToWorker);
  }
}
