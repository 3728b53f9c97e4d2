// Memory: the same load under two placement policies, side by side and in step, a pixel a page; a time line to scrub; one page and its block. And a
// real machine's memory: who owns it out of a page_owner dump, and its free lists.
import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import type { Colouring, FilmSummary } from "../../lab/film_settings.ts";
import { colourings, filmDefaults, filmPolicies, filmSettings } from "../../lab/film_settings.ts";
import { filmDocument } from "../../report/memory_film.ts";
import { formatNumber } from "../../report/text.ts";
import { inputsOf } from "../store/case_file.ts";
import { useKept } from "../store/kept.ts";
import { ask } from "../tasks/client.ts";
import type { TiledLevels } from "../tasks/memory_task.ts";
import { useLatest } from "../ui/latest.ts";
import { LiveMachine, watched } from "../ui/live_machine.tsx";
import { MapView, useMapWindow } from "../ui/map_view.tsx";
import { Answer, Empty, ErrorBox } from "../ui/parts.tsx";
import { useRealMachine } from "../ui/real_machine.tsx";
import { route, setQuery, setView } from "../ui/route.ts";

export function MemoryPage(): JSX.Element {
  const { query } = route.value;
  const left = filmPolicies.find((p) => p === query.left) ?? "classic";
  const right = filmPolicies.find((p) => p === query.right) ?? "mobility";
  const memoryMb = Number(query.mb ?? filmDefaults.memoryMb);
  const seed = Number(query.seed ?? 1);
  const [films, setFilms] = useKept<readonly FilmSummary[] | undefined>("memory.films", undefined);
  const [error, setError] = useKept<unknown>("memory.film-error", undefined);

  const run = async (): Promise<void> => {
    setError(undefined);
    try {
      setFilms(await ask("film", filmSettings(memoryMb, seed, [left, right]), "Filming memory", { replaces: true }));
    } catch (e) {
      setFilms(undefined);
      setError(e);
    }
  };
  useEffect(() => {
    if (query.run === "yes" && films === undefined) void run();
  }, []);

  const real = useRealMachine(() => setQuery({ view: "real" }));
  const view = query.view ?? (inputsOf("memory").length > 0 || watched() ? "real" : "film");
  return (
    <>
      <h1>{view === "real" ? "This machine's memory" : "Memory under a load, policy beside policy"}</h1>
      <div class="tabs" role="group" aria-label="Which memory">
        <button type="button" aria-pressed={view === "film"} onClick={() => setView({ view: "film" })}>
          A model machine, filmed
        </button>
        <button type="button" aria-pressed={view === "real"} onClick={() => setView({ view: "real" })}>
          Your machine
        </button>
      </div>
      {view === "real" ? (
        <>
          <LiveMachine />
          {real()}
        </>
      ) : (
        <>
          <p>
            A compile-like load runs on a model machine: the same requests, in the same order, under two placement
            policies. What keeps large blocks from being free is where the pages lie that cannot be moved.
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
                max={16384}
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
          {films === undefined ? <Empty>Nothing has run yet.</Empty> : <Films films={films} />}
        </>
      )}
    </>
  );
}

