// The page's end of the worker: a promise a request, progress as a signal, cancel by ending the worker.
import { signal } from "@preact/signals";
import type { Reply, Request } from "./protocol.ts";
import type { InputOf, OutputOf, TaskName } from "./tasks.ts";
import SiteWorker from "./worker.ts?worker";
import SingleWorker from "./worker.ts?worker&inline";

declare const __SINGLE__: boolean;

/** What is running now, for the progress line; undefined when nothing is. */
export const running = signal<
  { readonly label: string; readonly done: number | undefined; readonly note: string } | undefined
>(undefined);

/** A sentence for the user (bad input), or our own fault with its story. */
export class TaskFailure extends Error {
  readonly ours: boolean;
  constructor(sentence: string, ours: boolean) {
    super(sentence);
    this.ours = ours;
  }
}

/** Thrown into the caller when the user cancels. */
export class Cancelled extends Error {}

interface Waiting {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
  readonly label: string;
}

let worker: Worker | undefined;
let nextId = 1;
const waiting = new Map<number, Waiting>();

function start(): Worker {
  const made = __SINGLE__ ? new SingleWorker() : new SiteWorker();
  made.onmessage = (event: MessageEvent<Reply>) => {
    const reply = event.data;
    const who = waiting.get(reply.id);
    if (who === undefined) return;
    if (reply.kind === "progress") {
      running.value = { label: who.label, done: reply.done, note: reply.note };
      return;
    }
    waiting.delete(reply.id);
    if (![...waiting.values()].some((w) => w.label !== "")) running.value = undefined;
    if (reply.kind === "result") who.resolve(reply.value);
    else who.reject(new TaskFailure(reply.kind === "bad-input" ? reply.sentence : reply.story, reply.kind === "fault"));
  };
  made.onerror = (event) => {
    const error = new TaskFailure(event.message || "The worker could not start.", true);
    for (const w of waiting.values()) w.reject(error);
    waiting.clear();
    running.value = undefined;
    worker = undefined;
  };
  return made;
}

/** Asks the worker for a task; rejects with TaskFailure or Cancelled. Without a label nothing is said of it: for what takes a moment. */
export function ask<N extends TaskName>(task: N, input: InputOf<N>, label = ""): Promise<OutputOf<N>> {
  worker ??= start();
  const id = nextId++;
  if (label !== "") running.value = { label, done: undefined, note: "" };
  const request: Request = { id, task, input };
  worker.postMessage(request);
  return new Promise<OutputOf<N>>((resolve, reject) => {
    waiting.set(id, { resolve: resolve as (value: unknown) => void, reject, label });
  });
}

/** Ends whatever runs. */
export function cancel(): void {
  worker?.terminate();
  worker = undefined;
  for (const w of waiting.values()) w.reject(new Cancelled("cancelled"));
  waiting.clear();
  running.value = undefined;
}
