// Answers to generated texts, kept in fixtures/answers/ as those of answers.test.ts are. A text is a fault of a new answer until somebody has read why.
//   ANSWERS=write npx vitest run src/diagnosis/NAME.test.ts    writes what NAME keeps anew
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { diagnoseTexts } from "./field.testkit.ts";
import type { Diagnosis } from "./finding.ts";

const fixtures = join(import.meta.dirname, "../../fixtures");

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
export function holdAnswers(
  name: string,
  texts: Readonly<Record<string, Texts>>,
  linesOf: (d: Diagnosis) => readonly string[],
): void {
  const path = join(fixtures, "answers", `${name}.txt`);
  const answer = async (key: string): Promise<string> =>
    linesOf(await diagnoseTexts(texts[key] as Texts))
      .flatMap((l) => l.split("\n").map((x) => x.trimEnd()))
      .join("\n");
  describe(name, () => {
    if (process.env.ANSWERS === "write") {
      test("written anew", { timeout: 600_000 }, async () => {
        let all = "";
        for (const key of Object.keys(texts)) all += `== ${key}\n${await answer(key)}\n`;
        mkdirSync(join(fixtures, "answers"), { recursive: true });
        writeFileSync(path, all);
        expect(all).not.toBe("");
      });
      return;
    }
    const known = new Map(
      readFileSync(path, "utf8")
        .split(/^== /m)
        .slice(1)
        .map((part) => {
          const end = part.indexOf("\n");
          return [part.slice(0, end), part.slice(end + 1).trimEnd()] as const;
        }),
    );
    test("every text has an answer, and every answer its text", () => {
      expect([...known.keys()].sort()).toEqual(Object.keys(texts).sort());
    });
    test.each(Object.keys(texts))("%s", async (key) => {
      expect((await answer(key)).trimEnd()).toBe(known.get(key));
    });
  });
}
