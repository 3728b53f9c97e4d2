// The worker's end: runs tasks, sends progress at most twenty times a second, turns what went wrong into replies.
import { BadInput } from "../../base/bad_input.ts";
import type { Progress, Reply, Request, Task } from "./protocol.ts";
import { tasks } from "./tasks.ts";

const send = (reply: Reply): void => self.postMessage(reply);

self.onmessage = async (event: MessageEvent<Request>): Promise<void> => {
  const { id, task, input } = event.data;
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
    send({ id, kind: "result", value: await run(input, progress) });
  } catch (error) {
    if (error instanceof BadInput) send({ id, kind: "bad-input", sentence: error.sentence() });
    else send({ id, kind: "fault", story: error instanceof Error ? (error.stack ?? error.message) : String(error) });
  }
};
