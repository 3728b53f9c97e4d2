// Physical memory filmed while a load runs: the same load with the same seed on several placement policies, in step. A film is not pictures but
// what happened: every allocation and free as the journal told it, 8 bytes each, with the free lists noted at each picture's moment. So any page's
// whole history is there, and a picture costs what changed (film_pictures.ts draws it).
//
//   what:  order in bits 0..3 · taken 4 · kind asked for 5..7 · caller 8..15 · process, mod 65536, 16..31
//
// What kind a page is comes from the request that took it (its gfp mask) and not from the policy: an allocator that knows no migrate types serves
// movable pages too.

import { assert } from "../base/assert.ts";
import { BadInput } from "../base/bad_input.ts";
import { prng } from "../base/prng.ts";
import { eventKind } from "../kernel/events.ts";
import { parseRelease } from "../kernel/release.ts";
import { createJournal } from "../model/journal.ts";
import { createBootedMemory } from "../model/kernels/booted.ts";
import type { BootedMemory } from "../model/mm/booted.ts";
import type { PolicyName } from "../model/mm/rules.ts";
import type { FilmMoment, FilmSettings, FilmSummary } from "./film_settings.ts";
import { createThrash } from "./workload/thrash.ts";

/** What was noted at a picture's moment; all in pages of the film. */
export interface FilmPicture extends FilmMoment {
  /** Events before this moment. */
  readonly events: number;
  /** The free lists: pfn · 16 + order of each block. */
  readonly free: Float64Array;
  /** Migrate type that the kernel has noted for each pageblock, index into typeNames. */
  readonly blockTypes: Uint8Array;
}

export interface Film extends Omit<FilmSummary, "moments"> {
  /** The page that each event is about. */
  readonly pfns: Int32Array;
  /** Its order, kind, type, caller and process: see the head of this file. */
  readonly what: Uint32Array;
  /** Call chains by number, innermost function first: "a < b"; "" is nobody in particular. */
  readonly callers: readonly string[];
  readonly pictures: readonly FilmPicture[];
  /** Parts that pages were asked for by: the numbers of `callers` that ever took one. */
  readonly takers: readonly number[];
}

/** Bits of `what`. */
export const filmBits = { order: 15, taken: 16, kindShift: 5, callerShift: 8, processShift: 16 } as const;

/** Migrate types that a request can ask for, by number of its kind. */
export const pageKinds = ["Unmovable", "Movable", "Reclaimable"] as const;

const bytesMax = 2 ** 31;

/** Runs the films; `progress` hears 0..1. What all films together may keep is limited so that a browser can hold them. */
export function filmMemory(settings: FilmSettings, progress: (done: number) => void): Film[] {
  const { memoryMb, pictures, policies, load } = settings;
  if (!Number.isSafeInteger(memoryMb) || memoryMb < 64 || memoryMb > 65536) {
    const given = Number.isNaN(memoryMb) ? "What was given" : `${memoryMb}`;
    throw new BadInput(`${given} is not a memory size in MiB.`, undefined, "Take 64 to 65536.");
  }
  if (!Number.isSafeInteger(settings.seed) || settings.seed < 0) throw new BadInput("The seed is a whole number.");
  // About two events of 8 bytes for each request; a picture notes at most a block for every four pages, 8 bytes.
  const bytes = policies.length * (load.kilopages * 1000 * 2.1 * 8 + pictures * memoryMb * 256 * 0.25);
  if (pictures > 250 || bytes > bytesMax) {
    throw new BadInput(
      `${pictures} pictures of ${memoryMb} MiB under ${policies.length} policies are too much to keep.`,
      undefined,
      "Take less memory, or fewer pictures.",
    );
  }
  return policies.map((policy, at) => film(settings, policy, (done) => progress((at + done) / policies.length)));
}

/** What can be told without the events. */
export function filmSummary(film: Film): FilmSummary {
  const { policy, firstPfn, pages, blockOrder, typeNames, pictures } = film;
  return {
    policy,
    firstPfn,
    pages,
    blockOrder,
    typeNames,
    moments: pictures.map(({ what, freeBlocks }) => ({ what, freeBlocks })),
  };
}

/** Events in columns that grow. */
function createRecorder(expected: number) {
  let pfns = new Int32Array(expected);
  let what = new Uint32Array(expected);
  let count = 0;
  return {
    get count() {
      return count;
    },
    add(pfn: number, bits: number): void {
      if (count === pfns.length) {
        const [longer, wider] = [new Int32Array(count * 2), new Uint32Array(count * 2)];
        longer.set(pfns);
        wider.set(what);
        pfns = longer;
        what = wider;
      }
      pfns[count] = pfn;
      what[count++] = bits;
    },
    columns: () => ({ pfns: pfns.subarray(0, count), what: what.subarray(0, count) }),
  };
}

