// Options that belong together and options that exclude each other. What is not read in the way a command was asked is refused, not passed over
// in silence.
import type { Command } from "commander";
import { BadInput } from "../base/bad_input.ts";

/** Whether the option stood on the command line; `name` as the user writes it: --what-if, --no-search. */
function given(command: Command, name: string): boolean {
  const option = command.options.find((o) => o.long === name);
  if (option === undefined) throw new Error(`${command.name()} has no option ${name}`);
  const source = command.getOptionValueSource(option.attributeName());
  return source !== undefined && source !== "default";
}

/** Throws BadInput when one of `names` was given; `reason` says with what it goes, as "goes with --what-if". */
export function refuse(command: Command, names: readonly string[], reason: string): void {
  const found = names.find((name) => given(command, name));
  if (found !== undefined) throw new BadInput(`${found} ${reason}.`, undefined, `Leave ${found} out.`);
}

/** Throws BadInput when one of `names` was given without any of `others`. */
export function goesWith(command: Command, names: readonly string[], ...others: readonly string[]): void {
  if (others.some((name) => given(command, name))) return;
  const found = names.find((name) => given(command, name));
  if (found !== undefined)
    throw new BadInput(
      `${found} goes with ${others.join(" or ")}.`,
      undefined,
      `Add ${others.length > 1 ? "one of them" : "it"}, or leave ${found} out.`,
    );
}

/** Throws BadInput when `name` was given and one of `others` too. */
export function excludes(command: Command, name: string, others: readonly string[]): void {
  if (given(command, name)) refuse(command, others, `does not go with ${name}`);
}
