// Advice against allocation failures, tested: the machine of the report is given bursts of many lengths, as it was and with each change, on the same
// places and with the same lengths. Bursts are drawn long on purpose and counted by how rare they are (analysis/tail.ts), so that a failure that
// came once a week is met in seconds; how long bursts are at all is fitted to the rate at which the report failed.
import type { Interval } from "../analysis/statistics.ts";
import { differences, mean, meanInterval } from "../analysis/statistics.ts";
import type { Lengths } from "../analysis/tail.ts";
import { drawLengths, meansOf } from "../analysis/tail.ts";
import { BadInput } from "../base/bad_input.ts";
import { prng } from "../base/prng.ts";
import type { ProveInput } from "../diagnosis/machine_told.ts";
import type { AllocFailure } from "../kernel/readings/alloc_failure.ts";
import { checkMachine } from "../scenario/machine_check.ts";
import type { Job, Measure, Measures, Outcome, Steps } from "./batch.ts";
import { jobOf } from "./batch.ts";
import type { Trial } from "./changes.ts";
import { advised, maySleep, settingsOf } from "./changes.ts";
import { controls, neverRun } from "./controls.ts";
import { burstSettings, marksUnder, measureOf, measureWords } from "./episode.ts";
import { likenessOf } from "./likeness.ts";
import type { Built } from "./machine.ts";
import { buildMachine } from "./machine.ts";
import type { Assumption, Curve, Likeness, Proof, ProofRow } from "./proof.ts";
import { refuse } from "./proof.ts";
import { rateOf } from "./rate.ts";
import { judge, leastEffect } from "./verdict.ts";

/** Sets of lengths: each is an estimate of its own, and their spread is the interval. */
const setsUsual = 8;
/** Lengths of one set, each from a stratum. */
const strata = 24;
/** Lengths reach from a sixth of the first that fails to six times it; where that is long, or where each refusal is, to twice it. */
const around = 6;
const longBurst = 4096;
/** So many are run before there is a first answer; the others come one by one, each with a better one. */
const setsFirst = 3;
/** Bursts that are tried in search of a failure: frames or blocks. */
const ladder: readonly (readonly number[])[] = [
  [1, 2, 4, 8, 16, 32, 64, 128, 256],
  [362, 512, 724, 1024, 1448, 2048],
  [2896, 4096, 5793, 8192],
  [16_384, 32_768],
];
/** Bursts a second, where the report's rate allows it: every number does, for the fitted length makes up for it. */
const burstsPerSecond = 10;
const secondsPerDay = 86_400;
/** Progress that the search takes of the whole. */
const searchShare = 0.2;

/** `sets`: how many estimates each variant gets. */
export function* proveFailure(input: ProveInput, sets: number | undefined): Steps<Proof> {
  const untested = (why: string): Proof["untested"] => advised(input).map(({ action }) => ({ action, why }));
  const { order } = input;
  if (order === null)
    return refuse(input, "the report does not say which order was wanted", { untested: untested("nothing was run") });
  if (maySleep(input) && order <= costlyOrder)
    return refuse(
      input,
      "the request could wait for memory and still got none: nothing was left to reclaim, and what held it is not in the report",
      { untested: untested("nothing was run") },
    );
  let last: Proof | undefined;
  // The driver's own path first; where the model's driver does not ask for this order, the report's own request.
  for (const asItself of [false, true]) {
    const built = buildMachine(input, order, asItself);
    if (typeof built === "string") {
      last ??= refuse(input, built, { untested: untested("nothing was run") });
      continue;
    }
    if (asItself && last === undefined) break;
    const failing = yield* search(built);
    if (failing !== undefined) return yield* compare(input, built, failing, sets ?? setsUsual);
    last = refuse(input, `no burst that was tried makes a request of order ${order} fail on such a machine`, {
      assumptions: built.assumptions,
      untested: untested("the machine did not fail without a change"),
    });
    if (built.asker.kind === "request") break;
  }
  return last as Proof;
}

/** PAGE_ALLOC_COSTLY_ORDER: above it the kernel gives up although memory is left. */
const costlyOrder = 3;

interface Failing {
  readonly length: number;
  readonly measure: Measure;
  /** The first failure of the report's order, as the kernel printed it, or the first at all. */
  readonly report: AllocFailure | undefined;
}