function film(settings: FilmSettings, policy: PolicyName, progress: (done: number) => void): Film {
  const journal = createJournal();
  const memory = createBootedMemory({
    release: parseRelease(settings.release),
    memoryMb: settings.memoryMb,
    policy,
    journal,
  });
  const chance = prng(settings.seed);
  const load = createThrash(memory, settings.load, chance.fork("load"), chance.fork("luck"));
  const requests = settings.load.kilopages * 1000;
  const events = createRecorder(Math.ceil(requests * 2) + 1024);
  const takers = new Set<number>();
  let callersMost = 0;
  const { mm_page_alloc, page_migrated } = eventKind;
  const { gfp } = memory.rules;
  // What a migrated page was asked for goes along with it: its last event, by page.
  const lastOf = new Uint32Array(memory.memory.pages);
  journal.listen(
    (kind, _nanos, _cpu, pfn, order, mask) => {
      if (pfn < 0) return;
      if (kind === page_migrated) {
        // The new place was told of as an allocation just before; what was asked for, and by whom, comes from the old one.
        lastOf[order] = lastOf[pfn]!;
        events.add(order, lastOf[pfn]!);
        return;
      }
      const { caller } = journal;
      assert(caller < 256, () => `caller ${caller} in a film of 256`);
      callersMost = Math.max(callersMost, caller);
      let bits = order | (caller << filmBits.callerShift) | (load.who() << filmBits.processShift);
      if (kind === mm_page_alloc) {
        takers.add(caller);
        const kind = (mask & gfp.movable) !== 0 ? 1 : (mask & gfp.reclaimable) !== 0 ? 2 : 0;
        bits |= filmBits.taken | (kind << filmBits.kindShift);
      }
      lastOf[pfn] = bits;
      events.add(pfn, bits);
    },
    "mm_page_alloc",
    "mm_page_free",
    "page_migrated",
  );
  const pictures: FilmPicture[] = [];
  const picture = (what: string): void => {
    pictures.push({ what, events: events.count, ...freeLists(memory) });
  };
  const step = Math.max(1, Math.round(requests / settings.pictures));
  for (let i = 0; i < settings.pictures; i++) {
    picture(`after ${i * step} page requests`);
    load.run(step);
    progress(i / settings.pictures);
  }
  load.exitAll();
  picture("every process has exited");
  load.deleteCache(1);
  picture("the files are deleted too");
  return {
    policy,
    firstPfn: 0,
    pages: memory.memory.pages,
    blockOrder: memory.memory.spec.pageblockOrder,
    typeNames: memory.rules.types.names,
    ...events.columns(),
    callers: Array.from({ length: callersMost + 1 }, (_, id) => (id === 0 ? "" : journal.text(id))),
    pictures,
    takers: [...takers].sort((a, b) => a - b),
  };
}

/** The free lists of the moment, and the type of each pageblock. */
function freeLists({ memory, area }: BootedMemory): Pick<FilmPicture, "free" | "freeBlocks" | "blockTypes"> {
  const { pages, spec, nrFree } = memory;
  const ordersMax = nrFree.length / spec.zones.length;
  const freeBlocks = Array.from({ length: spec.orders }, (_, o) =>
    spec.zones.reduce((n, _z, z) => n + nrFree[z * ordersMax + o]!, 0),
  );
  const free = new Float64Array(freeBlocks.reduce((n, blocks) => n + blocks, 0));
  const orderAt = (pfn: number): number => {
    for (let order = 0; order < spec.orders && pfn % 2 ** order === 0; order++)
      for (let z = 0; z < spec.zones.length; z++) if (area.isFreeBlock(pfn, z, order)) return order;
    return -1;
  };
  let count = 0;
  for (let pfn = 0; pfn < pages; ) {
    const order = orderAt(pfn);
    if (order >= 0) free[count++] = pfn * 16 + order;
    pfn += order < 0 ? 1 : 2 ** order;
  }
  assert(count === free.length, () => `${count} free blocks found, ${free.length} counted`);
  const blockTypes = Uint8Array.from({ length: Math.ceil(pages / 2 ** spec.pageblockOrder) }, (_, block) =>
    area.blockTypeOf(block * 2 ** spec.pageblockOrder),
  );
  return { free, freeBlocks, blockTypes };
}
