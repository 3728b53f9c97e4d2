// The files under /proc and what ethtool prints, as a machine of the model would show them now. Only what the model knows is in them.
import { ethtoolNames, tcpExtNames } from "../kernel/facts/drivers/ethtool_names.ts";
import type { ProcReading } from "../kernel/readings/proc.ts";
import type { Release } from "../kernel/release.ts";
import { atLeast, compareVersions, factAt } from "../kernel/release.ts";
import type { Machine } from "../model/machine.ts";
import { observeBuddyinfo, observePagetypeinfo, observeZoneinfo } from "../model/mm/observe.ts";
import type { NetDevice } from "../model/net/path/netdevice.ts";
import { feature } from "../model/net/path/netdevice.ts";
import type { TcpCounters } from "../model/net/tcp/tcp_state.ts";
import { observeSlabInfo } from "../model/slab/slabinfo.ts";
import { netlinkPools, poolStatistics } from "./pool_files.ts";

/** A file by its path below the directory that people copy such things to. */
export interface KernelFile {
  /** `proc/buddyinfo`, `ethtool-S-eth0.txt` */
  readonly path: string;
  /** What it says; a text as it is where no reader of its own is needed. */
  readonly reading: ProcReading | string;
}

export function kernelFiles(machine: Machine, tcp?: TcpCounters): KernelFile[] {
  const { memory, heap, release, devices } = machine;
  const since = (version: readonly number[], path: string, reading: () => ProcReading): KernelFile[] =>
    atLeast(release, version) ? [{ path, reading: reading() }] : [];
  return [
    { path: "proc/buddyinfo", reading: observeBuddyinfo(memory) },
    ...since([2, 6, 24], "proc/pagetypeinfo", () =>
      observePagetypeinfo(memory, atLeast(release, [5, 5]) ? 100_000 : Number.MAX_SAFE_INTEGER),
    ),
    ...since([2, 6, 13], "proc/zoneinfo", () => observeZoneinfo(memory)),
    { path: "proc/slabinfo", reading: observeSlabInfo(heap) },
    { path: "proc/net/dev", reading: netDev(devices) },
    ...devices.flatMap((d) => settings(release, d)),
    ...devices.flatMap((d) => statistics(machine, d)),
    ...poolAnswers(machine),
    { path: "ip-link.txt", reading: devices.map(linkLine).join("") },
    ...(tcp === undefined ? [] : netCounters(release, tcp)),
    {
      path: "sysctl-vm.txt",
      reading: { kind: "sysctl", settings: [{ key: "vm.min_free_kbytes", value: String(memory.minFreeKb) }] },
    },
  ];
}

/** What `ip link` prints first of an interface; the queue is the model's (pfifo_fast, net/sched/sch_generic.c). */
function linkLine({ index, name, mtu, running, txQueueLen }: NetDevice): string {
  const flags = running ? "BROADCAST,MULTICAST,UP,LOWER_UP" : "BROADCAST,MULTICAST";
  const state = running ? "UP" : "DOWN";
  return `${index + 2}: ${name}: <${flags}> mtu ${mtu} qdisc pfifo_fast state ${state} qlen ${txQueueLen}\n`;
}

/** ethtool -i, -k and -g: the driver, what the card does in the kernel's place, and the receive ring. */
function settings(release: Release, { name, driver, features }: NetDevice): KernelFile[] {
  const on = (bit: number): boolean => (features & bit) !== 0;
  // ethtool wrote blanks and "Offload parameters" until its version 3 (2011).
  const old = !atLeast(release, [3, 0]);
  const offloads: readonly (readonly [name: string, on: boolean])[] = [
    ["tx-checksumming", on(feature.csum)],
    ["scatter-gather", on(feature.sg)],
    [old ? "tcp segmentation offload" : "tcp-segmentation-offload", on(feature.tso)],
    [old ? "generic segmentation offload" : "generic-segmentation-offload", on(feature.gso)],
    ...(atLeast(release, [2, 6, 29])
      ? ([[old ? "generic receive offload" : "generic-receive-offload", on(feature.gro)]] as const)
      : []),
  ];
  const ring = driver.ringFill().size;
  const rx = { name: "RX", value: ring, text: String(ring) };
  return [
    {
      path: `ethtool-i-${name}.txt`,
      reading: {
        kind: "ethtool -i",
        fields: [
          ["driver", driver.name],
          ["version", release.version.join(".")],
          ["firmware-version", ""],
        ],
      },
    },
    {
      path: `ethtool-k-${name}.txt`,
      reading: {
        kind: "ethtool -k",
        device: name,
        heading: old ? "Offload parameters" : "Features",
        features: offloads.map(([title, set]) => ({ name: title, on: set, nested: false })),
      },
    },
    {
      path: `ethtool-g-${name}.txt`,
      reading: { kind: "ethtool -g", device: name, maximums: [rx], current: [rx] },
    },
  ];
}

/** `ethtool -S`; a driver of a release that prints nothing gives no file ("no stats available"). */
function statistics(machine: Machine, device: NetDevice): KernelFile[] {
  const { version } = machine.release;
  const names = factAt(ethtoolNames[device.driver.name] ?? [], version)?.value;
  if (names === undefined) return [];
  const numbers: Readonly<Record<string, number>> = {
    ...device.stats,
    ...device.driver.counters,
    ...Object.fromEntries(poolStatistics(machine, device)),
  };
  const counters = names.flatMap(([printed, counter]): [string, number][] => {
    const value = numbers[counter];
    return value === undefined ? [] : [[printed, value]];
  });
  return [{ path: `ethtool-S-${device.name}.txt`, reading: { kind: "ethtool -S", counters } }];
}

/** The netdev netlink family's answers about page pools, as people keep them. */
function poolAnswers(machine: Machine): KernelFile[] {
  const text = netlinkPools(machine);
  return text === undefined ? [] : [{ path: "page-pools.json", reading: text }];
}

/** /proc/net/snmp and netstat, as far as the model counts. */
function netCounters(release: Release, tcp: TcpCounters): KernelFile[] {
  const numbers = tcp as unknown as Readonly<Record<string, number>>;
  const ext = tcpExtNames.flatMap(([printed, counter, since]): [string, number][] => {
    const value = numbers[counter];
    return value === undefined || compareVersions(release.version, since) < 0 ? [] : [[printed, value]];
  });
  const segments: [string, number][] = [
    ["OutSegs", tcp.segmentsOut],
    ["RetransSegs", tcp.retransSegs],
  ];
  return [
    {
      path: "proc/net/snmp",
      reading: { kind: "net/netstat", protocols: [{ name: "Tcp", counters: segments }] },
    },
    { path: "proc/net/netstat", reading: { kind: "net/netstat", protocols: [{ name: "TcpExt", counters: ext }] } },
  ];
}

const receiveColumns = ["bytes", "packets", "errs", "drop", "fifo", "frame", "compressed", "multicast"];
const transmitColumns = ["bytes", "packets", "errs", "drop", "fifo", "colls", "carrier", "compressed"];

/** dev_seq_printf_stats(), net/core/net-procfs.c 6.1: what missed the ring counts as dropped. */
function netDev(devices: readonly NetDevice[]): ProcReading {
  return {
    kind: "net/dev",
    receive: receiveColumns,
    transmit: transmitColumns,
    devices: devices.map(({ name, stats: s }) => ({
      name,
      receive: [s.rxBytes, s.rxPackets, 0, s.rxDropped + s.rxMissed, 0, 0, 0, 0],
      transmit: [s.txBytes, s.txPackets, 0, s.txDropped, 0, 0, 0, 0],
    })),
  };
}
