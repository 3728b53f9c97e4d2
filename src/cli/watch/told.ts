// What a watch has told already, kept between its starts: the boot, and the last record of the kernel's log. After a reboot the numbers begin anew.
import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { join } from "node:path";
import { cacheDirectory, writeOutput } from "../output.ts";
import { textOf } from "./files.ts";

/** What a sequence number counts: records of /dev/kmsg, or microseconds since boot where lines carry nothing but their stamp. */
export type SequenceOf = "records" | "microseconds";

export interface ToldState {
  readonly boot: string;
  readonly sequence: number;
  readonly of?: SequenceOf;
}

export const bootId = (root: string): string => (textOf(join(root, "sys/kernel/random/boot_id")) ?? "").trim();

/** Where the state is kept when nobody says otherwise. */
export const stateFile = (): string => join(cacheDirectory("watch"), "state.json");

/** The last record told in this boot; undefined when there is none, or the file is no state. */
export function toldIn(file: string, boot: string, of: SequenceOf = "records"): number | undefined {
  return sequenceIn(textOf(file) ?? "", boot, of);
}

function sequenceIn(json: string, boot: string, of: SequenceOf): number | undefined {
  try {
    const state = JSON.parse(json) as Partial<ToldState> | null;
    return state?.boot === boot && boot !== "" && (state.of ?? "records") === of && Number.isSafeInteger(state.sequence)
      ? state.sequence
      : undefined;
  } catch {
    return undefined;
  }
}

export const keepTold = (file: string, state: ToldState): void => writeOutput(file, `${JSON.stringify(state)}\n`);

/** The last record that the last whole line of a file of incidents tells: a watch that was killed may have written it and not its state. */
export function toldByLines(path: string, boot: string, of: SequenceOf): number | undefined {
  try {
    const fd = openSync(path, "r");
    try {
      const { size } = fstatSync(fd);
      const tail = Buffer.alloc(Math.min(size, longestLine));
      const n = readSync(fd, tail, 0, tail.length, size - tail.length);
      const lines = tail.toString("utf8", 0, n).split("\n");
      return sequenceIn(lines.at(-2) ?? "", boot, of);
    } finally {
      closeSync(fd);
    }
  } catch {
    return undefined;
  }
}

/** An incident's line is some tens of KB. */
const longestLine = 4 << 20;
