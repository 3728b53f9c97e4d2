// A flame graph of weighted stacks: callers above, width is pages; click or Enter zooms, Escape goes back. Of two dumps it is coloured by what grew
// (red) and what shrank (blue). Frames that every stack has are folded into one; the callers' view begins at the allocation.
import type { JSX } from "preact";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import type { WeightedStack } from "../../report/exports/stacks.ts";
import { formatNumber } from "../../report/text.ts";
import { PictureExports, standalone } from "./exports.tsx";

interface Node {
  readonly name: string;
  pages: number;
  /** Pages in the older dump. */
  before: number;
  readonly children: Map<string, Node>;
}

/** `inverted`: from the allocation outwards. */
function build(stacks: readonly WeightedStack[], older: readonly WeightedStack[], inverted: boolean): Node {
  const root: Node = { name: "all", pages: 0, before: 0, children: new Map() };
  const add = (s: WeightedStack, into: "pages" | "before"): void => {
    root[into] += s.pages;
    let node = root;
    for (const name of inverted ? s.frames : [...s.frames].reverse()) {
      let child = node.children.get(name);
      if (child === undefined) {
        child = { name, pages: 0, before: 0, children: new Map() };
        node.children.set(name, child);
      }
      child[into] += s.pages;
      node = child;
    }
  };
  for (const s of stacks) add(s, "pages");
  for (const s of older) add(s, "before");
  return folded(root);
}

/** Frames that every stack begins with tell nothing: they become one. */
function folded(root: Node): Node {
  const common: string[] = [];
  let node = root;
  for (let only = [...node.children.values()]; only.length === 1 && only[0]?.pages === root.pages; ) {
    node = only[0];
    common.push(node.name);
    only = [...node.children.values()];
  }
  if (common.length < 2) return root;
  const fold: Node = { ...node, name: `${common[0]} … ${common.at(-1)} (${common.length} frames that all have)` };
  return { ...root, children: new Map([[fold.name, fold]]) };
}

interface Box {
  readonly node: Node;
  readonly path: readonly string[];
  readonly x: number;
  readonly width: number;
  readonly depth: number;
}

function layout(root: Node, path: readonly string[]): Box[] {
  const boxes: Box[] = [];
  let top = root;
  path.forEach((name, depth) => {
    boxes.push({ node: top, path: path.slice(0, depth), x: 0, width: 1000, depth });
    top = top.children.get(name) ?? top;
  });
  const place = (node: Node, at: readonly string[], x: number, width: number, depth: number): void => {
    if (width < 0.6) return;
    boxes.push({ node, path: at, x, width, depth });
    let left = x;
    for (const child of [...node.children.values()].sort((a, b) => b.pages - a.pages)) {
      const w = (child.pages / node.pages) * width;
      place(child, [...at, child.name], left, w, depth + 1);
      left += w;
    }
  };
  place(top, path, 0, 1000, path.length);
  return boxes;
}

const rowHeight = 20;
/** Boxes put on the page at once: a graph of thousands comes in parts, a frame each, so that a key never waits for all of it. */
const boxesAtOnce = 250;

/** How many of `boxes` are on the page; more each frame. */
function useInParts(boxes: readonly Box[]): number {
  const [shown, setShown] = useState({ boxes, count: boxesAtOnce });
  const count = shown.boxes === boxes ? shown.count : boxesAtOnce;
  useEffect(() => {
    if (count >= boxes.length) return;
    const frame = requestAnimationFrame(() => setShown({ boxes, count: count + boxesAtOnce }));
    return () => cancelAnimationFrame(frame);
  }, [boxes, count]);
  return count;
}

