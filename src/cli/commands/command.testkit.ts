// A command as a test meets it: from its arguments to its answer, in this process, nothing printed. For tests only; not in the package.
import { Command } from "commander";
import { BadInput } from "../../base/bad_input.ts";
import type { Document } from "../../report/document.ts";
import { renderText } from "../../report/text.ts";
import type { Answer, CommandSpec, Io } from "../command.ts";

/** A progress line as the command gave it: how much is done (0..1, or unknown) and its note. */
export type Bar = readonly [done: number | undefined, note: string | undefined];

export interface Ran {
  readonly document: Document;
  /** What was shown before it. */
  readonly shown: readonly Document[];
  /** The document as text, 100 columns, without colour. */
  readonly text: string;
  readonly json: unknown;
  readonly exit: Answer["exit"];
  /** What went raw to standard output. */
  readonly written: Buffer;
  readonly notes: readonly string[];
  readonly bars: readonly Bar[];
}

/** Runs `spec` with `args`. A command answers once, or writes raw output and gives no answer; anything else is an error here. */
export async function runCommand(
  spec: CommandSpec,
  args: readonly string[],
  onProgress: Io["progress"] = () => {},
): Promise<Ran> {
  const answers: Answer[] = [];
  const written: Buffer[] = [];
  const notes: string[] = [];
  const bars: Bar[] = [];
  const shown: Document[] = [];
  const io: Io = {
    colour: false,
    width: 100,
    answer: async (answer) => void answers.push(answer),
    write: async (data) => void written.push(Buffer.from(data as Uint8Array)),
    async show(document, after = "") {
      shown.push(document);
      written.push(Buffer.from(`${renderText(document, { colour: false, width: 100 })}${after}`));
    },
    progress: (label, done, note) => {
      bars.push([done, note]);
      onProgress(label, done, note);
    },
    note: (text) => void notes.push(text),
  };
  const cmd = new Command(spec.name).exitOverride();
  const { argv } = process;
  process.argv = ["node", "skblab", spec.name, ...args];
  try {
    if (spec.raw !== true) cmd.option("--format <kind>", "as the program adds it", "text");
    spec.configure(cmd, io);
    await cmd.parseAsync([...args], { from: "user" });
  } finally {
    process.argv = argv;
  }
  if (answers.length > 1) throw new Error(`skblab ${spec.name} ${args.join(" ")} gave ${answers.length} answers`);
  const [answer] = answers;
  const document = answer?.document ?? [];
  return {
    document,
    shown,
    text: renderText(document, { colour: false, width: 100 }),
    json: answer?.json,
    exit: answer?.exit ?? 0,
    written: Buffer.concat(written),
    notes,
    bars,
  };
}

/** The BadInput that a run ends in; any other end is an error. */
export async function refusal(run: Promise<unknown>): Promise<BadInput> {
  try {
    await run;
  } catch (error) {
    if (error instanceof BadInput) return error;
    throw error;
  }
  throw new Error("it was accepted");
}
