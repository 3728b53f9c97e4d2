// The live map of a machine in words, and as the file that the page draws: what each page is, as runs of equal cells.
import type { PageMap } from "../analysis/page_map.ts";
import { BadInput } from "../base/bad_input.ts";
import type { LiveMap } from "../live/page_map.ts";
import { fewPages, pageKinds } from "../live/page_map.ts";
import type { PinOwners } from "../live/pin_owners.ts";
import type { Document, Text } from "./document.ts";
import { facts, paragraph, span, table } from "./document.ts";
import { formatNumber } from "./text.ts";

/** Told apart by colour-blind eyes: Okabe and Ito's palette and mixes of it. By number in `pageKinds`, from 1. */
const colours = [
  "#009e73",
  "#0072b2",
  "#56b4e9",
  "#6a51a3",
  "#f0e442",
  "#e69f00",
  "#8c6d31",
  "#cc79a7",
  "#d55e00",
  "#7b4173",
  "#999999",
  "#000000",
];

/** What reading the map took. */
export interface MapCost {
  readonly seconds: number;
  readonly cpuSeconds: number;
  /** Entries read, of both files. */
  readonly entries: number;
}

export interface MapAround {
  readonly cost: MapCost;
  readonly owners?: PinOwners | undefined;
  /** Present but not managed, from /proc/zoneinfo. */
  readonly unmanagedPages?: number | undefined;
}

const share = (part: number, whole: number): string => `${((100 * part) / Math.max(1, whole)).toFixed(1)} %`;

/** Pages by kind, blocks by what stands in their way, and what the map cost to read. */
export function liveMapDocument(map: LiveMap, { cost, owners, unmanagedPages }: MapAround): Document {
  const present = map.pages.reduce((sum, n, kind) => (kind === 0 ? sum : sum + n), 0);
  const { blocks } = map;
  const kindRows = pageKinds
    .map((k, i) => ({ name: k.name, movable: k.movable, n: map.pages[i] ?? 0 }))
    .slice(1)
    .filter((k) => k.n > 0)
    .map((k): Text[] => [k.name, formatNumber(k.n), share(k.n, present), k.movable ? "" : "stays where it is"]);
  const size = 2 ** blocks.order;
  const blockRows: [string, number][] = [
    ["free as one block", blocks.free],
    ["free and movable pages only", blocks.clear],
    ...blocks.pinned.map(({ pages, blocks: n }, i): [string, number] => {
      const from = (blocks.pinned[i - 1]?.pages ?? 0) + 1;
      return [from === pages ? `${pages} page that stays` : `${from} to ${pages} pages that stay`, n];
    }),
    ["pages that stay only", blocks.fixed],
  ];
  return [
    table(["pages", ">number", ">share", ""], kindRows, `Live map: ${formatNumber(present)} pages`),
    table(
      [`blocks of ${size} pages (order ${blocks.order})`, ">number", ">share"],
      blockRows.map(([what, n]): Text[] => [what, formatNumber(n), share(n, blocks.all)]),
    ),
    ...(owners === undefined ? [] : ownersText(owners)),
    facts([
      [
        "read",
        `${formatNumber(cost.entries)} entries of ${map.counted ? "kpageflags and kpagecount" : "kpageflags"} in ${cost.seconds.toFixed(1)} s, ${cost.cpuSeconds.toFixed(2)} s of one CPU at nice 19`,
      ],
      ...(map.largeFolioPages === 0
        ? []
        : [["large folios", `${formatNumber(map.largeFolioPages)} pages on the LRU lists`] as [string, Text]]),
    ]),
    ...remarks(map, unmanagedPages).map((text) => paragraph([span(text, "dim")])),
  ];
}

function ownersText({ owners, unlisted }: PinOwners): Document {
  if (owners.length === 0) return [];
  return [
    table(
      ["owner (page_owner)", ">blocks", ">pages"],
      owners.map((o): Text[] => [o.label, formatNumber(o.blocks), formatNumber(o.pages)]),
      `Who pins blocks with at most ${fewPages} pages`,
    ),
    ...(unlisted === 0 ? [] : [paragraph(`${formatNumber(unlisted)} pinning pages are not in page_owner's list.`)]),
  ];
}

function remarks(map: LiveMap, unmanaged: number | undefined): string[] {
  const has = (name: string): boolean => (map.pages[pageKinds.findIndex((k) => k.name === name)] ?? 0) > 0;
  return [
    ...(has("kernel, no flag")
      ? [
          `Pages without a flag are the kernel's own outside of slabs (buffers of drivers, packet pages, vmalloc, stacks), or were never given to the allocator${unmanaged === undefined || unmanaged === 0 ? "" : ` (${formatNumber(unmanaged)} pages are present and not managed, reserved ones among them)`}: kpageflags does not tell which.`,
        ]
      : []),
    ...(has("pinned candidate")
      ? [
          "A pinned candidate is an anonymous page that no process maps: somebody holds a reference, or it is about to be freed.",
        ]
      : []),
    ...(map.counted ? [] : ["/proc/kpagecount could not be read: pinned candidates are not told apart."]),
    ...(map.tailsOfFreeFlagged
      ? []
      : [
          "This kernel flags only the first page of a free block: the others stand under pages without a flag, and blocks that are free are counted among those that are not.",
        ]),
  ];
}

