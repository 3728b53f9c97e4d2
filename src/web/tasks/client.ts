// The page's end of its workers: a promise a request, progress as a signal, cancel by ending a worker. There is a worker for each lane, started
// when it is first needed, so that a question never waits behind a run; what depends on something a worker keeps is asked in the same lane. What a
// task can have done side by side goes to helpers, one a core.
import { signal } from "@preact/signals";
import type { Reply, Request } from "./protocol.ts";
import type { InputOf, OutputOf, TaskName } from "./tasks.ts";
import SiteWorker from "./worker.ts?worker";
import SingleWorker from "./worker.ts?worker&inline";

declare const __SINGLE__: boolean;

type Lane = "read" | "census" | "image" | "film" | "run" | `part ${number}` | `helper ${number}`;

const helpers = Math.max(1, Math.min(16, navigator.hardwareConcurrency || 1));
/** The helper with the least to do. */
function helperLane(): Lane {
  const load = Array.from({ length: helpers }, () => 0);
  for (const { lane } of waiting.values()) {
    const at = Number(/^helper (\d+)$/.exec(lane)?.[1] ?? Number.NaN);
    if (at in load) load[at] = (load[at] ?? 0) + 1;
  }
  return `helper ${load.indexOf(Math.min(...load))}`;
}

const laneOf = (task: TaskName): Lane => (task === "part" ? helperLane() : (lanes[task] ?? "read"));
const lanes: Readonly<Partial<Record<TaskName, Lane>>> = {
  census: "census",
  block: "census",
  ownerPage: "census",
  realMemory: "census",
  image: "image",
  imagePlan: "image",
  imageFound: "image",
  imagePage: "image",
  film: "film",
  filmMaps: "film",
  filmPage: "film",
  filmChoice: "film",
  case: "run",
  prove: "run",
  scenario: "run",
  lltx: "run",
};

/** Something that takes a while and has a name. */
export interface Running {
  readonly id: number;
  readonly task: TaskName;
  readonly label: string;
  /** 0..1; undefined when not known. */
  readonly done: number | undefined;
  readonly note: string;
}

/** What is running now, in the order it was asked. */
export const running = signal<readonly Running[]>([]);

/** What runs of a task, for a place that shows how far it is. */
export const runningOf = (...tasks: readonly TaskName[]): Running | undefined =>
  running.value.find((r) => tasks.includes(r.task));

/** A sentence for the user (bad input), or our own fault with its story. */
export class TaskFailure extends Error {
  readonly ours: boolean;
  constructor(sentence: string, ours: boolean) {
    super(sentence);
    this.ours = ours;
  }
}

/** Thrown into the caller when the user cancels, or when a newer input makes the answer pointless. */
export class Cancelled extends Error {}

interface Waiting {
  readonly id: number;
  readonly lane: Lane;
  readonly task: TaskName;
  /** Who gave it away, where another task did: it ends with that. */
  readonly giver: number | undefined;
  readonly soFar: (value: unknown) => void;
  readonly input: unknown;
  readonly key: string;
  readonly promise: Promise<unknown>;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
}

const workers = new Map<Lane, Worker>();
const waiting = new Map<number, Waiting>();
let nextId = 1;

const forget = (id: number): void => {
  waiting.delete(id);
  running.value = running.value.filter((r) => r.id !== id);
};

function start(lane: Lane): Worker {
  const made = __SINGLE__ ? new SingleWorker() : new SiteWorker();
  made.onmessage = (event: MessageEvent<Reply>) => {
    const reply = event.data;
    const who = waiting.get(reply.id);
    if (who === undefined) return;
    if (reply.kind === "progress") {
      const { done, note } = reply;
      running.value = running.value.map((r) => (r.id === reply.id ? { ...r, done, note } : r));
      return;
    }
    if (reply.kind === "so far") return who.soFar(reply.value);
    if (reply.kind === "job") {
      const give = (value: unknown): void => made.postMessage({ answers: reply.job, value } satisfies Request);
      request("part", reply.input, { giver: reply.id }).then(give, (error: Error) => {
        if (waiting.get(reply.id) === who) end((w) => w === who, error);
      });
      return;
    }
    forget(reply.id);
    if (reply.kind === "result") who.resolve(reply.value);
    else who.reject(new TaskFailure(reply.kind === "bad-input" ? reply.sentence : reply.story, reply.kind === "fault"));
  };
  made.onerror = (event) => {
    const error = new TaskFailure(event.message || "The worker could not start.", true);
    for (const w of [...waiting.values()].filter((x) => x.lane === lane)) {
      forget(w.id);
      w.reject(error);
    }
    workers.delete(lane);
  };
  workers.set(lane, made);
  return made;
}

