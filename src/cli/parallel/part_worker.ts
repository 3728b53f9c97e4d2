// A thread of the pool: gets parts of scenarios, runs each, sends back what came out.
import { parentPort } from "node:worker_threads";
import { BadInput } from "../../base/bad_input.ts";
import { driverFilesOf } from "../../scenario/own_drivers.ts";
import type { Order, Reply } from "./pool.ts";
import { runJob } from "./pool.ts";

parentPort?.on("message", async ({ index, job }: Order) => {
  parentPort?.postMessage(await answer(index, job));
});

async function answer(index: number, job: Order["job"]): Promise<Reply> {
  try {
    const own = "settings" in job && driverFilesOf(job.settings).length > 0;
    return { index, result: own ? await (await import("./own_part.ts")).runOwn(job) : runJob(job) };
  } catch (error) {
    if (error instanceof BadInput)
      return { index, bad: { sentence: error.message, place: error.place, advice: error.advice } };
    return { index, failed: error instanceof Error ? (error.stack ?? error.message) : String(error) };
  }
}
