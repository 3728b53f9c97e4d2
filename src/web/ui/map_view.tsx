// Physical memory, a pixel a cell: raw WebGL2 with one byte texture and the palette in the shader, so that 16 million cells redraw in a
// frame. Wheel or + and - zoom, drag or arrows pan, pointing (or the middle of the view) says what is there.
import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import type { PageMap } from "../../analysis/page_map.ts";
import { mapToPng, mapToSvg } from "../../analysis/page_map.ts";
import { inertLine } from "../../report/escape.ts";
import { formatNumber } from "../../report/text.ts";
import { download, slug } from "./download.ts";
import { route, setQuery } from "./route.ts";

const vertex = `#version 300 es
in vec2 corner; out vec2 at;
void main() { at = corner * 0.5 + 0.5; at.y = 1.0 - at.y; gl_Position = vec4(corner, 0, 1); }`;
const fragment = `#version 300 es
precision highp float; precision highp usampler2D;
uniform usampler2D cells; uniform vec4 view; uniform vec2 size; uniform vec4 palette[16];
in vec2 at; out vec4 colour;
void main() {
  vec2 p = view.xy + at * view.zw;
  if (p.x < 0.0 || p.y < 0.0 || p.x >= size.x || p.y >= size.y) { colour = vec4(0.5, 0.5, 0.5, 0.15); return; }
  uint v = texelFetch(cells, ivec2(p), 0).r;
  colour = palette[min(v, 15u)];
}`;

