// A CPU that did not let others run: a soft lockup (kernel/watchdog.c) and a stall of RCU (kernel/rcu/tree_stall.h). Nothing faulted; where
// the CPU looked for memory to free, memory is what to look at.
import type { Oops } from "../kernel/readings/oops.ts";
import { none, seenOf } from "../kernel/readings/part.ts";
import type { Case } from "./case.ts";
import type { Fault } from "./fault.ts";

const reclaiming =
  /^(?:(?:do_)?try_to_(?:free|compact)_pages|shrink_|balance_pgdat|compact_zone|isolate_(?:free|migrate)pages|__alloc_pages_(?:direct_|slowpath)|kswapd)/;

const reclaims = (f: { readonly function: string; readonly reliable: boolean }): boolean =>
  f.reliable && reclaiming.test(f.function);

/** What a busy CPU has to do with memory: the function that looked for some, or the proof that its stack has none. */
function memoryOf(c: Case): Pick<Fault, "memory" | "reason"> & { readonly reclaim?: string } {
  const reclaim = (seenOf(c.stack.trace) ?? []).find(reclaims)?.function;
  if (reclaim !== undefined)
    return {
      reclaim,
      memory: "not said",
      reason: "The report does not say whether memory was short; its Mem-Info would.",
    };
  return none(c.stack.trace, reclaims) === undefined
    ? {
        memory: "not said",
        reason: "The report does not say whether that CPU looked for memory to free: its call trace is not whole.",
      }
    : { memory: "none", reason: "This is not a shortage of memory: a CPU was busy for too long." };
}

const inReclaim =
  "No fault. Reclaim that takes so long finds little to free, or waits for a lock: look at the state of memory.";

export function lockup(c: Case, o: Oops, place: string): Fault {
  const seconds = /stuck for (\d{1,6})s/.exec(o.headline)?.[1];
  const { reclaim, ...memory } = memoryOf(c);
  const long = seconds === undefined ? "for too long" : `for ${seconds} s`;
  const hard = o.headline.includes("hard LOCKUP");
  const stuck = hard ? `took no interrupt ${long}` : `did not let another task run ${long}`;
  return {
    key: reclaim === undefined ? "lockup" : "lockup in reclaim",
    title: hard ? "Hard lockup" : "Soft lockup",
    cause:
      reclaim === undefined
        ? `A CPU ${stuck}; it happened to be in ${place} when that was noticed.`
        : `A CPU ${stuck}: it was looking for memory to free (${reclaim}).`,
    severity: "watch",
    consequence:
      reclaim === undefined ? "Nothing faulted: the registers show where that CPU happened to be." : inReclaim,
    ...memory,
  };
}

/** What is freed through RCU waits for the end of the grace period (kernel/rcu/tree.c call_rcu(); Documentation/RCU/stallwarn.rst, 6.1). */
export function rcuStall(c: Case, o: Oops, at: string | undefined): Fault {
  const { reclaim } = memoryOf(c);
  const { jiffies, cpus = [] } = o.stalled ?? {};
  const long = jiffies === undefined ? "" : ` for ${jiffies} jiffies`;
  const who = cpus.length === 0 ? "A CPU or a task" : cpus.length === 1 ? `CPU ${cpus[0]}` : `CPUs ${cpus.join(", ")}`;
  const where = at === undefined ? "" : ` When that was noticed, the first CPU shown was in ${at}.`;
  return {
    key: `rcu stall${reclaim === undefined ? "" : " in reclaim"}:${cpus.join()}`,
    title: "RCU stall",
    cause: `${who} kept RCU's grace period from ending${long}.${
      reclaim === undefined ? where : ` The stack shows a search for memory to free (${reclaim}).`
    }`,
    severity: "watch",
    consequence:
      reclaim === undefined
        ? "Nothing faulted. What is freed through RCU stays allocated until the stall ends: one that lasts can exhaust memory."
        : inReclaim,
    memory: "not said",
    reason: "A stall of RCU does not say whether memory was short; the state of memory (SysRq-m) would.",
  };
}
