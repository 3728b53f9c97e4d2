// Pictures out of a film: every moment of it as a map of pages, coloured by what is asked; what is known of one page and of its life; and the block
// around a page in the form that a real page_owner dump has, so that one analysis answers for both.
//
// A projector stands at one moment and winds forward by what happened; backward it starts from the nearest of a few moments it has kept.

import type { PageMap } from "../analysis/page_map.ts";
import type { Census } from "../analysis/page_owner/census.ts";
import { readOwnerStack } from "../artifact/page_owner/stack.ts";
import { assert } from "../base/assert.ts";
import type { Colouring } from "./film_settings.ts";
import type { Film, FilmPicture } from "./memory_film.ts";
import { filmBits, pageKinds } from "./memory_film.ts";

/** What is known of one page at a moment. */
export interface PageStory {
  readonly pfn: number;
  /** Number of its pageblock, and the migrate type noted for that. */
  readonly block: number;
  readonly blockType: string;
  readonly state: string;
  /** Order of the block it was taken in or lies free in. */
  readonly order: number;
  /** Innermost function first; empty when nobody in the film took it. */
  readonly stack: readonly string[];
  /** Process that took it; 0 for none. */
  readonly process: number;
  /** All that happened to it up to the moment, oldest first; `picture` is the one that shows it first. */
  readonly history: readonly { readonly picture: number; readonly text: string }[];
}

const states = [
  "free, on the lists of the buddy allocator",
  "free, on a CPU's own list",
  "taken, can be moved or reclaimed",
  "taken by the kernel, a slab cache that can shrink",
  "taken by the kernel, stays where it is",
] as const;
const [inBuddy, onCpu] = [1, 2];
/** State by kind of page. */
const stateOfKind = [5, 3, 4];
/** First letters of migrate types as a dump's census keeps them; the names of the patch of 2005 say the same as mainline's. */
const letters: Readonly<Record<string, string>> = {
  Unmovable: "U",
  KernNoRclm: "U",
  Movable: "M",
  UserRclm: "M",
  Reclaimable: "R",
  KernRclm: "R",
  HighAtomic: "H",
  Isolate: "I",
};
const letterOf = (name: string): number => letters[name]?.charCodeAt(0) ?? 0;

const grey = { buddy: "#e3e3e3", cpu: "#bdbdbd" } as const;
const typeColours: Readonly<Record<string, string>> = {
  Movable: "#e69f00",
  UserRclm: "#e69f00",
  Reclaimable: "#009e73",
  KernRclm: "#009e73",
  Unmovable: "#0072b2",
  KernNoRclm: "#0072b2",
  Reserve: "#cc79a7",
  Global: "#cc79a7",
  HighAtomic: "#d55e00",
  Isolate: "#56b4e9",
  Free: "#8c6d31",
};
const ownerColours = ["#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#f0e442", "#6a51a3"];
const otherColour = "#8c6d31";
const sequence = ["#fde725", "#5ec962", "#21918c", "#3b528b", "#440154"];
const freeShades = ["#08306b", "#2171b5", "#6baed6", "#9ecae1", "#deebf7"];
const takenShades = ["#7f2704", "#d94801", "#fd8d3c", "#fdae6b", "#feedde"];
const orderBands = ["order 0", "orders 1 and 2", "orders 3 to 5", "orders 6 to 8", "order 9 and more"];
const bandOf = (order: number): number => (order === 0 ? 0 : order < 3 ? 1 : order < 6 ? 2 : order < 9 ? 3 : 4);
const ageBands = ["since the last picture", "1 to 3 pictures ago", "4 to 10", "11 to 30", "longer ago"];
const ageLimits = [1, 4, 11, 31];

type Legend = readonly { readonly label: string; readonly colour: string }[];

/** The two kinds of free pages, last in a legend; `first` is the number of the former. */
const freeLegend: Legend = [
  { label: "free, on the free lists", colour: grey.buddy },
  { label: "free, on a CPU's own list", colour: grey.cpu },
];

/** Bytes that the moments kept for winding back may take. */
const keptBytesMax = 2 ** 27;
const notListed = 255;

