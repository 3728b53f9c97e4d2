// skblab experiment: compares, ablates or sweeps a machine's settings, with many seeds each, on all cores or a part of it on this host.
import { rmSync } from "node:fs";
import { basename, join } from "node:path";
import { BadInput } from "../../base/bad_input.ts";
import { heading, table } from "../../report/document.ts";
import { experimentDocument } from "../../report/experiment.ts";
import type { ExperimentResult, ExperimentSettings, Plan } from "../../scenario/experiment.ts";
import { concludeExperiment, experimentKind, planExperiment, unitOf, unitsOf } from "../../scenario/experiment.ts";
import { scenarioKinds } from "../../scenario/kinds.ts";
import type { Answer, CommandSpec, Io } from "../command.ts";
import { excludes } from "../modes.ts";
import { cacheDirectory } from "../output.ts";
import { driverDigests, openScenario } from "../own_drivers.ts";
import { runPool } from "../parallel/pool.ts";
import type { Measures } from "../parallel/shard_file.ts";
import { fingerprintOf, openShard } from "../parallel/shard_file.ts";
import { threadsOf } from "./run.ts";

interface Options {
  readonly jobs?: string;
  readonly shard?: string;
  readonly out?: string;
  readonly seeds?: string;
  readonly metrics?: boolean;
}

export const command: CommandSpec = {
  name: "experiment",
  examples: [
    { line: "skblab experiment scenarios/jumbo-ablation.yaml", does: "which change makes the failures stop?" },
    { line: "skblab experiment scenarios/mtu-sweep.yaml --seeds 5", does: "failures and goodput for MTU 1500 to 9000" },
    { line: "skblab experiment --metrics", does: "what can be compared: names, units, one line each" },
    {
      line: "skblab experiment scenarios/mtu-sweep.yaml --shard 1/4 --out sweep",
      does: "a quarter of the runs, for `skblab merge sweep` when all four are done",
    },
  ],
  configure(cmd, io) {
    cmd
      .argument("[file]", "experiment file (YAML): `kind: experiment`")
      .option("--jobs <n>", "threads (default: one per core)")
      .option("--seeds <n>", "runs of each variant, instead of the file's")
      .option("--shard <i/n>", "run only the i-th of n parts (needs --out)")
      .option("--out <dir>", "keep the results there; an interrupted run continues from them")
      .option("--metrics", "list what can be compared, with units")
      .action((file: string | undefined, options: Options) => {
        excludes(cmd, "--metrics", ["--jobs", "--seeds", "--shard", "--out"]);
        if (options.metrics === true && file !== undefined)
          throw new BadInput("--metrics lists what any experiment can compare.", undefined, "Leave the file out.");
        if (options.metrics === true) return io.answer(metricsAnswer());
        if (file === undefined)
          throw new BadInput("No experiment was named.", undefined, "Try: skblab experiment scenarios/mtu-sweep.yaml");
        return run(file, options, io);
      });
  },
};

async function run(file: string, options: Options, io: Io): Promise<void> {
  const plan = await readPlan(file, options);
  const shard = shardOf(options);
  const partial = shard[1] > 1;
  const keep = options.out ?? cacheDirectory(`experiment-${fingerprintOf(plan)}`);
  const path = join(keep, `shard-${shard[0]}-of-${shard[1]}.ndjson`);
  const measured = await runUnits(plan, file, path, shard, threadsOf(options.jobs), io);
  if (partial)
    return io.answer({
      document: [{ kind: "text", text: `Shard ${shard[0]} of ${shard[1]} is done: ${measured.size} runs in ${path}.` }],
      json: { schema: "skblab.shard-done/1", shard: shard[0], of: shard[1], runs: measured.size, file: path },
      exit: 0,
    });
  if (options.out === undefined) rmSync(keep, { recursive: true, force: true });
  const all = Array.from({ length: unitsOf(plan) }, (_, u) => measured.get(u) as Measures);
  await io.answer(experimentAnswer(file, concludeExperiment(plan, all)));
}

