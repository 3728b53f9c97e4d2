// The shape of `skblab image --format json`, as a schema that can be run; schemas/image.schema.json is printed from it.
import { z } from "zod";

const address = z.string().describe("Hexadecimal, without 0x.");
const count = z.int().min(0);
const pages = z.number().describe("Pages of 4 KiB.");

const finding = z
  .strictObject({
    kind: z.string().describe("What is broken: `free list`, `slab`, `page pool`, ..."),
    text: z.string().describe("One sentence with zone, list, frame or address. Untrusted text."),
    zone: z.string().optional(),
    order: z.int().optional(),
    migrateType: z.int().optional(),
    pfn: z.int().optional(),
    cpu: z.int().optional(),
    address: address.optional(),
    cache: z.string().optional(),
  })
  .describe("One thing that does not fit together. One broken thing gives one finding.");

const zone = z.strictObject({
  node: count,
  name: z.string(),
  startPfn: count,
  spannedPages: pages,
  presentPages: pages,
  managedPages: pages,
  freePages: pages,
  watermarks: z.strictObject({ min: pages, low: pages, high: pages, boost: pages }),
  highatomicPages: pages,
  freeBlocks: z.array(z.number()).describe("nr_free by order, from 0."),
  perCpuPages: z.array(z.strictObject({ cpu: count, count: z.number(), high: z.number(), batch: z.number() })),
});

const cache = z.strictObject({
  name: z.string().describe("Of one user; others may share the cache."),
  objectBytes: z.number(),
  sizeBytes: z.number(),
  users: z.number().describe("Above 1: caches of several users were merged into this one."),
  slabs: z.number(),
  objects: z.number().optional(),
  allocated: z
    .number()
    .optional()
    .describe("Exact: objects on no free list, neither of a slab nor of a CPU nor of a sheaf."),
  unseen: z.number().optional().describe("Slabs that are not in the image."),
  awaitingRcu: count.describe("Of the allocated: given back by kfree_rcu(), in sheaves that wait for a grace period."),
});

const pool = z.strictObject({
  address,
  destroyed: z.boolean().describe("It waits for its pages."),
  ifindex: z.int().nullable(),
  order: z.number(),
  poolSize: z.number(),
  inFlight: z.number().describe("By its counters."),
  pages: z
    .strictObject({
      cache: count,
      ring: count,
      fragmentSource: count,
      withPackets: count,
      pointedTo: count.describe("A word in memory points to the struct page."),
      noReferenceFound: count.describe(
        "A reference that no packet and no word in memory explains, also where packets hold other fragments of the page. Not the same as leaked.",
      ),
    })
    .describe("Pages that carry its mark, by what holds them."),
  holders: z.array(z.strictObject({ text: z.string(), pages: count })),
});

const socket = z.strictObject({
  address,
  name: z.string(),
  how: z
    .string()
    .describe("file: a descriptor holds it; ehash: only the kernel's table does; kernel: the kernel's own."),
  owners: z.array(z.strictObject({ pid: z.int(), command: z.string(), fd: z.int() })),
  state: z.number(),
  receiveBytes: z.number(),
  writeBytes: z.number(),
  queues: z.record(z.string(), count).describe("sk_buffs by queue; empty ones are left out."),
});

const device = z.strictObject({
  name: z.string(),
  ifindex: z.int(),
  mtu: z.number(),
  txStopped: z.boolean(),
  qdiscs: z.array(
    z.strictObject({
      txqs: z.array(count).describe("Transmit queues that it serves."),
      kind: z.string(),
      handle: z.string().describe("Empty for a default one."),
      parent: z.string().nullable().describe("The class that it is attached to; null at the top."),
      qlen: z.number().describe("Packets by its own count, with those of the disciplines below it."),
      skbs: count.describe("Packets found in it itself."),
      unread: count.describe("Packets that it counts and that were not found."),
    }),
  ),
});

const proof = z
  .strictObject({
    answer: z
      .union([
        z.string().describe("Why the model cannot stand for this machine."),
        z.strictObject({
          holes: z.array(z.string()),
          movablePages: pages,
          orders: z.array(
            z.strictObject({ order: count, atomic: z.boolean(), kernel: z.boolean(), afterCompaction: z.boolean() }),
          ),
        }),
      ])
      .describe("Every order, asked for in the state of the image."),
    again: z
      .array(
        z.strictObject({
          title: z.string(),
          order: count,
          mask: z.string(),
          names: z.array(z.string()),
          now: z.boolean(),
          afterCompaction: z.boolean().nullable(),
          largestNow: count.nullable(),
        }),
      )
      .describe("Requests that failed in the log, made again."),
    pins: z.strictObject({
      order: count,
      blocks: count,
      free: count,
      movable: count,
      pinned: count,
      owners: z.array(z.strictObject({ owner: z.string(), blocks: count, alone: count, pages: count })),
    }),
  })
  .describe("With --prove.");

/** The whole answer. Zod checks a value with it; `imageJsonSchema` publishes it. */
export const imageSchema = z
  .strictObject({
    schema: z.literal("skblab.image/1"),
    file: z.string(),
    container: z.strictObject({
      kind: z.string(),
      dumpLevel: z.int().nullable().describe("makedumpfile's -d; null where it is not recorded."),
      incomplete: z.boolean(),
    }),
    kernel: z.strictObject({
      release: z.string(),
      version: z.string(),
      cpus: count,
      pageTableLevels: z.union([z.literal(4), z.literal(5)]),
      pageOffset: address,
    }),
    structPages: z.strictObject({ read: count, notInImage: count }),
    notShown: z.array(z.string()).describe("What this image cannot say, in sentences."),
    findings: z.array(finding),
    findingsBeyondBound: count,
    pages: z.array(z.strictObject({ kind: z.string(), pages })),
    zones: z.array(zone),
    caches: z.array(cache),
    pools: z.array(pool),
    packets: z.array(
      z.strictObject({
        holder: z.string(),
        queue: z.string(),
        skbs: count,
        truesize: z.number(),
        poolPages: count,
      }),
    ),
    sockets: z.array(socket),
    devices: z.array(device),
    log: z.strictObject({ records: count, notWhole: count, problem: z.string().nullable() }),
    proof: proof.optional(),
    logJoined: z
      .array(z.strictObject({ line: z.string(), subject: z.string(), pfn: z.number(), now: z.string() }))
      .describe("Pages and packets that the log names, and what they are in the image."),
    diagnosis: z
      .unknown()
      .describe(
        "The kernel log of the image, explained: skblab.diagnosis/1 (diagnosis.schema.json), or null without a log.",
      ),
  })
  .meta({ id: "skblab.image/1", title: "skblab image" });

/** The published JSON Schema, as text. */
export const imageJsonSchema = (): string => `${JSON.stringify(z.toJSONSchema(imageSchema), null, 2)}\n`;