/** Machines that a load fills while kswapd keeps the marks of these settings; what memory is printed for needs none. */
function* fill(built: Built, sets: readonly Trial["set"][], which: readonly number[], at: number): Steps<void> {
  const hows = built.toFill(sets.map(marksUnder), which);
  if (hows.length === 0) return;
  const filled = yield {
    jobs: hows.map((settings): Job => ({ kind: "fill", settings })),
    what: "machines that a load fills",
    from: at,
    to: at,
  };
  for (const [i, how] of hows.entries()) {
    const state = filled[i]?.state;
    if (state !== undefined) built.keepFilled(how, state);
  }
}

/** Of the failures of the search: the first of the report's order is among them, unless smaller ones come first. */
const reportsSeen = 4;

/** The first length of the ladder that fails as the report did. */
function* search(built: Built): Steps<Failing | undefined> {
  yield* fill(built, [{}], [0], 0);
  for (const rungs of ladder) {
    const longest = rungs.at(-1) as number;
    const [found] = yield {
      jobs: [jobOf({ ...burstSettings(built, 0, longest, {}), reports: reportsSeen }, 1, rungs)],
      what: "longer bursts until the machine fails",
      from: 0,
      to: searchShare,
    };
    for (const [i, length] of rungs.entries()) {
      const measure = measureOf(found?.measures[i] ?? {}, built.order);
      const reports = found?.reports ?? [];
      if (measure !== undefined)
        return { length, measure, report: reports.find((r) => r.order === built.order) ?? reports[0] };
    }
  }
  return undefined;
}

interface Arm {
  readonly set: Trial["set"];
  readonly frames: number;
}

function* compare(input: ProveInput, built: Built, failing: Failing, sets: number): Steps<Proof> {
  const likeness = likenessOf(input, failing.report);
  const unlike = likeness.filter((l) => l.matters && !l.alike);
  if (unlike.length > 0)
    return refuse(
      input,
      `the machine that fails differs from the report where it matters: ${unlike.map((l) => `${l.what}, ${brief(l.report)} against ${brief(l.machine)}`).join("; ")}`,
      {
        assumptions: built.assumptions,
        likeness,
        untested: advised(input).map(({ action }) => ({ action, why: "no machine like the report's was found" })),
      },
    );
  const { trials, untested } = yield* trialsOf(input, built);
  const curveAt = reserves(built);
  const arms: Arm[] = [{ set: {}, frames: 1 }];
  const armOf = (set: Trial["set"], frames: number): number => {
    const key = JSON.stringify([set, frames]);
    const known = arms.findIndex((arm) => JSON.stringify([arm.set, arm.frames]) === key);
    return known >= 0 ? known : arms.push({ set, frames }) - 1;
  };
  const places = trials.map(({ set, against = {}, frames }) => ({
    before: armOf(against, 1),
    after: armOf(set, frames),
  }));
  const curveFrom = arms.length;
  const curveArms = curveAt.map((kb) => armOf({ "sysctl.min_free_kbytes": kb }, 1));
  const lengths = drawLengths(
    Math.max(0.5, failing.length / around),
    // Who may wait has memory compacted at each refusal, which takes longer than all the rest.
    failing.length * (maySleep(input) ? 2 : Math.min(around, Math.max(2, longBurst / failing.length))),
    strata,
    sets,
    prng(1).fork("bursts"),
  );
  /** What the first `n` sets say, arm by arm. */
  const answer = (outcomes: Outcomes, n: number): Proof => {
    const own: Lengths = { ...lengths, sets: lengths.sets.slice(0, n) };
    const of = (arm: number, pick: (m: Measures) => number): number[][] =>
      outcomes[arm]?.slice(0, n).map((set) => set.map(pick)) ?? [];
    const count = (m: Measures): number => m[failing.measure] ?? 0;
    const fit = fitted(input, own, of(0, count));
    const rates = (arm: number, pick: (m: Measures) => number): number[] =>
      meansOf(own, fit.mean, of(arm, pick)).map((x) => x * fit.perUnit);
    const all = trials.map((trial, i) => {
      const of: Rates = (v, pick) => rates(places[i]?.[v] ?? 0, pick);
      const row = rowOf(trial, of, trial.counts ?? failing.measure, trials.length);
      return { row, why: saysNothing(trial, row) };
    });
    const rows = all.filter(({ why }) => why === undefined).map(({ row }) => row);
    const silent = all.flatMap(({ row, why }) => (why === undefined ? [] : [{ action: row.advice ?? row.name, why }]));
    const curveIsThere = curveAt.length > 1 && curveArms.every((arm) => (outcomes[arm]?.length ?? 0) >= n);
    return {
      ...refuse(input, ""),
      refused: rows.length === 0 ? "none of the advice can be run on a machine" : null,
      standsFor: standsFor(built),
      assumptions: [...built.assumptions, loadSaid(built, fit)],
      likeness: [...likeness, ...fit.likeness],
      measure: `${measureWords[failing.measure] ?? `requests of order ${built.order} that failed`}, ${fit.unit}; mean of ${n} sets of runs with its 95 % interval, the same machines and bursts before and after`,
      seeds: n,
      seedsPlanned: sets,
      rows: [...rows].sort((a, b) => Number(b.advised) - Number(a.advised) || a.after.estimate - b.after.estimate),
      untested: [...untested, ...silent, ...neverRun(input, built)],
      curve: curveIsThere
        ? curveOf(built, curveAt, rates(0, count), (i) => rates(curveArms[i] ?? 0, count), trials.length)
        : null,
      experiment: experimentFile(input, built, failing, trials),
    };
  };
  return yield* inRounds(built, arms, curveFrom, lengths, answer);
}

