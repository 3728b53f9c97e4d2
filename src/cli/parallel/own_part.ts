// Parts whose drivers somebody wrote. They run on the modules as they are, which is where a driver's file is registered; the file that the build makes of a
// thread has a model of its own (scripts/build-command.mjs).
import { driverFilesOf } from "../../scenario/own_drivers.ts";
import { loadDriversOf } from "../own_drivers.ts";
import type { PoolJob } from "./pool.ts";
import { runJob } from "./pool.ts";

/** Drivers' files that this thread has loaded. */
const loaded = new Set<string>();

export async function runOwn(job: PoolJob): Promise<unknown> {
  const settings = "settings" in job ? job.settings : undefined;
  const files = driverFilesOf(settings);
  if (files.some((file) => !loaded.has(file))) await loadDriversOf(settings);
  for (const file of files) loaded.add(file);
  return runJob(job);
}
