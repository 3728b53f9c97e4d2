// Advice after it was run: ranked by what was measured, each with its figures; what made things worse comes last and without a command to copy.
import type { Advice } from "../diagnosis/finding.ts";
import type { Proof, ProofRow } from "./proof.ts";

export interface Measured {
  readonly outcome: "lowers" | "no difference" | "worse" | "not run";
  /** Means of the measure; null when it was not run. */
  readonly before: number | null;
  readonly after: number | null;
  /** 95 % interval of the difference; for "no difference" the bound that the runs allow. */
  readonly interval: readonly [low: number, high: number] | null;
  readonly runs: number;
  /** Why it was not run; null when it was. */
  readonly why: string | null;
  /** What has to be so on the report's machine for this to be its answer; null: nothing that the report does not say. */
  readonly provided: string | null;
}

export interface MeasuredAdvice extends Advice {
  readonly measured: Measured;
}

const rank: Readonly<Record<Measured["outcome"], number>> = { lowers: 0, "not run": 1, "no difference": 2, worse: 3 };
const outcomeOf: Readonly<Record<ProofRow["verdict"], Measured["outcome"]>> = {
  lowers: "lowers",
  raises: "worse",
  "no clear difference": "no difference",
};

/** The row that an advice was measured by: the first, where several ways to follow it were tried. */
export const rowOf = ({ action }: Advice, proof: Proof): ProofRow | undefined =>
  proof.rows.find((r) => r.advice === action);

/** `advice` in the order of the diagnosis; equals keep that order. */
export function measuredAdvice(advice: readonly Advice[], proof: Proof): readonly MeasuredAdvice[] {
  const all = advice.map((a): MeasuredAdvice => {
    const row = rowOf(a, proof);
    if (row === undefined) {
      const why = proof.untested.find((u) => u.action === a.action)?.why ?? proof.refused ?? "nothing was run";
      const none = { before: null, after: null, interval: null, runs: 0, provided: null };
      return { ...a, measured: { outcome: "not run", why, ...none } };
    }
    const measured: Measured = {
      outcome: outcomeOf[row.verdict],
      before: row.before.estimate,
      after: row.after.estimate,
      interval: [row.difference.low, row.difference.high],
      runs: proof.seeds,
      why: null,
      provided: row.provided,
    };
    if (measured.outcome !== "worse") return { ...a, measured };
    const { command: _command, ...kept } = a;
    return { ...kept, measured };
  });
  return all
    .map((a, i) => ({ a, i }))
    .sort((x, y) => rank[x.a.measured.outcome] - rank[y.a.measured.outcome] || gain(x.a) - gain(y.a) || x.i - y.i)
    .map(({ a }) => a);
}

/** The share of failures that is left; what was not run has none. */
const gain = ({ measured: { outcome, before, after } }: MeasuredAdvice): number =>
  outcome !== "lowers" || before === null || after === null || before === 0 ? 0 : after / before - 1;
