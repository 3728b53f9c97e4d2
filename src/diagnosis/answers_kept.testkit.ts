// Answers to texts that are made for it, kept in fixtures/answers as those of answers.test.ts are: a file for each room, without the words.
//   ANSWERS=write npx vitest run src/diagnosis/answers_    writes them anew
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { answerLines } from "./answers.testkit.ts";
import { diagnoseTexts } from "./field.testkit.ts";
import type { Diagnosis } from "./finding.ts";

/** A text or several of one machine, by file. */
export type Files = Readonly<Record<string, string>>;
/** By name, the texts that are given together. */
export type Texts = Readonly<Record<string, Files>>;
/** The same, of which some are bytes. */
type Inputs = Readonly<Record<string, Readonly<Record<string, string | Uint8Array>>>>;

const answers = join(import.meta.dirname, "../../fixtures/answers");

/** `== name` and the lines of its answer, one text after the other. */
const kept = (text: string): ReadonlyMap<string, string> =>
  new Map(
    text
      .split(/^== /m)
      .slice(1)
      .map((part) => {
        const end = part.indexOf("\n");
        return [part.slice(0, end), part.slice(end + 1).trimEnd()];
      }),
  );

/** Sentences that no report may lead to: what is not there printed as a word, one of several, several of one. */
const unsound =
  /undefined|NaN|Infinity|\[object| {2}|(?<![\w.,*-]|: )1 (?:pages|blocks|bytes|packets|objects|seconds|counters|processes|references)\b|(?<![\w.,*-])(?:[2-9]|\d{2,9}) (?:page|block|packet|object|second|counter|process|reference) (?!size)/;
const unsoundIn = (d: Diagnosis): readonly string[] =>
  [
    ...d.incidents.flatMap((i) => [i.title, i.cause, ...i.findings.map((f) => f.claim)]),
    ...(d.states ?? []).flatMap((s) => [s.summary, ...s.findings.map((f) => f.claim)]),
  ].filter((sentence) => unsound.test(sentence));

/** Asks every text of every room and compares with what is kept; what has changed is read in the difference. */
export function keptAnswers(
  rooms: Readonly<Record<string, Inputs>>,
  linesOf: (d: Diagnosis) => readonly string[] = answerLines,
): void {
  describe.each(Object.entries(rooms))("%s", (room, texts) => {
    const path = join(answers, `${room.replaceAll(" ", "_")}.txt`);
    const answer = async (name: string): Promise<string> => {
      const d = await diagnoseTexts(texts[name] ?? {});
      expect(unsoundIn(d)).toEqual([]);
      return linesOf(d)
        .flatMap((l) => l.split("\n").map((x) => x.trimEnd()))
        .join("\n");
    };
    if (process.env.ANSWERS === "write")
      test("written anew", { timeout: 600_000 }, async () => {
        const all: string[] = [];
        for (const name of Object.keys(texts)) all.push(`== ${name}\n${await answer(name)}\n`);
        writeFileSync(path, all.join(""));
        expect(all.length).toBeGreaterThan(0);
      });
    else {
      const known = kept(readFileSync(path, "utf8"));
      test("every text has an answer, and every answer its text", () => {
        expect([...known.keys()].sort()).toEqual(Object.keys(texts).sort());
      });
      test.each(Object.keys(texts))("%s", async (name) => {
        expect(await answer(name)).toBe(known.get(name));
      });
    }
  });
}

/** Of an answer what each incident is and how it is answered, with its advice; not where it stands nor what the machine looks like. */
export const shortLines = (d: Diagnosis): readonly string[] =>
  answerLines(d).filter((l) =>
    /^ (?: \S+ (?:yes|no|unknown)\b|(?:kind|severity|title|cause|driver|direction|order) )/.test(l),
  );

/** Lines of a log. */
export type Lines = readonly string[];
export const log = (...lines: Lines): Files => ({
  "kern.log": `${lines.map((l) => `[  100.000000] ${l}`).join("\n")}\n`,
});
/** A log as dmesg prints it, with a boot line and a last line so that no report is taken for a cut one. */
export const logOf = (lines: Lines, release = "6.1.0-18-amd64"): Files => ({
  "kern.log": `[    0.000000] Linux version ${release} (gcc)\n${lines
    .flatMap((l) => l.split("\n"))
    .map((l, i) => `[  100.${String(i).padStart(6, "0")}] ${l}\n`)
    .join("")}[  200.000000] systemd[1]: Started Session 1 of user root.\n`,
});
export const each = <T>(rows: readonly T[], name: (row: T) => string, lines: (row: T) => Lines): Texts =>
  Object.fromEntries(rows.map((row) => [name(row), log(...lines(row))]));
export const words = (text: string): Lines => text.split(/\s+/);
export const frames = (...names: Lines): Lines => names.map((n) => ` ${/[<[]/.test(n) ? n : `${n}+0x12/0x340`}`);
export const processLine = (taint = "Not tainted", release = "6.1.0-18-amd64"): string =>
  `CPU: 1 PID: 77 Comm: server ${taint} ${release} #1`;
/** A system call from its last function to its end. */
export const task: Lines = ["vfs_write", "ksys_write", "do_syscall_64", "entry_SYSCALL_64_after_hwframe"];
