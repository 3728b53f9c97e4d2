// Experiments: the same machine under several settings, each with many seeds, compared pair by pair. This file plans the runs, and turns their
// measures into a table; who runs them, and on how many cores or hosts, is the face's business.
//
//   compare   A against B, C, …: each named variant sets something else
//   ablate    several changes: none of them, each alone, all but one, all: which one did it?
//   sweep     one or two settings over a range: MTU, ring size, min_free_kbytes
import { z } from "zod";
import type { Interval } from "../analysis/statistics.ts";
import { bootstrap, cliffsDelta, differences, hodgesLehmann, medianInterval } from "../analysis/statistics.ts";
import { BadInput } from "../base/bad_input.ts";
import { suggest } from "../base/suggest.ts";
import { whole } from "../lab/schema_parts.ts";
import type { ScenarioKind } from "./kind.ts";
import { kindNamed, scenarioKinds } from "./kinds.ts";
import type { Place } from "./read.ts";
import { checkSettings } from "./read.ts";

const value = z.json();
const set = z
  .record(z.string(), value)
  .describe("settings by their path in the base: `nics.0.mtu: 9000`, `sysctl.min_free_kbytes: 65536`");
const change = z.strictObject({ name: z.string().min(1).max(80).describe("what the table calls it"), set });
const axis = z.strictObject({
  path: z.string().describe("path of the setting in the base, such as nics.0.mtu"),
  values: z.array(value).min(1).max(1000).describe("values to try").optional(),
  from: z.number().describe("or a range: first value").optional(),
  to: z.number().describe("last value of the range").optional(),
  step: z.number().positive().describe("step of the range").optional(),
});

export const experimentSchema = z
  .strictObject({
    question: z.string().describe("the question, printed above the answer").default(""),
    base: z.record(z.string(), value).describe("a scenario of one machine, with its `kind`, as in a file of its own"),
    seeds: whole(2, 10_000, "runs of each variant; every variant gets the same seeds").default(20),
    firstSeed: whole(0, 2 ** 31, "seed of the first run").default(1),
    metrics: z
      .array(z.string())
      .min(1)
      .describe("measures to compare, the main one first")
      .default(["failureShare", "goodputMbit"]),
    compare: z
      .array(change)
      .min(2)
      .max(50)
      .describe("variants; the first is what the others are compared with")
      .optional(),
    ablate: z.array(change).min(1).max(8).describe("changes, tried alone, together, and each left out").optional(),
    sweep: z.array(axis).min(1).max(2).describe("one or two settings and their values").optional(),
  })
  .refine((e) => [e.compare, e.ablate, e.sweep].filter((x) => x !== undefined).length === 1, {
    message: "an experiment has exactly one of `compare`, `ablate` and `sweep`",
  });

export type ExperimentSettings = z.output<typeof experimentSchema>;

/** How an experiment's file is read; it is run by its own command. */
export const experimentKind: ScenarioKind = {
  kind: "experiment",
  summary: "the same machine under several settings, with many seeds each",
  schema: experimentSchema,
  run: () => {
    throw new BadInput("An experiment is run by `skblab experiment FILE`.");
  },
};

export interface Variant {
  readonly name: string;
  /** As the base's kind takes them, without the seed. */
  readonly settings: Readonly<Record<string, unknown>>;
  /** Values of the sweep's axes. */
  readonly at?: readonly unknown[];
}

/** All that will be run. Unit u is variant floor(u / seeds) with seed firstSeed + u mod seeds. */
export interface Plan {
  readonly experiment: ExperimentSettings;
  readonly mode: "compare" | "ablate" | "sweep";
  readonly kind: string;
  readonly variants: readonly Variant[];
  readonly seeds: number;
  readonly firstSeed: number;
  /** Drivers of files of their own: what stands in each, so that results of another text are not taken for these. */
  readonly drivers?: Readonly<Record<string, string>>;
}

export const unitsOf = (plan: Plan): number => plan.variants.length * plan.seeds;

