// Physical memory filmed while a load runs: the same load with the same seed on several placement policies, in step, a picture of every page
// now and then. What a page is for comes from the request that took it (its gfp mask), heard on the journal; no policy is asked.

import { BadInput } from "../base/bad_input.ts";
import { prng } from "../base/prng.ts";
import { eventKind } from "../kernel/events.ts";
import { parseRelease } from "../kernel/release.ts";
import { createJournal } from "../model/journal.ts";
import { createBootedMemory } from "../model/mm/booted.ts";
import type { PolicyName } from "../model/mm/rules.ts";
import type { ThrashSettings } from "./workload/thrash.ts";
import { createThrash } from "./workload/thrash.ts";

export const filmPolicies = ["classic", "placement-2005", "mobility"] as const satisfies readonly PolicyName[];

/** What a page is, as a byte of a picture. */
export const pageClasses = [
  "free",
  "movable (user, page cache)",
  "reclaimable (inodes, dentries)",
  "kernel, not movable",
  "not handed out at boot",
] as const;

export interface FilmSettings {
  readonly release: string;
  readonly memoryMb: number;
  readonly policies: readonly PolicyName[];
  readonly seed: number;
  /** Pictures of the loading; two more show memory after the processes have exited and after the files are deleted. */
  readonly pictures: number;
  readonly load: ThrashSettings;
}

export interface FilmFrame {
  /** One byte a page from firstPfn on: an index into pageClasses. */
  readonly pages: Uint8Array;
  /** In which picture's interval each page was last taken or given back; 0 is before the load. */
  readonly born: Uint8Array;
  /** Order of the block that each page was taken in, or lies free in; 0 for pages on per-CPU lists and those of the boot. */
  readonly orders: Uint8Array;
  readonly what: string;
  /** Free blocks by order. */
  readonly freeBlocks: readonly number[];
}

export interface Film {
  readonly policy: PolicyName;
  readonly firstPfn: number;
  readonly frames: readonly FilmFrame[];
}

/** The load of the article's experiment, on a machine small enough to look at. */
export const filmDefaults: FilmSettings = {
  release: "2.6.34-i386",
  memoryMb: 256,
  policies: ["classic", "mobility"],
  seed: 1,
  pictures: 60,
  load: {
    jobs: 12,
    kilopages: 150,
    jobPagesMin: 100,
    jobPagesMax: 3000,
    cacheShare: 0.35,
    slabShare: 0.04,
    kernelShare: 0.02,
    pinnedShare: 0.0005,
    busyShare: 0.02,
    slabShrink: 0.5,
  },
};

/** Bytes a page and picture. */
const columnsPerPicture = 3;

/** Runs the films; `progress` hears 0..1. Pages of all films and pictures together are limited so that a browser can hold them. */
export function filmMemory(settings: FilmSettings, progress: (done: number) => void): Film[] {
  const bytes = settings.memoryMb * 256 * settings.policies.length * (settings.pictures + 2) * columnsPerPicture;
  if (settings.pictures > 250 || bytes > 512 * 2 ** 20) {
    throw new BadInput(
      `${settings.pictures} pictures of ${settings.memoryMb} MB under ${settings.policies.length} policies are too much to keep.`,
      undefined,
      "Take fewer pictures or less memory.",
    );
  }
  return settings.policies.map((policy, at) =>
    film(settings, policy, (done) => progress((at + done) / settings.policies.length)),
  );
}

function film(settings: FilmSettings, policy: PolicyName, progress: (done: number) => void): Film {
  const journal = createJournal();
  const memory = createBootedMemory({
    release: parseRelease(settings.release),
    memoryMb: settings.memoryMb,
    policy,
    journal,
  });
  const { gfp } = memory.rules;
  const total = memory.memory.pages;
  const frames: FilmFrame[] = [];
  const now = new Uint8Array(total).fill(4);
  const born = new Uint8Array(total);
  const orders = new Uint8Array(total);
  const { nrFree, spec } = memory.memory;
  // What was free when the load began is what the load can get.
  for (const block of freeBlocks(memory)) now.fill(0, block.pfn, block.pfn + 2 ** block.order);
  const allocKind = eventKind.mm_page_alloc;
  journal.listen(
    (kind, _nanos, _cpu, pfn, order, mask) => {
      const size = 1 << order;
      const value = kind !== allocKind ? 0 : (mask & gfp.movable) !== 0 ? 1 : (mask & gfp.reclaimable) !== 0 ? 2 : 3;
      now.fill(value, pfn, pfn + size);
      born.fill(frames.length, pfn, pfn + size);
      orders.fill(value === 0 ? 0 : order, pfn, pfn + size);
    },
    "mm_page_alloc",
    "mm_page_free",
  );
  const ordersMax = nrFree.length / spec.zones.length;
  const picture = (what: string): void => {
    for (const block of freeBlocks(memory)) orders.fill(block.order, block.pfn, block.pfn + 2 ** block.order);
    const blocks = Array.from({ length: spec.orders }, (_, o) =>
      spec.zones.reduce((n, _z, z) => n + nrFree[z * ordersMax + o]!, 0),
    );
    frames.push({ pages: now.slice(), born: born.slice(), orders: orders.slice(), what, freeBlocks: blocks });
  };
  const load = createThrash(memory, settings.load, prng(settings.seed).fork("load"));
  const step = Math.max(1, Math.round((settings.load.kilopages * 1000) / settings.pictures));
  for (let i = 0; i < settings.pictures; i++) {
    picture(`after ${i * step} page requests`);
    load.run(step);
    progress(i / settings.pictures);
  }
  load.exitAll();
  picture("every process has exited");
  load.deleteCache(1);
  picture("the files are deleted too");
  return { policy, firstPfn: 0, frames };
}

/** Blocks on the free lists: not taken by anybody. */
function* freeBlocks(memory: ReturnType<typeof createBootedMemory>): Generator<{ pfn: number; order: number }> {
  const { pages, spec } = memory.memory;
  const orderAt = (pfn: number): number => {
    for (let order = 0; order < spec.orders && pfn % 2 ** order === 0; order++)
      for (let z = 0; z < spec.zones.length; z++) if (memory.area.isFreeBlock(pfn, z, order)) return order;
    return -1;
  };
  for (let pfn = 0; pfn < pages; ) {
    const order = orderAt(pfn);
    if (order >= 0) yield { pfn, order };
    pfn += order < 0 ? 1 : 2 ** order;
  }
}
