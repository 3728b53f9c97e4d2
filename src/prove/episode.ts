// One burst on one machine: settings of a scenario for a length, and what came of it. What is compared are bursts of the same lengths on the same
// machines, with and without a change.
import type { MarkSettings } from "../model/mm/watermark_setup.ts";
import type { Measure, Measures } from "./batch.ts";
import type { Trial } from "./changes.ts";
import type { Built } from "./machine.ts";

/** The marks that kswapd keeps under these settings. */
export function marksUnder(set: Trial["set"]): MarkSettings {
  const number = (path: string): number | undefined => (typeof set[path] === "number" ? set[path] : undefined);
  const [minFreeKb, scaleFactor] = [number("sysctl.min_free_kbytes"), number("sysctl.watermark_scale_factor")];
  return {
    ...(minFreeKb === undefined ? {} : { minFreeKb }),
    ...(scaleFactor === undefined ? {} : { scaleFactor }),
  };
}

/** Settings of a machine scenario; `length` of a burst in frames, or in blocks. */
export function burstSettings(built: Built, state: number, length: number, set: Trial["set"]): object {
  const mtu = built.asker.kind === "driver" ? built.asker.mtu : 0;
  const { asker } = built;
  let settings: unknown = structuredClone({
    ...built.settings,
    state: {
      ...built.stateUnder(marksUnder(set), state),
      ...(asker.kind === "request" ? { asks: { order: built.order, mask: asker.mask, blocks: length } } : {}),
    },
    traffic: asker.kind === "request" ? [] : [{ framesPerSecond: length * 1000, burst: length, bursts: 1 }],
    // As long as the wire carries the burst, and the ring is filled again.
    millis: asker.kind === "request" ? 1 : 3 + (length * scaleOfWire(mtu)) / 1e6,
    sampleMillis: 1e6,
    eventsMax: 20_000_000,
  });
  for (const [path, value] of Object.entries(set)) settings = withValue(settings, path.split("."), value);
  return settings as object;
}

/** Nanoseconds of a full frame at 1 Gbit/s, its gap included. */
const scaleOfWire = (mtu: number): number => (mtu + 38) * 8;

function withValue(at: unknown, path: readonly string[], value: unknown): unknown {
  const [step, ...rest] = path;
  if (step === undefined) return value;
  const index = Array.isArray(at) ? Number(step) : step;
  const copy = (Array.isArray(at) ? [...at] : { ...(at as object) }) as Record<string | number, unknown>;
  copy[index] = withValue(copy[index] ?? {}, rest, value);
  return copy;
}

export const measureWords: Readonly<Record<string, string>> = {
  printedFailures: "failures that the kernel prints",
  framesLost: "frames of the report's size lost by card and driver",
};

/** Frames lost for each failure from which on the frames are what counts. */
const emptyRing = 10;

/** What to count of a run that failed as the report did; undefined when it did not. */
export function measureOf(m: Measures, order: number): Measure | undefined {
  const failed = m[`failedOrder${order}`] ?? 0;
  if (failed === 0) return undefined;
  const printed = m.printedFailures ?? 0;
  // A ring that ran empty is filled again when the next packet is handled, and none can arrive: one failure, and everything is lost.
  if (printed > 0) return (m.ringDrops ?? 0) > printed * emptyRing ? "framesLost" : "printedFailures";
  return `failedOrder${order}`;
}
