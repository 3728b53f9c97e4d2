// Films of memory under a load, and the free lists of a real machine.

import { freeRows } from "../../analysis/free_lists.ts";
import type { InputItem } from "../../artifact/gather.ts";
import { gather } from "../../artifact/gather.ts";
import { BadInput } from "../../base/bad_input.ts";
import { sourceOf } from "../../base/byte_source.ts";
import { freeListsDocument } from "../../report/free_lists.ts";
import type { Film, FilmSettings } from "../../scenario/memory_film.ts";
import { filmMemory } from "../../scenario/memory_film.ts";
import type { Progress, Shown } from "./protocol.ts";
import { chunksOf } from "./streams.ts";

export async function filmTask(settings: FilmSettings, progress: Progress): Promise<readonly Film[]> {
  return filmMemory(settings, (done) => progress(done, "running the load"));
}

/** buddyinfo and pagetypeinfo out of any mixture of files. */
export async function freeListsTask(
  files: readonly { readonly name: string; readonly blob: Blob }[],
  progress: Progress,
): Promise<readonly Shown[]> {
  async function* items(): AsyncGenerator<InputItem> {
    for (const { name, blob } of files) yield { source: sourceOf(name, chunksOf(blob, progress)), named: true };
  }
  const gathered = await gather(items());
  const shown = gathered.readings.flatMap(({ input, reading }): Shown[] =>
    reading.kind === "buddyinfo" || reading.kind === "pagetypeinfo"
      ? [
          {
            document: freeListsDocument(input, freeRows(reading)),
            json: { schema: "skblab.free-lists/1", input, rows: freeRows(reading) },
          },
        ]
      : [],
  );
  if (shown.length === 0) {
    throw new BadInput(
      "No buddyinfo or pagetypeinfo was found in these files.",
      undefined,
      "On the machine: cat /proc/buddyinfo /proc/pagetypeinfo. A page_owner dump is read on the Census page, with its map.",
    );
  }
  return shown;
}
