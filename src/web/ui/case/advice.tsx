// What to do, best first. Once it was tested on a model of this machine each item carries its stamp and its figures, and the list is ranked by them.
import type { JSX } from "preact";
import type { DiagnosedIncident } from "../../../diagnosis/finding.ts";
import { capital } from "../../../diagnosis/words.ts";
import type { AssumableKey, Assumed } from "../../../prove/assume.ts";
import { assumableKeys, assumables } from "../../../prove/assume.ts";
import type { MeasuredAdvice } from "../../../prove/measured.ts";
import { rowOf } from "../../../prove/measured.ts";
import type { Proof, ProofRow } from "../../../prove/proof.ts";
import { inertLine } from "../../../report/escape.ts";
import { brief } from "../../../report/experiment.ts";
import { runningOf } from "../../tasks/client.ts";
import { ErrorBox, Work } from "../parts.tsx";
import { Command } from "./verdict.tsx";

export function AdviceList({
  incident,
  advice,
  proof,
  error,
  assumed,
  onTest,
}: {
  incident: DiagnosedIncident;
  advice: readonly (DiagnosedIncident["advice"][number] | MeasuredAdvice)[];
  proof: Proof | undefined;
  error: unknown;
  /** What was given by hand for this incident's machine. */
  assumed: Assumed;
  /** Builds and runs it, with these values in the place of assumptions. */
  onTest: (assumed: Assumed) => void;
}): JSX.Element {
  const work = runningOf("prove");
  const most = Math.max(0, ...(proof?.rows ?? []).flatMap((r) => [r.before.high, r.after.high]));
  return (
    <section class="advice" aria-label="What to do">
      <div class="bar">
        <h3>What to do, best first{proof !== undefined && proof.rows.length > 0 ? ", as measured" : ""}</h3>
        {incident.advice.length === 0 ? null : (
          <button type="button" disabled={work !== undefined} onClick={() => onTest(assumed)}>
            {proof === undefined ? "Prove it" : "Test again"}
          </button>
        )}
      </div>
      {work === undefined ? null : <Work now={work} stop={proof === undefined ? "Cancel" : "Stop here"} />}
      <ErrorBox error={error} />
      {proof === undefined ? null : <ProofHead proof={proof} />}
      {advice.length === 0 ? <p class="empty">The report gives no reason to change anything.</p> : null}
      <ol>
        {advice.map((a) => (
          <li key={a.action}>
            <p>
              <strong>{inertLine(capital(a.action))}.</strong>{" "}
              {"measured" in a ? <Stamp measured={a.measured} /> : null} {inertLine(capital(a.changes))}.{" "}
              <span class="tone-dim">Cost: {inertLine(a.costs)}.</span>
            </p>
            <AdviceDots advice={a} proof={proof} most={most} />
            {a.command === undefined ? null : <Command command={a.command} />}
          </li>
        ))}
      </ol>
      {proof === undefined ? null : <Others proof={proof} advice={advice.filter((a) => "measured" in a)} most={most} />}
      {proof === undefined ? null : (
        <Assumptions proof={proof} assumed={assumed} busy={work !== undefined} onTest={onTest} />
      )}
    </section>
  );
}

function AdviceDots({
  advice,
  proof,
  most,
}: {
  advice: DiagnosedIncident["advice"][number] | MeasuredAdvice;
  proof: Proof | undefined;
  most: number;
}): JSX.Element | null {
  const row = proof === undefined || !("measured" in advice) ? undefined : rowOf(advice, proof);
  return row === undefined ? null : <Dots row={row} most={most} measure={row.measure ?? proof?.measure ?? ""} />;
}

const stamps: Readonly<Record<MeasuredAdvice["measured"]["outcome"], readonly [string, string]>> = {
  lowers: ["lowers the failures", "good"],
  "no difference": ["these runs show no difference", "dim"],
  worse: ["makes it worse", "bad"],
  "not run": ["not run", "dim"],
};

function Stamp({ measured }: { measured: MeasuredAdvice["measured"] }): JSX.Element {
  const [word, tone] = stamps[measured.outcome];
  return (
    <span class={`stamped tone-${tone}`}>
      {word}
      {measured.provided === null ? "" : `, if ${inertLine(measured.provided)}`}
      {measured.why === null ? "" : `: ${inertLine(measured.why)}`}
    </span>
  );
}

const width = 420;

/** Before and after on one scale; a line is the 95 % interval of the mean. */
function Dots({ row, most, measure }: { row: ProofRow; most: number; measure: string }): JSX.Element {
  const x = (v: number): number => 60 + (most === 0 ? 0 : (v / most) * (width - 150));
  const after = row.verdict === "raises" ? "dot-worse" : row.verdict === "lowers" ? "dot-after" : "dot-same";
  const sides = [
    ["before", row.before, "dot-before"],
    ["after", row.after, after],
  ] as const;
  return (
    <svg
      class="dots drawn"
      viewBox={`0 0 ${width} 40`}
      role="img"
      aria-label={`${inertLine(measure)}: before ${brief(row.before.estimate)}, after ${brief(row.after.estimate)}`}
    >
      {sides.map(([label, i, tone], at) => (
        <g key={label}>
          <text x="54" y={at * 19 + 14} text-anchor="end">
            {label}
          </text>
          <line class="interval" x1={x(i.low)} x2={x(i.high)} y1={at * 19 + 10} y2={at * 19 + 10} />
          <circle class={tone} cx={x(i.estimate)} cy={at * 19 + 10} r="5" />
          <text x={x(Math.max(i.estimate, i.high)) + 10} y={at * 19 + 14}>
            {brief(i.estimate)}
          </text>
        </g>
      ))}
    </svg>
  );
}