/** What to run for a unit. */
export function unitOf(plan: Plan, unit: number): { readonly variant: Variant; readonly seed: number } {
  const variant = plan.variants[Math.floor(unit / plan.seeds)] as Variant;
  return { variant, seed: plan.firstSeed + (unit % plan.seeds) };
}

/** A unit's measures: a function of kind, settings and seed. */
export function measureUnit(kindName: string, settings: unknown, seed: number): Readonly<Record<string, number>> {
  const kind = kindNamed(kindName);
  if (kind?.measure === undefined) throw new BadInput(`A ${kindName} scenario measures nothing.`);
  return kind.measure(kind.run({ ...(settings as object), seed }));
}

/** Copies `base` with the value at a dotted path replaced; throws when the path leads nowhere. */
function withSetting(base: unknown, path: string, to: unknown, place: () => ReturnType<Place>): unknown {
  const copy = structuredClone(base);
  const steps = path.split(".");
  let at = copy as Record<string, unknown>;
  steps.forEach((step, i) => {
    const last = i === steps.length - 1;
    if (last) at[step] = to;
    else {
      const next = at[step] ?? {};
      if (typeof next !== "object" || next === null || (Array.isArray(at) && at[Number(step)] === undefined))
        throw new BadInput(
          `The path "${path}" does not exist in the base: there is no "${steps.slice(0, i + 1).join(".")}".`,
          place(),
        );
      at[step] = next;
      at = next as Record<string, unknown>;
    }
  });
  return copy;
}

const textOf = (v: unknown): string => (typeof v === "string" ? v : JSON.stringify(v));

/** Every setting of every variant is checked before anything runs. */
export function planExperiment(experiment: ExperimentSettings, file: string, place: Place): Plan {
  const { kind: kindName, ...base } = experiment.base;
  const runnable = scenarioKinds.filter((k) => k.measure !== undefined);
  const kind = runnable.find((k) => k.kind === kindName);
  if (kind === undefined)
    throw new BadInput(
      kindName === undefined
        ? "The base has no `kind`."
        : `An experiment cannot be made from ${textOf(kindName)} scenarios.`,
      place(["base", "kind"], false),
      suggest(
        textOf(kindName ?? ""),
        runnable.map((k) => k.kind),
      ),
    );
  // Checked as it stands first: its mistakes have places.
  const whole = checkSettings(kind, base, file, (path, key) => place(["base", ...path], key)) as Readonly<
    Record<string, unknown>
  >;
  const measures = Object.keys(kind.measure?.(kind.run({ ...whole, ...kind.shortest })) ?? {});
  experiment.metrics.forEach((m, i) => {
    if (!measures.includes(m))
      throw new BadInput(`There is no measure "${m}".`, place(["metrics", i], false), suggest(m, measures));
  });
  const make = (
    name: string,
    sets: readonly (readonly [string, unknown])[],
    where: readonly PropertyKey[],
    at?: readonly unknown[],
  ): Variant => {
    let settings: unknown = base;
    // A path may go into what has only defaults: then the defaults are written out first.
    for (const [path, to] of sets) {
      const root = path.split(".")[0] as string;
      if ((settings as Record<string, unknown>)[root] === undefined && path.includes("."))
        settings = { ...(settings as object), [root]: whole[root] };
      settings = withSetting(settings, path, to, () => place(where, false));
    }
    const checked = checkSettings(kind, settings, file, () => place(where, false)) as Record<string, unknown>;
    const { seed: _, ...rest } = checked;
    return { name, settings: rest, ...(at === undefined ? {} : { at }) };
  };
  const { seeds, firstSeed, compare, ablate, sweep } = experiment;
  const mode = compare !== undefined ? "compare" : ablate !== undefined ? "ablate" : "sweep";
  const variants =
    compare?.map((c, i) => make(c.name, Object.entries(c.set), ["compare", i])) ??
    (ablate !== undefined ? ablations(ablate, make) : points(sweep ?? [], place, make));
  return { experiment, mode, kind: kind.kind, variants, seeds, firstSeed };
}

type Make = (
  name: string,
  sets: readonly (readonly [string, unknown])[],
  where: readonly PropertyKey[],
  at?: readonly unknown[],
) => Variant;

