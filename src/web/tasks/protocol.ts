// What the page asks of its worker and what comes back. One request runs at a time in a worker; cancelling ends the worker.
import type { Document } from "../../report/document.ts";

/** What most answers are: the same Document and JSON value that the command line would print. */
export interface Shown {
  readonly document: Document;
  readonly json: unknown;
}

export interface Request {
  readonly id: number;
  readonly task: string;
  readonly input: unknown;
}

export type Reply =
  | { readonly id: number; readonly kind: "progress"; readonly done: number | undefined; readonly note: string }
  | { readonly id: number; readonly kind: "result"; readonly value: unknown }
  | { readonly id: number; readonly kind: "bad-input"; readonly sentence: string }
  | { readonly id: number; readonly kind: "fault"; readonly story: string };

/** Says how far a task is; `done` in 0..1 or undefined when not known. */
export type Progress = (done: number | undefined, note: string) => void;

/** A task of the worker. */
export type Task<I, O> = (input: I, progress: Progress) => Promise<O>;
