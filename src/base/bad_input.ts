// What a user gave us that cannot be used. The faces print it as one sentence and leave with exit code 2.

/** Where in an input something stands; line and column count from 1. */
export interface InputPlace {
  readonly file: string;
  readonly line?: number;
  readonly column?: number;
}

/** Unusable input: one clear sentence, where it stands, and what to do about it. */
export class BadInput extends Error {
  override readonly name = "BadInput";
  readonly place: InputPlace | undefined;
  readonly advice: string | undefined;

  constructor(sentence: string, place?: InputPlace, advice?: string) {
    super(sentence);
    this.place = place;
    this.advice = advice;
  }

  /** `file:line:column: sentence advice`, on one line. */
  sentence(): string {
    const { place, advice } = this;
    const where =
      place === undefined ? "" : `${[place.file, place.line, place.column].filter((x) => x !== undefined).join(":")}: `;
    return `${where}${this.message}${advice === undefined ? "" : ` ${advice}`}`;
  }
}

/** A number that somebody gave must be a whole one of this range: BadInput, as one sentence with the number in it, when it is not. */
export function wholeGiven(name: string, value: unknown, least: number, most: number): void {
  if (typeof value !== "number" || !Number.isInteger(value) || value < least || value > most)
    throw new BadInput(`${name} is ${said(value)}; it must be a whole number ${least} .. ${most}.`);
}

/** A number that somebody gave must be above `above` and no more than `most`; NaN is neither. */
export function numberGiven(name: string, value: unknown, above: number, most: number): void {
  if (typeof value !== "number" || !(value > above && value <= most))
    throw new BadInput(`${name} is ${said(value)}; it must be a number above ${above}, ${most} at most.`);
}

/** The numbers of a release that somebody gave: whole, from 0. */
export function versionGiven(version: unknown): void {
  if (!Array.isArray(version) || version.length === 0 || !version.every((n) => Number.isInteger(n) && n >= 0))
    throw new BadInput(`The version is ${said(version)}; it must be the numbers of a release, such as [6, 1].`);
}

/** What was given, short enough for a sentence. */
const said = (value: unknown): string => {
  const text =
    typeof value === "string" ? JSON.stringify(value) : Array.isArray(value) ? `[${value.join(", ")}]` : String(value);
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
};
