// The files under /proc and what ethtool prints, as a machine of the model would show them now. Only what the model knows is in them.
import type { ProcReading } from "../kernel/readings/proc.ts";
import { atLeast } from "../kernel/release.ts";
import type { Machine } from "../model/machine.ts";
import { observeBuddyinfo, observePagetypeinfo, observeZoneinfo } from "../model/mm/observe.ts";
import type { NetDevice } from "../model/net/netdevice.ts";
import { observeSlabInfo } from "../model/slab/slabinfo.ts";

/** A file by its path below the directory that people copy such things to. */
export interface KernelFile {
  /** `proc/buddyinfo`, `ethtool-S-eth0.txt` */
  readonly path: string;
  readonly reading: ProcReading;
}

export function kernelFiles(machine: Machine): KernelFile[] {
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
    {
      path: "sysctl-vm.txt",
      reading: { kind: "sysctl", settings: [{ key: "vm.min_free_kbytes", value: String(memory.minFreeKb) }] },
    },
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
