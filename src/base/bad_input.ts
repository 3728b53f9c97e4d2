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
