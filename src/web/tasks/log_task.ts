// Lines of a log that is too large to be held beside its findings: read from the file when they are asked for, and searched there.
import { BadInput } from "../../base/bad_input.ts";
import { untilDamaged } from "./diagnose_task.ts";
import type { GivenFile } from "./files.ts";
import { expanded } from "./files.ts";
import type { Progress } from "./protocol.ts";
import { chunksOf } from "./streams.ts";

/** A stretch of lines; `from` counts from 1. */
export interface LinesInput {
  readonly files: readonly GivenFile[];
  /** The name of the input in the diagnosis. */
  readonly input: string;
  readonly from: number;
  readonly count: number;
}

export async function logLinesTask(input: LinesInput, progress: Progress): Promise<readonly string[]> {
  const lines: string[] = [];
  let number = 0;
  for await (const line of linesOf(input, progress)) {
    number++;
    if (number >= input.from) lines.push(line);
    if (lines.length === input.count) break;
  }
  return lines;
}

export interface SearchInput extends Omit<LinesInput, "from" | "count"> {
  readonly text: string;
}

const foundMost = 5000;

/** Numbers of the lines that have a text, whatever the case; at most 5,000. */
export async function logSearchTask(input: SearchInput, progress: Progress): Promise<readonly number[]> {
  const wanted = input.text.toLowerCase();
  const found: number[] = [];
  let number = 0;
  for await (const line of linesOf(input, progress)) {
    number++;
    if (line.toLowerCase().includes(wanted)) found.push(number);
    if (found.length === foundMost) break;
  }
  return found;
}

async function* linesOf(
  { files, input }: Pick<LinesInput, "files" | "input">,
  progress: Progress,
): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  for await (const { name, blob } of expanded(files, () => undefined)) {
    if (name !== input) continue;
    let rest = "";
    const chunks = chunksOf(name, blob, (done, note) => progress(done, `${name}: ${note}`));
    for await (const chunk of untilDamaged(chunks, () => undefined)) {
      const parts = (rest + decoder.decode(chunk, { stream: true })).split("\n");
      rest = parts.pop() ?? "";
      yield* parts;
    }
    yield rest;
    return;
  }
  throw new BadInput("The lines of a file in so large an archive are not kept; unpack it and give the file.");
}
