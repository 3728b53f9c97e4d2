// What came of testing a diagnosis' advice: the machine that was built and what had to be assumed, what each change did, and what could not be
// tried. `skblab diagnose --prove --format json` prints these; schemas/diagnosis.schema.json publishes them.
import type { Interval } from "../analysis/statistics.ts";
import type { Change, ProveInput, SaidLine } from "../diagnosis/machine_told.ts";

/** One thing the machine was built with. */
export interface Assumption {
  /** `memory`, `MTU`. */
  readonly what: string;
  readonly value: string;
  /**
   * report: a line says so. computed: arithmetic on a line. scaled: smaller than the report's, in proportion. tuned: tried until the report's
   * failure came. assumed: nothing in the inputs says so. given: nothing does, and a person said it for this proof.
   */
  readonly from: "report" | "computed" | "scaled" | "tuned" | "assumed" | "given";
  readonly because: string;
  readonly evidence: readonly SaidLine[];
}

/** One thing of the report beside that of the machine, at its first failure. */
export interface Likeness {
  /** `share of them in blocks of order 3 and above`. */
  readonly what: string;
  readonly report: number;
  readonly machine: number;
  /** A machine that differs here proves nothing about this report. */
  readonly matters: boolean;
  readonly alike: boolean;
}

/** How much is enough: failures against the value of one setting. */
export interface Curve {
  /** `vm.min_free_kbytes`. */
  readonly what: string;
  /** By rising value; the first is the machine as it was. */
  readonly points: readonly { readonly value: number; readonly rate: Interval }[];
  /** Some value lowers the failures. */
  readonly helps: boolean;
  /** The smallest value that gives nine tenths of the largest reduction seen; null where none helps, and where the largest that was run helps most. */
  readonly knee: number | null;
}

/** One change, tried with the same seeds as the machine without it. */
export interface ProofRow {
  readonly name: string;
  readonly change: Change;
  /** False: no advice, but what people often try; `note` says what the diagnosis holds of it. */
  readonly advised: boolean;
  /** The action of the advice that this is; null: a mistake taken away that was tried, or something that is tried beside. */
  readonly advice: string | null;
  /** What has to be so on the report's machine for this row to be its answer, where several were tried; else null. */
  readonly provided: string | null;
  readonly note: string | null;
  /** What is counted here, where it is not the proof's measure; else null. */
  readonly measure: string | null;
  /** Means over the sets of runs with 95 % intervals. */
  readonly before: Interval;
  readonly after: Interval;
  /** after - before, seed by seed. */
  readonly difference: Interval;
  readonly verdict: "lowers" | "raises" | "no clear difference";
  /** Frames that the card lost. */
  readonly lostBefore: number;
  readonly lostAfter: number;
}

export interface Proof {
  readonly title: string;
  /** Why there is nothing to run; null when something ran. */
  readonly refused: string | null;
  /** What stands in the model for what it does not have, or a cause that the report does not prove. */
  readonly standsFor: string | null;
  readonly assumptions: readonly Assumption[];
  /** Empty where the report shows nothing to compare with. */
  readonly likeness: readonly Likeness[];
  /** What is counted. */
  readonly measure: string;
  /** Sets of runs that were measured, and that were to be: fewer where a proof was stopped, or is still under way. */
  readonly seeds: number;
  readonly seedsPlanned: number;
  /** Best first, then what was not advised. */
  readonly rows: readonly ProofRow[];
  /** Null where no reserve was asked about. */
  readonly curve: Curve | null;
  /** Advice that cannot be run, with the reason, and what the field also tries. */
  readonly untested: readonly { readonly action: string; readonly why: string }[];
  /** The same as an experiment's file, for `skblab experiment`; null where another engine ran. */
  readonly experiment: Readonly<Record<string, unknown>> | null;
}

/** What a proof rests on that no line of the inputs says. */
export const assumedOf = (p: Proof): readonly Assumption[] =>
  p.assumptions.filter((a) => a.from !== "report" && a.from !== "computed");

/** Told while it runs; `done` in 0..1. */
export type ProveProgress = (done: number, what: string) => void;

export const refuse = (input: ProveInput, refused: string, more: Partial<Proof> = {}): Proof => ({
  title: input.title,
  refused,
  standsFor: null,
  assumptions: [],
  likeness: [],
  curve: null,
  measure: "",
  seeds: 0,
  seedsPlanned: 0,
  rows: [],
  untested: [],
  experiment: null,
  ...more,
});
