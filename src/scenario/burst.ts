// One long burst answers for shorter ones: they are how it begins. What failed is kept with the frames that had arrived by then, so that a single
// run tells for every length what a burst of it would have met.
import type { AllocFailure } from "../kernel/readings/alloc_failure.ts";
import { machineKind } from "./machine_kind.ts";
import type { MachineResult } from "./machine_run.ts";
import { runMachine } from "./machine_run.ts";
import type { MachineSettings } from "./machine_settings.ts";

export type Measures = Readonly<Record<string, number>>;

/** What came of a run with `state` and one burst: measures by length (one at or above the run's own is all of it; rates are the run's), first reports. */
export function measureBursts(
  settings: MachineSettings,
  lengths: readonly number[],
): { readonly measures: readonly Measures[]; readonly reports: readonly AllocFailure[] } {
  const run = runMachine(settings);
  const whole = machineKind.measure?.(run) ?? {};
  const counts = countsUpTo(run, lengths);
  return { measures: lengths.map((_, i) => ({ ...whole, ...counts[i] })), reports: run.reports };
}

/** Failures and lost frames of a burst of each length: one walk over what happened, however many lengths are asked. */
function countsUpTo({ failedAt = [], lostAt = [] }: MachineResult, lengths: readonly number[]): readonly Measures[] {
  const now: Record<string, number> = { printedFailures: 0, framesLost: 0 };
  for (let order = 0; order <= 10; order++) now[`failedOrder${order}`] = 0;
  const out: Measures[] = [];
  let failed = 0;
  let lost = 0;
  const rising = lengths.map((length, i) => ({ length, i })).sort((a, b) => a.length - b.length);
  for (const { length, i } of rising) {
    for (; failed < failedAt.length && (failedAt[failed]?.at ?? 0) <= length; failed++) {
      const f = failedAt[failed] as NonNullable<(typeof failedAt)[number]>;
      const key = f.printed ? "printedFailures" : `failedOrder${f.order}`;
      now[key] = (now[key] ?? 0) + 1;
    }
    for (; lost < lostAt.length && (lostAt[lost] ?? 0) <= length; lost++) now.framesLost = (now.framesLost ?? 0) + 1;
    out[i] = { ...now };
  }
  return out;
}
