// What a rule is: a question that is put to one case and answered with findings. Rules only read; they never change a case.
import type { IncidentKind } from "../kernel/readings/incident.ts";
import type { Case } from "./case.ts";
import type { Finding } from "./finding.ts";
import type { Questions } from "./question.ts";

export interface Rule<Q extends Questions = Questions> {
  /** Stable name. */
  readonly id: string;
  /** What it is after, in plain words: said where the rule breaks. */
  readonly asks: string;
  /** What it may answer, by the ids of its findings. */
  readonly questions: Q;
  readonly kinds: readonly IncidentKind[];
  /** Empty when the question makes no sense for this case. */
  answer(c: Case): readonly Finding[];
}

/** A rule with the ids of its questions kept as types. */
export const defineRule = <const Q extends Questions>(rule: Rule<Q>): Rule<Q> => rule;

/** Incidents in which memory was asked for and not had. */
export const shortages: readonly IncidentKind[] = ["alloc_failure", "slab_failure", "oom"];
