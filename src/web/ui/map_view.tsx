// Physical memory, a pixel a page, block by block where the map is tiled. At a size where a page has a point or more it is a square of whole points; where
// a point stands for several pages it shows what most of them are (analysis/map_levels.ts). + and -, or Ctrl and the wheel, zoom; drag or arrows pan;
// pointing (or the middle) says what is there; an entry of the legend isolates its kind.
import type { JSX } from "preact";
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import type { LevelledMap } from "../../analysis/map_levels.ts";
import type { TiledMap } from "../../analysis/map_tiles.ts";
import { fewPages, tileOfCell } from "../../analysis/map_tiles.ts";
import { formatNumber } from "../../report/text.ts";
import { ask } from "../tasks/client.ts";
import { download, slug } from "./download.ts";
import type { View } from "./map_paint.ts";
import { cellsPerPoint, paintMap, paletteOf, scaleOf, zoomedSpan } from "./map_paint.ts";
import { route, setQuery } from "./route.ts";

/** Pages that are not listed, or not part of what is shown. */
const blank = "#f4f4f4";
/** Wheel turns of this many units are one step. */
const wheelStep = 60;

/** Where maps of a size are looked at: kept in the address as `window=x,y,span`, or under another key (written when the hand rests), so that maps can share it. */
export function useMapWindow(width: number, key = "window"): readonly [View, (view: View) => void] {
  const whole = { x: 0, y: 0, span: width };
  const [view, setView] = useState<View>(() => readView(route.value.query[key]) ?? whole);
  const timer = useRef(0);
  useEffect(() => () => clearTimeout(timer.current), []);
  const change = (next: View): void => {
    setView(next);
    clearTimeout(timer.current);
    const isWhole = next.x === 0 && next.y === 0 && next.span === width;
    timer.current = window.setTimeout(
      () => setQuery({ [key]: isWhole ? undefined : [next.x, next.y, next.span].map((n) => n.toFixed(2)).join(",") }),
      300,
    );
  };
  return [view, change];
}

function readView(text: string | undefined): View | undefined {
  const [x, y, span] = (text ?? "").split(",").map(Number);
  return x === undefined || y === undefined || span === undefined || ![x, y, span].every(Number.isFinite) || span < 1
    ? undefined
    : { x, y, span };
}

