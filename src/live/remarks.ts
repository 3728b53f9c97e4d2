// What changed between two samples that a person should know of, beside the numbers: the clock, interfaces, files that cannot be read any more.
import type { Sample } from "./sample.ts";

/** A gap this many times the interval is said. */
const longGap = 6;

/** One sentence each; `interval` in seconds. */
export function remarksOf(before: Sample | undefined, now: Sample, interval: number): string[] {
  if (before === undefined) return [];
  const said: string[] = [];
  const passed = now.seconds - before.seconds;
  if (passed <= 0)
    said.push(
      `/proc/uptime went from ${before.seconds} to ${now.seconds}: the history starts again, and rates and forecasts with it.`,
    );
  else if (passed > longGap * interval + 5)
    said.push(`No sample for ${Math.round(passed)} s: the machine slept, or the watch was stopped.`);
  const [old, here] = [devicesOf(before), devicesOf(now)];
  // A file that could not be read says nothing of interfaces.
  if (!before.missing.includes("net/dev") && !now.missing.includes("net/dev")) {
    for (const d of here) if (!old.has(d)) said.push(`Interface ${d} appeared: its counters are counted from now on.`);
    for (const d of old) if (!here.has(d)) said.push(`Interface ${d} is gone.`);
  }
  for (const f of now.missing)
    if (!before.missing.includes(f)) said.push(`/proc/${f} can no longer be read, or holds nothing that skblab knows.`);
  for (const f of before.missing) if (!now.missing.includes(f)) said.push(`/proc/${f} can be read again.`);
  return said;
}

/** Interfaces by the names of their counters. */
function devicesOf(sample: Sample): Set<string> {
  const devices = new Set<string>();
  for (const name of sample.counters.keys()) {
    const device = /^(\S+) rx drop$/.exec(name)?.[1];
    if (device !== undefined) devices.add(device);
  }
  return devices;
}
