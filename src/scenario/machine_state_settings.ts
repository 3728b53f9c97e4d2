// What a scenario may say of memory that is laid out as a report prints it. Amounts are pages of 4 KiB unless a name says otherwise.
import { z } from "zod";
import { share, whole } from "../lab/schema_parts.ts";

const zoneName = z.enum(["DMA", "DMA32", "Normal", "HighMem", "Movable"]);
const pages = (says: string): z.ZodNumber => whole(0, 1 << 30, `${says}, pages`);

const marks = z.strictObject({
  min: pages("min as printed, boost included"),
  low: pages("low"),
  high: pages("high"),
  boost: pages("boost").default(0),
  highatomic: pages("reserved_highatomic").default(0),
  reserve: z
    .array(pages("lowmem_reserve[]"))
    .max(8)
    .describe("lowmem_reserve[] by zone; left out: as computed")
    .optional(),
});

const zone = z.strictObject({
  zone: zoneName.describe("its name"),
  node: whole(0, 63, "node").default(0),
  pages: whole(1, 1 << 22, "pages of it that the model holds; more pages in use can be left out"),
  managed: pages("managed; marks are computed from it"),
  free: z
    .array(
      z.strictObject({
        order: whole(0, 10, "order"),
        count: whole(0, 1 << 24, "blocks"),
        types: z
          .string()
          .max(8)
          .describe("letters of the lists that hold them, as the report prints: U, M, E, H, C, R")
          .default(""),
      }),
    )
    .max(64)
    .describe("free blocks; several letters share them evenly"),
  ground: z
    .array(
      z.strictObject({
        types: z.string().length(1).describe("letter of the type: U, M, E, H, C, R"),
        count: whole(0, 1 << 24, "pageblocks"),
      }),
    )
    .max(8)
    .describe("how its pageblocks are shared among the types; left out: as what is free and in use needs")
    .optional(),
  held: z
    .strictObject({
      runs: z
        .string()
        .max(1 << 20)
        .regex(/^(?:\d{1,7}[UMEHCIR.])*$/)
        .describe(
          "runs of pages from the zone's first: in use and unmovable, movable, reclaimable; . is not known, or free",
        ),
      blocks: z
        .string()
        .max(1 << 14)
        .regex(/^[UMEHCIR.]*$/)
        .describe("the letter of each pageblock's type; . is not known"),
    })
    .describe("where pages in use lie, page for page: free blocks are laid out on the rest")
    .optional(),
  file: pages("page cache in use").default(0),
  anon: pages("programs' pages in use").default(0),
  slab: pages("reclaimable slabs").default(0),
  onOtherCpus: pages("free pages on the lists of CPUs other than the first, which asks").default(0),
  marks: marks.describe("as printed; used while the sysctls are those under which they were printed").optional(),
});

const sysctls = z.strictObject({
  min_free_kbytes: whole(1, 100_000_000, "vm.min_free_kbytes").optional(),
  watermark_scale_factor: whole(1, 3000, "vm.watermark_scale_factor").optional(),
});

export const stateSchema = z.strictObject({
  zoneTypes: z.array(zoneName).min(1).max(5).describe("zones that the kernel was built with, lowest first"),
  zones: z.array(zone).min(1).max(32).describe("the zones, as printed"),
  under: sysctls.describe("sysctls of the machine when its marks were printed").prefault({}),
  cma: z.boolean().describe("the kernel has CMA").default(false),
  cmaKept: share("share of the CMA area that stays CMA; the rest becomes ordinary memory").default(1),
  swapPages: pages("free swap: how many of the programs' pages can be swapped out").default(0),
  rest: z
    .enum(["printed", "high"])
    .describe(
      "printed: traffic meets memory as it was printed. high: zones below their high mark are first filled up to it, as kswapd leaves them, with what cache, programs and kernel hold, in this order",
    )
    .default("printed"),
  busyShare: share("chance that a page is locked or recently used when reclaim looks at it").default(0.02),
  readsPerMilli: whole(0, 100_000, "pages that programs read into the page cache per millisecond").default(0),
  settleMillis: whole(0, 60_000, "time between the state and the traffic, milliseconds").default(0),
  asks: z
    .strictObject({
      order: whole(0, 10, "order"),
      mask: whole(0, 2 ** 31, "gfp mask, a number of that release"),
      blocks: whole(1, 1_000_000, "blocks that are requested back to back, and kept"),
    })
    .describe("the report's own request, once, when traffic begins")
    .optional(),
});

/** As a scenario writes it. */
export type StateGiven = z.input<typeof stateSchema>;
export type StateSettings = z.output<typeof stateSchema>;
