// A PC whose memory a compile-like load has filled, as a state to start from: for reports that do not print their memory.
import { prng } from "../base/prng.ts";
import type { Release } from "../kernel/release.ts";
import { thrashSchema } from "../lab/schema_parts.ts";
import { createThrash } from "../lab/workload/thrash.ts";
import { createBootedMemory } from "../model/kernels/booted.ts";
import type { BootedMemory } from "../model/mm/booted.ts";
import type { MarkSettings } from "../model/mm/watermark_setup.ts";
import type { StateGiven } from "./machine_state_settings.ts";

type ZoneGiven = StateGiven["zones"][number];

/** The allocator's own first needs beside rings: slabs of boot, pages. */
export const bootPages = 1024;
/** Page requests of the load in multiples of the memory: so many fill it with what stays. */
const fill = 3;

export interface FillOptions {
  readonly release: Release;
  readonly memoryMb: number;
  /** What kswapd kept free while the load ran. */
  readonly marks: MarkSettings;
  readonly seed: number;
  /** Pages on top for the cards' rings. */
  readonly ringPages: number;
}

/** The machine's memory when the load has run. */
export function filledState({ release, memoryMb, marks, seed, ringPages }: FillOptions): StateGiven {
  const memory = createBootedMemory({ release, memoryMb, marks });
  const random = prng(seed);
  const load = createThrash(memory, { ...thrashSchema.parse({ jobs: 10, pinnedShare: 0.002 / fill }) }, random);
  const managed = memory.memory.spec.zones.reduce((n, z) => n + z.managedPages, 0);
  load.run(managed * fill);
  memory.reclaim.drainAll();
  const held = load.held();
  const user = Math.max(1, held.anonymous + held.cache);
  const rows = memory.memory.spec.zones;
  const last = rows.findLastIndex((z) => z.name !== "HighMem");
  return {
    zoneTypes: [...memory.memory.spec.zoneTypes],
    rest: "high",
    under: {
      ...(marks.minFreeKb === undefined ? {} : { min_free_kbytes: marks.minFreeKb }),
      ...(marks.scaleFactor === undefined ? {} : { watermark_scale_factor: marks.scaleFactor }),
    },
    zones: rows.map((z, row): ZoneGiven => {
      const lru = memory.lru.count(row);
      const free = freeOf(memory, row);
      const file = Math.round((lru * held.cache) / user);
      return {
        zone: z.name,
        node: z.node,
        managed: z.managedPages,
        pages: z.managedPages + (row === last ? ringPages + bootPages : 0),
        free,
        file,
        anon: lru - file,
        slab: Math.round((held.slab * z.managedPages) / managed),
      };
    }),
  };
}

function freeOf({ memory, area, rules }: BootedMemory, row: number): { order: number; count: number; types: string }[] {
  const out: { order: number; count: number; types: string }[] = [];
  for (let order = 0; order < memory.spec.orders; order++)
    for (let type = 0; type < 8; type++) {
      const list = area.listOf(row, order, type);
      let count = 0;
      for (let at = memory.page[list * 4] as number; at !== list; at = memory.page[at * 4] as number) count++;
      if (count > 0)
        out.push({ order, count, types: rules.policy === "mobility" ? (rules.types.letters[type] ?? "") : "" });
    }
  return out;
}
