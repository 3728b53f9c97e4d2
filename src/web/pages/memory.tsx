// Memory: the same load under several placement policies, side by side, a pixel a page; a time line to scrub. And a real machine's free lists.
import type { JSX } from "preact";
import { useEffect, useMemo, useState } from "preact/hooks";
import type { PageMap } from "../../analysis/page_map.ts";
import type { Document } from "../../report/document.ts";
import { formatNumber } from "../../report/text.ts";
import type { Film, FilmFrame } from "../../scenario/memory_film.ts";
import { filmDefaults, filmPolicies, pageClasses } from "../../scenario/memory_film.ts";
import { ask } from "../tasks/client.ts";
import type { Shown } from "../tasks/protocol.ts";
import { MapView, useMapWindow } from "../ui/map_view.tsx";
import { Answer, DropZone, ErrorBox } from "../ui/parts.tsx";
import { route, setQuery } from "../ui/route.ts";

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
  const by = Object.hasOwn(colourings, query.by ?? "") ? (query.by as string) : "what";
  const colouring = colourings[by]!;
  const seen = useMapWindow(mapWidth);
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
  useEffect(() => {
    if (query.run === "yes") void run();
  }, []);
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
          setQuery({ run: "yes" });
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
            <label>
              <span class="hidden">Colour by</span>
              <select value={by} onChange={(e) => setQuery({ by: e.currentTarget.value })}>
                {Object.entries(colourings).map(([id, c]) => (
                  <option key={id} value={id}>
                    {c.title}
                  </option>
                ))}
              </select>
            </label>
            <output for="moment">{films[0]?.frames[at]?.what}</output>
          </p>
          <div class="beside open">
            {films.map((film, i) => (
              <FilmView key={`${film.policy} ${i}`} film={film} at={at} colouring={colouring} window={seen} />
            ))}
          </div>
          <Answer
            shown={{
              document: filmDocument(films),
              json: {
                schema: "skblab.memory-film/1",
                films: films.map((f) => ({
                  policy: f.policy,
                  pictures: f.frames.map(({ what, freeBlocks }) => ({ what, freeBlocks })),
                })),
              },
            }}
            name="free blocks over the run"
          />
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

const sequence = ["#fde725", "#5ec962", "#21918c", "#3b528b", "#440154"];
const freeColour = "#d9d9d9";
const bootClass = pageClasses.length - 1;
const freeShades = ["#08306b", "#2171b5", "#6baed6", "#9ecae1", "#deebf7"];
const takenShades = ["#7f2704", "#d94801", "#fd8d3c", "#fdae6b", "#feedde"];
const orderBands = ["order 0", "orders 1 and 2", "orders 3 to 5", "orders 6 to 8", "order 9 and more"];
const bandOf = (order: number): number => (order === 0 ? 0 : order < 3 ? 1 : order < 6 ? 2 : order < 9 ? 3 : 4);
const ageBands = ["since the last picture", "1 to 3 pictures ago", "4 to 10", "11 to 30", "longer ago"];
const ageBandOf = (age: number): number => (age <= 0 ? 0 : age <= 3 ? 1 : age <= 10 ? 2 : age <= 30 ? 3 : 4);

interface Colouring {
  readonly title: string;
  readonly legend: readonly { readonly label: string; readonly colour: string }[];
  /** Index into the legend plus one; 0 leaves the page blank. */
  of(frame: FilmFrame, at: number, pfn: number): number;
}

const colourings: Readonly<Record<string, Colouring>> = {
  what: {
    title: "what it holds",
    legend: pageClasses.slice(1).map((label, i) => ({ label, colour: colours[i] ?? "#000000" })),
    of: (frame, _at, pfn) => frame.pages[pfn]!,
  },
  age: {
    title: "age",
    legend: [
      ...ageBands.map((label, i) => ({ label: `taken ${label}`, colour: sequence[i]! })),
      { label: "free", colour: freeColour },
    ],
    of: (frame, at, pfn) =>
      frame.pages[pfn] === 0
        ? ageBands.length + 1
        : frame.pages[pfn] === bootClass
          ? 0
          : 1 + ageBandOf(at - 1 - frame.born[pfn]!),
  },
  order: {
    title: "order of its block",
    legend: [
      ...orderBands.map((label, i) => ({ label: `taken, ${label}`, colour: takenShades[i]! })),
      ...orderBands.map((label, i) => ({ label: `free, ${label}`, colour: freeShades[i]! })),
    ],
    of: (frame, _at, pfn) =>
      frame.pages[pfn] === bootClass
        ? 0
        : 1 + bandOf(frame.orders[pfn]!) + (frame.pages[pfn] === 0 ? orderBands.length : 0),
  },
};

const mapWidth = 256;

function FilmView({
  film,
  at,
  colouring,
  window,
}: {
  film: Film;
  at: number;
  colouring: Colouring;
  window: ReturnType<typeof useMapWindow>;
}): JSX.Element {
  const frame = film.frames[at];
  const map = useMemo((): PageMap | undefined => {
    if (frame === undefined) return undefined;
    const height = Math.ceil(frame.pages.length / mapWidth);
    const cells = new Uint8Array(mapWidth * height);
    const count = new Array<number>(colouring.legend.length + 1).fill(0);
    for (let pfn = 0; pfn < frame.pages.length; pfn++) {
      const c = colouring.of(frame, at, pfn);
      cells[pfn] = c;
      count[c]!++;
    }
    return {
      width: mapWidth,
      height,
      firstPfn: film.firstPfn,
      pagesPerCell: 1,
      cells,
      legend: colouring.legend.map((l, i) => ({ ...l, pages: count[i + 1] ?? 0 })),
    };
  }, [film, at, colouring]);
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
    return `order ${frame.orders[pfn - film.firstPfn] ?? 0}; so far (picture: what) ${parts.slice(-6).join(", ")}`;
  };
  return (
    <div>
      <h2>{film.policy}</h2>
      <p>
        Blocks of order {top} that are whole and free: <strong>{formatNumber(frame.freeBlocks[top] ?? 0)}</strong>; free
        blocks by order: {frame.freeBlocks.join(" ")}
      </p>
      <MapView map={map} name={`Memory under ${film.policy}, picture ${at}`} window={window} describe={history} />
    </div>
  );
}

/** Whole blocks of the largest order that are free, over the film, for each policy. */
function filmDocument(films: readonly Film[]): Document {
  const top = (films[0]?.frames[0]?.freeBlocks.length ?? 1) - 1;
  const series = films.map((f, i) => ({
    name: films.some((g, k) => k !== i && g.policy === f.policy) ? `${f.policy} (${i + 1})` : f.policy,
    values: f.frames.map((x) => x.freeBlocks[top] ?? 0),
  }));
  return [
    {
      kind: "lines",
      title: `Free blocks of order ${top}`,
      xTitle: "picture",
      yTitle: "blocks",
      x: films[0]?.frames.map((_, i) => i) ?? [],
      series,
    },
    {
      kind: "table",
      title: "Free blocks by order, last pictures",
      columns: [
        { title: "policy", align: "left" },
        { title: "moment", align: "left" },
        ...Array.from({ length: top + 1 }, (_, o) => ({ title: `${o}`, align: "right" as const })),
      ],
      rows: films.flatMap((f) =>
        f.frames.slice(-3).map((x) => [f.policy, x.what, ...x.freeBlocks.map((b) => formatNumber(b))]),
      ),
    },
  ];
}
