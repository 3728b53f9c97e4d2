// Answers to generated texts, kept in fixtures/answers/ as those of answers.test.ts are. A text is a fault of a new answer until somebody has read why.
//   ANSWERS=write npx vitest run src/diagnosis/NAME.test.ts    writes what NAME keeps anew
import { keptAnswers } from "./answers_kept.testkit.ts";
import type { Diagnosis } from "./finding.ts";

/** A text or several of one machine, by name. */
export type Texts = Readonly<Record<string, string>>;

/** A log as dmesg prints it, with a boot line and a last line so that no report is taken for a cut one. */
export const logOf = (lines: readonly string[], release = "6.1.0-18-amd64"): Texts => ({
  "kern.log": `[    0.000000] Linux version ${release} (gcc)\n${lines
    .flatMap((l) => l.split("\n"))
    .map((l, i) => `[  100.${String(i).padStart(6, "0")}] ${l}\n`)
    .join("")}[  200.000000] systemd[1]: Started Session 1 of user root.\n`,
});

/** Holds the answer to each text, `linesOf` of it, to `fixtures/answers/NAME.txt`. */
export const holdAnswers = (
  name: string,
  texts: Readonly<Record<string, Texts>>,
  linesOf: (d: Diagnosis) => readonly string[],
): void => keptAnswers({ [name]: texts }, linesOf);