export function MapView({
  map,
  name,
  window: [view, setFree],
  blockOrder = 9,
  blankMeans = "not listed",
  marked,
  tell,
  describe,
  onPick,
  word = "",
  onKind,
}: {
  map: LevelledMap & Partial<TiledMap>;
  /** What it is a map of, for screen readers and file names. */
  name: string;
  window: readonly [View, (view: View) => void];
  /** Order of the blocks that pages are said to lie in. */
  blockOrder?: number;
  /** What a page of no kind in the legend is. */
  blankMeans?: string;
  /** Pages to put a frame around. */
  marked?: { readonly first: number; readonly count: number } | undefined;
  /** What is said of a page, in place of its number and kind: for pictures that are no map of addresses. */
  tell?: (page: number) => string;
  /** More of the page that is pointed at; asked for one page at a time. */
  describe?: (pfn: number) => Promise<string>;
  /** Told when a page is chosen by click or Enter. */
  onPick?: (pfn: number) => void;
  /** The kind whose name has it is shown alone; in lower case. */
  word?: string;
  /** Told when a kind is chosen in the legend; "" for none any more. */
  onKind?: (label: string) => void;
}): JSX.Element {
  const canvas = useRef<HTMLCanvasElement>(null);
  const [pointed, point] = usePointed(describe);
  const [tip, setTip] = useState<{ readonly x: number; readonly y: number }>();
  const [size, setSize] = useState({ width: 0, height: 0 });
  const aspect = Math.min(1.1, Math.max(0.25, map.height / map.width));
  /** The kind that is shown alone: its number in the legend, from 1. */
  const [chosen, setChosen] = useState<number>();
  const named = word === "" ? -1 : map.legend.findIndex((l) => l.label.toLowerCase().includes(word));
  const only = named >= 0 ? named + 1 : chosen;
  const setOnly = (kind: number | undefined): void => {
    setChosen(kind);
    onKind?.(kind === undefined ? "" : (map.legend[kind - 1]?.label ?? ""));
  };
  const [nearly, setNearly] = useState(false);
  const palette = useMemo(() => isolated(paletteOf(map, blank), only), [map, only]);
  const scale = scaleOf(map, view.span, Math.max(1, size.width));
  /** Cells in a point's length. */
  const unit = cellsPerPoint(scale);
  /** The map can be moved so far that its edge comes to the middle, and no farther. */
  const setView = (to: View): void => {
    const k = cellsPerPoint(scaleOf(map, to.span, Math.max(1, size.width)));
    const [wide, high] = [(size.width * k) / 2, (size.height * k) / 2];
    const within = (v: number, half: number, all: number): number =>
      Math.min(Math.max(v, Math.min(0, -half + 1)), Math.max(0, all - half));
    setFree({ ...to, x: within(to.x, wide, map.width), y: within(to.y, high, map.height) });
  };

  // The canvas has as many points as the screen has for it, so that none is drawn twice as large and made small again.
  useEffect(() => {
    const element = canvas.current;
    if (element === null) return;
    const fit = new ResizeObserver(() => {
      const width = Math.max(256, Math.round(element.clientWidth * devicePixelRatio));
      setSize({ width, height: Math.round(width * aspect) });
    });
    fit.observe(element);
    return () => fit.disconnect();
  }, [aspect]);
  useLayoutEffect(() => {
    const element = canvas.current;
    if (element === null || size.width === 0) return;
    draw(element, size, map, view, palette, marked, nearly);
  }, [map, view, size, palette, marked?.first, marked?.count, nearly]);

  const cellAt = (e: {
    clientX: number;
    clientY: number;
    currentTarget: HTMLCanvasElement;
  }): { x: number; y: number } => {
    const box = e.currentTarget.getBoundingClientRect();
    return {
      x: view.x + ((e.clientX - box.left) / box.width) * size.width * unit,
      y: view.y + ((e.clientY - box.top) / box.height) * size.height * unit,
    };
  };
  const pfnAt = (x: number, y: number): number | undefined => {
    const cell = Math.floor(y) * map.width + Math.floor(x);
    if (x < 0 || y < 0 || x >= map.width || cell >= map.cells.length) return undefined;
    const at = map.tiling === undefined ? cell : tileOfCell(map.tiling, map.width, cell);
    return map.firstPfn + at * map.pagesPerCell;
  };
  const where = useRef<{ readonly x: number; readonly y: number } | undefined>(undefined);
  const say = (x: number, y: number): void => {
    where.current = { x, y };
    const pfn = pfnAt(x, y);
    if (pfn === undefined) {
      point(undefined);
      return;
    }
    if (tell !== undefined) {
      point({ pfn, text: tell(pfn) });
      return;
    }
    const value = map.cells[Math.floor(y) * map.width + Math.floor(x)] ?? 0;
    const what = value === 0 ? blankMeans : (map.legend[value - 1]?.label ?? "");
    point({
      pfn,
      text: `pfn ${pfn} (0x${pfn.toString(16)}), block ${Math.floor(pfn / 2 ** blockOrder)} of order ${blockOrder}: ${what}`,
    });
  };
  const zoom = (by: number, x: number, y: number): void => {
    const span = zoomedSpan(map, view.span, size.width, by);
    const k = cellsPerPoint(scaleOf(map, span, size.width)) / unit;
    setView({ x: x - (x - view.x) * k, y: y - (y - view.y) * k, span });
  };
  // Another picture under a pointer that rests: what is there now.
  useEffect(() => {
    if (where.current === undefined) return;
    point(undefined);
    say(where.current.x, where.current.y);
  }, [map]);
  const turned = useRef(0);
  const pick = (x: number, y: number): void => {
    const pfn = pfnAt(x, y);
    if (pfn !== undefined) onPick?.(pfn);
  };
  const drag = useRef<{ x: number; y: number; moved: boolean } | undefined>(undefined);
  const middle = { x: view.x + (size.width * unit) / 2, y: view.y + (size.height * unit) / 2 };
  const save = async (form: "png" | "svg"): Promise<void> => {
    const { width, height, firstPfn, pagesPerCell, cells, legend } = map;
    const file = await ask(
      "mapFile",
      { map: { width, height, firstPfn, pagesPerCell, cells, legend }, form },
      "Drawing",
    );
    download(`${slug(name)}.${form}`, form === "png" ? "image/png" : "image/svg+xml", file);
  };

  return (
    <figure>
      <canvas
        ref={canvas}
        class={view.span < map.width ? "map closer" : "map"}
        aria-busy={size.width === 0}
        width={size.width === 0 ? 1024 : size.width}
        height={size.width === 0 ? Math.round(1024 * aspect) : size.height}
        tabIndex={0}
        role="img"
        aria-label={`${name}: ${formatNumber(map.width * map.height)} cells of ${map.pagesPerCell} pages. Plus and minus zoom, arrows move, Home shows all${onPick === undefined ? "" : ", Enter asks about the page in the middle"}.`}
        onWheel={(e) => {
          // The wheel scrolls the page, as everywhere.
          if (!e.ctrlKey && !e.metaKey) return;
          e.preventDefault();
          const c = cellAt(e);
          turned.current += e.deltaMode === 0 ? e.deltaY : e.deltaY * wheelStep;
          const by = Math.trunc(turned.current / wheelStep);
          turned.current -= by * wheelStep;
          if (by !== 0) zoom(-Math.sign(by), c.x, c.y);
        }}
        onPointerDown={(e) => {
          e.currentTarget.setPointerCapture(e.pointerId);
          drag.current = { ...cellAt(e), moved: false };
        }}
        onPointerUp={(e) => {
          if (drag.current?.moved === false) {
            const c = cellAt(e);
            say(c.x, c.y);
            pick(c.x, c.y);
          }
          drag.current = undefined;
        }}
        // The finger scrolls the page: it drags nothing.
        onPointerCancel={() => {
          drag.current = undefined;
        }}
        onPointerLeave={() => setTip(undefined)}
        onPointerMove={(e) => {
          const c = cellAt(e);
          setTip({ x: e.clientX, y: e.clientY });
          if (drag.current === undefined) say(c.x, c.y);
          else {
            const [dx, dy] = [c.x - drag.current.x, c.y - drag.current.y];
            // A hand that trembles by less than a hundredth of the picture has not dragged.
            if (!drag.current.moved && Math.hypot(dx, dy) < (size.width * unit) / 100) return;
            drag.current.moved = true;
            setView({ ...view, x: view.x - dx, y: view.y - dy });
          }
        }}
        onKeyDown={(e) => {
          const step = (size.width * unit) / 8;
          const moves: Record<string, () => void> = {
            "+": () => zoom(1, middle.x, middle.y),
            "=": () => zoom(1, middle.x, middle.y),
            "-": () => zoom(-1, middle.x, middle.y),
            ArrowLeft: () => setView({ ...view, x: view.x - step }),
            ArrowRight: () => setView({ ...view, x: view.x + step }),
            ArrowUp: () => setView({ ...view, y: view.y - step }),
            ArrowDown: () => setView({ ...view, y: view.y + step }),
            Enter: () => pick(middle.x, middle.y),
            Home: () => setView({ x: 0, y: 0, span: map.width }),
          };
          const move = moves[e.key];
          // Not before the page has a size to draw in.
          if (move === undefined || size.width === 0) return;
          e.preventDefault();
          move();
          say(middle.x, middle.y);
        }}
      />
      <div class="tools">
        <button type="button" aria-label={`Zoom in: ${name}`} onClick={() => zoom(1, middle.x, middle.y)}>
          +
        </button>
        <button type="button" aria-label={`Zoom out: ${name}`} onClick={() => zoom(-1, middle.x, middle.y)}>
          −
        </button>
        <button type="button" aria-label={`Show all: ${name}`} onClick={() => setView({ x: 0, y: 0, span: map.width })}>
          all
        </button>
        <button type="button" aria-label={`PNG of ${name}`} onClick={() => void save("png")}>
          PNG
        </button>
        <button type="button" aria-label={`SVG of ${name}`} onClick={() => void save("svg")}>
          SVG
        </button>
      </div>
      {tip === undefined || pointed === "" ? null : (
        <div
          class="tip"
          aria-hidden="true"
          style={{
            left: `${Math.min(tip.x + 14, innerWidth - 300)}px`,
            top: `${Math.min(tip.y + 16, innerHeight - 90)}px`,
          }}
        >
          {pointed}
        </div>
      )}
      {map.nearlyFree === undefined || map.pagesPerCell > 1 ? null : (
        <label class="toggle">
          <input type="checkbox" checked={nearly} onChange={(e) => setNearly(e.currentTarget.checked)} />
          frame the {formatNumber(map.nearlyFree.length)}{" "}
          {map.nearlyFree.length === 1 ? "block that is" : "blocks that are"} free but for 1 to {fewPages} pages
        </label>
      )}
      <p class="pointed" aria-live="polite">
        {pointed === "" ? "Point at a page." : pointed}
      </p>
      <p class="scale">{scaleText(map, scale)}</p>
      <ul class="legend">
        {map.legend.map((l, i) => (
          <li key={l.label}>
            <button
              type="button"
              class="plain"
              aria-pressed={only === i + 1}
              title="Show this kind alone"
              onClick={() => setOnly(only === i + 1 ? undefined : i + 1)}
            >
              <svg viewBox="0 0 12 12" width="12" height="12" aria-hidden="true">
                <rect width="12" height="12" fill={l.colour} />
              </svg>{" "}
              {l.label}: {formatNumber(l.pages)}
            </button>
          </li>
        ))}
      </ul>
    </figure>
  );
}

