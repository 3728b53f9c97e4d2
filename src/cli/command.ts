// What a command is to the command line, and what it may do: read inputs, give one answer, show progress.
import type { Command as Commander } from "commander";
import type { Document } from "../report/document.ts";

/** The one answer of a command: drawn as text or Markdown from the document, or as the JSON value. */
export interface Answer {
  readonly document: Document;
  /** The same content as data; carries `schema: "skblab.…/N"`. */
  readonly json: unknown;
  /** 0 done; 1 done, and the answer is that something differs or is broken; 2 when nothing of the input could be read. */
  readonly exit: 0 | 1 | 2;
}

export interface Example {
  readonly line: string;
  readonly does: string;
}

/** One command module: `export const command: CommandSpec`. */
export interface CommandSpec {
  readonly name: string;
  readonly examples: readonly Example[];
  /** It prints no answer but a script, an archive, metrics or a picture that changes: it has no --format. */
  readonly raw?: true;
  /** Adds arguments and options, and the action; the action calls `io.answer` once, or writes raw output with `io.write`. */
  configure(cmd: Commander, io: Io): void;
}

/** The registry's row: enough for `skblab --help` without loading the command. */
export interface CommandEntry {
  readonly name: string;
  readonly summary: string;
  load(): Promise<CommandSpec>;
}

/** The world as a command sees it. */
export interface Io {
  readonly colour: boolean;
  readonly width: number;
  answer(answer: Answer): Promise<void>;
  /** Raw bytes or text for standard output (exports, --compat); waits for the reader to keep up. */
  write(data: string | Uint8Array): Promise<void>;
  /** A document before the answer, as the terminal can show it, with what is to stand behind it. */
  show(document: Document, after?: string): Promise<void>;
  /** One progress line on stderr, redrawn in place; nothing when stderr is no terminal. `done` in 0..1, or undefined when unknown. */
  progress(label: string, done: number | undefined, note?: string): void;
  /** A picture that stays on the terminal and is drawn anew at each call; false, and nothing drawn, where standard output is none. */
  live?(document: Document): Promise<boolean>;
  /** A sentence on stderr. */
  note(text: string): void;
}
