// What goes wrong in a file that somebody wrote for us to run (a driver, a story), told as his: the file, the line, and what was thrown.
import { BadInput, type InputPlace } from "./bad_input.ts";

/** An author's file. */
export interface AuthorsFile {
  /** How messages name the file. */
  readonly file: string;
  /** How a stack names it: its URL. */
  readonly url: string;
}

/** An error that came out of the file's code, as a sentence with its line; `inside` is what of it ran. */
export function authorsFault(error: unknown, inside: string, of: AuthorsFile): unknown {
  const { file } = of;
  if (error instanceof BadInput && error.place !== undefined) return error;
  if (!(error instanceof Error)) return new BadInput(`${inside} threw ${String(error)}.`, { file });
  const { place, first } = placeInFile(error, of);
  const [head = ""] = error.message.split("\n");
  const what = head.endsWith(".") ? head.slice(0, -1) : head;
  if (error instanceof BadInput) return new BadInput(head, place, error.advice);
  return new BadInput(
    first ? `${inside} threw ${error.name}: ${what}.` : `${inside} asked the machine for what cannot be: ${what}.`,
    place,
  );
}

/** Where in the file an error came up; `first`: in its own code, not in what that called. */
export function placeInFile(
  error: Error,
  { file, url }: AuthorsFile,
): { readonly place: InputPlace; readonly first: boolean } {
  const stack = (error.stack ?? "").split("\n").filter((line) => line.trimStart().startsWith("at "));
  const at = stack.findIndex((line) => line.includes(url));
  return { place: at < 0 ? { file } : placeOf(stack[at] ?? "", file, url), first: at === 0 };
}

/** `… (file:///dir/mynic.mjs:63:21)` */
function placeOf(line: string, file: string, url: string): InputPlace {
  const numbers = /^[^:]*:(\d+):(\d+)/.exec(line.slice(line.indexOf(url) + url.length));
  return numbers === null ? { file } : { file, line: Number(numbers[1]), column: Number(numbers[2]) };
}
