// What a watch tells the page that it serves: the present state, and the live map once it has been read.
import type { Document } from "../../report/document.ts";
import { roomChart, roomDocument } from "../../report/live.ts";
import { liveMapFile } from "../../report/live_map.ts";
import type { Feeds } from "../page_server.ts";
import type { MapKeeper, TakenMap } from "./live_map.ts";
import type { Watcher } from "./watcher.ts";

/** /live/state.json. */
export interface LiveState {
  readonly schema: "skblab.live/1";
  readonly release: string;
  readonly boot: string;
  /** Seconds since boot of the last sample; null before the first. */
  readonly seconds: number | null;
  readonly intervalSeconds: number;
  readonly room: Document;
  /** Latest first. */
  readonly incidents: readonly ToldIncident[];
  /** Number of the map at /live/map.json, counted from 1; 0 while there is none. */
  readonly map: number;
  readonly mapDocument: Document;
}

export interface ToldIncident {
  readonly seconds: number | null;
  readonly document: Document;
}

export interface Feed {
  readonly feeds: Feeds;
  told(document: Document): void;
}

/** Incidents that the page is told of. */
const mostTold = 20;

export function createFeed(
  about: Pick<LiveState, "release" | "boot" | "intervalSeconds">,
  watcher: () => Watcher,
  maps: MapKeeper | undefined,
): Feed {
  const incidents: ToldIncident[] = [];
  let drawn: { readonly of: TakenMap; readonly text: string } | undefined;
  let number = 0;
  const mapText = (): string | undefined => {
    const latest = maps?.latest;
    if (latest !== undefined && drawn?.of !== latest) {
      drawn = { of: latest, text: JSON.stringify(liveMapFile(latest.map)) };
      number++;
    }
    return drawn?.text;
  };
  const seconds = (): number | null => watcher().history.samples.at(-1)?.seconds ?? null;
  return {
    feeds: {
      "/live/state.json": () => {
        mapText();
        const { history } = watcher();
        const state: LiveState = {
          schema: "skblab.live/1",
          ...about,
          seconds: seconds(),
          room: [...roomDocument(history), ...roomChart(history)],
          incidents,
          map: number,
          mapDocument: maps?.latest?.document ?? [],
        };
        return JSON.stringify(state);
      },
      "/live/map.json": mapText,
    },
    told(document) {
      incidents.unshift({ seconds: seconds(), document });
      incidents.length = Math.min(incidents.length, mostTold);
    },
  };
}
