// Who holds memory: totals of /proc/meminfo, slab caches that packets and sockets live in, memory of sockets against its limits.
import { grouped } from "../../base/grouped.ts";
import type { MemInfoFile } from "../../kernel/readings/meminfo.ts";
import type { SlabInfoCache } from "../../kernel/readings/slabinfo.ts";
import type { Advice, StateFinding } from "../finding.ts";
import { capital, count, listing, size } from "../words.ts";
import type { MachineFiles } from "./files.ts";

/** A part of memory that is a lot for one thing. */
const muchShare = 0.25;
const muchForPackets = 0.1;
/** The same where the machine's size is not known. */
const muchBytes = 2 ** 30;

const fieldOf = (meminfo: MemInfoFile | undefined, name: string): number | undefined =>
  meminfo?.fields.find((f) => f.name === name)?.value;

const percent = (share: number): string => `${(share * 100).toFixed(share < 0.1 ? 1 : 0)} %`;

export function memoryFindings(files: MachineFiles): StateFinding[] {
  return [...totals(files), ...caches(files), ...sockets(files)];
}

function totals(files: MachineFiles): StateFinding[] {
  const meminfo = files.one("meminfo");
  const kb = (name: string): number | undefined => fieldOf(meminfo, name);
  const [total, free, available, stuck] = ["MemTotal", "MemFree", "MemAvailable", "SUnreclaim"].map(kb);
  if (total === undefined || total === 0 || free === undefined) return [];
  const of = (value: number): string => `${size(value * 1024)} (${percent(value / total)})`;
  const out: StateFinding[] = [
    {
      id: "state.memory",
      claim: `${of(free)} of ${size(total * 1024)} are free${available === undefined ? "" : `, ${of(available)} can be had without swapping`}.`,
      severity: "harmless",
      evidence: ["MemTotal:", "MemFree:", "MemAvailable:"].flatMap((n) => files.quote("meminfo", n, 1)),
      advice: [],
    },
  ];
  if (stuck !== undefined)
    out.push({
      id: "state.unreclaimable",
      claim: `Slab caches that cannot be reclaimed hold ${of(stuck)}${stuck / total > muchShare ? ": much for one machine, and packets are among them. /proc/slabinfo names the cache" : ""}.`,
      severity: stuck / total > muchShare ? "watch" : "harmless",
      evidence: files.quote("meminfo", "SUnreclaim:", 1),
      advice: [],
    });
  return out;
}

/** What an object of a cache is; caches that merge with others (kmalloc) hold packets' data among other things. */
const packetCaches: readonly (readonly [pattern: RegExp, what: string])[] = [
  [/^skbuff_(?:head|fclone)_cache$|^skbuff_cache$/, "packets' descriptors (sk_buff)"],
  [/^skbuff_(?:small_head|ext_cache)$/, "small heads and extensions of packets"],
  [/^(?:nf_conntrack|nf_conntrack_\w+)$/, "connection tracking"],
  [/^(?:TCP|TCPv6|UDP|UDPv6|RAW|RAWv6|PING|PACKET|UNIX|MPTCP|MPTCPv6|UDPLITE|UDPLITEv6|sock_inode_cache)$/, "sockets"],
  [/^(?:request_sock_TCP(?:v6)?|tw_sock_TCP(?:v6)?|inet_peer_cache|tcp_bind_bucket)$/, "connections' small records"],
  [/^(?:ip_dst_cache|ip6_dst_cache|fib\w*|neighbour)$/, "routes"],
];

export const cacheBytes = (c: SlabInfoCache): number =>
  c.objectsPerSlab === undefined ? c.objects * c.objectBytes : c.slabs * c.objectsPerSlab * c.objectBytes;

