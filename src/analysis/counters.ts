// What the kernel counts since boot and what of it tells of trouble with memory for packets: a name that says where it is counted
// ("vmstat allocstall_normal", "eth0 rx drop"), and how far a counter rose between two looks.
import type { SoftnetStat } from "../kernel/readings/netstat.ts";
import type { ProcReading } from "../kernel/readings/proc.ts";

/** A counter that only rises until the machine starts anew: its name tells the file and what is counted. */
export type CounterName = string;
export type Counter = readonly [name: CounterName, value: number];

/** Counters of /proc/vmstat that tell of trouble with memory; those of other releases have the same beginnings. */
const vmEvent =
  /^(allocstall|compact_(fail|stall|success)|pgscan_direct|pgsteal_direct|pgscan_kswapd|kswapd_(low|high)_wmark|oom_kill|pageoutrun|drop_slab|nr_throttled)/;
const netEvent =
  /RcvbufErrors|SndbufErrors|MemErrors|TCPMemoryPressures$|TCPRcvQDrop|TCPBacklogDrop|PFMemallocDrop|TCPAbortOnMemory|ListenDrops/;
/** Of a driver's own counters: what was lost, what could not be had, and what its page pools do. */
const driverEvent = /drop|discard|miss|no_?(?:buf|desc|mem)|alloc|fail|err|over_?run|fifo|starv|pp_/;

/** Columns of /proc/net/softnet_stat that tell of loss, from 0 (net/core/net-procfs.c softnet_seq_show()). */
const softnetColumns = { dropped: 1, time_squeeze: 2 } as const;

/** What all CPUs listed counted; undefined where a row lacks the column. */
export function softnetSum({ cpus }: SoftnetStat, name: keyof typeof softnetColumns): number | undefined {
  const told = cpus.flatMap((row) => row[softnetColumns[name]] ?? []);
  return told.length < cpus.length ? undefined : told.reduce((n, c) => n + c, 0);
}

/** The telling counters of one text, in its order; `device` is what `ethtool -S` was asked about, which the text does not say. */
export function countersOf(reading: ProcReading, device = "ethtool"): readonly Counter[] {
  switch (reading.kind) {
    case "vmstat":
      return reading.counters.flatMap(([name, value]) => (vmEvent.test(name) ? counted(`vmstat ${name}`, value) : []));
    case "net/dev":
      return reading.devices.flatMap((d) => [
        ...ofDevice(`${d.name} rx`, reading.receive, d.receive),
        ...ofDevice(`${d.name} tx`, reading.transmit, d.transmit),
      ]);
    case "softnet_stat":
      return (["dropped", "time_squeeze"] as const).flatMap((name) => {
        const sum = softnetSum(reading, name);
        return sum === undefined ? [] : counted(`softnet ${name}`, sum);
      });
    case "net/netstat":
      return reading.protocols.flatMap((p) =>
        p.counters.flatMap(([name, value]) => (netEvent.test(name) ? counted(`${p.name} ${name}`, value) : [])),
      );
    case "ethtool -S":
      return reading.counters.flatMap(([name, value]) =>
        driverEvent.test(name) ? counted(`${device} ${name}`, value) : [],
      );
    case "page pools":
      return reading.pools.flatMap((p) =>
        p.counters.flatMap(([name, value]) => counted(`pool ${p.id} ${name}`, value)),
      );
    default:
      return [];
  }
}

/** A number below 0 counts nothing (Tcp MaxConn is -1 where there is no limit). */
const counted = (name: CounterName, value: number): readonly Counter[] =>
  value >= 0 && Number.isFinite(value) ? [[name, value]] : [];

const ofDevice = (side: string, names: readonly string[], values: readonly number[]): readonly Counter[] =>
  names.flatMap((name, i) => {
    const value = values[i];
    return value !== undefined && /^(drop|errs|fifo)$/.test(name) ? [[`${side} ${name}`, value] as const] : [];
  });

const wraps = 2 ** 32;
/** No counter of events rises by more between two samples. */
const mostStep = 2 ** 28;

/**
 * How far a counter rose; undefined where it fell, so that it began anew. A fall from just below 2^32 to just above 0 is a counter of 32 bits that
 * went round.
 */
export function riseOf(before: number, now: number): number | undefined {
  if (now >= before) return now - before;
  const round = now + wraps - before;
  return before < wraps && round < mostStep ? round : undefined;
}
