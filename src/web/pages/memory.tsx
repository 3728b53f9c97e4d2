// Memory: the same load under several placement policies, side by side, a pixel a page; a time line to scrub. And a real machine's free lists.
import type { JSX } from "preact";
import { useMemo, useState } from "preact/hooks";
import type { PageMap } from "../../analysis/page_map.ts";
import { mapToPng } from "../../analysis/page_map.ts";
import { formatNumber } from "../../report/text.ts";
import type { Film } from "../../scenario/memory_film.ts";
import { filmDefaults, filmPolicies, pageClasses } from "../../scenario/memory_film.ts";
import { download } from "../ui/download.ts";
import { MapView } from "../ui/map_view.tsx";
import { Answer, DropZone, ErrorBox } from "../ui/parts.tsx";
import { route, setQuery } from "../ui/route.ts";
import { ask } from "../work/client.ts";
import type { Shown } from "../work/protocol.ts";

const colours = ["#e69f00", "#009e73", "#0072b2", "#b0b0b0"];

export function MemoryPage(): JSX.Element {
  const { query } = route.value;
  const left = filmPolicies.find((p) => p === query.left) ?? "classic";
  const right = filmPolicies.find((p) => p === query.right) ?? "mobility";
  const memoryMb = Number(query.mb ?? filmDefaults.memoryMb);
  const seed = Number(query.seed ?? 1);
  const [films, setFilms] = useState<readonly Film[]>();
  const [lists, setLists] = useState<readonly Shown[]>([]);
  const [error, setError] = useState<unknown>();
  const frames = films?.[0]?.frames.length ?? 0;
  const at = Math.max(0, Math.min(Number(query.at ?? 0), frames - 1));

  const run = async (): Promise<void> => {
    setError(undefined);
    try {
      const scale = memoryMb / filmDefaults.memoryMb;
      const load = { ...filmDefaults.load, kilopages: Math.round(filmDefaults.load.kilopages * scale) };
      setFilms(await ask("film", { ...filmDefaults, memoryMb, seed, policies: [left, right], load }, "Filming memory"));
    } catch (e) {
      setError(e);
    }
  };
  const take = async (files: readonly File[]): Promise<void> => {
    setError(undefined);
    try {
      setLists(
        await ask(
          "freeLists",
          files.map((f) => ({ name: f.name, blob: f })),
          "Reading",
        ),
      );
    } catch (e) {
      setError(e);
    }
  };

  return (
    <>
      <h1>Memory under a load, policy beside policy</h1>
      <p>
        A compile-like load runs on a model machine: the same requests, in the same order, under two placement policies.
        What keeps large blocks from being free is where the pages lie that cannot be moved.
      </p>
      <form
        class="form"
        onSubmit={(e) => {
          e.preventDefault();
          void run();
        }}
      >
        {(["left", "right"] as const).map((side) => (
          <label key={side}>
            {side === "left" ? "Policy" : "beside"}
            <select
              value={side === "left" ? left : right}
              onChange={(e) => setQuery({ [side]: e.currentTarget.value })}
            >
              {filmPolicies.map((p) => (
                <option key={p}>{p}</option>
              ))}
            </select>
          </label>
        ))}
        <label>
          Memory, MiB
          <input
            type="number"
            min={64}
            max={2048}
            step={64}
            value={memoryMb}
            onChange={(e) => setQuery({ mb: e.currentTarget.value })}
          />
        </label>
        <label>
          Seed
          <input type="number" min={0} value={seed} onChange={(e) => setQuery({ seed: e.currentTarget.value })} />
        </label>
        <button type="submit" class="primary">
          Run
        </button>
      </form>
      <ErrorBox error={error} />
      {films === undefined ? (
        <p class="empty">Nothing has run yet.</p>
      ) : (
        <>
          <p class="scrub">
            <label for="moment">Moment</label>
            <input
              id="moment"
              type="range"
              min={0}
              max={frames - 1}
              value={at}
              onInput={(e) => setQuery({ at: e.currentTarget.value })}
            />
            <output for="moment">{films[0]?.frames[at]?.what}</output>
          </p>
          <div class="beside open">
            {films.map((film, i) => (
              <FilmView key={`${film.policy} ${i}`} film={film} at={at} />
            ))}
          </div>
        </>
      )}
      <h2>A real machine's free lists</h2>
      <DropZone onFiles={(files) => void take(files)}>
        <p>
          Drop /proc/buddyinfo, /proc/pagetypeinfo or anything that holds them. (A page_owner dump shows its map on the
          Census page.)
        </p>
      </DropZone>
      {lists.map((shown, i) => (
        <Answer key={`${i}`} shown={shown} name="free lists" />
      ))}
    </>
  );
}

function FilmView({ film, at }: { film: Film; at: number }): JSX.Element {
  const frame = film.frames[at];
  const map = useMemo((): PageMap | undefined => {
    if (frame === undefined) return undefined;
    const count = new Array<number>(pageClasses.length).fill(0);
    for (const c of frame.pages) count[c]!++;
    const width = 256;
    const height = Math.ceil(frame.pages.length / width);
    const cells = new Uint8Array(width * height);
    cells.set(frame.pages);
    return {
      width,
      height,
      firstPfn: film.firstPfn,
      pagesPerCell: 1,
      cells,
      legend: pageClasses
        .slice(1)
        .map((label, i) => ({ label, pages: count[i + 1] ?? 0, colour: colours[i] ?? "#000000" })),
    };
  }, [film, at]);
  if (frame === undefined || map === undefined) return <p class="empty">No picture.</p>;
  const top = frame.freeBlocks.length - 1;
  // The life of one page over the film, as changes only.
  const history = (pfn: number): string => {
    const parts: string[] = [];
    let last = -1;
    film.frames.slice(0, at + 1).forEach((f, i) => {
      const c = f.pages[pfn - film.firstPfn] ?? -1;
      if (c !== last) parts.push(`${i}: ${pageClasses[c] ?? "?"}`);
      last = c;
    });
    return `so far (picture: what) ${parts.slice(-6).join(", ")}`;
  };
  return (
    <div>
      <h2>{film.policy}</h2>
      <p>
        Blocks of order {top} that are whole and free: <strong>{formatNumber(frame.freeBlocks[top] ?? 0)}</strong>; free
        blocks by order: {frame.freeBlocks.join(" ")}
      </p>
      <MapView map={map} describe={history} />
      <button type="button" onClick={() => download(`${film.policy}-${at}.png`, "image/png", mapToPng(map))}>
        PNG
      </button>
    </div>
  );
}
