// What a rule is: a question that is put to one case and answered with findings. Rules only read; they never change a case.
import type { IncidentKind } from "../kernel/readings/incident.ts";
import type { Case } from "./case.ts";
import type { Finding } from "./finding.ts";

export interface Rule {
  /** Stable name; findings of the rule begin with it. */
  readonly id: string;
  /** The question in plain words, for docs. */
  readonly asks: string;
  readonly kinds: readonly IncidentKind[];
  /** Empty when the question makes no sense for this case. */
  answer(c: Case): readonly Finding[];
}

/** Incidents in which memory was asked for and not had. */
export const shortages: readonly IncidentKind[] = ["alloc_failure", "slab_failure", "oom"];
