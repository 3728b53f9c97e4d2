// skblab run: runs scenario files on the model.
import { readFileSync } from "node:fs";
import { BadInput } from "../../base/bad_input.ts";
import { scenarioDocument } from "../../report/scenarios.ts";
import type { ScenarioKind } from "../../scenario/kind.ts";
import { readScenario } from "../../scenario/read.ts";
import type { CommandSpec, Io } from "../command.ts";
import { runPool } from "../work/pool.ts";

export const command: CommandSpec = {
  name: "run",
  examples: [
    {
      line: "skblab run scenarios/page-pool-skb-copy.yaml",
      does: "the wrong recycle of the first branches, and its absence after the fix",
    },
    {
      line: "skblab run scenarios/high-order-after-thrash.yaml",
      does: "120 machines: large blocks after a compile, by placement policy",
    },
    { line: "skblab run scenarios/page-pool-tcp.yaml", does: "three ways to coalesce pages of a pool, side by side" },
  ],
  configure(cmd, io) {
    cmd
      .argument("<files...>", "scenario files (YAML), - for standard input")
      .option("--jobs <n>", "threads for scenarios of many machines (default: one a core)")
      .action((files: string[], options: { jobs?: string }) => run(files, options, io));
  },
};

async function run(files: readonly string[], options: { jobs?: string }, io: Io): Promise<void> {
  // All are read before the first one runs: a mistake in the last file costs nothing.
  const scenarios = files.map((file) => readScenario(file, readFileSync(file === "-" ? 0 : file, "utf8")));
  const jobs = threadsOf(options.jobs);
  const runs = [];
  for (const { file, kind, settings } of scenarios)
    runs.push({ file, kind, settings, result: await runKind(kind, settings, jobs, io) });
  await io.answer({
    document: runs.flatMap((r) => scenarioDocument(r.file, r.kind.kind, r.kind.summary, r.result)),
    json: {
      schema: "skblab.run/1",
      runs: runs.map((r) => ({ file: r.file, kind: r.kind.kind, settings: r.settings, result: r.result })),
    },
    exit: 0,
  });
}

/** `--jobs`: a whole number of threads; undefined when it was left out. */
export function threadsOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (!/^[1-9]\d{0,2}$/.test(text))
    throw new BadInput(`--jobs ${text} is no number of threads.`, undefined, "Write a whole number from 1 to 999.");
  return Number(text);
}

/** Runs a scenario; its parts on all cores, when it has any. */
export async function runKind(
  kind: ScenarioKind,
  settings: unknown,
  jobs: number | undefined,
  io: Io,
): Promise<unknown> {
  const { parts } = kind;
  if (parts === undefined) return kind.run(settings);
  const list = parts.list(settings);
  io.progress(kind.kind, 0, `0 of ${list.length} machines`);
  const results = await runPool(
    list.map((part) => ({ kind: kind.kind, settings, part })),
    {
      ...(jobs === undefined ? {} : { jobs }),
      done: (index, _result, finished) =>
        io.progress(kind.kind, finished / list.length, `${finished} of ${list.length}: ${parts.label(list[index])}`),
    },
  );
  return parts.join(settings, results);
}
