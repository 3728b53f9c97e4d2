// Room: how many requests of an order would be granted now, one after the other and before anybody frees or reclaims a page, by the model's own
// watermark test of a release on the zones and free lists of a running machine (/proc/zoneinfo, buddyinfo, pagetypeinfo). The number to alert on:
// it reaches 0 before the first failure.

import { allocatorGfpAt } from "../kernel/facts/allocator_gfp.ts";
import { gfpCombination } from "../kernel/facts/gfp.ts";
import type { MigrateTypes } from "../kernel/facts/mm_types.ts";
import { migrateTypeFacts, migrateTypesOf } from "../kernel/facts/mm_types.ts";
import { watermarkGenerationOf } from "../kernel/facts/mm_watermark.ts";
import type { BuddyInfo } from "../kernel/readings/buddyinfo.ts";
import type { PageTypeInfo } from "../kernel/readings/pagetypeinfo.ts";
import type { ZoneInfo, ZoneInfoZone } from "../kernel/readings/zoneinfo.ts";
import { zoneProtection, zoneValue } from "../kernel/readings/zoneinfo.ts";
import type { Release } from "../kernel/release.ts";
import { factAt } from "../kernel/release.ts";
import { requestAtMin } from "../model/mm/rights.ts";
import type { OrderState, WatermarkRequest, ZoneState } from "../model/mm/watermark.ts";
import { watermarkAnswer } from "../model/mm/watermark.ts";
import { highestZoneOf, zoneTypesOf } from "./rebuild.ts";

/** Who asks: from an interrupt or under a lock; a task that may sleep, before it reclaims; a page of user space. */
export type RoomContext = "atomic" | "may wait" | "movable";

const maskNames: Readonly<Record<RoomContext, string>> = {
  atomic: "GFP_ATOMIC",
  "may wait": "GFP_KERNEL",
  movable: "GFP_HIGHUSER_MOVABLE",
};
export const roomContexts: readonly RoomContext[] = ["atomic", "may wait", "movable"];

/** One zone's room for one kind of request. */
export interface Room {
  readonly node: number;
  readonly zone: string;
  readonly order: number;
  readonly context: RoomContext;
  /** Requests that would be granted; undefined when the files do not say (`missing`). */
  readonly requests: number | undefined;
  /** Which file or line would have said it. */
  readonly missing?: string;
  /** The watermark alone refuses the next one; false: blocks of this order are what is missing first. */
  readonly short: boolean | undefined;
  /** Room is 0 because the zone is kept for requests that can use no other (lowmem_reserve): as it should be, and no trouble. */
  readonly kept?: true;
}

export interface LiveZone {
  readonly node: number;
  readonly name: string;
  readonly state: ZoneState;
  /** Pages of managed memory; 0 in an empty zone. */
  readonly managed: number;
  /** Free blocks by list, where pagetypeinfo says them: letter (U M E H C I R) and blocks[order]. */
  readonly lists: readonly { readonly letter: string; readonly blocks: readonly number[] }[] | undefined;
}

