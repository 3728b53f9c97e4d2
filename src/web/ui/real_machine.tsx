// What a real machine wrote of its memory: page_owner as a map, buddyinfo and pagetypeinfo as pictures and tables of free lists.
import type { JSX } from "preact";
import { useState } from "preact/hooks";
import type { LevelledMap } from "../../analysis/map_levels.ts";
import type { GroupKey } from "../../analysis/page_owner/group_by.ts";
import { ask } from "../tasks/client.ts";
import type { FreeLists, RealMemory } from "../tasks/real_memory_task.ts";
import { MapView, useMapWindow } from "./map_view.tsx";
import { OwnersMap } from "./owners_map.tsx";
import { Answer, DropZone, ErrorBox } from "./parts.tsx";
import { route, setQuery } from "./route.ts";

const ownerKeys = [
  ["symbol", "owner"],
  ["subsystem", "subsystem"],
  ["type", "migrate type of the page"],
  ["block-type", "migrate type of its block"],
  ["order", "order"],
] as const satisfies readonly (readonly [GroupKey, string])[];

export function RealMachine(): JSX.Element {
  const [files, setFiles] = useState<readonly File[]>([]);
  const [real, setReal] = useState<RealMemory>();
  const [error, setError] = useState<unknown>();
  const by = ownerKeys.find(([key]) => key === route.value.query.owners)?.[0] ?? "symbol";
  const take = async (chosen: readonly File[], key: string): Promise<void> => {
    setError(undefined);
    setFiles(chosen);
    try {
      const input = { files: chosen.map((f) => ({ name: f.name, blob: f })), by: key as GroupKey };
      setReal(await ask("realMemory", input, "Reading"));
    } catch (e) {
      setReal(undefined);
      setError(e);
    }
  };
  return (
    <>
      <h2>A real machine's memory</h2>
      <DropZone onFiles={(chosen) => void take(chosen, by)}>
        <p>
          Drop /sys/kernel/debug/page_owner to see who owns which page and what pins a block; /proc/buddyinfo or
          /proc/pagetypeinfo, or anything that holds them, to see the free lists; what skblab watch --map-out FILE.json
          wrote, to see what each page is.
        </p>
      </DropZone>
      <ErrorBox error={error} />
      {real?.map === undefined ? null : (
        <>
          <div class="scrub">
            <label>
              Colour pages by{" "}
              <select
                value={by}
                onChange={(e) => {
                  setQuery({ owners: e.currentTarget.value });
                  void take(files, e.currentTarget.value);
                }}
              >
                {ownerKeys.map(([key, title]) => (
                  <option key={key} value={key}>
                    {title}
                  </option>
                ))}
              </select>
            </label>
          </div>
          <OwnersMap map={real.map} order={9} windowKey="owned" />
        </>
      )}
      {real?.live === undefined ? null : <LiveMapView map={real.live} />}
      {real?.lists.map((lists, i) => (
        <FreeListsView key={`${i} ${lists.name}`} lists={lists} />
      ))}
    </>
  );
}

/** What each page of a running machine is. */
export function LiveMapView({ map }: { map: LevelledMap }): JSX.Element {
  const seen = useMapWindow(map.width, "live");
  return (
    <>
      <h3>What each page is</h3>
      <MapView map={map} name="Pages of a running machine" window={seen} blankMeans="no page: a hole or a device" />
    </>
  );
}

function FreeListsView({ lists: { name, shown, map, stretches } }: { lists: FreeLists }): JSX.Element {
  return (
    <>
      {map === undefined ? null : <FreeArea name={name} map={map} stretches={stretches} />}
      <Answer shown={shown} name={`free lists of ${name}`} />
    </>
  );
}

function FreeArea({ name, map, stretches }: Pick<FreeLists, "name" | "stretches"> & { map: LevelledMap }): JSX.Element {
  const seen = useMapWindow(map.width, "area");
  const tell = (page: number): string => {
    const cell = page / map.pagesPerCell;
    return stretches.find((s) => cell >= s.firstCell && cell < s.firstCell + s.cells)?.text ?? "";
  };
  return (
    <>
      <h3>Memory of {name}, drawn to scale</h3>
      <p>
        Each zone and type fills an area as large as its memory, the largest free blocks first. Where they lie these
        files do not tell: page_owner does.
      </p>
      <MapView map={map} name={`Memory of ${name}`} window={seen} tell={tell} />
    </>
  );
}
