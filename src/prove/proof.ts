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
   * failure came. assumed: nothing in the inputs says so.
   */
  readonly from: "report" | "computed" | "scaled" | "tuned" | "assumed";
  readonly because: string;
  readonly evidence: readonly SaidLine[];
}

/** How free memory lies when it fails: the share of it in blocks of at least that order, in the report and in the machine. */
export interface Likeness {
  readonly orders: readonly { readonly order: number; readonly report: number; readonly machine: number }[];
  /** Mean distance of the two columns, 0 (the same) to 1. */
  readonly distance: number;
}

/** One change, tried with the same seeds as the machine without it. Rates are of one second of traffic. */
export interface ProofRow {
  readonly name: string;
  readonly change: Change;
  /** False: no advice, but what people often try; `note` says what the diagnosis holds of it. */
  readonly advised: boolean;
  readonly note: string | null;
  /** Means over the seeds with 95 % bootstrap intervals. */
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
  readonly likeness: Likeness | null;
  /** What is counted. */
  readonly measure: string;
  readonly seeds: number;
  /** Best first, then what was no advice. */
  readonly rows: readonly ProofRow[];
  /** Advice that cannot be run, with the reason. */
  readonly untested: readonly { readonly action: string; readonly why: string }[];
  /** The same as an experiment's file, for `skblab experiment`; null where another engine ran. */
  readonly experiment: Readonly<Record<string, unknown>> | null;
}

/** Told while it runs; `done` in 0..1. */
export type ProveProgress = (done: number, what: string) => void;

export const refuse = (input: ProveInput, refused: string, more: Partial<Proof> = {}): Proof => ({
  title: input.title,
  refused,
  standsFor: null,
  assumptions: [],
  likeness: null,
  measure: "",
  seeds: 0,
  rows: [],
  untested: [],
  experiment: null,
  ...more,
});