function ablations(changes: NonNullable<ExperimentSettings["ablate"]>, make: Make): Variant[] {
  const all = changes.flatMap((c) => Object.entries(c.set));
  const variants = [make("nothing changed", [], ["ablate"])];
  changes.forEach((c, i) => {
    variants.push(make(`only ${c.name}`, Object.entries(c.set), ["ablate", i]));
  });
  if (changes.length > 1) {
    variants.push(make("all of them", all, ["ablate"]));
    if (changes.length > 2)
      changes.forEach((c, i) => {
        const others = changes.filter((o) => o !== c).flatMap((o) => Object.entries(o.set));
        variants.push(make(`all but ${c.name}`, others, ["ablate", i]));
      });
  }
  return variants;
}

function points(axes: NonNullable<ExperimentSettings["sweep"]>, place: Place, make: Make): Variant[] {
  const valuesOf = (a: (typeof axes)[number], i: number): unknown[] => {
    if (a.values !== undefined) return a.values;
    const { from, to, step } = a;
    if (from === undefined || to === undefined || step === undefined)
      throw new BadInput(
        `sweep[${i}] has neither \`values\` nor \`from\`, \`to\` and \`step\`.`,
        place(["sweep", i], false),
      );
    const count = Math.floor((to - from) / step + 1e-9) + 1;
    if (count < 1 || count > 1000)
      throw new BadInput(
        `sweep[${i}] has ${Math.max(0, count)} values; it may have 1 to 1000.`,
        place(["sweep", i], false),
      );
    return Array.from({ length: count }, (_, k) => from + k * step);
  };
  const grids = axes.map(valuesOf);
  const combos = grids.reduce<unknown[][]>(
    (rows, values) => rows.flatMap((row) => values.map((v) => [...row, v])),
    [[]],
  );
  return combos.map((at) =>
    make(
      axes.map((a, i) => `${a.path.split(".").at(-1)} ${textOf(at[i])}`).join(", "),
      axes.map((a, i) => [a.path, at[i]] as const),
      ["sweep"],
      at,
    ),
  );
}

/** One variant's row. */
export interface VariantRow {
  readonly name: string;
  readonly at?: readonly unknown[];
  readonly metrics: Readonly<Record<string, MetricCell>>;
}

export interface MetricCell {
  /** Median and 95 % bootstrap interval over the seeds. */
  readonly median: Interval;
  /** Against the first variant, seed by seed: shift (Hodges-Lehmann) with its interval, and Cliff's delta. Absent in the first row. */
  readonly against?: { readonly shift: Interval; readonly delta: number };
}

export interface ExperimentResult {
  readonly question: string;
  readonly mode: Plan["mode"];
  readonly kind: string;
  readonly seeds: number;
  readonly metrics: readonly string[];
  readonly axes: readonly string[];
  readonly rows: readonly VariantRow[];
}

/** The table; `measured[u]` are unit u's measures, whoever took them. */
export function concludeExperiment(
  plan: Plan,
  measured: readonly Readonly<Record<string, number>>[],
): ExperimentResult {
  const { metrics, question, sweep } = plan.experiment;
  const column = (variant: number, metric: string): number[] =>
    Array.from({ length: plan.seeds }, (_, i) => measured[variant * plan.seeds + i]?.[metric] ?? Number.NaN);
  const cell = (variant: number, metric: string): MetricCell => {
    const own = column(variant, metric);
    const median = medianInterval(own);
    if (variant === 0) return { median };
    const reference = column(0, metric);
    const shift = bootstrap(differences(reference, own), hodgesLehmann, { rounds: 500 });
    return { median, against: { shift, delta: cliffsDelta(reference, own) } };
  };
  return {
    question,
    mode: plan.mode,
    kind: plan.kind,
    seeds: plan.seeds,
    metrics,
    axes: sweep?.map((a) => a.path) ?? [],
    rows: plan.variants.map((v, i) => ({
      name: v.name,
      ...(v.at === undefined ? {} : { at: v.at }),
      metrics: Object.fromEntries(metrics.map((m) => [m, cell(i, m)])),
    })),
  };
}