/** What the `metrics` of an experiment's file may name, kind by kind of its base. */
function metricsAnswer(): Answer {
  const kinds = scenarioKinds.flatMap(({ kind, metrics = [] }) => (metrics.length === 0 ? [] : [{ kind, metrics }]));
  return {
    document: kinds.flatMap(({ kind, metrics }) => [
      heading(1, `kind: ${kind}`),
      table(
        ["metric", "unit", "what it is"],
        metrics.map((m) => [m.name, m.unit, m.means]),
      ),
    ]),
    json: { schema: "skblab.metrics/1", kinds },
    exit: 0,
  };
}

/** The answer of an experiment, wherever its runs were made. */
export function experimentAnswer(file: string, result: ExperimentResult): Answer {
  return {
    document: experimentDocument(basename(file), result),
    json: { schema: "skblab.experiment/1", file: basename(file), result },
    exit: 0,
  };
}

async function readPlan(file: string, options: Options): Promise<Plan> {
  const { settings, place } = await openScenario(file, [experimentKind]);
  let experiment = settings as ExperimentSettings;
  if (options.seeds !== undefined) {
    if (!/^([2-9]|[1-9]\d{1,3})$/.test(options.seeds))
      throw new BadInput(
        `--seeds ${options.seeds} is not a number of runs.`,
        undefined,
        "Write a whole number from 2 to 9999.",
      );
    experiment = { ...experiment, seeds: Number(options.seeds) };
  }
  const plan = planExperiment(experiment, file, place);
  const drivers = driverDigests(plan.variants);
  return Object.keys(drivers).length === 0 ? plan : { ...plan, drivers };
}

/** `--shard i/n` as numbers; [1, 1] where it was left out. */
export function shardOf(options: { readonly shard?: string; readonly out?: string }): readonly [number, number] {
  if (options.shard === undefined) return [1, 1];
  const m = /^(\d{1,6})\/(\d{1,6})$/.exec(options.shard);
  const [index, of] = [Number(m?.[1]), Number(m?.[2])];
  if (m === null || index < 1 || index > of)
    throw new BadInput(
      `--shard ${options.shard} is not a part.`,
      undefined,
      "Write i/n with i from 1 to n: 1/4, 2/4, 3/4, 4/4.",
    );
  if (options.out === undefined)
    throw new BadInput("A shard needs a place for its results.", undefined, "Add --out DIR, the same for all shards.");
  return [index, of];
}

/** Runs what is not done yet of this shard's units (unit mod n = i - 1). */
async function runUnits(
  plan: Plan,
  file: string,
  path: string,
  shard: readonly [number, number],
  jobs: number | undefined,
  io: Io,
): Promise<Map<number, Measures>> {
  const [index, of] = shard;
  const own = Array.from({ length: unitsOf(plan) }, (_, u) => u).filter((u) => u % of === index - 1);
  const kept = openShard(path, plan, basename(file), shard);
  const measured = new Map(kept.done);
  const todo = own.filter((u) => !measured.has(u));
  if (measured.size > 0)
    io.note(`${measured.size} of ${own.length} runs were done before (${path}); continuing with the rest.`);
  await runPool(
    todo.map((u) => {
      const { variant, seed } = unitOf(plan, u);
      return { kind: plan.kind, settings: variant.settings, seed };
    }),
    {
      ...(jobs === undefined ? {} : { jobs }),
      done(i, result, finished) {
        const unit = todo[i] as number;
        measured.set(unit, result as Measures);
        kept.put(unit, result as Measures);
        const { variant, seed } = unitOf(plan, unit);
        io.progress(
          "experiment",
          (finished + kept.done.size) / own.length,
          `${finished + kept.done.size} of ${own.length}: ${variant.name}, seed ${seed}`,
        );
      },
    },
  );
  return measured;
}
