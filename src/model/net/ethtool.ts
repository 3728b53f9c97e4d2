// What `ethtool -S` prints for a device of the model: the driver's own counters, in the kernel tool's layout.
import type { NetDevice } from "./netdevice.ts";

/** The text of `ethtool -S <device>`. */
export function ethtoolStatistics(device: NetDevice): string {
  const lines = Object.entries(device.driver.counters).map(([name, value]) => `     ${name}: ${value}`);
  return ["NIC statistics:", ...lines, ""].join("\n");
}

/** The device's line of /proc/net/dev, without the heading (net/core/net-procfs.c). */
export function procNetDevLine(device: NetDevice): string {
  const { stats } = device;
  const cell = (value: number, width: number): string => String(value).padStart(width);
  const receive = `${cell(stats.rxBytes, 8)} ${cell(stats.rxPackets, 7)} ${cell(0, 4)} ${cell(stats.rxDropped + stats.rxMissed, 4)} ${cell(0, 4)} ${cell(0, 5)} ${cell(0, 10)} ${cell(0, 9)}`;
  const transmit = `${cell(stats.txBytes, 8)} ${cell(stats.txPackets, 7)} ${cell(0, 4)} ${cell(stats.txDropped, 4)} ${cell(0, 4)} ${cell(0, 5)} ${cell(0, 7)} ${cell(0, 10)}`;
  return `${device.name.padStart(6)}: ${receive} ${transmit}`;
}
