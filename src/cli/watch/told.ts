// What a watch has told already, kept between its starts: the boot, and the last record of the kernel's log. After a reboot the numbers begin anew.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { cacheDirectory, writeOutput } from "../output.ts";
import { textOf } from "./files.ts";

export interface ToldState {
  readonly boot: string;
  readonly sequence: number;
}

export const bootId = (root: string): string => (textOf(join(root, "sys/kernel/random/boot_id")) ?? "").trim();

/** Where the state is kept when nobody says otherwise. */
export const stateFile = (): string => join(cacheDirectory("watch"), "state.json");

/** The last record told in this boot; undefined when there is none, or the file is no state. */
export function toldIn(file: string, boot: string): number | undefined {
  try {
    const state = JSON.parse(readFileSync(file, "utf8")) as Partial<ToldState>;
    return state.boot === boot && boot !== "" && Number.isSafeInteger(state.sequence) ? state.sequence : undefined;
  } catch {
    return undefined;
  }
}

export const keepTold = (file: string, state: ToldState): void => writeOutput(file, `${JSON.stringify(state)}\n`);
