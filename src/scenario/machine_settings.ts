// What a scenario file about a whole machine may say: every key with its meaning, unit and default. machine_run.ts runs it.
import { z } from "zod";
import { release, share, thrashShape, whole } from "../lab/schema_parts.ts";
import { workloadSchema } from "../lab/workload/settings.ts";
import { drivers } from "../model/drivers/drivers.ts";
import { settingsText } from "../model/drivers/own_driver.ts";
import { fragsRange } from "../model/kernels/skb_sizes.ts";
import { usualPort } from "../model/net/path/rss.ts";
import { isAddress } from "../model/net/path/steering.ts";
import { queuesMost } from "../model/nic.ts";
import { stateSchema } from "./machine_state_settings.ts";

const setting = z.union([z.number(), z.string(), z.boolean()]);

const port = (what: string) => whole(1, 65_535, what);
const ip = (what: string) =>
  z
    .string()
    .refine(isAddress, "must be an IPv4 address, such as 198.18.0.1 or 198.18.0.0/24")
    .describe(what)
    .optional();

const rule = z.strictObject({
  flowType: z.enum(["udp4", "tcp4"]).describe("which frames"),
  srcIp: ip(
    "source address, with a length or without; flow n of a machine comes from 198.18.x.y, x and y its upper and lower byte",
  ),
  dstIp: ip("destination address; all flows go to 192.0.2.1"),
  srcPort: port("source port; flow n comes from 1024 + n modulo 64000").optional(),
  dstPort: port("destination port: `port` of a stream").optional(),
  action: whole(-1, queuesMost - 1, "queue that these frames come to; -1: the card drops them"),
});

const nic = z.strictObject({
  name: z.string().min(1).max(15).describe("interface name; default eth0, eth1, … in the order of the list").optional(),
  driver: z
    .string()
    .describe(
      "driver of the card, as `modinfo` names it; `ringnic` is a plain card whose policy is settings; or a file of your own, such as ./mynic.mjs, named from where this file lies",
    ),
  mtu: whole(68, 65521, "MTU, bytes").default(1500),
  mbitPerSecond: z.number().positive().max(1_000_000).describe("rate of the wire, Mbit/s").default(1000),
  delayMicros: z.number().min(0).max(1e7).describe("delay of the wire, microseconds").default(10),
  loss: share("frames that the wire loses").default(0),
  tso: z.boolean().describe("false: `ethtool -K tso off`; default: as the driver has it").optional(),
  gro: z.boolean().describe("false: `ethtool -K gro off`; default: as the driver has it").optional(),
  rxUsecs: z
    .number()
    .min(0)
    .max(1e6)
    .describe("microseconds for which received packets are collected before an interrupt (`ethtool -C rx-usecs`)")
    .default(10),
  queues: whole(1, queuesMost, "queue pairs, each with rings, interrupt, NAPI and page pool of its own").default(1),
  irqCpus: z
    .array(whole(0, 63, "CPU"))
    .min(1)
    .max(queuesMost)
    .describe("CPU of each queue's interrupt; default: queue after queue over the CPUs")
    .optional(),
  xps: z
    .boolean()
    .describe("true: a CPU sends on the queue whose interrupt it gets; false: the flow's hash says which")
    .default(false),
  rss: z
    .strictObject({
      key: z
        .string()
        .regex(/^[0-9a-f]{2}(:[0-9a-f]{2}){39}$/)
        .describe(
          "key of the Toeplitz hash as `ethtool -X hkey` takes it, 40 bytes; default: random, once for each boot",
        )
        .optional(),
      indirection: z
        .array(whole(0, queuesMost - 1, "queue"))
        .min(1)
        .max(128)
        .describe("queue by the hash modulo the table's length; default: 128 entries, queue after queue")
        .optional(),
    })
    .describe("which queue a flow comes to, of a card with several (ethtool -x)")
    .optional(),
  rules: z
    .array(rule)
    .max(64)
    .describe(
      "rules of flow steering (ethtool -N), of a card with several queues; the first that fits decides, before the hash",
    )
    .optional(),
  settings: z
    .record(z.string(), setting)
    .describe(`what the driver itself takes. ${drivers.map(settingsText).join(" ")}`)
    .default({}),
});

const send = z.strictObject({
  from: z.string().describe("interface that sends").default("eth0"),
  bytes: whole(
    1,
    65160,
    "payload of one write, bytes; what does not fit a frame is split by the card (TSO) or by the kernel",
  ).default(32_768),
  writesPerSecond: z.number().positive().max(1e7).describe("writes per second").default(1000),
});