const xmlText = (text: string): string => inertLine(text).replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`);

/** Points of the drawing: more than these a processor that draws alone, without a graphics card, cannot do in a frame or two. */
const pointsMost = 600_000;

export interface View {
  readonly x: number;
  readonly y: number;
  /** Cells across the canvas. */
  readonly span: number;
}

/** Where maps of a size are looked at: kept in the address as `view=x,y,span` (written when the hand rests), so that maps can share it. */
export function useMapWindow(width: number): readonly [View, (view: View) => void] {
  const whole = { x: 0, y: 0, span: width };
  const [view, setView] = useState<View>(() => readView(route.value.query.window) ?? whole);
  const timer = useRef(0);
  useEffect(() => () => clearTimeout(timer.current), []);
  const change = (next: View): void => {
    setView(next);
    clearTimeout(timer.current);
    const isWhole = next.x === 0 && next.y === 0 && next.span === width;
    timer.current = window.setTimeout(
      () => setQuery({ window: isWhole ? undefined : [next.x, next.y, next.span].map((n) => n.toFixed(2)).join(",") }),
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
  window: [view, setView],
  describe,
  onPick,
}: {
  map: PageMap;
  /** What it is a map of, for screen readers and file names. */
  name: string;
  window: readonly [View, (view: View) => void];
  describe?: (pfn: number) => string;
  /** Told when a page is chosen by click or Enter. */
  onPick?: (pfn: number) => void;
}): JSX.Element {
  const canvas = useRef<HTMLCanvasElement>(null);
  const [pointed, setPointed] = useState<string>("");
  const [failed, setFailed] = useState<string>();
  const drawer = useRef<Drawer | undefined>(undefined);
  const now = useRef(view);
  now.current = view;
  const aspect = Math.min(1, Math.max(0.25, map.height / map.width));

  // One drawer for each size of map; another picture of the same size is only loaded into it.
  useEffect(() => {
    const element = canvas.current;
    const gl = element?.getContext("webgl2", { antialias: false, preserveDrawingBuffer: true });
    if (element === null || gl === null || gl === undefined) {
      setFailed("This browser offers no WebGL2; use the PNG export instead.");
      return;
    }
    drawer.current = createDrawer(gl, map);
  }, [map.width, map.height]);
  useEffect(() => {
    drawer.current?.load(map);
    drawer.current?.draw(view, aspect);
  }, [map]);
  useEffect(() => drawer.current?.draw(view, aspect), [view]);
  // As many points as the screen has for it, so that a cell is not drawn twice as large and then made small again.
  useEffect(() => {
    const element = canvas.current;
    if (element === null) return;
    const fit = new ResizeObserver(() => {
      const most = Math.floor(Math.sqrt(pointsMost / aspect));
      const width = Math.max(256, Math.min(most, Math.round(element.clientWidth * devicePixelRatio)));
      if (element.width === width) return;
      element.width = width;
      element.height = Math.round(width * aspect);
      drawer.current?.draw(now.current, aspect);
    });
    fit.observe(element);
    return () => fit.disconnect();
  }, [aspect]);

  const cellAt = (e: {
    clientX: number;
    clientY: number;
    currentTarget: HTMLCanvasElement;
  }): { x: number; y: number } => {
    const box = e.currentTarget.getBoundingClientRect();
    return {
      x: view.x + ((e.clientX - box.left) / box.width) * view.span,
      y: view.y + ((e.clientY - box.top) / box.height) * view.span * aspect,
    };
  };
  const pfnAt = (x: number, y: number): number | undefined => {
    const cell = Math.floor(y) * map.width + Math.floor(x);
    return x < 0 || y < 0 || x >= map.width || cell >= map.cells.length
      ? undefined
      : map.firstPfn + cell * map.pagesPerCell;
  };
  const say = (x: number, y: number): void => {
    const pfn = pfnAt(x, y);
    if (pfn === undefined) {
      setPointed("");
      return;
    }
    const value = map.cells[(pfn - map.firstPfn) / map.pagesPerCell] ?? 0;
    const what = value === 0 ? "not listed" : (map.legend[value - 1]?.label ?? "");
    setPointed(
      `pfn ${pfn} (0x${pfn.toString(16)}), block of order 9: ${Math.floor(pfn / 512)}: ${what}${describe === undefined ? "" : `; ${describe(pfn)}`}`,
    );
  };
  const zoom = (factor: number, x: number, y: number): void => {
    const span = Math.min(map.width * 1.5, Math.max(8, view.span * factor));
    const k = span / view.span;
    setView({ x: x - (x - view.x) * k, y: y - (y - view.y) * k, span });
  };
  const pick = (x: number, y: number): void => {
    const pfn = pfnAt(x, y);
    if (pfn !== undefined) onPick?.(pfn);
  };
  const drag = useRef<{ x: number; y: number; moved: boolean } | undefined>(undefined);
  const middle = { x: view.x + view.span / 2, y: view.y + (view.span * aspect) / 2 };

  if (failed !== undefined) return <p class="error">{failed}</p>;
  return (
    <figure>
      <canvas
        ref={canvas}
        class="map"
        width={1024}
        height={Math.round(1024 * aspect)}
        tabIndex={0}
        role="img"
        aria-label={`${name}: ${formatNumber(map.width * map.height)} cells of ${map.pagesPerCell} pages. Plus and minus zoom, arrows move, Home shows all${onPick === undefined ? "" : ", Enter asks about the page in the middle"}.`}
        onWheel={(e) => {
          e.preventDefault();
          const c = cellAt(e as unknown as MouseEvent & { currentTarget: HTMLCanvasElement });
          zoom(e.deltaY > 0 ? 1.25 : 0.8, c.x, c.y);
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
        onPointerMove={(e) => {
          const c = cellAt(e);
          if (drag.current === undefined) say(c.x, c.y);
          else {
            const [dx, dy] = [c.x - drag.current.x, c.y - drag.current.y];
            // A hand that trembles by less than a hundredth of the picture has not dragged.
            if (!drag.current.moved && Math.hypot(dx, dy) < view.span / 100) return;
            drag.current.moved = true;
            setView({ ...view, x: view.x - dx, y: view.y - dy });
          }
        }}
        onKeyDown={(e) => {
          const step = view.span / 8;
          const moves: Record<string, () => void> = {
            "+": () => zoom(0.8, middle.x, middle.y),
            "=": () => zoom(0.8, middle.x, middle.y),
            "-": () => zoom(1.25, middle.x, middle.y),
            ArrowLeft: () => setView({ ...view, x: view.x - step }),
            ArrowRight: () => setView({ ...view, x: view.x + step }),
            ArrowUp: () => setView({ ...view, y: view.y - step }),
            ArrowDown: () => setView({ ...view, y: view.y + step }),
            Enter: () => pick(middle.x, middle.y),
            Home: () => setView({ x: 0, y: 0, span: map.width }),
          };
          const move = moves[e.key];
          if (move === undefined) return;
          e.preventDefault();
          move();
          say(middle.x, middle.y);
        }}
      />
      <div class="tools">
        <button type="button" aria-label={`Zoom in: ${name}`} onClick={() => zoom(0.5, middle.x, middle.y)}>
          +
        </button>
        <button type="button" aria-label={`Zoom out: ${name}`} onClick={() => zoom(2, middle.x, middle.y)}>
          −
        </button>
        <button type="button" aria-label={`Show all: ${name}`} onClick={() => setView({ x: 0, y: 0, span: map.width })}>
          all
        </button>
        <button
          type="button"
          aria-label={`PNG of ${name}`}
          onClick={() => download(`${slug(name)}.png`, "image/png", mapToPng(map))}
        >
          PNG
        </button>
        <button
          type="button"
          aria-label={`SVG of ${name}`}
          onClick={() => download(`${slug(name)}.svg`, "image/svg+xml", mapToSvg(map, xmlText))}
        >
          SVG
        </button>
      </div>
      <p aria-live="polite">{pointed === "" ? "Point at a page." : pointed}</p>
      <ul class="legend">
        {map.legend.map((l) => (
          <li key={l.label}>
            <svg viewBox="0 0 12 12" width="12" height="12" aria-hidden="true">
              <rect width="12" height="12" fill={l.colour} />
            </svg>{" "}
            {l.label}: {formatNumber(l.pages)}
          </li>
        ))}
      </ul>
    </figure>
  );
}

interface Drawer {
  load(map: PageMap): void;
  draw(view: View, aspect: number): void;
}

function createDrawer(gl: WebGL2RenderingContext, map: PageMap): Drawer {
  const program = gl.createProgram();
  for (const [type, source] of [
    [gl.VERTEX_SHADER, vertex],
    [gl.FRAGMENT_SHADER, fragment],
  ] as const) {
    const shader = gl.createShader(type)!;
    gl.shaderSource(shader, source);
    gl.compileShader(shader);
    gl.attachShader(program, shader);
  }
  gl.linkProgram(program);
  gl.useProgram(program);
  const corners = gl.createBuffer();
  gl.bindBuffer(gl.ARRAY_BUFFER, corners);
  gl.bufferData(gl.ARRAY_BUFFER, new Float32Array([-1, -1, 1, -1, -1, 1, 1, 1]), gl.STATIC_DRAW);
  const corner = gl.getAttribLocation(program, "corner");
  gl.enableVertexAttribArray(corner);
  gl.vertexAttribPointer(corner, 2, gl.FLOAT, false, 0, 0);
  gl.bindTexture(gl.TEXTURE_2D, gl.createTexture());
  gl.pixelStorei(gl.UNPACK_ALIGNMENT, 1);
  gl.texStorage2D(gl.TEXTURE_2D, 1, gl.R8UI, map.width, map.height);
  gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, gl.NEAREST);
  gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MAG_FILTER, gl.NEAREST);
  gl.uniform2f(gl.getUniformLocation(program, "size"), map.width, map.height);
  const at = gl.getUniformLocation(program, "view");
  const colours = gl.getUniformLocation(program, "palette");
  return {
    load({ width, height, cells, legend }) {
      gl.texSubImage2D(gl.TEXTURE_2D, 0, 0, 0, width, height, gl.RED_INTEGER, gl.UNSIGNED_BYTE, cells);
      const palette = new Float32Array(64).fill(1);
      ["#e9e9e9", ...legend.map((l) => l.colour)].slice(0, 16).forEach((c, i) => {
        for (let k = 0; k < 3; k++) palette[i * 4 + k] = Number.parseInt(c.slice(1 + 2 * k, 3 + 2 * k), 16) / 255;
      });
      gl.uniform4fv(colours, palette);
    },
    draw(view, aspect) {
      gl.viewport(0, 0, gl.drawingBufferWidth, gl.drawingBufferHeight);
      gl.uniform4f(at, view.x, view.y, view.span, view.span * aspect);
      gl.drawArrays(gl.TRIANGLE_STRIP, 0, 4);
    },
  };
}
