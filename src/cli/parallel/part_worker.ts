// A thread of the pool: gets parts of scenarios, runs each, sends back what came out.
import { parentPort } from "node:worker_threads";
import { BadInput } from "../../base/bad_input.ts";
import { driverFilesOf } from "../../scenario/own_drivers.ts";
import { loadDriversOf } from "../own_drivers.ts";
import type { Order, Reply } from "./pool.ts";
import { runJob } from "./pool.ts";

parentPort?.on("message", async ({ index, job }: Order) => {
  parentPort?.postMessage(await answer(index, job));
});

/** Settings whose drivers' files this thread has loaded. */
const loaded = new Set<string>();

async function answer(index: number, job: Order["job"]): Promise<Reply> {
  try {
    const settings = "settings" in job ? job.settings : undefined;
    const files = driverFilesOf(settings);
    if (files.some((file) => !loaded.has(file))) await loadDriversOf(settings);
    for (const file of files) loaded.add(file);
    return { index, result: runJob(job) };
  } catch (error) {
    if (error instanceof BadInput)
      return { index, bad: { sentence: error.message, place: error.place, advice: error.advice } };
    return { index, failed: error instanceof Error ? (error.stack ?? error.message) : String(error) };
  }
}
