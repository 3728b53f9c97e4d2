// A machine whose memory is laid out as a report prints it: the free lists and marks of each zone as they stood, cache and programs in the rest.
// Programs read files, reclaim takes what it can, kswapd and kcompactd do their work; what the report does not say of them is a setting.
import type { Prng } from "../base/prng.ts";
import { atLeast } from "../kernel/release.ts";
import type { Machine } from "../model/machine.ts";
import type { BootedOptions } from "../model/mm/booted.ts";
import { fragmentationScore } from "../model/mm/fragmentation.ts";
import type { MemorySnapshot } from "../model/mm/invariants.ts";
import { restoreMemory, snapshotMemory } from "../model/mm/invariants.ts";
import type { FreeGiven, HeldGiven, MarksGiven, PageUse } from "../model/mm/lay_out.ts";
import { layOutZone, putOnCpusList, setMarks, setReserves } from "../model/mm/lay_out.ts";
import { record, word, zoneField, zoneStride } from "../model/mm/memory.ts";
import { freeBlocks } from "../model/mm/observe.ts";
import type { MarkSettings } from "../model/mm/watermark_setup.ts";
import { setupMarks } from "../model/mm/watermark_setup.ts";
import type { MachineSettings } from "./machine_settings.ts";
import type { StateSettings } from "./machine_state_settings.ts";

const nanosPerMilli = 1e6;
/** HPAGE_FRAG_CHECK_INTERVAL_MSEC, mm/compaction.c, 6.1. */
const proactiveMillis = 500;
/** sysctl_compaction_proactiveness, mm/compaction.c, 6.1. */
const proactivenessDefault = 20;
/** Codes of `owner`: 0 is nobody of these. */
const code: Readonly<Record<PageUse, number>> = { kernel: 1, file: 2, anon: 3, slab: 4 };

type Sysctl = MachineSettings["sysctl"];

export function marksOf({ sysctl }: { readonly sysctl: Sysctl }): MarkSettings {
  const { min_free_kbytes: minFreeKb, watermark_scale_factor: scaleFactor, lowmem_reserve_ratio: ratio } = sysctl;
  const { percpu_pagelist_high_fraction: highFraction } = sysctl;
  return {
    ...(minFreeKb === undefined ? {} : { minFreeKb }),
    ...(scaleFactor === undefined ? {} : { scaleFactor }),
    ...(ratio === undefined ? {} : { lowmemReserveRatio: ratio }),
    ...(highFraction === undefined ? {} : { pcpHighFraction: highFraction }),
  };
}

/** What the machine is booted with. */
export const zonesOf = (state: StateSettings): Pick<BootedOptions, "zones" | "cma"> => ({
  zones: {
    types: state.zoneTypes,
    given: state.zones.map((z) => ({ name: z.zone, node: z.node, pages: z.pages, managed: z.managed })),
  },
  ...(state.cma ? { cma: true } : {}),
});