function standsFor({ printed, atFailure }: Built): string | null {
  if (atFailure) return null;
  return printed
    ? "The report does not print its free lists: those of the files beside it, of another moment, stand in for them."
    : "The report does not print its free lists: machines filled by a load stand in for it.";
}

/** What is run, and what cannot be. */
function* trialsOf(
  input: ProveInput,
  built: Built,
): Steps<{ readonly trials: readonly Trial[]; readonly untested: Proof["untested"] }> {
  const untested: { action: string; why: string }[] = [];
  const trials: Trial[] = [];
  for (const { action, change } of advised(input)) {
    const made = settingsOf(change, built, input);
    if (typeof made === "string") untested.push({ action, why: made });
    else trials.push({ name: nameOf(action), change, advised: true, advice: action, note: null, frames: 1, ...made });
  }
  trials.push(...controls(input, built, trials));
  yield* fill(
    built,
    trials.map(({ set }) => set),
    [0],
    searchShare,
  );
  const usable = trials.filter((t) => {
    const why = refusal(built, t);
    if (why !== undefined) untested.push({ action: t.name, why });
    return why === undefined;
  });
  return { trials: usable, untested };
}

const nameMost = 80;

/** An advice's name in a table: cut between words. */
const nameOf = (action: string): string =>
  action.length <= nameMost ? action : `${action.slice(0, action.lastIndexOf(" ", nameMost))} …`;

/** Measures by arm, set and length. */
type Outcomes = readonly (readonly (readonly Measures[])[])[];

/**
 * Runs every arm with every set of lengths, on the same machines: some sets of what is tried, then of the curve, whose arms begin at `curveFrom`,
 * then the other sets one by one. After each round there is an answer.
 */
