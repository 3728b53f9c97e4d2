// skblab merge: joins the parts of an experiment, or of a fleet, into the answer that one run of all of it would have printed.

import { createFleet } from "../../fleet/fleet.ts";
import { concludeExperiment } from "../../scenario/experiment.ts";
import type { CommandSpec } from "../command.ts";
import type { ExampleProof } from "../fleet/shard.ts";
import { hasFleetShards, joinFleetShards } from "../fleet/shard.ts";
import { joinShards } from "../parallel/shard_file.ts";
import { experimentAnswer } from "./experiment.ts";
import { fleetAnswer } from "./fleet.ts";

export const command: CommandSpec = {
  name: "merge",
  examples: [
    { line: "skblab merge results", does: "the answer of an experiment or a fleet whose parts were run elsewhere" },
  ],
  configure(cmd, io) {
    cmd.argument("<dir>", "where the shards' results are").action(async (directory: string) => {
      if (hasFleetShards(directory)) {
        const fleet = createFleet();
        const proofs: ExampleProof[] = [];
        for (const record of joinFleetShards(directory, (p) => proofs.push(p))) fleet.add(record);
        return io.answer(fleetAnswer(fleet.answer(), proofs.length === 0 ? undefined : proofs));
      }
      const { plan, file, measured } = joinShards(directory);
      await io.answer(experimentAnswer(file, concludeExperiment(plan, measured)));
    });
  },
};