/** In the place of a load: what machine_pressure.ts calls its parts. */
export function createState(machine: Machine, s: MachineSettings, state: StateSettings) {
  const { memory, clock, journal } = machine;
  const random = machine.random.fork("state");
  const { gfp } = memory.rules;
  const userGfp = gfp.directReclaim | gfp.kswapdReclaim | gfp.io | gfp.fs | gfp.nowarn | gfp.highmem | gfp.movable;
  const owner = new Uint8Array(memory.memory.pages);
  const luck = random.fork("luck");
  let swap = state.swapPages;
  let refused = 0;
  let busy = false;
  let kswapdAt = 0;
  let proactiveAt = 0;
  let started = false;
  let asked = 0;

  memory.lru.setOwner({
    evict(pfn) {
      if (owner[pfn] === code.anon) {
        if (swap <= 0 || luck.chance(state.busyShare)) return false;
        swap--;
      } else if (luck.chance(state.busyShare)) return false;
      owner[pfn] = 0;
      return true;
    },
    migrate(from, to) {
      if (luck.chance(state.busyShare)) return false;
      owner[to] = owner[from] as number;
      owner[from] = 0;
      return true;
    },
  });
  const quietly = (what: () => void): void => {
    busy = true;
    what();
    busy = false;
  };
  const read = (pages: number): void => {
    const before = journal.caller;
    journal.caller = readSite;
    for (let i = 0; i < pages; i++) {
      const pfn = memory.allocUser(userGfp);
      if (pfn < 0) refused++;
      else owner[pfn] = code.file;
    }
    journal.caller = before;
  };
  const readSite = journal.textId("page_cache_ra_unbounded < filemap_get_pages");
  const askSite = journal.textId("");
  const turn = (): void => {
    read(state.readsPerMilli);
    if (clock.now() >= kswapdAt) {
      kswapdAt = clock.now() + s.kswapdMillis * nanosPerMilli;
      memory.reclaim.runKswapd();
    }
    if (clock.now() < proactiveAt) return;
    proactiveAt = clock.now() + proactiveMillis * nanosPerMilli;
    compactAhead();
  };
  const tick = clock.handler(() => {
    quietly(turn);
    clock.after(nanosPerMilli, tick);
  });

  /** should_proactive_compact_node() and proactive_compact_node(), mm/compaction.c, 6.1 (since 5.9): from a score above the high mark down to the low one. */
  const compactAhead = (): void => {
    const { compaction } = memory.reclaim;
    const proactiveness = s.sysctl.compaction_proactiveness ?? proactivenessDefault;
    if (compaction === undefined || !atLeast(machine.release, [5, 9]) || proactiveness === 0) return;
    const { spec } = memory.memory;
    const score = (): number =>
      fragmentationScore(
        spec.zones.map(({ presentPages }, z) => ({ presentPages, free: freeBlocks(memory, z) })),
        spec.pageblockOrder,
      );
    const low = Math.max(100 - proactiveness, 5);
    if (score() <= Math.min(low + 10, 100)) return;
    for (let z = 0; z < spec.zones.length && score() > low; z++)
      compaction.compactZone(z, spec.pageblockOrder, memory.rules.types.movable, 0);
  };

  return {
    before() {
      quietly(() => {
        layOut(machine, s, state, random.fork("places"), owner);
        // What was refused in the report woke kswapd.
        const order = memory.rules.defragMode ? memory.memory.spec.pageblockOrder : 0;
        for (let node = 0; node < memory.memory.spec.nodes; node++) memory.reclaim.wake(node, order);
      });
      if (state.settleMillis === 0) return;
      clock.after(0, tick);
      started = true;
      clock.run(clock.now() + state.settleMillis * nanosPerMilli, s.eventsMax);
    },
    start() {
      const { asks } = state;
      if (asks === undefined) {
        if (!started) clock.after(0, tick);
        return;
      }
      journal.caller = askSite;
      // What was had is kept: nobody gives it back within a run.
      for (asked = 1; asked <= asks.blocks; asked++) machine.pages.allocPages(asks.mask, asks.order);
    },
    busy: () => busy,
    refused: () => refused,
    sample: (): readonly number[] => [],
    result: () => undefined,
    /** Blocks of its own that the report's request has had or been refused. */
    asked: () => asked,
    dropCaches: () =>
      quietly(() => {
        for (let pfn = 0; pfn < owner.length; pfn++)
          if (owner[pfn] === code.file && memory.lru.isLru(pfn)) {
            owner[pfn] = 0;
            memory.freeUser(pfn);
          }
      }),
    quietly,
  };
}

/**
 * Single pages come free until the zone stands at its high mark: what cache, programs and kernel hold, in this order, drawn page by page. Beyond the
 * high mark of the report, where the burst itself took the rest, kswapd gets only what can be reclaimed; who cannot be is kept out up to min. While a
 * higher zone of the node has plenty, nobody waits for memory or wakes kswapd, and a larger reserve moves nothing: on 6.1.192, with 8 MB of single
 * pages free in DMA32, four times the reserve got an atomic driver 158 blocks of order 3 instead of 182 (fixtures/diagnosis/order3_worker_6.1.txt).
 */
