// Findings by the ids of their questions: every id that is declared, as a type, and the ways to ask for one.
import type { episodeQuestions } from "./episodes.ts";
import type { Answer, Finding } from "./finding.ts";
import type { groupQuestions } from "./group.ts";
import type { IdOf } from "./question.ts";
import type { all } from "./rules/index.ts";

type KeyOf<Q> = Q extends unknown ? keyof Q : never;

/** The keys under which questions are declared; one that ends in a dot stands for a family. */
type QuestionKey = KeyOf<(typeof all)[number]["questions"] | typeof groupQuestions | typeof episodeQuestions>;

/** Every id that a finding may carry. */
export type FindingId = IdOf<QuestionKey>;

/** `why.zone.`: what the ids of a family begin with. */
export type FindingFamily = Extract<QuestionKey, `${string}.`>;

/** Whether the finding answers that question. */
export const isA = (f: Pick<Finding, "id">, ...ids: readonly FindingId[]): boolean =>
  (ids as readonly string[]).includes(f.id);

/** Whether the finding answers a question of that family. */
export const isOf = (f: Pick<Finding, "id">, family: FindingFamily): boolean => f.id.startsWith(family);

/** The finding that answers a question; undefined where it was not asked. */
export const findingOf = <F extends Pick<Finding, "id">>(findings: readonly F[], id: FindingId): F | undefined =>
  findings.find((f) => f.id === id);

export const answerOf = (findings: readonly Pick<Finding, "id" | "answer">[], id: FindingId): Answer | undefined =>
  findingOf(findings, id)?.answer;
