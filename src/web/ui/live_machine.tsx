// The machine that `skblab watch --serve` watches: its room, its incidents and its map, asked for again at the watch's own interval. Nothing where
// the page is not served by a watch.
import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import type { LevelledMap } from "../../analysis/map_levels.ts";
import type { Document } from "../../report/document.ts";
import { ask } from "../tasks/client.ts";
import { Answer, ErrorBox } from "./parts.tsx";
import { LiveMapView } from "./real_machine.tsx";

/** What /live/state.json holds. */
interface LiveState {
  readonly release: string;
  readonly intervalSeconds: number;
  readonly room: Document;
  readonly incidents: readonly { readonly seconds: number | null; readonly document: Document }[];
  /** Number of the map that can be had; 0: none. */
  readonly map: number;
  readonly mapDocument: Document;
}

/** The page is served by a watch. */
export const watched = (): boolean => document.documentElement.dataset.live !== undefined;

export function LiveMachine(): JSX.Element | null {
  const [state, setState] = useState<LiveState>();
  const [map, setMap] = useState<LevelledMap>();
  const [error, setError] = useState<unknown>();
  useEffect(() => {
    if (!watched()) return;
    let timer = 0;
    let ended = false;
    const look = async (): Promise<void> => {
      let seconds = 5;
      try {
        const answer = await fetch("/live/state.json");
        const now = (await answer.json()) as LiveState;
        seconds = now.intervalSeconds;
        setState(now);
        setError(undefined);
      } catch {
        setError(
          new Error("The watch does not answer: it has ended, or the machine is too busy. This is what it said last."),
        );
      }
      if (!ended) timer = window.setTimeout(() => void look(), Math.max(1, seconds) * 1000);
    };
    void look();
    return () => {
      ended = true;
      clearTimeout(timer);
    };
  }, []);
  useEffect(() => {
    if (state === undefined || state.map === 0) return;
    void (async () => {
      try {
        const blob = await (await fetch("/live/map.json")).blob();
        const { live } = await ask(
          "realMemory",
          { files: [{ name: "live map", blob }], by: "symbol" },
          "Reading the map",
        );
        setMap(live);
      } catch (e) {
        setError(e);
      }
    })();
  }, [state?.map]);
  if (!watched()) return null;
  return (
    <>
      <h2>This machine, as it runs</h2>
      <ErrorBox error={error} />
      {state === undefined ? null : (
        <>
          <p>Linux {state.release}</p>
          <Answer shown={{ document: state.room, json: state }} name="room of this machine" />
          {state.incidents.map((i, at) => (
            <Answer
              key={`${state.incidents.length - at}`}
              shown={{ document: i.document, json: i }}
              name={`incident ${state.incidents.length - at}`}
            />
          ))}
          {map === undefined ? null : <LiveMapView key={map.width} map={map} />}
          {state.mapDocument.length === 0 ? null : (
            <Answer shown={{ document: state.mapDocument, json: state.mapDocument }} name="pages of this machine" />
          )}
        </>
      )}
    </>
  );
}