function restAtHigh(machine: Machine, row: number, state: StateSettings, owner: Uint8Array, random: Prng): void {
  const { memory } = machine;
  const { page, zone, spec } = memory.memory;
  const z = spec.zones[row] as (typeof spec.zones)[number];
  const high = zone[row * zoneStride + zoneField.high] as number;
  const { marks } = state.zones[row] as (typeof state.zones)[number];
  const own = marks === undefined ? high : Math.min(high, marks.high - marks.boost);
  const plenty = plentyAbove(machine, row);
  const reclaimed = plenty ? own : high;
  const kept = plenty ? own : Math.min(high, Math.max(own, zone[row * zoneStride + zoneField.min] as number));
  const goes = (what: PageUse): boolean =>
    what === "file" || what === "slab" || (what === "anon" && state.swapPages > 0);
  const lacks = (what: PageUse): number => (goes(what) ? reclaimed : kept) - freePages(machine, row);
  for (const what of ["file", "anon", "slab", "kernel"] as const) {
    if (lacks(what) <= 0) continue;
    const mine: number[] = [];
    for (let pfn = z.startPfn; pfn < z.startPfn + z.spannedPages; pfn++) {
      const w = page[pfn * 4 + record.word] as number;
      const state = w & word.stateMask;
      if (state === word.buddy) pfn += (1 << (w & word.orderMask)) - 1;
      else if (owner[pfn] === code[what]) mine.push(pfn);
    }
    const most = Math.min(lacks(what), mine.length);
    for (let left = mine.length; left > mine.length - most; left--) {
      const at = random.below(left);
      const pfn = mine[at] as number;
      mine[at] = mine[left - 1] as number;
      owner[pfn] = 0;
      if (memory.lru.isLru(pfn)) memory.lru.remove(pfn);
      page[pfn * 4 + record.word] = 0;
      page[pfn * 4 + record.references] = 0;
      memory.area.freeOnePage(pfn, row, 0, memory.placement.freeType(pfn), false);
    }
  }
}

const freePages = ({ memory }: Machine, row: number): number =>
  freeBlocks(memory, row).reduce((n, count, order) => n + count * 2 ** order, 0);

/** A zone above this one, of its node, stands above its high mark: who allocates goes there first. */
function plentyAbove(machine: Machine, row: number): boolean {
  const { zone, spec } = machine.memory.memory;
  const node = spec.zones[row]?.node;
  return spec.zones.some(
    (z, above) =>
      above > row &&
      z.node === node &&
      freePages(machine, above) > (zone[above * zoneStride + zoneField.high] as number),
  );
}

/** Free pages on the lists of CPUs other than the first, which asks: kernel pages come free there, drawn page by page. */
function fillOtherLists(machine: Machine, row: number, pages: number, owner: Uint8Array, random: Prng): void {
  const { memory } = machine;
  const { spec } = memory.memory;
  const z = spec.zones[row] as (typeof spec.zones)[number];
  if (pages === 0 || spec.cpus < 2) return;
  const mine: number[] = [];
  for (let pfn = z.startPfn; pfn < z.startPfn + z.spannedPages; pfn++) if (owner[pfn] === code.kernel) mine.push(pfn);
  for (let i = 0; i < pages && mine.length > 0; i++) {
    const at = random.below(mine.length);
    const pfn = mine[at] as number;
    mine[at] = mine.at(-1) as number;
    mine.pop();
    owner[pfn] = 0;
    putOnCpusList(memory, row, pfn, 1 + (i % (spec.cpus - 1)));
  }
}

/** Memory as it was laid out for the same zones on the same machine: a proof runs each many times. */
const laidOut = new Map<string, { readonly memory: MemorySnapshot; readonly owner: Uint8Array }>();
const laidOutMost = 12;

function layOutZones(
  machine: Machine,
  s: MachineSettings,
  state: StateSettings,
  random: Prng,
  owner: Uint8Array,
): void {
  const { memory } = machine;
  const { types } = memory.rules;
  const { release, cpus, seed, nics, slubMaxOrder, sysctl } = s;
  const key = JSON.stringify({
    release,
    cpus,
    seed,
    nics,
    slubMaxOrder,
    sysctl,
    zones: state.zones,
    types: state.zoneTypes,
    cma: [state.cma, state.cmaKept],
  });
  const known = laidOut.get(key);
  if (known !== undefined) {
    restoreMemory(memory.memory, known.memory);
    owner.set(known.owner);
    return;
  }
  for (const [row, zone] of state.zones.entries()) {
    const free = zone.free.flatMap(({ order, count, types: letters }) => byType(order, count, letters, types, state));
    layOutZone(
      memory,
      row,
      {
        free,
        file: zone.file,
        anon: zone.anon,
        slab: zone.slab,
        ground: groundOf(zone.ground ?? [], types),
        ...(zone.held === undefined ? {} : { held: heldOf(zone.held, types) }),
      },
      random.fork(`zone ${row}`),
      (pfn, what) => {
        owner[pfn] = code[what];
      },
    );
  }
  for (const [row, zone] of state.zones.entries())
    fillOtherLists(machine, row, zone.onOtherCpus, owner, random.fork(`lists ${row}`));
  if (laidOut.size >= laidOutMost) laidOut.delete(laidOut.keys().next().value as string);
  laidOut.set(key, { memory: snapshotMemory(memory.memory), owner: owner.slice() });
}

