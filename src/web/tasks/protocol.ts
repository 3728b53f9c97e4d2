// What the page asks of its worker and what comes back. One request runs at a time in a worker; cancelling ends the worker.
import type { PartJob } from "../../prove/part_job.ts";
import type { Document } from "../../report/document.ts";

/** What most answers are: the same Document and JSON value that the command line would print. */
export interface Shown {
  readonly document: Document;
  readonly json: unknown;
}

export type Request =
  | { readonly id: number; readonly task: string; readonly input: unknown }
  /** What another worker made of a job that this one gave away; undefined: it failed, and so has the task. */
  | { readonly answers: number; readonly value: unknown };

export type Reply =
  | { readonly id: number; readonly kind: "progress"; readonly done: number | undefined; readonly note: string }
  /** The answer as far as it is known. */
  | { readonly id: number; readonly kind: "so far"; readonly value: unknown }
  /** A job for whichever worker is free. */
  | { readonly id: number; readonly kind: "job"; readonly job: number; readonly input: unknown }
  | { readonly id: number; readonly kind: "result"; readonly value: unknown }
  | { readonly id: number; readonly kind: "bad-input"; readonly sentence: string }
  | { readonly id: number; readonly kind: "fault"; readonly story: string };

/** Says how far a task is; `done` in 0..1 or undefined when not known. */
export type Progress = (done: number | undefined, note: string) => void;

/** What a task may ask of the page while it runs. */
export interface Page {
  /** Shows an answer that is not the last. */
  soFar(value: unknown): void;
  /** Has a job done by whichever worker is free: many are done side by side. */
  give(job: PartJob): Promise<unknown>;
}

/** A task of the worker. */
export type Task<I, O> = (input: I, progress: Progress, page: Page) => Promise<O>;
