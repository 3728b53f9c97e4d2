// What scenario files about page pools may say.
import { z } from "zod";
import type { CopySettings, DesignResult, MulticastSettings, TcpSettings } from "../lab/page_pool_run.ts";
import { designNames, runCopy, runMulticast, runTcp } from "../lab/page_pool_run.ts";
import { whole } from "../lab/schema_parts.ts";
import type { ScenarioKind } from "./kind.ts";

const common = {
  packets: whole(1, 1_000_000, "packets received").default(2000),
  frameBytes: whole(70, 9000, "bytes of a frame").default(1514),
  ringSize: whole(4, 1024, "descriptors of the receive ring").default(128),
  poolSize: whole(
    1,
    32768,
    "pool_size of the page pool: slots of its ring, rounded up to a power of two by the kernel; default: as ringSize",
  ).optional(),
  designs: z
    .array(z.enum(designNames as [string, ...string[]]))
    .min(1)
    .default([...designNames])
    .describe("designs of the return hook; each is run"),
};

/** What experiments compare; with several designs each measure bears the design's name. */
const metrics = [
  { name: "recycled", unit: "pages", means: "returned to the pool's cache or ring" },
  { name: "fresh", unit: "pages", means: "taken from the page allocator" },
  { name: "released", unit: "pages", means: "left the pool as the rules allow: unmapped and counted out" },
  { name: "leaked", unit: "pages", means: "freed while mapped and counted, or held by nobody" },
  { name: "corrupted", unit: "times", means: "memory went where it does not belong" },
  { name: "dropped", unit: "packets", means: "packets that were dropped" },
  { name: "memoryPerPacket", unit: "bytes", means: "memory per packet in the receive queues at their fullest" },
] as const;

const measured: Pick<ScenarioKind, "measure" | "metrics" | "shortest"> = {
  measure(result) {
    const all = result as readonly DesignResult[];
    return Object.fromEntries(
      all.flatMap((r) => metrics.map(({ name }) => [all.length === 1 ? name : `${r.design}.${name}`, r[name]])),
    );
  },
  metrics,
  shortest: { packets: 1 },
};

export const pagePoolKinds: readonly ScenarioKind[] = [
  {
    kind: "page-pool-skb-copy",
    summary: "every packet is copied and both are freed: whose memory returns to the pool?",
    schema: z.strictObject({
      ...common,
      copy: z.enum(["skb_copy", "pskb_copy", "both"]).default("both").describe("how a packet is copied"),
    }),
    run: (settings) => runCopy(settings as CopySettings),
    ...measured,
  },
  {
    kind: "page-pool-multicast",
    summary: "one packet to several sockets: clones of a pool's page",
    schema: z.strictObject({
      ...common,
      sockets: whole(1, 64, "listening sockets").default(4),
      slowest: whole(0, 1000, "packets that the slowest socket leaves queued").default(16),
    }),
    run: (settings) => runMulticast(settings as MulticastSettings),
    ...measured,
  },
  {
    kind: "page-pool-tcp",
    summary: "bulk TCP both ways: coalescing in the receive queue",
    schema: z.strictObject({
      ...common,
      readEvery: whole(1, 1000, "packets between two reads of the application").default(32),
      ackEvery: whole(
        0,
        1000,
        "data packets between two acknowledgments for the other direction; 0: one way only",
      ).default(2),
    }),
    run: (settings) => runTcp(settings as TcpSettings),
    ...measured,
  },
];