function layOut(machine: Machine, s: MachineSettings, state: StateSettings, random: Prng, owner: Uint8Array): void {
  const { memory } = machine;
  layOutZones(machine, s, state, random, owner);
  const { under } = state;
  const { min_free_kbytes: minFree, watermark_scale_factor: scale, lowmem_reserve_ratio: ratio } = s.sysctl;
  const same =
    (minFree === undefined || minFree === under.min_free_kbytes) &&
    (scale === undefined || scale === under.watermark_scale_factor);
  if (!same) setupMarks(memory, marksOf(s));
  for (const [row, zone] of state.zones.entries()) {
    if (zone.marks === undefined) continue;
    setReserves(memory, row, zone.marks.highatomic, ratio === undefined ? zone.marks.reserve : undefined);
    if (same) setMarks(memory, row, state.rest === "high" ? atRest(zone.marks) : zone.marks);
  }
  if (state.rest === "high")
    for (let row = 0; row < state.zones.length; row++)
      restAtHigh(machine, row, state, owner, random.fork(`rest ${row}`));
}

/** What page_owner lists of a zone: the use of each page from its first, and the types of its pageblocks. */
function heldOf(
  { runs, blocks }: NonNullable<StateSettings["zones"][number]["held"]>,
  { letters }: Machine["memory"]["rules"]["types"],
): HeldGiven {
  const use: (HeldGiven["use"][number] | undefined)[] = [];
  for (const [, count, letter] of runs.matchAll(/(\d{1,7})([A-Z.])/g)) {
    const what =
      letter === "." ? undefined : letter === "M" || letter === "C" ? "user" : letter === "E" ? "slab" : "kernel";
    for (let i = Number(count); i > 0; i--) use.push(what);
  }
  return { use, blockTypes: [...blocks].map((letter) => letters.indexOf(letter)) };
}

/** Shares of the ground by type. */
function groundOf(
  given: NonNullable<StateSettings["zones"][number]["ground"]>,
  { letters }: Machine["memory"]["rules"]["types"],
): readonly { readonly type: number; readonly share: number }[] {
  const all = given.reduce((n, g) => n + g.count, 0);
  return given.flatMap(({ types, count }) => {
    const type = letters.indexOf(types);
    return type < 0 || count === 0 ? [] : [{ type, share: count / all }];
  });
}

/** kswapd has worked off the boost: balance_pgdat(), mm/vmscan.c, 6.1.192. A sysctl that is written does so too (__setup_per_zone_wmarks()). */
const atRest = ({ min, low, high, boost, ...more }: MarksGiven): MarksGiven => ({
  ...more,
  min: min - boost,
  low: low - boost,
  high: high - boost,
  boost: 0,
});

/** Blocks shared over the lists that the letters name; no letters: the list of the ground they come to lie in. */
function byType(
  order: number,
  count: number,
  letters: string,
  types: Machine["memory"]["rules"]["types"],
  state: StateSettings,
): FreeGiven[] {
  const numbers = [...letters].map((l) => types.letters.indexOf(l)).filter((t) => t >= 0);
  const lists = numbers.length === 0 ? [types.movable] : numbers;
  return lists.flatMap((type, i) => {
    const own = Math.floor(count / lists.length) + (i < count % lists.length ? 1 : 0);
    if (type !== types.cma || state.cmaKept >= 1) return [{ order, type, count: own }];
    const kept = Math.round(own * state.cmaKept);
    return [
      { order, type, count: kept },
      { order, type: types.movable, count: own - kept },
    ];
  });
}
