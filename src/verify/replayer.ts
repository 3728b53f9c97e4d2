// What a replayer of transcripts is: it recognises a transcript by its first line and compares the model with it, operation by operation.
import { BadInput } from "../base/bad_input.ts";
import { checksumOf, requireSame } from "./said_twice.ts";

/** One transcript as text: `lines[0]` is line 1 of the file, without line ends. */
export interface TranscriptInput {
  readonly path: string;
  readonly lines: readonly string[];
  /** The kernel that the surroundings name ("6.1.192"), for transcripts whose first line does not: another transcript or a boot log beside it, or the user. */
  readonly kernel?: string;
  /** The kernel whose rules it is compared with, though it was recorded on another: how a new kernel's differences are found. */
  readonly as?: string;
}

/** Where model and kernel part first, and why each side did what it did, in words that name the rule. */
export interface Difference {
  /** Line of the transcript, from 1. */
  readonly line: number;
  /** The operation as the transcript names it, such as `a i=17 NOWAIT_MOVABLE order 3`. */
  readonly operation: string;
  readonly kernel: string;
  readonly model: string;
  /** What on either side led there, as far as it is known. */
  readonly reasons: readonly string[];
}

/** `operations` counts what was compared, `exact` how many of those agreed in every recorded field. */
export interface Replayed {
  readonly operations: number;
  readonly exact: number;
  readonly firstDifference: Difference | undefined;
  /** What was compared and what was passed over, in a sentence, where that is not obvious. */
  readonly compared?: string;
}

/** One kind of transcript. `sniff` sees the first non-empty line; `replay` throws BadInput (file, line) when the transcript is unusable. */
export interface Replayer {
  readonly kind: string;
  /** What the first line may give as its "format"; older recorders gave none. */
  readonly formats: readonly string[];
  sniff(firstLine: string): boolean;
  replay(input: TranscriptInput): Replayed;
}

/** The JSON object on line `index + 1`; BadInput when the line is cut off or no object. */
export function objectAt(input: TranscriptInput, index: number): Readonly<Record<string, unknown>> {
  const text = input.lines[index];
  const place = { file: input.path, line: index + 1 };
  if (text === undefined) throw new BadInput("The transcript ends too early.", place, "Copy it again, whole.");
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new BadInput("This line is not JSON; it may be cut off.", place, "Copy the transcript again, whole.");
  }
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new BadInput("This line is not a JSON object.", place);
  return value as Readonly<Record<string, unknown>>;
}

/** Every recorder of JSON lines ends with an end line that says whether it ran out of room; BadInput when that is missing or says so. */
export function requireWhole(input: TranscriptInput): void {
  let last = input.lines.length - 1;
  while (last > 0 && input.lines[last]?.trim() === "") last--;
  const end = objectAt(input, last);
  const place = { file: input.path, line: last + 1 };
  if (end.t !== "end")
    throw new BadInput("The transcript has no end line: it is cut off.", place, "Copy it again, whole.");
  for (const key of ["truncated", "out_truncated"])
    if (end[key] !== undefined && end[key] !== 0)
      throw new BadInput(`The recorder itself ran out of room (${key}).`, place, "Record it again.");
  // This project's recorders close with a checksum of all that they wrote before.
  if (end.fnv !== undefined)
    requireSame(input, last + 1, "The checksum of the lines before", end.fnv, checksumOf(input, last));
  requireEveryStep(input);
}

/**
 * Steps are numbered upwards, so one that is twice there or at another place is noticed, also where it changed nothing. This project's recorders leave no
 * number out either; the older ones passed over steps that they gave up.
 */
function requireEveryStep(input: TranscriptInput): void {
  const gapless = input.lines[0]?.includes('"recorder":"skblab_') === true;
  let before = -1;
  for (const [at, line] of input.lines.entries()) {
    const number = stepNumber.exec(line)?.[1];
    if (number === undefined) continue;
    const now = Number(number);
    if (now <= before || (gapless && now !== before + 1))
      throw new BadInput(
        `Step ${now} stands behind step ${before}.`,
        { file: input.path, line: at + 1 },
        "Lines are missing or were moved: copy the transcript again, whole.",
      );
    before = now;
  }
}

const stepNumber = /^\{(?:"t":"[a-z]{1,8}",)?"i":(\d{1,9})[,}]/;
