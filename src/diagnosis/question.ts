// What rules ask. A question is declared once, beside the rule that answers it: its id, its words and its place. The ids of all declarations
// are a type (rules/index.ts), so that a misspelt one does not compile. What an answer rests on is a type too: a no takes what lines say or the
// proof that nothing is missing, so that "there is none" cannot be said of what may only be lost.
import type { Lack } from "../kernel/readings/part.ts";
import type { Advice, Answer, Finding, Ground, Missed, Witness } from "./finding.ts";

/** One question; its id is the key that it is declared under. */
export interface Question {
  /** As a person would put it; absent where every claim asks by itself, or stands where no question is shown. */
  readonly question?: string;
  /** What, who, where: the claim itself is the answer, a yes before it would be noise. */
  readonly open?: true;
  /** Of an incident's findings the one with the lowest rank tells most about why; absent where it tells nothing of that. */
  readonly rank?: number;
  /** What a no clears, as people name the suspect: `TSO`. */
  readonly clears?: string;
  /** Its yes says that something is not there, and takes the proof of that. */
  readonly absence?: "yes";
}

/** By id, `why.refused`. A key that ends in a dot stands for every id that begins so: `why.zone.` for `why.zone.0.DMA`. */
export type Questions = Readonly<Record<string, Question>>;

/** The ids that answers to these questions may carry. */
export type IdOf<Key> = Key extends `${string}.` ? `${Key}${string}` : Key;

type Said<Id> = (id: Id, claim: string, by: Ground, advice?: readonly Advice[]) => Finding;

/** The question of an id, that of its family where it has none of its own. */
type Of<Q, Id> = Id extends keyof Q
  ? Q[Id]
  : { [K in keyof Q]: K extends `${string}.` ? (Id extends `${K}${string}` ? Q[K] : never) : never }[keyof Q];

type Yes<Q extends Questions> = <Id extends IdOf<keyof Q>>(
  id: Id,
  claim: string,
  by: Of<Q, Id> extends { readonly absence: "yes" } ? Missed : Witness | Ground,
  advice?: readonly Advice[],
) => Finding;

/** The questions of a rule, and the answers that may be given to them. */
export interface Asked<Q extends Questions> {
  readonly questions: Q;
  /** Answers yes; without a line that carries it the answer is unknown. */
  readonly yes: Yes<Q>;
  /** Answers no, by what lines say or by the proof that what would say otherwise is not there: lines alone are no ground. */
  readonly no: Said<IdOf<keyof Q>>;
  /** The report does not say; the claim names what would have said it. */
  readonly unknown: (id: IdOf<keyof Q>, claim: string | Lack, near?: Witness, advice?: readonly Advice[]) => Finding;
  /** The function for an answer that was worked out. */
  readonly answering: (answer: Answer) => Said<IdOf<keyof Q>>;
}

/** Declares questions; what comes back answers these and no others. */
export function defineQuestions<const Q extends Questions>(questions: Q): Asked<Q> {
  type Id = IdOf<keyof Q>;
  const families = Object.keys(questions).filter((key) => key.endsWith("."));
  const asked = (id: Id): Omit<Question, "absence"> => {
    const found = questions[id as string] ?? questions[families.find((key) => (id as string).startsWith(key)) ?? ""];
    const { absence: _ground, ...question } = found ?? {};
    return question;
  };
  /** How a claim begins that answers nothing; what reads findings has it as `silent`. */
  const silence = "The report does not say";
  const finding = (id: Id, answer: Answer, claim: string, evidence: Witness, advice: readonly Advice[]): Finding => ({
    id: id as string,
    ...asked(id),
    ...(answer === "unknown" && claim.startsWith(silence) ? { silent: true } : {}),
    claim,
    // An answer that no line of the text carries is none.
    answer: evidence.length > 0 ? answer : "unknown",
    evidence,
    advice,
  });
  const linesOf = (by: Witness | Ground): Witness => ("absent" in by ? by.near : "shown" in by ? by.lines : by);
  const said =
    (answer: Answer) =>
    (id: Id, claim: string, by: Witness | Ground, advice: readonly Advice[] = []): Finding =>
      finding(id, answer, claim, linesOf(by), advice);
  const by = { yes: said("yes"), no: said("no"), unknown: said("unknown") };
  return {
    questions,
    yes: by.yes,
    no: by.no,
    unknown: (id, claim, near = [], advice = []) =>
      by.unknown(id, typeof claim === "string" ? claim : `${silence}: it lacks ${claim.lacks}.`, near, advice),
    answering: (answer) => by[answer],
  };
}