/** What a point of the drawing stands for. */
function scaleText({ pagesPerCell }: LevelledMap, { points, shift }: { points: number; shift: number }): string {
  const cell = pagesPerCell === 1 ? "page" : `group of ${pagesPerCell} pages`;
  if (shift > 0) {
    const n = 2 ** shift;
    return `A pixel stands for ${n} by ${n} ${pagesPerCell === 1 ? "pages" : `groups of ${pagesPerCell} pages`} and shows what most of them are.`;
  }
  return points === 1 ? `A pixel is a ${cell}.` : `A ${cell} is ${points} by ${points} pixels.`;
}

/** What is pointed at, with what is found out about it; a pointer that has moved on is not told of where it was. */
function usePointed(
  describe: ((pfn: number) => Promise<string>) | undefined,
): readonly [string, (at: { pfn: number; text: string } | undefined) => void] {
  const [text, setText] = useState("");
  const latest = useRef<{ pfn: number; text: string } | undefined>(undefined);
  const busy = useRef(false);
  const more = async (): Promise<void> => {
    if (describe === undefined || busy.current) return;
    busy.current = true;
    for (let told = -1; latest.current !== undefined && latest.current.pfn !== told; ) {
      const at: { pfn: number; text: string } = latest.current;
      told = at.pfn;
      const found = await describe(at.pfn).catch(() => "");
      if (latest.current?.pfn === told && found !== "") setText(`${at.text}; ${found}`);
    }
    busy.current = false;
  };
  return [
    text,
    (at) => {
      if (at !== undefined && at.pfn === latest.current?.pfn && at.text === latest.current.text) return;
      latest.current = at;
      setText(at?.text ?? "");
      void more();
    },
  ];
}

