// What a scenario file may say about each workload: keys, units, defaults. model/workload/ says what they do.
import { z } from "zod";
import type { WorkloadSettings } from "../../model/workload/workload.ts";
import { share, whole } from "../schema_parts.ts";

const rate = (says: string): z.ZodNumber => z.number().min(0).max(100_000).describe(says);
const kind = <K extends WorkloadSettings["kind"]>(name: K, says: string): z.ZodLiteral<K> =>
  z.literal(name).describe(says);

const pageCache = z.strictObject({
  kind: kind("page-cache", "files are read and written: the cache grows until reclaim or `maxPages` stops it"),
  pagesPerMilli: rate("pages read or written per millisecond").default(100),
  maxPages: whole(1, 100_000_000, "pages at most; left out: as many as memory allows").optional(),
  dirtyShare: share("accesses that write, and leave a dirty page").default(0),
  dirtyRatio: share("vm.dirty_ratio: pages that may be dirty or under I/O before writers wait").default(0.2),
  hitShare: share("accesses to what is cached already").default(0),
  dropShare: share("accesses after which a cached page at random goes: files are deleted, truncated").default(0),
});

const writeback = z.strictObject({
  kind: kind("writeback", "dirty pages of a page-cache workload are written to disk: pinned until the I/O is done"),
  pagesPerMilli: rate("pages submitted per millisecond").default(100),
  ioMillis: z.number().positive().max(60_000).describe("time of an I/O, milliseconds").default(5),
});

const slab = z.strictObject({
  kind: kind("slab", "kernel objects in reclaimable slabs: inodes, dentries"),
  cache: z.string().min(1).max(30).describe("name of the cache").default("dentry"),
  bytes: whole(8, 8192, "size of an object, bytes").default(192),
  objectsPerMilli: rate("objects made per millisecond").default(200),
  maxObjects: whole(1, 100_000_000, "objects at most; then each new one replaces one at random").default(1 << 20),
  freeShare: share("new objects after which one at random is freed: holes in slabs").default(0),
});

const processes = z
  .strictObject({
    kind: kind("processes", "processes are born, touch memory and exit; each has a kernel stack and page tables"),
    jobs: whole(1, 1000, "processes alive at once").default(8),
    pagesPerMilli: rate("pages touched per millisecond, by all of them").default(100),
    pagesMin: whole(1, 1_000_000, "fewest pages of a process").default(32),
    pagesMax: whole(1, 1_000_000, "most pages of a process; log-uniform in between").default(4096),
    stackOrder: whole(0, 3, "order of a kernel stack: 1 on x86 before 3.15, 2 since").default(1),
  })
  .refine((p) => p.pagesMin <= p.pagesMax, { message: "pagesMin is more than pagesMax", path: ["pagesMin"] });

const pinned = z.strictObject({
  kind: kind("pinned", "user pages pinned for I/O (O_DIRECT, RDMA): neither evicted nor moved"),
  pages: whole(1, 100_000_000, "pages pinned at once").default(1000),
  holdMillis: z
    .number()
    .min(0)
    .max(3_600_000)
    .describe("how long one stays pinned, milliseconds, exponential around this mean; 0: forever")
    .default(0),
  pagesPerMilli: rate("pages newly pinned per millisecond, until there are `pages`").default(10),
});

const atomic = z.strictObject({
  kind: kind("atomic", "bursts of GFP_ATOMIC requests by other code: they use up the reserve below the min mark"),
  blocks: whole(1, 1_000_000, "blocks of a burst").default(100),
  order: whole(0, 10, "order of a block").default(0),
  everyMillis: z
    .number()
    .min(0.01)
    .max(3_600_000)
    .describe("from one burst to the next, milliseconds, exponential around this mean")
    .default(10),
  holdMillis: z.number().min(0).max(3_600_000).describe("how long the blocks are held, milliseconds").default(5),
});

export const workloadSchema = z
  .discriminatedUnion("kind", [pageCache, writeback, slab, processes, pinned, atomic])
  .describe("one user of memory besides the network");

/** As the model takes it: keys that were left out are not there. */
export function workloadOf(given: z.output<typeof workloadSchema>): WorkloadSettings {
  if (given.kind !== "page-cache") return given;
  const { maxPages, ...rest } = given;
  return maxPages === undefined ? rest : { ...rest, maxPages };
}
