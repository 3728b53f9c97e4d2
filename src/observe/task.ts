// The running task as the kernel names it.
import { idleTask } from "../kernel/facts/call_chains/index.ts";
import type { Release } from "../kernel/release.ts";

/** Name and number; numbers are made up, as they are on a machine that nobody logs in to. `id` tells tasks of one name apart. */
export function taskOf(release: Release, task: string, id: number, cpu: number): { comm: string; pid: number } {
  if (task === "") return { comm: idleTask(release, cpu), pid: 0 };
  const kernelThread = /^(?:ksoftirqd|kworker|events)\/(\d+)/.exec(task)?.[1];
  return { comm: task.slice(0, 15), pid: kernelThread === undefined ? 400 + id : 4 + 6 * Number(kernelThread) };
}