const images = new WeakMap<HTMLCanvasElement, ImageData>();

/** A palette in which all other kinds fade. */
function isolated(palette: Uint32Array, only: number | undefined): Uint32Array {
  if (only === undefined) return palette;
  return palette.map((colour, kind) => {
    if (kind === only) return colour;
    const faded = (shift: number): number => (((colour >>> shift) & 255) * 0.15 + 240 * 0.85) << shift;
    return ((colour & 0xff000000) | faded(16) | faded(8) | faded(0)) >>> 0;
  });
}

function draw(
  canvas: HTMLCanvasElement,
  { width, height }: { width: number; height: number },
  map: LevelledMap & Partial<TiledMap>,
  view: View,
  palette: Uint32Array,
  marked: { readonly first: number; readonly count: number } | undefined,
  nearly: boolean,
): void {
  // Memory of the processor's, not of a graphics card: the points are written here.
  const context = canvas.getContext("2d", { willReadFrequently: true });
  if (context === null) return;
  let image = images.get(canvas);
  if (image === undefined || image.width !== width || image.height !== height) {
    image = new ImageData(width, height);
    images.set(canvas, image);
  }
  paintMap(map, view, palette, new Uint32Array(image.data.buffer), width);
  context.putImageData(image, 0, 0);
  const unit = cellsPerPoint(scaleOf(map, view.span, width));
  if (map.tiling !== undefined) frames(context, { width, height }, map as LevelledMap & TiledMap, view, unit);
  if (nearly && map.tiling !== undefined)
    for (const block of map.nearlyFree ?? []) {
      const box = boxOf(
        map,
        view,
        unit,
        block * (map.tiling.across * map.tiling.down),
        map.tiling.across * map.tiling.down,
      );
      if (box[0] + box[2] < 0 || box[1] + box[3] < 0 || box[0] > width || box[1] > height) continue;
      outline(context, box, [
        ["#000000", 3],
        ["#ffb000", 1.5],
      ]);
    }
  if (marked === undefined) return;
  const box = boxOf(map, view, unit, (marked.first - map.firstPfn) / map.pagesPerCell, marked.count / map.pagesPerCell);
  outline(
    context,
    [box[0] - 1, box[1] - 1, box[2] + 2, box[3] + 2],
    [
      ["#ffffff", 4],
      ["#000000", 2],
    ],
  );
}