const post = ({ id, task, input, lane }: Waiting): void => {
  const asked: Request = { id, task, input };
  (workers.get(lane) ?? start(lane)).postMessage(asked);
};

const ids = new WeakMap<object, number>();
/** Files and columns are the same when they are the same object; everything else by its value. */
function keyOf(task: TaskName, input: unknown): string {
  return `${task} ${JSON.stringify(input, (_name, value: unknown) => {
    if (typeof value === "bigint") return `${value}n`;
    if (!(value instanceof Blob || ArrayBuffer.isView(value))) return value;
    if (!ids.has(value)) ids.set(value, nextId++);
    return `object ${ids.get(value)}`;
  })}`;
}

/**
 * Asks a worker for a task; rejects with TaskFailure or Cancelled. The same question asked again while it is under way is the same promise.
 * Without a label nothing is said of it: for what takes a moment. `replaces`: earlier questions of this task are pointless now and end. `soFar` is
 * given answers that are not the last.
 */
export function ask<N extends TaskName>(
  task: N,
  input: InputOf<N>,
  label = "",
  {
    replaces = false,
    soFar = () => undefined,
    ...more
  }: { readonly replaces?: boolean; readonly lane?: Lane; readonly soFar?: (value: OutputOf<N>) => void } = {},
): Promise<OutputOf<N>> {
  const key = keyOf(task, input);
  const same = [...waiting.values()].find((w) => w.key === key);
  if (same !== undefined) return same.promise as Promise<OutputOf<N>>;
  if (replaces) end((w) => w.task === task);
  return request(task, input, { key, label, soFar: soFar as Waiting["soFar"], ...more }) as Promise<OutputOf<N>>;
}

interface Asked {
  readonly key?: string;
  readonly label?: string;
  readonly lane?: Lane;
  readonly giver?: number;
  readonly soFar?: Waiting["soFar"];
}

function request(
  task: TaskName,
  input: unknown,
  { key = "", label = "", lane = laneOf(task), giver, soFar = () => undefined }: Asked,
): Promise<unknown> {
  const id = nextId++;
  let [resolve, reject]: [(value: unknown) => void, (error: Error) => void] = [() => undefined, () => undefined];
  const promise = new Promise<unknown>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  const asked: Waiting = { id, task, lane, giver, input, key, soFar, promise, resolve, reject };
  waiting.set(id, asked);
  if (label !== "") running.value = [...running.value, { id, task, label, done: undefined, note: "" }];
  post(asked);
  return promise;
}

/** Asks one task many times at once, each in a worker of its own that ends with it. When one fails or is cancelled, so are the others. */
export async function askEach<N extends TaskName>(
  task: N,
  inputs: readonly InputOf<N>[],
  label: string,
): Promise<readonly OutputOf<N>[]> {
  const lanes = inputs.map((_, i): Lane => `part ${i}`);
  const name = (i: number): string => (inputs.length === 1 ? label : `${label}, part ${i + 1} of ${inputs.length}`);
  try {
    return await Promise.all(inputs.map((input, i) => ask(task, input, name(i), { lane: lanes[i] ?? "part 0" })));
  } finally {
    end((w) => w.task === task);
    for (const lane of lanes) {
      workers.get(lane)?.terminate();
      workers.delete(lane);
    }
  }
}

/** Ends what is asked for, and what it gave away; a worker that does other things too starts those anew. */
function end(which: (w: Waiting) => boolean, why: Error = new Cancelled("cancelled")): void {
  const asked = [...waiting.values()];
  const givers = new Set(asked.filter(which).map((w) => w.id));
  const ending = asked.filter((w) => givers.has(w.id) || givers.has(w.giver ?? 0));
  const hit = new Set(ending.map((w) => w.lane));
  for (const w of ending) {
    forget(w.id);
    w.reject(why);
  }
  for (const lane of hit) {
    workers.get(lane)?.terminate();
    workers.delete(lane);
    for (const w of waiting.values()) if (w.lane === lane) post(w);
  }
}

/** Ends one thing that runs. */
export const cancel = (id: number): void => end((w) => w.id === id);
/** Ends whatever runs of these tasks. */
export const cancelAll = (...tasks: readonly TaskName[]): void => end((w) => tasks.includes(w.task));