/** Zones of /proc/zoneinfo with their free lists. Without pagetypeinfo the letters of a list are known only where no list is a reserve. */
export function liveZones(
  zoneinfo: ZoneInfo,
  buddyinfo: BuddyInfo | undefined,
  types: PageTypeInfo | undefined,
): LiveZone[] {
  // What a release prints of one zone it prints of all: a zone that lacks it is cut there.
  const printed = [
    "boost",
    "nr_free_highatomic",
    "free_highatomic",
    "reserved_highatomic",
    "nr_free_cma",
    "managed",
  ].filter((name) => zoneinfo.zones.some((z) => zoneValue(z, name) !== undefined));
  return zoneinfo.zones.flatMap((z): LiveZone[] => {
    // Of a zone without memory the counters are left out.
    const empty = (zoneValue(z, "managed") ?? zoneValue(z, "present")) === 0;
    if (!empty && printed.some((name) => zoneValue(z, name) === undefined)) return [];
    const value = (name: string): number | undefined => zoneValue(z, name);
    const [free, min, low, high] = [freeOf(z), value("min"), value("low"), value("high")];
    const lists = buddyinfo?.zones.find((b) => b.node === z.node && b.zone === z.zone)?.free;
    const rows = types?.free.filter((r) => r.node === z.node && r.zone === z.zone) ?? [];
    const managed = value("managed") ?? value("present");
    if (free === undefined || min === undefined || low === undefined || high === undefined || managed === undefined)
      return [];
    const boost = value("boost") ?? 0;
    const reserved = value("nr_free_highatomic") ?? value("free_highatomic") ?? value("reserved_highatomic") ?? 0;
    const freeCma = value("nr_free_cma") ?? 0;
    const state: ZoneState = {
      free,
      // zoneinfo prints min_wmark_pages() and its like, in which a boost is contained (mm/vmstat.c, 5.0 and later).
      min,
      low,
      high,
      boost,
      lowmemReserve: zoneProtection(z),
      orders: lists?.map((blocks, order) => ({
        blocks,
        letters: lettersOf(rows, order, blocks, reserved === 0 && freeCma === 0),
      })),
      freeCma,
      reservedHighatomic: reserved,
    };
    return [
      {
        node: z.node,
        name: z.zone,
        state,
        managed,
        lists: listsOf(rows),
      },
    ];
  });
}

/** NR_FREE_PAGES; `pages free` is the same counter. */
const freeOf = (z: ZoneInfoZone): number | undefined => zoneValue(z, "nr_free_pages") ?? zoneValue(z, "free");

const letterOf: Readonly<Record<string, string>> = {
  Unmovable: "U",
  Movable: "M",
  Reclaimable: "E",
  HighAtomic: "H",
  CMA: "C",
  Isolate: "I",
  Reserve: "R",
};

type Rows = PageTypeInfo["free"];

function listsOf(rows: Rows): LiveZone["lists"] {
  if (rows.length === 0) return undefined;
  return rows.map((r) => ({ letter: letterOf[r.type] ?? "?", blocks: r.free.map((f) => f.blocks) }));
}

/** Letters of the lists that hold a block of this order, as show_free_areas() prints them; undefined when nothing says it. */
function lettersOf(rows: Rows, order: number, blocks: number, open: boolean): string | undefined {
  if (blocks === 0) return "";
  let letters = "";
  for (const r of rows) if ((r.free[order]?.blocks ?? -1) > 0) letters += letterOf[r.type] ?? "";
  if (letters !== "") return letters;
  return open ? "U" : undefined;
}

/** Room of every populated zone for each order and context. `orders` 0 to orders - 1. */
export function roomOf(release: Release, zones: readonly LiveZone[], orders: number): Room[] {
  const bits = allocatorGfpAt(release.version);
  if (bits === undefined) return [];
  const generation = watermarkGenerationOf(release);
  const hasCma = zones.some(
    (z) => z.state.freeCma > 0 || z.state.orders?.some((o) => o.letters?.includes("C") === true) === true,
  );
  const types: MigrateTypes = migrateTypesOf(factAt(migrateTypeFacts, release.version)?.value ?? "2.6.24", hasCma);
  const names = zoneTypesOf(
    { zones: zones.map((z) => ({ name: z.name, lowmemReserve: z.state.lowmemReserve })) },
    release.arch,
  );
  // What a request may do is the same in every zone.
  const asked = roomContexts.flatMap((context) => {
    const mask = gfpCombination(maskNames[context], release.version);
    if (mask === undefined) return [];
    const highest = highestZoneOf(mask, bits, names);
    return Array.from({ length: orders }, (_, order) => ({
      context,
      order,
      highest,
      request: requestAtMin({ gfp: bits, types, generation }, mask, order, highest),
    }));
  });
  return zones.flatMap((z) =>
    z.managed === 0
      ? []
      : asked.flatMap(({ context, order, highest, request }): Room[] => {
          if (names.indexOf(z.name) > highest) return [];
          const ask = (s: ZoneState): Answer => watermarkAnswer(generation, s, request);
          const grants = grantsOf(z.state, order, supplyOf(z, request), ask);
          const kept =
            grants.requests === 0 &&
            ask({ ...z.state, lowmemReserve: z.state.lowmemReserve?.map(() => 0) }).ok === true;
          return [{ ...(kept ? { kept } : {}), node: z.node, zone: z.name, order, context, ...grants }];
        }),
  );
}

