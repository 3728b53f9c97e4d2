// What scenario files about page pools may say.
import { z } from "zod";
import type { ScenarioKind } from "./kind.ts";
import type { CopySettings, MulticastSettings, TcpSettings } from "./page_pool_run.ts";
import { designNames, runCopy, runMulticast, runTcp } from "./page_pool_run.ts";

const count = (least: number, most: number): z.ZodNumber => z.number().int().min(least).max(most);
const common = {
  packets: count(1, 1_000_000).default(2000),
  frameBytes: count(70, 9000).default(1514),
  ringSize: count(4, 1024).default(128),
  designs: z
    .array(z.enum(designNames as [string, ...string[]]))
    .min(1)
    .default([...designNames]),
};

export const pagePoolKinds: readonly ScenarioKind[] = [
  {
    kind: "page-pool-skb-copy",
    summary: "every packet is copied and both are freed: whose memory goes into the pool?",
    schema: z.strictObject({ ...common, copy: z.enum(["skb_copy", "pskb_copy", "both"]).default("both") }),
    run: (settings) => runCopy(settings as CopySettings),
  },
  {
    kind: "page-pool-multicast",
    summary: "one packet to several sockets: clones of a pool's page",
    schema: z.strictObject({ ...common, sockets: count(1, 64).default(4), slowest: count(0, 1000).default(16) }),
    run: (settings) => runMulticast(settings as MulticastSettings),
  },
  {
    kind: "page-pool-tcp",
    summary: "bulk TCP both ways: coalescing in the receive queue",
    schema: z.strictObject({ ...common, readEvery: count(1, 1000).default(32), ackEvery: count(0, 1000).default(2) }),
    run: (settings) => runTcp(settings as TcpSettings),
  },
];