const stream = z.strictObject({
  to: z.string().describe("interface that receives").default("eth0"),
  bytes: z
    .union([whole(1, 65507, "bytes"), z.literal("mtu")])
    .describe("payload of a datagram, bytes; with its 28 bytes of headers it must fit the MTU; `mtu`: as much as fits")
    .default("mtu"),
  framesPerSecond: z.number().positive().max(1e8).describe("average rate, frames per second").default(20_000),
  burst: whole(1, 100_000, "frames that arrive back to back, as fast as the wire carries them").default(1),
  bursts: whole(1, 1_000_000, "number of bursts; left out: as many as fit the time").optional(),
  flows: whole(
    1,
    4096,
    "flows, one frame each in turn; a flow comes from an address and port of its own, which decide its queue",
  ).default(1),
  queue: whole(
    0,
    queuesMost - 1,
    "queue to which a rule steers all of it (ethtool -N); default: the hash decides",
  ).optional(),
  port: port("destination port, which rules can tell streams apart by").default(usualPort),
  listeners: whole(
    1,
    32,
    "sockets that each datagram is for; several are a multicast group, of which all but one get clones",
  ).default(1),
});

const tcp = z.strictObject({
  nic: z.string().describe("interface that the connections use").default("eth0"),
  direction: z
    .enum(["in", "out"])
    .describe("in: a remote host sends to this machine; out: this machine sends to the remote host")
    .default("in"),
  connections: whole(1, 2000, "connections").default(1),
  bytes: whole(1, 2 ** 28, "payload of one write(), bytes").default(65_536),
  writesPerSecond: z
    .number()
    .positive()
    .max(1e7)
    .describe("writes per second on each connection; left out: as many as windows and buffers let through")
    .optional(),
  by: z
    .enum(["write", "sendfile"])
    .describe("out: write copies into page fragments, sendfile sends pages of a file by reference")
    .default("write"),
  noDelay: z.boolean().describe("out: TCP_NODELAY").default(false),
  readMicros: z
    .number()
    .min(0)
    .max(1e7)
    .describe("in: from data's arrival until the application reads all there is, microseconds")
    .default(50),
  rcvbufKb: whole(
    4,
    1_000_000,
    "receive buffer of a connection, KB of truesize, half of it offered as window; tcp_rmem[1], which nothing tunes here",
  ).default(128),
  sndbufKb: whole(
    5,
    1_000_000,
    "send buffer of a connection, KB of truesize; left out: it grows with the window, from 16 to 4096",
  ).optional(),
  windowKb: whole(2, 1_000_000, "window that the remote host offers, KB").default(1024),
  port: port("port of this machine's end, which rules can tell connections apart by").default(usualPort),
});

const rpc = z.strictObject({
  nic: z.string().describe("interface that the client uses").default("eth0"),
  pages: whole(1, 1024, "pages that one call writes, by reference, as an NFS client does").default(8),
  inFlight: whole(1, 1000, "calls in flight").default(4),
  serverMicros: z.number().min(0).max(1e7).describe("time the server takes for a call, microseconds").default(200),
  timeoutMillis: z
    .number()
    .min(0.1)
    .max(3_600_000)
    .describe("time without a reply after which the call is sent again, milliseconds; doubles each time")
    .default(1000),
  sndbufKb: whole(5, 1_000_000, "send buffer, KB of truesize").default(1024),
  windowKb: whole(2, 1_000_000, "window that the server offers, KB").default(1024),
});

const reader = z.strictObject({
  everyMicros: z
    .number()
    .positive()
    .max(1e7)
    .describe("the application reads everything that is queued this often, microseconds")
    .default(1000),
  rcvbufKb: whole(1, 4_000_000, "socket receive buffer, KB of truesize; more is dropped").default(208),
  busyPollMicros: whole(
    1,
    1_000_000,
    "SO_BUSY_POLL: after each reading it polls the queue of the last datagram itself for so long, or until one comes, microseconds (since 4.5)",
  ).optional(),
});

const load = z.strictObject({
  ...thrashShape,
  kilopages: thrashShape.kilopages.describe("page requests before traffic begins, in thousands of pages"),
  pagesPerMilli: whole(0, 100_000, "page requests per millisecond while traffic runs").default(100),
  deletedShare: share(
    "cached pages that are freed immediately before traffic begins, chosen one by one at random, as when many small files are deleted: free pages, but scattered",
  ).default(0),
});

