// A thread of the pool: gets parts of scenarios, runs each, sends back what came out.
import { parentPort } from "node:worker_threads";
import { BadInput } from "../../base/bad_input.ts";
import type { Order, Reply } from "./pool.ts";
import { runPart } from "./pool.ts";

parentPort?.on("message", ({ index, ...job }: Order) => {
  parentPort?.postMessage(answer(index, job));
});

function answer(index: number, job: Omit<Order, "index">): Reply {
  try {
    return { index, result: runPart(job) };
  } catch (error) {
    if (error instanceof BadInput) return { index, bad: { sentence: error.message, advice: error.advice } };
    return { index, failed: error instanceof Error ? (error.stack ?? error.message) : String(error) };
  }
}
