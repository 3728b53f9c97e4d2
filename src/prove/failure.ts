// Advice against allocation failures, tested: the machine of the report is pressed until it fails as the report did, then run again with each
// change and the same seeds. The engine is that of `skblab experiment`.
import { bootstrap, differences, mean } from "../analysis/statistics.ts";
import { BadInput } from "../base/bad_input.ts";
import type { ProveInput } from "../diagnosis/machine_told.ts";
import { experimentSchema, measureUnit, planExperiment, unitOf, unitsOf } from "../scenario/experiment.ts";
import type { MachineResult } from "../scenario/machine_run.ts";
import { runMachine } from "../scenario/machine_run.ts";
import { machineSchema } from "../scenario/machine_settings.ts";
import type { Trial } from "./changes.ts";
import { advised, controls, settingsOf } from "./changes.ts";
import { likenessOf } from "./likeness.ts";
import type { Built, Level } from "./machine.ts";
import { buildMachine, levels, scatteredLevels, scenarioOf, trafficMillis } from "./machine.ts";
import type { Assumption, Likeness, Proof, ProofRow, ProveProgress } from "./proof.ts";
import { refuse } from "./proof.ts";

/** Runs of each variant. Five is the least of which chance makes all agree in one case of sixteen only; small machines run fast. */
export const fewestSeeds = 5;
const mostSeeds = 8;
const smallMb = 96;
/** Loads that are tried beyond the first that makes the machine fail, in search of likelier free lists. */
const further = 2;
/** Progress that tuning takes of the whole. */
const tuningShare = 0.2;

/** `seeds`: runs of each variant. */
export function proveFailure(input: ProveInput, seeds: number | undefined, progress: ProveProgress): Proof {
  const everything = advised(input);
  const untestable = (why: string): Proof["untested"] => everything.map(({ action }) => ({ action, why }));
  const { order } = input;
  if (order === null)
    return refuse(input, "the report does not say which order was wanted", { untested: untestable("nothing was run") });
  if (maySleep(input))
    return refuse(
      input,
      "the request could wait for memory and still got none: nothing was left to reclaim, and what held it is not in the report",
      { untested: untestable("nothing was run") },
    );
  const machine = buildMachine(input, order);
  if (typeof machine === "string") return refuse(input, machine, { untested: untestable("nothing was run") });
  const tuned = tune(machine, input, (done, what) => progress(done * tuningShare, what));
  if (tuned === undefined)
    return refuse(input, `no load that was tried makes a request of order ${order} fail on such a machine`, {
      assumptions: machine.assumptions,
      untested: untestable("the machine as it was did not fail"),
    });
  return experiment(
    input,
    { ...machine, level: tuned.level },
    tuned,
    seeds ?? (machine.memoryMb <= smallMb ? mostSeeds : fewestSeeds),
    progress,
  );
}

/** GFP_KERNEL and its like: the kernel reclaims before it gives up. */
const maySleep = (input: ProveInput): boolean =>
  input.gfp?.names.some((n) =>
    /^(GFP_(KERNEL|NOFS|NOIO|USER|HIGHUSER|TEMPORARY)|__GFP_(WAIT|DIRECT_RECLAIM|RECLAIM)\b)/.test(n),
  ) === true;

interface Tuned {
  readonly level: Level;
  readonly metric: string;
  readonly likeness: Likeness | null;
}

/** The mildest load under which it fails as the report did; where the report shows its free lists, a few harsher ones are looked at too. */
function tune(built: Built, input: ProveInput, progress: ProveProgress): Tuned | undefined {
  let best: Tuned | undefined;
  /** Fails with one seed and not with another: better than nothing. */
  let rare: Tuned | undefined;
  let tries = Number.POSITIVE_INFINITY;
  const all = [...scatteredLevels(input, built), ...levels];
  for (const [i, level] of all.entries()) {
    if (tries-- <= 0) break;
    progress(i / all.length, "pressing the machine until it fails");
    const { kind: _, ...settings } = scenarioOf(built, level);
    const runOf = (seed: number): MachineResult => runMachine(machineSchema.parse({ ...settings, seed }));
    const run = runOf(1);
    const metric = metricOf(run, built.order);
    if (metric === undefined) continue;
    const found = { level, metric, likeness: likenessOf(input, run) };
    if (metricOf(runOf(2), built.order) === undefined) {
      rare ??= found;
      continue;
    }
    if (found.likeness === null) return found;
    tries = Math.min(tries, further);
    if (best === undefined || found.likeness.distance < (best.likeness?.distance ?? 1)) best = found;
  }
  return best ?? rare;
}

/** Frames lost for each failure from which on the frames are what counts. */
const emptyRing = 10;

const counted: Readonly<Record<string, string>> = {
  printedFailures: "failures that the kernel prints",
  ringDrops: "frames that the card lost because its ring had run out of buffers",
};

/** What to count: failures that the kernel prints where this order's are among them; else requests of this order that failed silently. */
function metricOf(run: MachineResult, order: number): string | undefined {
  const printed = run.printed.find((p) => p.order === order)?.count ?? 0;
  const missed = run.devices.reduce((n, d) => n + d.stats.rxMissed, 0);
  // A ring that ran empty is filled again when the next packet is handled, and none can arrive: one failure, and everything is lost.
  if (printed > 0) return missed > printed * emptyRing ? "ringDrops" : "printedFailures";
  if (run.orders.some((o) => o.order === order && o.failed > 0)) return `failedOrder${order}`;
  return undefined;
}