type Box = readonly [x: number, y: number, width: number, height: number];

function outline(context: CanvasRenderingContext2D, box: Box, strokes: readonly (readonly [string, number])[]): void {
  for (const [colour, line] of strokes) {
    context.strokeStyle = colour;
    context.lineWidth = line;
    context.strokeRect(...box);
  }
}

/** Where `cells` cells from `first` on lie on the canvas: in a tiled map whole blocks or a part of one, else rows. */
function boxOf(map: LevelledMap & Partial<TiledMap>, view: View, unit: number, first: number, cells: number): Box {
  const { tiling, width } = map;
  if (tiling === undefined) {
    const [x, y] = [(first % width) - view.x, Math.floor(first / width) - view.y];
    return [x / unit, y / unit, Math.min(cells, width) / unit, Math.max(1, cells / width) / unit];
  }
  const size = tiling.across * tiling.down;
  const tile = Math.floor(first / size);
  const perRow = width / tiling.across;
  const within = first % size;
  const x = (tile % perRow) * tiling.across + (cells >= tiling.across ? 0 : within % tiling.across);
  const y = Math.floor(tile / perRow) * tiling.down + Math.floor(within / tiling.across);
  const wide = Math.min(cells, tiling.across) * Math.max(1, Math.min(perRow, cells / size));
  const high = Math.max(1, Math.min(tiling.down, cells / tiling.across));
  return [(x - view.x) / unit, (y - view.y) / unit, wide / unit, high / unit];
}

/** Blocks closer together than this have no frame. */
const frameLeast = 14;

function frames(
  context: CanvasRenderingContext2D,
  { width, height }: { width: number; height: number },
  { tiling, ...map }: LevelledMap & TiledMap,
  view: View,
  unit: number,
): void {
  const [w, h] = [tiling.across / unit, tiling.down / unit];
  if (Math.min(w, h) < frameLeast) return;
  context.fillStyle = "rgba(20, 25, 30, 0.55)";
  const right = Math.min(width, (map.width - view.x) / unit);
  const bottom = Math.min(height, (map.height - view.y) / unit);
  for (let x = -view.x / unit; x <= right + 0.5; x += w) if (x >= 0) context.fillRect(Math.round(x), 0, 1, bottom);
  for (let y = -view.y / unit; y <= bottom + 0.5; y += h) if (y >= 0) context.fillRect(0, Math.round(y), right, 1);
}
