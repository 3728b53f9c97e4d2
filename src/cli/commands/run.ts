// skblab run: runs scenario files on the model.
import { readFileSync } from "node:fs";
import { scenarioDocument } from "../../report/scenarios.ts";
import { readScenario } from "../../scenario/read.ts";
import type { CommandSpec, Io } from "../command.ts";

export const command: CommandSpec = {
  name: "run",
  examples: [
    {
      line: "skblab run scenarios/page-pool-skb-copy.yaml",
      does: "the wrong recycle of the first branches, and its absence after the fix",
    },
    { line: "skblab run scenarios/page-pool-tcp.yaml", does: "three ways to coalesce pages of a pool, side by side" },
  ],
  configure(cmd, io) {
    cmd.argument("<files...>", "scenario files (YAML)").action((files: string[]) => run(files, io));
  },
};

async function run(files: readonly string[], io: Io): Promise<void> {
  // All are read before the first one runs: a mistake in the last file costs nothing.
  const scenarios = files.map((file) => readScenario(file, readFileSync(file === "-" ? 0 : file, "utf8")));
  const runs = scenarios.map(({ file, kind, settings }) => ({ file, kind, settings, result: kind.run(settings) }));
  await io.answer({
    document: runs.flatMap((r) => scenarioDocument(r.file, r.kind.kind, r.kind.summary, r.result)),
    json: {
      schema: "skblab.run/1",
      runs: runs.map((r) => ({ file: r.file, kind: r.kind.kind, settings: r.settings, result: r.result })),
    },
    exit: 0,
  });
}