function caches(files: MachineFiles): StateFinding[] {
  const slabinfo = files.one("slabinfo");
  if (slabinfo === undefined) return [];
  const totalKb = fieldOf(files.one("meminfo"), "MemTotal");
  const known = slabinfo.caches
    .flatMap((c) => {
      const what = packetCaches.find(([pattern]) => pattern.test(c.name))?.[1];
      return what === undefined || c.objects === 0 ? [] : [{ cache: c, what, bytes: cacheBytes(c) }];
    })
    .sort((a, b) => b.bytes - a.bytes);
  const largest = [...slabinfo.caches].sort((a, b) => cacheBytes(b) - cacheBytes(a))[0];
  const out: StateFinding[] = [];
  const big = known.filter((k) => isMuch(k.bytes, totalKb, muchForPackets));
  const line = (name: string) => files.quote("slabinfo", `${name} `, 1);
  for (const { cache, what, bytes } of big)
    out.push({
      id: `state.cache.${cache.name}`,
      claim: `${cache.name} (${what}) holds ${size(bytes)}${totalKb === undefined ? "" : `, ${percent(bytes / 1024 / totalKb)} of memory`}: ${count(cache.activeObjects, "object")} in use of ${grouped(cache.objects)}. One snapshot does not tell a leak from load: the same number again minutes later, when traffic has stopped, would.`,
      severity: "watch",
      evidence: line(cache.name),
      advice: [watchCache(cache.name)],
    });
  const rest = known.filter((k) => !big.includes(k)).slice(0, 4);
  if (rest.length > 0)
    out.push({
      id: "state.caches",
      claim: `Caches that hold packets and sockets: ${listing(rest.map((k) => `${k.cache.name} ${size(k.bytes)} (${k.what})`))}. Packets' data lies in kmalloc caches and in pages too, which these lines do not tell apart.`,
      severity: "harmless",
      evidence: rest.flatMap((k) => line(k.cache.name)),
      advice: [],
    });
  if (
    largest !== undefined &&
    !known.some((k) => k.cache === largest) &&
    isMuch(cacheBytes(largest), totalKb, muchShare)
  )
    out.push({
      id: "state.largest_cache",
      claim: `The largest cache that this file lists is ${largest.name} with ${size(cacheBytes(largest))}: ${count(largest.activeObjects, "object")} in use${/^kmalloc/.test(largest.name) ? "; this file does not say who allocated them; packets' data can be among them" : ", which are not packets, by the cache's name"}.`,
      severity: "watch",
      evidence: line(largest.name),
      advice: [watchCache(largest.name)],
    });
  return out;
}

const isMuch = (bytes: number, totalKb: number | undefined, share: number): boolean =>
  totalKb === undefined ? bytes > muchBytes : bytes > totalKb * 1024 * share;

const watchCache = (name: string): Advice => ({
  change: { kind: "evidence" },
  action: "Look again, and let the kernel say who allocates there",
  changes: "tells a leak from load, and names the function (the second line needs slab_debug=U at boot)",
  costs: "nothing for the first line; a slower cache for the second",
  command: `grep '^${name} ' /proc/slabinfo; sort -rn /sys/kernel/debug/slab/${name}/alloc_traces | head`,
});

/** Memory of a protocol against its three limits, all in pages (tcp_mem, udp_mem: Documentation/networking/ip-sysctl). */
function sockets(files: MachineFiles): StateFinding[] {
  const memory = new Map<string, number>();
  for (const { reading } of files.each("sockstat"))
    for (const p of reading.protocols) {
      const value = p.values.find(([name]) => name === "mem")?.[1];
      if (value !== undefined) memory.set(p.name, value);
    }
  const settings = files.each("sysctl").flatMap((f) => f.reading.settings);
  return (["TCP", "UDP"] as const).flatMap((protocol): StateFinding[] => {
    const pages = memory.get(protocol);
    if (pages === undefined) return [];
    const key = `net.ipv4.${protocol.toLowerCase()}_mem`;
    const limits = settings
      .findLast((s) => s.key === key)
      ?.value.trim()
      .split(/\s+/)
      .map(Number)
      .filter(Number.isFinite);
    const evidence = [...files.quote("sockstat", `${protocol}: `, 1), ...files.quote("sysctl", key, 1)];
    const id = `state.sockets.${protocol.toLowerCase()}`;
    const held = `Packets in ${protocol} sockets hold ${count(pages, "page")}`;
    const [low, pressure, most] = limits ?? [];
    if (low === undefined || pressure === undefined || most === undefined)
      return [{ id, claim: `${held}. Its limits are in ${key}.`, severity: "harmless", evidence, advice: [] }];
    const marks = `${key}: ${grouped(low)}, ${grouped(pressure)}, ${grouped(most)} pages`;
    if (pages > most)
      return [
        {
          id,
          claim: `${held}, above the most that is allowed (${marks}): new packets are dropped until readers catch up.`,
          severity: "act",
          evidence,
          advice: [readers(protocol), raise(key, most)],
        },
      ];
    if (pages > pressure)
      return [
        {
          id,
          claim: `${held}, above the mark of memory pressure (${marks}): ${protocol === "TCP" ? "receive windows shrink" : "what comes on top of each socket's own minimum is refused soon"}.`,
          severity: "watch",
          evidence,
          advice: [readers(protocol)],
        },
      ];
    return [
      {
        id,
        claim: `${held}, below the mark of memory pressure (${marks}).`,
        severity: "harmless",
        evidence,
        advice: [],
      },
    ];
  });
}

const readers = (protocol: string): Advice => ({
  change: { kind: "drain_sockets" },
  action: "See which sockets sit on unread data, and drain or close them",
  changes: "packets in a receive queue hold their memory until they are read",
  costs: "nothing for idle sockets",
  command: `ss -${protocol === "TCP" ? "t" : "u"}nmp | awk '$2 > 0'`,
});

const raise = (key: string, most: number): Advice => ({
  change: { kind: "setting", name: key, value: String(most * 2) },
  action: `${capital(`raise ${key}`)} if the load is meant`,
  changes: "sockets together may hold more before packets are dropped",
  costs: "memory that others then lack",
  command: `sysctl ${key}    # three numbers of pages: write all three`,
});
