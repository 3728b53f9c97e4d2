// A real machine's memory out of any mixture of files: who owns which page (page_owner), and its free lists (buddyinfo, pagetypeinfo).

import { freeRows } from "../../analysis/free_lists.ts";
import type { FreeStretch } from "../../analysis/free_map.ts";
import { freeMap } from "../../analysis/free_map.ts";
import type { LevelledMap } from "../../analysis/map_levels.ts";
import { withLevels } from "../../analysis/map_levels.ts";
import type { TiledMap } from "../../analysis/map_tiles.ts";
import type { GroupKey } from "../../analysis/page_owner/group_by.ts";
import { dumpForm } from "../../analysis/page_owner/stack_tables.ts";
import type { InputItem } from "../../artifact/gather.ts";
import { gather } from "../../artifact/gather.ts";
import { BadInput } from "../../base/bad_input.ts";
import { sourceOf } from "../../base/byte_source.ts";
import { freeListsDocument } from "../../report/free_lists.ts";
import { pageMapOf } from "../../report/live_map.ts";
import { censusTask } from "./census_task.ts";
import { moving } from "./moving.ts";
import type { Progress, Shown } from "./protocol.ts";
import { chunksOf } from "./streams.ts";

export interface RealMemory {
  /** Who owns which page; undefined when no page_owner dump was among the files. */
  readonly map: (LevelledMap & TiledMap) | undefined;
  readonly lists: readonly FreeLists[];
  /** What each page of a running machine is (`skblab watch --map-out FILE.json`, or the watch that serves this page). */
  readonly live?: LevelledMap | undefined;
}

/** One buddyinfo or pagetypeinfo: its tables, and its memory drawn to scale (undefined when nothing is free). */
export interface FreeLists {
  readonly name: string;
  readonly shown: Shown;
  readonly map: LevelledMap | undefined;
  readonly stretches: readonly FreeStretch[];
}

interface Given {
  readonly name: string;
  readonly blob: Blob;
}

/** Of several page_owner dumps the last is shown. */
export async function realMemoryTask(
  input: { readonly files: readonly Given[]; readonly by: GroupKey },
  progress: Progress,
): Promise<RealMemory> {
  const dumps: Given[] = [];
  const others: Given[] = [];
  let live: LevelledMap | undefined;
  for (const file of input.files)
    if (await isLiveMap(file)) live = withLevels(pageMapOf(JSON.parse(await file.blob.text()), file.name));
    else ((await isOwnerDump(file)) ? dumps : others).push(file);
  const dump = dumps.at(-1);
  const map = dump === undefined ? undefined : await ownersOf(dump, input.by, progress);
  const lists = others.length === 0 ? [] : await freeLists(others, progress);
  if (map === undefined && live === undefined && lists.length === 0) {
    throw new BadInput(
      "No page_owner dump, live map, buddyinfo or pagetypeinfo was found in these files.",
      undefined,
      "On the machine: cat /sys/kernel/debug/page_owner, or /proc/buddyinfo /proc/pagetypeinfo.",
    );
  }
  const maps = [map, live, ...lists.map((l) => l.map)].filter((m) => m !== undefined);
  return moving(
    { map, lists, live },
    maps.flatMap((m) => [m.cells, ...m.levels]),
  );
}

const isLiveMap = async ({ blob }: Given): Promise<boolean> =>
  (await blob.slice(0, 40).text()).startsWith('{"schema":"skblab.live-map/1"');

async function isOwnerDump({ name, blob }: Given): Promise<boolean> {
  for await (const chunk of chunksOf(name, blob, () => undefined))
    return dumpForm(new TextDecoder("latin1").decode(chunk.subarray(0, 65536))) !== "unknown";
  return false;
}

async function ownersOf(dump: Given, by: GroupKey, progress: Progress): Promise<LevelledMap & TiledMap> {
  const { map } = await censusTask({ files: [dump], by: [by], top: 1, pageSize: 4096, pins: undefined }, progress);
  if (map === undefined) throw new BadInput("This dump does not say where its pages lie.", { file: dump.name });
  return map;
}

async function freeLists(files: readonly Given[], progress: Progress): Promise<readonly FreeLists[]> {
  async function* items(): AsyncGenerator<InputItem> {
    for (const { name, blob } of files) yield { source: sourceOf(name, chunksOf(name, blob, progress)), named: true };
  }
  const gathered = await gather(items());
  return gathered.readings.flatMap(({ input, reading }): FreeLists[] => {
    if (reading.kind !== "buddyinfo" && reading.kind !== "pagetypeinfo") return [];
    const rows = freeRows(reading);
    const drawn = freeMap(reading);
    const shown = {
      document: freeListsDocument(input, rows),
      json: { schema: "skblab.free-lists/1", input, rows },
    };
    const map = drawn === undefined ? undefined : withLevels(drawn.map);
    return [{ name: input, shown, map, stretches: drawn?.stretches ?? [] }];
  });
}