function Films({ films }: { films: readonly FilmSummary[] }): JSX.Element {
  const { query } = route.value;
  const pictures = films[0]?.moments.length ?? 0;
  // It opens at the end: what the load left is the point.
  const asked = Math.round(Number(query.at ?? pictures - 1));
  const at = Math.max(0, Math.min(Number.isFinite(asked) ? asked : 0, pictures - 1));
  const [playing, setPlaying] = useState(false);
  useEffect(() => {
    if (!playing) return;
    const timer = setTimeout(() => {
      if (at >= pictures - 1) setPlaying(false);
      else setQuery({ at: String(at + 1) });
    }, 150);
    return () => clearTimeout(timer);
  }, [playing, at, pictures]);
  const by: Colouring = Object.hasOwn(colourings, query.by ?? "") ? (query.by as Colouring) : "type";
  const [maps, error] = useLatest(() => ask("filmMaps", { at, by }), [films, at, by]);
  return (
    <>
      <Curve films={films} at={at} onPick={(to) => setQuery({ at: String(to) })} />
      <div class="scrub">
        <button
          type="button"
          onClick={() => {
            if (!playing && at >= pictures - 1) setQuery({ at: "0" });
            setPlaying(!playing);
          }}
        >
          {playing ? "Pause" : "Play"}
        </button>
        <label for="moment">Moment</label>
        <input
          id="moment"
          type="range"
          min={0}
          max={pictures - 1}
          value={at}
          onInput={(e) => setQuery({ at: e.currentTarget.value })}
        />
        <label>
          Colour by{" "}
          <select value={by} onChange={(e) => setQuery({ by: e.currentTarget.value })}>
            {Object.entries(colourings).map(([id, title]) => (
              <option key={id} value={id}>
                {title}
              </option>
            ))}
          </select>
        </label>
        <output for="moment">{films[0]?.moments[at]?.what}</output>
      </div>
      <ErrorBox error={error} />
      {maps === undefined ? null : <FilmMaps key={maps[0]?.width} films={films} maps={maps} at={at} />}
      <Answer
        shown={{
          document: filmDocument(films),
          json: {
            schema: "skblab.memory-film/1",
            films: films.map((f) => ({ policy: f.policy, pictures: f.moments })),
          },
        }}
        name="free blocks over the run"
      />
    </>
  );
}

const curveWidth = 1000;
const curveHeight = 110;

/** Free blocks of the largest order over the run: the hand moves through time on it. The slider below does the same by keyboard. */
function Curve({
  films,
  at,
  onPick,
}: {
  films: readonly FilmSummary[];
  at: number;
  onPick: (at: number) => void;
}): JSX.Element {
  const pictures = films[0]?.moments.length ?? 1;
  const top = (films[0]?.moments[0]?.freeBlocks.length ?? 1) - 1;
  const rows = films.map((f) => f.moments.map((m) => m.freeBlocks[top] ?? 0));
  const most = Math.max(1, ...rows.flat());
  const x = (i: number): number => (i / Math.max(1, pictures - 1)) * curveWidth;
  const y = (v: number): number => 8 + (1 - v / most) * (curveHeight - 16);
  const pick = (e: { clientX: number; currentTarget: SVGSVGElement }): void => {
    const box = e.currentTarget.getBoundingClientRect();
    const to = Math.round(((e.clientX - box.left) / box.width) * (pictures - 1));
    onPick(Math.max(0, Math.min(pictures - 1, to)));
  };
  return (
    <figure class="curve">
      <figcaption>
        Free blocks of order {top} over the run:{" "}
        {films.map((f, i) => (
          <span key={`${f.policy} ${i}`} class={`curve-name curve-${i}`}>
            {f.policy} {rows[i]?.[at]}
          </span>
        ))}
      </figcaption>
      <svg
        class="drawn"
        viewBox={`0 0 ${curveWidth} ${curveHeight}`}
        preserveAspectRatio="none"
        aria-hidden="true"
        onPointerDown={(e) => {
          e.currentTarget.setPointerCapture(e.pointerId);
          pick(e);
        }}
        onPointerMove={(e) => e.buttons === 1 && pick(e)}
      >
        {rows.map((row, i) => (
          <path
            key={`${i}`}
            class={`curve-line curve-${i}`}
            d={row.map((v, k) => `${k === 0 ? "M" : "L"}${x(k).toFixed(1)} ${y(v).toFixed(1)}`).join("")}
          />
        ))}
        <line class="mark" x1={x(at)} x2={x(at)} y1="0" y2={curveHeight} />
      </svg>
    </figure>
  );
}

