// What one look at a running machine's files says: room by zone, order and context, and every counter with what it counts. Texts come from a
// face that read them; nothing here touches a file or a clock. A file that is not there leaves its part undefined, never 0.
import type { CounterName } from "../analysis/counters.ts";
import { countersOf } from "../analysis/counters.ts";
import { findReadings } from "../artifact/embedded.ts";
import type { PoolState } from "../artifact/page_pool/shape.ts";
import type { LiveZone, Room } from "../diagnosis/room.ts";
import { liveZones, roomOf } from "../diagnosis/room.ts";
import type { ProcKind, ProcReading } from "../kernel/readings/proc.ts";
import type { ZoneInfo } from "../kernel/readings/zoneinfo.ts";
import { zoneValue } from "../kernel/readings/zoneinfo.ts";
import type { Release } from "../kernel/release.ts";

/** Files of /proc that a sample is made of, below /proc. */
export const sampledFiles = [
  "zoneinfo",
  "buddyinfo",
  "pagetypeinfo",
  "vmstat",
  "slabinfo",
  "net/dev",
  "net/softnet_stat",
  "net/sockstat",
  "net/snmp",
  "net/netstat",
] as const;
export type SampledFile = (typeof sampledFiles)[number];

/** Texts by file; undefined where one could not be read. */
export type SampleTexts = Readonly<Partial<Record<SampledFile, string>>>;

/** A slab cache that packets live in. */
export interface PacketCache {
  readonly name: string;
  readonly bytes: number;
}

export interface Sample {
  /** Seconds since boot, from /proc/uptime. */
  readonly seconds: number;
  readonly rooms: readonly Room[];
  readonly zones: readonly LiveZone[];
  /** From /proc/pagetypeinfo; undefined when it cannot be read. */
  readonly pageBlockOrder: number | undefined;
  /** Pages that are present but were never handed to the allocator (boot memory, memory that waits to be taken in); undefined without zoneinfo. */
  readonly unmanagedPages: number | undefined;
  readonly counters: ReadonlyMap<CounterName, number>;
  /** Empty when slabinfo could not be read (`missing`). */
  readonly caches: readonly PacketCache[];
  /** Memory of sockets in bytes, by protocol (sockstat: pages). */
  readonly sockets: readonly { readonly protocol: string; readonly bytes: number }[];
  /** Page pools, where the machine tells of them. */
  readonly pools: readonly PoolState[] | undefined;
  /** Files that said nothing, so that nobody takes their absence for 0. */
  readonly missing: readonly SampledFile[];
}

const kindOf: Readonly<Record<SampledFile, ProcKind>> = {
  zoneinfo: "zoneinfo",
  buddyinfo: "buddyinfo",
  pagetypeinfo: "pagetypeinfo",
  vmstat: "vmstat",
  slabinfo: "slabinfo",
  "net/dev": "net/dev",
  "net/softnet_stat": "softnet_stat",
  "net/sockstat": "sockstat",
  "net/snmp": "net/netstat",
  "net/netstat": "net/netstat",
};

/** Files whose numbers only rise. */
const counting = ["vmstat", "net/dev", "net/softnet_stat", "net/snmp", "net/netstat"] as const;
const packetCache = /^(skbuff_|kmalloc-|TCP|UDP|sock_inode_cache|RAW|PACKET|request_sock|tw_sock|nf_conntrack)/;

export interface SampleExtras {
  /** The machine's own page size; 4096 unless said otherwise. */
  readonly pageBytes?: number;
  readonly pools?: readonly PoolState[] | undefined;
}

export function sampleOf(
  release: Release,
  texts: SampleTexts,
  seconds: number,
  { pageBytes = 4096, pools }: SampleExtras = {},
): Sample {
  const missing: SampledFile[] = [];
  const read = <K extends ProcKind>(file: SampledFile): Extract<ProcReading, { kind: K }> | undefined => {
    const text = texts[file];
    const lines = text === undefined ? [] : text.trimEnd().split("\n");
    const found = findReadings(lines.map((line, i) => ({ line: i + 1, text: line }))).find(
      (f) => f.reading.kind === kindOf[file],
    );
    if (found === undefined) missing.push(file);
    return found?.reading as Extract<ProcReading, { kind: K }> | undefined;
  };
  const zoneinfo = read<"zoneinfo">("zoneinfo");
  const buddyinfo = read<"buddyinfo">("buddyinfo");
  const types = read<"pagetypeinfo">("pagetypeinfo");
  const zones = zoneinfo === undefined ? [] : liveZones(zoneinfo, buddyinfo, types);
  const orders = Math.max(0, ...zones.map((z) => z.state.orders?.length ?? 0));
  const counters = new Map<CounterName, number>();
  for (const file of counting) {
    const reading = read<ProcKind>(file);
    if (reading !== undefined) for (const [name, value] of countersOf(reading)) counters.set(name, value);
  }
  const caches = (read<"slabinfo">("slabinfo")?.caches ?? [])
    .filter((c) => packetCache.test(c.name))
    .map((c) => ({ name: c.name, bytes: c.slabs * c.pagesPerSlab * pageBytes }));
  const sockets = (read<"sockstat">("net/sockstat")?.protocols ?? []).flatMap((p) =>
    p.values.flatMap(([name, value]) =>
      name === "mem"
        ? [{ protocol: p.name, bytes: value * pageBytes }]
        : name === "memory"
          ? [{ protocol: p.name, bytes: value }]
          : [],
    ),
  );
  return {
    seconds,
    rooms: roomOf(release, zones, orders),
    zones,
    pageBlockOrder: types?.pageBlockOrder,
    unmanagedPages: zoneinfo === undefined ? undefined : unmanagedOf(zoneinfo),
    counters,
    caches,
    sockets,
    pools,
    missing,
  };
}

/** A release that prints no `managed` counts nothing here; undefined where a zone's `present` is not in the text. */
function unmanagedOf(zoneinfo: ZoneInfo): number | undefined {
  let sum = 0;
  for (const z of zoneinfo.zones) {
    const present = zoneValue(z, "present");
    if (present === undefined) return undefined;
    sum += Math.max(0, present - (zoneValue(z, "managed") ?? present));
  }
  return sum;
}
