// The table of locking schemes, and one schedule played, in the worker.

import type { Replay } from "../../explore/replay.ts";
import type { LltxTable } from "../../explore/stories/lltx.ts";
import { lltxTable, replayLltx, worldOf, worldText } from "../../explore/stories/lltx.ts";
import { lltxDocument } from "../../report/explore.ts";
import { lanesSvg } from "../../report/explore_svg.ts";
import type { Progress, Shown } from "./protocol.ts";

export interface LltxOutput {
  readonly table: LltxTable;
  readonly shown: Shown;
}

/** Six schemes in all their worlds; a few seconds. */
export async function lltxTask(_: null, progress: Progress): Promise<LltxOutput> {
  const table = lltxTable({
    progress: (scheme, world, states, done) => progress(done, `${scheme} ${world}: ${states} states`),
  });
  return { table, shown: { document: lltxDocument(table), json: { schema: "skblab.explore/1", schemes: table.rows } } };
}

export interface PlayedSchedule {
  readonly replay: Replay;
  readonly world: string;
  readonly svg: string;
}

/** Plays a schedule of a scheme; BadInput when either is none. */
export async function scheduleTask(input: {
  readonly scheme: string;
  readonly schedule: string;
}): Promise<PlayedSchedule> {
  const played = replayLltx(input.scheme, input.schedule, worldOf(2, 1));
  const world = worldText(played.world);
  return {
    replay: played.replay,
    world,
    svg: lanesSvg(`lltx, ${input.scheme}, ${world}: ${input.schedule}`, played.replay),
  };
}
