// Physical memory, a pixel a cell: raw WebGL2 with one byte texture and the palette in the shader, so that 16 million cells redraw in a
// frame. Wheel or + and - zoom, drag or arrows pan, pointing (or the middle of the view) says what is there.
import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import type { PageMap } from "../../analysis/page_map.ts";
import { formatNumber } from "../../report/text.ts";

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

interface View {
  readonly x: number;
  readonly y: number;
  /** Cells across the canvas. */
  readonly span: number;
}

export function MapView({ map, describe }: { map: PageMap; describe?: (pfn: number) => string }): JSX.Element {
  const canvas = useRef<HTMLCanvasElement>(null);
  const [view, setView] = useState<View>({ x: 0, y: 0, span: map.width });
  const [pointed, setPointed] = useState<string>("");
  const [failed, setFailed] = useState<string>();
  const drawer = useRef<Drawer | undefined>(undefined);
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
  const say = (x: number, y: number): void => {
    const cell = Math.floor(y) * map.width + Math.floor(x);
    const value = x < 0 || x >= map.width ? undefined : map.cells[cell];
    if (value === undefined) {
      setPointed("");
      return;
    }
    const pfn = map.firstPfn + cell * map.pagesPerCell;
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
  const drag = useRef<{ x: number; y: number } | undefined>(undefined);
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
        aria-label={`Physical memory, ${formatNumber(map.width * map.height)} cells of ${map.pagesPerCell} pages. Plus and minus zoom, arrows move.`}
        onWheel={(e) => {
          e.preventDefault();
          const c = cellAt(e as unknown as MouseEvent & { currentTarget: HTMLCanvasElement });
          zoom(e.deltaY > 0 ? 1.25 : 0.8, c.x, c.y);
        }}
        onPointerDown={(e) => {
          e.currentTarget.setPointerCapture(e.pointerId);
          drag.current = cellAt(e);
        }}
        onPointerUp={() => {
          drag.current = undefined;
        }}
        onPointerMove={(e) => {
          const c = cellAt(e);
          if (drag.current === undefined) say(c.x, c.y);
          else setView({ ...view, x: view.x - (c.x - drag.current.x), y: view.y - (c.y - drag.current.y) });
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
            Home: () => setView({ x: 0, y: 0, span: map.width }),
          };
          const move = moves[e.key];
          if (move === undefined) return;
          e.preventDefault();
          move();
          say(middle.x, middle.y);
        }}
      />
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
