// The worker's end: runs tasks, sends progress at most twenty times a second, turns what went wrong into replies.
import { BadInput } from "../../base/bad_input.ts";
import { movedBy } from "./moving.ts";
import type { Page, Progress, Reply, Request, Task } from "./protocol.ts";
import { tasks } from "./tasks.ts";

const send = (reply: Reply, moved: readonly ArrayBuffer[] = []): void =>
  self.postMessage(reply, { transfer: [...moved] });

/** Jobs that were given away, by their number. */
const given = new Map<number, (value: unknown) => void>();
let nextJob = 1;

self.onmessage = async (event: MessageEvent<Request>): Promise<void> => {
  if ("answers" in event.data) {
    given.get(event.data.answers)?.(event.data.value);
    given.delete(event.data.answers);
    return;
  }
  const { id, task, input } = event.data;
  const page: Page = {
    soFar: (value) => send({ id, kind: "so far", value }),
    give: (job) =>
      new Promise((resolve) => {
        given.set(nextJob, resolve);
        send({ id, kind: "job", job: nextJob++, input: job });
      }),
  };
  let last = 0;
  const progress: Progress = (done, note) => {
    const now = performance.now();
    if (now - last < 50) return;
    last = now;
    send({ id, kind: "progress", done, note });
  };
  try {
    const run = (tasks as unknown as Readonly<Record<string, Task<unknown, unknown>>>)[task];
    if (run === undefined) throw new Error(`no task "${task}"`);
    const value = await run(input, progress, page);
    send({ id, kind: "result", value }, movedBy(value));
  } catch (error) {
    if (error instanceof BadInput) send({ id, kind: "bad-input", sentence: error.sentence() });
    else send({ id, kind: "fault", story: error instanceof Error ? (error.stack ?? error.message) : String(error) });
  }
};
