// A flame graph as one HTML file: drawn here as SVG, no request, a few lines of script to zoom and to search. Names are escaped.
import { escapeHtml } from "../escape.ts";
import type { WeightedStack } from "./stacks.ts";

interface Node {
  readonly name: string;
  pages: number;
  readonly children: Map<string, Node>;
}

const rowHeight = 18;
/** Narrower boxes (in thousandths of the width) are not drawn; the parent still shows their weight. */
const narrowest = 0.4;

export function toFlameHtml(stacks: readonly WeightedStack[], title: string, pageSize: number): string {
  const root: Node = { name: "all", pages: 0, children: new Map() };
  for (const s of stacks) {
    root.pages += s.pages;
    let node = root;
    for (let i = s.frames.length - 1; i >= 0; i--) {
      const name = s.frames[i] as string;
      let child = node.children.get(name);
      if (child === undefined) {
        child = { name, pages: 0, children: new Map() };
        node.children.set(name, child);
      }
      child.pages += s.pages;
      node = child;
    }
  }
  const boxes: string[] = [];
  let depthMax = 0;
  const draw = (node: Node, x: number, depth: number): void => {
    const width = (node.pages / Math.max(1, root.pages)) * 1000;
    if (width < narrowest) return;
    depthMax = Math.max(depthMax, depth);
    const share = ((node.pages / Math.max(1, root.pages)) * 100).toFixed(2);
    const tip = `${node.name}: ${node.pages} pages, ${mebibytes(node.pages * pageSize)} MiB, ${share} %`;
    const text =
      width > 12
        ? `<text x="${(x + 1).toFixed(2)}" y="${depth * rowHeight + 13}">${escapeHtml(node.name.slice(0, Math.floor(width / 6.2)))}</text>`
        : "";
    boxes.push(
      `<g tabindex="0" data-x="${x.toFixed(3)}" data-w="${width.toFixed(3)}" data-d="${depth}" data-n="${escapeHtml(node.name)}"><title>${escapeHtml(tip)}</title>` +
        `<rect x="${x.toFixed(3)}" y="${depth * rowHeight}" width="${Math.max(0.2, width - 0.15).toFixed(3)}" height="${rowHeight - 1}" fill="${colour(node.name)}"/>${text}</g>`,
    );
    let at = x;
    for (const child of [...node.children.values()].sort((a, b) => b.pages - a.pages || (a.name < b.name ? -1 : 1))) {
      draw(child, at, depth + 1);
      at += (child.pages / Math.max(1, root.pages)) * 1000;
    }
  };
  draw(root, 0, 0);
  const height = (depthMax + 1) * rowHeight;
  return `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'"><title>${escapeHtml(title)}</title><style>
:root{color-scheme:light dark}body{font:14px system-ui,sans-serif;margin:1rem}svg{width:100%;height:${height}px}text{font:11px ui-monospace,monospace;fill:#111;pointer-events:none}
g:hover rect,g:focus rect{stroke:#000;stroke-width:.6}g{outline:none;cursor:pointer}.off{opacity:.25}input{font:inherit}</style></head><body>
<h1>${escapeHtml(title)}</h1><p>${root.pages} pages, ${mebibytes(root.pages * pageSize)} MiB. Width is pages; callers stand above what they called. Click or press Enter to zoom, Escape to go back.
<label>Search <input id="q" type="search"></label></p>
<svg viewBox="0 0 1000 ${height}" preserveAspectRatio="none" role="img" aria-label="${escapeHtml(title)}">${boxes.join("")}</svg>
<script>(()=>{const D=document,gs=[...D.querySelectorAll("g")];const zoom=(x,w,d)=>{for(const g of gs){const gx=+g.dataset.x,gw=+g.dataset.w,gd=+g.dataset.d;const a=(gx-x)/w*1000,b=gw/w*1000;const up=gd<d&&gx<=x+1e-6&&gx+gw>=x+w-1e-6;const on=up||(gd>=d&&a>-1e-6&&a+b<1000.001);g.style.display=on?"":"none";if(!on)continue;const r=g.firstElementChild.nextElementSibling,t=r.nextElementSibling;const X=up?0:a,W=up?1000:b;r.setAttribute("x",X);r.setAttribute("width",Math.max(.2,W-.15));if(t){t.setAttribute("x",X+1);t.textContent=g.dataset.n.slice(0,Math.max(0,Math.floor(W/6.2)))}}};
for(const g of gs){const go=()=>zoom(+g.dataset.x,+g.dataset.w,+g.dataset.d);g.addEventListener("click",go);g.addEventListener("keydown",e=>{if(e.key==="Enter")go()})}
addEventListener("keydown",e=>{if(e.key==="Escape")zoom(0,1000,0)});const q=D.getElementById("q");q.addEventListener("input",()=>{for(const g of gs)g.classList.toggle("off",q.value!==""&&!g.dataset.n.toLowerCase().includes(q.value.toLowerCase()))})})()</script></body></html>
`;
}

function mebibytes(bytes: number): string {
  return (bytes / 1048576).toFixed(1);
}

// Warm colours by name, so that the same function looks the same everywhere.
function colour(name: string): string {
  let h = 2166136261;
  for (let i = 0; i < name.length; i++) h = Math.imul(h ^ name.charCodeAt(i), 16777619);
  const v = (h >>> 0) % 1000;
  return `hsl(${20 + (v % 35)} ${65 + (v % 20)}% ${62 + (v % 14)}%)`;
}