/** What was run beside the advice: repairs of a mistake that the model can make, and what people often try. */
function Others({
  proof,
  advice,
  most,
}: {
  proof: Proof;
  advice: readonly MeasuredAdvice[];
  most: number;
}): JSX.Element | null {
  const used = new Set(advice.map((a) => rowOf(a, proof)));
  const rows = proof.rows.filter((r) => !used.has(r));
  if (rows.length === 0) return null;
  const words = {
    lowers: ["lowers it", "good"],
    raises: ["raises it", "bad"],
    "no clear difference": ["no clear difference", "dim"],
  } as const;
  return (
    <>
      <h4>Also tried on that machine</h4>
      <ul class="tried">
        {rows.map((r) => (
          <li key={r.name}>
            <p>
              {inertLine(capital(r.name))}{" "}
              <span class={`stamped tone-${words[r.verdict][1]}`}>{words[r.verdict][0]}</span>
              {r.note === null ? null : <span class="tone-dim"> {inertLine(r.note)}</span>}
            </p>
            <Dots row={r} most={most} measure={r.measure ?? proof.measure} />
          </li>
        ))}
      </ul>
    </>
  );
}

/** How like the machine is, for the order that was asked for, above what it says. */
function ProofHead({ proof }: { proof: Proof }): JSX.Element {
  const like = proof.likeness.find((l) => l.matters);
  const amount = (v: number): string =>
    like?.what.startsWith("share") === true
      ? `${(v * 100).toFixed(v > 0 && v < 0.1 ? 1 : 0)} %`
      : Math.round(v).toLocaleString("en-US");
  return (
    <div class="proof">
      {proof.refused === null ? null : <p class="tone-warn">Nothing was run: {inertLine(proof.refused)}.</p>}
      {proof.standsFor === null ? null : <p>Stands for it: {inertLine(proof.standsFor)}.</p>}
      {like === undefined ? null : (
        <p>
          How close the model machine is to the report, at its first failure: {inertLine(like.what)}:{" "}
          {amount(like.machine)}, in the report {amount(like.report)}.
        </p>
      )}
      {proof.rows.length === 0 ? null : (
        <p class="tone-dim">
          Tested by running: {inertLine(proof.measure)}
          {proof.seeds < proof.seedsPlanned ? `; so far ${proof.seeds} of ${proof.seedsPlanned} sets` : ""}.
        </p>
      )}
    </div>
  );
}

type Part = Proof["assumptions"][number];

/** The part that a person may give another value: nothing in the inputs says it. */
const keyOf = ({ what, from }: Part): AssumableKey | undefined =>
  from === "assumed" || from === "given" ? assumableKeys.find((k) => assumables[k].what === what) : undefined;

function AnotherValue({ part, given }: { part: Part; given: Assumed }): JSX.Element | null {
  const key = keyOf(part);
  if (key === undefined) return null;
  const { least, most, unit } = assumables[key];
  return (
    <label class="another">
      <span class="tone-dim">instead</span>
      <input
        name={key}
        type="number"
        min={least}
        max={most}
        step={1}
        defaultValue={given[key] === undefined ? "" : String(given[key])}
        aria-label={`${part.what} instead of ${part.value}`}
      />
      {unit}
    </label>
  );
}

/** The parts of the machine; what the report does not say can be changed where it stands, and the proof is run with it. */
function Assumptions({
  proof,
  assumed: given,
  busy,
  onTest,
}: {
  proof: Proof;
  assumed: Assumed;
  busy: boolean;
  onTest: (assumed: Assumed) => void;
}): JSX.Element | null {
  if (proof.assumptions.length === 0) return null;
  const assumed = proof.assumptions.filter((a) => a.from !== "report" && a.from !== "computed").length;
  return (
    <details>
      <summary>
        The machine that was built: {proof.assumptions.length} parts, {assumed} of them not in the report
      </summary>
      <form
        onSubmit={(e) => {
          e.preventDefault();
          const data = new FormData(e.currentTarget);
          onTest(
            Object.fromEntries(
              assumableKeys.flatMap((key) => {
                const text = data.get(key);
                return typeof text === "string" && text !== "" ? [[key, Number(text)]] : [];
              }),
            ),
          );
        }}
      >
        <dl class="facts">
          {proof.assumptions.map((a) => (
            <div key={a.what}>
              <dt>{inertLine(a.what)}</dt>
              <dd>
                {inertLine(a.value)}{" "}
                <span class="tone-dim">
                  ({a.from === "report" ? "from the report" : a.from}) {inertLine(a.because)}
                </span>
                <AnotherValue part={a} given={given} />
              </dd>
            </div>
          ))}
        </dl>
        {proof.assumptions.some((a) => keyOf(a) !== undefined) ? (
          <button type="submit" disabled={busy}>
            Prove it with these values
          </button>
        ) : null}
      </form>
    </details>
  );
}