function* inRounds(
  built: Built,
  arms: readonly Arm[],
  curveFrom: number,
  lengths: Lengths,
  answer: (outcomes: Outcomes, sets: number) => Proof,
): Steps<Proof> {
  const sets = lengths.sets.length;
  const first = Math.min(sets, setsFirst);
  const rounds = [
    { sets: [0, first], arms: [0, curveFrom] },
    { sets: [0, first], arms: [curveFrom, arms.length] },
    ...Array.from({ length: sets - first }, (_, i) => ({ sets: [first + i, first + i + 1], arms: [0, arms.length] })),
  ].filter((round) => round.arms[0] !== round.arms[1]);
  const outcomes: (readonly Measures[])[][] = arms.map(() => []);
  const share = (runs: number): number => searchShare + ((1 - searchShare) * runs) / (sets * arms.length);
  let soFar: Proof | undefined;
  let ran = 0;
  for (const round of rounds) {
    const those = arms.slice(...round.arms).map((arm, i) => ({ ...arm, outcomes: outcomes[(round.arms[0] ?? 0) + i] }));
    yield* fill(
      built,
      those.map(({ set }) => set),
      lengths.sets.slice(...round.sets).map((_, i) => (round.sets[0] ?? 0) + i),
      share(ran),
    );
    // Arm by arm, so that a machine's code stays warm.
    const jobs = those.flatMap(({ set, frames }) =>
      lengths.sets.slice(...round.sets).map((own, i) => {
        const scaled = own.map((x) => Math.max(1, Math.round(x * frames)));
        const state = (round.sets[0] ?? 0) + i;
        return jobOf(burstSettings(built, state, Math.max(...scaled), set), state + 1, scaled);
      }),
    );
    const measured: readonly Outcome[] = yield {
      jobs,
      what: "bursts with each change",
      from: share(ran),
      to: share(ran + jobs.length),
      ...(soFar === undefined ? {} : { soFar }),
    };
    const each = jobs.length / those.length;
    for (const [i, arm] of those.entries())
      arm.outcomes?.push(...measured.slice(i * each, (i + 1) * each).map((o) => o.measures));
    ran += jobs.length;
    soFar = answer(outcomes, round.sets[1] ?? sets);
  }
  return soFar ?? answer(outcomes, 0);
}

/** Settings that this machine does not take, in a sentence. */
function refusal(built: Built, trial: Trial): string | undefined {
  try {
    checkMachine(jobOf(burstSettings(built, 0, 1, trial.set), 1, []).settings);
    return undefined;
  } catch (error) {
    if (error instanceof BadInput) return error.message;
    throw error;
  }
}

interface Fit {
  /** Mean length of a burst. */
  readonly mean: number;
  /** From a mean outcome of one burst to the unit. */
  readonly perUnit: number;
  readonly unit: string;
  readonly perSecond: number | null;
  readonly likeness: readonly Likeness[];
}

/** Bursts of a length, so often, that the machine as it was fails as often as the report did. */
function fitted(input: ProveInput, lengths: Lengths, base: readonly (readonly number[])[]): Fit {
  const wanted = rateOf(input);
  const at = (m: number): number => mean(meansOf(lengths, m, base));
  const [least, most] = [lengths.low, lengths.high / 2];
  if (wanted === undefined)
    return { mean: Math.sqrt(least * most), perUnit: 1, unit: "a burst", perSecond: null, likeness: [] };
  let [low, high] = [least, most];
  for (let i = 0; i < 60; i++) {
    const middle = Math.sqrt(low * high);
    if (at(middle) * burstsPerSecond < wanted.perSecond) low = middle;
    else high = middle;
  }
  const m = Math.sqrt(low * high);
  // Shorter or longer than was drawn is not known: then bursts are rarer, or more frequent.
  const perSecond = at(m) === 0 ? burstsPerSecond : wanted.perSecond / at(m);
  return {
    mean: m,
    perUnit: perSecond * secondsPerDay,
    unit: `a day, at the rate of the report: ${wanted.words}`,
    perSecond,
    likeness: [
      {
        what: "failures a day",
        report: wanted.perSecond * secondsPerDay,
        machine: at(m) * perSecond * secondsPerDay,
        matters: true,
        alike: at(m) > 0,
      },
    ],
  };
}

const brief = (x: number): string =>
  x === 0 ? "0" : x >= 100 ? Math.round(x).toLocaleString("en-US") : String(Number(x.toPrecision(2)));

/** Nothing fails less than never. */
function rateInterval(rates: readonly number[]): Interval {
  const { estimate, low, high } = meanInterval(rates);
  return { estimate, low: Math.max(0, low), high };
}

/** Of every set, without the change or with it. */
type Rates = (variant: "before" | "after", pick: (m: Measures) => number) => number[];

