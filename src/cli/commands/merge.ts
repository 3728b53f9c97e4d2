// skblab merge: joins the shards of an experiment into the table that one run of all of it would have printed.
import { concludeExperiment } from "../../scenario/experiment.ts";
import type { CommandSpec } from "../command.ts";
import { joinShards } from "../parallel/shard_file.ts";
import { experimentAnswer } from "./experiment.ts";

export const command: CommandSpec = {
  name: "merge",
  examples: [{ line: "skblab merge results", does: "the table of an experiment whose shards were run elsewhere" }],
  configure(cmd, io) {
    cmd.argument("<dir>", "where the shards' results are").action(async (directory: string) => {
      const { plan, file, measured } = joinShards(directory);
      await io.answer(experimentAnswer(file, concludeExperiment(plan, measured)));
    });
  },
};
