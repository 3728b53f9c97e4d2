// Films of memory under a load, and maps as files. A film stays here: the page is given one picture at a time.

import type { LevelledMap } from "../../analysis/map_levels.ts";
import { withLevels } from "../../analysis/map_levels.ts";
import type { TiledMap } from "../../analysis/map_tiles.ts";
import { tiled } from "../../analysis/map_tiles.ts";
import type { PageMap } from "../../analysis/page_map.ts";
import { mapToPng, mapToSvg } from "../../analysis/page_map.ts";
import { blockOwners } from "../../analysis/page_owner/block.ts";
import { BadInput } from "../../base/bad_input.ts";
import type { PageStory, Projector } from "../../lab/film_pictures.ts";
import { createProjector } from "../../lab/film_pictures.ts";
import type { Colouring, FilmSettings, FilmSummary } from "../../lab/film_settings.ts";
import { filmMemory, filmSummary } from "../../lab/memory_film.ts";
import { inertLine } from "../../report/escape.ts";
import { pageStoryDocument } from "../../report/memory_film.ts";
import { blockDocument } from "../../report/page_owner.ts";
import { moving } from "./moving.ts";
import type { Progress, Shown } from "./protocol.ts";

/** The films run last, one for each policy. */
let kept: readonly Projector[] = [];

export async function filmTask(settings: FilmSettings, progress: Progress): Promise<readonly FilmSummary[]> {
  // What was kept makes room first.
  kept = [];
  const films = filmMemory(settings, (done) => progress(done, "running the load"));
  kept = films.map(createProjector);
  return films.map(filmSummary);
}

function projector(film: number): Projector {
  const found = kept[film];
  if (found === undefined) throw new BadInput("This run is no longer in memory.", undefined, "Run it again.");
  return found;
}

/** A map in tiles, with its smaller levels. */
export type TiledLevels = LevelledMap & TiledMap;

/** One moment of every film, as maps. */
export async function filmMapsTask(input: {
  readonly at: number;
  readonly by: Colouring;
}): Promise<readonly TiledLevels[]> {
  projector(0);
  const maps = kept.map((projector) => {
    const map = projector.map(input.at, input.by);
    // Whatever the colours: a page is free or not by its state.
    const states = input.by === "state" ? map : projector.map(input.at, "state");
    const { nearlyFree } = tiled(states, projector.film.blockOrder, (state) => state === 1 || state === 2);
    return withLevels({ ...tiled(map, projector.film.blockOrder, () => true), nearlyFree });
  });
  return moving(
    maps,
    maps.flatMap((m) => [m.cells, ...m.levels]),
  );
}

export interface FilmPlace {
  /** Which of the films, 0 the first. */
  readonly film: number;
  readonly at: number;
  readonly pfn: number;
}

/** What is known of a page of a film. */
export async function filmPageTask({ film, at, pfn }: FilmPlace): Promise<PageStory> {
  return projector(film).story(at, pfn);
}

/** Two answers: the page with its life, and who holds pages in the pageblock around it, as a real dump would be asked. */
export async function filmChoiceTask({ film, at, pfn }: FilmPlace): Promise<readonly [Shown, Shown]> {
  const from = projector(film);
  const { blockOrder } = from.film;
  const story = from.story(at, pfn);
  const report = blockOwners(from.censusOfBlock(at, pfn, blockOrder), pfn, blockOrder, "symbol", { depth: 3 });
  return [
    { document: pageStoryDocument(story), json: { schema: "skblab.page/1", ...story } },
    {
      document: blockDocument(report, { pageSize: 4096 }),
      json: { schema: "skblab.page-owner-block/1", by: "symbol", pageSize: 4096, ...report },
    },
  ];
}

const safe = (text: string): string => inertLine(text).replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`);

/** A map as the bytes of a picture file. */
export async function mapFileTask(input: {
  readonly map: PageMap;
  readonly form: "png" | "svg";
}): Promise<Uint8Array | string> {
  if (input.form === "svg") return mapToSvg(input.map, safe);
  const bytes = mapToPng(input.map);
  return moving(bytes, [bytes]);
}