/** A film that can be looked at in any order; looking back is dearer than going on. */
export interface Projector {
  readonly film: Film;
  /** One of the film's moments as a map. Throws RangeError where the film has no such moment. */
  map(at: number, by: Colouring): PageMap;
  /** What is known of a page at a moment. Costs a walk over the film. */
  story(at: number, pfn: number): PageStory;
  /** Who holds pages of the 2^order pages around one, as a dump of page_owner would list them. */
  censusOfBlock(at: number, pfn: number, order: number): Census;
}

export function createProjector(film: Film): Projector {
  const { pages, pfns, what, pictures } = film;
  const width = 2 ** Math.max(6, Math.ceil(Math.log2(Math.sqrt(pages))));
  const height = Math.ceil(pages / width);
  /** For each page the event that it took part in last, counted from 1; 0 for none. */
  const last = new Uint32Array(pages);
  /** What of that event; of pages without one: whether they were free when the load began. */
  const bits = new Uint32Array(pages);
  const free = new Uint8Array(pages);
  let freeOf = -1;
  let done = 0;
  const kept: { readonly events: number; readonly last: Uint32Array; readonly bits: Uint32Array }[] = [];
  const keepEvery = what.length / Math.min(8, Math.floor(keptBytesMax / (pages * 8)));

  /** True of pages that nothing happened to and that were not free at first: the boot's. */
  const atBoot = new Uint8Array(pages).fill(1);
  const first = pictures[0];
  assert(first !== undefined, () => "a film without a picture");
  for (const block of first.free) atBoot.fill(0, Math.floor(block / 16), Math.floor(block / 16) + 2 ** (block % 16));

  const wind = (events: number): void => {
    if (events < done) {
      const from = kept.findLast((k) => k.events <= events);
      done = from?.events ?? 0;
      if (from === undefined) {
        last.fill(0);
        bits.fill(0);
      } else {
        last.set(from.last);
        bits.set(from.bits);
      }
    }
    let next = (kept.length + 1) * keepEvery;
    for (let i = done; i < events; i++) {
      const w = what[i]!;
      const pfn = pfns[i]!;
      const order = w & filmBits.order;
      if (order === 0) {
        last[pfn] = i + 1;
        bits[pfn] = w;
      } else {
        last.fill(i + 1, pfn, pfn + 2 ** order);
        bits.fill(w, pfn, pfn + 2 ** order);
      }
      if (i + 1 >= next) {
        kept.push({ events: i + 1, last: last.slice(), bits: bits.slice() });
        next += keepEvery;
      }
    }
    done = events;
  };
  const show = (at: number): FilmPicture => {
    const picture = pictures[at];
    if (picture === undefined) throw new RangeError(`no picture ${at} in ${pictures.length}`);
    wind(picture.events);
    if (freeOf !== at) {
      free.fill(notListed);
      for (const block of picture.free) {
        const pfn = Math.floor(block / 16);
        free.fill(block % 16, pfn, pfn + 2 ** (block % 16));
      }
      freeOf = at;
    }
    return picture;
  };

  /** Number of a state in `states`, from 1; 0 for what was not to be had when the load began. */
  const stateOf = (pfn: number): number => {
    if (free[pfn] !== notListed) return inBuddy;
    const w = bits[pfn]!;
    if (last[pfn] === 0) return atBoot[pfn] === 1 ? 0 : onCpu;
    return (w & filmBits.taken) === 0 ? onCpu : stateOfKind[(w >> filmBits.kindShift) & 3]!;
  };

  /** Colours taken pages by a table over some of the bits, free ones as such. */
  const byTable = (table: Uint8Array, shift: number, mask: number, freeKind: number, cells: Uint8Array): void => {
    for (let pfn = 0; pfn < pages; pfn++) {
      const w = bits[pfn]!;
      if (free[pfn] !== notListed) cells[pfn] = freeKind;
      else if ((w & filmBits.taken) !== 0) cells[pfn] = table[(w >>> shift) & mask]!;
      else cells[pfn] = last[pfn] === 0 && atBoot[pfn] === 1 ? 0 : freeKind + 1;
    }
  };

  const kindLegend: Legend = pageKinds.map((label) => ({ label, colour: typeColours[label]! }));
  const blockLegend: Legend =
    film.typeNames.length === 1
      ? [{ label: "this policy keeps no types", colour: otherColour }]
      : film.typeNames.map((label) => ({ label, colour: typeColours[label] ?? otherColour }));
  const ranked = film.takers.map((id) => ({ id, name: film.callers[id] ?? "" }));
  const legends: Readonly<Record<Colouring, Legend>> = {
    type: [...kindLegend, ...freeLegend],
    block: blockLegend,
    owner: [
      ...ranked.map(({ name }, i) => ({
        label: name === "" ? "nobody in particular" : name,
        colour: ownerColours[i] ?? otherColour,
      })),
      ...freeLegend,
    ],
    order: [
      ...orderBands.map((label, i) => ({ label: `taken, ${label}`, colour: takenShades[i]! })),
      ...orderBands.map((label, i) => ({ label: `free, ${label}`, colour: freeShades[i]! })),
    ],
    state: states.map((label, i) => ({
      label,
      colour: [grey.buddy, grey.cpu, "#e69f00", "#009e73", "#0072b2"][i]!,
    })),
    age: [...ageBands.map((label, i) => ({ label: `taken ${label}`, colour: sequence[i]! })), ...freeLegend],
  };

  const paint: Readonly<Record<Colouring, (cells: Uint8Array, at: number, picture: FilmPicture) => void>> = {
    type(cells) {
      byTable(Uint8Array.of(1, 2, 3), filmBits.kindShift, 3, pageKinds.length + 1, cells);
    },
    owner(cells) {
      const table = new Uint8Array(256);
      ranked.forEach(({ id }, i) => {
        table[id] = i + 1;
      });
      byTable(table, filmBits.callerShift, 255, ranked.length + 1, cells);
    },
    block(cells, _at, { blockTypes }) {
      blockTypes.forEach((type, block) => {
        cells.fill(type + 1, block << film.blockOrder, Math.min(pages, (block + 1) << film.blockOrder));
      });
    },
    order(cells) {
      const bands = orderBands.length;
      const taken = Uint8Array.from({ length: 16 }, (_, order) => 1 + bandOf(order));
      byTable(taken, 0, filmBits.order, 0, cells);
      for (let pfn = 0; pfn < pages; pfn++) {
        const order = free[pfn]!;
        if (order !== notListed) cells[pfn] = bands + 1 + bandOf(order);
        // Pages on a CPU's own list lie there one by one, whatever they were before.
        else if (cells[pfn] === 1 && (bits[pfn]! & filmBits.taken) === 0) cells[pfn] = bands + 1;
      }
    },
    state(cells) {
      for (let pfn = 0; pfn < pages; pfn++) cells[pfn] = stateOf(pfn);
    },
    age(cells, at) {
      const limits = ageLimits.map((pictureAgo) => pictures[at - pictureAgo]?.events ?? -1);
      const [a, b, c, d] = limits as [number, number, number, number];
      for (let pfn = 0; pfn < pages; pfn++) {
        const event = last[pfn]! - 1;
        if (free[pfn] !== notListed) cells[pfn] = ageBands.length + 1;
        else if ((bits[pfn]! & filmBits.taken) !== 0)
          cells[pfn] = event >= a ? 1 : event >= b ? 2 : event >= c ? 3 : event >= d ? 4 : 5;
        else cells[pfn] = event < 0 && atBoot[pfn] === 1 ? 0 : ageBands.length + 2;
      }
    },
  };

  const eventText = (w: number): string => {
    const chain = film.callers[(w >>> filmBits.callerShift) & 255] ?? "";
    const process = w >>> filmBits.processShift;
    const who = `${process === 0 ? "" : ` by process ${process}`}${chain === "" ? "" : ` in ${chain}`}`;
    const order = (w & filmBits.order) === 0 ? "" : `, order ${w & filmBits.order}`;
    return `${(w & filmBits.taken) === 0 ? "given back" : "taken"}${who}${order}`;
  };
  const blockTypeAt = (picture: FilmPicture, pfn: number): string =>
    film.typeNames.length === 1 ? "" : (film.typeNames[picture.blockTypes[pfn >> film.blockOrder] ?? 0] ?? "");

  return {
    film,
    /** One of the film's moments as a map. */
    map(at: number, by: Colouring): PageMap {
      const picture = show(at);
      const cells = new Uint8Array(width * height);
      paint[by](cells, at, picture);
      const legend = legends[by];
      const count = new Float64Array(legend.length + 1);
      for (let pfn = 0; pfn < pages; pfn++) count[cells[pfn]!] = count[cells[pfn]!]! + 1;
      return {
        width,
        height,
        firstPfn: film.firstPfn,
        pagesPerCell: 1,
        cells,
        legend: legend.map((l, i) => ({ ...l, pages: count[i + 1]! })),
      };
    },
    /** What is known of a page at a moment. Costs a walk over the film. */
    story(at: number, pfn: number): PageStory {
      assert(pfn >= 0 && pfn < pages, () => `no page ${pfn} in a film of ${pages}`);
      const picture = show(at);
      const history: { picture: number; text: string }[] = [];
      let next = 0;
      for (let i = 0; i < picture.events; i++) {
        const head = pfns[i]!;
        if (pfn < head || pfn >= head + 2 ** (what[i]! & filmBits.order)) continue;
        while (next < at && pictures[next]!.events <= i) next++;
        history.push({ picture: next, text: eventText(what[i]!) });
      }
      const w = bits[pfn]!;
      const taken = (w & filmBits.taken) !== 0 && free[pfn] === notListed;
      const chain = taken ? (film.callers[(w >>> filmBits.callerShift) & 255] ?? "") : "";
      const state = stateOf(pfn);
      return {
        pfn,
        block: pfn >> film.blockOrder,
        blockType: blockTypeAt(picture, pfn),
        state: state === 0 ? "not available when the load began (the boot's)" : states[state - 1]!,
        order: free[pfn] !== notListed ? free[pfn]! : taken ? w & filmBits.order : 0,
        stack: chain === "" ? [] : chain.split(" < "),
        process: taken ? w >>> filmBits.processShift : 0,
        history,
      };
    },
    /** Who holds pages of the 2^order pages around one, as a dump of page_owner would list them. */
    censusOfBlock(at: number, pfn: number, order: number): Census {
      const picture = show(at);
      const from = Math.floor(pfn / 2 ** order) * 2 ** order;
      const places: { pfn: number; order: number; stack: number; types: number }[] = [];
      const blockType = letterOf(blockTypeAt(picture, from));
      for (let p = from; p < Math.min(pages, from + 2 ** order); ) {
        const w = bits[p]!;
        if (free[p] !== notListed || (w & filmBits.taken) === 0) {
          p++;
          continue;
        }
        const head = pfns[last[p]! - 1]!;
        const size = 2 ** (w & filmBits.order);
        const type = letterOf(pageKinds[(w >> filmBits.kindShift) & 3]!);
        places.push({
          pfn: head,
          order: w & filmBits.order,
          stack: (w >>> filmBits.callerShift) & 255,
          types: type | (blockType << 8),
        });
        p = head + size;
      }
      const stackTexts = film.callers.map((chain) =>
        chain
          .split(" < ")
          .map((f) => ` ${f}+0x0/0x0\n`)
          .join(""),
      );
      const text = (code: number): string => (code === 0 ? "" : String.fromCharCode(code));
      return {
        bytes: 0,
        records: places.length,
        pages: places.reduce((n, p) => n + 2 ** p.order, 0),
        rows: [...new Set(places.map((p) => p.stack))].map((stack) => {
          const of = places.filter((p) => p.stack === stack);
          return {
            stack,
            order: of[0]!.order,
            mask: 0,
            type: text(of[0]!.types & 255),
            blockType: text(blockType),
            comm: "",
            pid: 0,
            tgid: 0,
            allocator: 0,
            records: of.length,
            pages: of.reduce((n, p) => n + 2 ** p.order, 0),
          };
        }),
        stacks: stackTexts.map(readOwnerStack),
        stackTexts,
        notes: [],
        places: {
          count: places.length,
          pfn: Float64Array.from(places, (p) => p.pfn),
          order: Uint8Array.from(places, (p) => p.order),
          stack: Int32Array.from(places, (p) => p.stack),
          types: Uint16Array.from(places, (p) => p.types),
        },
      };
    },
  };
}