const sysctl = z
  .strictObject({
    min_free_kbytes: whole(128, 100_000_000, "vm.min_free_kbytes, KB; default: what the kernel computes").optional(),
    watermark_scale_factor: whole(1, 3000, "vm.watermark_scale_factor, 1/10000 (since 4.6)").optional(),
    drop_caches: z
      .boolean()
      .describe(
        "true: the page cache is dropped once, immediately before traffic begins (echo 1 > drop_caches, since 2.6.16)",
      )
      .optional(),
    compact_memory: z
      .boolean()
      .describe(
        "true: all memory is compacted once, immediately before traffic begins (echo 1 > compact_memory, since 2.6.35)",
      )
      .optional(),
    watermark_boost_factor: whole(0, 100_000, "vm.watermark_boost_factor, 1/10000; 0 is off (since 5.0)").optional(),
    lowmem_reserve_ratio: z
      .array(whole(0, 1_000_000, "ratio; 0 keeps nothing"))
      .max(8)
      .describe("vm.lowmem_reserve_ratio by zone, lowest first (since 2.6.11)")
      .optional(),
    defrag_mode: z
      .boolean()
      .describe(
        "true: vm.defrag_mode=1, nobody takes a part of another type's pageblock before reclaim and compaction have failed (since 6.15)",
      )
      .optional(),
    extfrag_threshold: whole(
      0,
      1000,
      "vm.extfrag_threshold: memory is compacted only where the fragmentation index is above it (since 2.6.35; since 4.9 for orders above 3 only)",
    ).optional(),
    percpu_pagelist_high_fraction: whole(
      8,
      100_000_000,
      "vm.percpu_pagelist_high_fraction: all CPUs' lists may keep that fraction of a zone; default: its low mark (since 5.14)",
    ).optional(),
    compaction_proactiveness: whole(
      0,
      100,
      "vm.compaction_proactiveness: kcompactd keeps fragmentation below a score; only with `state` (since 5.9)",
    ).optional(),
  })
  .describe("settings under /proc/sys/vm");

const machineShape = z.strictObject({
  release: release.default("6.1-x86_64"),
  memoryMb: whole(64, 65536, "memory, MB").default(512),
  cpus: whole(1, 64, "CPUs").default(1),
  seed: whole(0, 2 ** 31, "seed of everything that is random").default(1),
  sysctl: sysctl.prefault({}),
  maxSkbFrags: whole(
    fragsRange.least,
    fragsRange.most,
    "CONFIG_MAX_SKB_FRAGS: fragments that one sk_buff may have, and with them the size of shared_info (since 6.4); default: 17",
  ).optional(),
  slubMaxOrder: whole(0, 10, "slub_max_order= on the kernel's command line; default: the release's own").optional(),
  nics: z
    .array(nic)
    .min(1)
    .max(16)
    .describe("network cards")
    .prefault([{ driver: "ringnic" }]),
  traffic: z
    .array(stream)
    .max(64)
    .describe("datagram streams into the machine; default: one as it stands here, none where there is `tcp` or `rpc`")
    .optional(),
  tcp: z.array(tcp).max(64).describe("TCP connections with remote hosts, one host a card").default([]),
  rpc: z.array(rpc).max(64).describe("RPC clients that write pages over TCP").default([]),
  sends: z.array(send).max(64).describe("writes out of the machine, in pages, over TCP's framing").default([]),
  reader: reader.describe("the application behind the socket").prefault({}),
  load: load.describe("a compile-like load on the same machine; left out: none").optional(),
  state: stateSchema
    .describe("memory as a report prints it, in place of a load: the run starts from there, and `memoryMb` is not read")
    .optional(),
  workloads: z
    .array(workloadSchema)
    .max(32)
    .describe("what else uses memory, in parts; all of them run in the same memory, from seeds of their own")
    .default([]),
  warmMillis: whole(0, 60_000, "simulated milliseconds for which `workloads` run alone before traffic begins").default(
    0,
  ),
  kswapdMillis: z
    .number()
    .min(1)
    .max(10_000)
    .describe("kswapd makes progress this often, milliseconds: what it frees has to be written back first")
    .default(5),
  millis: z.number().positive().max(3_600_000).describe("simulated time of traffic, milliseconds").default(200),
  eventsMax: whole(1, 2_000_000_000, "the run ends with a message after this many events of the simulator").default(
    20_000_000,
  ),
  sampleMillis: z
    .number()
    .positive()
    .describe("time between samples of the timeline, milliseconds; default: a hundredth of `millis`")
    .optional(),
  reports: whole(0, 1000, "failure reports to print in full").default(1),
});

/** Who asks for TCP does not get datagrams without asking. */
export const machineSchema = machineShape.overwrite((s) => ({
  ...s,
  traffic: s.traffic ?? (s.tcp.length + s.rpc.length > 0 ? [] : [stream.parse({})]),
}));

type Given = z.output<typeof machineShape>;
export type MachineSettings = Omit<Given, "traffic"> & { readonly traffic?: Given["traffic"] };
