// What scenario files about fragment destructors may say.
import { z } from "zod";
import type { CostSettings } from "../lab/frag_destructor_cost.ts";
import { costDefaults, runFragDestructorCost } from "../lab/frag_destructor_cost.ts";
import type { NfsSettings } from "../lab/nfs_retransmit.ts";
import { nfsDefaults, runNfsRetransmit } from "../lab/nfs_retransmit.ts";
import { fragDesignNames } from "../model/net/skb/frag_designs.ts";
import type { ScenarioKind } from "./kind.ts";

const whole = (least: number, most: number, otherwise: number, says: string): z.ZodDefault<z.ZodNumber> =>
  z.number().int().min(least).max(most).default(otherwise).describe(says);
const share = (otherwise: number, says: string): z.ZodDefault<z.ZodNumber> =>
  z.number().min(0).max(1).default(otherwise).describe(says);
const designs = (otherwise: readonly (typeof fragDesignNames)[number][]) =>
  z
    .array(z.enum(fragDesignNames))
    .min(1)
    .default([...otherwise])
    .describe("where the destructor lives");

const frame = z.strictObject({
  bytes: z.number().int().min(0).max(65536).describe("linear bytes that alloc_skb is asked for"),
  weight: z.number().positive().default(1).describe("its share of the frames"),
});

const cost = z.strictObject({
  release: z.string().default(costDefaults.release).describe("kernel release and architecture: 3.2-x86_64, 3.2-i386"),
  designs: designs(costDefaults.designs),
  frames: z
    .array(frame)
    .min(1)
    .default([...costDefaults.frames])
    .describe("frame sizes and their shares"),
  packets: whole(1, 20_000, costDefaults.packets, "packets alive at once in the measurement of memory"),
  memoryMb: whole(32, 4096, costDefaults.memoryMb, "memory of the machine, MB"),
  cpus: whole(1, 64, costDefaults.cpus, "CPUs: they decide the order of slabs"),
  freeShare: share(costDefaults.freeShare, "share of the filled memory that is free, at random places, under pressure"),
  pressurePackets: whole(1, 50_000, costDefaults.pressurePackets, "packets allocated under pressure"),
  seed: whole(0, 2 ** 32, costDefaults.seed, "seed of the random places"),
});

const nfs = z.strictObject({
  designs: designs(nfsDefaults.designs),
  lossRates: z
    .array(z.number().min(0).max(0.4))
    .min(1)
    .default([...nfsDefaults.lossRates])
    .describe("probabilities that a frame, acknowledgment or reply is lost"),
  seeds: whole(1, 1000, nfsDefaults.seeds, "runs per loss rate"),
  seed: whole(0, 2 ** 32, nfsDefaults.seed, "first seed"),
  rpcs: whole(1, 10_000, nfsDefaults.rpcs, "calls in a run"),
  pagesPerRpc: whole(1, 64, nfsDefaults.pagesPerRpc, "pages that a call writes"),
  pagesPerFrame: whole(1, 16, nfsDefaults.pagesPerFrame, "pages that a frame carries"),
  outstanding: whole(1, 64, nfsDefaults.outstanding, "calls in flight"),
  delayTicks: whole(1, 10_000, nfsDefaults.delayTicks, "one way over the link; a frame leaves the card each tick"),
  serverTicks: whole(0, 10_000, nfsDefaults.serverTicks, "from the last segment to the reply"),
  tcpTimeoutTicks: whole(1, 100_000, nfsDefaults.tcpTimeoutTicks, "TCP's retransmission timeout"),
  rpcTimeoutTicks: whole(1, 100_000, nfsDefaults.rpcTimeoutTicks, "until a call is sent again; doubles each time"),
  windowFrames: whole(1, 1000, nfsDefaults.windowFrames, "frames in flight"),
});

export const skbKinds: readonly ScenarioKind[] = [
  {
    kind: "frag-destructor-cost",
    summary: "what a frame of each size costs under each design of fragment destructors",
    schema: cost,
    run: (settings) => runFragDestructorCost(settings as CostSettings),
  },
  {
    kind: "nfs-retransmit-corruption",
    summary: "an RPC client reuses its pages while a retransmission still holds them: what goes over the wire",
    schema: nfs,
    run: (settings) => runNfsRetransmit(settings as NfsSettings),
  },
];