function experiment(input: ProveInput, built: Built, tuned: Tuned, seeds: number, progress: ProveProgress): Proof {
  const untested: { action: string; why: string }[] = [];
  const trials: Trial[] = [];
  for (const { action, change } of advised(input)) {
    const set = settingsOf(change, built);
    if (typeof set === "string") untested.push({ action, why: set });
    else trials.push({ name: action.slice(0, 80), change, advised: true, note: null, set });
  }
  trials.push(...controls(input, built));
  const base = scenarioOf(built, tuned.level);
  const usable = trials.filter((t) => {
    const why = refusal(base, t);
    if (why !== undefined) untested.push({ action: t.name, why });
    return why === undefined;
  });
  const variants: { name: string; set: Trial["set"] }[] = [{ name: "as it was", set: {} }];
  const places = usable.map(({ name, set, against }) => {
    if (against !== undefined) variants.push({ name: `${name}: without the change`, set: against });
    variants.push({ name, set });
    return { before: against === undefined ? 0 : variants.length - 2, after: variants.length - 1 };
  });
  const file = {
    kind: "experiment",
    question: `${input.title}: which change lowers the failures?`,
    base,
    seeds,
    metrics: [tuned.metric],
    compare: variants,
  };
  const measured = usable.length === 0 ? [] : runAll(file, progress);
  const column = (variant: number, of: (m: Measures) => number): number[] =>
    Array.from({ length: seeds }, (_, s) => (of(measured[variant * seeds + s] ?? {}) * 1000) / trafficMillis);
  const rows = usable.map((trial, i) => rowOf(trial, (v, of) => column(places[i]?.[v] ?? 0, of), tuned.metric));
  return {
    title: input.title,
    refused: rows.length === 0 ? "none of the advice can be run on a machine" : null,
    standsFor: built.standIn ? (built.assumptions.find((a) => a.what === "driver")?.because ?? null) : null,
    assumptions: [...built.assumptions, loadSaid(tuned)],
    likeness: tuned.likeness,
    measure: `${counted[tuned.metric] ?? `requests of order ${built.order} that failed`}, per second of traffic`,
    seeds,
    rows: [...rows].sort((a, b) => Number(b.advised) - Number(a.advised) || a.after.estimate - b.after.estimate),
    untested,
    experiment: file,
  };
}

type Measures = Readonly<Record<string, number>>;

/** Settings that this machine does not take, in a sentence. */
function refusal(base: Record<string, unknown>, trial: Trial): string | undefined {
  try {
    planOf({
      base,
      seeds: 2,
      metrics: ["printedFailures"],
      compare: [
        { name: "0", set: {} },
        { name: "1", set: trial.set },
      ],
    });
    return undefined;
  } catch (error) {
    if (error instanceof BadInput) return error.message;
    throw error;
  }
}

const planOf = ({ kind: _, ...given }: Record<string, unknown>): ReturnType<typeof planExperiment> =>
  planExperiment(experimentSchema.parse(given), "the proof", () => ({ file: "the proof", line: 1, column: 1 }));

function runAll(file: Record<string, unknown>, progress: ProveProgress): readonly Measures[] {
  const plan = planOf(file);
  const units = unitsOf(plan);
  return Array.from({ length: units }, (_, unit) => {
    const { variant, seed } = unitOf(plan, unit);
    progress(tuningShare + ((1 - tuningShare) * unit) / units, variant.name);
    return measureUnit(plan.kind, variant.settings, seed);
  });
}

/** Less than this share of the failures is no difference to anybody, and few seeds could not tell it from chance. */
const leastEffect = 0.1;

function verdictOf(before: number, { estimate, low, high }: ProofRow["difference"]): ProofRow["verdict"] {
  if (Math.abs(estimate) < before * leastEffect) return "no clear difference";
  return high < 0 ? "lowers" : low > 0 ? "raises" : "no clear difference";
}

function rowOf(
  trial: Trial,
  column: (variant: "before" | "after", of: (m: Measures) => number) => number[],
  metric: string,
): ProofRow {
  const of = (m: Measures): number => m[metric] ?? 0;
  const lost = (m: Measures): number => (m.driverDrops ?? 0) + (m.ringDrops ?? 0);
  const [before, after] = [column("before", of), column("after", of)];
  const difference = bootstrap(differences(before, after), mean, { rounds: 1000 });
  return {
    name: trial.name,
    change: trial.change,
    advised: trial.advised,
    note: trial.note,
    before: bootstrap(before, mean, { rounds: 1000 }),
    after: bootstrap(after, mean, { rounds: 1000 }),
    difference,
    verdict: verdictOf(mean(before), difference),
    lostBefore: mean(column("before", lost)),
    lostAfter: mean(column("after", lost)),
  };
}

function loadSaid({ level, likeness }: Tuned): Assumption {
  return {
    what: "load and traffic",
    value: `memory filled by a compile-like load${level.pagesPerMilli === 0 ? " that rests while frames arrive" : `, then ${level.pagesPerMilli} pages/ms more`}${level.pinned >= 0.01 ? `, ${level.pinned * 100} % of memory pinned page by page` : ""}${level.deleted === undefined ? "" : `, ${(level.deleted * 100).toFixed(0)} % of the cache deleted page by page`}, bursts of ${level.burst} full frames, kswapd every ${level.kswapdMillis} ms, an application that reads every ${level.readMillis} ms`,
    from: "tuned",
    because:
      likeness === null
        ? "the mildest load that was tried under which such a request fails; the report does not say what else ran"
        : "of the loads under which such a request fails, the one whose free lists come nearest to the report's",
    evidence: [],
  };
}