export function FlameGraph({
  stacks,
  older = [],
  word = "",
  onPick,
}: {
  stacks: readonly WeightedStack[];
  /** Of the older dump, where two were given. */
  older?: readonly WeightedStack[];
  /** Frames that have it are lit; in lower case. */
  word?: string;
  onPick?: (name: string) => void;
}): JSX.Element {
  const [inverted, setInverted] = useState(false);
  const root = useMemo(() => build(stacks, older, inverted), [stacks, older, inverted]);
  const compared = older.length > 0;
  const [path, setPath] = useState<readonly string[]>([]);
  const boxes = useMemo(() => layout(root, path), [root, path]);
  const shown = useInParts(boxes);
  const svg = useRef<SVGSVGElement>(null);
  const height = (Math.max(0, ...boxes.map((b) => b.depth)) + 1) * rowHeight;
  const held = word === "" ? 0 : pagesWith(stacks, word);
  const says = `${formatNumber(root.pages)} pages; ${inverted ? "what was called stands above its callers" : "callers stand above what they called"}${compared ? "; red has grown, blue has shrunk" : ""}${word === "" ? "" : `; ${formatNumber(held)} (${((held / Math.max(1, root.pages)) * 100).toFixed(1)} %) have ${word}`}.`;
  return (
    <figure class="picture" onKeyDown={(e) => e.key === "Escape" && setPath([])}>
      <figcaption>
        <span>{says}</span>
        <label class="toggle">
          <input
            type="checkbox"
            checked={inverted}
            onChange={(e) => {
              setPath([]);
              setInverted(e.currentTarget.checked);
            }}
          />
          callers
        </label>
        {path.length > 0 ? (
          <button type="button" onClick={() => setPath([])}>
            Back to all
          </button>
        ) : null}
        <PictureExports
          title="flame graph"
          picture={() => (svg.current === null ? undefined : standalone(svg.current, says, 1000, height))}
        />
      </figcaption>
      <svg
        ref={svg}
        class="flame"
        viewBox={`0 0 1000 ${height}`}
        preserveAspectRatio="none"
        style={{ width: "100%", height: `${height}px` }}
        role="group"
        aria-label="Flame graph"
      >
        {boxes.slice(0, shown).map((b) => (
          <g
            key={b.path.join("\0")}
            role="button"
            tabIndex={b.width > 20 ? 0 : -1}
            aria-label={`${b.node.name}, ${formatNumber(b.node.pages)} pages`}
            style={{ cursor: "pointer" }}
            class={word !== "" && b.node.name.toLowerCase().includes(word) ? "lit" : undefined}
            onClick={() => {
              setPath(b.path);
              if (b.path.length > 0) onPick?.(b.node.name);
            }}
            onKeyDown={(e) => e.key === "Enter" && setPath(b.path)}
          >
            <title>{`${b.node.name}: ${formatNumber(b.node.pages)} pages, ${((b.node.pages / root.pages) * 100).toFixed(2)} %${compared ? `; ${formatNumber(b.node.before)} before` : ""}`}</title>
            <rect
              x={b.x}
              y={b.depth * rowHeight}
              width={Math.max(0.3, b.width - 0.4)}
              height={rowHeight - 1}
              fill={compared ? changeColour(b.node) : colour(b.node.name)}
            />
            {b.width > 30 ? (
              <svg x={b.x} y={b.depth * rowHeight} width={b.width - 1} height={rowHeight} overflow="hidden">
                <text x="2" y="14" style={{ fill: "#111", fontSize: "11px", pointerEvents: "none" }}>
                  {b.node.name}
                </text>
              </svg>
            ) : null}
          </g>
        ))}
      </svg>
    </figure>
  );
}

const pagesWith = (stacks: readonly WeightedStack[], word: string): number =>
  stacks.reduce((n, s) => n + (s.frames.some((f) => f.toLowerCase().includes(word)) ? s.pages : 0), 0);

/** The deeper the red the more of its pages are new; the deeper the blue the more went. */
function changeColour({ pages, before }: Node): string {
  const most = Math.max(pages, before, 1);
  const share = Math.min(1, Math.abs(pages - before) / most);
  if (share < 0.02) return "hsl(0 0% 85%)";
  return `hsl(${pages > before ? 8 : 215} 75% ${(92 - share * 30).toFixed(0)}%)`;
}

function colour(name: string): string {
  let h = 2166136261;
  for (let i = 0; i < name.length; i++) h = Math.imul(h ^ name.charCodeAt(i), 16777619);
  const v = (h >>> 0) % 1000;
  return `hsl(${20 + (v % 35)} 75% ${66 + (v % 14)}%)`;
}