/** A map as a file: `skblab.live-map/1`. */
export interface LiveMapFile {
  readonly schema: "skblab.live-map/1";
  readonly frames: number;
  readonly framesPerCell: number;
  readonly legend: readonly { readonly label: string; readonly colour: string; readonly pages: number }[];
  readonly blocks: LiveMap["blocks"];
  /** Base64 of runs: a byte with the kind (0 no page, else legend[kind - 1]), then the number of cells in bytes of 7 bits, the lowest first. */
  readonly runs: string;
}

export function liveMapFile(map: LiveMap): LiveMapFile {
  return {
    schema: "skblab.live-map/1",
    frames: map.frames,
    framesPerCell: map.framesPerCell,
    legend: colours.map((colour, i) => ({
      label: pageKinds[i + 1]?.name ?? "",
      colour,
      pages: map.pages[i + 1] ?? 0,
    })),
    blocks: map.blocks,
    runs: toBase64(runsOf(map.cells)),
  };
}

function runsOf(cells: Uint8Array): Uint8Array {
  let out = new Uint8Array(4096);
  let at = 0;
  for (let i = 0; i < cells.length; ) {
    const kind = cells[i]!;
    let to = i + 1;
    while (to < cells.length && cells[to] === kind) to++;
    if (at + 8 > out.length) {
      const larger = new Uint8Array(out.length * 2);
      larger.set(out);
      out = larger;
    }
    out[at++] = kind;
    for (let n = to - i; ; n = Math.floor(n / 128)) {
      out[at++] = n < 128 ? n : (n % 128) + 128;
      if (n < 128) break;
    }
    i = to;
  }
  return out.subarray(0, at);
}

/** Cells that a file may have: the widest map that is drawn. */
const mostCells = 64_000_000;

/** The map of a file of that form; BadInput when it is none, or says more than it carries. */
export function pageMapOf(file: unknown, name: string): PageMap {
  const bad = (what: string): BadInput => new BadInput(`It is not a live map: ${what}.`, { file: name });
  const f = file as Partial<LiveMapFile> | null;
  if (typeof f !== "object" || f === null || f.schema !== "skblab.live-map/1")
    throw bad("skblab.live-map/1 is missing");
  const { frames, framesPerCell = 0, legend, runs } = f;
  if (!Number.isSafeInteger(frames) || !Number.isSafeInteger(framesPerCell) || framesPerCell < 1)
    throw bad("frames and framesPerCell must be whole numbers");
  const count = Math.ceil((frames as number) / framesPerCell);
  if (count < 1 || count > mostCells) throw bad(`it would have ${count} cells`);
  if (!Array.isArray(legend) || legend.length > 255 || typeof runs !== "string")
    throw bad("legend or runs are missing");
  for (const l of legend)
    if (typeof l?.label !== "string" || !/^#[0-9a-f]{6}$/.test(String(l.colour)) || !Number.isFinite(l.pages))
      throw bad("a row of its legend is invalid");
  const width = Math.max(64, 2 ** Math.round(Math.log2(Math.sqrt(count) * 1.4)));
  const height = Math.ceil(count / width);
  const cells = new Uint8Array(width * height);
  const bytes = fromBase64(runs);
  if (bytes === undefined) throw bad("its runs are not Base64");
  let cell = 0;
  for (let at = 0; at < bytes.length; ) {
    const kind = bytes[at++]!;
    let length = 0;
    for (let scale = 1; ; scale *= 128) {
      const b = bytes[at++];
      if (b === undefined || scale > 2 ** 35) throw bad("its last run is cut");
      length += (b & 127) * scale;
      if (b < 128) break;
    }
    if (kind > legend.length || cell + length > count) throw bad(`run at byte ${at} leaves the map`);
    cells.fill(kind, cell, cell + length);
    cell += length;
  }
  if (cell !== count) throw bad(`its runs end at cell ${cell} of ${count}`);
  return { width, height, firstPfn: 0, pagesPerCell: framesPerCell, cells, legend };
}

function toBase64(bytes: Uint8Array): string {
  const parts: string[] = [];
  // A multiple of 3, so that no part but the last is padded.
  for (let at = 0; at < bytes.length; at += 24_576)
    parts.push(btoa(String.fromCharCode(...bytes.subarray(at, at + 24_576))));
  return parts.join("");
}

function fromBase64(text: string): Uint8Array | undefined {
  try {
    const raw = atob(text);
    const bytes = new Uint8Array(raw.length);
    for (let i = 0; i < raw.length; i++) bytes[i] = raw.charCodeAt(i);
    return bytes;
  } catch {
    return undefined;
  }
}