/** Frames are counted in those of the machine as it was: with another MTU the same bytes are more of them, or fewer. */
function rowOf(trial: Trial, rates: Rates, measure: Measure, rows: number): ProofRow {
  const of = (variant: "before" | "after", what: Measure): number[] => {
    const frames = variant === "after" && what === "framesLost" ? trial.frames : 1;
    // What nobody is told of counts under its own order.
    const key =
      variant === "after" && trial.order !== undefined && what.startsWith("failedOrder")
        ? `failedOrder${trial.order}`
        : what;
    return rates(variant, (m) => (m[key] ?? 0) / frames);
  };
  const [before, after] = [of("before", measure), of("after", measure)];
  const each = differences(before, after);
  const judged = judge(before, after, rows);
  return {
    name: trial.name,
    change: trial.change,
    advised: trial.advised,
    advice: trial.advice,
    provided: null,
    note: [trial.note, judged.note].filter((n) => n !== null).join("; ") || null,
    measure: trial.counts === undefined ? null : (measureWords[trial.counts] ?? trial.counts),
    before: rateInterval(before),
    after: rateInterval(after),
    difference: meanInterval(each),
    verdict: judged.verdict,
    lostBefore: mean(of("before", "framesLost")),
    lostAfter: mean(of("after", "framesLost")),
  };
}

/** Why runs in which nothing failed, with the change or without it, say nothing about it; undefined where something did. */
function saysNothing({ against }: Trial, { before, after, measure }: ProofRow): string | undefined {
  if (before.estimate > 0 || after.estimate > 0) return undefined;
  const what = measure === null ? "nothing fails" : `no ${measure}`;
  return against !== undefined && "state.settleMillis" in against
    ? `its machine needs time of its own before the burst, and after kswapd and kcompactd have worked so long ${what} without it either`
    : `${what} without it either, so the runs cannot tell`;
}

/** Values of vm.min_free_kbytes for the curve, of the machine that is run: up to a twentieth of its memory. */
function reserves(built: Built): number[] {
  const own = (built.settings.sysctl as { min_free_kbytes: number }).min_free_kbytes;
  const most = (built.lowmemKb / 20) * (own / built.minFreeKb);
  const times = built.printed ? [1.5, 2, 3, 4, 8, 16] : [2, 4, 8];
  return times.map((x) => Math.round(own * x)).filter((kb) => kb <= most);
}

/** Of the largest reduction that was seen, the knee gives so much. */
const kneeShare = 0.9;

function curveOf(
  built: Built,
  values: readonly number[],
  base: readonly number[],
  at: (i: number) => number[],
  rows: number,
): Curve {
  const own = (built.settings.sysctl as { min_free_kbytes: number }).min_free_kbytes;
  const real = (kb: number): number => Math.round((kb * built.minFreeKb) / own);
  const points = [
    { value: built.minFreeKb, rate: rateInterval(base) },
    ...values.map((kb, i) => ({ value: real(kb), rate: rateInterval(at(i)) })),
  ];
  const was = points[0]?.rate.estimate ?? 0;
  const best = Math.min(...points.map((p) => p.rate.estimate));
  const helps = values.some((_, i) => judge(base, at(i), Math.max(rows, values.length)).verdict === "lowers");
  const first = points.findIndex((p) => was - p.rate.estimate >= kneeShare * (was - best));
  // Where the last value that was run is still the best by far, there is no knee in sight.
  const found = helps && (first < points.length - 1 || best <= was * leastEffect);
  const knee = found ? (points[first]?.value ?? null) : null;
  return { what: "vm.min_free_kbytes", points, helps, knee };
}

function loadSaid(built: Built, fit: Fit): Assumption {
  const what = built.asker.kind === "driver" ? "full frames at 1 Gbit/s" : "requests";
  return {
    what: "bursts",
    value: `${brief(fit.mean)} ${what} on average, lengths exponential${fit.perSecond === null ? "" : `, ${brief(fit.perSecond)} a second`}; nobody reads or frees before a burst is over`,
    from: "tuned",
    because:
      fit.perSecond === null
        ? "the report does not say how often it failed"
        : "fitted until the unchanged machine fails as often as the report did; long bursts are drawn on purpose and weighted by how rare they are",
    evidence: [],
  };
}

/** The same for `skblab experiment`: bursts of the length that fails first. */
function experimentFile(
  input: ProveInput,
  built: Built,
  failing: Failing,
  trials: readonly Trial[],
): Proof["experiment"] {
  const base = { kind: "machine", ...burstSettings(built, 0, failing.length, {}) };
  return {
    kind: "experiment",
    question: `${input.title}: which change lowers the failures of bursts of ${failing.length}?`,
    base,
    seeds: setsUsual,
    metrics: [failing.measure],
    compare: [{ name: "as it was", set: {} }, ...trials.map(({ name, set }) => ({ name, set }))],
  };
}
