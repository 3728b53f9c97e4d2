// What the kernel says while a machine runs: failure reports, warnings, faults, as a listener of its journal hears them.
import { eventKind } from "../kernel/events.ts";
import type { AllocFailure } from "../kernel/readings/alloc_failure.ts";
import type { Machine } from "../model/machine.ts";
import { observeAllocFailure } from "../model/mm/observe_failure.ts";

export interface KernelLog {
  /** The first failure reports. */
  readonly reports: readonly AllocFailure[];
  /** Warnings and oopses, in words. */
  readonly said: readonly string[];
  /** Failures that were to be printed, by order. */
  printed(): { readonly order: number; readonly count: number }[];
}

const saidMax = 20;

/** Listens from now on. At most `reportsMax` reports are kept; nothing is heard while `muted`. */
export function createKernelLog(machine: Machine, reportsMax: number, muted: () => boolean): KernelLog {
  const { journal, memory, release } = machine;
  const byOrder = new Map<number, number>();
  const reports: AllocFailure[] = [];
  const said: string[] = [];
  journal.listen((_kind, _nanos, _cpu, order, gfp) => {
    if (muted()) return;
    byOrder.set(order, (byOrder.get(order) ?? 0) + 1);
    if (reports.length >= reportsMax) return;
    reports.push(observeAllocFailure(memory, release, { comm: "swapper", pid: 0, order, gfp }));
  }, "page_allocation_failure");
  journal.listen(
    (kind, _nanos, _cpu, text, a, b) => {
      if (said.length < saidMax)
        said.push(`${kind === eventKind.oops ? "oops" : "warning"}: ${journal.text(text)} (${a}, ${b})`);
    },
    "warning",
    "oops",
  );
  return {
    reports,
    said,
    printed: () => [...byOrder].map(([order, count]) => ({ order, count })).sort((a, b) => a.order - b.order),
  };
}
