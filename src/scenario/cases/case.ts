// What a case is: a question that somebody asked in public, answered by running the model. No sentence here decides an answer: every claim
// is judged from numbers of that very run.

import { mean } from "../../analysis/statistics.ts";
import type { Knobs, KnobValues, ValuesOf } from "./knobs.ts";
import { valuesOf } from "./knobs.ts";

export type ClaimAnswer = "yes" | "no" | "unknown";

export interface Claim {
  readonly id: string;
  /** A sentence that is true or false. */
  readonly claim: string;
  readonly answer: ClaimAnswer;
  /** The numbers it was judged by; units in the names. */
  readonly measured: Readonly<Record<string, number | string>>;
  /** The least and the most of the runs, for those numbers that are means of several. */
  readonly ranges?: Readonly<Record<string, readonly [least: number, most: number]>>;
}

/** What several runs gave for one number. */
export interface Several {
  readonly mean: number;
  readonly least: number;
  readonly most: number;
}

export const several = (values: readonly number[]): Several => ({
  mean: mean(values),
  least: Math.min(...values),
  most: Math.max(...values),
});

/** A claim whose numbers may be means of several runs. */
export function claimOf(
  told: Omit<Claim, "measured" | "ranges"> & { readonly measured: Readonly<Record<string, number | string | Several>> },
): Claim {
  const entries = Object.entries(told.measured);
  const ranges = entries.flatMap(([key, v]) => (typeof v === "object" ? [[key, [v.least, v.most]] as const] : []));
  return {
    ...told,
    measured: Object.fromEntries(entries.map(([key, v]) => [key, typeof v === "object" ? v.mean : v])),
    ...(ranges.length === 0 ? {} : { ranges: Object.fromEntries(ranges) }),
  };
}

export interface CaseResult {
  readonly id: string;
  /** The knobs that were turned, with the values of this run; absent when every one stood at its default. */
  readonly set?: KnobValues;
  /** A sentence or two, with the run's numbers in it. */
  readonly answer: string;
  readonly claims: readonly Claim[];
  /** The picture: one bar a variant. */
  readonly picture: {
    readonly title: string;
    readonly unit: string;
    readonly bars: readonly {
      readonly label: string;
      readonly value: number;
      readonly range?: readonly [least: number, most: number];
    }[];
  };
  /** What the model's kernel printed, where that is part of the answer. */
  readonly log?: string;
}

export interface Case {
  readonly id: string;
  /** The conversation it comes from: 000 to 004. */
  readonly seed: string;
  readonly question: string;
  /** What the people saw and asked, in our words. Only this is told; the answer is run. */
  readonly story: string;
  /** What may be changed. With the defaults the answer is the one of docs/cases. */
  readonly knobs?: Knobs;
  /** What was built to answer it, and what would change the answer. */
  readonly run: string;
  readonly wouldChange: string;
  /** A function of the knobs alone: seeds are fixed. `progress` in 0..1; knobs that are not given stand at their defaults. */
  answer(progress: CaseProgress, given?: KnobValues): CaseResult;
}

export type CaseProgress = (done: number, what: string) => void;

/** A case with knobs: its answer gets a value for each, and the result says which were turned. */
export function withKnobs<K extends Knobs>(
  knobs: K,
  told: Omit<Case, "knobs" | "answer"> & { answer(progress: CaseProgress, set: ValuesOf<K>): CaseResult },
): Case {
  return {
    ...told,
    knobs,
    answer(progress, given = {}) {
      const turned = Object.fromEntries(Object.entries(given).filter(([key, value]) => knobs[key]?.default !== value));
      const result = told.answer(progress, valuesOf(knobs, turned));
      return Object.keys(turned).length === 0 ? result : { ...result, set: turned };
    },
  };
}

export const judge = (holds: boolean): ClaimAnswer => (holds ? "yes" : "no");
/** Only if the run could show it at all. */
export const judgeIf = (shown: boolean, holds: boolean): ClaimAnswer => (shown ? judge(holds) : "unknown");

/** Percent with one digit. */
export const percent = (share: number): string => `${(share * 100).toFixed(1)} %`;