/** Blocks of the wanted order that the lists open to a request can be split into: the reserves' lists count only for who may use them. */
function supplyOf(z: LiveZone, request: WatermarkRequest): number {
  const { order, highatomic, oom, cma } = request;
  const open = (letter: string): boolean =>
    letter === "H" ? highatomic || oom : letter === "C" ? cma : letter !== "I";
  const blocks = (o: number): number =>
    z.lists === undefined
      ? (z.state.orders?.[o]?.blocks ?? 0)
      : z.lists.reduce((n, l) => n + (open(l.letter) ? (l.blocks[o] ?? 0) : 0), 0);
  let supply = 0;
  for (let o = order; o < (z.state.orders?.length ?? 0); o++) supply += blocks(o) * 2 ** (o - order);
  return supply;
}

interface Answer {
  readonly ok: boolean | undefined;
  readonly missing?: string;
  /** How far the limit of its first comparison is, in pages. */
  readonly spare?: number;
}

/** How often the test says yes when every grant takes the smallest block that is large enough, as the buddy allocator does. */
export function grantsOf(
  zone: ZoneState,
  order: number,
  supply: number,
  ask: (zone: ZoneState) => Answer,
): Pick<Room, "requests" | "short" | "missing"> {
  const orders = zone.orders;
  if (orders === undefined) return { requests: undefined, short: undefined, missing: "/proc/buddyinfo" };
  const first = ask(zone);
  if (first.ok === undefined) return { requests: undefined, short: undefined, missing: first.missing ?? "" };
  // The test only gets harder as pages go, so the first refusal is found by halving.
  let granted = first.ok ? 1 : 0;
  let refused = first.ok ? supply + 1 : 0;
  if (granted > supply) return { requests: 0, short: false };
  // Mostly it is blocks that run out: then the last of them is granted too, and there is nothing to look for.
  if (granted === 1 && ask(after(zone, orders, order, supply - 1)).ok === true)
    return { requests: supply, short: false };
  // Else the number that the first comparison lets expect is tried, and one more; what that does not settle is found by halving.
  const expected = Math.ceil((first.spare ?? 0) / 2 ** order);
  const tries = [expected + 1, expected];
  while (granted + 1 < refused) {
    let next = tries.pop();
    if (next === undefined || next <= granted || next >= refused) next = Math.floor((granted + refused) / 2);
    if (ask(after(zone, orders, order, next - 1)).ok === true) granted = next;
    else refused = next;
  }
  const requests = Math.min(granted, supply);
  return { requests, short: requests < supply };
}

/** The zone after `taken` grants of an order. */
function after(zone: ZoneState, orders: readonly OrderState[], order: number, taken: number): ZoneState {
  const left = [...orders];
  let want = taken;
  for (let o = order; o < left.length && want > 0; o++) {
    const { blocks, letters } = left[o]!;
    const used = Math.min(blocks, want);
    want -= used;
    // Blocks of the next order are split in two; what an odd request leaves over stays on this list.
    const odd = want % 2;
    const rest = blocks - used + odd;
    if (rest !== blocks)
      left[o] = {
        blocks: rest,
        letters:
          rest === 0
            ? ""
            : odd === 1 && letters === ""
              ? left.slice(o + 1).find((a) => a.letters !== "")?.letters
              : letters,
      };
    want = (want + odd) / 2;
  }
  return { ...zone, free: zone.free - taken * 2 ** order, orders: left };
}
