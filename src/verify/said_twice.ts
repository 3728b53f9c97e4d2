// What a transcript says twice must agree: totals of its first line with its lines, a page that is freed with the page that was handed out, a
// zone's size before and after. Where it does not, the text was edited or lines are missing, and no replay of it means anything.
import { BadInput } from "../base/bad_input.ts";

/** A transcript as text (replayer.ts). */
interface Text {
  readonly path: string;
  readonly lines: readonly string[];
}

/** BadInput unless both places of a transcript say the same; `line` from 1. */
export function requireSame(
  input: Text,
  line: number,
  what: string,
  said: unknown,
  otherwise: unknown,
  advice = "The transcript was changed or is not whole: copy it again.",
): void {
  if (said !== otherwise)
    throw new BadInput(`${what} is ${said} here, and ${otherwise} by the rest.`, { file: input.path, line }, advice);
}

/** The same for a field that not every recorder writes. */
export function requireSameWhere(
  input: Text,
  row: Readonly<Record<string, unknown>>,
  field: string,
  otherwise: unknown,
): void {
  if (row[field] !== undefined) requireSame(input, 1, `"${field}"`, row[field], otherwise);
}

/** Numbers what a recorder hands out: 1, 2, 3 … */
export interface Numbering {
  /** BadInput when `id` is not the next number. */
  next(id: unknown, line: number): void;
}

export function numbering(input: Text): Numbering {
  let last = 0;
  return {
    next(id, line) {
      requireSame(input, line, "The number of what is handed out", id, ++last);
    },
  };
}

/** FNV-1a, 32 bits, over the first `lines` lines with their line ends. */
export function checksumOf(input: Text, lines: number): number {
  let sum = 0x811c9dc5;
  for (let i = 0; i < lines; i++) {
    const line = input.lines[i] ?? "";
    for (let k = 0; k < line.length; k++) sum = Math.imul(sum ^ line.charCodeAt(k), 0x01000193);
    sum = Math.imul(sum ^ 10, 0x01000193);
  }
  return sum >>> 0;
}

/** BadInput where the first line asks for another number of steps (`n`) than there are, or the last one is not numbered so. */
export function requireEnd(input: Text, steps: number): void {
  const object = (line: number): Readonly<Record<string, unknown>> => JSON.parse(input.lines[line] ?? "{}");
  requireSameWhere(input, object(0), "n", steps);
  requireSame(input, steps + 1, "The number of the last step", object(steps).i, steps - 1);
}
