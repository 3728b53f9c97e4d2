// The search of an image for pointers, on all cores. Parts of the frames go to whoever is free; what is found comes back in order of frames,
// so that the answer does not depend on which thread was faster.
import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import { type Image, pointerPlan, withPointers } from "../../image/image.ts";
import { type PointerHits, type PointerPlan, searchPointers } from "../../image/net/pointer_scan.ts";

/** What a thread is started with. */
export interface SearchJob {
  readonly files: readonly string[];
  readonly live: boolean;
  readonly plan: PointerPlan;
}

export interface SearchOptions {
  /** The files of the image; undefined when it was unpacked into memory: then this thread searches. */
  readonly files: readonly string[] | undefined;
  /** Threads; left out: as many as there are cores. */
  readonly threads?: number;
  readonly progress?: (done: number) => void;
}

/** Frames of one part: 512 MiB of memory. */
const partFrames = 1 << 17;

/** The image with the pointers to pages of pools that nothing else explains. */
export async function searchImage(image: Image, options: SearchOptions): Promise<Image> {
  const plan = pointerPlan(image);
  if (plan.wantedCount === 0) return withPointers(image, []);
  const progress = options.progress ?? (() => undefined);
  const parts = Math.ceil(plan.endPfn / partFrames);
  const threads = Math.min(options.threads ?? availableParallelism(), parts);
  if (options.files === undefined || threads <= 1) {
    const hits = searchPointers(image.memory, plan, 0, plan.endPfn, (pfn) => progress(pfn / plan.endPfn));
    return withPointers(image, hits);
  }
  const job: SearchJob = { files: options.files, live: image.memory.live, plan };
  return withPointers(image, (await onThreads(job, parts, threads, progress)).flat());
}

async function onThreads(
  job: SearchJob,
  parts: number,
  threads: number,
  progress: (done: number) => void,
): Promise<PointerHits[]> {
  const found: PointerHits[] = [];
  const workers = Array.from(
    { length: threads },
    () => new Worker(new URL("./worker.js", import.meta.url), { workerData: job }),
  );
  let next = 0;
  let finished = 0;
  try {
    await new Promise<void>((resolve, reject) => {
      for (const worker of workers) {
        worker.on("error", reject);
        worker.on("message", (message: "ready" | { readonly index: number; readonly hits: PointerHits }) => {
          if (message !== "ready") {
            found[message.index] = message.hits;
            progress(++finished / parts);
            if (finished === parts) resolve();
          }
          if (next >= parts) return;
          worker.postMessage({ index: next, first: next * partFrames, end: (next + 1) * partFrames });
          next++;
        });
      }
    });
  } finally {
    await Promise.all(workers.map((w) => w.terminate()));
  }
  return found;
}
