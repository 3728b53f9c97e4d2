// What a case is: a question that somebody asked in public, answered by running the model. No sentence here decides an answer: every claim
// is judged from numbers of that very run.

export type ClaimAnswer = "yes" | "no" | "unknown";

export interface Claim {
  readonly id: string;
  /** A sentence that is true or false. */
  readonly claim: string;
  readonly answer: ClaimAnswer;
  /** The numbers it was judged by; units in the names. */
  readonly measured: Readonly<Record<string, number | string>>;
}

export interface CaseResult {
  readonly id: string;
  /** A sentence or two, with the run's numbers in it. */
  readonly answer: string;
  readonly claims: readonly Claim[];
  /** The picture: one bar a variant. */
  readonly picture: {
    readonly title: string;
    readonly unit: string;
    readonly bars: readonly { readonly label: string; readonly value: number }[];
  };
}

export interface Case {
  readonly id: string;
  /** The conversation it comes from: 000 to 004. */
  readonly seed: string;
  readonly question: string;
  /** What was built to answer it, and what would change the answer. */
  readonly run: string;
  readonly wouldChange: string;
  /** A function of nothing: seeds are fixed. `progress` in 0..1. */
  answer(progress: (done: number, what: string) => void): CaseResult;
}

export const judge = (holds: boolean): ClaimAnswer => (holds ? "yes" : "no");
/** Only if the run could show it at all. */
export const judgeIf = (shown: boolean, holds: boolean): ClaimAnswer => (shown ? judge(holds) : "unknown");

/** Percent with one digit. */
export const percent = (share: number): string => `${(share * 100).toFixed(1)} %`;
