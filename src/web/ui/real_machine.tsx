// What a real machine wrote of its memory: page_owner as a map, buddyinfo and pagetypeinfo as pictures and tables of free lists.
import type { JSX } from "preact";
import type { LevelledMap } from "../../analysis/map_levels.ts";
import type { GroupKey } from "../../analysis/page_owner/group_by.ts";
import type { CaseFile } from "../store/case_file.ts";
import { useInputs } from "../store/case_file.ts";
import { useKept } from "../store/kept.ts";
import { ask } from "../tasks/client.ts";
import type { FreeLists, RealMemory } from "../tasks/real_memory_task.ts";
import { MapView, useMapWindow } from "./map_view.tsx";
import { OwnersMap } from "./owners_map.tsx";
import { Answer, ErrorBox } from "./parts.tsx";
import { route, setQuery } from "./route.ts";

const ownerKeys = [
  ["symbol", "owner"],
  ["subsystem", "subsystem"],
  ["type", "migrate type of the page"],
  ["block-type", "migrate type of its block"],
  ["order", "order"],
] as const satisfies readonly (readonly [GroupKey, string])[];

/** Reads what was given of a real machine, whichever part of the page is open; `onNew` hears when there is something new. */
export function useRealMachine(onNew: () => void): () => JSX.Element {
  const [real, setReal] = useKept<RealMemory | undefined>("memory.real", undefined);
  const [error, setError] = useKept<unknown>("memory.error", undefined);
  const by = ownerKeys.find(([key]) => key === route.value.query.owners)?.[0] ?? "symbol";
  const read = async (chosen: readonly CaseFile[], key: string): Promise<void> => {
    setError(undefined);
    if (chosen.length === 0) {
      setReal(undefined);
      return;
    }
    try {
      const input = { files: chosen.map(({ name, blob }) => ({ name, blob })), by: key as GroupKey };
      setReal(await ask("realMemory", input, "Reading", { replaces: true }));
    } catch (e) {
      setReal(undefined);
      setError(e);
    }
  };
  const files = useInputs("memory", (chosen) => {
    if (chosen.length > 0) onNew();
    void read(chosen, by);
  });
  return () => (
    <>
      {real === undefined ? (
        <p class="empty">
          Give /sys/kernel/debug/page_owner to see who owns which page and what pins a block; /proc/buddyinfo or
          /proc/pagetypeinfo, or anything that holds them, to see the free lists; what skblab watch --map-out FILE.json
          wrote, to see what each page is.
        </p>
      ) : null}
      <ErrorBox error={error} />
      {real?.map === undefined ? null : (
        <>
          <div class="scrub">
            <label>
              Color pages by{" "}
              <select
                value={by}
                onChange={(e) => {
                  setQuery({ owners: e.currentTarget.value });
                  void read(files, e.currentTarget.value);
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
      <h2>Memory of {name}, drawn to scale</h2>
      <p>
        Each zone and type fills an area as large as its memory, the largest free blocks first. These files do not say
        where the blocks lie; page_owner does.
      </p>
      <MapView map={map} name={`Memory of ${name}`} window={seen} tell={tell} />
    </>
  );
}