/** The maps side by side, zoomed and moved as one, and the page that was chosen on one of them. */
function FilmMaps({
  films,
  maps,
  at,
}: {
  films: readonly FilmSummary[];
  maps: readonly TiledLevels[];
  at: number;
}): JSX.Element {
  const { query } = route.value;
  const seen = useMapWindow(maps[0]?.width ?? 0);
  const [place, pfn] = [Number(query.of ?? 0), Number(query.page ?? Number.NaN)];
  const film = films[place];
  const chosen = film !== undefined && Number.isSafeInteger(pfn) && pfn >= 0 && pfn < film.pages;
  return (
    <>
      <p>Choose a page, by click or with Enter for the one in the middle, to see its life and what pins its block.</p>
      <div class="beside open">
        {films.map((f, i) => (
          <FilmView
            key={`${f.policy} ${i}`}
            film={f}
            at={at}
            map={maps[i]}
            window={seen}
            chosen={chosen && place === i ? pfn : undefined}
            place={i}
          />
        ))}
      </div>
      {chosen ? <ChosenPage films={films} place={place} at={at} pfn={pfn} /> : null}
    </>
  );
}

function FilmView({
  film,
  at,
  map,
  window,
  chosen,
  place,
}: {
  film: FilmSummary;
  at: number;
  map: TiledLevels | undefined;
  window: ReturnType<typeof useMapWindow>;
  /** Page whose block is framed. */
  chosen: number | undefined;
  /** Which of the films it is. */
  place: number;
}): JSX.Element {
  const moment = film.moments[at];
  if (moment === undefined || map === undefined) return <p class="empty">No picture.</p>;
  const top = moment.freeBlocks.length - 1;
  const size = 2 ** film.blockOrder;
  return (
    <div>
      <h2>{film.policy}</h2>
      <p>
        Blocks of order {top} that are whole and free: <strong>{formatNumber(moment.freeBlocks[top] ?? 0)}</strong>.
        Free blocks by order: {moment.freeBlocks.join(" ")}
      </p>
      <MapView
        map={map}
        name={`Memory under ${film.policy}, picture ${at}`}
        window={window}
        blockOrder={film.blockOrder}
        blankMeans="not available when the load began"
        marked={chosen === undefined ? undefined : { first: Math.floor(chosen / size) * size, count: size }}
        describe={(pfn) => pageInALine(place, at, pfn)}
        onPick={(pfn) => setQuery({ page: String(pfn), of: String(place) })}
      />
    </div>
  );
}

/** What is known of a page of a film; its whole life is shown when it is chosen. */
async function pageInALine(film: number, at: number, pfn: number): Promise<string> {
  const { order, blockType, stack, process, history } = await ask("filmPage", { film, at, pfn });
  const last = history.at(-1);
  return [
    `order ${order}`,
    ...(stack.length === 0 ? [] : [stack.join(" < ")]),
    ...(process === 0 ? [] : [`process ${process}`]),
    ...(blockType === "" ? [] : [`in a ${blockType} block`]),
    last === undefined
      ? "untouched so far"
      : `unchanged since picture ${last.picture}; change ${history.length} of its life`,
  ].join(", ");
}

/** A chosen page: what is known of it, and what pins its block. */
function ChosenPage({
  films,
  place,
  at,
  pfn,
}: {
  films: readonly FilmSummary[];
  place: number;
  at: number;
  pfn: number;
}): JSX.Element | null {
  const [shown, error] = useLatest(() => ask("filmChoice", { film: place, at, pfn }), [films, place, at, pfn]);
  if (error !== undefined) return <ErrorBox error={error} />;
  const names = [`page ${pfn}`, `block of page ${pfn}`].map((n) => `${n} under ${films[place]?.policy}`);
  return (
    <div class="beside open">
      {shown?.map((answer, i) => (
        <Answer key={names[i]} shown={answer} name={names[i] ?? ""} />
      ))}
    </div>
  );
}
